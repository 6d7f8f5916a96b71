/**
 * One run: a machine, the replay on it and what is counted on the way, fed with events by whoever reads them.
 *
 * Where the events are cut into batches makes no difference. Between any two of them a session can be saved and restored
 * (`serialize`, sim/state): what follows is then the same as without.
 */
import type { ResolvedPolicy } from '../config/resolve-policy.js';
import { toolVersion } from '../config/tool-version.js';
import { invariant } from '../mm/invariant.js';
import { serializeMachine } from '../mm/machine-state.js';
import { validate } from '../mm/page-alloc/validate.js';
import type { StateIo } from '../mm/state-io.js';
import { lruPages, resetVmEvents, vmstatCounters } from '../mm/vmstat.js';
import { metricsOf } from '../report/metrics/catalogue.js';
import { resultPolicy } from '../report/result-policy.js';
import type { ResultNote, ResultReadInput, RunResult } from '../report/run-result.js';
import type { EventBatch } from '../trace/event-batch.js';
import type { TraceSetReport } from '../trace/trace-set.js';
import type { SimBackground } from './background.js';
import { FreeRunningReplay } from './free-running.js';
import type { InjectSpec } from './interruption/inject-spec.js';
import { Notes } from './notes.js';
import { pinRecording } from './pinned/pin-recording.js';
import { PinnedReplay } from './pinned/pinned-replay.js';
import { resultFindings } from './pinned/result-findings.js';
import { beginFreeRunning, type Start } from './prepare-run.js';
import { resultSpb } from './result-spb.js';
import { resultMigratetypes, resultNodes, resultZones } from './result-zones.js';
import { Series } from './series.js';
import type { SlabReplay } from './slab/slab-replay.js';
import { Stopwatch } from './stopwatch.js';
import { Tallies } from './tallies.js';
import { TimeWindow } from './time-window.js';
import { nestedNotes, readInput, traceNotes } from './trace-notes.js';

export interface SessionOptions {
  readonly policy: ResolvedPolicy;
  readonly mode: 'free' | 'pinned';
  readonly seed: number;
  /** operations that strike inside those of the trace; not for pinned replays */
  readonly inject?: readonly InjectSpec[];
  readonly from_ns?: number;
  readonly to_ns?: number;
  readonly series_ns?: number;
  /** validate the model on the way and at the end */
  readonly check: boolean;
}

/** What the readers said of the inputs of a run. */
export interface InputsRead {
  readonly inputs: readonly ResultReadInput[];
  readonly notes: readonly ResultNote[];
  /** traces moved behind the one before */
  readonly moved: number;
}

export interface ResultOptions {
  readonly stopwatch?: Stopwatch;
  readonly interrupted?: boolean;
}

/** Events between two validations with --check. */
const CHECK_EVENTS = 1 << 16;

export function inputsRead(report: TraceSetReport): InputsRead {
  return {
    inputs: report.inputs.map(readInput),
    notes: [...report.inputs.flatMap(traceNotes), ...nestedNotes(report)],
    moved: report.moved,
  };
}

export class ReplaySession {
  /** pages that the events are about, by row of the batch; null when nobody wants to know */
  pages: Int32Array | null = null;
  readonly #notes = new Notes();
  readonly #tallies = new Tallies();
  readonly #read: InputsRead[] = [];
  readonly #window: TimeWindow;
  #replay: FreeRunningReplay | PinnedReplay | undefined;
  #validate: () => void = () => validate(this.start.mm);
  #background: SimBackground | undefined;
  #series: Series | undefined;
  #events_read = 0;
  #start_ns = 0;
  #read_ns = 0;
  #events = 0;
  #warmUpEvents = 0;
  #sinceCheck = 0;
  #first_ns = 0;
  #last_ns = 0;

  constructor(
    readonly options: SessionOptions,
    readonly start: Start,
  ) {
    this.#window = new TimeWindow(options.from_ns, options.to_ns);
  }

  /** Events that were given, those before --from and after --to included. */
  get events_read(): number {
    return this.#events_read;
  }

  /** Time of the first of them. */
  get start_ns(): number {
    return this.#start_ns;
  }

  /** Time of the last of them. */
  get read_ns(): number {
    return this.#read_ns;
  }

  /** Events that count, and the time of the last one. */
  get progress(): { readonly events: number; readonly ts_ns: number } {
    return { events: this.#events, ts_ns: this.#last_ns };
  }

  /** Pages in use from the start are somebody's in a recorded state, and the kernel's own in a fresh one. */
  get #unknownCounts(): boolean {
    return this.start.state.kind !== 'fresh';
  }

  /** Everything that events change. The machine and the options are those of whoever made the session. */
  serialize(io: StateIo): void {
    invariant(!(this.#replay instanceof PinnedReplay), 'a pinned replay cannot be saved');
    const hasBegun = io.flag('has_begun', this.#replay !== undefined);
    if (hasBegun && this.#replay === undefined) this.#begin(0);
    serializeMachine(this.start.mm, io);
    io.part('window', this.#window);
    io.part('notes', this.#notes);
    io.part('tallies', this.#tallies);
    this.#events_read = io.number('events_read', this.#events_read);
    this.#start_ns = io.number('start_ns', this.#start_ns);
    this.#read_ns = io.number('read_ns', this.#read_ns);
    this.#events = io.number('events', this.#events);
    this.#warmUpEvents = io.number('warm_up_events', this.#warmUpEvents);
    this.#sinceCheck = io.number('since_check', this.#sinceCheck);
    this.#first_ns = io.number('first_ns', this.#first_ns);
    this.#last_ns = io.number('last_ns', this.#last_ns);
    if (!hasBegun) {
      this.#replay = undefined;
      this.#background = undefined;
      this.#series = undefined;
      return;
    }
    io.part('background', this.#background!);
    io.part('series', this.#series!);
    io.part('replay', this.#replay as FreeRunningReplay);
  }

  /** Notes what the readers said, behind what was noted before. */
  addInputs(read: InputsRead): void {
    this.#read.push(read);
  }

  /** Replays rows of a batch. */
  feed(batch: EventBatch, first = 0, end = batch.length): void {
    if (end <= first) return;
    const replay = this.#replay ?? this.#begin(batch.ts[first]!);
    this.#events_read += end - first;
    this.#read_ns = batch.ts[end - 1]!;
    const { from, to } = this.#window.slice(batch, first, end);
    if (from > first) this.#warmUp(replay, batch, first, from);
    if (to > from && this.#events === 0) this.#beginCounting(batch.ts[from]!);
    if (end > to) this.#notes.add('skipped_by_time', end - to);
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

  #replayRows(replay: FreeRunningReplay | PinnedReplay, batch: EventBatch, from: number, to: number): void {
    if (this.pages !== null && replay instanceof FreeRunningReplay)
      replay.replayNoting(batch, from, to, this.pages);
    else replay.replay(batch, from, to);
  }

  /** What came before --from decides the state at that time, though nothing of it is counted. */
  #warmUp(replay: FreeRunningReplay | PinnedReplay, batch: EventBatch, first: number, end: number): void {
    this.#replayRows(replay, batch, first, end);
    this.#warmUpEvents += end - first;
    this.#check(end - first);
  }

  get #slab(): SlabReplay | null {
    return this.#replay instanceof FreeRunningReplay ? this.#replay.slab : null;
  }

  #beginCounting(first_ns: number): void {
    this.#first_ns = first_ns;
    if (this.#warmUpEvents === 0) return;
    this.#notes.clear();
    this.#notes.add('warm_up', this.#warmUpEvents);
    this.#tallies.clear();
    resetVmEvents(this.start.mm);
    this.#slab?.beginCounting(first_ns);
    this.#series = new Series(this.start.mm, first_ns, this.options.series_ns, this.#unknownCounts);
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
    this.#start_ns = start_ns;
    this.#window.start(start_ns);
    this.#series = new Series(mm, start_ns, this.options.series_ns, this.#unknownCounts);
    if (this.options.mode === 'pinned' && material !== undefined) {
      const kind = state.kind === 'exact' ? 'exact' : 'kpageflags';
      const pinned = pinRecording(material, { mm, kind }, this.#notes, this.#tallies);
      this.#replay = pinned.replay;
      this.#validate = pinned.validate;
      return this.#replay;
    }
    const { inject, seed } = this.options;
    const free = beginFreeRunning(this.start, start_ns, this.#notes, this.#tallies, { inject, seed });
    this.#validate = () => {
      validate(mm);
      free.replay.slab?.validate();
    };
    this.#background = free.background;
    this.#replay = free.replay;
    return this.#replay;
  }

  #check(events: number): void {
    if (!this.options.check) return;
    this.#sinceCheck += events;
    if (this.#sinceCheck < CHECK_EVENTS) return;
    this.#sinceCheck = 0;
    this.#validate();
  }

  /** @throws InvariantError */
  validate(): void {
    this.#validate();
  }

  /**
   * The result of what was fed. What is under way in the background is brought to its end for that: to go on from here, save the
   * session before and restore it afterwards.
   */
  result({ stopwatch = new Stopwatch(), interrupted = false }: ResultOptions = {}): RunResult {
    const { options, start } = this;
    const { mm } = start;
    if (this.#events === 0) this.#beginCounting(0);
    this.#background?.drain();
    const pinned = this.#replay instanceof PinnedReplay ? this.#replay : undefined;
    const slab = this.#slab;
    pinned?.finish();
    if (options.check) this.#validate();
    const findings = pinned === undefined ? { shown: [], total: {} } : resultFindings(pinned);
    const moved = this.#read.reduce((sum, read) => sum + read.moved, 0);
    const document = {
      schema: 'spbsim.result/1' as const,
      tool: { name: 'spbsim' as const, version: toolVersion() },
      interrupted,
      inputs: this.#read.flatMap(({ inputs }) => inputs),
      mode: options.mode,
      seed: options.seed,
      policy: resultPolicy(options.policy),
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
      injected: (options.inject ?? []).map(({ text }) => text),
      start_state: { ...start.state, notes: [...start.state.notes, ...(slab?.notes ?? [])] },
      span: { first_ns: this.#first_ns, last_ns: this.#last_ns, events: this.#events },
      events: this.#tallies.eventRows(),
      allocations: this.#tallies.allocationRows(),
      notes: [...this.#read.flatMap(({ notes }) => notes), ...this.#notes.entries({ moved_traces: moved })],
      vmstat: Object.fromEntries(vmstatCounters(mm, lruPages, slab?.machine.slabs)),
      nodes: resultNodes(mm, slab?.machine.slabs),
      slab: slab?.result(this.#last_ns) ?? null,
      zones: resultZones(mm, this.#unknownCounts),
      superpageblocks: resultSpb(mm),
      series: this.#series?.samples ?? [],
      findings: findings.shown,
      findings_total: findings.total,
    };
    const metrics = Object.fromEntries(metricsOf(document));
    return { ...document, metrics, performance: stopwatch.read(this.#events) };
  }
}
