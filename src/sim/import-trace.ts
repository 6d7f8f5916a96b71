/** `spbsim import`: any readable traces in; one trace CSV or Arrow file out. */
import type { ResultNote } from '../report/run-result.js';
import { CSV_COLUMNS, type CsvColumn } from '../trace/csv/columns.js';
import type { EventBatch } from '../trace/event-batch.js';
import type { EventSelection } from '../trace/filter/event-filter.js';
import { FreesOnce } from '../trace/filter/frees-once.js';
import type { OpenOptions } from '../trace/source.js';
import { type Join, openTraceSet, type TraceSet, type TraceSetReport } from '../trace/trace-set.js';
import { traceNotes } from './trace-notes.js';

export type OutputFormat = 'csv' | 'arrow-file' | 'arrow-stream';

export interface ImportRequest {
  readonly inputs: readonly string[];
  readonly join?: Join | undefined;
  /** a path, packed if it ends in .gz or .zst, or - for stdout */
  readonly output: string;
  readonly format: OutputFormat;
  readonly open: OpenOptions;
  readonly selection?: EventSelection | undefined;
  readonly anonymise: boolean;
  /** CSV: keep texts from being run by spreadsheets */
  readonly formula_safe: boolean;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  readonly signal?: AbortSignal;
}

export interface ImportSummary {
  /** events written */
  readonly events: number;
  readonly bytes: number;
  /** what the first trace was read as: `Linux 6.18.44` */
  readonly kernel: string;
  readonly interrupted: boolean;
  /** of the inputs that end too early, why */
  readonly cut: readonly string[];
  readonly notes: readonly ResultNote[];
  readonly report: TraceSetReport;
}

/** Reads traces of any known format and writes them as one. @throws InputError */
export async function importTrace(request: ImportRequest): Promise<ImportSummary> {
  const { inputs, join, open, selection, anonymise } = request;
  const set = await openTraceSet({ inputs, join, open, selection, anonymise, ungrouped: true });
  const written = await write(set, request);
  const report = set.report();
  const notes = report.inputs.flatMap(traceNotes);
  const count = (name: string, n: number, meaning: string) => {
    if (n > 0) notes.push({ name, count: n, meaning });
  };
  count('moved_traces', report.moved, 'traces moved behind the one before');
  count('filtered', report.filtered, 'events left out by the selection');
  for (const [op, events] of Object.entries(written.left_out))
    count('left_out', events, `${op} events; CSV has no place for what the kernel did by itself, Arrow has`);
  count(
    'freed_twice',
    written.freed_twice,
    'frees of objects that were free already, left out: their allocation is not in the trace',
  );
  return {
    events: written.rows,
    bytes: written.bytes,
    kernel: kernelName(set),
    interrupted: request.signal?.aborted ?? false,
    cut: report.inputs.flatMap(({ cut }) => cut ?? []),
    notes,
    report,
  };
}

interface Written {
  readonly rows: number;
  readonly bytes: number;
  readonly left_out: Readonly<Record<string, number>>;
  readonly freed_twice: number;
}

async function write(set: TraceSet, request: ImportRequest): Promise<Written> {
  const { output, format } = request;
  const state = { events: 0 };
  const read = watched(set, request, state);
  // The first batch is read ahead: then the readers know their columns.
  const first = await read.next();
  const once = new FreesOnce(set.source.strings);
  const all = startedWith(first, read);
  const batches = mayFreeTwice(set.report(), request) ? once.of(all) : all;
  const kernel = set.kernel.generation;
  const columns = commonColumns(set.report(), request);
  if (format === 'csv') {
    const { writeCsv } = await import('../trace/csv/writer.js');
    const csv = await writeCsv(batches, output, { kernel, columns, formulaSafe: request.formula_safe });
    return { rows: csv.rows, bytes: csv.bytes, left_out: csv.left_out, freed_twice: once.leftOut };
  }
  const [{ arrowChunks }, { writeOutput }] = await Promise.all([
    import('../trace/arrow/writer.js'),
    import('../trace/bytes/output-file.js'),
  ]);
  const bytes = await writeOutput(
    output,
    arrowChunks(batches, { format: format === 'arrow-file' ? 'file' : 'stream', kernel, columns }),
  );
  return { rows: state.events - once.leftOut, bytes, left_out: {}, freed_twice: once.leftOut };
}

/** One CSV has been looked through by its reader; texts are what a kernel saw, and a selection may drop allocations. */
function mayFreeTwice({ inputs }: TraceSetReport, { selection }: ImportRequest): boolean {
  return selection !== undefined || inputs.length > 1 || inputs[0]?.report.format !== 'csv';
}

/** The columns that all inputs came with, so that a CSV keeps its own on the way; undefined if they have no such. */
function commonColumns(
  { inputs }: TraceSetReport,
  { selection }: ImportRequest,
): readonly CsvColumn[] | undefined {
  const lists = inputs.map(({ report }) => {
    if (report.format === 'csv') return report.csv.columns;
    return report.format === 'arrow' ? report.arrow.csv_columns : undefined;
  });
  const [first] = lists;
  const isCommon = lists.every((list) => list?.join() === first?.join());
  if (first === undefined || !isCommon) return undefined;
  // An Arrow file's list is a text that anybody may have written.
  const columns = [...new Set(first)].filter(isCsvColumn);
  if (!columns.includes('op')) return undefined;
  // Times that follow from the rows' places are lost when rows are left out or come between.
  const keepsPlaces = selection === undefined && inputs.length === 1;
  return keepsPlaces || columns.includes('ts') ? columns : ['ts', ...columns];
}

function isCsvColumn(name: string): name is CsvColumn {
  return (CSV_COLUMNS as readonly string[]).includes(name);
}

async function* startedWith<T>(
  first: IteratorResult<T, unknown>,
  rest: AsyncGenerator<T>,
): AsyncGenerator<T> {
  if (first.done !== true) yield first.value;
  yield* rest;
}

function kernelName(set: TraceSet): string {
  const { release, generation, how } = set.kernel;
  return release === '' ? `Linux ${generation} (${how})` : `Linux ${release}`;
}

async function* watched(
  set: TraceSet,
  request: ImportRequest,
  state: { events: number },
): AsyncGenerator<EventBatch> {
  for await (const batch of set.source.batches()) {
    if (request.signal?.aborted) return;
    yield batch;
    state.events += batch.length;
    request.onProgress?.({ events: state.events, ts_ns: batch.length > 0 ? batch.ts[batch.length - 1]! : 0 });
  }
}
