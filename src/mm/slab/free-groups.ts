/**
 * Frees of many objects, slab by slab: those of one slab that stand near each other go back in one step.
 * model: slub 2.6a
 */
import type { KmemCache } from './kmem-cache.js';
import type { ObjectArray } from './object-array.js';
import type { SlabAllocator } from './slab-allocator.js';
import type { SlabCharges } from './slab-interfaces.js';

/** Objects of other slabs that a free passes over while it gathers a group. */
const LOOKAHEAD = 3;

/** Takes slots of one slab back that are linked from `head` to `tail`. */
export type FreeGroup = (
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  head: number,
  tail: number,
  count: number,
) => void;

/**
 * Frees `count` objects from place `start` on, the last one first. Their order in the array is changed.
 *
 * @param turns the hooks of a free turn each group round
 * @param charges what the objects are charged to; null where that is no matter of this free
 */
export function freeGroups(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  objects: ObjectArray,
  start: number,
  count: number,
  turns: boolean,
  charges: SlabCharges | null,
  free: FreeGroup,
): void {
  for (let left = count; left > 0; )
    left = freeOneGroup(slabs, cache, cpu, objects, start, left, turns, charges, free);
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
  start: number,
  count: number,
  turns: boolean,
  charges: SlabCharges | null,
  free: FreeGroup,
): number {
  const { table } = slabs;
  const { slab, slot } = objects;
  let at = start + count - 1;
  let left = at;
  const group = slab[at]!;
  const last = slot[at]!;
  let newest = last;
  let size = 1;
  let lookahead = LOOKAHEAD;
  while (at > start) {
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
  if (charges !== null)
    for (let i = left; i < start + count; i++) charges.freed(cache, cpu, slab[i]!, slot[i]!);
  const head = turns ? last : newest;
  free(slabs, cache, cpu, group, head, turns ? newest : last, size);
  return left - start;
}

function swap({ slab, slot }: ObjectArray, a: number, b: number): void {
  const otherSlab = slab[a]!;
  const otherSlot = slot[a]!;
  slab[a] = slab[b]!;
  slot[a] = slot[b]!;
  slab[b] = otherSlab;
  slot[b] = otherSlot;
}
