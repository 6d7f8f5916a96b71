/**
 * Isolation of pageblocks: their free pages leave the lists that requests are served from, and what is freed in them
 * joins those pages. So a range can be emptied while the machine runs.
 *
 *     [ a free chunk of order 10 ]      isolating one of its blocks splits it:   [ o9 isolated ][ o9 of its own type ]
 *
 * Isolated pages do not count as free. 6.18 remembers a block's type while it is isolated, and so does an `Isolation`;
 * 6.1 loses it, and whoever ends the isolation says what the block becomes.
 * model: page-allocator 3.8, 2.8
 */
import { MAX_PAGE_ORDER, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { freeOnePage, isFreeBuddy, setBlockTypes } from './buddy.js';
import type { PageAllocator } from './page-allocator.js';
import { isBuddy } from './page-map.js';
import { firstUnmovable, spanAt } from './page-span.js';
import { blockStart, zoneSpansBlock } from './pageblock.js';
import type { Zone } from './zone.js';

const { isolate } = Migratetype;

/** Isolated blocks with the types that they had. */
export interface Isolation {
  readonly zone: Zone;
  readonly start: number;
  readonly end: number;
  /** by block from `start` on */
  readonly types: readonly number[];
}

/**
 * Isolates the block of `pfn`.
 *
 * @returns the type that the block had, or -1 where it cannot be isolated: it is isolated already, or not wholly in
 *   this zone
 */
export function isolateBlock(mm: PageAllocator, zone: Zone, cpu: number, pfn: number): number {
  const { blockType, blockZone } = zone.pages;
  const start = blockStart(pfn);
  const block = start >>> PAGEBLOCK_ORDER;
  const type = blockType[block]!;
  if (blockZone[block] !== zone.number || !zoneSpansBlock(zone, start) || type === isolate) return -1;
  if (!splitAround(mm, zone, cpu, start, isolate)) {
    moveFreeChunks(mm, zone, cpu, start, isolate);
    setBlockTypes(zone, start, PAGEBLOCK_ORDER, isolate);
  }
  zone.nr_isolated_blocks++;
  return type;
}

/** Ends the isolation of the block of `pfn`, which then has the given type. Nothing to do for other blocks. */
export function unisolateBlock(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pfn: number,
  migratetype: number,
): void {
  const { blockType } = zone.pages;
  const start = blockStart(pfn);
  if (blockType[start >>> PAGEBLOCK_ORDER] !== isolate) return;
  const buddy = start ^ PAGEBLOCK_PAGES;
  if (
    isFreeBuddy(zone, start, PAGEBLOCK_ORDER) &&
    isFreeBuddy(zone, buddy, PAGEBLOCK_ORDER) &&
    blockType[buddy >>> PAGEBLOCK_ORDER] !== isolate
  ) {
    // Moving the chunk would leave two free buddies side by side, so it is freed anew.
    zone.remove(start, PAGEBLOCK_ORDER, isolate);
    setBlockTypes(zone, start, PAGEBLOCK_ORDER, migratetype);
    freeOnePage(mm, zone, cpu, start, PAGEBLOCK_ORDER, migratetype, true);
  } else if (mm.rules.steal_fallback || !splitAround(mm, zone, cpu, start, migratetype)) {
    moveFreeChunks(mm, zone, cpu, start, migratetype);
    setBlockTypes(zone, start, PAGEBLOCK_ORDER, migratetype);
  }
  zone.nr_isolated_blocks--;
}

/**
 * Gives the block at `start` a type where a free chunk of two blocks covers it: both halves are freed anew, each to its
 * own block's list. @returns false where there is no such chunk; then nothing has changed
 */
function splitAround(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  start: number,
  migratetype: number,
): boolean {
  const { pages } = zone;
  const chunk = start & -(1 << MAX_PAGE_ORDER);
  if (!isFreeBuddy(zone, chunk, MAX_PAGE_ORDER)) return false;
  const oldType = pages.listType(chunk, MAX_PAGE_ORDER);
  zone.remove(chunk, MAX_PAGE_ORDER, oldType);
  if (oldType !== isolate) zone.postFree(cpu, -(1 << MAX_PAGE_ORDER));
  setBlockTypes(zone, start, PAGEBLOCK_ORDER, migratetype);
  for (let piece = chunk; piece < chunk + (1 << MAX_PAGE_ORDER); piece += PAGEBLOCK_PAGES)
    freeOnePage(mm, zone, cpu, piece, PAGEBLOCK_ORDER, pages.blockType[piece >>> PAGEBLOCK_ORDER]!);
  return true;
}

/**
 * Moves the block's free chunks into isolation or out of it, ascending, to the tails. 6.18 posts every chunk, 6.1 the
 * sum: which of the two is the policy's matter.
 */
function moveFreeChunks(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  start: number,
  migratetype: number,
): void {
  const { pages } = zone;
  const sign = migratetype === isolate ? -1 : 1;
  let moved = 0;
  for (let pfn = start; pfn < start + PAGEBLOCK_PAGES; ) {
    const order = pages.buddyOrder(pfn);
    if (order < 0) {
      pfn++;
      continue;
    }
    zone.remove(pfn, order, pages.listType(pfn, order));
    zone.addTail(pfn, order, migratetype);
    if (mm.rules.post_per_move) zone.postFree(cpu, sign << order);
    moved += 1 << order;
    pfn += 1 << order;
  }
  if (!mm.rules.post_per_move && moved > 0) zone.postFree(cpu, sign * moved);
}

/** An allocation larger than a block reaches over an end of the blocks: the kernel does not try to move those. */
function sticksOut(mm: PageAllocator, start: number, end: number): boolean {
  return [start, end - 1].some((pfn) => {
    const span = spanAt(mm.pages, pfn);
    if (span === null || isBuddy(span.state)) return false;
    return span.head < start || span.head + (1 << span.order) > end;
  });
}

/**
 * Isolates all blocks that a range touches: the first, the last, then those between, as the kernel does.
 *
 * @returns null where a page inside the range cannot move or a block cannot be isolated; then nothing is isolated
 */
export function isolateRange(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  start: number,
  end: number,
): Isolation | null {
  const first = blockStart(start);
  const last = blockStart(end - 1);
  const types: number[] = [];
  const isolateOne = (block: number): boolean => {
    const from = Math.max(start, block);
    if (firstUnmovable(mm, from, Math.min(end, block + PAGEBLOCK_PAGES)) >= 0) return false;
    const type = isolateBlock(mm, zone, cpu, block);
    if (type < 0) return false;
    types[(block - first) >>> PAGEBLOCK_ORDER] = type;
    return true;
  };
  const isolation = { zone, start: first, end: last + PAGEBLOCK_PAGES, types };
  if (sticksOut(mm, first, isolation.end)) return null;
  let complete = isolateOne(first) && (last === first || isolateOne(last));
  for (let block = first + PAGEBLOCK_PAGES; complete && block < last; block += PAGEBLOCK_PAGES)
    complete = isolateOne(block);
  if (complete) return isolation;
  endIsolation(mm, cpu, isolation, Migratetype.movable);
  return null;
}

/**
 * Ends an isolation, block by block in ascending order.
 *
 * @param lostType what blocks become where the policy does not remember their types
 */
export function endIsolation(
  mm: PageAllocator,
  cpu: number,
  isolation: Isolation,
  lostType: number = Migratetype.movable,
): void {
  const { zone, start, end, types } = isolation;
  for (let block = start; block < end; block += PAGEBLOCK_PAGES) {
    const type = types[(block - start) >>> PAGEBLOCK_ORDER];
    if (type === undefined) continue;
    unisolateBlock(mm, zone, cpu, block, mm.rules.steal_fallback ? lostType : type);
  }
}

/** End of the last chunk of an unbroken row of isolated free chunks over the range, or -1. */
export function endOfFreeChunks(mm: PageAllocator, start: number, end: number): number {
  const { pages } = mm;
  let pfn = pages.buddyHead(start);
  if (pfn < 0) return -1;
  while (pfn < end) {
    const order = pages.buddyOrder(pfn);
    if (order < 0 || pages.listType(pfn, order) !== Migratetype.isolate) return -1;
    pfn += 1 << order;
  }
  return pfn;
}
