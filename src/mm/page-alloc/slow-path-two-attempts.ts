/**
 * The slow path until 7.0: two plain attempts, for costly requests with a quick compaction between them, then rounds
 * of reclaim and compaction.
 * model: page-allocator 4.9
 */
import { CompactResult } from '../reclaim/compaction-suitable.js';
import { CompactPriority } from '../reclaim/direct-compact.js';
import { wakeAllKswapds } from './kswapd-wake.js';
import { reserveFlags } from './slow-flags.js';
import { afterFruitlessRound, compactAndTry, reclaimAndTry } from './slow-path-steps.js';
import type { SlowRequest } from './slow-request.js';
import { ALLOC_KSWAPD } from './watermark.js';

/**
 * @param begin false when a request that may not fail comes back for another lap
 * @returns lowest PFN, or -1
 */
export function twoAttempts(request: SlowRequest, begin: boolean): number {
  if (begin) {
    wake(request);
    let pfn = request.attempt();
    if (pfn >= 0) return pfn;
    if (request.compactsFirst && reserveFlags(request.mm, request.gfp) === 0) {
      pfn = compactAndTry(request, CompactPriority.async);
      if (pfn >= 0) return pfn;
      if (request.costly && request.noRetry) {
        if (givesUpEarly(request)) return -1;
        // Worth a reclaim, but not the price of a synchronous compaction.
        request.compact_priority = CompactPriority.async;
      }
    }
  }
  while (request.nextRound()) {
    wake(request);
    request.enterReserves();
    let pfn = request.attempt();
    if (pfn >= 0) return pfn;
    if (!request.mayReclaim || request.mm.task?.pf_memalloc) return -1;
    pfn = reclaimAndTry(request);
    if (pfn >= 0) return pfn;
    pfn = compactAndTry(request, request.compact_priority);
    if (pfn >= 0) return pfn;
    if (request.noRetry) return -1;
    if (request.costly && !(request.retryMayFail && request.mayCompact)) return -1;
    const next = afterFruitlessRound(request);
    if (next !== 'retry') return next;
  }
  return -1;
}

/** A huge page is not worth disturbing the node for when compaction would not even start. */
function givesUpEarly(request: SlowRequest): boolean {
  const { compact_result } = request;
  if (compact_result === CompactResult.skipped || compact_result === CompactResult.deferred) return true;
  return request.mm.policy['slowpath.costly_thisnode_fails'] && request.thisNode;
}

function wake(request: SlowRequest): void {
  const { mm, zones, gfp, order, highestZone } = request;
  if (request.flags & ALLOC_KSWAPD) wakeAllKswapds(mm, zones, gfp, order, highestZone);
}
