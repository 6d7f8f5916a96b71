/**
 * Taking slabs from the nodes' lists: one for the CPU, and some more for its chain; or, where CPUs have no slabs, one slot.
 * model: slub 2.3 step 7, 8a.4
 */

import { GFP_THISNODE_BIT } from '../gfp.js';
import { putCpuPartial } from './cpu-partial.js';
import { allocSingleFromPartial } from './debug-slab.js';
import type { KmemCache } from './kmem-cache.js';
import { removePartial } from './node-partial-list.js';
import { pfmemallocMatches } from './pfmemalloc.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SlabLock } from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLAB } from './slab-table.js';

/** Range of what the cycle counter is reduced to before it is held against the ratio. */
const DEFRAG_RATIO_SCALE = 1024;

/**
 * A slab with free slots from the wanted node, or, if the request may, from others.
 *
 * @returns the slab, which is on no list; of a debug cache, and beside sheaves, the slab that one slot was taken from
 *   (`slabs.slot`)
 */
export function getPartial(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  const first = node >= 0 ? node : slabs.localNode(cpu);
  const slab = getPartialNode(slabs, cache, cpu, gfp, first);
  if (slab !== NO_SLAB || (node >= 0 && gfp & GFP_THISNODE_BIT)) return slab;
  return getAnyPartial(slabs, cache, cpu, gfp);
}

function getPartialNode(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  slabs.reach('get_partial_node', cache, cpu);
  if (cache.nr_partial[node] === 0) return NO_SLAB;
  if (!slabs.lockFor(gfp, SlabLock.list_lock, cache, node)) return NO_SLAB;
  const slab =
    cache.takesSingly || slabs.usesSheaves
      ? takeOneSlot(slabs, cache, node, gfp)
      : takeSlabs(slabs, cache, cpu, node, gfp);
  const { slot } = slabs;
  slabs.unlock(SlabLock.list_lock, cache, node);
  slabs.slot = slot;
  return slab;
}

function takeOneSlot(slabs: SlabAllocator, cache: KmemCache, node: number, gfp: number): number {
  const slab = firstUsable(slabs, cache, node, gfp);
  if (slab !== NO_SLAB) allocSingleFromPartial(slabs, cache, node, slab);
  return slab;
}

/** The first usable slab, and the next ones for this CPU's chain up to half of what it may hold, and one. */
function takeSlabs(slabs: SlabAllocator, cache: KmemCache, cpu: number, node: number, gfp: number): number {
  const most = Math.floor(cache.cpu_partial_slabs / 2) + 1;
  let taken = NO_SLAB;
  let parked = 0;
  for (;;) {
    const slab = firstUsable(slabs, cache, node, gfp);
    if (slab === NO_SLAB) return taken;
    removePartial(slabs, cache, node, slab);
    if (taken === NO_SLAB) {
      taken = slab;
      cache.stat(cpu, SlabStat.alloc_from_partial);
      if (cache.cpu_partial_slabs === 0) return taken;
    } else {
      putCpuPartial(slabs, cache, cpu, slab, false);
      cache.stat(cpu, SlabStat.cpu_partial_node);
      if (++parked >= most) return taken;
    }
  }
}

/** Looked for anew each time: what strikes while a slab is parked is bound by no lock if it ignores them. */
function firstUsable(slabs: SlabAllocator, cache: KmemCache, node: number, gfp: number): number {
  let slab = cache.partial.head[node]!;
  while (slab !== NO_SLAB && !pfmemallocMatches(slabs, slab, gfp)) slab = slabs.table.next[slab]!;
  return slab;
}

/** Most of the time: the cycle counter says when not. */
export function mayLookAtOtherNodes(slabs: SlabAllocator, cache: KmemCache): boolean {
  const ratio = cache.remote_node_defrag_ratio;
  return ratio !== 0 && slabs.cycles() % DEFRAG_RATIO_SCALE <= ratio;
}

/** Other nodes that have more than they keep for themselves, nearest first. */
function getAnyPartial(slabs: SlabAllocator, cache: KmemCache, cpu: number, gfp: number): number {
  if (!mayLookAtOtherNodes(slabs, cache)) return NO_SLAB;
  for (const node of slabs.machine.node_order[slabs.machine.cpu_nodes[cpu]!]!) {
    if (cache.nr_partial[node]! <= cache.min_partial) continue;
    const slab = getPartialNode(slabs, cache, cpu, gfp, node);
    if (slab !== NO_SLAB) return slab;
  }
  return NO_SLAB;
}
