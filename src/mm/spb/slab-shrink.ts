/**
 * The slab shrink worker of a node: it asks all memory cgroups for slab objects, harder in each round, until enough have
 * gone or a round brought nothing.
 *
 *     priority   12    11    10  ...   0        each round scans twice as much of every cache as the one before
 *     stop       2,048 objects freed, or a round freed none
 *
 * The scope is the node: no zone and no superpageblock is aimed at.
 * model: spb 4.6
 */
import { GFP_KERNEL } from '../gfp.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { DEF_PRIORITY } from '../reclaim/shrink-node.js';

/** One run. @returns the simulated time that it takes */
export function spbSlabShrink(mm: PageAllocator, node: number): number {
  const { stats } = mm.spb!;
  const { shrinkers } = mm;
  if (shrinkers === null) return 0;
  const target = mm.policy['spb.shrink_target_objs'];
  const scanned = shrinkers.scanned_objects;
  let freed = 0;
  for (let priority = DEF_PRIORITY; priority >= 0 && freed < target; priority--) {
    let delta = 0;
    for (let memcg = 0; memcg < shrinkers.nr_memcgs; memcg++)
      delta += shrinkers.shrinkSlab(GFP_KERNEL, node, memcg, priority);
    stats.shrink_rounds++;
    if (delta === 0) break;
    freed += delta;
  }
  stats.shrink_objects += freed;
  return (shrinkers.scanned_objects - scanned) * mm.policy['shrinker.object_cost_ns'];
}
