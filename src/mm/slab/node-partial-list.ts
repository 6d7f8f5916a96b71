/**
 * Entering and leaving a node's list of partly free slabs. Whoever calls holds its list_lock.
 * model: slub 2.1
 */
import type { KmemCache } from './kmem-cache.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SLAB_NODE_PARTIAL } from './slab-table.js';

export function addPartial(
  slabs: SlabAllocator,
  cache: KmemCache,
  node: number,
  slab: number,
  atTail: boolean,
): void {
  cache.nr_partial[node] = cache.nr_partial[node]! + 1;
  if (atTail) cache.partial.addTail(node, slab);
  else cache.partial.addHead(node, slab);
  slabs.table.setFlag(slab, SLAB_NODE_PARTIAL);
}

export function removePartial(slabs: SlabAllocator, cache: KmemCache, node: number, slab: number): void {
  cache.partial.remove(node, slab);
  slabs.table.clearFlag(slab, SLAB_NODE_PARTIAL);
  cache.nr_partial[node] = cache.nr_partial[node]! - 1;
}
