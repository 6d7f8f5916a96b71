/**
 * The two selectors: lists of superpageblocks that are walked, and bitmaps that are searched. Both look at the same lists
 * in the same order, so they choose the same superpageblock; what differs is what the choice costs.
 * model: spb 3.3, 7
 */
import { MIGRATE_TYPES } from '../types.js';
import type { SlotBitmaps } from './slot-bitmaps.js';
import type { SpbSystem } from './spb-system.js';
import type { Superpageblocks } from './superpageblocks.js';

/**
 * Visits the superpageblocks of some lists that have a chunk of one of the types and orders, until a visit succeeds.
 *
 * @param types list types, at most two of them
 * @param range orders as bits, without gaps
 * @param visit returns a PFN, or -1 to go on; it must leave a superpageblock where it is when it returns -1
 * @returns what the last visit returned, or -1
 */
export function walkSuperpageblocks(
  system: SpbSystem,
  spbs: Superpageblocks,
  places: readonly number[],
  types: readonly number[],
  range: number,
  visit: (spb: number) => number,
): number {
  return spbs.bitmaps === null
    ? walkLists(system, spbs, places, types, range, visit)
    : searchBitmaps(system, spbs.bitmaps, places, types, range, visit);
}

function walkLists(
  system: SpbSystem,
  spbs: Superpageblocks,
  places: readonly number[],
  types: readonly number[],
  range: number,
  visit: (spb: number) => number,
): number {
  const { stats, tracer } = system;
  const { listMask } = spbs;
  const [typeA, typeB = typeA] = types as readonly [number, number?];
  for (let p = 0; p < places.length; p++) {
    for (let spb = spbs.first(places[p]!); spb >= 0; spb = spbs.after(spb)) {
      stats.visited++;
      if (spbs.nr_free_pages[spb] === 0) {
        stats.probes++;
        if (tracer !== null) tracer.visit(spbs.start_pfn(spb), 'nothing free');
        continue;
      }
      const have = (listMask[spb * MIGRATE_TYPES + typeA]! | listMask[spb * MIGRATE_TYPES + typeB]!) & range;
      system.probesBefore = stats.probes;
      stats.probes += probesIn(have, range);
      if (have === 0) {
        if (tracer !== null) tracer.visit(spbs.start_pfn(spb), 'no fitting chunk');
        continue;
      }
      const found = visit(spb);
      if (found >= 0) return found;
    }
  }
  return -1;
}

/** Free lists that are read in one superpageblock: from the smallest order on, up to the first that holds a chunk. */
export function probesIn(have: number, range: number): number {
  const seen = have === 0 ? range : range & ((have & -have) * 2 - 1);
  return Math.clz32(range & -range) - Math.clz32(seen) + 1;
}

function searchBitmaps(
  system: SpbSystem,
  bitmaps: SlotBitmaps,
  places: readonly number[],
  types: readonly number[],
  range: number,
  visit: (spb: number) => number,
): number {
  const { stats } = system;
  const first = 31 - Math.clz32(range & -range);
  const last = 31 - Math.clz32(range);
  const before = bitmaps.probes;
  let found = -1;
  for (let p = 0; p < places.length && found < 0; p++) {
    let from = 0;
    for (;;) {
      const spb = findMember(bitmaps, places[p]!, types, first, last, from);
      if (spb < 0) break;
      stats.visited++;
      from = bitmaps.slotOf(spb) + 1;
      found = visit(spb);
      if (found >= 0) break;
    }
  }
  stats.probes += bitmaps.probes - before;
  return found;
}

/** The oldest member from a slot on that has a chunk of any of the types. */
function findMember(
  bitmaps: SlotBitmaps,
  place: number,
  types: readonly number[],
  first: number,
  last: number,
  from: number,
): number {
  let best = -1;
  for (const type of types) {
    const spb = bitmaps.find(place, first * MIGRATE_TYPES + type, last * MIGRATE_TYPES + type, from);
    if (spb >= 0 && (best < 0 || bitmaps.slotOf(spb) < bitmaps.slotOf(best))) best = spb;
  }
  return best;
}
