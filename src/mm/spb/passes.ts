/**
 * The smallest search over superpageblocks: one walk that interprets the table of passes.
 *
 * Superpageblocks are walked fullest first, inside a list from the oldest member on; the first hit wins.
 * model: spb 3.3
 */
import { expand, setBlockTypes } from '../page-alloc/buddy.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { pcpAllowedOrder } from '../page-alloc/per-cpu-pages.js';
import { ALLOC_NOFRAGMENT } from '../page-alloc/watermark.js';
import type { Zone } from '../page-alloc/zone.js';
import { MAX_PAGE_ORDER, MIGRATE_PCPTYPES, MIGRATE_TYPES } from '../types.js';
import { takeFromClaimedBlock, tryToClaimBlock } from './claim-block.js';
import { offerToDefrag, queueSpbEvacuate, queueSpbSlabShrink, reactToTaintedAlloc } from './node-work.js';
import {
  ALL_PASSES,
  KIND_OF,
  M,
  N,
  orderRange,
  PASS_3,
  PASSES,
  type Pass,
  WHOLE_BLOCKS,
} from './pass-table.js';
import type { SpbSystem } from './spb-system.js';
import { NR_SB_FULLNESS, placeOfBucket, SB_TAINTED, TAINTED_PLACES, WalkOutcome } from './spb-types.js';
import type { Superpageblocks } from './superpageblocks.js';
import { probesIn, walkSuperpageblocks } from './walk.js';

/**
 * __rmqueue_smallest() with superpageblocks.
 *
 * @param nr_passes rows of the table that are tried
 * @returns lowest PFN of 2^order pages, or -1
 */
export function searchPasses(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  flags: number,
  nr_passes: number = ALL_PASSES,
): number {
  const spbs = zone.spb!;
  const { stats, rules, tracer } = system;
  const kind = KIND_OF[migratetype]!;
  const before = stats.visited;
  const probesBefore = stats.probes;
  let pfn = -1;
  let outcome: number = WalkOutcome.noPage;
  system.lastPass = null;
  for (let i = 0; i < nr_passes && pfn < 0; i++) {
    const pass = PASSES[i]!;
    if ((pass.who & kind) === 0) continue;
    if (i === PASS_3 && kind === N) noteFallThrough(system, zone, order, migratetype);
    if (pass.isGated?.(rules, kind, flags)) continue;
    if (pass.triggers) beforePass3(mm, zone, order, migratetype, kind);
    tracer?.pass(pass.name, zone);
    pfn = runPass(mm, system, zone, spbs, cpu, order, migratetype, flags, kind, pass);
    outcome = pass.outcome;
    if (pfn >= 0 && i === 0 && !system.lastMoved) system.lastPass = pass;
  }
  if (pfn < 0 && nr_passes === ALL_PASSES) {
    pfn = takeFromZoneLists(mm, zone, cpu, order, migratetype);
    outcome = pfn < 0 ? WalkOutcome.noPage : WalkOutcome.zoneFallback;
  }
  const visited = stats.visited - before;
  system.lastVisited = visited;
  system.lastProbes = system.probesBefore - probesBefore;
  // A CPU that only looked for a whole block has not been refused a page.
  if (pfn >= 0 || nr_passes === ALL_PASSES) {
    stats.countSearch(visited);
    stats.countOutcome(outcome, order, migratetype);
    tracer?.allocWalk(zone, order, migratetype, flags, outcome, visited);
  }
  if (pfn >= 0 && mm.tracer !== null)
    mm.tracer.zoneLocked(pfn, order, migratetype, pcpAllowedOrder(order) && migratetype < MIGRATE_PCPTYPES);
  return pfn;
}

/**
 * Pass 1 of a refill once more, where it must end as the last one did: the superpageblocks before had nothing and have not
 * changed, and the one that served it is where it was and has more. It counts as a search like any other.
 *
 * @returns PFN, or -1 where a real search has to be made
 */
export function searchAgain(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  spb: number,
  place: number,
): number {
  const pass = system.lastPass;
  const spbs = zone.spb!;
  if (pass === null || system.tracer !== null || mm.tracer !== null || spbs.place[spb] !== place) return -1;
  // What a bitmap search reads depends on the whole list: it is made, and is cheap.
  if (spbs.bitmaps !== null) return -1;
  const types = pass.from(migratetype);
  const range = orderRange(order, pass.chunks);
  for (const type of types) {
    const have = spbs.listMask[spb * MIGRATE_TYPES + type]! & range;
    const pfn = takeIn(mm, system, zone, spbs, spb, cpu, order, migratetype, type, range, pass);
    if (pfn < 0) continue;
    const { stats } = system;
    stats.visited += system.lastVisited;
    stats.probes += system.lastProbes + probesIn(have, range);
    stats.countSearch(system.lastVisited);
    stats.countOutcome(pass.outcome, order, migratetype);
    if (pass.reacts) reactToTaintedAlloc(mm, zone, spb);
    return pfn;
  }
  return -1;
}

function runPass(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  spbs: Superpageblocks,
  cpu: number,
  order: number,
  migratetype: number,
  flags: number,
  kind: number,
  pass: Pass,
): number {
  const types = pass.from(migratetype);
  const range = orderRange(order, pass.chunks);
  if (range === 0 || types.length === 0) return -1;
  const keepsReserve =
    pass.keepsReserve && ((flags & ALLOC_NOFRAGMENT) !== 0 || !system.rules.reserve_yields);
  return walkSuperpageblocks(system, spbs, pass.places(kind), types, range, (spb) => {
    if (keepsReserve && spbs.nr_free[spb]! <= spbs.reserve(spb))
      return refuse(system, spbs, spb, 'at its reserve');
    if (system.isSource(zone, spb)) return refuse(system, spbs, spb, 'is being emptied');
    const wasTainted = spbs.isTainted(spb);
    const place = spbs.place[spb];
    for (const type of types) {
      const pfn = takeIn(mm, system, zone, spbs, spb, cpu, order, migratetype, type, range, pass);
      if (pfn < 0) continue;
      system.lastMoved = spbs.place[spb] !== place;
      if (pass.outcome === WalkOutcome.pass3 && !wasTainted && spbs.isTainted(spb))
        system.stats.taints_by_pass3++;
      if (pass.reacts) reactToTaintedAlloc(mm, zone, spb);
      return pfn;
    }
    return -1;
  });
}

function refuse(system: SpbSystem, spbs: Superpageblocks, spb: number, why: string): number {
  system.tracer?.visit(spbs.start_pfn(spb), why);
  return -1;
}

/** Takes from one type's lists in one superpageblock. @returns PFN, or -1 */
function takeIn(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  spbs: Superpageblocks,
  spb: number,
  cpu: number,
  order: number,
  migratetype: number,
  from: number,
  range: number,
  pass: Pass,
): number {
  let have = spbs.listMask[spb * MIGRATE_TYPES + from]! & range;
  while (have !== 0) {
    // What an evacuation moves fills gaps: it would break up one whole block after another.
    const opensBlocks = system.rules.pass1_whole_first && system.source === null;
    const wholeFirst = pass.wholeFirst && opensBlocks && have & WHOLE_BLOCKS;
    const candidates = wholeFirst ? have & WHOLE_BLOCKS : have;
    const chunkOrder = 31 - Math.clz32(candidates & -candidates);
    const chunk = spbs.headPfn(spb, chunkOrder, from);
    if (pass.how !== 'claim') {
      takeChunk(mm, zone, spbs, cpu, chunk, order, chunkOrder, from, migratetype, pass.how === 'relabel');
      system.tracer?.take(
        chunk,
        order,
        chunkOrder,
        from,
        pass.how === 'relabel' && from !== migratetype ? 'relabelled' : 'as it is',
      );
      return chunk;
    }
    if (tryToClaimBlock(mm, system, zone, cpu, chunk, migratetype, from, true, 0, order)) {
      const pfn = takeFromClaimedBlock(mm, zone, spbs, spb, cpu, order, migratetype);
      if (pfn >= 0) {
        system.tracer?.take(pfn, order, chunkOrder, from, 'block claimed');
        return pfn;
      }
    }
    have &= ~(1 << chunkOrder);
  }
  return -1;
}

/**
 * Takes the lowest 2^order pages of a chunk; what is left goes back to the lists of its superpageblock.
 *
 * @param relabel the chunk's blocks, and the rest of it, change to the type of the request
 */
export function takeChunk(
  mm: PageAllocator,
  zone: Zone,
  spbs: Superpageblocks,
  cpu: number,
  chunk: number,
  order: number,
  chunkOrder: number,
  from: number,
  migratetype: number,
  relabel: boolean,
): void {
  zone.remove(chunk, chunkOrder, from);
  const changes = relabel && from !== migratetype;
  if (changes) setBlockTypes(zone, chunk, chunkOrder, migratetype);
  spbs.took(chunk, order, migratetype);
  const putBack = expand(zone, chunk, order, chunkOrder, changes ? migratetype : from);
  if (!mm.rules.post_per_move) return;
  if (!changes) zone.postFree(cpu, -(1 << order));
  else {
    zone.postFree(cpu, -(1 << chunkOrder));
    if (putBack > 0) zone.postFree(cpu, putBack);
  }
}

/** Memory that no superpageblock covers: the plain search over the zone's own lists. */
function takeFromZoneLists(
  mm: PageAllocator,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
): number {
  for (let chunkOrder = order; chunkOrder <= MAX_PAGE_ORDER; chunkOrder++) {
    const node = zone.firstNode(chunkOrder, migratetype);
    if (zone.isSentinel(node)) continue;
    const pfn = zone.pages.pfn(node);
    takeChunk(mm, zone, zone.spb!, cpu, pfn, order, chunkOrder, migratetype, migratetype, false);
    return pfn;
  }
  return -1;
}

/** The pool of tainted superpageblocks had nothing; a fitting chunk in it would be a fault of Pass 1. model: spb 6.2 */
function noteFallThrough(system: SpbSystem, zone: Zone, order: number, migratetype: number): void {
  const spbs = zone.spb!;
  let withBuddy = 0;
  for (const place of TAINTED_PLACES)
    for (let spb = spbs.first(place); spb >= 0; spb = spbs.after(spb))
      if (spbs.listMask[spb * MIGRATE_TYPES + migratetype]! >>> order !== 0) withBuddy++;
  system.stats.fall_throughs++;
  if (withBuddy > 0) system.stats.fall_throughs_with_buddy++;
  system.tracer?.fallThrough(zone, order, migratetype, spbs.nr_tainted, withBuddy);
}

/** The block between 2d and 3: memory is running short, so the background is told. model: spb 3.3, pre-3 */
function beforePass3(mm: PageAllocator, zone: Zone, order: number, migratetype: number, kind: number): void {
  const { rules } = mm.spb!;
  const spbs = zone.spb!;
  if (kind === N && spbs.nr_tainted_below_reserve > 0) {
    queueSpbEvacuate(mm, zone, order, migratetype);
    queueSpbSlabShrink(mm, zone, 'demand');
  }
  if (!rules.defrag_last_chance || (kind === M && !rules.last_chance_for_movable)) return;
  for (const place of TAINTED_PLACES)
    for (let spb = spbs.first(place); spb >= 0; spb = spbs.after(spb)) offerToDefrag(mm, zone, spb);
}

/** saw_free_pb of a complete walk: some tainted superpageblock has a wholly free pageblock. */
export function sawFreePageblock(spbs: Superpageblocks): boolean {
  for (let fullness = 1; fullness < NR_SB_FULLNESS; fullness++)
    if (spbs.place_length[placeOfBucket(SB_TAINTED, fullness)]! > 0) return true;
  return false;
}

/** saw_free_pages of a complete walk: some tainted superpageblock has any free page. */
export function sawFreePages(spbs: Superpageblocks): boolean {
  for (const place of TAINTED_PLACES)
    for (let spb = spbs.first(place); spb >= 0; spb = spbs.after(spb))
      if (spbs.nr_free_pages[spb]! > 0) return true;
  return false;
}
