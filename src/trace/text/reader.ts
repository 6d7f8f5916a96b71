/**
 * Reads trace text: the kernel's own (tracefs `trace`, `trace_pipe`, also in latency format), `trace-cmd report`,
 * `perf script`.
 *
 * Page and slab events become events of the replay, marks become marks, everything else is counted by kind. What the
 * text says about lost events becomes `obs_lost`. No string is made for a line that is understood.
 * model: page-allocator 7, 8
 */

import { LineSplitter } from '../bytes/line-reader.js';
import { type ByteInput, peekInput } from '../bytes/open-input.js';
import { detectFormat, LOOK_BYTES } from '../detect-format.js';
import {
  BATCH_EVENTS,
  Ctx,
  type EventBatch,
  EventFlag,
  type EventSource,
  NONE_U32,
  Op,
} from '../event-batch.js';
import { contextTotals } from '../event-totals.js';
import { gfpDialect } from '../gfp-text.js';
import { InputError } from '../input-error.js';
import { guessKernelFromText, type KernelTextGuess } from '../kernel-from-text.js';
import { DEFAULT_LIMITS } from '../limits.js';
import type { ReaderOptions } from '../reader-options.js';
import { sanitize } from '../sanitize.js';
import { createTraceStrings, type TraceStrings } from '../string-table.js';
import type { TextDialect } from './dialect.js';
import { EventKinds, Handling } from './event-kinds.js';
import { FreeJoin } from './free-join.js';
import { GfpBytes } from './gfp-bytes.js';
import { type ImportReport, LineCounter, SkipCounter } from './import-report.js';
import { Clock, LineHead } from './line-head.js';
import { OTHER_LINE_BYTES, readOtherLine } from './other-lines.js';
import { PageEvents } from './page-events.js';
import { reportNotes } from './report-notes.js';
import { SlabEvents } from './slab-events.js';

export interface TextOptions extends ReaderOptions {
  /** form of the lines; told by the beginning of the text by default */
  readonly dialect?: TextDialect | undefined;
}

const HASH = 0x23;
const TAB = 0x09;
/** Longest example line kept in the report. */
const EXAMPLE_CHARACTERS = 160;
const NO_GFP = 0;
/** How trace-cmd begins the text of a mark, whose event it calls `print`. */
const MARK_PREFIX = 'tracing_mark_write: ';

/** An EventSource over trace text. `report()` is complete when batches() has ended, and honest before. */
export class TextReader implements EventSource {
  readonly strings: TraceStrings;
  readonly #input: ByteInput;
  readonly #isStrict: boolean;
  readonly #splitter: LineSplitter;
  readonly #rows: FreeJoin;
  readonly #gfp: GfpBytes;
  readonly #page: PageEvents;
  readonly #slab: SlabEvents;
  readonly #kinds = new EventKinds();
  readonly #skips = new SkipCounter();
  readonly #others = new LineCounter();
  readonly #lost = new Map<number, { events: number; gaps: number }>();
  readonly #cpus = new Uint8Array(0x1_0000);
  #dialect: TextDialect | undefined;
  #head = new LineHead();
  #kernelSigns: KernelTextGuess | undefined;
  #firstTs = -1;
  #lastTs = 0;
  #backwards = 0;
  #failed = 0;
  #failedSlab = 0;
  #nullFrees = 0;
  #withoutFlags = 0;
  #countedTimes = 0;
  #microsecondTimes = 0;
  #entriesInBuffer: number | undefined;
  #entriesWritten: number | undefined;
  #headerCpus: number | undefined;
  #started = false;
  /** the line at hand is the last one and has no end */
  #isLastLine = false;
  /** the input broke off, so a last line without an end is a part of one */
  #isCutInput = false;

  constructor(input: ByteInput, options: TextOptions = {}) {
    const limits = options.limits ?? DEFAULT_LIMITS;
    this.#input = input;
    this.#isStrict = options.strict ?? false;
    this.#dialect = options.dialect;
    this.strings = options.strings ?? createTraceStrings(limits, input.name);
    this.#gfp = new GfpBytes(gfpDialect(options.kernel ?? '6.18'));
    this.#page = new PageEvents(this.#gfp);
    this.#slab = new SlabEvents(this.strings, this.#gfp);
    this.#rows = new FreeJoin(this.strings, options.batchEvents ?? BATCH_EVENTS);
    this.#splitter = new LineSplitter(
      input.name,
      (bytes, start, end) => this.#line(bytes, start, end),
      limits.line_bytes,
    );
  }

  /**
   * The events in trace order. Can be called once.
   *
   * @throws InputError  when the input is cut or damaged, after the events before that point; or holds no trace; or, if
   *                     strict, at the first line that is not understood
   */
  async *batches(): AsyncGenerator<EventBatch> {
    if (this.#started) throw new Error('a trace can be read once');
    this.#started = true;
    let failure: { readonly error: unknown } | undefined;
    try {
      const { head, input } = await peekInput(this.#input, LOOK_BYTES);
      this.#dialect ??= detectFormat(head).dialect ?? 'tracefs';
      this.#head = new LineHead(this.#dialect);
      this.#kernelSigns = guessKernelFromText(head);
      input.reuseMemory?.();
      for await (const chunk of input.chunks) {
        this.#splitter.push(chunk);
        yield* this.#rows.take();
      }
      this.#isLastLine = true;
      this.#splitter.finish();
    } catch (error) {
      // What was read so far is still good; it is delivered, then the error is told.
      if (!(error instanceof InputError)) throw error;
      failure = { error };
      if (error.isCut) this.#finishCut();
    }
    this.#rows.finish();
    yield* this.#rows.take();
    if (failure !== undefined) throw failure.error;
    if (this.#firstTs < 0 && this.#entriesInBuffer !== 0) {
      throw new InputError({
        file: this.#input.name,
        expectation: `holds no trace event in ${this.#splitter.lines} lines`,
        remedy: 'give the text of the tracefs file `trace`, of trace-cmd report or of perf script',
      });
    }
  }

  /** Counts the piece of a line that stands before the input's end. */
  #finishCut(): void {
    this.#isLastLine = true;
    this.#isCutInput = true;
    this.#splitter.finish();
  }

  #line(bytes: Uint8Array, lineStart: number, end: number): void {
    const head = this.#head;
    const start = this.#splitter.lines === 1 ? behindMark(bytes, lineStart, end) : lineStart;
    const first = bytes[start];
    if (
      first === HASH ||
      first === TAB ||
      start === end ||
      this.#isCutInput ||
      !head.parse(bytes, start, end) ||
      // Rounded, and later than anything that follows could be.
      head.ts > Number.MAX_SAFE_INTEGER
    ) {
      this.#otherLine(bytes, start, end);
      return;
    }
    if (head.ts < this.#lastTs) {
      this.#backwards++;
      head.ts = this.#lastTs;
    }
    this.#lastTs = head.ts;
    if (this.#firstTs < 0) this.#firstTs = head.ts;
    if (!head.hasFlags) this.#withoutFlags++;
    if (head.clock !== Clock.seconds) {
      if (head.clock === Clock.counter) this.#countedTimes++;
      else this.#microsecondTimes++;
    }
    this.#cpus[head.cpu] = 1;
    const kind = this.#kinds.find(bytes, head.nameStart, head.nameEnd);
    kind.events++;
    (kind.by_ctx[head.ctx] as number)++;
    const problem = this.#event(kind.handling, bytes, end);
    if (problem !== undefined) this.#notUnderstood(`${kind.name} ${problem}`, bytes, start, end);
  }

  /** Appends the event whose payload is parsed here; what is wrong with it otherwise. */
  #event(handling: Handling, bytes: Uint8Array, end: number): string | undefined {
    switch (handling) {
      case Handling.alloc:
      case Handling.free:
      case Handling.free_batched:
      case Handling.zone_locked:
      case Handling.pcpu_drain:
      case Handling.extfrag:
        return this.#pageEvent(handling, bytes, end);
      case Handling.kmalloc:
        return this.#slabAlloc(Op.kmalloc, bytes, end);
      case Handling.cache_alloc:
        return this.#slabAlloc(Op.cache_alloc, bytes, end);
      case Handling.kfree:
        return this.#slabFree(Op.kfree, bytes, end);
      case Handling.cache_free:
        return this.#slabFree(Op.cache_free, bytes, end);
      case Handling.mark:
        this.#mark(textAt(bytes, this.#head.payload, end));
        return undefined;
      case Handling.print: {
        const text = textAt(bytes, this.#head.payload, end);
        if (text.startsWith(MARK_PREFIX)) this.#mark(text.slice(MARK_PREFIX.length));
        return undefined;
      }
      default:
        return undefined;
    }
  }

  #mark(text: string): void {
    this.#append(Op.mark, NONE_U32, 0, NO_GFP, 0, 0, 0, this.strings.args.intern(text));
  }

  #slabAlloc(op: Op, bytes: Uint8Array, end: number): string | undefined {
    const slab = this.#slab;
    const problem = slab.read(bytes, this.#head.payload, end, true);
    if (problem !== undefined) return problem;
    const { isNull } = slab;
    const { bytesReq } = slab.payload;
    if (isNull) this.#failedSlab++;
    const flags = isNull ? EventFlag.failed : 0;
    const row = this.#append(op, NONE_U32, 0, slab.gfp(bytes), 0, flags, bytesReq, slab.arg());
    const { batch } = this.#rows;
    if (!isNull) batch.id[row] = slab.id();
    batch.node[row] = slab.node();
    batch.cache[row] = slab.cache(bytes);
    batch.site[row] = slab.site(bytes);
    return undefined;
  }

  #slabFree(op: Op, bytes: Uint8Array, end: number): string | undefined {
    const slab = this.#slab;
    const problem = slab.read(bytes, this.#head.payload, end, false);
    if (problem !== undefined) return problem;
    if (slab.isNull) {
      this.#nullFrees++;
      return undefined;
    }
    const row = this.#append(op, NONE_U32, 0, NO_GFP, 0, 0, 0, 0);
    const { batch } = this.#rows;
    batch.id[row] = slab.id();
    batch.cache[row] = slab.cache(bytes);
    batch.site[row] = slab.site(bytes);
    return undefined;
  }

  #pageEvent(handling: Handling, bytes: Uint8Array, end: number): string | undefined {
    const event = this.#page;
    const problem = event.read(handling, bytes, this.#head.payload, end);
    if (problem !== undefined) return problem;
    const { op, pfn, order, gfp, migratetype, flags, size } = event;
    const row = this.#append(op, pfn, order, gfp, migratetype, flags, size, 0);
    if (handling === Handling.free) this.#rows.sawFree(row);
    else if (handling === Handling.free_batched) this.#rows.sawBatched(row);
    else if ((flags & EventFlag.failed) !== 0) this.#failed++;
    return undefined;
  }

  /** Adds an event with the time, CPU, context and task of the line at hand. Returns its row. */
  #append(
    op: Op,
    pfn: number,
    order: number,
    gfp: number,
    migratetype: number,
    flags: number,
    size: number,
    arg: number,
  ): number {
    const head = this.#head;
    const row = this.#rows.next();
    const batch = this.#rows.batch;
    batch.ts[row] = head.ts;
    batch.cpu[row] = head.cpu;
    batch.ctx[row] = head.ctx;
    batch.op[row] = op;
    batch.order[row] = order;
    batch.gfp[row] = gfp;
    batch.pfn[row] = pfn;
    batch.migratetype[row] = migratetype;
    batch.flags[row] = flags;
    batch.size[row] = size;
    batch.arg[row] = arg;
    batch.pid[row] = head.pid;
    return row;
  }

  /** Header lines, loss notices, call chains, blank lines; the rest is counted as not understood. */
  #otherLine(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    const text = Buffer.from(bytes.subarray(start, Math.min(end, start + OTHER_LINE_BYTES))).toString(
      'latin1',
    );
    const line = this.#isCutInput ? undefined : readOtherLine(text, this.#dialect === 'perf');
    if (line === undefined) {
      this.#notUnderstood(this.#isLastLine ? 'cut last line' : 'not a trace line', bytes, start, end);
    } else if (line.what === 'lost') this.#lostEvents(line.cpu, line.events);
    else if (line.what === 'known') this.#others.add(line.kind);
    else if (line.what === 'entries') {
      this.#entriesInBuffer = line.in_buffer;
      this.#entriesWritten = line.written;
      this.#headerCpus = line.cpus;
    }
  }

  #notUnderstood(problem: string, bytes: Uint8Array, start: number, end: number): void {
    // What is wrong with a payload that has no end is that it has no end.
    const kind = this.#isLastLine ? 'cut last line' : problem;
    const line = this.#splitter.lines;
    if (this.#isStrict && !this.#isCutInput) {
      throw new InputError({
        file: this.#input.name,
        line,
        value: textAt(bytes, start, Math.min(end, start + EXAMPLE_CHARACTERS)).trim(),
        expectation: this.#isLastLine ? `is cut: ${problem}` : `is ${problem}`,
        remedy: 'mend or remove the line, or read without --strict',
      });
    }
    this.#skips.add(kind, line, () => example(bytes, start, end));
  }

  #lostEvents(cpu: number, events: number): void {
    const known = this.#lost.get(cpu);
    if (known === undefined) this.#lost.set(cpu, { events, gaps: 1 });
    else {
      known.events += events;
      known.gaps++;
    }
    this.#rows.lost(cpu);
    const head = this.#head;
    head.ts = this.#lastTs;
    head.cpu = cpu;
    head.ctx = Ctx.task;
    head.pid = NONE_U32;
    const arg = events > 0 ? this.strings.args.intern(`lost=${events}`) : 0;
    this.#append(Op.obs_lost, NONE_U32, 0, NO_GFP, 0, 0, 0, arg);
  }

  /** What was read so far, as plain data. */
  report(): ImportReport {
    const kinds = this.#kinds.seen();
    const byCtx = [0, 0, 0, 0];
    let events = 0;
    for (const kind of kinds) {
      events += kind.events;
      for (let ctx = 0; ctx < 4; ctx++) (byCtx[ctx] as number) += kind.by_ctx[ctx] as number;
    }
    const cpus: number[] = [];
    this.#cpus.forEach((seen, cpu) => {
      if (seen === 1) cpus.push(cpu);
    });
    const rows = this.#rows;
    const dialect = this.#dialect ?? 'tracefs';
    const entries = { entries_in_buffer: this.#entriesInBuffer, entries_written: this.#entriesWritten };
    return {
      dialect,
      lines: this.#splitter.lines,
      events,
      by_kind: kinds.map((kind) => ({
        name: sanitize(kind.name),
        events: kind.events,
        by_ctx: [...kind.by_ctx],
        used: kind.handling !== Handling.unknown && kind.handling !== Handling.counted,
      })),
      by_ctx: contextTotals(byCtx),
      emitted: rows.emitted,
      skipped: this.#skips.list(),
      other_lines: this.#others.list(),
      lost: [...this.#lost].map(([cpu, rest]) => ({ cpu, ...rest })).sort((a, b) => a.cpu - b.cpu),
      ...entries,
      header_cpus: this.#headerCpus,
      cpus,
      first_ts: this.#firstTs < 0 ? undefined : this.#firstTs,
      last_ts: this.#firstTs < 0 ? undefined : this.#lastTs,
      time_backwards: this.#backwards,
      has_flags: events > 0 && this.#withoutFlags < events,
      failed_allocs: this.#failed,
      failed_slab_allocs: this.#failedSlab,
      gfp_unknown: [...this.#gfp.unknown].map(([token, count]) => ({
        token: sanitize(token, EXAMPLE_CHARACTERS),
        events: count,
      })),
      frees: { joined: rows.joined, moved: rows.moved, alone: rows.alone },
      null_frees: this.#nullFrees,
      kernel_signs: this.#kernelSigns,
      notes: reportNotes({
        dialect,
        events,
        without_flags: this.#withoutFlags,
        counted_times: this.#countedTimes,
        microsecond_times: this.#microsecondTimes,
        ...entries,
      }),
    };
  }
}

function textAt(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('utf8');
}

function example(bytes: Uint8Array, start: number, end: number): string {
  return sanitize(textAt(bytes, start, Math.min(end, start + 4 * EXAMPLE_CHARACTERS)), EXAMPLE_CHARACTERS);
}

/** The place behind a byte order mark of UTF-8, which editors of other systems write. */
function behindMark(bytes: Uint8Array, start: number, end: number): number {
  const isMarked =
    end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf;
  return isMarked ? start + 3 : start;
}
