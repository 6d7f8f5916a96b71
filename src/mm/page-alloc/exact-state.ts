/**
 * The complete state of the allocator as plain data: what a dump of a real kernel holds, loaded into the model and
 * read back out of it in the same form, so that both can be compared list by list.
 * model: page-allocator 8.17
 */
import { invariant } from '../invariant.js';
import { setUpSuperpageblocks } from '../spb/setup.js';
import {
  MIGRATE_PCPTYPES,
  MIGRATE_TYPES,
  Migratetype,
  NR_PAGE_ORDERS,
  PAGEBLOCK_ORDER,
  PAGEBLOCK_PAGES,
  type ZoneIndex,
} from '../types.js';
import type { PageAllocator } from './page-allocator.js';
import { PageKind } from './page-map.js';
import { pcpListOrder, pcpListType } from './per-cpu-pages.js';
import { WMARK_PROMO, type Zone } from './zone.js';

/** Chunks of one buddy list, head first. */
export interface ExactList {
  readonly order: number;
  readonly migratetype: number;
  readonly pfns: readonly number[];
}

export interface ExactPcp {
  readonly cpu: number;
  readonly count: number;
  readonly high: number;
  readonly batch: number;
  readonly high_min: number;
  readonly high_max: number;
  readonly flags: number;
  readonly alloc_factor: number;
  readonly free_count: number;
  readonly free_factor: number;
  readonly nr_free_diff: number;
  readonly stat_threshold: number;
  /** non-empty lists, heads first */
  readonly lists: readonly { readonly index: number; readonly pfns: readonly number[] }[];
}

export interface ExactZone {
  readonly node: number;
  readonly index: ZoneIndex;
  /** min, low, high, promo without boost */
  readonly watermark: readonly number[];
  readonly boost: number;
  readonly nr_reserved_highatomic: number;
  readonly nr_free_highatomic: number;
  readonly lowmem_reserve: readonly number[];
  /** as folded; the CPUs' parts are in `pcps` */
  readonly nr_free_pages: number;
  readonly flags: number;
  /** non-empty lists */
  readonly free: readonly ExactList[];
  /** PFN of the first entry of `block_types` */
  readonly first_block_pfn: number;
  /** migratetype per pageblock, 255 where the block is not this zone's */
  readonly block_types: Uint8Array;
  /** [index into block_types, movable pages in use] */
  readonly block_movable: readonly (readonly [number, number])[];
  readonly pcps: readonly ExactPcp[];
}

export interface ExactState {
  readonly zones: readonly ExactZone[];
}

export const NOT_THIS_ZONE = 255;

/** Loads a state into an allocator that holds no free pages yet. */
export function loadExactState(mm: PageAllocator, state: ExactState): void {
  for (const from of state.zones) {
    const zone = mm.zones.find((candidate) => candidate.node === from.node && candidate.index === from.index);
    invariant(zone !== undefined, `the machine has no zone ${from.index} on node ${from.node}`);
    loadZone(mm, zone, from);
  }
  setUpSuperpageblocks(mm, true);
}

function loadZone(mm: PageAllocator, zone: Zone, from: ExactZone): void {
  const { pages } = mm;
  const firstBlock = from.first_block_pfn >>> PAGEBLOCK_ORDER;
  from.block_types.forEach((type, index) => {
    if (type !== NOT_THIS_ZONE) pages.blockType[firstBlock + index] = type;
  });
  for (const [index, movable] of from.block_movable) pages.blockMovable[firstBlock + index] = movable;
  for (const { order, migratetype, pfns } of from.free)
    for (const pfn of pfns) zone.addTail(pfn, order, migratetype);
  for (let mark = 0; mark <= WMARK_PROMO; mark++) zone.watermark[mark] = from.watermark[mark] ?? 0;
  zone.watermark_boost = from.boost;
  zone.lowmem_reserve.set(from.lowmem_reserve);
  zone.flags = from.flags;
  zone.nr_reserved_highatomic = from.nr_reserved_highatomic;
  zone.nr_free_pages = from.nr_free_pages;
  for (const pcp of from.pcps) loadPcp(mm, zone, pcp);
}

function loadPcp(mm: PageAllocator, zone: Zone, from: ExactPcp): void {
  const pcp = zone.pcps[from.cpu];
  invariant(pcp !== undefined, `the machine has no CPU ${from.cpu}`);
  const {
    count,
    high,
    batch,
    high_min,
    high_max,
    flags,
    alloc_factor,
    free_count,
    free_factor,
    nr_free_diff,
  } = from;
  Object.assign(pcp, {
    count,
    high,
    batch,
    high_min,
    high_max,
    flags,
    alloc_factor,
    free_count,
    free_factor,
    nr_free_diff,
  });
  zone.stat_threshold = from.stat_threshold;
  const { blockType, state } = mm.pages;
  for (const { index, pfns } of from.lists) {
    const order = pcpListOrder(index);
    for (const pfn of pfns) {
      pcp.lists[index]!.pushTail(pfn);
      const cached = rememberedType(index, order, blockType[pfn >>> PAGEBLOCK_ORDER]!);
      state[mm.pages.node(pfn, order)] = ((PageKind.pcp + cached) << 4) | order;
    }
  }
}

/**
 * The type that 6.1 remembers of a page on a per-CPU list is not in a dump. It is the list's, except where one list holds
 * several: the first order-9 list (two types), and the Movable lists (pages of HighAtomic and CMA blocks, too). There it
 * is taken to be the block's, as it is for every page that came by a free.
 */
function rememberedType(index: number, order: number, blockType: number): number {
  if (order >= PAGEBLOCK_ORDER) return blockType;
  const listType = pcpListType(index);
  return listType === Migratetype.movable && blockType >= MIGRATE_PCPTYPES ? blockType : listType;
}

/** Reads the allocator's state out in the form of a dump. */
export function exactState(mm: PageAllocator): ExactState {
  return { zones: mm.zones.map((zone) => exactZone(mm, zone)) };
}

function exactZone(mm: PageAllocator, zone: Zone): ExactZone {
  const first = zone.start_pfn >>> PAGEBLOCK_ORDER;
  const end = Math.ceil(zone.end_pfn / PAGEBLOCK_PAGES);
  const block_types = new Uint8Array(end - first);
  const block_movable: [number, number][] = [];
  for (let block = first; block < end; block++) {
    const mine = mm.findZone(Math.max(block << PAGEBLOCK_ORDER, zone.start_pfn)) === zone;
    block_types[block - first] = mine ? mm.pages.blockType[block]! : NOT_THIS_ZONE;
    if (mine && mm.pages.blockMovable[block]! > 0)
      block_movable.push([block - first, mm.pages.blockMovable[block]!]);
  }
  const free: ExactList[] = [];
  for (let order = 0; order < NR_PAGE_ORDERS; order++)
    for (let migratetype = 0; migratetype < MIGRATE_TYPES; migratetype++)
      if (zone.listLength[order * MIGRATE_TYPES + migratetype]! > 0)
        free.push({ order, migratetype, pfns: zone.listPfns(order, migratetype) });
  return {
    node: zone.node,
    index: zone.index,
    watermark: [...zone.watermark],
    boost: zone.watermark_boost,
    nr_reserved_highatomic: zone.nr_reserved_highatomic,
    nr_free_highatomic: zone.nr_free_highatomic,
    lowmem_reserve: [...zone.lowmem_reserve],
    nr_free_pages: zone.nr_free_pages,
    flags: zone.flags,
    free,
    first_block_pfn: first << PAGEBLOCK_ORDER,
    block_types,
    block_movable,
    pcps: zone.pcps.map((pcp, cpu) => ({
      cpu,
      count: pcp.count,
      high: pcp.high,
      batch: pcp.batch,
      high_min: pcp.high_min,
      high_max: pcp.high_max,
      flags: pcp.flags,
      alloc_factor: pcp.alloc_factor,
      free_count: pcp.free_count,
      free_factor: pcp.free_factor,
      nr_free_diff: pcp.nr_free_diff,
      stat_threshold: zone.stat_threshold,
      lists: pcp.lists.flatMap((list, index) => (list.length > 0 ? [{ index, pfns: list.toArray() }] : [])),
    })),
  };
}
