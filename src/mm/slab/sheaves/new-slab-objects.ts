/**
 * Objects out of a new slab, in the order of their addresses; what is left of it goes to the head of its node's list.
 * model: slub 8a.5
 */
import { countSlab, freeSlab } from '../discard-slab.js';
import type { KmemCache } from '../kmem-cache.js';
import { addPartial } from '../node-partial-list.js';
import type { ObjectArray } from '../object-array.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { SlabLock } from '../slab-interfaces.js';

/**
 * Fills places of `objects` from `start` on. A request that may not wait, and does not get the list's lock, gives the slab
 * back at once.
 *
 * @returns how many
 */
export function allocFromNewSlab(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  objects: ObjectArray,
  start: number,
  count: number,
  allowSpin: boolean,
): number {
  const { table } = slabs;
  const node = table.node[slab]!;
  const isLeft = table.objects[slab]! > count;
  if (isLeft && !allowSpin && !slabs.lockFor(0, SlabLock.list_lock, cache, node)) {
    freeSlab(slabs, cache, cpu, slab, true);
    return 0;
  }
  const taken = Math.min(count, table.objects[slab]!);
  let slot = table.freelist[slab]!;
  for (let i = 0; i < taken; i++) {
    objects.slab[start + i] = slab;
    objects.slot[start + i] = slot;
    slot = table.nextFree(slab, slot);
  }
  table.freelist[slab] = slot;
  table.inuse[slab] = taken;
  if (isLeft) {
    if (allowSpin) slabs.lock(SlabLock.list_lock, cache, node);
    addPartial(slabs, cache, node, slab, false);
    slabs.unlock(SlabLock.list_lock, cache, node);
  }
  countSlab(slabs, cache, slab);
  return taken;
}
