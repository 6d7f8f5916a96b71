/**
 * The entry of every page allocation: request flags to allocation flags, the fast attempt, the event's outcome.
 * model: page-allocator 4.1, 4.9; gfp A4-A6
 */
import {
  GFP_DIRECT_RECLAIM_BIT,
  GFP_HIGH_BIT,
  GFP_KSWAPD_RECLAIM_BIT,
  GFP_NOMEMALLOC_BIT,
  GFP_THISNODE_BIT,
  gfpMigratetype,
  gfpZone,
} from '../gfp.js';
import { MAX_PAGE_ORDER, Migratetype, NO_PFN, PAGEBLOCK_ORDER, ZoneIndex } from '../types.js';
import { getPageFromFreelist } from './freelist-walk.js';
import type { PageAllocator } from './page-allocator.js';
import { PageKind } from './page-map.js';
import { slowPath } from './slow-path.js';
import {
  ALLOC_CMA,
  ALLOC_CPUSET,
  ALLOC_HIGHATOMIC,
  ALLOC_KSWAPD,
  ALLOC_MIN_RESERVE,
  ALLOC_NOFRAGMENT,
  ALLOC_NON_BLOCK,
} from './watermark.js';
import { WMARK_LOW, WMARK_MIN, type Zone } from './zone.js';

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
  const flags = fastFlags(mm, zones[0]!, gfp, migratetype);
  let pfn = getPageFromFreelist(mm, zones, cpu, gfp, order, migratetype, highestZone, flags);
  if (pfn < 0) pfn = slowPath(mm, zones, cpu, gfp, order, migratetype, highestZone);
  if (pfn >= 0) markAllocated(mm, pfn, order, onLru);
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

/** Flags of the fast attempt. model: page-allocator 4.1, step 2 */
function fastFlags(mm: PageAllocator, preferred: Zone, gfp: number, migratetype: number): number {
  let flags = WMARK_LOW | cmaFlag(mm, migratetype);
  if (gfp & GFP_KSWAPD_RECLAIM_BIT) flags |= ALLOC_KSWAPD;
  if (mm.rules.defrag_mode || avoidsFragmentation(mm, preferred)) flags |= ALLOC_NOFRAGMENT;
  return flags;
}

/** A request whose first zone is Normal tries DMA32 before it mixes types, where the node has one. */
function avoidsFragmentation(mm: PageAllocator, preferred: Zone): boolean {
  if (preferred.index !== ZoneIndex.normal) return false;
  return !mm.numa || mm.nodes[preferred.node]!.zones.some((zone) => zone.index === ZoneIndex.dma32);
}

export function cmaFlag(mm: PageAllocator, migratetype: number): number {
  return mm.rules.cma && migratetype === Migratetype.movable ? ALLOC_CMA : 0;
}

/** Flags of the slow path. model: page-allocator 4.9 */
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
  }
  if (mm.rules.defrag_mode) flags |= ALLOC_NOFRAGMENT;
  return flags;
}

/** Records that pages are in use by the model, and counts movable ones in their pageblocks. */
export function markAllocated(mm: PageAllocator, pfn: number, order: number, onLru: boolean): void {
  const { pages } = mm;
  pages.state[pages.node(pfn, order)] = ((onLru ? PageKind.lru : PageKind.allocated) << 4) | order;
  if (onLru) addMovable(mm, pfn, order, 1);
}

/** Changes the count of movable pages of the block(s) that 2^order pages lie in. */
export function addMovable(mm: PageAllocator, pfn: number, order: number, sign: 1 | -1): void {
  const { blockMovable } = mm.pages;
  const first = pfn >>> PAGEBLOCK_ORDER;
  if (order <= PAGEBLOCK_ORDER) {
    blockMovable[first]! += sign * (1 << order);
    return;
  }
  for (let block = first; block < first + (1 << (order - PAGEBLOCK_ORDER)); block++)
    blockMovable[block]! += sign * (1 << PAGEBLOCK_ORDER);
}
