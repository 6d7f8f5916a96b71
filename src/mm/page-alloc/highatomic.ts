/**
 * Pageblocks kept for atomic high-order requests.
 * model: page-allocator 4.8
 */
import { MIGRATE_PCPTYPES, Migratetype, NR_PAGE_ORDERS, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { setBlockTypes } from './buddy.js';
import { type PageAllocator, PageLock } from './page-allocator.js';
import { blockStart, moveFreePages, zoneSpansBlock } from './pageblock.js';
import type { Zone } from './zone.js';

function reserveLimit(mm: PageAllocator, zone: Zone): number {
  const onePercent = Math.trunc(zone.managed_pages / 100);
  if (mm.rules.highatomic_plus_block) return onePercent + PAGEBLOCK_PAGES;
  return onePercent < PAGEBLOCK_PAGES ? 0 : Math.ceil(onePercent / PAGEBLOCK_PAGES) * PAGEBLOCK_PAGES;
}

/** After an atomic high-order request succeeded: keep the rest of its block for the next one. */
export function reserveHighatomic(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pfn: number,
  order: number,
): void {
  if (zone.nr_reserved_highatomic >= reserveLimit(mm, zone)) return;
  mm.locks?.enter(PageLock.zone, zone, cpu);
  reserveLocked(mm, zone, cpu, pfn, order);
  mm.locks?.leave(PageLock.zone, zone, cpu);
}

function reserveLocked(mm: PageAllocator, zone: Zone, cpu: number, pfn: number, order: number): void {
  // Asked again: whoever struck before the lock was had may have reserved as much.
  if (zone.nr_reserved_highatomic >= reserveLimit(mm, zone)) return;
  const { blockType } = zone.pages;
  const block = pfn >>> PAGEBLOCK_ORDER;
  if (blockType[block]! >= MIGRATE_PCPTYPES) return;
  if (mm.rules.steal_fallback) {
    // 6.1 takes the block whatever its shape and moves what it can.
    zone.nr_reserved_highatomic += PAGEBLOCK_PAGES;
    blockType[block] = Migratetype.highatomic;
    const start = blockStart(pfn);
    if (zone.spans(start + PAGEBLOCK_PAGES - 1))
      moveFreePages(mm, zone, cpu, zone.spans(start) ? start : pfn, Migratetype.highatomic);
    return;
  }
  if (order >= PAGEBLOCK_ORDER) {
    setBlockTypes(zone, pfn, order, Migratetype.highatomic);
    zone.nr_reserved_highatomic += 1 << order;
    return;
  }
  if (!zoneSpansBlock(zone, pfn)) return;
  moveFreePages(mm, zone, cpu, blockStart(pfn), Migratetype.highatomic);
  blockType[block] = Migratetype.highatomic;
  zone.nr_reserved_highatomic += PAGEBLOCK_PAGES;
}

/**
 * Gives one reserved block back to a request that reclaim could not serve.
 *
 * @param zones in zonelist order
 * @param force also the last block of a zone
 * @returns whether free pages moved
 */
export function unreserveHighatomic(
  mm: PageAllocator,
  zones: readonly Zone[],
  cpu: number,
  migratetype: number,
  force: boolean,
): boolean {
  for (const zone of zones) {
    if (!force && zone.nr_reserved_highatomic <= PAGEBLOCK_PAGES) continue;
    for (let order = 0; order < NR_PAGE_ORDERS; order++) {
      if (((zone.listMask[Migratetype.highatomic]! >>> order) & 1) === 0) continue;
      const pfn = zone.firstChunk(order, Migratetype.highatomic);
      if (unreserveChunk(mm, zone, cpu, pfn, order, migratetype) > 0) return true;
    }
  }
  return false;
}

function unreserveChunk(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pfn: number,
  order: number,
  migratetype: number,
): number {
  const { blockType } = zone.pages;
  const block = pfn >>> PAGEBLOCK_ORDER;
  const wholeChunk = order >= PAGEBLOCK_ORDER && !mm.rules.steal_fallback;
  // A block that was re-typed by accident is still on the list but was uncounted before.
  if (blockType[block] === Migratetype.highatomic)
    zone.nr_reserved_highatomic -= Math.min(
      wholeChunk ? 1 << order : PAGEBLOCK_PAGES,
      zone.nr_reserved_highatomic,
    );
  if (wholeChunk) {
    zone.remove(pfn, order, Migratetype.highatomic);
    zone.addTail(pfn, order, migratetype);
    if (mm.rules.post_per_move) {
      zone.postFree(cpu, -(1 << order));
      zone.postFree(cpu, 1 << order);
    }
    setBlockTypes(zone, pfn, order, migratetype);
    return 1 << order;
  }
  const start = blockStart(pfn);
  const moved = moveFreePages(mm, zone, cpu, zone.spans(start) ? start : pfn, migratetype);
  blockType[block] = migratetype;
  return moved;
}

/** Where the policy reserves for every page of an atomic high-order request, whatever list it came from. */
export function highatomicAfterWalk(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  pfn: number,
  order: number,
): void {
  if (!mm.rules.highatomic_from_buddy_only) reserveHighatomic(mm, zone, cpu, pfn, order);
}
