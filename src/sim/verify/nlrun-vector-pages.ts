/**
 * Pages that the caches of vectors take in an accounted run. The record does not have these caches, so when one of them
 * needs a slab cannot be predicted; only the dump at the end tells that pages are gone.
 *
 * A first pass notes what each request for a vector would have got. A chunk that is missing at the end is taken, in a second
 * pass, at the last request that would have got just this chunk. Everything is compared again then.
 */
import { GFP_COMP_BIT, GFP_KSWAPD_RECLAIM_BIT, GFP_NORETRY_BIT, GFP_NOWARN_BIT } from '../../mm/gfp.js';
import { type ExactState, exactState } from '../../mm/page-alloc/exact-state.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { pcpAllowedOrder, pcpListIndex, pcpListOrder } from '../../mm/page-alloc/per-cpu-pages.js';
import type { KmallocCaches } from '../../mm/slab/kmalloc.js';
import type { SlabPages } from '../../mm/slab/slab-interfaces.js';
import { MAX_PAGE_ORDER, Migratetype, NO_PFN } from '../../mm/types.js';

const VECTOR_GFP = GFP_KSWAPD_RECLAIM_BIT | GFP_COMP_BIT | GFP_NOWARN_BIT | GFP_NORETRY_BIT;

/** Told of each request for a vector. */
export interface VectorRequests {
  requested(bytes: number, noSpin: boolean): void;
}

export class VectorPages implements VectorRequests {
  #requests = 0;
  /** last request that would have got a chunk, by chunk */
  readonly #nextAt = new Map<number, number>();

  /** @param growing requests, counted from 0, for which a cache takes a slab */
  constructor(
    readonly mm: PageAllocator,
    readonly pages: SlabPages,
    readonly kmalloc: KmallocCaches,
    readonly growing: ReadonlySet<number>,
  ) {}

  requested(bytes: number, noSpin: boolean): void {
    const request = this.#requests++;
    const order = this.kmalloc.cacheFor(bytes, 0)?.geometry.order ?? MAX_PAGE_ORDER;
    if (this.growing.has(request)) {
      this.pages.allocSlabPages(0, VECTOR_GFP, order, 0, noSpin);
      return;
    }
    const next = this.#nextChunk(order);
    if (next !== NO_PFN) this.#nextAt.set(chunk(next, order), request);
  }

  /** First chunk of the per-CPU list that a slab would be taken from. */
  #nextChunk(order: number): number {
    if (!pcpAllowedOrder(order)) return NO_PFN;
    const list = this.mm.zones.at(-1)!.pcps[0]!.lists[pcpListIndex(order, Migratetype.unmovable)]!;
    return list.length === 0 ? NO_PFN : list.at(0);
  }

  /** Requests at which a chunk was next that the kernel, in the end, has not. */
  explaining(kernel: ExactState): Set<number> {
    const theirs = pcpChunks(kernel);
    const found = new Set<number>();
    for (const one of pcpChunks(exactState(this.mm))) {
      const request = this.#nextAt.get(one);
      if (!theirs.has(one) && request !== undefined) found.add(request);
    }
    return found;
  }
}

function chunk(pfn: number, order: number): number {
  return pfn * (MAX_PAGE_ORDER + 1) + order;
}

function pcpChunks({ zones }: ExactState): Set<number> {
  const chunks = new Set<number>();
  for (const { pcps } of zones)
    for (const { lists } of pcps)
      for (const { index, pfns } of lists)
        for (const pfn of pfns) chunks.add(chunk(pfn, pcpListOrder(index)));
  return chunks;
}
