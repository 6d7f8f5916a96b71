/**
 * Emptying what CPUs hold of a cache, and putting a node's list in order.
 * model: slub 2.6b, 8a.7
 */
import { putPartials, takeChain } from './cpu-partial.js';
import { deactivateSlab, detachCpuSlab } from './deactivate.js';
import { freeSlab, uncountSlab } from './discard-slab.js';
import type { KmemCache } from './kmem-cache.js';
import { removePartial } from './node-partial-list.js';
import { flushSheavesOf, hasSheavesToFlush, shrinkBarns } from './sheaves/sheaf-flush.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SlabLock } from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLAB } from './slab-table.js';

/** Slabs with at most so many free slots are sorted by a shrink; the others stay behind them. */
const SHRINK_PROMOTE_MAX = 32;

/** One CPU gives up its slab and its chain, or what is in its sheaves. */
export function flushCpuSlab(slabs: SlabAllocator, cache: KmemCache, cpu: number): void {
  if (slabs.usesSheaves) {
    flushSheavesOf(slabs, cache, cpu);
    return;
  }
  if (cache.cpuSlab[cpu] !== NO_SLAB) {
    slabs.lock(SlabLock.cpu_slab, cache, cpu);
    const slab = cache.cpuSlab[cpu]!;
    const freelist = detachCpuSlab(slabs, cache, cpu);
    slabs.unlock(SlabLock.cpu_slab, cache, cpu);
    if (slab !== NO_SLAB) {
      deactivateSlab(slabs, cache, cpu, slab, freelist);
      cache.stat(cpu, SlabStat.cpuslab_flush);
    }
  }
  if (cache.cpuPartial[cpu] === NO_SLAB) return;
  slabs.lock(SlabLock.cpu_slab, cache, cpu);
  const chain = takeChain(cache, cpu);
  slabs.unlock(SlabLock.cpu_slab, cache, cpu);
  if (chain !== NO_SLAB) putPartials(slabs, cache, cpu, chain);
}

/** All CPUs, in the order of their numbers; a kernel does it on all at once, so that the order of the lists is a race. */
export function flushAllCpus(slabs: SlabAllocator, cache: KmemCache): void {
  for (let cpu = 0; cpu < cache.cpus; cpu++)
    if (cache.cpuSlab[cpu] !== NO_SLAB || cache.cpuPartial[cpu] !== NO_SLAB || hasSheavesToFlush(cache, cpu))
      flushCpuSlab(slabs, cache, cpu);
}

/** Flushes all CPUs, frees the nodes' empty slabs and sorts the rest, fullest first. @param cpu that asks for it */
export function shrinkCache(slabs: SlabAllocator, cache: KmemCache, cpu: number): void {
  flushAllCpus(slabs, cache);
  shrinkBarns(slabs, cache, cpu);
  for (let node = 0; node < cache.nodes; node++) shrinkNode(slabs, cache, cpu, node);
}

function shrinkNode(slabs: SlabAllocator, cache: KmemCache, cpu: number, node: number): void {
  const { table } = slabs;
  const empty: number[] = [];
  /** by free slots */
  const promoted = Array.from({ length: SHRINK_PROMOTE_MAX + 1 }, (): number[] => []);
  slabs.lock(SlabLock.list_lock, cache, node);
  for (let slab = cache.partial.head[node]!; slab !== NO_SLAB; ) {
    const next = table.next[slab]!;
    const free = table.objects[slab]! - table.inuse[slab]!;
    if (free === table.objects[slab]) {
      removePartial(slabs, cache, node, slab);
      uncountSlab(slabs, cache, slab);
      empty.push(slab);
    } else if (free <= SHRINK_PROMOTE_MAX) {
      cache.partial.remove(node, slab);
      promoted[free]!.push(slab);
    }
    slab = next;
  }
  // Each goes to the head, so those of equal fullness end up in reversed order.
  for (let free = SHRINK_PROMOTE_MAX; free >= 1; free--)
    for (const slab of promoted[free]!) cache.partial.addHead(node, slab);
  slabs.unlock(SlabLock.list_lock, cache, node);
  for (let i = empty.length - 1; i >= 0; i--) freeSlab(slabs, cache, cpu, empty[i]!);
}
