/**
 * The source scanner: from low blocks it isolates pages that can be moved.
 * model: page-allocator 5 (scanners), 10a.5
 */
import { ownerOf } from '../page-alloc/free-owned.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { PageKind } from '../page-alloc/page-map.js';
import { blockStart } from '../page-alloc/pageblock.js';
import { Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { COMPACT_CLUSTER_MAX, type CompactControl, WHOLE_ZONE_ORDER } from './compact-control.js';
import { findSourceBlock } from './source-block-search.js';

/**
 * Isolates pages of the next block that has any.
 *
 * @returns whether there is something to migrate
 */
export function isolateSources(control: CompactControl): boolean {
  const { mm, goal } = control;
  const { zone } = goal;
  const state = mm.compaction.of(zone);
  let low = findSourceBlock(control);
  let chosen = low !== control.migrate_pfn;
  let end = blockStart(low) + PAGEBLOCK_PAGES;
  for (; end <= control.free_pfn; chosen = false, low = end, end += PAGEBLOCK_PAGES) {
    control.migrate_pfn = low;
    const atStart = low === blockStart(low) || low === zone.start_pfn;
    if (atStart && !chosen && !goal.ignore_skip && mm.compaction.isSkipped(low)) continue;
    const hopeless = endOfHopelessSuperpageblock(control, low);
    if (hopeless >= end) {
      // The step of the loop goes on from here, to the end of the superpageblock or of the range.
      end = Math.min(hopeless, blockStart(control.free_pfn) + PAGEBLOCK_PAGES);
      advanceCached(state.migrate_pfn, goal.async, end);
      continue;
    }
    if (!zone.spans(low) || !isSource(control, low)) {
      advanceCached(state.migrate_pfn, goal.async, end);
      continue;
    }
    scanBlock(control, low, end);
    return control.source_pages > 0;
  }
  control.migrate_pfn = low;
  return false;
}

/** End of the tainted superpageblock of a page if nothing in it is movable, else 0. model: spb 5.3 */
function endOfHopelessSuperpageblock({ mm, goal }: CompactControl, pfn: number): number {
  const spbs = goal.zone.spb;
  if (spbs === null || !mm.policy['spb.compaction_skip']) return 0;
  const spb = spbs.indexOf(pfn);
  if (spb < 0 || !spbs.isTainted(spb) || spbs.nr_movable[spb]! > 0) return 0;
  return spbs.start_pfn(spb + 1);
}

/** May pages be moved out of this block? */
function isSource(control: CompactControl, pfn: number): boolean {
  const { mm, goal } = control;
  const { pages } = mm;
  const large = pages.state[pages.blockBase + (pfn >>> PAGEBLOCK_ORDER)]!;
  if (large >> 4 === PageKind.allocated || large >> 4 === PageKind.lru) return false;
  if (!goal.direct) return true;
  const type = pages.blockType[pfn >>> PAGEBLOCK_ORDER]!;
  const newer = mm.policy['compaction.async_order9_any'];
  if (newer && type === Migratetype.cma) return control.mayUseCma;
  if (!goal.async) return true;
  if (control.movable || (newer && goal.order >= PAGEBLOCK_ORDER))
    return type === Migratetype.movable || type === Migratetype.cma;
  return type === goal.migratetype;
}

/**
 * Isolates movable pages from `low` on, until there are enough for one round or the block ends.
 *
 * An asynchronous direct run is after one chunk of its order: where an aligned window of that size holds a page that
 * cannot be moved, moving the others is of no use.
 */
function scanBlock(control: CompactControl, low: number, end: number): void {
  const { mm, goal } = control;
  const { pages } = mm;
  const window = goal.direct && goal.async ? 1 << goal.order : 0;
  let windowEnd = window > 0 ? endOfWindow(low, window) : 0;
  let pfn = low;
  while (pfn < end) {
    if (window > 0 && pfn >= windowEnd) {
      if (control.source_pages > 0) break;
      windowEnd = endOfWindow(pfn, window);
    }
    control.migrate_scanned++;
    const free = pages.buddyOrder(pfn);
    if (free >= 0) {
      pfn += 1 << free;
      continue;
    }
    const nodeState = pages.state[pfn]!;
    const order = nodeState & 15;
    if (nodeState >> 4 === PageKind.lru && mayMove(mm, order, goal.order)) {
      control.sources.push(pfn);
      control.source_pages += 1 << order;
      pfn += 1 << order;
      if (control.source_pages >= COMPACT_CLUSTER_MAX && !control.finish_block) break;
      continue;
    }
    pfn = endOfStuckPage(mm, pfn);
    if (window > 0) {
      control.sources.length = 0;
      control.source_pages = 0;
      pfn = Math.max(pfn, windowEnd);
      windowEnd = endOfWindow(pfn, window);
    }
  }
  if (pfn >= end && (control.source_pages === 0 || control.finish_block)) {
    mm.compaction.setSkip(low);
    advanceCached(mm.compaction.of(goal.zone).migrate_pfn, goal.async, end);
  }
  control.isolated += control.source_pages;
  control.migrate_pfn = Math.min(pfn, end);
}

/** First page behind the aligned window that `pfn` is in. */
function endOfWindow(pfn: number, window: number): number {
  return (Math.floor(pfn / window) + 1) * window;
}

/** 6.1 moves single pages only; later kernels move folios smaller than what the run is for. */
function mayMove(mm: PageAllocator, order: number, wanted: number): boolean {
  if (!mm.policy['compaction.folios']) return order === 0;
  return order < PAGEBLOCK_ORDER && (wanted === WHOLE_ZONE_ORDER || order < wanted);
}

/** First page behind the allocation that `pfn` is in. Of pages of unknown history nothing more is known. */
function endOfStuckPage(mm: PageAllocator, pfn: number): number {
  const state = mm.pages.state[pfn]!;
  if (state === 0) {
    const owner = ownerOf(mm, pfn);
    return owner === null ? pfn + 1 : owner.head + (1 << owner.order);
  }
  return pfn + (1 << (state & 15));
}

/** Where later runs begin. */
function advanceCached(cached: [number, number], async: boolean, pfn: number): void {
  if (pfn > cached[0]) cached[0] = pfn;
  if (!async && pfn > cached[1]) cached[1] = pfn;
}
