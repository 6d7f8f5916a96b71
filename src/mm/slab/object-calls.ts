/**
 * kmem_cache_alloc() and kmem_cache_free() as callers know them: the allocator proper, and the hooks around it.
 * model: slub 2.3, 2.6, 2.7, 8a.4, 8a.6
 */
import { Context } from '../context.js';
import { type ObjectArray, slabAllocBulk, slabFreeBulk } from './bulk.js';
import type { KmemCache } from './kmem-cache.js';
import { sheafAlloc } from './sheaves/sheaf-alloc.js';
import { sheafFree } from './sheaves/sheaf-free.js';
import { slabAlloc } from './slab-alloc.js';
import type { SlabAllocator } from './slab-allocator.js';
import { freeToSlab, slabFree } from './slab-free.js';
import { NO_SLAB, NO_SLOT } from './slab-table.js';

/** @returns the object's slab, its slot in `slabs.slot`; NO_SLAB for none */
export function allocObject(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
  context: Context = Context.task,
): number {
  const { charges } = slabs;
  if (charges === null) return allocOne(slabs, cache, cpu, gfp, node);
  const before = charges.enter(context);
  const slab = allocOne(slabs, cache, cpu, gfp, node);
  const kept = slab < 0 ? NO_SLAB : chargeOrFree(slabs, cache, cpu, slab, gfp);
  charges.leave(before);
  return kept;
}

function allocOne(slabs: SlabAllocator, cache: KmemCache, cpu: number, gfp: number, node: number): number {
  if (slabs.usesSheaves) return sheafAlloc(slabs, cache, cpu, gfp, node);
  const slab = slabAlloc(slabs, cache, cpu, gfp, node);
  return slab < 0 ? NO_SLAB : slab;
}

/** Charges the object that `slabs.slot` names, or gives it back. @returns its slab, or NO_SLAB. model: slub 2.7 */
export function chargeOrFree(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  gfp: number,
): number {
  const { charges, slot } = slabs;
  if (charges === null) return slab;
  if (charges.allocated(cache, cpu, slab, slot, gfp)) {
    // The vector may have come from the allocator, too.
    slabs.slot = slot;
    return slab;
  }
  // Past the sheaves: it never was anybody's.
  if (slabs.usesSheaves) freeToSlab(slabs, cache, cpu, slab, slot, slot, 1);
  else slabFree(slabs, cache, cpu, slab, slot);
  slabs.slot = NO_SLOT;
  return NO_SLAB;
}

export function freeObject(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  slot: number,
): void {
  if (slabs.charges !== null) slabs.charges.freed(cache, cpu, slab, slot);
  if (slabs.usesSheaves) sheafFree(slabs, cache, cpu, slab, slot);
  else slabFree(slabs, cache, cpu, slab, slot);
}

/**
 * Fills the first `count` places of `objects`, all or none: a refused charge for one of them gives all of them back.
 *
 * @returns `count`, or 0
 */
export function allocObjects(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  count: number,
  objects: ObjectArray,
  context: Context = Context.task,
): number {
  const { charges } = slabs;
  if (charges === null) return slabAllocBulk(slabs, cache, cpu, gfp, count, objects);
  const before = charges.enter(context);
  let got = slabAllocBulk(slabs, cache, cpu, gfp, count, objects);
  for (let i = 0; i < got; i++)
    if (!charges.allocated(cache, cpu, objects.slab[i]!, objects.slot[i]!, gfp)) {
      // Those before it are charged, those behind it are not: a free knows which by the vector.
      slabFreeBulk(slabs, cache, cpu, objects, count);
      got = 0;
    }
  charges.leave(before);
  return got;
}

/** Frees the first `count` objects. Their order in the array is changed. */
export function freeObjects(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  objects: ObjectArray,
  count: number,
): void {
  slabFreeBulk(slabs, cache, cpu, objects, count);
}
