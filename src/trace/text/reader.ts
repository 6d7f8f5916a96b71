/**
 * Reads the kernel's own trace text (tracefs `trace`, `trace_pipe`, and `trace-cmd report`, which has the same shape).
 *
 * Page events become events of the replay, marks become marks, everything else is counted by kind. What the text says
 * about lost events becomes `obs_lost`. No string is made for a line that is understood.
 * model: page-allocator 7.1, 7.2, 7.3, 8
 */

import { LineSplitter, MAX_LINE_BYTES } from '../bytes/line-reader.js';
import type { ByteInput } from '../bytes/open-input.js';
import { BATCH_EVENTS, type EventBatch, EventFlag, type EventSource, NONE_U32, Op } from '../event-batch.js';
import { contextTotals } from '../event-totals.js';
import { gfpDialect } from '../gfp-text.js';
import { InputError } from '../input-error.js';
import type { KernelGeneration } from '../kernel-generation.js';
import { sanitize } from '../sanitize.js';
import { createTraceStrings, type TraceStrings } from '../string-table.js';
import { EventKinds, Handling } from './event-kinds.js';
import { FreeJoin } from './free-join.js';
import { GfpBytes } from './gfp-bytes.js';
import { type ImportReport, SkipCounter } from './import-report.js';
import { LineHead } from './line-head.js';
import { Field, type FieldName, PagePayload } from './page-payload.js';

export interface TracefsOptions {
  /** whose gfp words the text uses; 6.18 by default */
  readonly kernel?: KernelGeneration;
  /** events per batch; tests make it small */
  readonly batchEvents?: number;
  readonly maxLineBytes?: number;
}

const HASH = 0x23;
const MAX_ORDER = 10;
/** Longest example line kept in the report. */
const EXAMPLE_CHARACTERS = 160;
const NO_GFP = 0;

const NEEDS_ALLOC = Field.pfn | Field.order | Field.gfp_flags;
const NEEDS_FREE = Field.pfn | Field.order;
const NEEDS_LIST = Field.pfn | Field.order | Field.migratetype;
const NEEDS_ZONE_LOCKED = NEEDS_LIST | Field.percpu_refill;
const NEEDS_EXTFRAG =
  Field.pfn |
  Field.alloc_order |
  Field.fallback_order |
  Field.alloc_migratetype |
  Field.fallback_migratetype |
  Field.change_ownership;

/** An EventSource over trace text. `report()` is complete when batches() has ended, and honest before. */
export class TracefsReader implements EventSource {
  readonly strings: TraceStrings = createTraceStrings();
  readonly #input: ByteInput;
  readonly #splitter: LineSplitter;
  readonly #rows: FreeJoin;
  readonly #gfp: GfpBytes;
  readonly #head = new LineHead();
  readonly #payload = new PagePayload();
  readonly #kinds = new EventKinds();
  readonly #skips = new SkipCounter();
  readonly #lost = new Map<number, { events: number; gaps: number }>();
  readonly #cpus = new Uint8Array(0x1_0000);
  #firstTs = -1;
  #lastTs = 0;
  #backwards = 0;
  #failed = 0;
  #withoutFlags = 0;
  #withoutPoint = 0;
  #entriesInBuffer: number | undefined;
  #entriesWritten: number | undefined;
  #headerCpus: number | undefined;
  #started = false;

  constructor(input: ByteInput, options: TracefsOptions = {}) {
    this.#input = input;
    this.#gfp = new GfpBytes(gfpDialect(options.kernel ?? '6.18'));
    this.#rows = new FreeJoin(this.strings, options.batchEvents ?? BATCH_EVENTS);
    this.#splitter = new LineSplitter(
      input.name,
      (bytes, start, end) => this.#line(bytes, start, end),
      options.maxLineBytes ?? MAX_LINE_BYTES,
    );
  }

  /**
   * The events in trace order. Can be called once.
   *
   * @throws InputError  when the input is cut or damaged, after the events before that point; or holds no trace
   */
  async *batches(): AsyncGenerator<EventBatch> {
    if (this.#started) throw new Error('a trace can be read once');
    this.#started = true;
    let failure: { readonly error: unknown } | undefined;
    try {
      for await (const chunk of this.#input.chunks) {
        this.#splitter.push(chunk);
        yield* this.#rows.take();
      }
      this.#splitter.finish();
    } catch (error) {
      // What was read so far is still good; it is delivered, then the error is told.
      if (!(error instanceof InputError)) throw error;
      failure = { error };
    }
    this.#rows.finish();
    yield* this.#rows.take();
    if (failure !== undefined) throw failure.error;
    if (this.#firstTs < 0 && this.#entriesInBuffer !== 0) {
      throw new InputError({
        file: this.#input.name,
        expectation: `holds no trace event in ${this.#splitter.lines} lines`,
        remedy: 'give the text of the tracefs file `trace`',
      });
    }
  }

  #line(bytes: Uint8Array, start: number, end: number): void {
    const head = this.#head;
    if (bytes[start] === HASH || !head.parse(bytes, start, end)) {
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
    if (!head.isSeconds) this.#withoutPoint++;
    this.#cpus[head.cpu] = 1;
    const kind = this.#kinds.find(bytes, head.nameStart, head.nameEnd);
    kind.events++;
    (kind.by_ctx[head.ctx] as number)++;
    if (kind.handling === Handling.counted || kind.handling === Handling.unknown) return;
    if (kind.handling === Handling.mark) {
      const text = new TextDecoder().decode(bytes.subarray(head.payload, end));
      this.#append(Op.mark, NONE_U32, 0, NO_GFP, 0, 0, 0, this.strings.args.intern(text));
      return;
    }
    const problem = this.#pageEvent(kind.handling, bytes, end);
    if (problem !== undefined) {
      this.#skips.add(`${kind.name} ${problem}`, this.#splitter.lines, () => example(bytes, start, end));
    }
  }

  /** Appends the event whose payload is parsed here; what is wrong with it otherwise. */
  #pageEvent(handling: Handling, bytes: Uint8Array, end: number): string | undefined {
    const payload = this.#payload;
    payload.parse(bytes, this.#head.payload, end);
    const { seen, pfn } = payload;
    if (pfn === NONE_U32 && (seen & Field.pfn) !== 0) return 'with a pfn beyond 0xfffffffe';
    switch (handling) {
      case Handling.alloc: {
        if ((seen & NEEDS_ALLOC) !== NEEDS_ALLOC) return without(NEEDS_ALLOC & ~seen);
        if (payload.order > MAX_ORDER) return 'with an order above 10';
        const gfp = this.#gfp.bits(bytes, payload.gfpStart, payload.gfpEnd, payload.gfpHash);
        const type = (seen & Field.migratetype) === 0 ? (gfp >> 3) & 3 : payload.migratetype;
        if (pfn === 0 && payload.isNullPage) {
          this.#failed++;
          this.#append(Op.alloc, NONE_U32, payload.order, gfp, type, EventFlag.failed, 0, 0);
        } else {
          this.#append(Op.alloc, pfn, payload.order, gfp, type, EventFlag.hasPfn, 0, 0);
        }
        return undefined;
      }
      case Handling.free: {
        if ((seen & NEEDS_FREE) !== NEEDS_FREE) return without(NEEDS_FREE & ~seen);
        if (payload.order > MAX_ORDER) return 'with an order above 10';
        this.#rows.sawFree(this.#append(Op.free, pfn, payload.order, NO_GFP, 0, EventFlag.hasPfn, 0, 0));
        return undefined;
      }
      case Handling.free_batched: {
        if ((seen & Field.pfn) === 0) return without(Field.pfn);
        this.#rows.sawBatched(this.#append(Op.free, pfn, 0, NO_GFP, 0, EventFlag.hasPfn, 0, 0));
        return undefined;
      }
      case Handling.zone_locked: {
        if ((seen & NEEDS_ZONE_LOCKED) !== NEEDS_ZONE_LOCKED) return without(NEEDS_ZONE_LOCKED & ~seen);
        if (payload.order > MAX_ORDER) return 'with an order above 10';
        const flags = EventFlag.hasPfn | (payload.percpuRefill !== 0 ? EventFlag.refill : 0);
        this.#append(Op.obs_refill, pfn, payload.order, NO_GFP, payload.migratetype, flags, 0, 0);
        return undefined;
      }
      case Handling.pcpu_drain: {
        if ((seen & NEEDS_LIST) !== NEEDS_LIST) return without(NEEDS_LIST & ~seen);
        if (payload.order > MAX_ORDER) return 'with an order above 10';
        this.#append(Op.obs_drain, pfn, payload.order, NO_GFP, payload.migratetype, EventFlag.hasPfn, 0, 0);
        return undefined;
      }
      default: {
        if ((seen & NEEDS_EXTFRAG) !== NEEDS_EXTFRAG) return without(NEEDS_EXTFRAG & ~seen);
        if (payload.allocOrder > MAX_ORDER || payload.fallbackOrder > MAX_ORDER)
          return 'with an order above 10';
        const size =
          payload.fallbackOrder |
          ((payload.fallbackMigratetype & 0xff) << 8) |
          ((payload.changeOwnership & 1) << 16);
        const { allocOrder, allocMigratetype } = payload;
        this.#append(Op.obs_extfrag, pfn, allocOrder, NO_GFP, allocMigratetype, EventFlag.hasPfn, size, 0);
        return undefined;
      }
    }
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

  /** Header lines, loss notices, blank lines; the rest is counted as not understood. */
  #otherLine(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    const text = Buffer.from(bytes.subarray(start, Math.min(end, start + 512))).toString('latin1');
    const loss =
      /^CPU:\s?(\d{1,5}) \[(?:LOST )?(?:(\d{1,15}) )?EVENTS(?: DROPPED)?\]/.exec(text) ??
      /^##### CPU (\d{1,5}) buffer started ####/.exec(text);
    if (loss !== null) {
      this.#lostEvents(Number(loss[1]), Number(loss[2] ?? 0));
      return;
    }
    if (bytes[start] === HASH) {
      this.#headerLine(text);
      return;
    }
    if (text.trim() === '' || /^cpus=\d+$/.test(text)) return;
    this.#skips.add('not a trace line', this.#splitter.lines, () => example(bytes, start, end));
  }

  #headerLine(text: string): void {
    const entries = /^# entries-in-buffer\/entries-written: (\d{1,15})\/(\d{1,15})\s+#P:(\d{1,6})/.exec(text);
    if (entries !== null) {
      this.#entriesInBuffer = Number(entries[1]);
      this.#entriesWritten = Number(entries[2]);
      this.#headerCpus = Number(entries[3]);
      return;
    }
    if (/^# \w+ latency trace v/.test(text)) {
      throw new InputError({
        file: this.#input.name,
        line: this.#splitter.lines,
        expectation: 'is a trace in latency format, which has no full times',
        remedy: 'record with the trace option latency-format off',
      });
    }
  }

  #lostEvents(cpu: number, events: number): void {
    if (cpu > 0xffff) return;
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
    head.ctx = 0;
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
    return {
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
      lost: [...this.#lost].map(([cpu, rest]) => ({ cpu, ...rest })).sort((a, b) => a.cpu - b.cpu),
      entries_in_buffer: this.#entriesInBuffer,
      entries_written: this.#entriesWritten,
      header_cpus: this.#headerCpus,
      cpus,
      first_ts: this.#firstTs < 0 ? undefined : this.#firstTs,
      last_ts: this.#firstTs < 0 ? undefined : this.#lastTs,
      time_backwards: this.#backwards,
      has_flags: events > 0 && this.#withoutFlags < events,
      failed_allocs: this.#failed,
      gfp_unknown: [...this.#gfp.unknown].map(([token, count]) => ({
        token: sanitize(token, EXAMPLE_CHARACTERS),
        events: count,
      })),
      frees: { joined: rows.joined, moved: rows.moved, alone: rows.alone },
      notes: this.#notes(events),
    };
  }

  #notes(events: number): string[] {
    const notes: string[] = [];
    if (events > 0 && this.#withoutFlags === events) {
      notes.push('no flag column (recorded without irq-info): every event is taken for task context');
    } else if (this.#withoutFlags > 0) {
      notes.push(
        `${this.#withoutFlags} of ${events} events have no flag column and are taken for task context`,
      );
    }
    if (this.#withoutPoint > 0) {
      notes.push(
        'times without a decimal point: the clock is a counter, its ticks are taken for nanoseconds',
      );
    }
    const inBuffer = this.#entriesInBuffer;
    const written = this.#entriesWritten;
    if (inBuffer !== undefined && written !== undefined && written > inBuffer) {
      notes.push(`${written - inBuffer} events were overwritten before the trace was read`);
    }
    if (inBuffer !== undefined && inBuffer !== events) {
      notes.push(`the header announces ${inBuffer} events, the text holds ${events}`);
    }
    return notes;
  }
}

function without(fields: number): string {
  const names = (Object.keys(Field) as FieldName[]).filter((name) => (fields & Field[name]) !== 0);
  return `without a readable ${names.join(', ')}`;
}

function example(bytes: Uint8Array, start: number, end: number): string {
  const text = new TextDecoder().decode(bytes.subarray(start, Math.min(end, start + 4 * EXAMPLE_CHARACTERS)));
  return sanitize(text, EXAMPLE_CHARACTERS);
}
