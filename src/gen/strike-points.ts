/** Where an operation is struck: lock points, drawn by weight among those that such an operation may take. */

import { UsageError } from '../config/usage-error.js';
import { LOCK_POINTS } from '../trace/event-batch.js';
import { count, type OptionSpec } from './options.js';
import type { Prng } from './prng.js';

/** What is struck: an object of a cache, or pages. */
export type Struck = 'slab' | 'page';

const POINTS = ['any', 'fastpath', 'cpu_slab', 'list_lock', 'page_alloc', 'install', 'pcp', 'zone'] as const;
type Point = (typeof POINTS)[number];
/** Those that an operation on pages has. */
const OF_PAGES: ReadonlySet<Point> = new Set<Point>(['any', 'pcp', 'zone']);

const MAX_WEIGHT = 1000;

type PointOption =
  `at-${'any' | 'fastpath' | 'cpu-slab' | 'list-lock' | 'page-alloc' | 'install' | 'pcp' | 'zone'}`;
type PointWeights = Readonly<Record<PointOption, number>>;

function optionOf(point: Point): PointOption {
  return `at-${point.replace('_', '-')}` as PointOption;
}

/** Weights of the points as options of a workload; what is left out has weight 0. */
export function pointOptions(
  weights: Readonly<Partial<Record<Point, number>>>,
): Readonly<Record<PointOption, OptionSpec>> {
  const specs = POINTS.map((point) => [
    optionOf(point),
    count(String(weights[point] ?? 0), `weight of strikes at ${point}`, MAX_WEIGHT),
  ]);
  return Object.fromEntries(specs) as Record<PointOption, OptionSpec>;
}

export class StrikePoints {
  readonly #slab: Uint8Array;
  readonly #page: Uint8Array;

  /** @throws UsageError  if every weight is 0 */
  constructor(weights: PointWeights) {
    this.#slab = wheel(weights, POINTS);
    if (this.#slab.length === 0)
      throw new UsageError(`at least one of ${POINTS.map(optionOf).join(', ')} must be above 0`);
    const pages = wheel(
      weights,
      POINTS.filter((point) => OF_PAGES.has(point)),
    );
    this.#page = pages.length > 0 ? pages : Uint8Array.of(LOCK_POINTS.indexOf('any'));
  }

  /** A point as the number of the `at` column. */
  pick(struck: Struck, prng: Prng): number {
    const wheel = struck === 'slab' ? this.#slab : this.#page;
    return wheel[prng.below(wheel.length)];
  }
}

/** Each point as often as it weighs. */
function wheel(weights: PointWeights, points: readonly Point[]): Uint8Array {
  return Uint8Array.from(
    points.flatMap((point) =>
      Array.from({ length: weights[optionOf(point)] }, () => LOCK_POINTS.indexOf(point)),
    ),
  );
}
