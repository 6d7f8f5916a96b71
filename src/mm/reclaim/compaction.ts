/**
 * One compaction run: pages from the zone's low blocks move to free places in its high blocks until a chunk of the
 * wanted order is there or the two scanners meet.
 *
 *     before   |LLLL....|L.L.L.L.|LL..LL..|........|      L page in use that can move, . free
 *     after    |........|........|LLLLLLLL|LLLL....|      (order 9: stops after the first block)
 *
 * Simplified: everything happens in one go, so nothing is contended, written back or pinned, and what a real kernel
 * isolates in vain is not modelled. Pages of the per-CPU lists and pages of unknown history cannot be moved.
 * model: page-allocator 5, 10a.5
 */
import { findFallback, isClaimable } from '../page-alloc/fallback.js';
import { drainCpuZone } from '../page-alloc/free-pages.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { blockStart } from '../page-alloc/pageblock.js';
import type { Zone } from '../page-alloc/zone.js';
import { Migratetype, NR_PAGE_ORDERS, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { CompactControl, type CompactGoal, WHOLE_ZONE_ORDER } from './compact-control.js';
import { isolateSources } from './compaction-sources.js';
import { lastBlock } from './compaction-state.js';
import { CompactResult, compactionNeed } from './compaction-suitable.js';
import { externalFragmentation } from './fragmentation-index.js';
import { migrateSources } from './migrate-pages.js';
import { proactiveLowMark } from './proactive-score.js';

export interface CompactRun {
  readonly result: CompactResult;
  readonly migrate_scanned: number;
  readonly free_scanned: number;
  readonly migrated: number;
  readonly cost_ns: number;
}

const NOTHING_DONE = { migrate_scanned: 0, free_scanned: 0, migrated: 0, cost_ns: 0 };

/** Compacts a zone for one goal. */
export function compactZone(mm: PageAllocator, goal: CompactGoal): CompactRun {
  const { zone } = goal;
  if (goal.order !== WHOLE_ZONE_ORDER) {
    const need = compactionNeed(mm, zone, goal.order, goal.allocFlags, goal.highestZone, goal.async);
    if (need !== CompactResult.continue) return { result: need, ...NOTHING_DONE };
  }
  if (mm.compaction.isRestarting(zone, goal.order)) mm.compaction.resetSkips(zone);
  const control = new CompactControl(mm, goal);
  placeScanners(control);
  const result = runScanners(control);
  const highest = control.targets.release();
  const state = mm.compaction.of(zone);
  // What was given back lies there for the next run to find.
  if (highest >= 0) state.free_pfn = Math.max(state.free_pfn, blockStart(highest));
  mm.events.compact_isolated += control.isolated;
  mm.events.compact_migrate_scanned += control.migrate_scanned;
  mm.events.compact_free_scanned += control.free_scanned;
  return {
    result,
    migrate_scanned: control.migrate_scanned,
    free_scanned: control.free_scanned,
    migrated: control.migrated,
    cost_ns: control.cost_ns,
  };
}

function placeScanners(control: CompactControl): void {
  const { mm, goal } = control;
  const { zone } = goal;
  const state = mm.compaction.of(zone);
  if (control.whole_zone) {
    control.migrate_pfn = zone.start_pfn;
    control.free_pfn = lastBlock(zone);
    return;
  }
  if (state.free_pfn < zone.start_pfn || state.free_pfn >= zone.end_pfn) state.free_pfn = lastBlock(zone);
  const cached = state.migrate_pfn[goal.async ? 0 : 1];
  if (cached < zone.start_pfn || cached >= zone.end_pfn) state.migrate_pfn.fill(zone.start_pfn);
  control.free_pfn = state.free_pfn;
  control.migrate_pfn = state.migrate_pfn[goal.async ? 0 : 1];
  control.whole_zone = control.migrate_pfn <= zone.start_pfn;
}

function runScanners(control: CompactControl): CompactResult {
  const { mm, goal } = control;
  const { zone } = goal;
  let migratedBlock = -1;
  for (;;) {
    const finished = endTest(control);
    if (finished !== CompactResult.continue) return finished;
    control.finish_block = migratedBlock === blockStart(control.migrate_pfn);
    if (isolateSources(control)) {
      migratedBlock = Math.max(zone.start_pfn, blockStart(control.migrate_pfn - 1));
      const roomLeft = migrateSources(control);
      if (mm.capture?.taken(zone)) return CompactResult.success;
      if (!roomLeft && !scannersMet(control)) return CompactResult.contended;
    }
    // The scanner has left the range that it emptied: what waits on the CPU's lists must merge to be seen.
    if (
      goal.order > 0 &&
      migratedBlock >= 0 &&
      migratedBlock < startOfWindow(control.migrate_pfn, goal.order)
    ) {
      drainCpuZone(mm, zone, goal.cpu);
      migratedBlock = -1;
      if (mm.capture?.taken(zone)) return CompactResult.success;
    }
  }
}

function startOfWindow(pfn: number, order: number): number {
  return pfn & ~((1 << order) - 1);
}

function scannersMet(control: CompactControl): boolean {
  return (
    control.free_pfn >>> PAGEBLOCK_ORDER <= control.migrate_pfn >>> PAGEBLOCK_ORDER || control.free_pfn < 0
  );
}

/** Is the run over? `continue`: it is not. */
function endTest(control: CompactControl): CompactResult {
  const { mm, goal } = control;
  const { zone } = goal;
  if (scannersMet(control)) {
    mm.compaction.resetCachedPositions(zone);
    if (goal.direct) mm.compaction.of(zone).blockskip_flush = true;
    return control.whole_zone ? CompactResult.complete : CompactResult.partialSkipped;
  }
  if (goal.proactive) {
    if (mm.nodes[zone.node]!.kswapd_awake) return CompactResult.partialSkipped;
    return externalFragmentation(zone, PAGEBLOCK_ORDER) > proactiveLowMark(mm)
      ? CompactResult.continue
      : CompactResult.success;
  }
  if (goal.order === WHOLE_ZONE_ORDER) return CompactResult.continue;
  // Half-emptied blocks invite fallbacks: a block is finished first.
  if (control.migrate_pfn % PAGEBLOCK_PAGES !== 0) return CompactResult.continue;
  return hasChunkFor(mm, zone, goal.order, goal.migratetype) ? CompactResult.success : CompactResult.continue;
}

/** A free chunk of the type, or one in a block that the type could claim. */
function hasChunkFor(mm: PageAllocator, zone: Zone, wanted: number, migratetype: number): boolean {
  for (let order = wanted; order < NR_PAGE_ORDERS; order++) {
    if ((zone.listMask[migratetype]! >>> order) & 1) return true;
    if (migratetype === Migratetype.movable && (zone.listMask[Migratetype.cma]! >>> order) & 1) return true;
    if (isClaimable(mm, order, migratetype) && findFallback(zone, order, migratetype) >= 0) return true;
  }
  return false;
}
