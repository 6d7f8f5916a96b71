/** `spbsim import`: any readable trace in, trace CSV out. */
import type { ResultNote } from '../report/run-result.js';
import { writeCsv } from '../trace/csv/writer.js';
import type { EventBatch } from '../trace/event-batch.js';
import { type OpenedTrace, openTrace } from '../trace/source.js';
import { traceNotes } from './trace-notes.js';

export interface ImportRequest {
  readonly input: string;
  /** FILE.csv, FILE.csv.gz, or - for stdout */
  readonly output: string;
  /** kernel that recorded the trace; undefined: as the input says */
  readonly kernel: '6.1' | '6.18' | '7.2' | undefined;
  readonly max_errors: number;
  readonly skip_invalid: boolean;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  readonly signal?: AbortSignal;
}

export interface ImportSummary {
  readonly events: number;
  /** what the trace was read as: `Linux 6.18.44` */
  readonly kernel: string;
  readonly interrupted: boolean;
  readonly notes: readonly ResultNote[];
}

/** Reads a trace of any known format and writes it as trace CSV. @throws InputError */
export async function importTrace(request: ImportRequest): Promise<ImportSummary> {
  const opened = await openTrace(request.input, {
    kernel: request.kernel,
    maxErrors: request.max_errors,
    skipInvalid: request.skip_invalid,
  });
  const state = { events: 0 };
  const written = await writeCsv(watched(opened, request, state), request.output, { kernel: opened.kernel });
  const leftOut = Object.entries(written.left_out).map(([op, count]) => ({
    name: 'left_out',
    count,
    meaning: `${op} events; trace CSV has no place for what the kernel did by itself`,
  }));
  return {
    events: written.rows,
    kernel: kernelName(opened),
    interrupted: request.signal?.aborted ?? false,
    notes: [...traceNotes(opened), ...leftOut],
  };
}

function kernelName(opened: OpenedTrace): string {
  const release = opened.recording?.kernel.release;
  return release ? `Linux ${release}` : `Linux ${opened.kernel} (assumed)`;
}

async function* watched(
  opened: OpenedTrace,
  request: ImportRequest,
  state: { events: number },
): AsyncGenerator<EventBatch> {
  for await (const batch of opened.source.batches()) {
    if (request.signal?.aborted) return;
    yield batch;
    state.events += batch.length;
    request.onProgress?.({ events: state.events, ts_ns: batch.length > 0 ? batch.ts[batch.length - 1]! : 0 });
  }
}
