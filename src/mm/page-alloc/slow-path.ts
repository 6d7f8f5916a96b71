/**
 * What a request does when the fast attempt found nothing.
 * model: page-allocator 4.9, 10a.4
 */
import { GFP_DIRECT_RECLAIM_BIT } from '../gfp.js';
import { slowFlags } from './alloc-pages.js';
import { getPageFromFreelist } from './freelist-walk.js';
import { wakeAllKswapds } from './kswapd-wake.js';
import type { PageAllocator } from './page-allocator.js';
import { ALLOC_CPUSET, ALLOC_KSWAPD } from './watermark.js';
import type { Zone } from './zone.js';

export function slowPath(
  mm: PageAllocator,
  zones: readonly Zone[],
  cpu: number,
  gfp: number,
  order: number,
  migratetype: number,
  highestZone: number,
): number {
  const flags = slowFlags(mm, gfp, order, migratetype);
  if (flags & ALLOC_KSWAPD) wakeAllKswapds(mm, zones, gfp, order, highestZone);
  let pfn = getPageFromFreelist(mm, zones, cpu, gfp, order, migratetype, highestZone, flags);
  if (pfn >= 0) return pfn;
  if (
    (gfp & GFP_DIRECT_RECLAIM_BIT) === 0 &&
    mm.policy['slowpath.loop'] === 'compact_first_round' &&
    flags & ALLOC_CPUSET
  )
    return -1;
  if (flags & ALLOC_KSWAPD) wakeAllKswapds(mm, zones, gfp, order, highestZone);
  pfn = getPageFromFreelist(mm, zones, cpu, gfp, order, migratetype, highestZone, flags);
  return pfn;
}
