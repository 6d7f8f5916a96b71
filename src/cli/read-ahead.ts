/** Begins to read the traces of a command while the command's own modules are still being loaded. */
import { isGenerated } from '../sim/generated-name.js';
import { openTracesAhead, REPLAYED_TABLES } from '../trace/open-traces.js';
import type { OpenOptions } from '../trace/source.js';
import type { Join, TraceSet } from '../trace/trace-set.js';
import { type InputOptions, openOptions } from './input-options.js';

export interface ReadAhead {
  readonly open: OpenOptions;
  /** undefined where nothing is to be read */
  readonly traces?: () => Promise<TraceSet>;
}

export async function readAhead(
  inputs: readonly string[],
  options: InputOptions & { readonly join: Join; readonly saveState?: string; readonly loadState?: string },
): Promise<ReadAhead> {
  const open = await openOptions(options);
  // What a saved run goes on with decides how its traces are read.
  const hasState = options.saveState !== undefined || options.loadState !== undefined;
  if (hasState || inputs.some(isGenerated)) return { open };
  return { open, traces: openTracesAhead({ inputs, join: options.join, open, tables: REPLAYED_TABLES }) };
}
