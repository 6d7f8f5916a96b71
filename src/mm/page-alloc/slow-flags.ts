/**
 * Allocation flags of the slow path: what a request may break into when plain attempts fail.
 * model: page-allocator 4.9; gfp A6
 */
import {
  GFP_DIRECT_RECLAIM_BIT,
  GFP_HIGH_BIT,
  GFP_KSWAPD_RECLAIM_BIT,
  GFP_MEMALLOC_BIT,
  GFP_NOFAIL_BIT,
  GFP_NOMEMALLOC_BIT,
  GFP_NORETRY_BIT,
  GFP_RETRY_MAYFAIL_BIT,
} from '../gfp.js';
import { Migratetype } from '../types.js';
import type { PageAllocator } from './page-allocator.js';
import {
  ALLOC_CMA,
  ALLOC_CPUSET,
  ALLOC_HIGHATOMIC,
  ALLOC_HIGHORDER_OPTIONAL,
  ALLOC_KSWAPD,
  ALLOC_MIN_RESERVE,
  ALLOC_NO_WATERMARKS,
  ALLOC_NOFRAGMENT,
  ALLOC_NON_BLOCK,
  ALLOC_OOM,
} from './watermark.js';
import { WMARK_MIN } from './zone.js';

export function cmaFlag(mm: PageAllocator, migratetype: number): number {
  return mm.rules.cma && migratetype === Migratetype.movable ? ALLOC_CMA : 0;
}

export function slowFlags(mm: PageAllocator, gfp: number, order: number, migratetype: number): number {
  let flags = WMARK_MIN | ALLOC_CPUSET | cmaFlag(mm, migratetype);
  if (gfp & GFP_HIGH_BIT) flags |= ALLOC_MIN_RESERVE;
  if (gfp & GFP_KSWAPD_RECLAIM_BIT) flags |= ALLOC_KSWAPD;
  if ((gfp & GFP_DIRECT_RECLAIM_BIT) === 0) {
    if ((gfp & GFP_NOMEMALLOC_BIT) === 0) {
      flags |= ALLOC_NON_BLOCK;
      if (order > 0 && flags & ALLOC_MIN_RESERVE) flags |= ALLOC_HIGHATOMIC;
    }
    if (flags & ALLOC_MIN_RESERVE) flags &= ~ALLOC_CPUSET;
  } else if (mm.task?.rt) {
    flags |= ALLOC_MIN_RESERVE;
  }
  if (mm.rules.holds_out) flags |= ALLOC_NOFRAGMENT;
  return mm.spb === null ? flags : flags | optionalFlag(gfp);
}

/**
 * ALLOC_HIGHORDER_OPTIONAL: callers that give up easily, and callers that cannot reclaim but need not succeed either.
 * model: spb 3.6
 */
export function optionalFlag(gfp: number): number {
  const givesUp = (gfp & (GFP_NORETRY_BIT | GFP_RETRY_MAYFAIL_BIT)) === GFP_NORETRY_BIT;
  const isAtomic = (gfp & (GFP_DIRECT_RECLAIM_BIT | GFP_NOMEMALLOC_BIT | GFP_NOFAIL_BIT)) === 0;
  return givesUp || isAtomic ? ALLOC_HIGHORDER_OPTIONAL : 0;
}

/** The reserves that a request is entitled to by its mask or its task; 0 for none. NOMEMALLOC wins over all. */
export function reserveFlags(mm: PageAllocator, gfp: number): number {
  if (gfp & GFP_NOMEMALLOC_BIT) return 0;
  if (gfp & GFP_MEMALLOC_BIT || mm.task?.pf_memalloc) return ALLOC_NO_WATERMARKS;
  return mm.task?.oom_victim ? ALLOC_OOM : 0;
}
