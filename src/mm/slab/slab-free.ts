/**
 * Frees of slots of one slab: onto the private freelist if the slab is this CPU's, else onto the slab's own, with what
 * follows when that changes where the slab belongs.
 * model: slub 2.6
 */
import { putCpuPartial } from './cpu-partial.js';
import { freeToPartialList } from './debug-slab.js';
import { discardSlab } from './discard-slab.js';
import type { KmemCache } from './kmem-cache.js';
import { addPartial, removePartial } from './node-partial-list.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SlabLock } from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLOT, SLAB_FROZEN, SLAB_NODE_PARTIAL } from './slab-table.js';

/** Frees one object. */
export function slabFree(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  slot: number,
): void {
  if (cache.cpuSlab[cpu] !== slab) {
    slabFreeSlow(slabs, cache, cpu, slab, slot, slot, 1);
    return;
  }
  if (!slabs.hasLocklessPath) {
    slabFreeGroup(slabs, cache, cpu, slab, slot, slot, 1);
    return;
  }
  if (!slabFreeFast(slabs, cache, cpu, slab, slot)) slabFree(slabs, cache, cpu, slab, slot);
}

/**
 * The fast path of a slot whose slab is this CPU's.
 *
 * @returns false, with nothing done, if an interruption changed the private freelist before the end: then all must be looked at again
 */
export function slabFreeFast(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  slot: number,
): boolean {
  if (slabs.points !== null && !slabs.exchanges('free_fastpath', cache, cpu)) return false;
  const { table } = slabs;
  table.links[table.base[slab]! + slot] = cache.freelist[cpu]!;
  cache.freelist[cpu] = slot;
  slabs.nextTid(cache, cpu);
  cache.stat(cpu, SlabStat.free_fastpath);
  return true;
}

/** Frees slots of one slab that are linked from `head` to `tail`. */
export function slabFreeGroup(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  head: number,
  tail: number,
  count: number,
): void {
  if (cache.cpuSlab[cpu] !== slab) {
    slabFreeSlow(slabs, cache, cpu, slab, head, tail, count);
    return;
  }
  const locks = !slabs.hasLocklessPath;
  if (locks) {
    slabs.lock(SlabLock.cpu_slab, cache, cpu);
    if (cache.cpuSlab[cpu] !== slab) {
      slabs.unlock(SlabLock.cpu_slab, cache, cpu);
      slabFreeSlow(slabs, cache, cpu, slab, head, tail, count);
      return;
    }
  } else if (slabs.points !== null && !slabs.exchanges('free_fastpath', cache, cpu)) {
    slabFreeGroup(slabs, cache, cpu, slab, head, tail, count);
    return;
  }
  slabs.table.linkFree(slab, tail, cache.freelist[cpu]!);
  cache.freelist[cpu] = head;
  slabs.nextTid(cache, cpu);
  if (locks) slabs.unlock(SlabLock.cpu_slab, cache, cpu);
  cache.stat(cpu, SlabStat.free_fastpath, count);
}

/** The slow path, also for slabs that are this CPU's: then the private freelist is left alone. */
export function slabFreeSlow(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  head: number,
  tail: number,
  count: number,
): void {
  slabs.reach('slab_free', cache, cpu);
  cache.stat(cpu, SlabStat.free_slowpath);
  slabs.deferred?.visit?.(slab, cpu);
  freeToSlab(slabs, cache, cpu, slab, head, tail, count);
}

/** Puts linked slots on their slab's own freelist, with what follows for the slab. No call of a free is counted. */
export function freeToSlab(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  head: number,
  tail: number,
  count: number,
): void {
  if (cache.takesSingly) {
    freeToPartialList(slabs, cache, cpu, slab, head, tail, count);
    return;
  }
  pushAndPlace(slabs, cache, cpu, slab, head, tail, count);
}

/** Pushes onto the slab's own freelist; begins anew if the slab changed while the list's lock was taken. model: slub 7.2 */
function pushAndPlace(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  head: number,
  tail: number,
  count: number,
): void {
  const { table } = slabs;
  const node = table.node[slab]!;
  const prior = table.freelist[slab]!;
  const inuse = table.inuse[slab]!;
  const wasFull = prior === NO_SLOT;
  const wasFrozen = table.hasFlag(slab, SLAB_FROZEN);
  // The list must not change between the push and the look at it.
  const locks = !wasFrozen && (wasFull ? !cache.hasCpuPartial : inuse === count);
  if (locks) {
    slabs.lock(SlabLock.list_lock, cache, node);
    if (
      table.freelist[slab] !== prior ||
      table.inuse[slab] !== inuse ||
      table.hasFlag(slab, SLAB_FROZEN) !== wasFrozen
    ) {
      cache.stat(cpu, SlabStat.cmpxchg_double_fail);
      slabs.unlock(SlabLock.list_lock, cache, node);
      pushAndPlace(slabs, cache, cpu, slab, head, tail, count);
      return;
    }
  }
  table.linkFree(slab, tail, prior);
  table.freelist[slab] = head;
  table.inuse[slab] = inuse - count;
  if (locks) {
    freeLocked(slabs, cache, cpu, slab, node, wasFull);
  } else if (wasFrozen) {
    cache.stat(cpu, SlabStat.free_frozen);
  } else if (wasFull) {
    putCpuPartial(slabs, cache, cpu, slab, true);
    cache.stat(cpu, SlabStat.cpu_partial_free);
  }
}

/** With list_lock, which it leaves: the slab became empty, or was full in a cache without chains. */
function freeLocked(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  node: number,
  wasFull: boolean,
): void {
  const { table } = slabs;
  const isOnSomeChain = !wasFull && !table.hasFlag(slab, SLAB_NODE_PARTIAL);
  const goes = !isOnSomeChain && table.inuse[slab] === 0 && cache.nr_partial[node]! >= cache.min_partial;
  if (goes && !wasFull) {
    removePartial(slabs, cache, node, slab);
    cache.stat(cpu, SlabStat.free_remove_partial);
  } else if (!goes && wasFull) {
    addPartial(slabs, cache, node, slab, true);
    cache.stat(cpu, SlabStat.free_add_partial);
  }
  slabs.unlock(SlabLock.list_lock, cache, node);
  if (!goes) return;
  cache.stat(cpu, SlabStat.free_slab);
  discardSlab(slabs, cache, cpu, slab);
}
