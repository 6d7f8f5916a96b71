/**
 * Allocation and free of many objects in one call.
 * model: slub 2.6a
 */
import { freeGroups } from './free-groups.js';
import type { KmemCache } from './kmem-cache.js';
import type { ObjectArray } from './object-array.js';
import { sheafAllocBulk, sheafFreeBulk } from './sheaves/sheaf-bulk.js';
import { NO_NODE, slabAllocSlow } from './slab-alloc.js';
import type { SlabAllocator } from './slab-allocator.js';
import { slabFreeGroup } from './slab-free.js';
import { SlabLock } from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLAB, NO_SLOT } from './slab-table.js';

export { ObjectArray } from './object-array.js';

/**
 * Fills the first `count` places of `objects`, all or none.
 *
 * @returns `count`, or 0
 */
export function slabAllocBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  count: number,
  objects: ObjectArray,
): number {
  objects.reserve(count);
  if (slabs.usesSheaves) return sheafAllocBulk(slabs, cache, cpu, gfp, count, objects);
  slabs.lock(SlabLock.cpu_slab, cache, cpu);
  for (let i = 0; i < count; i++) {
    const slot = cache.freelist[cpu]!;
    if (slot !== NO_SLOT) {
      const slab = cache.cpuSlab[cpu]!;
      cache.freelist[cpu] = slabs.table.nextFree(slab, slot);
      objects.slab[i] = slab;
      objects.slot[i] = slot;
      cache.stat(cpu, SlabStat.alloc_fastpath);
      continue;
    }
    // What was popped so far becomes visible, the slow path takes the lock by itself.
    slabs.nextTid(cache, cpu);
    slabs.unlock(SlabLock.cpu_slab, cache, cpu);
    const slab = slabAllocSlow(slabs, cache, cpu, gfp, NO_NODE);
    if (slab === NO_SLAB) {
      freeGroups(slabs, cache, cpu, objects, 0, i, false, null, slabFreeGroup);
      return 0;
    }
    objects.slab[i] = slab;
    objects.slot[i] = slabs.slot;
    slabs.lock(SlabLock.cpu_slab, cache, cpu);
  }
  slabs.nextTid(cache, cpu);
  slabs.unlock(SlabLock.cpu_slab, cache, cpu);
  return count;
}

/** Frees the first `count` objects. Their order in the array is changed. */
export function slabFreeBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  objects: ObjectArray,
  count: number,
): void {
  const { charges, turnsBulkFrees } = slabs;
  if (slabs.usesSheaves) sheafFreeBulk(slabs, cache, cpu, objects, count);
  else freeGroups(slabs, cache, cpu, objects, 0, count, turnsBulkFrees, charges, slabFreeGroup);
}
