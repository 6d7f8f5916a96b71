/**
 * Fallback of 6.16 and later: claim a whole block from the largest foreign chunk down, and where no block can be had,
 * steal the smallest foreign chunk and leave its rest to its owner.
 * model: page-allocator 4.6 claim, steal
 */
import { MAX_PAGE_ORDER, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { expand, setBlockTypes, takeSmallest } from './buddy.js';
import { findFallback, isClaimable } from './fallback.js';
import type { PageAllocator } from './page-allocator.js';
import { blockStart, countFreePages, moveFreePages, zoneSpansBlock } from './pageblock.js';
import { ALLOC_KSWAPD, ALLOC_NOFRAGMENT, boostWatermark } from './watermark.js';
import { ZONE_BOOSTED_WATERMARK, type Zone } from './zone.js';

/** @returns lowest PFN taken, or -1 where no block could be claimed */
export function claimFallback(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
): number {
  const min = order < PAGEBLOCK_ORDER && (allocFlags & ALLOC_NOFRAGMENT) !== 0 ? PAGEBLOCK_ORDER : order;
  for (let chunkOrder = MAX_PAGE_ORDER; chunkOrder >= min; chunkOrder--) {
    if (!isClaimable(mm, chunkOrder, migratetype)) return -1;
    const fallback = findFallback(zone, chunkOrder, migratetype);
    if (fallback < 0) continue;
    const chunk = zone.pages.pfn(zone.firstNode(chunkOrder, fallback));
    const pfn =
      chunkOrder >= PAGEBLOCK_ORDER
        ? claimWholeChunk(mm, zone, cpu, chunk, order, chunkOrder, fallback, migratetype)
        : claimBlock(mm, zone, cpu, chunk, order, fallback, migratetype, allocFlags);
    if (pfn < 0) continue;
    if (mm.tracer !== null) mm.tracer.extfrag(pfn, order, chunkOrder, migratetype, fallback);
    return pfn;
  }
  return -1;
}

function claimWholeChunk(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  chunk: number,
  order: number,
  chunkOrder: number,
  fallback: number,
  migratetype: number,
): number {
  zone.remove(chunk, chunkOrder, fallback);
  setBlockTypes(zone, chunk, chunkOrder, migratetype);
  const putBack = expand(zone, chunk, order, chunkOrder, migratetype);
  if (mm.rules.post_per_move) {
    zone.postFree(cpu, -(1 << chunkOrder));
    zone.postFree(cpu, putBack);
  }
  return chunk;
}

/** Claims the block of a smaller chunk if half of it is free or of a like kind; a failed try boosts all the same. */
function claimBlock(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  chunk: number,
  order: number,
  fallback: number,
  migratetype: number,
  allocFlags: number,
): number {
  if (boostWatermark(zone, mm.rules, PAGEBLOCK_PAGES) && allocFlags & ALLOC_KSWAPD)
    zone.flags |= ZONE_BOOSTED_WATERMARK;
  if (!zoneSpansBlock(zone, chunk)) return -1;
  const block = chunk >>> PAGEBLOCK_ORDER;
  const free = countFreePages(zone, chunk);
  const movable = zone.pages.blockMovable[block]!;
  let alike = 0;
  if (migratetype === Migratetype.movable) alike = movable;
  else if (fallback === Migratetype.movable) alike = PAGEBLOCK_PAGES - (free + movable);
  if (free + alike < PAGEBLOCK_PAGES / 2 && mm.grouping) return -1;
  moveFreePages(mm, zone, cpu, blockStart(chunk), migratetype);
  zone.pages.blockType[block] = migratetype;
  return takeSmallest(mm, zone, cpu, order, migratetype);
}

/** @returns lowest PFN taken, or -1 where there is no foreign chunk either */
export function stealSmallest(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
): number {
  for (let chunkOrder = order; chunkOrder <= MAX_PAGE_ORDER; chunkOrder++) {
    const fallback = findFallback(zone, chunkOrder, migratetype);
    if (fallback < 0) continue;
    const pfn = zone.takeFirst(chunkOrder, fallback);
    expand(zone, pfn, order, chunkOrder, fallback);
    if (mm.rules.post_per_move) zone.postFree(cpu, -(1 << order));
    if (mm.tracer !== null) mm.tracer.extfrag(pfn, order, chunkOrder, migratetype, fallback);
    return pfn;
  }
  return -1;
}
