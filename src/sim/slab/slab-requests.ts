/**
 * Which events are the slab allocator's: its operations, and page allocations of a recorded kernel that were for slabs.
 * model: slub 2.4
 */
import {
  GFP_COMP_BIT,
  GFP_DIRECT_RECLAIM_BIT,
  GFP_FS_BIT,
  GFP_IO_BIT,
  GFP_KSWAPD_RECLAIM_BIT,
  GFP_MOVABLE_BIT,
  GFP_NORETRY_BIT,
  GFP_NOWARN_BIT,
} from '../../mm/gfp.js';
import { Op } from '../../trace/event-batch.js';

/** slab_max_order of all kernels known */
const MAX_SLAB_ORDER = 3;
const FIRST_ATTEMPT = GFP_NOWARN_BIT | GFP_NORETRY_BIT;
const RECLAIM_AND_IO = GFP_DIRECT_RECLAIM_BIT | GFP_KSWAPD_RECLAIM_BIT | GFP_IO_BIT | GFP_FS_BIT;
/** of fragments for network packets, which else look like slabs: direct reclaim is taken away, kswapd is not */
const FRAGMENTS = GFP_KSWAPD_RECLAIM_BIT | GFP_IO_BIT | GFP_FS_BIT;

/** By the flags of a slab's first attempt. A second attempt looks like any other request and is not told apart. */
export function isSlabRequest(gfp: number, order: number): boolean {
  if ((gfp & FIRST_ATTEMPT) !== FIRST_ATTEMPT || gfp & GFP_MOVABLE_BIT || order > MAX_SLAB_ORDER)
    return false;
  // Single pages are no compound pages in 6.1.
  if (order > 0 && !(gfp & GFP_COMP_BIT)) return false;
  return (gfp & RECLAIM_AND_IO) !== FRAGMENTS;
}

/** Operations on slab objects and caches: they stand together in the list of operations. */
export function isSlabOp(op: number): boolean {
  return op >= Op.kmalloc && op <= Op.cache_free;
}
