/**
 * Frees of whole arrays and ranges of pages: vfree, free_contig_range and the like.
 *
 * 7.1+ cuts them into contiguous runs and frees a run in naturally aligned pieces, each as one chunk; older kernels free
 * page by page.
 *
 *     7.2, P a multiple of 8:    P+3   P+4 P+5 P+6 P+7          two entries of the per-CPU lists,
 *                               [ o0 ][------ o2 -----]         of orders 0 and 2
 *
 * model: page-allocator 10a.3
 */
import { alignedOrder } from './aligned-order.js';
import { freePages } from './free-owned.js';
import type { PageAllocator } from './page-allocator.js';

/** Frees `pages` pages from `start` on. */
export function freeRange(mm: PageAllocator, cpu: number, start: number, pages: number): void {
  const end = start + pages;
  for (let pfn = start; pfn < end; ) {
    const order = mm.policy['free.ranges'] ? alignedOrder(pfn, end - pfn) : 0;
    freePages(mm, cpu, pfn, order);
    pfn += 1 << order;
  }
}

/** Frees single pages in the order of the array; a run is a row of ascending neighbours. */
export function freePageArray(mm: PageAllocator, cpu: number, pfns: readonly number[]): void {
  for (let first = 0; first < pfns.length; ) {
    let next = first + 1;
    while (next < pfns.length && pfns[next] === pfns[next - 1]! + 1) next++;
    freeRange(mm, cpu, pfns[first]!, next - first);
    first = next;
  }
}
