/**
 * Freeing: to the CPU's list where the order has one, with a drain when it overflows; else to the buddy lists.
 * model: page-allocator 3.1-3.5
 */

import { noteDrainedPage } from '../spb/pcp-refill.js';
import { MAX_RECLAIM_RETRIES, MIGRATE_PCPTYPES, Migratetype, PAGEBLOCK_ORDER, ZoneIndex } from '../types.js';
import { freeOnePage, freeToBuddy } from './buddy.js';
import { noteQuietFree } from './fast-path.js';
import { type PageAllocator, PageLock } from './page-allocator.js';
import { PageKind } from './page-map.js';
import { drainSizeAfterFree } from './pcp-tuning.js';
import { NR_PCP_LISTS, pcpAllowedOrder, pcpListIndex, pcpListOrder } from './per-cpu-pages.js';
import { boostedMark, zoneWatermarkOk } from './watermark.js';
import { WMARK_HIGH, ZONE_BELOW_HIGH, type Zone } from './zone.js';

/** Frees 2^order pages that are known to be in use. Ownership is the caller's matter. */
export function freePagesOf(mm: PageAllocator, zone: Zone, cpu: number, pfn: number, order: number): void {
  mm.pgfree += 1 << order;
  mm.requestTracer?.freed(zone, pfn, order);
  if (!pcpAllowedOrder(order) || mm.rules.no_pcp) {
    freeUnderZoneLock(mm, zone, cpu, pfn, order);
    return;
  }
  const blockType = zone.pages.blockType[pfn >>> PAGEBLOCK_ORDER]!;
  if (blockType === Migratetype.isolate) {
    freeUnderZoneLock(mm, zone, cpu, pfn, order);
    return;
  }
  const home = pcpHomeOf(zone, pfn, cpu);
  if (mm.locks === null && mm.interrupted === null) {
    addAndDrain(mm, zone, home, pfn, order, blockType);
    return;
  }
  // As allocations do: nobody waits for the lists of a CPU. model: slub 7.3
  if (mm.pcpIsTaken(zone, home)) {
    freeUnderZoneLock(mm, zone, cpu, pfn, order);
    return;
  }
  mm.locks?.enter(PageLock.pcp, zone, home);
  addAndDrain(mm, zone, home, pfn, order, blockType);
  mm.locks?.leave(PageLock.pcp, zone, home);
}

/** The path of what no per-CPU list takes. */
function freeUnderZoneLock(mm: PageAllocator, zone: Zone, cpu: number, pfn: number, order: number): void {
  if (mm.locks !== null) mm.locks.enter(PageLock.zone, zone, cpu);
  freeToBuddy(mm, zone, cpu, pfn, order);
  if (mm.locks !== null) mm.locks.leave(PageLock.zone, zone, cpu);
}

/** CPU whose lists take pages that are freed on this one. */
export function pcpHomeOf(zone: Zone, pfn: number, cpu: number): number {
  return zone.spb === null ? cpu : zone.pages.ownerCpu(pfn, cpu);
}

function addAndDrain(
  mm: PageAllocator,
  zone: Zone,
  home: number,
  pfn: number,
  order: number,
  blockType: number,
): void {
  addToPcp(zone, home, pfn, order, blockType);
  const pcp = zone.pcps[home]!;
  if (order === 0 && noteQuietFree(mm, pcp, zone)) return;
  const excess = drainSizeAfterFree(mm.rules, pcp, zone, order);
  if (excess > 0) drainOverflow(mm, zone, home, excess, pcpListIndex(order, listTypeOf(blockType)));
}

function listTypeOf(blockType: number): number {
  return blockType < MIGRATE_PCPTYPES ? blockType : Migratetype.movable;
}

/** Puts pages at the head of their per-CPU list. @param home  {@link pcpHomeOf} them */
export function addToPcp(zone: Zone, home: number, pfn: number, order: number, blockType: number): void {
  const listType = listTypeOf(blockType);
  if (zone.spb !== null) zone.spb.heldAs(pfn, listType, home);
  const pcp = zone.pcps[home]!;
  pcp.alloc_factor >>= 1;
  zone.pages.state[zone.pages.node(pfn, order)] = ((PageKind.pcp + blockType) << 4) | order;
  pcp.lists[pcpListIndex(order, listType)]!.pushHead(pfn);
  pcp.count += 1 << order;
}

function drainOverflow(mm: PageAllocator, zone: Zone, cpu: number, pages: number, index: number): void {
  drainInChunks(mm, zone, cpu, pages, index);
  if (
    zone.flags & ZONE_BELOW_HIGH &&
    zoneWatermarkOk(zone, mm.rules, 0, boostedMark(zone, WMARK_HIGH), ZoneIndex.movable, 0)
  ) {
    zone.flags &= ~ZONE_BELOW_HIGH;
    // Requests may go to another node, so nobody would notice that reclaim of a hopeless one works again.
    const node = mm.nodes[zone.node]!;
    if (
      node.kswapd_failures >= MAX_RECLAIM_RETRIES &&
      mm.nodes.some(({ node: id, zones }) => id > zone.node && zones.length > 0)
    )
      node.kswapd_failures = 0;
  }
}

/** One drain, or chunks of batch that each start again at `index`: what the policy says of overflow and decay. */
export function drainInChunks(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pages: number,
  index: number,
): void {
  if (!mm.rules.drain_in_batches) {
    drainPcp(mm, zone, cpu, pages, index);
    return;
  }
  const pcp = zone.pcps[cpu]!;
  for (let left = pages; left > 0 && pcp.count > 0; left -= pcp.batch)
    drainPcp(mm, zone, cpu, Math.min(left, pcp.batch), index);
}

/**
 * Returns pages from a CPU's lists to the buddy lists: oldest first, a list is emptied before the next is touched,
 * starting at `start` and wrapping. May overshoot by what the last chunk holds. model: page-allocator 3.4
 */
export function drainPcp(mm: PageAllocator, zone: Zone, cpu: number, pages: number, start: number): void {
  if (mm.locks !== null) mm.locks.enter(PageLock.zone, zone, cpu);
  drainLocked(mm, zone, cpu, pages, start);
  if (mm.locks !== null) mm.locks.leave(PageLock.zone, zone, cpu);
}

function drainLocked(mm: PageAllocator, zone: Zone, cpu: number, pages: number, start: number): void {
  const pcp = zone.pcps[cpu]!;
  const { state, blockType } = zone.pages;
  let left = Math.min(pages, pcp.count);
  for (let index = start; left > 0; index = index + 1 === NR_PCP_LISTS ? 0 : index + 1) {
    const list = pcp.lists[index]!;
    const order = pcpListOrder(index);
    while (left > 0 && list.length > 0) {
      const pfn = list.popTail();
      left -= 1 << order;
      pcp.count -= 1 << order;
      const node = zone.pages.node(pfn, order);
      const cached = (state[node]! >> 4) - PageKind.pcp;
      state[node] = 0;
      // Isolation may have begun since the page was freed, so its block is asked again while any block is isolated.
      const migratetype =
        mm.rules.drain_by_block_type || zone.nr_isolated_blocks > 0
          ? blockType[pfn >>> PAGEBLOCK_ORDER]!
          : cached;
      freeOnePage(mm, zone, cpu, pfn, order, migratetype);
      if (zone.spb !== null) noteDrainedPage(zone, pfn, cpu);
      if (mm.tracer !== null) mm.tracer.pcpuDrain(pfn, order, migratetype);
    }
  }
}

/** Empties the lists of one CPU in one zone, in chunks. model: page-allocator 3.9 */
export function drainCpuZone(mm: PageAllocator, zone: Zone, cpu: number): void {
  const pcp = zone.pcps[cpu]!;
  while (pcp.count > 0) {
    mm.locks?.enter(PageLock.pcp, zone, cpu);
    drainPcp(mm, zone, cpu, Math.min(pcp.count, pcp.batch << mm.rules.pcp_batch_scale_max), 0);
    mm.locks?.leave(PageLock.pcp, zone, cpu);
  }
}
