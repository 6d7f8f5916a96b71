/**
 * Allocation and free from any context, holding any lock: trylocks only. An allocation is one pass over the free lists; a
 * free that gets no lock leaves its pages on a stack of the zone.
 *
 * Locks that the interrupted code has are not free: `interrupted` of the page allocator says which. Without the lock of a
 * CPU's list pages come from the buddy lists and go there, without that of the zone from the CPU's list or another zone.
 * model: page-allocator 3.10, 4.10
 */
import { Context } from '../context.js';
import { GFP_ACCOUNT_BIT, GFP_NOLOCK, GFP_ZERO_BIT, gfpZone } from '../gfp.js';
import { Migratetype, NO_PFN, PAGE_ALLOC_COSTLY_ORDER, PAGEBLOCK_ORDER } from '../types.js';
import { zonesFor } from './alloc-pages.js';
import { freeSplit } from './buddy.js';
import { disownPages } from './free-owned.js';
import { addToPcp, pcpHomeOf } from './free-pages.js';
import { getPageFromFreelist } from './freelist-walk.js';
import { markAllocated } from './in-use.js';
import { type PageAllocator, PageLock } from './page-allocator.js';
import { PageKind } from './page-map.js';
import { noteTunedFree } from './pcp-tuning.js';
import { ALLOC_TRYLOCK } from './watermark.js';
import { WMARK_MIN, type Zone } from './zone.js';

/** Whether pages, or an object, of a request with these flags come zeroed. Those of allocPagesNolock() always do. */
export function comesZeroed(gfp: number): boolean {
  return (gfp & GFP_ZERO_BIT) !== 0;
}

/** Interrupts of PREEMPT_RT can take no lock at all, not even by trying. */
function isLockless(mm: PageAllocator, context: Context): boolean {
  return mm.build.preempt_rt && context >= Context.hardirq;
}

/** Why a request is refused before any zone is looked at; null where it is not. model: page-allocator 4.10 */
function refusal(mm: PageAllocator, order: number, context: Context): 'context' | 'order' | null {
  if (isLockless(mm, context)) return 'context';
  const { build, policy } = mm;
  if (!build.smp && context === Context.nmi && policy['nolock.up_nmi'] === 'refused') return 'context';
  return isNolockOrder(mm, order) ? null : 'order';
}

/** Orders of per-CPU lists; that of a huge page only where the kernel has those. */
function isNolockOrder(mm: PageAllocator, order: number): boolean {
  return order <= PAGE_ALLOC_COSTLY_ORDER || (order === PAGEBLOCK_ORDER && mm.spec.thp);
}

/** @returns lowest PFN, or NO_PFN, also for orders that have no per-CPU list */
export function allocPagesNolock(
  mm: PageAllocator,
  cpu: number,
  order: number,
  node: number,
  account: boolean,
  context: Context = Context.task,
): number {
  if (refusal(mm, order, context) !== null) return NO_PFN;
  if (mm.locks !== null) mm.locks.reach('alloc_pages_nolock', cpu);
  const gfp = account ? GFP_NOLOCK | GFP_ACCOUNT_BIT : GFP_NOLOCK;
  const highestZone = gfpZone(gfp);
  const zones = zonesFor(mm, cpu, gfp, node, highestZone);
  const flags = WMARK_MIN | ALLOC_TRYLOCK;
  const pfn = getPageFromFreelist(mm, zones, cpu, gfp, order, Migratetype.unmovable, highestZone, flags);
  if (pfn < 0) return NO_PFN;
  markAllocated(mm, pfn, order, false);
  return pfn;
}

/** Frees 2^order pages in use without waiting for any lock. model: page-allocator 3.10 */
export function freePagesNolock(
  mm: PageAllocator,
  cpu: number,
  pfn: number,
  order: number,
  context: Context = Context.task,
): void {
  disownPages(mm, pfn, order);
  const zone = mm.zoneOf(pfn);
  mm.requestTracer?.freed(zone, pfn, order);
  const blockType = zone.pages.blockType[pfn >>> PAGEBLOCK_ORDER]!;
  const hasList = isNolockOrder(mm, order) && !mm.rules.no_pcp && blockType !== Migratetype.isolate;
  if (!hasList) {
    freeInZone(mm, zone, cpu, pfn, order);
  } else if (isLockless(mm, context)) {
    strand(zone, pfn, order);
  } else if (mm.pcpIsTaken(zone, pcpHomeOf(zone, pfn, cpu))) {
    freeInZone(mm, zone, cpu, pfn, order);
  } else {
    mm.pgfree += 1 << order;
    const home = pcpHomeOf(zone, pfn, cpu);
    mm.locks?.enter(PageLock.pcp, zone, home);
    addToPcp(zone, home, pfn, order, blockType);
    // The list may grow past its mark: to drain it would take the zone's lock.
    if (mm.rules.tuned_high) noteTunedFree(mm.rules, zone.pcps[home]!, order);
    mm.locks?.leave(PageLock.pcp, zone, home);
  }
}

/** To the buddy lists if the zone's lock can be had. Other frees from any context are not taken along. */
function freeInZone(mm: PageAllocator, zone: Zone, cpu: number, pfn: number, order: number): void {
  if (mm.zoneIsTaken(zone)) {
    strand(zone, pfn, order);
    return;
  }
  mm.pgfree += 1 << order;
  mm.locks?.enter(PageLock.zone, zone, cpu);
  freeSplit(mm, zone, cpu, pfn, order, false);
  mm.locks?.leave(PageLock.zone, zone, cpu);
}

function strand(zone: Zone, pfn: number, order: number): void {
  zone.pages.state[zone.pages.node(pfn, order)] = (PageKind.parked << 4) | order;
  zone.trylock_free_pages.push(pfn, order);
}
