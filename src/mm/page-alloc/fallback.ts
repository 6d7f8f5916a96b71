/**
 * Where a request looks when its own type has nothing: the table of fallback types and the questions asked of it.
 * model: page-allocator 1, 4.6
 */
import { Migratetype, PAGEBLOCK_ORDER } from '../types.js';
import type { PageAllocator } from './page-allocator.js';
import type { Zone } from './zone.js';

const { unmovable, movable, reclaimable } = Migratetype;

/** Types to try, in order, by type of the request. The other types have no fallback and are none. */
export const FALLBACKS: readonly (readonly number[])[] = [
  [reclaimable, movable],
  [reclaimable, unmovable],
  [unmovable, movable],
];

/** First fallback type with a chunk of exactly this order, or -1. */
export function findFallback(zone: Zone, order: number, migratetype: number): number {
  if (zone.nr_free[order] === 0) return -1;
  const row = FALLBACKS[migratetype];
  if (row === undefined) return -1;
  const masks = zone.listMask;
  if ((masks[row[0]!]! >>> order) & 1) return row[0]!;
  if ((masks[row[1]!]! >>> order) & 1) return row[1]!;
  return -1;
}

/** May a request of this type take over the block of a chunk of this order? */
export function isClaimable(mm: PageAllocator, chunkOrder: number, migratetype: number): boolean {
  return (
    chunkOrder >= PAGEBLOCK_ORDER >> 1 ||
    migratetype === unmovable ||
    migratetype === reclaimable ||
    !mm.grouping
  );
}
