/**
 * What a workload is: a name, a machine that it is usually for, options, and the actors that play it.
 */

import { UsageError } from '../config/usage-error.js';
import type { MachineBuild } from '../mm/machine-build.js';
import { type OptionSpecs, type OptionValues, optionValues } from './options.js';
import type { Stage, World } from './world.js';

/** What a workload assumes unless somebody says otherwise, as a user would type it. */
export interface WorkloadDefaults {
  readonly memory: string;
  readonly nodes: number;
  readonly cpus: number;
  readonly duration: string;
}

interface WorkloadHead {
  readonly name: string;
  /** one line */
  readonly summary: string;
  readonly defaults: WorkloadDefaults;
  /** its rows ask for bytes, and interrupt each other */
  readonly hasSlab?: boolean;
  /** kernel that it is made for, where that is not an ordinary one */
  readonly kernel?: Partial<MachineBuild>;
}

export interface Workload extends WorkloadHead {
  readonly options: OptionSpecs;
  /** @throws UsageError  if options are unknown, out of range, or contradict each other */
  stages(world: World, given: Readonly<Record<string, string | number>>): readonly Stage[];
}

/** A workload whose `build` gets its options by name, as numbers. */
export function defineWorkload<S extends OptionSpecs>(
  head: WorkloadHead & {
    readonly options: S;
    build(world: World, options: OptionValues<S>): readonly Stage[];
  },
): Workload {
  const { name, summary, defaults, hasSlab = false, kernel = {}, options, build } = head;
  return {
    name,
    summary,
    defaults,
    hasSlab,
    kernel,
    options,
    stages: (world, given) => build(world, optionValues(name, options, given)),
  };
}

/** The page cache gets what the others leave of the memory that is in use. */
const LEAST_CACHE = 1 / 256;

/**
 * Pages for the page cache.
 *
 * @param used    share of the memory that everything together has
 * @param others  shares that the others have, by the option that says so
 * @throws UsageError  if they leave nothing
 */
export function restForCache(world: World, used: number, others: Readonly<Record<string, number>>): number {
  const taken = Object.values(others).reduce((sum, part) => sum + part, 0);
  if (used - taken >= LEAST_CACHE) return world.pages(used - taken);
  const names = Object.keys(others);
  throw new UsageError(
    `used=${Math.round(used * 100)}% is not more than ${names.join(', ')} together: nothing is left for page cache`,
  );
}

/** Movable memory that cannot be reclaimed without swap, and memory that cannot be reclaimed at all, must fit. */
const MOST_FIXED = 0.95;

/** @throws UsageError  if the shares are more than a machine could hold without swap */
export function checkFits(fixed: Readonly<Record<string, number>>): void {
  const taken = Object.values(fixed).reduce((sum, part) => sum + part, 0);
  if (taken <= MOST_FIXED) return;
  throw new UsageError(
    `${Object.keys(fixed).join(' and ')} are ${Math.round(taken * 100)}% of memory together, and none of it can be reclaimed: at most ${MOST_FIXED * 100}% fit`,
  );
}
