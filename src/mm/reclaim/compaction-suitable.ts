/**
 * Is a compaction of this zone worth starting: is there a need, and room to move pages to?
 * model: page-allocator 5 (suitability), 10a.5 (gap)
 */
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { ALLOC_CMA, ALLOC_WMARK_MASK, boostedMark, zoneWatermarkOk } from '../page-alloc/watermark.js';
import { WMARK_LOW, WMARK_MIN, type Zone } from '../page-alloc/zone.js';
import { PAGE_ALLOC_COSTLY_ORDER } from '../types.js';
import { fragmentationIndex } from './fragmentation-index.js';

/** How a compaction ended. Of several zones the largest value is the outcome. */
export const CompactResult = {
  skipped: 1,
  deferred: 2,
  /** in between: go on */
  continue: 3,
  /** the whole zone was scanned */
  complete: 4,
  /** the scanners met, but they had not started at the zone's ends */
  partialSkipped: 5,
  /** gave up early: no place to move a page to */
  contended: 6,
  success: 7,
} as const;
export type CompactResult = (typeof CompactResult)[keyof typeof CompactResult];

/** Free pages that compaction wants above the mark, to have somewhere to move pages to. */
export function compactGap(mm: PageAllocator, order: number): number {
  const twice = 2 * 2 ** order;
  return mm.policy['compaction.gap'] === 'capped_32' ? Math.min(twice, 32) : twice;
}

/**
 * Enough single pages are free to compact with.
 *
 * @param mark what must stay free besides; 6.1 chooses its own
 * @param freePages what to count with; callers add reclaimable pages
 */
export function hasRoomToCompact(
  mm: PageAllocator,
  zone: Zone,
  order: number,
  mark: number,
  highestZone: number,
  freePages: number = zone.folded_free_pages,
): boolean {
  const costly = order > PAGE_ALLOC_COSTLY_ORDER;
  const low = boostedMark(zone, WMARK_LOW);
  const min = boostedMark(zone, WMARK_MIN);
  const base =
    mm.policy['compaction.suitable'] === 'low_for_costly'
      ? costly
        ? low
        : min
      : mark + (costly ? low - min : 0);
  return zoneWatermarkOk(zone, mm.rules, 0, base + compactGap(mm, order), highestZone, ALLOC_CMA, freePages);
}

/** Room enough, and a costly order lacks contiguity rather than memory. */
export function compactionSuitable(
  mm: PageAllocator,
  zone: Zone,
  order: number,
  mark: number,
  highestZone: number,
): boolean {
  if (!hasRoomToCompact(mm, zone, order, mark, highestZone)) return false;
  if (order <= PAGE_ALLOC_COSTLY_ORDER) return true;
  const index = fragmentationIndex(zone, order);
  return index < 0 || index > mm.policy['compaction.extfrag_threshold'];
}

/**
 * The first question of every run for an allocation.
 *
 * @returns success: there is a chunk already; skipped: no room; continue: compact
 */
export function compactionNeed(
  mm: PageAllocator,
  zone: Zone,
  order: number,
  allocFlags: number,
  highestZone: number,
  async: boolean,
): CompactResult {
  const mark = boostedMark(zone, allocFlags & ALLOC_WMARK_MASK);
  if (zoneWatermarkOk(zone, mm.rules, order, mark, highestZone, allocFlags)) return CompactResult.success;
  // Pages in CMA areas do not help a request that may not use them; 6.1 does not look at that.
  if (
    mm.policy['compaction.suitable'] === 'low_minus_min' &&
    async &&
    order > PAGE_ALLOC_COSTLY_ORDER &&
    (allocFlags & ALLOC_CMA) === 0 &&
    !zoneWatermarkOk(zone, mm.rules, 0, mark + compactGap(mm, order), highestZone, 0)
  )
    return CompactResult.skipped;
  return compactionSuitable(mm, zone, order, mark, highestZone)
    ? CompactResult.continue
    : CompactResult.skipped;
}
