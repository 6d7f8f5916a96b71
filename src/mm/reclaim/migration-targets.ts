/**
 * Free chunks that compaction has taken off the buddy lists to move pages into.
 *
 * 6.1 splits them into single pages, the chunk taken last first and each from its upper end down; later kernels keep
 * chunks by order, and split the smallest one that fits so that its lowest pages are used.
 * model: page-allocator 5 (destination choice, taking a chunk)
 */
import { setBlockTypes } from '../page-alloc/buddy.js';
import { freePagesOf } from '../page-alloc/free-pages.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { PageKind } from '../page-alloc/page-map.js';
import { blockStart, moveFreePages } from '../page-alloc/pageblock.js';
import { ALLOC_CMA, boostedMark, zoneWatermarkOk } from '../page-alloc/watermark.js';
import { WMARK_MIN, type Zone } from '../page-alloc/zone.js';
import { MIGRATE_PCPTYPES, Migratetype, NR_PAGE_ORDERS, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';

export class MigrationTargets {
  pages = 0;
  /** by order; the front of a list is its end */
  readonly #chunks: number[][] = Array.from({ length: NR_PAGE_ORDERS }, () => []);
  readonly #mm: PageAllocator;
  readonly #zone: Zone;
  readonly #cpu: number;

  constructor(mm: PageAllocator, zone: Zone, cpu: number) {
    this.#mm = mm;
    this.#zone = zone;
    this.#cpu = cpu;
  }

  /**
   * Takes a free chunk off its buddy list.
   *
   * @returns false where the zone's min mark forbids it
   */
  isolate(pfn: number, order: number): boolean {
    const mm = this.#mm;
    const zone = this.#zone;
    const mark = boostedMark(zone, WMARK_MIN) + (1 << order);
    if (!zoneWatermarkOk(zone, mm.rules, 0, mark, 0, ALLOC_CMA)) return false;
    zone.remove(pfn, order, mm.pages.listType(pfn, order));
    zone.spb?.took(pfn, order, Migratetype.movable);
    zone.postFree(this.#cpu, -(1 << order));
    if (order >= PAGEBLOCK_ORDER - 1) this.#makeMovable(pfn, order);
    this.pages += 1 << order;
    if (mm.policy['compaction.folios']) {
      this.#park(pfn, order, true);
    } else {
      for (let page = pfn; page < pfn + (1 << order); page++) this.#park(page, 0, false);
    }
    return true;
  }

  /** A place for a page of 2^order, or -1. */
  take(order: number): number {
    for (let size = order; size < NR_PAGE_ORDERS; size++) {
      const pfn = this.#chunks[size]!.pop();
      if (pfn === undefined) continue;
      const { pages } = this.#mm;
      pages.state[pages.node(pfn, size)] = 0;
      for (let half = size - 1; half >= order; half--) this.#park(pfn + (1 << half), half, false);
      this.pages -= 1 << order;
      return pfn;
    }
    return -1;
  }

  /**
   * Gives unused chunks back by ordinary frees.
   *
   * @returns highest PFN given back, or -1
   */
  release(): number {
    const { pages } = this.#mm;
    let highest = -1;
    this.#chunks.forEach((chunks, order) => {
      for (const pfn of chunks.reverse()) {
        pages.state[pages.node(pfn, order)] = 0;
        freePagesOf(this.#mm, this.#zone, this.#cpu, pfn, order);
        highest = Math.max(highest, pfn);
      }
      chunks.length = 0;
    });
    this.pages = 0;
    return highest;
  }

  /** @param behind at the end of the list, which is used last */
  #park(pfn: number, order: number, behind: boolean): void {
    const { pages } = this.#mm;
    pages.state[pages.node(pfn, order)] = (PageKind.parked << 4) | order;
    if (behind) this.#chunks[order]!.unshift(pfn);
    else this.#chunks[order]!.push(pfn);
  }

  /** Half a block or more is about to fill with movable pages. */
  #makeMovable(pfn: number, order: number): void {
    const mm = this.#mm;
    const { blockType } = mm.pages;
    for (let page = pfn; page < pfn + (1 << order); page += PAGEBLOCK_PAGES) {
      const type = blockType[page >>> PAGEBLOCK_ORDER]!;
      if (type >= MIGRATE_PCPTYPES || type === Migratetype.movable) continue;
      // 6.1 only changes the block's type; later kernels also move what else is free in it.
      if (mm.policy['compaction.folios'])
        moveFreePages(
          mm,
          this.#zone,
          this.#cpu,
          Math.max(blockStart(page), this.#zone.start_pfn),
          Migratetype.movable,
        );
      setBlockTypes(this.#zone, page, PAGEBLOCK_ORDER, Migratetype.movable);
    }
  }
}
