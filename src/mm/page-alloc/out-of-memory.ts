/**
 * The last resort: somebody is killed for the request, if its kind allows.
 *
 * Which task dies is not modelled. `mm.onOom` may free a victim's pages; without it the request fails where the kernel
 * would have killed, and the decision is counted all the same.
 * model: page-allocator 4.9 step 12; gfp C13
 */
import { GFP_DIRECT_RECLAIM_BIT, GFP_FS_BIT } from '../gfp.js';
import { ZoneIndex } from '../types.js';
import { getPageFromFreelist } from './freelist-walk.js';
import type { SlowRequest } from './slow-request.js';
import { ALLOC_CPUSET, ALLOC_NO_WATERMARKS } from './watermark.js';
import { WMARK_HIGH } from './zone.js';

/** @returns a page found on the way, or -1; and whether the request has reason to go on */
export function outOfMemory(request: SlowRequest): { pfn: number; progress: boolean } {
  const { mm, zones, cpu, gfp, order, migratetype, highestZone } = request;
  // A parallel victim's memory may have come free: the high mark shows that, and nothing less.
  const pfn = getPageFromFreelist(
    mm,
    zones,
    cpu,
    gfp & ~GFP_DIRECT_RECLAIM_BIT,
    order,
    migratetype,
    highestZone,
    WMARK_HIGH | ALLOC_CPUSET,
  );
  if (pfn >= 0) return { pfn, progress: true };
  if (request.costly || request.retryMayFail || request.thisNode || highestZone < ZoneIndex.normal)
    return { pfn, progress: false };
  // Without FS the killer does nothing and says it did, and the request goes round again.
  if ((gfp & GFP_FS_BIT) !== 0) {
    mm.events.oom_kill++;
    const freed = mm.onOom?.({ gfp, order, node: zones[0]!.node }) ?? 0;
    mm.requestTracer?.step('oom', freed);
    if (freed === 0 && !request.noFail) return { pfn, progress: false };
  }
  if (!request.noFail) return { pfn, progress: true };
  return { pfn: request.attempt(ALLOC_NO_WATERMARKS), progress: true };
}
