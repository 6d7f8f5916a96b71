/**
 * The defrag worker of a superpageblock: it empties movable pageblocks of a tainted one until enough of them are free.
 * model: spb 4.5
 */
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import type { Zone } from '../page-alloc/zone.js';
import { PAGEBLOCK_ORDER } from '../types.js';
import { evacuateBlock, evacuationCost, newEvacuation } from './evacuate.js';
import { hasEnough } from './node-work.js';
import { PB_HAS_MOVABLE, SUPERPAGEBLOCK_NR_BLOCKS } from './spb-types.js';

/** One run. @returns the simulated time that it takes */
export function defragSuperpageblock(mm: PageAllocator, zone: Zone, spb: number): number {
  const { stats } = mm.spb!;
  const spbs = zone.spb!;
  const free = spbs.nr_free[spb]!;
  const movable = spbs.nr_movable[spb]!;
  const done = newEvacuation();
  const { blockBits, blockZone } = mm.pages;
  const first = spbs.start_pfn(spb) >>> PAGEBLOCK_ORDER;
  const last = spbs.isTainted(spb) ? first + SUPERPAGEBLOCK_NR_BLOCKS : first;
  for (let block = first; block < last; block++) {
    if (blockZone[block] !== zone.number || (blockBits[block]! & PB_HAS_MOVABLE) === 0) continue;
    if (hasEnough(mm, zone, spb) || done.isOutOfRoom) break;
    evacuateBlock(mm, zone, block, done);
  }
  stats.defrag_runs++;
  stats.defrag_pages += done.moved_pages;
  stats.defrag_blocks_freed += Math.max(0, spbs.nr_free[spb]! - free);
  // Pages that left mixed blocks, none of which came free, are no progress.
  if (spbs.nr_free[spb]! <= free && spbs.nr_movable[spb]! >= movable) {
    stats.defrag_no_progress++;
    spbs.defrag_last_no_progress_ns[spb] = mm.background?.now_ns ?? 0;
  }
  return evacuationCost(mm, done);
}
