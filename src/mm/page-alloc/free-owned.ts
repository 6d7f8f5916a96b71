/**
 * Frees of pages that the model handed out or that were in use from the start, whatever their shape: whole
 * allocations, parts of one (split pages), or pages of unknown history.
 * model: page-allocator 3.1, 8.6
 */
import { MAX_PAGE_ORDER } from '../types.js';
import { freePagesOf } from './free-pages.js';
import { addMovable } from './in-use.js';
import type { PageAllocator } from './page-allocator.js';
import { PageKind } from './page-map.js';

const ALLOCATED = PageKind.allocated << 4;
const LRU = PageKind.lru << 4;

/** Frees 2^order pages in use. The order need not be that of the allocation. */
export function freePages(mm: PageAllocator, cpu: number, pfn: number, order: number): void {
  disownPages(mm, pfn, order);
  freePagesOf(mm, mm.zoneOf(pfn), cpu, pfn, order);
}

/** Takes 2^order pages away from whoever has them in the model's books: they are about to be freed. */
export function disownPages(mm: PageAllocator, pfn: number, order: number): void {
  const { state } = mm.pages;
  const node = mm.pages.node(pfn, order);
  const current = state[node]!;
  if (current === (LRU | order)) {
    state[node] = 0;
    addMovable(mm, pfn, order, -1);
  } else if (current === (ALLOCATED | order)) {
    if (mm.slabObjects !== null) mm.slabObjects.remove(pfn, order);
    state[node] = 0;
  } else {
    releaseOwner(mm, pfn, order);
  }
}

/** First page and order of the allocation that holds `pfn`, or null for pages of unknown history. */
export function ownerOf(
  mm: PageAllocator,
  pfn: number,
): { head: number; order: number; kind: number } | null {
  for (let order = 0; order <= MAX_PAGE_ORDER; order++) {
    const head = pfn & ~((1 << order) - 1);
    const state = mm.pages.state[mm.pages.node(head, order)]!;
    const kind = state >> 4;
    if ((kind === PageKind.allocated || kind === PageKind.lru) && (state & 15) >= order) {
      const end = head + (1 << (state & 15));
      if (pfn < end) return { head, order: state & 15, kind };
    }
  }
  return null;
}

/** Clears ownership of a range: cuts the allocation(s) that it is part of, so that the rest stays owned. */
export function releaseOwner(mm: PageAllocator, pfn: number, order: number): void {
  const end = pfn + (1 << order);
  for (let page = pfn; page < end; ) {
    const owner = ownerOf(mm, page);
    if (owner === null) {
      page++;
      continue;
    }
    if (owner.order > order) {
      splitOwned(mm, owner.head, owner.order, order, owner.kind);
      continue;
    }
    mm.slabObjects?.remove(owner.head, owner.order);
    mm.pages.state[mm.pages.node(owner.head, owner.order)] = 0;
    if (owner.kind === PageKind.lru) addMovable(mm, owner.head, owner.order, -1);
    page = owner.head + (1 << owner.order);
  }
}

/** Cuts an allocation into equal pieces of a smaller order, as split_page() does. */
export function splitOwned(
  mm: PageAllocator,
  head: number,
  order: number,
  pieceOrder: number,
  kind: number,
): void {
  const { pages } = mm;
  mm.slabObjects?.remove(head, order);
  if (kind === PageKind.lru) {
    mm.lruLists?.split(mm.zoneOf(head), head, order, pieceOrder);
    if (mm.ages !== null)
      for (let piece = head; piece < head + (1 << order); piece += 1 << pieceOrder)
        mm.ages.copy(pages.node(head, order), pages.node(piece, pieceOrder));
  }
  pages.state[pages.node(head, order)] = 0;
  for (let piece = head; piece < head + (1 << order); piece += 1 << pieceOrder)
    pages.state[pages.node(piece, pieceOrder)] = (kind << 4) | pieceOrder;
}
