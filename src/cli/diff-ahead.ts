/**
 * What a comparison can begin before it knows what is compared: threads, and the reading of the first trace. Both take
 * about as long as the loading of the command's own modules.
 */
import type { Fleet } from '../sim/fleet/fleet.js';
import { type Side, startSides } from '../sim/fleet/side-thread.js';
import { isGenerated } from '../sim/generated-name.js';
import type { TraceSet } from '../trace/trace-set.js';
import { type InputOptions, openOptions } from './input-options.js';

export interface DiffAhead {
  /** undefined where nothing is replayed */
  readonly fleet: Promise<Fleet> | undefined;
  /** the first trace; undefined where it is made up, or comes by a pipe */
  readonly set: (() => Promise<TraceSet>) | undefined;
}

export function diffAhead([first]: readonly string[], options: InputOptions): DiffAhead {
  if (first === undefined) return { fleet: undefined, set: undefined };
  const fleet = fleetOf(startSides(2));
  // Its errors are told to whoever asks for it.
  fleet.catch(() => {});
  // Only once the command has looked at its arguments may it wait for standard input.
  if (first === '-' || isGenerated(first)) return { fleet, set: undefined };
  const opened = openFirst(first, options);
  opened.catch(() => {});
  return { fleet, set: async () => (await opened)() };
}

/** Threads come first: the module that leads them loads all that a replay needs. */
async function fleetOf(sides: Promise<Side[]>): Promise<Fleet> {
  const { Fleet } = await import('../sim/fleet/fleet.js');
  return new Fleet(await sides);
}

/**
 * A recording is looked through twice, and the first pass is made by this thread: so another one decodes it for the second.
 * Of other traces this thread has nothing to do but to decode them.
 */
async function openFirst(trace: string, options: InputOptions): Promise<() => Promise<TraceSet>> {
  const request = { inputs: [trace], open: await openOptions(options) };
  const { isDirectory } = await import('../trace/recording/recording.js');
  if (await isDirectory(trace)) return (await import('../trace/open-traces.js')).openTracesAhead(request);
  const { openTraceSet } = await import('../trace/trace-set.js');
  const set = openTraceSet(request);
  set.catch(() => {});
  return () => set;
}
