/**
 * Refill of a per-CPU list with superpageblocks: in phases, where CPUs own pageblocks.
 *
 *     0   free chunks of blocks that this CPU owns
 *     1   a whole pageblock, which it then owns; what the list does not need stays free for phase 0
 *     2   for N: a fragment in a tainted superpageblock, whose block it then owns
 *     3   the ordinary search with all fallbacks, one chunk at a time
 *
 * model: spb 3.9
 */
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { OWNER_LISTED, PageKind } from '../page-alloc/page-map.js';
import type { PerCpuPages } from '../page-alloc/per-cpu-pages.js';
import { pcpListIndex } from '../page-alloc/per-cpu-pages.js';
import type { PfnDeque } from '../page-alloc/pfn-deque.js';
import { SearchMode } from '../page-alloc/search-mode.js';
import type { Zone } from '../page-alloc/zone.js';
import { MIGRATE_PCPTYPES, MIGRATE_TYPES, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { ALL_PASSES, UP_TO_PASS_2 } from './pass-table.js';
import { searchAgain, searchPasses } from './passes.js';
import { removePageSpb } from './remove-page.js';
import type { SpbSystem } from './spb-system.js';
import { TAINTED_PLACES } from './spb-types.js';
import { walkSuperpageblocks } from './walk.js';

/** One refill. */
interface Refill {
  readonly mm: PageAllocator;
  readonly system: SpbSystem;
  readonly zone: Zone;
  readonly cpu: number;
  readonly order: number;
  readonly migratetype: number;
  readonly flags: number;
  readonly list: PfnDeque;
  /** state of a page on the list */
  readonly onList: number;
  /** chunks still wanted */
  wanted: number;
}

/** Moves up to `chunks` chunks to the CPU's list. */
export function refillSpb(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  flags: number,
  chunks: number,
): void {
  const pcp = zone.pcps[cpu]!;
  const refill: Refill = {
    mm,
    system,
    zone,
    cpu,
    order,
    migratetype,
    flags,
    list: pcp.lists[pcpListIndex(order, migratetype)]!,
    onList: ((PageKind.pcp + migratetype) << 4) | order,
    wanted: chunks,
  };
  mm.searchMode = SearchMode.normal;
  if (system.rules.owns_blocks && order < PAGEBLOCK_ORDER) {
    mm.requestTracer?.stage('owned', zone);
    takeFromOwned(refill, pcp);
    while (refill.wanted > 0 && (takeWholeBlock(refill, pcp) || adoptFragment(refill, pcp)));
  }
  for (let spb = -1, place = -1; refill.wanted > 0; refill.wanted--) {
    let pfn = spb < 0 ? -1 : searchAgain(mm, system, zone, cpu, order, migratetype, spb, place);
    if (pfn < 0) {
      system.lastPass = null;
      pfn = removePageSpb(mm, system, zone, cpu, order, migratetype, flags);
      if (pfn < 0) break;
      // What serves a search may serve the next; CMA memory competes for every page.
      spb = system.lastPass === null || zone.nr_free_cma > 0 ? -1 : zone.spb!.indexOf(pfn);
      place = spb < 0 ? -1 : zone.spb!.place[spb]!;
    }
    push(refill, pfn);
  }
  const got = chunks - refill.wanted;
  pcp.count += got << order;
  if (!mm.rules.post_per_move) zone.postFree(cpu, -(got << order));
}

function push({ zone, order, list, onList }: Refill, pfn: number): void {
  zone.pages.state[zone.pages.node(pfn, order)] = onList;
  list.pushTail(pfn);
}

/** Phase 0. A block that has nothing left, or is another's or of another type now, leaves the CPU's list. */
function takeFromOwned(refill: Refill, pcp: PerCpuPages): void {
  const { zone, cpu, migratetype } = refill;
  const { blockOwner, blockType } = zone.pages;
  const owned = pcp.owned_blocks[migratetype]!;
  while (refill.wanted > 0 && owned.length > 0) {
    const block = owned[owned.length - 1]!;
    const isMine = blockOwner[block] === (OWNER_LISTED | (cpu + 1));
    if (isMine && blockType[block] === migratetype) takeInBlock(refill, block);
    if (refill.wanted === 0) return;
    owned.pop();
    if (isMine) blockOwner[block] = cpu + 1;
  }
}

/** Takes free chunks of one block, ascending, as far as they are large enough and wanted. */
function takeInBlock(refill: Refill, block: number): void {
  const { zone, migratetype, order } = refill;
  const { pages } = zone;
  const end = (block + 1) << PAGEBLOCK_ORDER;
  for (let pfn = block << PAGEBLOCK_ORDER; pfn < end && refill.wanted > 0; ) {
    const chunkOrder = pages.buddyOrder(pfn);
    if (chunkOrder < 0) {
      const state = pages.state[pfn]!;
      pfn += state === 0 ? 1 : 1 << (state & 15);
      continue;
    }
    if (
      chunkOrder >= order &&
      chunkOrder <= PAGEBLOCK_ORDER &&
      pages.listType(pfn, chunkOrder) === migratetype
    )
      takePieces(refill, pfn, chunkOrder);
    pfn += 1 << chunkOrder;
  }
}

/** Takes wanted pieces of a chunk, lowest first; the rest goes back as naturally aligned chunks. */
function takePieces(refill: Refill, chunk: number, chunkOrder: number): void {
  const { mm, zone, cpu, order, migratetype } = refill;
  const from = zone.pages.listType(chunk, chunkOrder);
  zone.remove(chunk, chunkOrder, from);
  const pieces = 1 << (chunkOrder - order);
  const taken = Math.min(pieces, refill.wanted);
  let pfn = chunk;
  for (let i = 0; i < taken; i++, pfn += 1 << order) push(refill, pfn);
  zone.spb!.took(chunk, Math.min(chunkOrder, PAGEBLOCK_ORDER), migratetype);
  refill.wanted -= taken;
  let rest = pieces - taken;
  for (let size = order; rest > 0; size++, rest >>= 1) {
    if ((rest & 1) === 0) continue;
    zone.addHead(pfn, size, from);
    pfn += 1 << size;
  }
  if (mm.rules.post_per_move) zone.postFree(cpu, -(taken << order));
}

/** Phase 1: takes a whole block, and of it what is wanted. */
function takeWholeBlock(refill: Refill, pcp: PerCpuPages): boolean {
  const { mm, system, zone, cpu, migratetype, flags } = refill;
  // A list too short for a block would give most of it back at once.
  if (pcp.high_max < PAGEBLOCK_PAGES || migratetype >= MIGRATE_PCPTYPES) return false;
  mm.requestTracer?.stage('whole_block', zone);
  const passes = migratetype === Migratetype.movable ? ALL_PASSES : UP_TO_PASS_2;
  const block = searchPasses(mm, system, zone, cpu, PAGEBLOCK_ORDER, migratetype, flags, passes);
  if (block < 0) return false;
  // Back on the lists, from where its pieces are taken like those of any block that the CPU owns.
  zone.addHead(block, PAGEBLOCK_ORDER, migratetype);
  if (mm.rules.post_per_move) zone.postFree(cpu, PAGEBLOCK_PAGES);
  own(refill, pcp, block >>> PAGEBLOCK_ORDER);
  takePieces(refill, block, PAGEBLOCK_ORDER);
  return true;
}

/** Phase 2: takes a fragment of the wanted type in a tainted superpageblock; only that entry moves. */
function adoptFragment(refill: Refill, pcp: PerCpuPages): boolean {
  const { mm, system, zone, order, migratetype } = refill;
  if (migratetype === Migratetype.movable) return false;
  mm.requestTracer?.stage('adopt', zone);
  const spbs = zone.spb!;
  const range = ((1 << PAGEBLOCK_ORDER) - 1) & (-1 << order);
  const chunk = walkSuperpageblocks(system, spbs, TAINTED_PLACES, [migratetype], range, (spb) => {
    const have = spbs.listMask[spb * MIGRATE_TYPES + migratetype]! & range;
    const chunkOrder = 31 - Math.clz32(have & -have);
    const pfn = spbs.headPfn(spb, chunkOrder, migratetype);
    takePieces(refill, pfn, chunkOrder);
    return pfn;
  });
  if (chunk < 0) return false;
  own(refill, pcp, chunk >>> PAGEBLOCK_ORDER);
  return true;
}

function own({ zone, cpu, migratetype }: Refill, pcp: PerCpuPages, block: number): void {
  if (zone.pages.blockOwner[block] !== (OWNER_LISTED | (cpu + 1))) pcp.owned_blocks[migratetype]!.push(block);
  zone.pages.blockOwner[block] = OWNER_LISTED | (cpu + 1);
}

/** A page of a block that a CPU owns went back to the free lists: phase 0 may find it there. */
export function noteDrainedPage(zone: Zone, pfn: number, cpu: number): void {
  const block = pfn >>> PAGEBLOCK_ORDER;
  const { blockOwner, blockType } = zone.pages;
  if (blockOwner[block] !== cpu + 1) return;
  const migratetype = blockType[block]!;
  if (migratetype >= MIGRATE_PCPTYPES) return;
  blockOwner[block] = OWNER_LISTED | (cpu + 1);
  zone.pcps[cpu]!.owned_blocks[migratetype]!.push(block);
}

/** A CPU goes offline: its blocks are nobody's, so that nothing is freed to its lists any more. */
export function disownBlocks(mm: PageAllocator, cpu: number): void {
  if (mm.spb === null) return;
  const { blockOwner } = mm.pages;
  for (let block = 0; block < blockOwner.length; block++)
    if ((blockOwner[block]! & ~OWNER_LISTED) === cpu + 1) blockOwner[block] = 0;
  for (const zone of mm.zones) for (const owned of zone.pcps[cpu]!.owned_blocks) owned.length = 0;
}
