/**
 * The chain of partly free slabs that a CPU keeps for itself: slabs that were full until something in them was freed here,
 * and slabs taken from a node's list in advance.
 * model: slub 2.3 step 6, 2.6
 */
import { discardSlab } from './discard-slab.js';
import type { KmemCache } from './kmem-cache.js';
import { addPartial } from './node-partial-list.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SlabLock } from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLAB } from './slab-table.js';

/** Takes the head off the chain, which is not empty. The local lock is held. */
export function popCpuPartial(slabs: SlabAllocator, cache: KmemCache, cpu: number): number {
  const slab = cache.cpuPartial[cpu]!;
  cache.cpuPartial[cpu] = slabs.table.next[slab]!;
  cache.cpu_partial_count[cpu] = cache.cpu_partial_count[cpu]! - 1;
  return slab;
}

/**
 * Puts a slab at the head of the CPU's chain.
 *
 * @param drains a chain that is full goes to the nodes as a whole, and the slab begins a new one; a refill never drains
 */
export function putCpuPartial(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  drains: boolean,
): void {
  slabs.reach('put_cpu_partial', cache, cpu);
  slabs.lock(SlabLock.cpu_slab, cache, cpu);
  let oldest = NO_SLAB;
  if (drains && cache.cpuPartial[cpu] !== NO_SLAB && cache.cpu_partial_count[cpu]! >= cache.cpu_partial_slabs)
    oldest = takeChain(cache, cpu);
  slabs.table.next[slab] = cache.cpuPartial[cpu]!;
  cache.cpuPartial[cpu] = slab;
  cache.cpu_partial_count[cpu] = cache.cpu_partial_count[cpu]! + 1;
  slabs.unlock(SlabLock.cpu_slab, cache, cpu);
  if (oldest === NO_SLAB) return;
  putPartials(slabs, cache, cpu, oldest);
  cache.stat(cpu, SlabStat.cpu_partial_drain);
}

/** Detaches the whole chain and gives its first slab. The local lock is held. */
export function takeChain(cache: KmemCache, cpu: number): number {
  const first = cache.cpuPartial[cpu]!;
  cache.cpuPartial[cpu] = NO_SLAB;
  cache.cpu_partial_count[cpu] = 0;
  return first;
}

/**
 * Gives slabs of a detached chain to their nodes: to the tail of the list, or, where a node has enough, empty ones back
 * to the page allocator.
 */
export function putPartials(slabs: SlabAllocator, cache: KmemCache, cpu: number, first: number): void {
  slabs.reach('put_partials', cache, cpu);
  const { table } = slabs;
  let lockedNode = -1;
  let discarded = NO_SLAB;
  for (let slab = first; slab !== NO_SLAB; ) {
    const next = table.next[slab]!;
    const node = table.node[slab]!;
    if (node !== lockedNode) {
      if (lockedNode >= 0) slabs.unlock(SlabLock.list_lock, cache, lockedNode);
      lockedNode = node;
      slabs.lock(SlabLock.list_lock, cache, node);
    }
    if (table.inuse[slab] === 0 && cache.nr_partial[node]! >= cache.min_partial) {
      table.next[slab] = discarded;
      discarded = slab;
    } else {
      addPartial(slabs, cache, node, slab, true);
      cache.stat(cpu, SlabStat.free_add_partial);
    }
    slab = next;
  }
  if (lockedNode >= 0) slabs.unlock(SlabLock.list_lock, cache, lockedNode);
  // The last one found goes first.
  for (let slab = discarded; slab !== NO_SLAB; ) {
    const next = table.next[slab]!;
    cache.stat(cpu, SlabStat.deactivate_empty);
    discardSlab(slabs, cache, cpu, slab);
    cache.stat(cpu, SlabStat.free_slab);
    slab = next;
  }
}
