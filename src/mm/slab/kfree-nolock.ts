/**
 * kfree_nolock(): gives an object of kmalloc_nolock() back from any context. Only a slot of this CPU's own slab can go
 * back without a lock; all others are left to later, and count as in use until then.
 * model: slub 4, 8a.8
 */
import type { Context } from '../context.js';
import type { DeferredWork } from './deferred.js';
import { isAtomic, mayFreeAtOnce } from './nolock-rules.js';
import { freesFromAnywhere } from './sheaves/sheaf-free.js';
import type { SlabAllocator } from './slab-allocator.js';
import { slabFree, slabFreeFast } from './slab-free.js';
import { SlabHazard } from './slab-hazards.js';

/** @returns whether the slot is free now, and not only later */
export function kfreeNolock(
  deferred: DeferredWork,
  cpu: number,
  slab: number,
  slot: number,
  context: Context,
): boolean {
  const { allocator } = deferred;
  const cache = allocator.caches[allocator.table.cache[slab]!]!;
  // The charge goes at once, even if the slot waits.
  if (allocator.charges !== null) allocator.charges.freed(cache, cpu, slab, slot);
  if (allocator.usesSheaves) {
    // A lock that sleeps is not even tried there. model: slub 3.6
    const mayTry = !(allocator.build.preempt_rt && isAtomic(context));
    if (mayTry && freesFromAnywhere(allocator, cache, cpu, slab, slot)) return true;
    deferred.freeObjectLater(cpu, slab, slot);
    return false;
  }
  for (;;) {
    if (cache.cpuSlab[cpu] !== slab || !mayFreeAtOnce(allocator, cache, cpu, context)) {
      deferred.freeObjectLater(cpu, slab, slot);
      return false;
    }
    if (!allocator.hasLocklessPath) {
      allocator.noteRtLock(cache, cpu, isAtomic(context));
      slabFree(allocator, cache, cpu, slab, slot);
      return true;
    }
    if (slabFreeFast(allocator, cache, cpu, slab, slot)) return true;
  }
}

/** The same for a large object of kmalloc(): it warns, and nobody gives the pages back any more. model: slub 4.1 */
export function kfreeNolockLarge(slabs: SlabAllocator, order: number): void {
  slabs.hazards.note(SlabHazard.large_kfree_nolock);
  slabs.hazards.leaked_pages += 2 ** order;
}

/**
 * Notes a free by the call that does not belong to the object's. It is done all the same. model: slub 4.1
 *
 * @param madeByNolock the object is one of kmalloc_nolock(), @param freedByNolock kfree_nolock() is asked to free it
 */
export function noteMixedFree(slabs: SlabAllocator, madeByNolock: boolean, freedByNolock: boolean): void {
  if (madeByNolock === freedByNolock) return;
  if (freedByNolock) slabs.hazards.note(SlabHazard.kfree_nolock_of_kmalloc);
  else if (!slabs.policy['slab.kfree_takes_nolock']) slabs.hazards.note(SlabHazard.kfree_of_kmalloc_nolock);
}
