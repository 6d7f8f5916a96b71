/**
 * Opens the inputs of a command: in this thread, or, where it pays, in one of its own, so that decoding and what is done
 * with the events overlap.
 */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { openRecording } from './recording/recording.js';
import type { TraceStrings } from './string-table.js';
import { openTraceSet, type TraceSet, type TraceSetRequest } from './trace-set.js';

/** Below this starting a thread takes longer than it saves. */
const WORTH_A_THREAD_BYTES = 1 << 20;

export interface TracesRequest extends TraceSetRequest {
  /** string tables that are read from; all by default */
  readonly tables?: readonly (keyof TraceStrings)[] | undefined;
}

/** What a replay reads: it knows objects by their numbers. */
export const REPLAYED_TABLES = ['caches', 'memcgs', 'sites', 'args'] as const;

const ALL_TABLES: readonly (keyof TraceStrings)[] = ['ids', 'caches', 'memcgs', 'sites', 'args'];

/** @throws InputError  as openTraceSet */
export async function openTraces(request: TracesRequest): Promise<TraceSet> {
  return (await begin(request))();
}

/**
 * Opens inputs ahead of the time at which they are needed: what a thread of its own reads is read while this one still
 * loads its modules. Nothing of it keeps the program alive, and its errors are told to who asks for the traces.
 */
export function openTracesAhead(request: TracesRequest): () => Promise<TraceSet> {
  const begun = begin(request);
  begun.catch(() => {});
  return async () => (await begun)();
}

/** Starts what can be started now. @returns what gives the traces */
async function begin({ tables, ...request }: TracesRequest): Promise<() => Promise<TraceSet>> {
  if (await isLarge(request.inputs)) {
    const { hasWorker, ReadingThread } = await import('./worker/worker-source.js');
    if (hasWorker()) {
      const reading = new ReadingThread(request, tables ?? ALL_TABLES);
      return () => reading.open();
    }
  }
  return () => openTraceSet(request);
}

async function isLarge(inputs: readonly string[]): Promise<boolean> {
  // A pipe on standard input can only be read by the thread that has it.
  if (availableParallelism() < 2 || inputs.includes('-')) return false;
  let bytes = 0;
  for (const input of inputs) {
    const found = await stat(input).catch(() => undefined);
    if (found?.isDirectory()) bytes += await traceBytes(input);
    else if (found?.isFile()) bytes += found.size;
  }
  return bytes >= WORTH_A_THREAD_BYTES;
}

async function traceBytes(directory: string): Promise<number> {
  try {
    return (await stat((await openRecording(directory)).trace)).size;
  } catch {
    // What is wrong with it is told when it is opened.
    return 0;
  }
}
