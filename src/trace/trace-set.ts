/**
 * The inputs of one command as one stream of events: opened, joined, filtered, nested rows brought together, renamed, in
 * this order.
 *
 * An input that ends too early gives what it holds; its error is kept for the report, and the others go on.
 */

import type { EventBatch, EventSource } from './event-batch.js';
import { EventFilter, type EventSelection } from './filter/event-filter.js';
import { InputError } from './input-error.js';
import { Append } from './join/append.js';
import { MergeByTime } from './join/merge-by-time.js';
import { NestedGroups } from './join/nested-groups.js';
import type { RingStats } from './recording/ring-stats.js';
import {
  type OpenedTrace,
  type OpenOptions,
  openTrace,
  type TraceKernel,
  type TraceReport,
} from './source.js';
import { createTraceStrings, type StringDelta, type TraceStrings } from './string-table.js';

export type Join = 'time' | 'append';

export interface TraceSetRequest {
  /** paths; `-` is standard input */
  readonly inputs: readonly string[];
  /** one stream by time stamps, or each behind the one before; `time` by default */
  readonly join?: Join | undefined;
  readonly open?: OpenOptions | undefined;
  readonly selection?: EventSelection | undefined;
  readonly anonymise?: boolean | undefined;
  /** leave nested rows where they stand: for whoever writes rows and does not replay them */
  readonly ungrouped?: boolean | undefined;
  /** strings that are known before, in this order: those of traces that were read earlier */
  readonly known?: Readonly<Partial<Record<keyof TraceStrings, StringDelta>>> | undefined;
}

/** What is known of one input when its events have ended; plain data. */
export interface InputReport {
  readonly name: string;
  readonly format: string;
  readonly kernel: TraceKernel;
  readonly sha256: string;
  readonly bytes: number;
  readonly report: TraceReport;
  readonly ring_stats: readonly RingStats[];
  /** why the input ends too early, one line; undefined if it is whole */
  readonly cut: string | undefined;
}

export interface TraceSetReport {
  readonly inputs: readonly InputReport[];
  /** traces whose clock starts before the end of the one before, and which were moved behind it */
  readonly moved: number;
  /** events left out by the selection */
  readonly filtered: number;
  /** nested rows that are too far from what they interrupt, or have nothing to interrupt: taken for rows of depth 0 */
  readonly nested_alone: number;
  /** different ids met */
  readonly distinct_ids: number;
}

export interface TraceSet {
  readonly source: EventSource;
  /** whose gfp words the events of the first input use, as known before reading */
  readonly kernel: TraceKernel;
  /** the files that are read, in the order of the inputs */
  readonly files: readonly string[];
  readonly report: () => TraceSetReport;
}

/** Ends with what was read where the input ends too early. */
export class Forgiving implements EventSource {
  readonly strings: EventSource['strings'];
  cut: string | undefined;

  constructor(
    readonly source: EventSource,
    readonly isStrict: boolean,
  ) {
    this.strings = source.strings;
  }

  async *batches(): AsyncGenerator<EventBatch> {
    try {
      yield* this.source.batches();
    } catch (error) {
      if (this.isStrict || !(error instanceof InputError) || !error.isCut) throw error;
      this.cut = error.message;
    }
  }
}

/**
 * Opens all inputs of a request.
 *
 * @throws InputError  if one cannot be opened; what is wrong further in is thrown by the source's batches()
 */
export async function openTraceSet(request: TraceSetRequest): Promise<TraceSet> {
  const strings = request.open?.strings ?? createTraceStrings(request.open?.limits, request.inputs[0]);
  for (const [table, delta] of Object.entries(request.known ?? {}))
    strings[table as keyof TraceStrings].append(delta);
  const options: OpenOptions = { ...request.open, strings };
  const traces: OpenedTrace[] = [];
  for (const input of request.inputs) traces.push(await openTrace(input, options));
  const parts = traces.map((trace) => new Forgiving(trace.source, options.strict ?? false));
  const appended = parts.length > 1 && request.join === 'append' ? new Append(strings, parts) : undefined;
  let source: EventSource = appended ?? (parts[0] as EventSource);
  if (parts.length > 1 && appended === undefined) source = new MergeByTime(strings, parts);
  let filter: EventFilter | undefined;
  if (request.selection !== undefined) {
    filter = new EventFilter(source, request.selection);
    source = filter;
  }
  const groups = request.ungrouped === true ? undefined : grouped(source, traces);
  source = groups ?? source;
  if (request.anonymise) {
    const { Anonymised } = await import('./filter/anonymise.js');
    source = new Anonymised(source);
  }
  return {
    source,
    kernel: (traces[0] as OpenedTrace).kernel,
    files: traces.map(({ path }) => path),
    report: () => ({
      inputs: traces.map((trace, i) => inputReport(trace, parts[i]?.cut)),
      moved: appended?.moved ?? 0,
      filtered: filter === undefined ? 0 : filter.read - filter.kept,
      nested_alone: groups?.alone ?? 0,
      distinct_ids: strings.ids.size - 1,
    }),
  };
}

/** The events with nested rows beside those that they interrupt; undefined where no trace can have such. */
function grouped(source: EventSource, traces: readonly OpenedTrace[]): NestedGroups | undefined {
  const asked = traces.flatMap(({ mayNest }) => mayNest ?? []);
  if (asked.length === 0) return undefined;
  return new NestedGroups(source, () => asked.some((mayNest) => mayNest()));
}

function inputReport(trace: OpenedTrace, cut: string | undefined): InputReport {
  const { name, format, recording, kernel } = trace;
  return {
    name,
    format: recording === undefined ? format : 'recording',
    kernel,
    ...trace.digest(),
    report: trace.report(),
    ring_stats: recording?.ring_stats ?? [],
    cut,
  };
}
