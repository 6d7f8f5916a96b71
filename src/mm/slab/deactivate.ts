/**
 * Taking a CPU's slab away from it: its private freelist goes back into the slab, and the slab to its node.
 * model: slub 2.5
 */
import { discardSlab } from './discard-slab.js';
import type { KmemCache } from './kmem-cache.js';
import { addPartial } from './node-partial-list.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SlabLock } from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLAB, NO_SLOT, SLAB_FROZEN } from './slab-table.js';

/** Leaves the CPU without a slab and gives the private freelist that it had. The local lock is held. */
export function detachCpuSlab(slabs: SlabAllocator, cache: KmemCache, cpu: number): number {
  const freelist = cache.freelist[cpu]!;
  cache.cpuSlab[cpu] = NO_SLAB;
  cache.freelist[cpu] = NO_SLOT;
  slabs.nextTid(cache, cpu);
  return freelist;
}

/** @param freelist private slots of the CPU that had the slab, NO_SLOT for none */
export function deactivateSlab(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  freelist: number,
): void {
  const { table } = slabs;
  const node = table.node[slab]!;
  // Whoever freed here from elsewhere makes the slab less attractive: it goes to the end.
  const atTail = table.freelist[slab] !== NO_SLOT;
  if (atTail) cache.stat(cpu, SlabStat.deactivate_remote_frees);
  spliceFreelist(slabs, slab, freelist);
  table.clearFlag(slab, SLAB_FROZEN);
  if (table.inuse[slab] === 0 && cache.nr_partial[node]! >= cache.min_partial) {
    cache.stat(cpu, SlabStat.deactivate_empty);
    discardSlab(slabs, cache, cpu, slab);
    cache.stat(cpu, SlabStat.free_slab);
  } else if (table.freelist[slab] !== NO_SLOT) {
    slabs.lock(SlabLock.list_lock, cache, node);
    addPartial(slabs, cache, node, slab, atTail);
    slabs.unlock(SlabLock.list_lock, cache, node);
    cache.stat(cpu, atTail ? SlabStat.deactivate_to_tail : SlabStat.deactivate_to_head);
  } else cache.stat(cpu, SlabStat.deactivate_full);
}

/** Private slots stand before those that others freed. */
function spliceFreelist(slabs: SlabAllocator, slab: number, freelist: number): void {
  if (freelist === NO_SLOT) return;
  const { table } = slabs;
  let last = freelist;
  let count = 1;
  for (let slot = table.nextFree(slab, last); slot !== NO_SLOT; slot = table.nextFree(slab, slot)) {
    last = slot;
    count++;
  }
  table.linkFree(slab, last, table.freelist[slab]!);
  table.freelist[slab] = freelist;
  table.inuse[slab] = table.inuse[slab]! - count;
}
