/**
 * kfree_nolock(): gives an object of kmalloc_nolock() back from any context. Only a slot of this CPU's own slab can go
 * back without a lock; all others are left to later, and count as in use until then.
 * model: slub 4
 */
import { Context } from '../context.js';
import type { DeferredWork } from './deferred.js';
import { slabFree } from './slab-free.js';
import { SlabLock } from './slab-interfaces.js';

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
  const isOwn = cache.cpuSlab[cpu] === slab;
  if (!isOwn || (context === Context.nmi && allocator.isHeldBelow(SlabLock.cpu_slab, cache, cpu))) {
    deferred.freeObjectLater(cpu, slab, slot);
    return false;
  }
  slabFree(allocator, cache, cpu, slab, slot);
  return true;
}
