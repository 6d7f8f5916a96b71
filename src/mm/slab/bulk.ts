/**
 * Allocation and free of many objects in one call.
 * model: slub 2.6a
 */
import type { KmemCache } from './kmem-cache.js';
import { NO_NODE, slabAllocSlow } from './slab-alloc.js';
import type { SlabAllocator } from './slab-allocator.js';
import { slabFreeGroup } from './slab-free.js';
import { type SlabCharges, SlabLock } from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLAB, NO_SLOT } from './slab-table.js';

/** Objects of other slabs that a free passes over while it gathers a group. */
const LOOKAHEAD = 3;

/** Objects of one call, as columns; the caller keeps it and may use it again. */
export class ObjectArray {
  slab: Int32Array;
  slot: Uint16Array;

  constructor(capacity: number) {
    this.slab = new Int32Array(capacity);
    this.slot = new Uint16Array(capacity);
  }

  /** Makes room for `capacity` objects; what it held may be lost. */
  reserve(capacity: number): void {
    if (capacity <= this.slab.length) return;
    this.slab = new Int32Array(capacity);
    this.slot = new Uint16Array(capacity);
  }
}

/**
 * Fills the first `count` places of `objects`, all or none.
 *
 * @returns `count`, or 0
 */
export function slabAllocBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  count: number,
  objects: ObjectArray,
): number {
  objects.reserve(count);
  slabs.lock(SlabLock.cpu_slab, cache, cpu);
  for (let i = 0; i < count; i++) {
    const slot = cache.freelist[cpu]!;
    if (slot !== NO_SLOT) {
      const slab = cache.cpuSlab[cpu]!;
      cache.freelist[cpu] = slabs.table.nextFree(slab, slot);
      objects.slab[i] = slab;
      objects.slot[i] = slot;
      cache.stat(cpu, SlabStat.alloc_fastpath);
      continue;
    }
    // What was popped so far becomes visible, the slow path takes the lock by itself.
    slabs.nextTid(cache, cpu);
    slabs.unlock(SlabLock.cpu_slab, cache, cpu);
    const slab = slabAllocSlow(slabs, cache, cpu, gfp, NO_NODE);
    if (slab === NO_SLAB) {
      freeBulk(slabs, cache, cpu, objects, i, false, null);
      return 0;
    }
    objects.slab[i] = slab;
    objects.slot[i] = slabs.slot;
    slabs.lock(SlabLock.cpu_slab, cache, cpu);
  }
  slabs.nextTid(cache, cpu);
  slabs.unlock(SlabLock.cpu_slab, cache, cpu);
  return count;
}

/** Frees the first `count` objects. Their order in the array is changed. */
export function slabFreeBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  objects: ObjectArray,
  count: number,
): void {
  freeBulk(slabs, cache, cpu, objects, count, slabs.turnsBulkFrees, slabs.charges);
}

function freeBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  objects: ObjectArray,
  count: number,
  turns: boolean,
  charges: SlabCharges | null,
): void {
  for (let left = count; left > 0; ) left = freeOneGroup(slabs, cache, cpu, objects, left, turns, charges);
}

/**
 * Frees the last object and those of its slab near it. Others in between are moved to the end of what is left.
 *
 * @returns how many are left
 */
function freeOneGroup(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  objects: ObjectArray,
  count: number,
  turns: boolean,
  charges: SlabCharges | null,
): number {
  const { table } = slabs;
  const { slab, slot } = objects;
  let at = count - 1;
  let left = at;
  const group = slab[at]!;
  const last = slot[at]!;
  let newest = last;
  let size = 1;
  let lookahead = LOOKAHEAD;
  while (at > 0) {
    at--;
    if (slab[at] !== group) {
      if (--lookahead === 0) break;
      continue;
    }
    // Linked as gathered, each before the one found earlier, or turned round: each behind it.
    if (turns) table.linkFree(group, newest, slot[at]!);
    else table.linkFree(group, slot[at]!, newest);
    newest = slot[at]!;
    size++;
    left--;
    if (at !== left) swap(objects, at, left);
  }
  if (charges !== null) for (let i = left; i < count; i++) charges.freed(cache, cpu, slab[i]!, slot[i]!);
  const head = turns ? last : newest;
  slabFreeGroup(slabs, cache, cpu, group, head, turns ? newest : last, size);
  return left;
}

function swap({ slab, slot }: ObjectArray, a: number, b: number): void {
  const otherSlab = slab[a]!;
  const otherSlot = slot[a]!;
  slab[a] = slab[b]!;
  slot[a] = slot[b]!;
  slab[b] = otherSlab;
  slot[b] = otherSlot;
}
