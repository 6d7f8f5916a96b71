/**
 * Frees of many folios at once: LRU reclaim, unmapping, truncation.
 *
 * 6.1 frees large folios on the way and collects the single pages, which then go to the per-CPU list in reversed order.
 * 6.10+ handles any order in the caller's order, in small batches: what has no per-CPU list, or lies in an isolated block,
 * goes to the buddy lists before the rest of its batch.
 * model: page-allocator 3.1
 */
import { Migratetype, PAGEBLOCK_ORDER } from '../types.js';
import { freePages } from './free-owned.js';
import type { PageAllocator } from './page-allocator.js';
import { pcpAllowedOrder } from './per-cpu-pages.js';

/** folios that a batch of 6.10+ holds */
const FOLIO_BATCH = 31;

export interface Folio {
  readonly pfn: number;
  readonly order: number;
}

/** Frees folios whose last reference is gone. */
export function releaseFolios(mm: PageAllocator, cpu: number, folios: readonly Folio[]): void {
  if (mm.policy['free.batch'] === 'order0_reversed') {
    const single: Folio[] = [];
    for (const folio of folios) {
      if (folio.order === 0) single.push(folio);
      else freePages(mm, cpu, folio.pfn, folio.order);
    }
    freeBatch(mm, cpu, single.reverse());
    return;
  }
  for (let first = 0; first < folios.length; first += FOLIO_BATCH)
    freeBatch(mm, cpu, folios.slice(first, first + FOLIO_BATCH));
}

/** The same for single pages. */
export function releasePages(mm: PageAllocator, cpu: number, pfns: readonly number[]): void {
  releaseFolios(
    mm,
    cpu,
    pfns.map((pfn) => ({ pfn, order: 0 })),
  );
}

function freeBatch(mm: PageAllocator, cpu: number, folios: readonly Folio[]): void {
  const forPcp: Folio[] = [];
  for (const folio of folios) {
    if (goesToPcp(mm, folio)) forPcp.push(folio);
    else freePages(mm, cpu, folio.pfn, folio.order);
  }
  for (const { pfn, order } of forPcp) freePages(mm, cpu, pfn, order);
}

function goesToPcp(mm: PageAllocator, { pfn, order }: Folio): boolean {
  return pcpAllowedOrder(order) && mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER] !== Migratetype.isolate;
}
