/**
 * What a page is part of: the question of whoever walks memory by PFN instead of by list.
 * model: page-allocator 3.8, 5
 */
import { NR_PAGE_ORDERS, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import type { PageAllocator } from './page-allocator.js';
import { isBuddy, isPcp, PageKind, type PageMap } from './page-map.js';

/** A chunk, an entry of a per-CPU list, or an allocation. */
export interface PageSpan {
  readonly head: number;
  readonly order: number;
  /** PageKind in the high half, the order in the low one */
  readonly state: number;
}

/** What holds `pfn`, or null for a page of unknown history. */
export function spanAt(pages: PageMap, pfn: number): PageSpan | null {
  for (let order = 0; order < NR_PAGE_ORDERS; order++) {
    const head = pfn & -(1 << order);
    const state = pages.state[pages.node(head, order)]!;
    if (state !== 0 && (state & 15) === order) return { head, order, state };
  }
  return null;
}

export function isMovable(state: number): boolean {
  return state >> 4 === PageKind.lru;
}

/** Free, waiting on a per-CPU list, or movable: no obstacle to emptying the range that it lies in. */
function canGo(state: number): boolean {
  return isBuddy(state) || isPcp(state) || isMovable(state);
}

/**
 * All pages of unknown history in a pageblock are movable ones: so says the block's count of movable pages, which a start
 * state brings along without saying which pages they are.
 */
export function unknownPagesAreMovable(mm: PageAllocator, block: number): boolean {
  const { pages } = mm;
  const start = block << PAGEBLOCK_ORDER;
  let unknown = 0;
  let movable = 0;
  for (let pfn = start; pfn < start + PAGEBLOCK_PAGES; ) {
    const span = spanAt(pages, pfn);
    const next = span === null ? pfn + 1 : Math.min(span.head + (1 << span.order), start + PAGEBLOCK_PAGES);
    if (span === null) unknown++;
    else if (isMovable(span.state)) movable += next - pfn;
    pfn = next;
  }
  return unknown > 0 && unknown === pages.blockMovable[block]! - movable;
}

/** First page of a range that cannot be moved away, or -1. */
export function firstUnmovable(mm: PageAllocator, start: number, end: number): number {
  let unknownIsMovable = false;
  let lastBlock = -1;
  for (let pfn = start; pfn < end; ) {
    const span = spanAt(mm.pages, pfn);
    if (span === null) {
      const block = pfn >>> PAGEBLOCK_ORDER;
      if (block !== lastBlock) unknownIsMovable = unknownPagesAreMovable(mm, block);
      lastBlock = block;
      if (!unknownIsMovable) return pfn;
      pfn++;
    } else {
      if (!canGo(span.state)) return pfn;
      pfn = span.head + (1 << span.order);
    }
  }
  return -1;
}
