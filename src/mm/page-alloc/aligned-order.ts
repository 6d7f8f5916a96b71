/**
 * Cutting a range of pages into chunks: how boot, hotplug and frees of ranges hand memory to the buddy lists.
 * model: page-allocator 2.1, 10a.3
 */
import { MAX_PAGE_ORDER } from '../types.js';

/** Largest order that `pfn` is aligned to and that fits into `pages`, which is at least 1. */
export function alignedOrder(pfn: number, pages: number): number {
  const aligned = pfn === 0 ? MAX_PAGE_ORDER : 31 - Math.clz32(pfn & -pfn);
  const fitting = 31 - Math.clz32(pages);
  return Math.min(aligned, fitting, MAX_PAGE_ORDER);
}
