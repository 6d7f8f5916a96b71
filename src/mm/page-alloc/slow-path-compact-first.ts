/**
 * The slow path of 7.1 and later: one loop, whose first round only compacts where that is promising, and whose later
 * rounds reclaim and then compact.
 * model: page-allocator 10a.4
 */
import { CompactPriority } from '../reclaim/direct-compact.js';
import { wakeAllKswapds } from './kswapd-wake.js';
import { afterFruitlessRound, compactAndTry, reclaimAndTry } from './slow-path-steps.js';
import type { SlowRequest } from './slow-request.js';
import { ALLOC_CPUSET, ALLOC_KSWAPD } from './watermark.js';

/**
 * @param begin false when a request that may not fail comes back for another lap
 * @returns lowest PFN, or -1
 */
export function compactFirstRound(request: SlowRequest, begin: boolean): number {
  const { mm, zones, gfp, order, highestZone } = request;
  let compactFirst = begin && request.compactsFirst;
  if (begin) request.compact_priority = compactFirst ? CompactPriority.async : CompactPriority.syncLight;
  let reserveRetry = begin;
  while (request.nextRound()) {
    if (request.flags & ALLOC_KSWAPD) wakeAllKswapds(mm, zones, gfp, order, highestZone);
    let pfn = request.attempt();
    if (pfn >= 0) return pfn;
    const entitled = request.enterReserves();
    if (reserveRetry && (entitled || (request.flags & ALLOC_CPUSET) === 0)) {
      reserveRetry = false;
      continue;
    }
    if (!request.mayReclaim) {
      // With superpageblocks such a request has taken its steps in the walk. model: spb 3.7
      if (mm.spb === null && request.flags & ALLOC_KSWAPD && request.dropNoFragment()) continue;
      return -1;
    }
    if (mm.task?.pf_memalloc) return -1;
    if (!compactFirst) {
      pfn = reclaimAndTry(request);
      if (pfn >= 0) return pfn;
    }
    pfn = compactAndTry(request, request.compact_priority);
    if (pfn >= 0) return pfn;
    if (compactFirst) {
      // A huge page for this node only: what could be had without reclaim has been tried.
      if (request.noRetry && request.thisNode) return -1;
      if (!request.noRetry) request.compact_priority = CompactPriority.syncLight;
      compactFirst = false;
      continue;
    }
    if (request.noRetry) return -1;
    if (request.costly && !(request.retryMayFail && request.mayCompact)) return -1;
    const next = afterFruitlessRound(request);
    if (next !== 'retry') return next;
  }
  return -1;
}
