/**
 * What a request does when the fast attempt found nothing.
 *
 * The two loops are those of kernels until 7.0 and from 7.1 on; their steps are in files of their own. Everything here
 * is decision: without movable pages to reclaim (`mm.lru` is null) the steps find nothing to do, and a request that may
 * not reclaim never gets that far.
 * model: page-allocator 4.9, 10a.4; gfp A8
 */
import type { PageAllocator } from './page-allocator.js';
import { compactFirstRound } from './slow-path-compact-first.js';
import { twoAttempts } from './slow-path-two-attempts.js';
import { SlowRequest } from './slow-request.js';
import { ALLOC_MIN_RESERVE } from './watermark.js';
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
  const request = new SlowRequest(mm, zones, cpu, gfp, order, migratetype, highestZone);
  mm.requestTracer?.step('slow_path', 0);
  const loop = mm.policy['slowpath.loop'] === 'compact_first_round' ? compactFirstRound : twoAttempts;
  let pfn = loop(request, true);
  // Who may not fail gets half of the reserve once per lap, not all of it: that would only end in a deeper hole.
  while (pfn < 0 && request.noFail && request.mayReclaim && !request.bounded) {
    pfn = request.attempt(ALLOC_MIN_RESERVE);
    if (pfn < 0) pfn = loop(request, false);
  }
  return pfn;
}
