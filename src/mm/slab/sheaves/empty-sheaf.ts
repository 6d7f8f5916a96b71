/**
 * Sheaves are objects of the kmalloc family themselves. A sheaf of a kmalloc cache is asked for with a mark, so that the
 * cache which serves it does not ask for one in turn.
 * model: slub 8a.2
 */
import {
  GFP_ACCOUNT_BIT,
  GFP_DMA_BIT,
  GFP_NO_OBJ_EXT_BIT,
  GFP_NOFAIL_BIT,
  GFP_RECLAIMABLE_BIT,
  GFP_ZERO_BIT,
} from '../../gfp.js';
import type { KmemCache } from '../kmem-cache.js';
import { NO_NODE } from '../slab-alloc.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { SLAB_KMALLOC } from '../slab-flags.js';
import { SlabStat } from '../slab-stats.js';
import { NO_SLAB } from '../slab-table.js';
import { NO_SHEAF } from './cache-sheaves.js';
import { sheafBytes } from './capacity.js';
import { sheafAlloc } from './sheaf-alloc.js';
import { sheafFree } from './sheaf-free.js';

/** What of a request for an object is not meant for the sheaf that it needs. */
const NOT_FOR_SHEAVES = GFP_DMA_BIT | GFP_RECLAIMABLE_BIT | GFP_ACCOUNT_BIT | GFP_NOFAIL_BIT;

/** @returns the sheaf, or NO_SHEAF */
export function allocEmptySheaf(slabs: SlabAllocator, cache: KmemCache, cpu: number, gfp: number): number {
  if (gfp & GFP_NO_OBJ_EXT_BIT) return NO_SHEAF;
  let homeSlab = NO_SLAB;
  const home = slabs.sheafMemory?.cacheFor(sheafBytes(cache.sheaves!.capacity, slabs.policy), 0) ?? null;
  if (home !== null) {
    const mark = cache.geometry.flags & SLAB_KMALLOC ? GFP_NO_OBJ_EXT_BIT : 0;
    homeSlab = sheafAlloc(slabs, home, cpu, (gfp & ~NOT_FOR_SHEAVES) | GFP_ZERO_BIT | mark, NO_NODE);
    if (homeSlab === NO_SLAB) return NO_SHEAF;
  }
  cache.stat(cpu, SlabStat.sheaf_alloc);
  return cache.sheaves!.create(homeSlab, homeSlab === NO_SLAB ? 0 : slabs.slot);
}

/** Gives back an empty sheaf that is in no place. */
export function freeEmptySheaf(slabs: SlabAllocator, cache: KmemCache, cpu: number, sheaf: number): void {
  const sheaves = cache.sheaves!;
  const slab = sheaves.homeSlab[sheaf]!;
  const slot = sheaves.homeSlot[sheaf]!;
  sheaves.release(sheaf);
  cache.stat(cpu, SlabStat.sheaf_free);
  if (slab !== NO_SLAB) sheafFree(slabs, slabs.caches[slabs.table.cache[slab]!]!, cpu, slab, slot);
}
