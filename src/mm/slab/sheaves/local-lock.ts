/**
 * The local lock of a cache's sheaves on one CPU. All who allocate and free only try it: who interrupted its holder on the
 * same CPU goes without sheaves.
 * model: slub 8a.2
 */
import type { KmemCache } from '../kmem-cache.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { SlabLock } from '../slab-interfaces.js';

/** @returns whether the lock is had */
export function tryLocalLock(slabs: SlabAllocator, cache: KmemCache, cpu: number): boolean {
  if (slabs.isHeldBelow(SlabLock.cpu_slab, cache, cpu)) return false;
  slabs.lock(SlabLock.cpu_slab, cache, cpu);
  return true;
}

export function localUnlock(slabs: SlabAllocator, cache: KmemCache, cpu: number): void {
  slabs.unlock(SlabLock.cpu_slab, cache, cpu);
}
