/**
 * Slab pages out of the model's own page allocator.
 * model: slub 2.4
 */
import { allocPages } from '../page-alloc/alloc-pages.js';
import { freePages } from '../page-alloc/free-owned.js';
import { allocPagesNolock, freePagesNolock } from '../page-alloc/nolock.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { NO_PFN } from '../types.js';
import type { KmemCache } from './kmem-cache.js';
import type { SlabPages } from './slab-interfaces.js';

export class PageAllocatorPages implements SlabPages {
  /** The page allocator does not say which of its pages came from the reserves. */
  readonly lastWasPfmemalloc = false;

  constructor(readonly mm: PageAllocator) {}

  /** A request that may not wait drops all of the cache's wishes: zone, mobility, and that it be this node. */
  allocSlabPages(cpu: number, gfp: number, order: number, node: number, noSpin: boolean): number {
    if (noSpin) return allocPagesNolock(this.mm, cpu, order, node, false);
    const pfn = allocPages(this.mm, cpu, gfp, order, node, false);
    // What a page holds is known here, so nobody may free it on a guess.
    if (pfn !== NO_PFN) this.mm.slabObjects?.remove(pfn, order);
    return pfn;
  }

  freeSlabPages(cpu: number, pfn: number, order: number, _cache: KmemCache | null, noSpin?: boolean): void {
    if (noSpin) freePagesNolock(this.mm, cpu, pfn, order);
    else freePages(this.mm, cpu, pfn, order);
  }

  nodeOf(pfn: number): number {
    return this.mm.zoneOf(pfn).node;
  }
}
