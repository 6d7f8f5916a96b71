/**
 * Pages for a new slab: first as many as the cache likes, then as few as will do.
 * model: slub 2.4
 */
import {
  GFP_DIRECT_RECLAIM_BIT,
  GFP_FS_BIT,
  GFP_HARDWALL_BIT,
  GFP_HIGH_BIT,
  GFP_IO_BIT,
  GFP_MEMALLOC_BIT,
  GFP_NOFAIL_BIT,
  GFP_NOMEMALLOC_BIT,
  GFP_NORETRY_BIT,
  GFP_NOWARN_BIT,
  GFP_RECLAIM,
  GFP_RETRY_MAYFAIL_BIT,
  GFP_THISNODE_BIT,
} from '../gfp.js';
import { NO_PFN } from '../types.js';
import { objectsInOrder } from './geometry.js';
import type { KmemCache } from './kmem-cache.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLAB, SLAB_PFMEMALLOC } from './slab-table.js';

/** What of a caller's flags reaches the page allocator: how hard to try, and where not to go. */
const HANDED_DOWN =
  GFP_RECLAIM |
  GFP_HIGH_BIT |
  GFP_IO_BIT |
  GFP_FS_BIT |
  GFP_NOWARN_BIT |
  GFP_RETRY_MAYFAIL_BIT |
  GFP_NOFAIL_BIT |
  GFP_NORETRY_BIT |
  GFP_MEMALLOC_BIT |
  GFP_NOMEMALLOC_BIT |
  GFP_HARDWALL_BIT |
  GFP_THISNODE_BIT;

/** A new slab with all slots free, on no list and in no count; or NO_SLAB. */
export function newSlab(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  slabs.reach('allocate_slab', cache, cpu);
  const { geometry } = cache;
  const { pages, table } = slabs;
  // Whether to wait is the caller's word: the first attempt takes reclaim bits away for another reason.
  const noSpin = (gfp & GFP_RECLAIM) === 0;
  const flags = (gfp & HANDED_DOWN) | geometry.alloc_gfp;
  let order = geometry.order;
  let pfn = pages.allocSlabPages(cpu, firstAttemptGfp(flags, cache), order, node, noSpin);
  if (pfn === NO_PFN) {
    order = geometry.min_order;
    pfn = pages.allocSlabPages(cpu, flags, order, node, noSpin);
    if (pfn === NO_PFN) return NO_SLAB;
    cache.stat(cpu, SlabStat.order_fallback);
  }
  const objects = objectsInOrder(order, geometry.size_bytes);
  const isFromReserves = pages.lastWasPfmemalloc;
  const slab = table.create(cache.number, pages.nodeOf(pfn), pfn, order, objects);
  slabs.accountPages(cache, table.node[slab]!, 2 ** order);
  if (isFromReserves) table.setFlag(slab, SLAB_PFMEMALLOC);
  slabs.observer?.slabMade(cache, slab, gfp, cpu);
  slabs.charges?.slabMade(cache, slab, gfp, cpu);
  slabs.reach('pages_obtained', cache, cpu);
  return slab;
}

/** The large attempt may fail, so it does not fight: no warning, no retry, and no reclaim while a smaller one is left. */
function firstAttemptGfp(flags: number, cache: KmemCache): number {
  const { order, min_order } = cache.geometry;
  const gfp = (flags | GFP_NOWARN_BIT | GFP_NORETRY_BIT) & ~GFP_NOFAIL_BIT;
  if (!(gfp & GFP_DIRECT_RECLAIM_BIT) || order <= min_order) return gfp;
  return (gfp | GFP_NOMEMALLOC_BIT) & ~GFP_RECLAIM;
}
