/**
 * The two most frequent operations in few words: an order-0 request that finds a page on its CPU's list, and an order-0
 * free that leaves the list below its limit.
 *
 * Both are shortcuts and nothing else: where anything is out of the ordinary they change nothing and say so, and the
 * general path (freelist-walk, rmqueue, free-pages) decides. What they do is what it would have done.
 * model: page-allocator 4.2, 4.5, 3.2, 3.3
 */
import type { PageAllocator } from './page-allocator.js';
import { PCPF_PREV_FREE_HIGH_ORDER, type PerCpuPages } from './per-cpu-pages.js';
import { hasNothingFor } from './rmqueue.js';
import { WMARK_HIGH, WMARK_LOW, ZONE_BELOW_HIGH, ZONE_BOOSTED_WATERMARK, type Zone } from './zone.js';

/**
 * Takes the head of the CPU's list in the first zone whose marks allow it.
 *
 * A zone is taken only if it passes its mark whatever the details, and passed by only if it cannot. Anything between is
 * for the full tests.
 *
 * @param migratetype a type with per-CPU lists
 * @returns PFN, or -1 for the general path
 */
export function allocFromPcp(
  mm: PageAllocator,
  zones: readonly Zone[],
  cpu: number,
  migratetype: number,
  highestZone: number,
): number {
  for (let i = 0; i < zones.length; i++) {
    const zone = zones[i]!;
    if (mm.numa && (mm.nodes[zone.node]!.kswapd_awake || zone.node !== zones[0]!.node)) return -1;
    // A zone known to be below its high mark is held to the low one, any other to the high one first.
    const known = !mm.rules.below_high || (zone.flags & ZONE_BELOW_HIGH) !== 0;
    const mark = zone.watermark[known ? WMARK_LOW : WMARK_HIGH]!;
    const free = zone.nr_free_pages - zone.watermark_boost - zone.lowmem_reserve[highestZone]!;
    if (free - zone.nr_set_aside > mark) {
      const pfn = popPcp(zone, cpu, migratetype);
      if (pfn >= 0 || zone.spb === null || zone.flags & ZONE_BOOSTED_WATERMARK) return pfn;
      if (!hasNothingFor(zone, cpu, 0, migratetype)) return pfn;
      continue;
    }
    if (!known || free > mark) return -1;
  }
  return -1;
}

function popPcp(zone: Zone, cpu: number, migratetype: number): number {
  const pcp = zone.pcps[cpu]!;
  const list = pcp.lists[migratetype]!;
  if (list.length === 0 || zone.flags & ZONE_BOOSTED_WATERMARK) return -1;
  pcp.free_factor >>= 1;
  pcp.free_count >>= 1;
  pcp.count--;
  zone.pgalloc++;
  return list.popHead();
}

/**
 * Bookkeeping of an order-0 free that has just been pushed, for the tuned lists of a quiet zone.
 *
 * @returns whether that is all; false has changed nothing
 */
export function noteQuietFree(mm: PageAllocator, pcp: PerCpuPages, zone: Zone): boolean {
  const { high } = pcp;
  if (!mm.rules.tuned_high || zone.flags !== 0 || pcp.count >= high) return false;
  if (high < pcp.high_min || high > pcp.high_max) return false;
  pcp.flags &= ~PCPF_PREV_FREE_HIGH_ORDER;
  if (pcp.free_count < pcp.batch << mm.rules.pcp_batch_scale_max) pcp.free_count++;
  return true;
}
