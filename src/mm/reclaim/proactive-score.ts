/**
 * Marks and score of proactive compaction.
 * model: page-allocator 5 (proactive)
 */
import type { NodeState, PageAllocator } from '../page-alloc/page-allocator.js';
import { PAGEBLOCK_ORDER } from '../types.js';
import { externalFragmentation } from './fragmentation-index.js';

/** Score at which a proactive run stops. */
export function proactiveLowMark(mm: PageAllocator): number {
  const low = 100 - mm.policy['compaction.proactiveness'];
  return mm.policy['compaction.proactive_marks'] === 'fixed_10' ? Math.max(low, 5) : low;
}

/** Score above which one starts. */
export function proactiveHighMark(mm: PageAllocator): number {
  const low = proactiveLowMark(mm);
  const leeway = mm.policy['compaction.proactive_marks'] === 'fixed_10' ? 10 : Math.min(10, low >> 1);
  return Math.min(low + leeway, 100);
}

/** Fragmentation of a node in percent: that of its zones, weighted by their size. */
export function nodeScore(node: NodeState): number {
  const present = node.zones.reduce((sum, zone) => sum + zone.present_pages, 0);
  let score = 0;
  for (const zone of node.zones)
    score += Math.trunc((zone.present_pages * externalFragmentation(zone, PAGEBLOCK_ORDER)) / (present + 1));
  return score;
}
