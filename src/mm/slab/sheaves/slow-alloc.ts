/**
 * One object past the sheaves: from the first slab of a node's list, which stays there, or from a new one.
 * model: slub 8a.4
 */
import { GFP_KSWAPD_RECLAIM_BIT, GFP_THISNODE_BIT } from '../../gfp.js';
import { allocSingleFromNewSlab } from '../debug-slab.js';
import type { KmemCache } from '../kmem-cache.js';
import { newSlab } from '../new-slab.js';
import { getPartial } from '../node-partial.js';
import { ObjectArray } from '../object-array.js';
import { allowsSpinning } from '../slab-alloc.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { SlabStat } from '../slab-stats.js';
import { NO_SLAB, NO_SLOT } from '../slab-table.js';
import { allocFromNewSlab } from './new-slab-objects.js';

/** @returns the object's slab, its slot in `slabs.slot`; or NO_SLAB */
export function allocPastSheaves(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  cache.stat(cpu, SlabStat.alloc_slowpath);
  const allowSpin = allowsSpinning(gfp);
  let triesNode = node >= 0 && !(gfp & GFP_THISNODE_BIT);
  for (;;) {
    const flags = triesNode ? (allowSpin ? GFP_KSWAPD_RECLAIM_BIT : gfp) | GFP_THISNODE_BIT : gfp;
    const partial = getPartial(slabs, cache, cpu, flags, node);
    if (partial !== NO_SLAB) return partial;
    const slab = newSlab(slabs, cache, cpu, flags, node);
    if (slab !== NO_SLAB) {
      cache.stat(cpu, SlabStat.alloc_slab);
      if (takeFirst(slabs, cache, cpu, gfp, slab, allowSpin)) return slab;
      // The list's lock was not to be had, and the slab is gone again: once more would be for ever.
      if (!allowSpin) return none(slabs);
    } else if (triesNode) triesNode = false;
    else return none(slabs);
  }
}

function takeFirst(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  slab: number,
  allowSpin: boolean,
): boolean {
  if (cache.takesSingly) return allocSingleFromNewSlab(slabs, cache, cpu, gfp, slab) !== NO_SLAB;
  const one = new ObjectArray(1);
  if (allocFromNewSlab(slabs, cache, cpu, slab, one, 0, 1, allowSpin) === 0) return false;
  slabs.slot = one.slot[0]!;
  return true;
}

function none(slabs: SlabAllocator): number {
  slabs.slot = NO_SLOT;
  return NO_SLAB;
}
