/** Writes a generated trace: as CSV or Arrow, to a file or to standard output. */
import { writeOutput } from '../trace/bytes/output-file.js';
import type { CsvColumn } from '../trace/csv/columns.js';
import type { EventBatch } from '../trace/event-batch.js';
import type { GeneratedTrace } from './generate.js';
import type { Workload } from './workload.js';

export type WorkloadFormat = 'csv' | 'arrow-file' | 'arrow-stream';

export interface WriteRequest {
  /** a path, packed if it ends in .gz or .zst, or - for stdout */
  readonly output: string;
  readonly format: WorkloadFormat;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  readonly signal?: AbortSignal;
}

export interface Written {
  readonly events: number;
  readonly bytes: number;
  /** of the last event */
  readonly ts_ns: number;
}

/** The others would be empty in every row. */
export const WORKLOAD_COLUMNS = [
  ...(['ts', 'cpu', 'ctx', 'op', 'id'] as const),
  ...(['order', 'gfp', 'node', 'site', 'arg'] as const),
] as const satisfies readonly CsvColumn[];

/** Of workloads whose rows ask for bytes and interrupt each other. */
export const SLAB_WORKLOAD_COLUMNS = [
  ...WORKLOAD_COLUMNS,
  ...(['size', 'depth', 'at'] as const),
] as const satisfies readonly CsvColumn[];

/** Columns that a workload has something to say in. */
export function columnsOf({ hasSlab }: Workload): readonly CsvColumn[] {
  return hasSlab ? SLAB_WORKLOAD_COLUMNS : WORKLOAD_COLUMNS;
}

/** In whose words gfp flags are written. */
const KERNEL = '6.18';

/** @throws InputError  if the file cannot be written */
export async function writeWorkload(trace: GeneratedTrace, request: WriteRequest): Promise<Written> {
  const done = { events: 0, ts_ns: 0 };
  const batches = watched(trace, request, done);
  const { output, format } = request;
  const columns = columnsOf(trace.workload);
  const bytes =
    format === 'csv'
      ? await writeRows(batches, output, columns)
      : await writeArrow(batches, output, columns, format);
  return { ...done, bytes };
}

async function writeRows(
  batches: AsyncIterable<EventBatch>,
  output: string,
  columns: readonly CsvColumn[],
): Promise<number> {
  const { writeCsv } = await import('../trace/csv/writer.js');
  return (await writeCsv(batches, output, { kernel: KERNEL, columns })).bytes;
}

async function writeArrow(
  batches: AsyncIterable<EventBatch>,
  output: string,
  columns: readonly CsvColumn[],
  format: WorkloadFormat,
): Promise<number> {
  const { arrowChunks } = await import('../trace/arrow/writer.js');
  const options = { kernel: KERNEL, columns } as const;
  return writeOutput(
    output,
    arrowChunks(batches, { ...options, format: format === 'arrow-file' ? 'file' : 'stream' }),
  );
}

async function* watched(
  trace: GeneratedTrace,
  { onProgress, signal }: WriteRequest,
  done: { events: number; ts_ns: number },
): AsyncGenerator<EventBatch> {
  for await (const batch of trace.batches()) {
    if (signal?.aborted) return;
    yield batch;
    done.events += batch.length;
    done.ts_ns = batch.ts[batch.length - 1];
    onProgress?.(done);
    // Without a turn of the event loop an interrupt would not be seen.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
