/**
 * Moving movable pages out of tainted superpageblocks, so that non-movable ones find room where they already are.
 *
 *     before   tainted [U.MM][MMMM][M..M]      clean [MM..][MMM.]
 *     after    tainted [U...][....][....]      clean [MMMM][MMMM] ...
 *
 * A target is looked for as for any movable page, but never in the superpageblock that is being emptied; what is left behind
 * goes straight to the buddy lists, where it can merge.
 * model: spb 4.3
 */
import { freeToBuddy } from '../page-alloc/buddy.js';
import { splitOwned } from '../page-alloc/free-owned.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { isPcp, PageKind } from '../page-alloc/page-map.js';
import { ALLOC_NOFRAGMENT, boostedMark, zoneWatermarkOk } from '../page-alloc/watermark.js';
import { WMARK_MIN, type Zone } from '../page-alloc/zone.js';
import { kernelThreadCpu } from '../reclaim/kswapd.js';
import { relocatePage } from '../reclaim/migrate-pages.js';
import { MIGRATE_TYPES, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { queueSpbSlabShrink } from './node-work.js';
import { searchPasses } from './passes.js';
import {
  PB_HAS_MOVABLE,
  PB_HAS_RECLAIMABLE,
  PB_HAS_UNMOVABLE,
  SUPERPAGEBLOCK_NR_BLOCKS,
  TAINTED_PLACES,
} from './spb-types.js';

/** What moving pages out of blocks has done so far. */
export interface Evacuation {
  scanned_pages: number;
  moved_pages: number;
  failed_pages: number;
  /** no target was to be had: there is no use in going on */
  isOutOfRoom: boolean;
}

export function newEvacuation(): Evacuation {
  return { scanned_pages: 0, moved_pages: 0, failed_pages: 0, isOutOfRoom: false };
}

/** Simulated time of an evacuation. */
export function evacuationCost(mm: PageAllocator, { scanned_pages, moved_pages }: Evacuation): number {
  const { policy } = mm;
  return (
    scanned_pages * policy['compaction.scan_cost_ns'] + moved_pages * policy['compaction.migrate_cost_ns']
  );
}

/** Moves what can be moved out of one pageblock. @returns whether anything was */
export function evacuateBlock(mm: PageAllocator, zone: Zone, block: number, done: Evacuation): boolean {
  const { pages } = mm;
  const system = mm.spb!;
  const spbs = zone.spb!;
  const start = block << PAGEBLOCK_ORDER;
  const moved = done.moved_pages;
  const before = system.source;
  system.source = { zone, spb: spbs.indexOf(start) };
  done.scanned_pages += PAGEBLOCK_PAGES;
  const large = pages.state[pages.blockBase + block]!;
  if (large >> 4 === PageKind.lru) {
    if ((large & 15) === PAGEBLOCK_ORDER) moveOut(mm, zone, start, PAGEBLOCK_ORDER, done);
  } else {
    for (let pfn = start; pfn < start + PAGEBLOCK_PAGES && !done.isOutOfRoom; ) {
      const state = pages.state[pfn]!;
      const order = state & 15;
      if (state >> 4 === PageKind.lru) moveOut(mm, zone, pfn, order, done);
      pfn += state === 0 ? 1 : 1 << order;
    }
  }
  system.source = before;
  if (pages.blockMovable[block] === 0 && !hasPcpEntries(mm, start)) spbs.clearHasMovable(block);
  return done.moved_pages > moved;
}

function hasPcpEntries(mm: PageAllocator, start: number): boolean {
  const { state, blockBase } = mm.pages;
  if (isPcp(state[blockBase + (start >>> PAGEBLOCK_ORDER)]!)) return true;
  for (let pfn = start; pfn < start + PAGEBLOCK_PAGES; pfn++) if (isPcp(state[pfn]!)) return true;
  return false;
}

function moveOut(mm: PageAllocator, zone: Zone, pfn: number, order: number, done: Evacuation): void {
  const { stats } = mm.spb!;
  const cpu = kernelThreadCpu(mm, mm.nodes[zone.node]!);
  const stuck = isStuck(mm, pfn);
  const to = stuck ? -1 : takeTarget(mm, zone, cpu, order);
  if (to < 0 && order > 0 && !stuck && mm.policy['migration.split_large']) {
    splitOwned(mm, pfn, order, 0, PageKind.lru);
    mm.onSplit?.(pfn, order);
    for (let piece = pfn; piece < pfn + (1 << order) && !done.isOutOfRoom; piece++)
      moveOut(mm, zone, piece, 0, done);
    return;
  }
  if (to < 0) {
    done.failed_pages += 1 << order;
    stats.evac_failed_pages += 1 << order;
    mm.events.pgmigrate_fail += 1 << order;
    if (order === 0 && !stuck) done.isOutOfRoom = true;
    return;
  }
  relocatePage(mm, zone, pfn, to, order);
  mm.pgfree += 1 << order;
  freeToBuddy(mm, zone, cpu, pfn, order);
  mm.events.pgmigrate_success += 1 << order;
  done.moved_pages += 1 << order;
}

/** Pinned, locked or under writeback: which pages those are depends on their PFN alone. */
function isStuck(mm: PageAllocator, pfn: number): boolean {
  const permille = mm.policy['spb.evac_fail_permille'];
  return permille > 0 && (Math.imul(pfn, 0x85eb_ca6b) >>> 0) % 1_000 < permille;
}

/** A place on the same node, the source's own zone first. @returns PFN, or -1 */
function takeTarget(mm: PageAllocator, home: Zone, cpu: number, order: number): number {
  for (const zone of mm.zonelists.fallback[home.node]![home.index]!) {
    if (zone.node !== home.node || zone.spb === null) continue;
    const mark = boostedMark(zone, WMARK_MIN) + (1 << order);
    if (!zoneWatermarkOk(zone, mm.rules, order, mark, home.index, 0)) continue;
    const pfn = searchPasses(mm, mm.spb!, zone, cpu, order, Migratetype.movable, ALLOC_NOFRAGMENT);
    if (pfn < 0) continue;
    if (!mm.rules.post_per_move) zone.postFree(cpu, -(1 << order));
    return pfn;
  }
  return -1;
}

/**
 * spb_evacuate_for_order(): makes room in tainted superpageblocks for a request of this order and type.
 *
 *     phase 1   blocks that have the type already: what is movable in them leaves, so that free pages merge
 *     phase 2   whole MOVABLE blocks are emptied, for Pass 2 to claim
 *
 * @returns whether any attempt moved something, and the simulated time
 */
export function evacuateForOrder(
  mm: PageAllocator,
  zone: Zone,
  order: number,
  migratetype: number,
): { did_evacuate: boolean; cost_ns: number } {
  const { stats, tracer } = mm.spb!;
  const spbs = zone.spb!;
  const done = newEvacuation();
  const candidates = taintedCandidates(mm, zone);
  const phase1 = tryBlocks(
    mm,
    zone,
    candidates,
    done,
    (block) => {
      const { blockBits, blockType } = mm.pages;
      return blockType[block] === migratetype && (blockBits[block]! & PB_HAS_MOVABLE) !== 0;
    },
    () => hasTaintedBuddy(zone, order, migratetype),
  );
  let phase2 = 0;
  if (!hasTaintedBuddy(zone, order, migratetype)) {
    const least = Math.max(order, PAGEBLOCK_ORDER);
    const target = () =>
      candidates.some((spb) => spbs.listMask[spb * MIGRATE_TYPES + Migratetype.movable]! >>> least !== 0);
    phase2 = tryBlocks(
      mm,
      zone,
      candidates,
      done,
      (block) => {
        const { blockBits, blockType } = mm.pages;
        const content = blockBits[block]! & (PB_HAS_MOVABLE | PB_HAS_UNMOVABLE | PB_HAS_RECLAIMABLE);
        return blockType[block] === Migratetype.movable && content === PB_HAS_MOVABLE;
      },
      target,
    );
  }
  const did_evacuate = done.moved_pages > 0;
  stats.evac_calls++;
  stats.evac_phase1_blocks += phase1;
  stats.evac_phase2_blocks += phase2;
  stats.evac_pages += done.moved_pages;
  if (did_evacuate) stats.evac_successes++;
  tracer?.evacuateForOrderDone(zone, order, migratetype, phase1, phase2);
  queueSpbSlabShrink(mm, zone, 'supply');
  return { did_evacuate, cost_ns: evacuationCost(mm, done) };
}

/** Tainted superpageblocks with movable pageblocks, fullest first, up to the cap. */
function taintedCandidates(mm: PageAllocator, zone: Zone): number[] {
  const spbs = zone.spb!;
  const candidates: number[] = [];
  for (const place of TAINTED_PLACES)
    for (let spb = spbs.first(place); spb >= 0; spb = spbs.after(spb)) {
      if (candidates.length === mm.policy['spb.evac_candidates']) return candidates;
      if (spbs.nr_movable[spb]! > 0) candidates.push(spb);
    }
  return candidates;
}

function hasTaintedBuddy(zone: Zone, order: number, migratetype: number): boolean {
  const spbs = zone.spb!;
  return TAINTED_PLACES.some((place) => {
    for (let spb = spbs.first(place); spb >= 0; spb = spbs.after(spb))
      if (spbs.listMask[spb * MIGRATE_TYPES + migratetype]! >>> order !== 0) return true;
    return false;
  });
}

/** Evacuates fitting blocks of the candidates until the goal is reached. @returns blocks tried */
function tryBlocks(
  mm: PageAllocator,
  zone: Zone,
  candidates: readonly number[],
  done: Evacuation,
  fits: (block: number) => boolean,
  isReached: () => boolean,
): number {
  const spbs = zone.spb!;
  const most = mm.policy['spb.evac_blocks'];
  let tried = 0;
  const { blockZone } = mm.pages;
  for (const spb of candidates) {
    const first = spbs.start_pfn(spb) >>> PAGEBLOCK_ORDER;
    for (let block = first; block < first + SUPERPAGEBLOCK_NR_BLOCKS; block++) {
      if (blockZone[block] !== zone.number || !fits(block)) continue;
      if (tried === most || done.isOutOfRoom || (tried > 0 && isReached())) return tried;
      evacuateBlock(mm, zone, block, done);
      tried++;
    }
  }
  return tried;
}
