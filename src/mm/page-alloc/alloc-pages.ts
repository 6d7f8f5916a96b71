/**
 * The entry of every page allocation: request flags to allocation flags, the fast attempt, the event's outcome.
 * model: page-allocator 4.1; gfp A4-A6
 */
import { GFP_KSWAPD_RECLAIM_BIT, GFP_THISNODE_BIT, gfpMigratetype, gfpZone } from '../gfp.js';
import { MAX_PAGE_ORDER, MIGRATE_PCPTYPES, Migratetype, NO_PFN } from '../types.js';
import { allocFromPcp } from './fast-path.js';
import { getPageFromFreelist } from './freelist-walk.js';
import { markAllocated } from './in-use.js';
import type { PageAllocator } from './page-allocator.js';
import { cmaFlag, optionalFlag } from './slow-flags.js';
import { slowPath } from './slow-path.js';
import { ALLOC_KSWAPD } from './watermark.js';
import { WMARK_LOW, type Zone } from './zone.js';

/**
 * Allocates 2^order pages.
 *
 * @param cpu CPU that asks; its node is the preferred one where `node` is -1
 * @param gfp request flags
 * @param onLru the pages become movable (LRU) pages: they count when a fallback looks at their block
 * @returns lowest PFN, or NO_PFN
 */
export function allocPages(
  mm: PageAllocator,
  cpu: number,
  gfp: number,
  order: number,
  node: number,
  onLru: boolean,
): number {
  if (order > MAX_PAGE_ORDER) return NO_PFN;
  const highestZone = gfpZone(gfp);
  if (highestZone < 0) return NO_PFN;
  const migratetype = mm.grouping ? gfpMigratetype(gfp) : Migratetype.unmovable;
  const zones = zonesFor(mm, cpu, gfp, node, highestZone);
  if (zones.length === 0) return NO_PFN;
  if (mm.locks !== null) mm.locks.reach('alloc_pages', cpu);
  let pfn =
    order === 0 && migratetype < MIGRATE_PCPTYPES && mm.tracer === null && mm.locks === null
      ? allocFromPcp(mm, zones, cpu, migratetype, highestZone)
      : -1;
  if (pfn < 0) {
    const flags = fastFlags(mm, zones[0]!, gfp, migratetype);
    pfn = getPageFromFreelist(mm, zones, cpu, gfp, order, migratetype, highestZone, flags);
  }
  if (pfn < 0) pfn = slowPath(mm, zones, cpu, gfp, order, migratetype, highestZone);
  if (pfn >= 0) markAllocated(mm, pfn, order, onLru, gfp);
  return pfn;
}

/** The zonelist of a request. */
export function zonesFor(
  mm: PageAllocator,
  cpu: number,
  gfp: number,
  node: number,
  highestZone: number,
): readonly Zone[] {
  const home = node >= 0 ? node : mm.spec.cpu_nodes[cpu]!;
  const lists = gfp & GFP_THISNODE_BIT ? mm.zonelists.thisnode : mm.zonelists.fallback;
  return lists[home]![highestZone]!;
}

/** Flags of the fast attempt. model: page-allocator 4.1, step 2; spb 3.6, 3.7 */
function fastFlags(mm: PageAllocator, preferred: Zone, gfp: number, migratetype: number): number {
  const flags =
    WMARK_LOW |
    cmaFlag(mm, migratetype) |
    preferred.nofragment_flag |
    (mm.spb === null ? 0 : optionalFlag(gfp));
  return gfp & GFP_KSWAPD_RECLAIM_BIT ? flags | ALLOC_KSWAPD : flags;
}
