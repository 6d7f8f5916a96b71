/**
 * Fallback of 6.1: a foreign chunk, or its whole block, changes to the wanted type's lists, and the search for the
 * smallest chunk is made again.
 * model: page-allocator 4.6 fallback61
 */
import { MAX_PAGE_ORDER, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { setBlockTypes } from './buddy.js';
import { findFallback, isClaimable } from './fallback.js';
import type { PageAllocator } from './page-allocator.js';
import { blockStart, moveFreePages } from './pageblock.js';
import { ALLOC_KSWAPD, ALLOC_NOFRAGMENT, boostWatermark } from './watermark.js';
import { ZONE_BOOSTED_WATERMARK, type Zone } from './zone.js';

/** @returns whether anything moved to the lists of `migratetype`; then a search there succeeds */
export function stealFallback(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
): boolean {
  const min = order < PAGEBLOCK_ORDER && (allocFlags & ALLOC_NOFRAGMENT) !== 0 ? PAGEBLOCK_ORDER : order;
  let chunkOrder = MAX_PAGE_ORDER;
  let fallback = -1;
  for (; chunkOrder >= min; chunkOrder--) {
    fallback = findFallback(zone, chunkOrder, migratetype);
    if (fallback >= 0) break;
  }
  if (fallback < 0) return false;
  // A movable request that cannot have the block takes the smallest chunk that will do.
  if (
    migratetype === Migratetype.movable &&
    chunkOrder > order &&
    !isClaimable(mm, chunkOrder, migratetype)
  ) {
    for (chunkOrder = order; ; chunkOrder++) {
      fallback = findFallback(zone, chunkOrder, migratetype);
      if (fallback >= 0) break;
    }
  }
  const pfn = zone.pages.pfn(zone.firstNode(chunkOrder, fallback));
  changeOwner(mm, zone, cpu, pfn, chunkOrder, fallback, migratetype, allocFlags);
  if (mm.tracer !== null) mm.tracer.extfrag(pfn, order, chunkOrder, migratetype, fallback);
  return true;
}

function changeOwner(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pfn: number,
  chunkOrder: number,
  fallback: number,
  migratetype: number,
  allocFlags: number,
): void {
  const pages = zone.pages;
  const block = pfn >>> PAGEBLOCK_ORDER;
  const oldType = pages.blockType[block]!;
  if (oldType !== Migratetype.highatomic) {
    if (chunkOrder >= PAGEBLOCK_ORDER) {
      setBlockTypes(zone, pfn, chunkOrder, migratetype);
    } else {
      if (boostWatermark(zone, mm.rules, PAGEBLOCK_PAGES) && allocFlags & ALLOC_KSWAPD)
        zone.flags |= ZONE_BOOSTED_WATERMARK;
      if (isClaimable(mm, chunkOrder, migratetype) && claimBlock(mm, zone, cpu, pfn, oldType, migratetype))
        return;
    }
  }
  zone.remove(pfn, chunkOrder, fallback);
  zone.addTail(pfn, chunkOrder, migratetype);
}

/** Moves all free chunks of the block, and gives it the new type where half of it would then be of that type. */
function claimBlock(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pfn: number,
  oldType: number,
  migratetype: number,
): boolean {
  const start = blockStart(pfn);
  if (!zone.spans(start + PAGEBLOCK_PAGES - 1)) return false;
  const free = moveFreePages(mm, zone, cpu, zone.spans(start) ? start : pfn, migratetype);
  const movable = zone.pages.blockMovable[pfn >>> PAGEBLOCK_ORDER]!;
  let alike = 0;
  if (migratetype === Migratetype.movable) alike = movable;
  else if (oldType === Migratetype.movable) alike = PAGEBLOCK_PAGES - (free + movable);
  if (free + alike >= PAGEBLOCK_PAGES / 2 || !mm.grouping)
    zone.pages.blockType[pfn >>> PAGEBLOCK_ORDER] = migratetype;
  return true;
}
