/**
 * The end of a slab: it leaves the node's count and its pages go back.
 * model: slub 2.6
 */
import type { KmemCache } from './kmem-cache.js';
import type { SlabAllocator } from './slab-allocator.js';

/** Takes a slab out of its node's counts. */
export function uncountSlab(slabs: SlabAllocator, cache: KmemCache, slab: number): void {
  const node = slabs.table.node[slab]!;
  cache.nr_slabs[node] = cache.nr_slabs[node]! - 1;
  cache.total_objects[node] = cache.total_objects[node]! - slabs.table.objects[slab]!;
}

/** Puts a slab into its node's counts. */
export function countSlab(slabs: SlabAllocator, cache: KmemCache, slab: number): void {
  const node = slabs.table.node[slab]!;
  cache.nr_slabs[node] = cache.nr_slabs[node]! + 1;
  cache.total_objects[node] = cache.total_objects[node]! + slabs.table.objects[slab]!;
}

/**
 * Gives the pages back. The slab is on no list and in no count any more.
 *
 * @param noSpin the caller must not wait for any lock
 */
export function freeSlab(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  noSpin = false,
): void {
  const { table } = slabs;
  slabs.charges?.slabGone(slab, cpu);
  slabs.observer?.slabGone(cache, slab, cpu);
  const pfn = table.pfn[slab]!;
  const order = table.order[slab]!;
  slabs.accountPages(cache, table.node[slab]!, -(2 ** order));
  table.release(slab);
  slabs.pages.freeSlabPages(cpu, pfn, order, cache, noSpin);
}

export function discardSlab(slabs: SlabAllocator, cache: KmemCache, cpu: number, slab: number): void {
  uncountSlab(slabs, cache, slab);
  freeSlab(slabs, cache, cpu, slab);
}
