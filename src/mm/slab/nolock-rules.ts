/**
 * Who kmalloc_nolock() and kfree_nolock() serve on which build, and what they find out about the local lock there.
 * model: slub 3.2, 3.6, 4.2
 */
import { Context } from '../context.js';
import type { KmemCache } from './kmem-cache.js';
import type { SlabAllocator } from './slab-allocator.js';
import { CMPXCHG_DOUBLE } from './slab-flags.js';
import { SlabLock } from './slab-interfaces.js';

/** Contexts in which nothing may sleep on any build. */
export function isAtomic(context: Context): boolean {
  return context >= Context.hardirq;
}

/** The build does not serve requests of this context at all. model: slub 3.6 */
export function refusesContext({ build, policy, mayPreempt }: SlabAllocator, context: Context): boolean {
  if (!build.smp && context === Context.nmi && policy['nolock.up_nmi'] === 'refused') return true;
  if (!build.preempt_rt) return false;
  return isAtomic(context) || (policy['slab.nolock_rt_test'] === 'not_preemptible' && !mayPreempt);
}

/** Freelist and counters change in one step, or, where slots go singly, under a lock that can be tried. model: slub 3.6 */
export function canServeNolock({ geometry, isDebug }: KmemCache): boolean {
  return isDebug || (geometry.flags & CMPXCHG_DOUBLE) !== 0;
}

/** The local lock is in the way of an allocation, even of one without it: another cache must do. model: slub 3.2 step 3 */
export function isBusy(slabs: SlabAllocator, cache: KmemCache, cpu: number, context: Context): boolean {
  const asks = context === Context.nmi || !slabs.hasLocklessPath;
  return asks && localLockIsHeld(slabs, cache, cpu);
}

/** SLUB_TINY has no such lock. */
export function localLockIsHeld(slabs: SlabAllocator, cache: KmemCache, cpu: number): boolean {
  return !slabs.build.slub_tiny && slabs.isHeldBelow(SlabLock.cpu_slab, cache, cpu);
}

/** A slot of the CPU's own slab can go back at once. model: slub 4.2 */
export function mayFreeAtOnce(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  context: Context,
): boolean {
  const asks = context === Context.nmi || !slabs.hasLocklessPath;
  return !(asks && slabs.isHeldBelow(SlabLock.cpu_slab, cache, cpu));
}
