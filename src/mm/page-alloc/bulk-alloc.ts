/**
 * Filling an array with single pages from one per-CPU list, under one lock: networking's page pools, vmalloc, SUNRPC.
 *
 * No event, no slow path but for the first page, no halving of the free streak, and no zone of another node. The request may
 * not wake kswapd here either: its flags are the low mark and, where it applies, CMA.
 * model: page-allocator 4.10, 10a.4
 */
import { GFP_ACCOUNT_BIT, gfpMigratetype, gfpZone } from '../gfp.js';
import { Migratetype, NO_PFN } from '../types.js';
import { allocPages, zonesFor } from './alloc-pages.js';
import { markAllocated } from './in-use.js';
import { type PageAllocator, PageLock } from './page-allocator.js';
import { refillSize } from './pcp-tuning.js';
import { pcpListIndex } from './per-cpu-pages.js';
import { refill } from './rmqueue.js';
import { cmaFlag } from './slow-flags.js';
import { ALLOC_NOFRAGMENT, boostedMark, zoneWatermarkFast } from './watermark.js';
import { WMARK_LOW, type Zone } from './zone.js';

/**
 * Fills the slots that hold NO_PFN.
 *
 * @returns slots filled from the start of the array on, earlier ones included: all of them, or fewer
 */
export function allocPagesBulk(
  mm: PageAllocator,
  cpu: number,
  gfp: number,
  node: number,
  slots: number[],
): number {
  let filled = nextEmpty(slots, 0);
  if (filled === slots.length) return filled;
  if (gfp & GFP_ACCOUNT_BIT || slots.length - filled === 1) return fillOne(mm, cpu, gfp, node, slots, filled);
  const highestZone = gfpZone(gfp);
  if (highestZone < 0) return filled;
  const migratetype = mm.grouping ? gfpMigratetype(gfp) : Migratetype.unmovable;
  // With superpageblocks it must not taint either. model: spb 3.7 step 1
  const flags = WMARK_LOW | cmaFlag(mm, migratetype) | (mm.spb === null ? 0 : ALLOC_NOFRAGMENT);
  const wanted = mm.policy['bulk.mark_excludes_filled'] ? slots.length - filled : slots.length;
  const zones = zonesFor(mm, cpu, gfp, node, highestZone);
  const zone = localZoneWith(mm, zones, wanted, flags, gfp);
  if (zone === undefined || mm.interrupted?.holdsPcp(zone, cpu))
    return fillOne(mm, cpu, gfp, node, slots, filled);
  mm.locks?.enter(PageLock.pcp, zone, cpu);
  let got = 0;
  for (; filled < slots.length; filled = nextEmpty(slots, filled)) {
    const pfn = takeFromList(mm, zone, cpu, migratetype, flags);
    if (pfn === NO_PFN) break;
    markAllocated(mm, pfn, 0, false);
    slots[filled] = pfn;
    got++;
  }
  mm.locks?.leave(PageLock.pcp, zone, cpu);
  zone.pgalloc += got;
  return got === 0 ? fillOne(mm, cpu, gfp, node, slots, filled) : filled;
}

function nextEmpty(slots: readonly number[], from: number): number {
  let slot = from;
  while (slot < slots.length && slots[slot] !== NO_PFN) slot++;
  return slot;
}

/** One page by the ordinary way, with its event and its slow path. */
function fillOne(
  mm: PageAllocator,
  cpu: number,
  gfp: number,
  node: number,
  slots: number[],
  slot: number,
): number {
  const pfn = allocPages(mm, cpu, gfp, 0, node, false);
  if (pfn === NO_PFN) return slot;
  slots[slot] = pfn;
  return slot + 1;
}

/** First zone of the preferred zone's node that has all the pages above its low mark. */
function localZoneWith(
  mm: PageAllocator,
  zones: readonly Zone[],
  pages: number,
  flags: number,
  gfp: number,
): Zone | undefined {
  const preferred = zones[0];
  for (const zone of zones) {
    if (preferred === undefined || zone.node !== preferred.node) return undefined;
    const mark = boostedMark(zone, WMARK_LOW) + pages;
    if (zoneWatermarkFast(zone, mm.rules, 0, mark, preferred.index, flags, gfp)) return zone;
  }
  return undefined;
}

function takeFromList(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  migratetype: number,
  flags: number,
): number {
  const pcp = zone.pcps[cpu]!;
  const list = pcp.lists[pcpListIndex(0, migratetype)]!;
  if (list.length === 0) refill(mm, zone, cpu, 0, migratetype, flags, refillSize(mm.rules, pcp, zone, 0));
  if (list.length === 0) return NO_PFN;
  pcp.count--;
  return list.popHead();
}
