/**
 * The target scanner: takes free chunks from high blocks for pages to move into.
 *
 * First the tails of the movable free lists are searched for chunks near the zone's end; only where they have none are
 * blocks scanned one after another downwards.
 * model: page-allocator 5 (free target)
 */
import { blockStart } from '../page-alloc/pageblock.js';
import type { Zone } from '../page-alloc/zone.js';
import { PLACE_EMPTY } from '../spb/spb-types.js';
import { MIGRATE_TYPES, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { COMPACT_CLUSTER_MAX, type CompactControl } from './compact-control.js';

/** Takes free chunks until there are targets for all isolated pages, or no more are found. */
export function isolateTargets(control: CompactControl): void {
  const before = control.targets.pages;
  if (control.goal.order > 0 && control.goal.zone.spb === null) searchFreeLists(control);
  if (control.targets.pages < control.source_pages) scanBlocks(control);
  control.isolated += control.targets.pages - before;
}

/**
 * Looks at the ends of the movable lists, orders from just below the wanted one down, for a chunk in the upper quarter
 * of what lies between the scanners; failing that, the highest one in the upper half.
 */
function searchFreeLists(control: CompactControl): void {
  const { mm, goal } = control;
  const { zone } = goal;
  const distance = control.free_pfn - control.migrate_pfn;
  const preferred = blockStart(control.free_pfn - (distance >> 2));
  const least = blockStart(control.free_pfn - (distance >> 1));
  for (let order = goal.order - 1; order >= 0 && control.targets.pages < control.source_pages; order--) {
    let node = lastNode(zone, order);
    let highest = -1;
    let found = -1;
    for (let looked = 0; looked < COMPACT_CLUSTER_MAX && !zone.isSentinel(node); looked++) {
      control.free_scanned++;
      const pfn = mm.pages.pfn(node);
      node = mm.pages.prev[node]!;
      if (pfn >= preferred) {
        found = pfn;
        break;
      }
      if (pfn >= least) highest = Math.max(highest, pfn);
    }
    const pfn = found >= 0 ? found : highest;
    if (pfn < 0 || pfn < control.migrate_pfn + PAGEBLOCK_PAGES) continue;
    if (blockStart(pfn) > control.free_pfn) continue;
    control.targets.isolate(pfn, order);
  }
}

function lastNode(zone: Zone, order: number): number {
  return zone.pages.prev[zone.headBase + order * MIGRATE_TYPES + Migratetype.movable]!;
}

/** Goes down from the cached position, block by block, to the block behind the source scanner's. */
function scanBlocks(control: CompactControl): void {
  const { mm, goal } = control;
  const low = blockStart(control.migrate_pfn) + PAGEBLOCK_PAGES;
  // Asynchronous runs look at every 32nd page until a block yields something.
  let stride = goal.async ? COMPACT_CLUSTER_MAX : 1;
  let start = control.free_pfn;
  for (let block = blockStart(start); block >= low; block -= PAGEBLOCK_PAGES, start = block) {
    if (goal.ignore_skip || !mm.compaction.isSkipped(block)) {
      if (isTarget(control, block)) {
        const before = control.targets.pages;
        const reached = takeFromBlock(control, start, block + PAGEBLOCK_PAGES, stride);
        if (reached >= block + PAGEBLOCK_PAGES) {
          mm.compaction.setSkip(block);
          const state = mm.compaction.of(goal.zone);
          state.free_pfn = Math.min(state.free_pfn, block);
        }
        if (control.targets.pages >= control.source_pages) {
          control.free_pfn = reached >= block + PAGEBLOCK_PAGES ? block - PAGEBLOCK_PAGES : reached;
          return;
        }
        stride = control.targets.pages > before ? 1 : Math.min(COMPACT_CLUSTER_MAX, stride << 1);
      }
    }
    control.free_pfn = block - PAGEBLOCK_PAGES;
  }
}

/** A block takes pages if it is for movable ones and does not begin with a chunk as large as the one wanted. */
function isTarget(control: CompactControl, block: number): boolean {
  const { pages } = control.mm;
  const wanted = control.goal.order > 0 ? control.goal.order : PAGEBLOCK_ORDER;
  if (pages.buddyOrder(block) >= wanted) return false;
  if (!takesMigratedPages(control.goal.zone, block)) return false;
  if (control.any_target) return true;
  const type = pages.blockType[block >>> PAGEBLOCK_ORDER]!;
  return type === Migratetype.movable || type === Migratetype.cma;
}

/** Empty superpageblocks are kept whole, and the reserve of tainted ones is for others. model: spb 5.3 */
function takesMigratedPages({ spb: spbs }: Zone, pfn: number): boolean {
  const spb = spbs?.indexOf(pfn) ?? -1;
  if (spbs === null || spb < 0) return true;
  if (spbs.place[spb] === PLACE_EMPTY) return false;
  return !spbs.isTainted(spb) || spbs.nr_free[spb]! > spbs.reserve(spb);
}

/** Takes free chunks of one block, ascending, until there are enough. @returns where it stopped */
function takeFromBlock(control: CompactControl, from: number, end: number, stride: number): number {
  const { pages } = control.mm;
  const { zone } = control.goal;
  let pfn = from;
  for (; pfn < end; pfn += stride) {
    control.free_scanned++;
    if (!zone.spans(pfn)) continue;
    const order = pages.buddyOrder(pfn);
    if (order < 0) continue;
    if (!control.targets.isolate(pfn, order)) return pfn;
    pfn += (1 << order) - 1;
    if (control.targets.pages >= control.source_pages) return pfn + 1;
  }
  return end;
}
