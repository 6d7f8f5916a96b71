/**
 * Slabs whose pages came from the reserves, and who may have their slots.
 * model: slub 2.1
 */
import { GFP_MEMALLOC_BIT, GFP_NOMEMALLOC_BIT } from '../gfp.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SLAB_PFMEMALLOC } from './slab-table.js';

/** Whether a request may have slots of this slab: of one from the reserves only if it may use those itself. */
export function pfmemallocMatches(slabs: SlabAllocator, slab: number, gfp: number): boolean {
  if (!slabs.table.hasFlag(slab, SLAB_PFMEMALLOC)) return true;
  return (gfp & (GFP_MEMALLOC_BIT | GFP_NOMEMALLOC_BIT)) === GFP_MEMALLOC_BIT;
}
