/**
 * Allocation from any context, holding any lock: one pass over the free lists, trylocks only.
 *
 * Locks that the interrupted code has are not free: `interrupted` of the page allocator says which. Without the lock of a
 * CPU's list pages come from the buddy lists, without that of the zone from the CPU's list or another zone.
 * model: page-allocator 4.10
 */
import { GFP_ACCOUNT_BIT, GFP_NOLOCK, gfpZone } from '../gfp.js';
import { Migratetype, NO_PFN } from '../types.js';
import { zonesFor } from './alloc-pages.js';
import { getPageFromFreelist } from './freelist-walk.js';
import { markAllocated } from './in-use.js';
import type { PageAllocator } from './page-allocator.js';
import { pcpAllowedOrder } from './per-cpu-pages.js';
import { ALLOC_TRYLOCK } from './watermark.js';
import { WMARK_MIN } from './zone.js';

/** @returns lowest PFN, or NO_PFN, also for orders that have no per-CPU list */
export function allocPagesNolock(
  mm: PageAllocator,
  cpu: number,
  order: number,
  node: number,
  account: boolean,
): number {
  if (!pcpAllowedOrder(order)) return NO_PFN;
  const gfp = account ? GFP_NOLOCK | GFP_ACCOUNT_BIT : GFP_NOLOCK;
  const highestZone = gfpZone(gfp);
  const zones = zonesFor(mm, cpu, gfp, node, highestZone);
  const flags = WMARK_MIN | ALLOC_TRYLOCK;
  const pfn = getPageFromFreelist(mm, zones, cpu, gfp, order, Migratetype.unmovable, highestZone, flags);
  if (pfn < 0) return NO_PFN;
  markAllocated(mm, pfn, order, false);
  return pfn;
}
