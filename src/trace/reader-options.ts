/** What every reader of a trace format takes. */
import type { KernelGeneration } from './kernel-generation.js';
import type { TraceLimits } from './limits.js';
import type { TraceStrings } from './string-table.js';

export interface ReaderOptions {
  /** whose gfp words the trace uses; 6.18 by default */
  readonly kernel?: KernelGeneration | undefined;
  /** tables to intern into; inputs that are joined share them. Own ones by default. */
  readonly strings?: TraceStrings | undefined;
  readonly limits?: TraceLimits | undefined;
  /** fail at the first line that is not understood */
  readonly strict?: boolean | undefined;
  /** events per batch; tests make it small */
  readonly batchEvents?: number | undefined;
}
