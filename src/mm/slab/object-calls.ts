/**
 * kmem_cache_alloc() and kmem_cache_free() as callers know them: the allocator proper, and the hooks around it.
 * model: slub 2.3, 2.6
 */
import type { KmemCache } from './kmem-cache.js';
import { slabAlloc } from './slab-alloc.js';
import type { SlabAllocator } from './slab-allocator.js';
import { slabFree } from './slab-free.js';

/** @returns the object's slab, its slot in `slabs.slot`; NO_SLAB for none */
export function allocObject(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  return slabAlloc(slabs, cache, cpu, gfp, node);
}

export function freeObject(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  slot: number,
): void {
  slabFree(slabs, cache, cpu, slab, slot);
}
