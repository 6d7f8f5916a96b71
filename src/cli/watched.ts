/** Work that may take long: a progress line while it lasts, and an end when the user asks for one. */
import { guardInterrupt } from './interrupt.js';
import { ProgressLine, type ProgressState } from './progress.js';

export interface Watch {
  readonly progress: ProgressLine;
  readonly onProgress: (done: ProgressState) => void;
  /** aborted by the first SIGINT, which sets the exit code, too */
  readonly signal: AbortSignal;
}

/** Does the work; when it is over, however it ends, the line is gone and SIGINT has its usual meaning again. */
export async function watched<T>(work: (watch: Watch) => Promise<T>): Promise<T> {
  const progress = new ProgressLine();
  const interrupt = guardInterrupt();
  try {
    return await work({ progress, onProgress: (done) => progress.update(done), signal: interrupt.signal });
  } finally {
    progress.clear();
    interrupt.release();
  }
}
