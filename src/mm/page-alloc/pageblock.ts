/**
 * Work on one whole pageblock: counting what is in it and moving its free chunks to another type's lists.
 * model: page-allocator 4.6, 4.8, 2.8
 */
import { Migratetype, PAGEBLOCK_PAGES } from '../types.js';
import { isFreeBuddy } from './buddy.js';
import type { PageAllocator } from './page-allocator.js';
import type { Zone } from './zone.js';

export function blockStart(pfn: number): number {
  return pfn & ~(PAGEBLOCK_PAGES - 1);
}

/** False for a block that sticks out of the zone: such a block is never claimed or moved. */
export function zoneSpansBlock(zone: Zone, pfn: number): boolean {
  const start = blockStart(pfn);
  return zone.spans(start) && zone.spans(start + PAGEBLOCK_PAGES - 1);
}

/** Order of the free chunk of this zone that starts at `pfn`, or -1. */
function chunkOrderAt(zone: Zone, pfn: number): number {
  const order = zone.pages.buddyOrder(pfn);
  return order >= 0 && isFreeBuddy(zone, pfn, order) ? order : -1;
}

/** Free pages in the pageblock of `pfn`, from `from` on. */
export function countFreePages(zone: Zone, pfn: number): number {
  const end = blockStart(pfn) + PAGEBLOCK_PAGES;
  let free = 0;
  for (let page = blockStart(pfn); page < end; ) {
    const order = chunkOrderAt(zone, page);
    if (order < 0) {
      page++;
    } else {
      free += 1 << order;
      page += 1 << order;
    }
  }
  return free;
}

/**
 * Moves every free chunk of a block to the tail of another type's lists, in ascending order.
 *
 * The policy decides whether the move is posted: 6.18 posts each chunk out of the old type and into the new one, which
 * flushes the counter's per-CPU part where the chunk is large.
 *
 * @param from first page looked at; the block's start except for a block that sticks out of its zone
 * @returns pages moved
 */
export function moveFreePages(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  from: number,
  migratetype: number,
): number {
  const pages = zone.pages;
  const end = blockStart(from) + PAGEBLOCK_PAGES;
  let moved = 0;
  for (let page = from; page < end; ) {
    const order = chunkOrderAt(zone, page);
    if (order < 0) {
      page++;
      continue;
    }
    const oldType = pages.listType(page, order);
    zone.remove(page, order, oldType);
    zone.addTail(page, order, migratetype);
    postMove(mm, zone, cpu, 1 << order, oldType, migratetype);
    moved += 1 << order;
    page += 1 << order;
  }
  return moved;
}

/** Posts a chunk's change of type; isolated pages do not count as free. */
function postMove(mm: PageAllocator, zone: Zone, cpu: number, pages: number, from: number, to: number): void {
  const leavesIsolation = from === Migratetype.isolate;
  const entersIsolation = to === Migratetype.isolate;
  if (leavesIsolation === entersIsolation) {
    if (!mm.rules.post_per_move || leavesIsolation) return;
    zone.postFree(cpu, -pages);
    zone.postFree(cpu, pages);
    return;
  }
  zone.postFree(cpu, leavesIsolation ? pages : -pages);
}
