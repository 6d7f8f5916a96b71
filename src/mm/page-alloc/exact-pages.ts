/**
 * Allocations of a number of pages that is no power of two: a larger block, cut into single pages, of which the surplus
 * goes straight back to the buddy lists.
 *
 *     5 pages of an order 3      [ P | P+1 | P+2 | P+3 | P+4 ] P+5  P+6  P+7  -> freed singly, ascending, to the tails
 *
 * model: page-allocator 4.10
 */
import { NO_PFN } from '../types.js';
import { allocPages } from './alloc-pages.js';
import { freeToBuddy } from './buddy.js';
import { freePages, splitOwned } from './free-owned.js';
import type { PageAllocator } from './page-allocator.js';
import { PageKind } from './page-map.js';

/** @returns first PFN of `pages` single pages, or NO_PFN */
export function allocPagesExact(
  mm: PageAllocator,
  cpu: number,
  gfp: number,
  pages: number,
  node: number,
): number {
  const order = pages <= 1 ? 0 : 32 - Math.clz32(pages - 1);
  const first = allocPages(mm, cpu, gfp, order, node, false);
  if (first === NO_PFN) return NO_PFN;
  splitOwned(mm, first, order, 0, PageKind.allocated);
  const zone = mm.zoneOf(first);
  for (let pfn = first + pages; pfn < first + (1 << order); pfn++) {
    mm.pages.state[pfn] = 0;
    mm.pgfree++;
    freeToBuddy(mm, zone, cpu, pfn, 0, true);
  }
  return first;
}

/** Ordinary frees of single pages, ascending. */
export function freePagesExact(mm: PageAllocator, cpu: number, first: number, pages: number): void {
  for (let pfn = first; pfn < first + pages; pfn++) freePages(mm, cpu, pfn, 0);
}
