/**
 * Many objects at once out of slabs: whole freelists of the node's partial list, then of other nodes', then of new slabs.
 * model: slub 8a.5
 */
import { GFP_RECLAIM } from '../../gfp.js';
import { discardSlab } from '../discard-slab.js';
import type { KmemCache } from '../kmem-cache.js';
import { newSlab } from '../new-slab.js';
import { mayLookAtOtherNodes } from '../node-partial.js';
import { addPartial, removePartial } from '../node-partial-list.js';
import type { ObjectArray } from '../object-array.js';
import { pfmemallocMatches } from '../pfmemalloc.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { freeToSlab } from '../slab-free.js';
import { SlabLock } from '../slab-interfaces.js';
import { SlabStat } from '../slab-stats.js';
import { NO_SLAB, NO_SLOT } from '../slab-table.js';
import { allocFromNewSlab } from './new-slab-objects.js';

/**
 * Fills places of `objects` from `start` on.
 *
 * @returns how many; fewer than `count` where there is no memory, none for requests that may not wait
 */
export function refillObjects(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  objects: ObjectArray,
  start: number,
  count: number,
): number {
  if ((gfp & GFP_RECLAIM) === 0) return 0;
  const home = slabs.localNode(cpu);
  let filled = refillFromNode(slabs, cache, cpu, gfp, home, true, objects, start, count);
  if (filled < count)
    filled += refillFromOthers(slabs, cache, cpu, gfp, objects, start + filled, count - filled);
  while (filled < count) {
    const slab = newSlab(slabs, cache, cpu, gfp, home);
    if (slab === NO_SLAB) break;
    cache.stat(cpu, SlabStat.alloc_slab);
    filled += allocFromNewSlab(slabs, cache, cpu, slab, objects, start + filled, count - filled, true);
  }
  return filled;
}

/** Other nodes that have more than they keep for themselves. No lock of theirs is waited for. */
function refillFromOthers(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  objects: ObjectArray,
  start: number,
  count: number,
): number {
  if (!mayLookAtOtherNodes(slabs, cache)) return 0;
  let filled = 0;
  for (const node of slabs.machine.node_order[slabs.machine.cpu_nodes[cpu]!]!) {
    if (cache.nr_partial[node]! <= cache.min_partial) continue;
    filled += refillFromNode(slabs, cache, cpu, gfp, node, false, objects, start + filled, count - filled);
    if (filled === count) break;
  }
  return filled;
}

function refillFromNode(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
  allowSpin: boolean,
  objects: ObjectArray,
  start: number,
  count: number,
): number {
  if (cache.nr_partial[node] === 0) return 0;
  if (!slabs.lockFor(allowSpin ? GFP_RECLAIM : 0, SlabLock.list_lock, cache, node)) return 0;
  let slab = isolateSlabs(slabs, cache, node, gfp, count);
  slabs.unlock(SlabLock.list_lock, cache, node);
  let filled = 0;
  while (slab !== NO_SLAB && filled < count) {
    const next = slabs.table.next[slab]!;
    filled += takeFreelist(slabs, cache, cpu, slab, objects, start + filled, count - filled);
    slab = next;
  }
  if (slab !== NO_SLAB) putBack(slabs, cache, cpu, node, slab);
  return filled;
}

/**
 * Takes slabs off the list until they have enough free slots. list_lock is held.
 *
 * @returns the one taken last, which leads to the one before it: that is the order in which they are used
 */
function isolateSlabs(
  slabs: SlabAllocator,
  cache: KmemCache,
  node: number,
  gfp: number,
  count: number,
): number {
  const { table } = slabs;
  let last = NO_SLAB;
  let free = 0;
  for (let slab = cache.partial.head[node]!; slab !== NO_SLAB && free < count; ) {
    const next = table.next[slab]!;
    if (pfmemallocMatches(slabs, slab, gfp)) {
      free += table.objects[slab]! - table.inuse[slab]!;
      removePartial(slabs, cache, node, slab);
      table.next[slab] = last;
      last = slab;
    }
    slab = next;
  }
  return last;
}

/** Empties the freelist of a slab that is on no list. What is too much for the array goes back as one free. */
function takeFreelist(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  objects: ObjectArray,
  start: number,
  count: number,
): number {
  const { table } = slabs;
  let slot = table.freelist[slab]!;
  table.freelist[slab] = NO_SLOT;
  table.inuse[slab] = table.objects[slab]!;
  table.next[slab] = NO_SLAB;
  let filled = 0;
  for (; slot !== NO_SLOT && filled < count; slot = table.nextFree(slab, slot)) {
    objects.slab[start + filled] = slab;
    objects.slot[start + filled] = slot;
    filled++;
  }
  if (slot === NO_SLOT) return filled;
  let tail = slot;
  let left = 1;
  for (let next = table.nextFree(slab, tail); next !== NO_SLOT; next = table.nextFree(slab, next)) {
    tail = next;
    left++;
  }
  freeToSlab(slabs, cache, cpu, slab, slot, tail, left);
  return filled;
}

/** Slabs that were taken for nothing, because others freed into those before them, go back to the head of the list. */
function putBack(slabs: SlabAllocator, cache: KmemCache, cpu: number, node: number, first: number): void {
  const { table } = slabs;
  let discarded = NO_SLAB;
  slabs.lock(SlabLock.list_lock, cache, node);
  for (let slab = first; slab !== NO_SLAB; ) {
    const next = table.next[slab]!;
    if (table.inuse[slab] === 0 && cache.nr_partial[node]! >= cache.min_partial) {
      table.next[slab] = discarded;
      discarded = slab;
    } else addPartial(slabs, cache, node, slab, false);
    slab = next;
  }
  slabs.unlock(SlabLock.list_lock, cache, node);
  discardChain(slabs, cache, cpu, discarded);
}

/** They stand in reversed order, and go first to last. */
function discardChain(slabs: SlabAllocator, cache: KmemCache, cpu: number, last: number): void {
  const chain: number[] = [];
  for (let slab = last; slab !== NO_SLAB; slab = slabs.table.next[slab]!) chain.push(slab);
  for (let i = chain.length - 1; i >= 0; i--) discardSlab(slabs, cache, cpu, chain[i]!);
}
