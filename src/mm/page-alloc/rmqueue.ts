/**
 * Removal from a zone: from the CPU's list where the order has one, else from the buddy lists with fallback.
 * model: page-allocator 4.4, 4.5, 4.6
 */

import { searchPasses } from '../spb/passes.js';
import { refillSpb } from '../spb/pcp-refill.js';
import { removePageSpb } from '../spb/remove-page.js';
import { MIGRATE_PCPTYPES, Migratetype } from '../types.js';
import { takeSmallest } from './buddy.js';
import { claimFallback, stealSmallest } from './fallback-claim.js';
import { stealFallback } from './fallback-steal.js';
import { reserveHighatomic } from './highatomic.js';
import { type PageAllocator, PageLock } from './page-allocator.js';
import { PageKind } from './page-map.js';
import { noteAllocation, refillSize } from './pcp-tuning.js';
import { pcpAllowedOrder, pcpListIndex } from './per-cpu-pages.js';
import type { PfnDeque } from './pfn-deque.js';
import { SearchMode } from './search-mode.js';
import {
  ALLOC_CMA,
  ALLOC_HIGHATOMIC,
  ALLOC_KSWAPD,
  ALLOC_NOFRAGMENT,
  ALLOC_NON_BLOCK,
  ALLOC_OOM,
  ALLOC_RESERVES,
  ALLOC_TRYLOCK,
} from './watermark.js';
import { ZONE_BOOSTED_WATERMARK, type Zone } from './zone.js';

/** @returns lowest PFN of 2^order pages of the zone, or -1 */
export function rmqueue(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
): number {
  let pfn = -1;
  if (
    zone.spb !== null &&
    (zone.flags & ZONE_BOOSTED_WATERMARK) === 0 &&
    (allocFlags & (ALLOC_NOFRAGMENT | ALLOC_RESERVES)) === ALLOC_NOFRAGMENT &&
    hasNothingFor(zone, cpu, order, migratetype)
  ) {
    mm.requestTracer?.zonePassedOver(zone, 'must_not_taint');
    return -1;
  }
  if (pcpAllowedOrder(order) && !mm.rules.no_pcp) {
    // With CMA compiled in, 6.1 serves a movable request that may not use CMA from the buddy lists alone.
    const skipPcp =
      mm.rules.cma &&
      mm.rules.steal_fallback &&
      migratetype === Migratetype.movable &&
      (allocFlags & ALLOC_CMA) === 0;
    if (!skipPcp && migratetype < MIGRATE_PCPTYPES)
      pfn = rmqueuePcp(mm, zone, cpu, order, migratetype, allocFlags);
  }
  if (pfn < 0) {
    pfn = rmqueueBuddy(mm, zone, cpu, order, migratetype, allocFlags);
    if (pfn >= 0 && allocFlags & ALLOC_HIGHATOMIC && mm.rules.highatomic_from_buddy_only)
      reserveHighatomic(mm, zone, cpu, pfn, order);
  }
  if (pfn >= 0) zone.pgalloc += 1 << order;
  if (allocFlags & ALLOC_KSWAPD && zone.flags & ZONE_BOOSTED_WATERMARK) {
    zone.flags &= ~ZONE_BOOSTED_WATERMARK;
    mm.wakeKswapd(zone, 0, 0, zone.index);
  }
  return pfn;
}

/**
 * Neither the CPU's list nor a search can serve a request that must not taint a superpageblock. What follows from that is
 * nothing, so the attempt is cut short. model: spb 3.3
 */
export function hasNothingFor(zone: Zone, cpu: number, order: number, migratetype: number): boolean {
  if (!zone.spb!.refusesNonMovable(migratetype)) return false;
  return !pcpAllowedOrder(order) || zone.pcps[cpu]!.lists[pcpListIndex(order, migratetype)]!.length === 0;
}

/** The list's lock is tried by every request: whoever finds it taken goes to the buddy lists. model: slub 7.3 */
function rmqueuePcp(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
): number {
  if (mm.interrupted !== null && mm.pcpIsTaken(zone, cpu)) return -1;
  if (mm.locks === null) return takeFromPcpList(mm, zone, cpu, order, migratetype, allocFlags);
  mm.locks.enter(PageLock.pcp, zone, cpu);
  const pfn = takeFromPcpList(mm, zone, cpu, order, migratetype, allocFlags);
  mm.locks.leave(PageLock.pcp, zone, cpu);
  return pfn;
}

function takeFromPcpList(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
): number {
  const pcp = zone.pcps[cpu]!;
  noteAllocation(pcp);
  const list = pcp.lists[pcpListIndex(order, migratetype)]!;
  mm.requestTracer?.cpuList(zone, cpu, order, migratetype, list.length);
  if (list.length === 0) {
    const chunks = refillSize(mm.rules, pcp, zone, order);
    if (allocFlags & ALLOC_HIGHATOMIC && !mm.rules.highatomic_refill) return -1;
    mm.requestTracer?.refill(zone, list, order, chunks);
    refill(mm, zone, cpu, order, migratetype, allocFlags, chunks);
    mm.requestTracer?.refilled(list.length);
    if (list.length === 0) return -1;
  }
  pcp.count -= 1 << order;
  return list.popHead();
}

/** Moves up to `chunks` chunks from the buddy lists to the CPU's list, under one lock. model: page-allocator 4.5 */
export function refill(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
  chunks: number,
): void {
  if (allocFlags & ALLOC_TRYLOCK && mm.zoneIsTaken(zone)) return;
  if (mm.locks === null) {
    refillLocked(mm, zone, cpu, order, migratetype, allocFlags, chunks);
    return;
  }
  mm.locks.enter(PageLock.zone, zone, cpu);
  refillLocked(mm, zone, cpu, order, migratetype, allocFlags, chunks);
  mm.locks.leave(PageLock.zone, zone, cpu);
}

function refillLocked(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
  chunks: number,
): void {
  if (mm.spb !== null && zone.spb !== null) {
    refillSpb(mm, mm.spb, zone, cpu, order, migratetype, allocFlags, chunks);
    return;
  }
  const pcp = zone.pcps[cpu]!;
  const list = pcp.lists[pcpListIndex(order, migratetype)]!;
  const { state } = zone.pages;
  const onList = ((PageKind.pcp + migratetype) << 4) | order;
  mm.searchMode = SearchMode.normal;
  let got = 0;
  // Own-type chunks are taken whole as long as nothing wants to hear of each page, and no CMA memory competes.
  if (mm.tracer === null && zone.nr_free_cma === 0)
    while (got < chunks) {
      const run = takeRun(mm, zone, cpu, order, migratetype, chunks - got, list, onList);
      if (run === 0) break;
      got += run;
    }
  for (; got < chunks; got++) {
    const pfn = removeOne(mm, zone, cpu, order, migratetype, allocFlags);
    if (pfn < 0) break;
    state[zone.pages.node(pfn, order)] = onList;
    list.pushTail(pfn);
  }
  pcp.count += got << order;
  if (!mm.rules.post_per_move) zone.postFree(cpu, -(got << order));
}

/**
 * Takes up to `most` pieces of one order from the smallest sufficient chunk of one type, in one go.
 *
 * One by one they would come out of this chunk in ascending order, too: what each split puts back lies on lists that were
 * empty, so it is the next to be taken. What is left of the chunk at the end is one aligned piece for every bit of the rest:
 *
 *     chunk of 8, 3 taken:   x x x 3 4 . . .     rest 5 = 101b:  order 0 at 3, order 2 at 4
 *
 * @param onList state of a page on the per-CPU list
 * @returns pieces taken
 */
function takeRun(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  most: number,
  list: PfnDeque,
  onList: number,
): number {
  const orders = zone.listMask[migratetype]! >>> order;
  if (orders === 0) return 0;
  const chunkOrder = order + (31 - Math.clz32(orders & -orders));
  const pfn = zone.takeFirst(chunkOrder, migratetype);
  const pieces = 1 << (chunkOrder - order);
  const taken = Math.min(pieces, most);
  const { pages } = zone;
  let at = pfn;
  for (let i = 0; i < taken; i++, at += 1 << order) {
    pages.state[pages.node(at, order)] = onList;
    list.pushTail(at);
    if (mm.rules.post_per_move) zone.postFree(cpu, -(1 << order));
  }
  let rest = pieces - taken;
  for (let size = order; rest > 0; size++, rest >>= 1) {
    if ((rest & 1) === 0) continue;
    zone.addHead(at, size, migratetype);
    at += 1 << size;
  }
  return taken;
}

function rmqueueBuddy(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
): number {
  if (allocFlags & ALLOC_TRYLOCK && mm.zoneIsTaken(zone)) return -1;
  if (mm.locks === null) return takeFromBuddy(mm, zone, cpu, order, migratetype, allocFlags);
  mm.locks.enter(PageLock.zone, zone, cpu);
  const pfn = takeFromBuddy(mm, zone, cpu, order, migratetype, allocFlags);
  mm.locks.leave(PageLock.zone, zone, cpu);
  return pfn;
}

function takeFromBuddy(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
): number {
  let pfn = -1;
  if (allocFlags & ALLOC_HIGHATOMIC) pfn = takeReserved(mm, zone, cpu, order, allocFlags);
  if (pfn < 0) {
    mm.searchMode = SearchMode.normal;
    pfn = removeOne(mm, zone, cpu, order, migratetype, allocFlags);
    if (pfn < 0 && allocFlags & (ALLOC_OOM | ALLOC_NON_BLOCK))
      pfn = takeReserved(mm, zone, cpu, order, allocFlags);
  }
  if (pfn >= 0 && !mm.rules.post_per_move) zone.postFree(cpu, -(1 << order));
  return pfn;
}

/** Takes from the blocks that are kept for atomic high-order requests. */
function takeReserved(mm: PageAllocator, zone: Zone, cpu: number, order: number, allocFlags: number): number {
  if (mm.spb === null || zone.spb === null) return takeSmallest(mm, zone, cpu, order, Migratetype.highatomic);
  if (zone.nr_free_highatomic === 0) return -1;
  return searchPasses(mm, mm.spb, zone, cpu, order, Migratetype.highatomic, allocFlags);
}

/** One removal with all fallbacks, starting at the stage that `mm.searchMode` remembers. model: page-allocator 4.6 */
function removeOne(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  allocFlags: number,
): number {
  if (mm.spb !== null && zone.spb !== null)
    return removePageSpb(mm, mm.spb, zone, cpu, order, migratetype, allocFlags);
  // Half of what is free is CMA memory: use that first, or movable requests would leave it idle.
  if (allocFlags & ALLOC_CMA && zone.nr_free_cma > zone.folded_free_pages >> 1) {
    const pfn = takeSmallest(mm, zone, cpu, order, Migratetype.cma);
    if (pfn >= 0) return pfn;
  }
  if (mm.rules.steal_fallback) {
    let pfn = takeSmallest(mm, zone, cpu, order, migratetype);
    if (pfn < 0 && allocFlags & ALLOC_CMA) pfn = takeSmallest(mm, zone, cpu, order, Migratetype.cma);
    if (pfn < 0 && stealFallback(mm, zone, cpu, order, migratetype, allocFlags))
      pfn = takeSmallest(mm, zone, cpu, order, migratetype);
    return pfn;
  }
  let pfn = -1;
  if (mm.searchMode <= SearchMode.normal) {
    pfn = takeSmallest(mm, zone, cpu, order, migratetype);
    if (pfn >= 0) return pfn;
  }
  if (mm.searchMode <= SearchMode.cma && allocFlags & ALLOC_CMA) {
    pfn = takeSmallest(mm, zone, cpu, order, Migratetype.cma);
    if (pfn >= 0) {
      mm.searchMode = SearchMode.cma;
      return pfn;
    }
  }
  if (mm.searchMode <= SearchMode.claim) {
    pfn = claimFallback(mm, zone, cpu, order, migratetype, allocFlags);
    if (pfn >= 0) {
      mm.searchMode = SearchMode.normal;
      return pfn;
    }
  }
  if ((allocFlags & ALLOC_NOFRAGMENT) === 0) {
    pfn = stealSmallest(mm, zone, cpu, order, migratetype);
    if (pfn >= 0) mm.searchMode = SearchMode.steal;
  }
  return pfn;
}
