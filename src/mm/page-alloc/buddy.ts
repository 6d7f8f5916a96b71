/**
 * The buddy system itself: free with merging, removal with splitting.
 *
 *     free P (order o):   P and its buddy P ^ 2^o are both free and of order o -> one chunk of order o + 1, and again
 *     take order o from a chunk of order c:  [ P | upper half -> list c-1 ] ... the lowest 2^o pages are handed out
 *
 * model: page-allocator 3.5, 3.6, 4.6
 */
import { MAX_PAGE_ORDER, MIGRATE_PCPTYPES, Migratetype, PAGEBLOCK_ORDER } from '../types.js';
import type { PageAllocator } from './page-allocator.js';
import { isBuddy, STRADDLED } from './page-map.js';
import { pcpAllowedOrder } from './per-cpu-pages.js';
import type { Zone } from './zone.js';

/** True where `pfn` starts a free chunk of exactly this order in this zone. */
export function isFreeBuddy(zone: Zone, pfn: number, order: number): boolean {
  const pages = zone.pages;
  const state = pages.state[pages.node(pfn, order)]!;
  if ((state & 15) !== order || !isBuddy(state)) return false;
  // Callers ask about neighbours of a page of this zone: below pageblock order those share its block.
  if (order < PAGEBLOCK_ORDER && !zone.straddled) return true;
  const owner = pages.blockZone[pfn >>> PAGEBLOCK_ORDER]!;
  return owner === zone.number || (owner === STRADDLED && zone.spans(pfn));
}

/**
 * Frees a block into the buddy lists, merging as far as it can.
 *
 * Merging stops at the zone's edge, at the largest order, and where pageblocks of unlike, unmergeable types would
 * fuse. A block whose next-larger buddy is free goes to the tail, so that it is handed out last.
 * model: page-allocator 3.6; spb 2.4, 3.8
 *
 * @param pfn first page of the block, aligned to `order`
 * @param migratetype list that the block goes to
 * @param toTail boot, onlining and trimming put blocks at the tail
 */
export function freeOnePage(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pfn: number,
  order: number,
  migratetype: number,
  toTail = false,
): void {
  const { pages, spb } = zone;
  const { state, blockType } = pages;
  if (migratetype !== Migratetype.isolate) zone.postFree(cpu, 1 << order);
  let first = pfn;
  let size = order;
  let type = migratetype;
  let wholeBlock = false;
  for (; ; size++) {
    if (size >= PAGEBLOCK_ORDER && spb !== null && !wholeBlock) {
      type = spb.blocksFreed(first, size, type);
      wholeBlock = true;
    }
    if (size >= MAX_PAGE_ORDER) break;
    if (mm.capture?.takes(zone, first, size, type)) {
      zone.postFree(cpu, -(1 << size));
      spb?.took(first, size, mm.capture.migratetype);
      return;
    }
    const buddy = first ^ (1 << size);
    if (!isFreeBuddy(zone, buddy, size)) break;
    if (size >= PAGEBLOCK_ORDER) {
      const other = blockType[buddy >>> PAGEBLOCK_ORDER]!;
      if (other !== type && (type >= MIGRATE_PCPTYPES || other >= MIGRATE_PCPTYPES)) break;
    }
    zone.remove(buddy, size, (state[pages.node(buddy, size)]! >> 4) - 1);
    if (mm.rules.merge_retypes && blockType[buddy >>> PAGEBLOCK_ORDER] !== type)
      setBlockTypes(zone, buddy, size, type);
    first &= buddy;
  }
  if (toTail || (size < MAX_PAGE_ORDER - 1 && largerBuddyIsFree(zone, first, size)))
    zone.addTail(first, size, type);
  else zone.addHead(first, size, type);
}

/** Freeing one more block would let this one merge twice. */
function largerBuddyIsFree(zone: Zone, pfn: number, order: number): boolean {
  const higher = pfn & ~(1 << order);
  return isFreeBuddy(zone, higher ^ (1 << (order + 1)), order + 1);
}

/** Gives every pageblock of a chunk of at least pageblock order (or the one block it lies in) a type. */
export function setBlockTypes(zone: Zone, pfn: number, order: number, migratetype: number): void {
  const first = pfn >>> PAGEBLOCK_ORDER;
  const blocks = order > PAGEBLOCK_ORDER ? 1 << (order - PAGEBLOCK_ORDER) : 1;
  zone.pages.blockType.fill(migratetype, first, first + blocks);
}

/**
 * Puts the upper parts of a removed chunk back, halves from the largest down.
 *
 * @returns pages put back
 */
export function expand(
  zone: Zone,
  pfn: number,
  order: number,
  chunkOrder: number,
  migratetype: number,
): number {
  for (let half = chunkOrder - 1; half >= order; half--) zone.addHead(pfn + (1 << half), half, migratetype);
  return (1 << chunkOrder) - (1 << order);
}

/**
 * Takes 2^order pages from the smallest sufficient chunk of one type's lists.
 *
 * @returns lowest PFN of the chunk, or -1
 */
export function takeSmallest(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
): number {
  const orders = zone.listMask[migratetype]! >>> order;
  if (orders === 0) return -1;
  const chunkOrder = order + (31 - Math.clz32(orders & -orders));
  const pfn = zone.takeFirst(chunkOrder, migratetype);
  mm.requestTracer?.chunk(zone, pfn, order, chunkOrder, migratetype);
  expand(zone, pfn, order, chunkOrder, migratetype);
  if (mm.rules.post_per_move && migratetype !== Migratetype.isolate) zone.postFree(cpu, -(1 << order));
  if (mm.tracer !== null)
    mm.tracer.zoneLocked(pfn, order, migratetype, pcpAllowedOrder(order) && migratetype < MIGRATE_PCPTYPES);
  return pfn;
}

/**
 * Frees a block that does not go through the per-CPU lists, and before it what waits for the zone's lock.
 * model: page-allocator 3.10
 */
export function freeToBuddy(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pfn: number,
  order: number,
  toTail = false,
): void {
  if (zone.trylock_free_pages.length > 0) drainTrylockFreePages(mm, zone, cpu);
  freeSplit(mm, zone, cpu, pfn, order, toTail);
}

/**
 * Whoever got the zone's lock for a free of its own takes the stranded pages along, before it, newest first.
 * model: page-allocator 3.10
 */
function drainTrylockFreePages(mm: PageAllocator, zone: Zone, cpu: number): void {
  const stack = zone.trylock_free_pages;
  while (stack.length > 0) {
    stack.drop();
    const pfn = stack.pfnAt(stack.length);
    const order = stack.orderAt(stack.length);
    zone.pages.state[zone.pages.node(pfn, order)] = 0;
    mm.pgfree += 1 << order;
    freeSplit(mm, zone, cpu, pfn, order, false);
  }
}

/**
 * Frees a block under the zone's lock and leaves alone what waits for that. Where the policy says so a block above pageblock
 * order is freed in pageblock-sized pieces, each to its own block's list. model: page-allocator 3.5
 */
export function freeSplit(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pfn: number,
  order: number,
  toTail: boolean,
): void {
  const { blockType } = zone.pages;
  if (order <= PAGEBLOCK_ORDER || !mm.rules.free_in_pieces) {
    freeOnePage(mm, zone, cpu, pfn, order, blockType[pfn >>> PAGEBLOCK_ORDER]!, toTail);
    return;
  }
  const end = pfn + (1 << order);
  for (let piece = pfn; piece < end; piece += 1 << PAGEBLOCK_ORDER)
    freeOnePage(mm, zone, cpu, piece, PAGEBLOCK_ORDER, blockType[piece >>> PAGEBLOCK_ORDER]!, toTail);
}
