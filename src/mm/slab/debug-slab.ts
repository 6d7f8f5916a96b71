/**
 * Caches that are debugged, and all of SLUB_TINY: no CPU has a slab of its own, each slot is taken and given back under the node's list_lock.
 * model: slub 2.3 (debug caches), 2.6 (locked free)
 */
import { countSlab, freeSlab, uncountSlab } from './discard-slab.js';
import type { KmemCache } from './kmem-cache.js';
import { addPartial, removePartial } from './node-partial-list.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SlabLock } from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLAB, NO_SLOT, SLAB_FROZEN, SLAB_ON_FULL_LIST } from './slab-table.js';

/** Takes the first free slot of a slab on the partial list. list_lock is held; the slot is left in `slabs.slot`. */
export function allocSingleFromPartial(
  slabs: SlabAllocator,
  cache: KmemCache,
  node: number,
  slab: number,
): void {
  takeFirstSlot(slabs, slab);
  if (slabs.table.inuse[slab] !== slabs.table.objects[slab]) return;
  removePartial(slabs, cache, node, slab);
  addFull(slabs, cache, node, slab);
}

/**
 * The first slot of a new slab, which then goes to the head of its list. Where the request may not wait for the list the
 * slab is left to be freed later, or, beside sheaves, goes back at once (8a.8).
 *
 * @returns the slab, or NO_SLAB
 */
export function allocSingleFromNewSlab(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  slab: number,
): number {
  const { table } = slabs;
  const node = table.node[slab]!;
  if (!slabs.lockFor(gfp, SlabLock.list_lock, cache, node)) {
    putAside(slabs, cache, cpu, slab);
    slabs.slot = NO_SLOT;
    return NO_SLAB;
  }
  takeFirstSlot(slabs, slab);
  const { slot } = slabs;
  if (table.inuse[slab] === table.objects[slab]) addFull(slabs, cache, node, slab);
  else addPartial(slabs, cache, node, slab, false);
  countSlab(slabs, cache, slab);
  slabs.unlock(SlabLock.list_lock, cache, node);
  slabs.slot = slot;
  return slab;
}

/** A new slab that no list takes. Kernels before the fix put it away like one that had been in use. model: slub 8.2 */
function putAside(slabs: SlabAllocator, cache: KmemCache, cpu: number, slab: number): void {
  const { deferred, policy, table } = slabs;
  if (slabs.usesSheaves || deferred === null) {
    freeSlab(slabs, cache, cpu, slab, true);
  } else if (policy['slab.deferred_new_slab'] === 'deactivated') {
    table.setFlag(slab, SLAB_FROZEN);
    deferred.deactivateLater(cache, cpu, slab, NO_SLOT);
  } else deferred.freeLater(cpu, slab);
}

function takeFirstSlot(slabs: SlabAllocator, slab: number): void {
  const { table } = slabs;
  const slot = table.freelist[slab]!;
  table.freelist[slab] = table.nextFree(slab, slot);
  table.inuse[slab] = table.inuse[slab]! + 1;
  slabs.slot = slot;
}

/** Gives linked slots of one slab back. */
export function freeToPartialList(
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
  slabs.lock(SlabLock.list_lock, cache, node);
  const wasFull = table.freelist[slab] === NO_SLOT;
  table.linkFree(slab, tail, table.freelist[slab]!);
  table.freelist[slab] = head;
  table.inuse[slab] = table.inuse[slab]! - count;
  const goes = table.inuse[slab] === 0 && cache.nr_partial[node]! >= cache.min_partial;
  if (wasFull) {
    removeFull(slabs, cache, node, slab);
    if (!goes) {
      addPartial(slabs, cache, node, slab, true);
      cache.stat(cpu, SlabStat.free_add_partial);
    }
  } else if (goes) {
    removePartial(slabs, cache, node, slab);
    cache.stat(cpu, SlabStat.free_remove_partial);
  }
  if (goes) uncountSlab(slabs, cache, slab);
  slabs.unlock(SlabLock.list_lock, cache, node);
  if (!goes) return;
  cache.stat(cpu, SlabStat.free_slab);
  freeSlab(slabs, cache, cpu, slab);
}

function addFull(slabs: SlabAllocator, cache: KmemCache, node: number, slab: number): void {
  if (!cache.keepsFullList) return;
  cache.full.addHead(node, slab);
  slabs.table.setFlag(slab, SLAB_ON_FULL_LIST);
}

function removeFull(slabs: SlabAllocator, cache: KmemCache, node: number, slab: number): void {
  if (!cache.keepsFullList) return;
  cache.full.remove(node, slab);
  slabs.table.clearFlag(slab, SLAB_ON_FULL_LIST);
}
