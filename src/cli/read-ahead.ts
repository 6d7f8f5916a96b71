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
  options: InputOptions & { readonly join: Join },
): Promise<ReadAhead> {
  const open = await openOptions(options);
  if (inputs.some(isGenerated)) return { open };
  return { open, traces: openTracesAhead({ inputs, join: options.join, open, tables: REPLAYED_TABLES }) };
}
