/**
 * Allocation of a range of PFNs, whatever its size: gigantic pages, CMA, and everything else that the buddy system is too
 * small for.
 *
 *     isolate the blocks -> drain the per-CPU lists -> move pages in use away -> take the free chunks out by PFN
 *
 *          start            end
 *     [....|xxxxxxxxxxxxxxxx|...]  chunks stick out at both ends; what sticks out is freed again before isolation ends
 *
 * There is no event and no pgalloc for the result. Blocks of reserved (HighAtomic) and CMA memory are taken as any other.
 * model: page-allocator 4.10; spb 5.1
 */
import { gfpZone } from '../gfp.js';
import { allocContigSpb, isSteered, markContigRange } from '../spb/contig.js';
import { Migratetype, NO_PFN, PAGEBLOCK_ORDER } from '../types.js';
import { alignedOrder } from './aligned-order.js';
import { zonesFor } from './alloc-pages.js';
import { drainAllPages } from './drain-all.js';
import { freeRange } from './free-range.js';
import { markAllocated } from './in-use.js';
import { endIsolation, endOfFreeChunks, isolateRange } from './isolation.js';
import { migrateRange } from './migrate-range.js';
import type { PageAllocator } from './page-allocator.js';
import type { Zone } from './zone.js';

/** Why a range could not be had. */
export type ContigOutcome = 'allocated' | 'no_such_range' | 'unmovable' | 'no_target' | 'still_in_use';

/**
 * Allocates exactly the pages `start` .. `start + pages - 1`, which must lie in one zone.
 *
 * @param lostType type of the blocks afterwards, where the policy does not remember it
 * @param useType migratetype of the request: what the range counts as in its superpageblocks
 */
export function allocContigRange(
  mm: PageAllocator,
  cpu: number,
  start: number,
  pages: number,
  lostType: number = Migratetype.movable,
  useType: number = Migratetype.unmovable,
): ContigOutcome {
  const outcome = tryRange(mm, cpu, start, pages, lostType, useType);
  mm.requestTracer?.contig(mm.findZone(start), start, pages, outcome);
  return outcome;
}

function tryRange(
  mm: PageAllocator,
  cpu: number,
  start: number,
  pages: number,
  lostType: number,
  useType: number,
): ContigOutcome {
  const end = start + pages;
  const zone = mm.findZone(start);
  if (zone === undefined || pages <= 0 || !isOnlineIn(mm, zone, start, end)) return 'no_such_range';
  const isolation = isolateRange(mm, zone, cpu, start, end);
  if (isolation === null) return 'unmovable';
  drainAllPages(mm, zone);
  let outcome: ContigOutcome = 'allocated';
  if (!migrateRange(mm, zone, start, end, { cpu, node: zone.node })) outcome = 'no_target';
  else if (!takeRange(mm, zone, cpu, start, end, useType)) outcome = 'still_in_use';
  endIsolation(mm, cpu, isolation, lostType);
  if (outcome === 'allocated') markContigRange(mm, zone, start, end, true);
  return outcome;
}

/** Every page of the range belongs to this zone and is online. */
function isOnlineIn(mm: PageAllocator, zone: Zone, start: number, end: number): boolean {
  if (mm.findZone(start) !== zone || mm.findZone(end - 1) !== zone) return false;
  const { blockZone } = mm.pages;
  const last = (end - 1) >>> PAGEBLOCK_ORDER;
  for (let block = start >>> PAGEBLOCK_ORDER; block <= last; block++)
    if (blockZone[block] !== zone.number) return false;
  return true;
}

/** Takes the isolated free chunks that cover a range off their lists and frees what they hold beyond it. */
function takeRange(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  start: number,
  end: number,
  useType: number,
): boolean {
  const outerEnd = endOfFreeChunks(mm, start, end);
  if (outerEnd < 0) return false;
  const { pages } = zone;
  const outerStart = pages.buddyHead(start);
  for (let pfn = outerStart; pfn < outerEnd; ) {
    const order = pages.buddyOrder(pfn);
    zone.remove(pfn, order, pages.listType(pfn, order));
    zone.spb?.took(pfn, order, useType);
    pfn += 1 << order;
  }
  if (outerStart < start) freeRange(mm, cpu, outerStart, start - outerStart);
  if (end < outerEnd) freeRange(mm, cpu, end, outerEnd - end);
  own(mm, start, end);
  return true;
}

/** Records the range as handed out, in the largest aligned pieces; frees of any shape cut them. */
function own(mm: PageAllocator, start: number, end: number): void {
  for (let pfn = start; pfn < end; ) {
    const order = alignedOrder(pfn, end - pfn);
    markAllocated(mm, pfn, order, false);
    pfn += 1 << order;
  }
}

/**
 * Looks for a range of that many pages, aligned to its size, zone by zone in zonelist order and upwards inside a zone.
 *
 * @returns first PFN, or NO_PFN
 */
export function allocContigPages(
  mm: PageAllocator,
  cpu: number,
  gfp: number,
  pages: number,
  node: number,
): number {
  mm.requestTracer?.contigAsked(pages);
  const highestZone = gfpZone(gfp);
  if (highestZone < 0 || pages <= 0) return NO_PFN;
  const zones = zonesFor(mm, cpu, gfp, node, highestZone);
  if (mm.spb !== null && isSteered(mm, pages)) return allocContigSpb(mm, mm.spb, zones, cpu, gfp, pages);
  for (const zone of zones) {
    const first = (zone.start_pfn + pages - 1) & -pages;
    for (let pfn = first; zone.spans(pfn + pages - 1); pfn += pages)
      if (isOnlineIn(mm, zone, pfn, pfn + pages) && allocContigRange(mm, cpu, pfn, pages) === 'allocated')
        return pfn;
  }
  return NO_PFN;
}

/** Frees a range that was allocated by PFN. */
export function freeContigRange(mm: PageAllocator, cpu: number, start: number, pages: number): void {
  const zone = mm.findZone(start);
  if (zone !== undefined) markContigRange(mm, zone, start, start + pages, false);
  freeRange(mm, cpu, start, pages);
}
