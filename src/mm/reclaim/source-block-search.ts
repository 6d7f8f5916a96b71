/**
 * A quick choice of the block to empty next: one that already has a free chunk nearly as large as the one wanted.
 *
 * Entries that were looked at go to the tail of their free list, so that the next search finds others.
 * model: page-allocator 5 (migrate source, fast path), 10a.5
 */
import { blockStart } from '../page-alloc/pageblock.js';
import { Migratetype, PAGE_ALLOC_COSTLY_ORDER, PAGEBLOCK_ORDER } from '../types.js';
import { COMPACT_CLUSTER_MAX, type CompactControl } from './compact-control.js';

/** @returns where the source scanner goes on: `migrate_pfn`, or the start of a chosen block */
export function findSourceBlock(control: CompactControl): number {
  const { mm, goal, migrate_pfn: here, free_pfn } = control;
  const { zone } = goal;
  // Superpageblocks have lists of their own, which this search does not know. model: spb 5.3
  if (zone.spb !== null) return here;
  if (goal.ignore_skip || control.finish_block || goal.order <= PAGE_ALLOC_COSTLY_ORDER) return here;
  if (here !== zone.start_pfn && here !== blockStart(here)) return here;
  if (
    goal.direct &&
    !control.movable &&
    !(mm.policy['compaction.async_order9_any'] && goal.order >= PAGEBLOCK_ORDER)
  )
    return here;
  // The first half of the way at the beginning, later an eighth: a block filled as a target must not become a source.
  const distance = (free_pfn - here) >> (here === zone.start_pfn ? 1 : 3);
  const limit = blockStart(here + distance);
  let looked = 0;
  let found = -1;
  for (let order = goal.order - 1; order >= PAGE_ALLOC_COSTLY_ORDER && found < 0; order--) {
    let node = zone.firstNode(order, Migratetype.movable);
    for (; !zone.isSentinel(node) && looked <= COMPACT_CLUSTER_MAX; node = mm.pages.next[node]!) {
      looked++;
      const pfn = mm.pages.pfn(node);
      if (pfn < here || pfn >= limit || mm.compaction.isSkipped(pfn)) continue;
      zone.remove(pfn, order, Migratetype.movable);
      zone.addTail(pfn, order, Migratetype.movable);
      found = Math.max(blockStart(pfn), zone.start_pfn);
      break;
    }
  }
  control.migrate_scanned += looked;
  return found < 0 ? here : found;
}
