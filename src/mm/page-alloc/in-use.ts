/**
 * What is known of pages in use: that the model handed them out, and which of them can be moved.
 *
 * Movable pages are counted per pageblock (a fallback asks before it claims a block) and, while reclaim is modelled,
 * linked on the LRU lists.
 * model: page-allocator 4.6; gfp C12
 */
import { GFP_HIGHUSER_MOVABLE, GFP_RECLAIMABLE_BIT } from '../gfp.js';
import { PAGEBLOCK_ORDER } from '../types.js';
import type { PageAllocator } from './page-allocator.js';
import { PageKind } from './page-map.js';

/**
 * Records that pages are in use by the model, and counts movable ones in their pageblocks.
 *
 * @param gfp flags of the request, which tell page cache from anonymous memory
 */
export function markAllocated(
  mm: PageAllocator,
  pfn: number,
  order: number,
  onLru: boolean,
  gfp: number = GFP_HIGHUSER_MOVABLE,
): void {
  const { pages } = mm;
  pages.state[pages.node(pfn, order)] = ((onLru ? PageKind.lru : PageKind.allocated) << 4) | order;
  if (onLru) addMovable(mm, pfn, order, 1, gfp);
  else if (mm.slabObjects !== null && gfp & GFP_RECLAIMABLE_BIT) mm.slabObjects.add(pfn, order);
}

/** Movable pages came into use (1) or go out of it (-1): their block's count and their LRU list follow. */
export function addMovable(
  mm: PageAllocator,
  pfn: number,
  order: number,
  sign: 1 | -1,
  gfp: number = GFP_HIGHUSER_MOVABLE,
): void {
  countMovable(mm, pfn, order, sign);
  if (mm.ages !== null) {
    if (sign > 0) mm.noteAge(mm.pages.node(pfn, order), gfp);
  } else if (mm.lruLists !== null) {
    if (sign > 0) mm.lruLists.add(mm.zoneOf(pfn), pfn, order, gfp);
    else mm.lruLists.remove(mm.zoneOf(pfn), pfn, order);
  }
}

/** Changes the count of movable pages of the block(s) that 2^order pages lie in, and nothing else. */
export function countMovable(mm: PageAllocator, pfn: number, order: number, sign: 1 | -1): void {
  const { blockMovable } = mm.pages;
  const first = pfn >>> PAGEBLOCK_ORDER;
  if (order <= PAGEBLOCK_ORDER) {
    blockMovable[first]! += sign * (1 << order);
    return;
  }
  for (let block = first; block < first + (1 << (order - PAGEBLOCK_ORDER)); block++)
    blockMovable[block]! += sign * (1 << PAGEBLOCK_ORDER);
}
