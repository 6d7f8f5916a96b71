/**
 * `spbsim run`: traces in, one result document out.
 */
import { toolVersion } from '../config/tool-version.js';
import { validate } from '../mm/page-alloc/validate.js';
import { resetVmEvents, vmstatCounters } from '../mm/vmstat.js';
import { metricsOf } from '../report/metrics/catalogue.js';
import { resultPolicy } from '../report/result-policy.js';
import type { ResultFinding, ResultNote, ResultReadInput, RunResult } from '../report/run-result.js';
import type { EventBatch } from '../trace/event-batch.js';
import { openTraces, REPLAYED_TABLES } from '../trace/open-traces.js';
import type { Join, TraceSet } from '../trace/trace-set.js';
import type { SimBackground } from './background.js';
import { FreeRunningReplay, NO_PAGE } from './free-running.js';
import { Notes } from './notes.js';
import { pinRecording } from './pinned/pin-recording.js';
import { PinnedReplay } from './pinned/pinned-replay.js';
import { beginFreeRunning, prepareStart, type Start, type StartRequest } from './prepare-run.js';
import { resultSpb } from './result-spb.js';
import { resultMigratetypes, resultNodes, resultZones } from './result-zones.js';
import { Series } from './series.js';
import { Stopwatch } from './stopwatch.js';
import { Tallies } from './tallies.js';
import { TimeWindow } from './time-window.js';
import { readInput, traceNotes } from './trace-notes.js';

export interface RunRequest extends StartRequest {
  readonly from_ns?: number;
  readonly to_ns?: number;
  readonly series_ns?: number;
  readonly check: boolean;
  /** one stream by time stamps, or each behind the one before */
  readonly join?: Join;
  /** the inputs, if they have been opened ahead */
  readonly traces?: () => Promise<TraceSet>;
  readonly seed: number;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  /**
   * Is told for each batch which page each of its events was about (NO_PAGE: none), until it answers false. Free-running
   * replays only.
   */
  readonly onPages?: (pfns: Int32Array) => boolean;
  /** asks for an early end; the result is then of the part that ran, with `interrupted` set */
  readonly signal?: AbortSignal;
}

/** Events between two validations with --check. */
const CHECK_EVENTS = 1 << 16;
const MAX_FINDINGS_PER_KIND = 20;

/** Replays the inputs, joined to one trace, on one machine. @throws InputError, InvariantError */
export async function runTraces(request: RunRequest): Promise<RunResult> {
  const stopwatch = new Stopwatch();
  const start = await prepareStart(request);
  const session = new Session(request, start);
  await session.replay();
  return session.result(stopwatch);
}

/** One run: the machine, its replay and what is counted on the way. */
class Session {
  readonly #notes = new Notes();
  readonly #tallies = new Tallies();
  readonly #traceNotes: ResultNote[] = [];
  readonly #inputs: ResultReadInput[] = [];
  readonly #window: TimeWindow;
  #replay: FreeRunningReplay | PinnedReplay | undefined;
  #validate: () => void = () => validate(this.start.mm);
  #background: SimBackground | undefined;
  #series: Series | undefined;
  /** pages of the batch under way, by row; null when nobody wants to know */
  #pfns: Int32Array | null = null;
  #wantsPages: boolean;
  #events = 0;
  #warmUpEvents = 0;
  #sinceCheck = 0;
  #first_ns = 0;
  #last_ns = 0;

  constructor(
    readonly request: RunRequest,
    readonly start: Start,
  ) {
    this.#window = new TimeWindow(request.from_ns, request.to_ns);
    this.#wantsPages = request.onPages !== undefined;
  }

  /** Pages in use from the start are somebody's in a recorded state, and the kernel's own in a fresh one. */
  get #unknownCounts(): boolean {
    return this.start.state.kind !== 'fresh';
  }

  async replay(): Promise<void> {
    const { inputs, join, open, signal, onProgress } = this.request;
    const set = await (this.request.traces?.() ??
      openTraces({ inputs, join, open, tables: REPLAYED_TABLES }));
    for await (const batch of set.source.batches()) {
      if (signal?.aborted) break;
      if (batch.length > 0) this.#replayNoting(batch);
      onProgress?.({ events: this.#events, ts_ns: this.#last_ns });
      // Without a turn of the event loop an interrupt would not be seen.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const report = set.report();
    for (const input of report.inputs) {
      this.#inputs.push(readInput(input));
      this.#traceNotes.push(...traceNotes(input));
    }
    this.#notes.add('moved_traces', report.moved);
  }

  #replayNoting(batch: EventBatch): void {
    if (!this.#wantsPages) return this.#replayBatch(batch);
    this.#pfns = new Int32Array(batch.length).fill(NO_PAGE);
    this.#replayBatch(batch);
    this.#wantsPages = this.request.onPages!(this.#pfns);
    this.#pfns = null;
  }

  #replayRows(replay: FreeRunningReplay | PinnedReplay, batch: EventBatch, from: number, to: number): void {
    if (this.#pfns !== null && replay instanceof FreeRunningReplay)
      replay.replayNoting(batch, from, to, this.#pfns);
    else replay.replay(batch, from, to);
  }

  #replayBatch(batch: EventBatch): void {
    const replay = this.#replay ?? this.#begin(batch.ts[0]!);
    const { from, to } = this.#window.slice(batch);
    if (from > 0) this.#warmUp(replay, batch, from);
    if (to > from && this.#events === 0) this.#beginCounting(batch.ts[from]!);
    if (batch.length > to) this.#notes.add('skipped_by_time', batch.length - to);
    let at = from;
    while (at < to) {
      const stop = this.#nextStop(batch, at, to);
      this.#replayRows(replay, batch, at, stop);
      at = stop;
      if (at < to) this.#sample(batch.ts[at]!);
    }
    if (to === from) return;
    this.#last_ns = batch.ts[to - 1]!;
    this.#events += to - from;
    this.#check(to - from);
  }

  /** What came before --from decides the state at that time, though nothing of it is counted. */
  #warmUp(replay: FreeRunningReplay | PinnedReplay, batch: EventBatch, events: number): void {
    this.#replayRows(replay, batch, 0, events);
    this.#warmUpEvents += events;
    this.#check(events);
  }

  #beginCounting(first_ns: number): void {
    this.#first_ns = first_ns;
    if (this.#warmUpEvents === 0) return;
    this.#notes.clear();
    this.#notes.add('warm_up', this.#warmUpEvents);
    this.#tallies.clear();
    resetVmEvents(this.start.mm);
    this.#series = new Series(this.start.mm, first_ns, this.request.series_ns, this.#unknownCounts);
  }

  /** Replays up to the next sample that is due. */
  #nextStop(batch: EventBatch, from: number, to: number): number {
    const due = this.#series!.due_ns;
    if (batch.ts[to - 1]! < due) return to;
    this.#sample(batch.ts[from]!);
    let stop = from;
    while (stop < to && batch.ts[stop]! < this.#series!.due_ns) stop++;
    return stop;
  }

  #sample(ts: number): void {
    if (!this.#series!.advance(ts)) this.#notes.add('series_ended');
  }

  #begin(start_ns: number): FreeRunningReplay | PinnedReplay {
    const { mm, material, state } = this.start;
    this.#window.start(start_ns);
    this.#series = new Series(mm, start_ns, this.request.series_ns, this.#unknownCounts);
    if (this.request.mode === 'pinned' && material !== undefined) {
      const kind = state.kind === 'exact' ? 'exact' : 'kpageflags';
      const pinned = pinRecording(material, { mm, kind }, this.#notes, this.#tallies);
      this.#replay = pinned.replay;
      this.#validate = pinned.validate;
      return this.#replay;
    }
    const free = beginFreeRunning(this.start, start_ns, this.#notes, this.#tallies);
    this.#background = free.background;
    this.#replay = free.replay;
    return this.#replay;
  }

  #check(events: number): void {
    if (!this.request.check) return;
    this.#sinceCheck += events;
    if (this.#sinceCheck < CHECK_EVENTS) return;
    this.#sinceCheck = 0;
    this.#validate();
  }

  result(stopwatch: Stopwatch): RunResult {
    const { request, start } = this;
    const { mm } = start;
    if (this.#events === 0) this.#beginCounting(0);
    this.#background?.drain();
    if (this.#replay instanceof PinnedReplay) this.#replay.finish();
    if (request.check) this.#validate();
    const findings = this.#findings();
    const document = {
      schema: 'spbsim.result/1' as const,
      tool: { name: 'spbsim' as const, version: toolVersion() },
      interrupted: request.signal?.aborted ?? false,
      inputs: this.#inputs,
      mode: request.mode,
      seed: request.seed,
      policy: resultPolicy(request.policy),
      machine: {
        kernel: start.kernel,
        origin: start.origin,
        cpu_nodes: [...mm.spec.cpu_nodes],
        node_distances: mm.spec.node_distances.map((row) => [...row]),
        zones: mm.spec.zones.map((zone) => ({ ...zone })),
        cpu_cache_bytes: mm.spec.cpu_cache_bytes,
        thp: mm.spec.thp,
      },
      migratetypes: resultMigratetypes(mm),
      start_state: start.state,
      span: { first_ns: this.#first_ns, last_ns: this.#last_ns, events: this.#events },
      events: this.#tallies.eventRows(),
      allocations: this.#tallies.allocationRows(),
      notes: [...this.#traceNotes, ...this.#notes.entries()],
      vmstat: Object.fromEntries(vmstatCounters(mm)),
      nodes: resultNodes(mm),
      zones: resultZones(mm, this.#unknownCounts),
      superpageblocks: resultSpb(mm),
      series: this.#series?.samples ?? [],
      findings: findings.shown,
      findings_total: findings.total,
    };
    const metrics = Object.fromEntries(metricsOf(document));
    return { ...document, metrics, performance: stopwatch.read(this.#events) };
  }

  #findings(): { shown: ResultFinding[]; total: Record<string, number> } {
    if (!(this.#replay instanceof PinnedReplay)) return { shown: [], total: {} };
    const { illegal, legality, refills, drains } = this.#replay;
    const shown: ResultFinding[] = illegal.map((pfn) => ({
      kind: 'illegal_pfn',
      event: pfn.event,
      ts_ns: pfn.ts_ns,
      text: `CPU ${pfn.cpu}: order ${pfn.order} at 0x${pfn.pfn.toString(16)} was handed out while the replay held it to be in use`,
    }));
    for (const miss of [...refills.misses, ...drains.misses].slice(0, 2 * MAX_FINDINGS_PER_KIND))
      shown.push({
        kind: `${miss.kind}_differs`,
        event: miss.event,
        ts_ns: miss.ts_ns,
        text: `CPU ${miss.cpu}: ${miss.text}`,
      });
    const total: Record<string, number> = {};
    const count = (kind: string, n: number) => {
      if (n > 0) total[kind] = n;
    };
    count('illegal_pfn', legality.allocations - legality.legal);
    count('refill_differs', refills.tally.known - refills.tally.pfn_predicted);
    count('drain_differs', drains.tally.known - drains.tally.pfn_predicted);
    return { shown, total };
  }
}
