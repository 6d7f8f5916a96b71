/**
 * Making superpageblocks: for a machine's zones, out of whatever state they are in, and again when a zone grows.
 * model: spb 2.1, 2.6, 4.7
 */
import type { NodeState, PageAllocator } from '../page-alloc/page-allocator.js';
import { isBuddy, isPcp, PageKind } from '../page-alloc/page-map.js';
import type { Zone } from '../page-alloc/zone.js';
import type { StateIo } from '../state-io.js';
import {
  MIGRATE_TYPES,
  Migratetype,
  NR_PAGE_ORDERS,
  PAGEBLOCK_ORDER,
  PAGEBLOCK_PAGES,
  ZoneIndex,
} from '../types.js';
import { defragSuperpageblock } from './defrag.js';
import { evacuateForOrder } from './evacuate.js';
import { offerToDefrag, SpbNodeWork } from './node-work.js';
import { spbSlabShrink } from './slab-shrink.js';
import {
  HAS_BIT,
  PB_ALL_FREE,
  PB_HAS_MOVABLE,
  PB_HAS_RECLAIMABLE,
  PB_HAS_UNMOVABLE,
  SUPERPAGEBLOCK_NR_BLOCKS,
  SUPERPAGEBLOCK_NR_PAGES,
  SUPERPAGEBLOCK_ORDER,
} from './spb-types.js';
import { Superpageblocks } from './superpageblocks.js';

const RUNNERS = {
  evacuate: (mm: PageAllocator, zone: Zone, order: number, migratetype: number) =>
    evacuateForOrder(mm, zone, order, migratetype).cost_ns,
  defrag: defragSuperpageblock,
  slab_shrink: spbSlabShrink,
};

/** Superpageblocks that a span of PFNs touches. */
function nrSuperpageblocks(start_pfn: number, end_pfn: number): number {
  if (end_pfn <= start_pfn) return 0;
  return ((end_pfn - 1) >>> SUPERPAGEBLOCK_ORDER) - (start_pfn >>> SUPERPAGEBLOCK_ORDER) + 1;
}

/**
 * Gives every zone its superpageblocks and derives their state from the pages, as after boot or after a recorded state has
 * been loaded. Does nothing where the policy has none.
 *
 * @param bootMemoryCounts pages in use of which nothing is known are somebody's, not the kernel's own from boot
 */
export function setUpSuperpageblocks(mm: PageAllocator, bootMemoryCounts: boolean): void {
  if (mm.spb === null) return;
  for (const zone of mm.zones) {
    if (zone.index === ZoneIndex.device) continue;
    if (zone.spb === null) makeSuperpageblocks(mm, zone);
    if (zone.spb !== null) deriveState(mm, zone, 0, bootMemoryCounts);
  }
  for (const node of mm.nodes) initPgdatSpbState(mm, node);
}

/** The zone's array, in which nothing is on a list yet. Zones without memory have none. */
function makeSuperpageblocks(mm: PageAllocator, zone: Zone): void {
  const nr = nrSuperpageblocks(zone.start_pfn, zone.end_pfn);
  if (nr === 0) return;
  const heads = takeHeads(mm, zone, nr);
  if (heads !== null) attach(mm, zone, zone.start_pfn >>> SUPERPAGEBLOCK_ORDER, heads);
}

function takeHeads(mm: PageAllocator, zone: Zone, nr: number): Int32Array | null {
  const heads = new Int32Array(nr + 1);
  heads[nr] = zone.headBase;
  for (let spb = 0; spb < nr; spb++) {
    heads[spb] = mm.spb!.heads.take();
    if (heads[spb]! < 0) return null;
  }
  return heads;
}

function attach(mm: PageAllocator, zone: Zone, base: number, heads: Int32Array): Superpageblocks {
  const spbs = newSuperpageblocks(mm, zone, base, heads);
  spbs.grouping = mm.grouping;
  moveChunks(zone, spbs);
  zone.spb = spbs;
  return spbs;
}

/** An array that is tied to its zone's background, and holds nothing yet. */
function newSuperpageblocks(mm: PageAllocator, zone: Zone, base: number, heads: Int32Array): Superpageblocks {
  const spbs = new Superpageblocks(mm.pages, mm.spb!.rules, base, heads);
  spbs.tracer = mm.spb!.tracer;
  spbs.onListChange = (spb) => offerToDefrag(mm, zone, spb);
  return spbs;
}

/** Chunks that are on the zone's own lists, or on those of an array that is replaced, go to the lists of the new array. */
function moveChunks(zone: Zone, spbs: Superpageblocks): void {
  const chunks: [pfn: number, order: number, type: number][] = [];
  for (let order = 0; order < NR_PAGE_ORDERS; order++)
    for (let type = 0; type < MIGRATE_TYPES; type++)
      for (const pfn of zone.listPfns(order, type)) chunks.push([pfn, order, type]);
  for (const [pfn, order, type] of chunks) zone.remove(pfn, order, type);
  const old = zone.spb;
  zone.spb = spbs;
  for (const [pfn, order, type] of chunks) zone.addTail(pfn, order, type);
  zone.spb = old;
}

/** Counts what is in the zone's pageblocks, from a superpageblock on, and puts each on its list. */
function deriveState(mm: PageAllocator, zone: Zone, from: number, bootMemoryCounts: boolean): void {
  const spbs = zone.spb!;
  for (let spb = from; spb < spbs.nr_superpageblocks; spb++) {
    countSuperpageblock(mm, zone, spb, bootMemoryCounts);
    spbs.update(spb);
  }
}

function countSuperpageblock(mm: PageAllocator, zone: Zone, spb: number, bootMemoryCounts: boolean): void {
  const { blockBits, blockZone } = mm.pages;
  const spbs = zone.spb!;
  const start = Math.max(spbs.start_pfn(spb), zone.start_pfn);
  const end = Math.min(spbs.start_pfn(spb) + (SUPERPAGEBLOCK_NR_BLOCKS << PAGEBLOCK_ORDER), zone.end_pfn);
  const first = start >>> PAGEBLOCK_ORDER;
  const last = Math.ceil(end / PAGEBLOCK_PAGES);
  spbs.total_pageblocks[spb] = last - first;
  spbs.nr_reserved[spb] = 0;
  const counters = [spbs.nr_unmovable, spbs.nr_movable, spbs.nr_reclaimable, spbs.nr_free];
  for (const counter of counters) counter[spb] = 0;
  for (let block = first; block < last; block++) {
    if (blockZone[block] !== zone.number) {
      spbs.nr_reserved[spb]!++;
      continue;
    }
    const bits = contentOf(mm, spbs, zone, block, bootMemoryCounts);
    blockBits[block] = bits;
    counters.forEach((counter, bit) => {
      if (bits & (1 << bit)) counter[spb]!++;
    });
  }
}

/** PB_has_* and PB_all_free of a pageblock as its pages are now. */
function contentOf(
  mm: PageAllocator,
  spbs: Superpageblocks,
  zone: Zone,
  block: number,
  bootMemoryCounts: boolean,
): number {
  const { pages } = mm;
  if (spbs.isBlockFree(block)) return PB_ALL_FREE;
  const own = HAS_BIT[pages.blockType[block]!]!;
  const nonMovable = own === PB_HAS_RECLAIMABLE ? PB_HAS_RECLAIMABLE : PB_HAS_UNMOVABLE;
  let bits = 0;
  let movable = 0;
  let unknown = 0;
  const note = (state: number, pagesHere: number) => {
    const kind = state >> 4;
    if (isPcp(state)) bits |= HAS_BIT[Math.min(kind - PageKind.pcp, Migratetype.isolate)]!;
    else if (kind === PageKind.lru) {
      bits |= PB_HAS_MOVABLE;
      movable += pagesHere;
    } else if (kind === PageKind.allocated) bits |= nonMovable;
  };
  const start = Math.max(block << PAGEBLOCK_ORDER, zone.start_pfn);
  const end = Math.min((block + 1) << PAGEBLOCK_ORDER, zone.end_pfn);
  const large = largeStateOf(mm, block);
  if (large !== 0) {
    note(large, PAGEBLOCK_PAGES);
    return bits;
  }
  for (let pfn = start; pfn < end; ) {
    const state = pages.state[pfn]!;
    if (state === 0) unknown++;
    else if (!isBuddy(state)) note(state, 1 << (state & 15));
    pfn += state === 0 ? 1 : 1 << (state & 15);
  }
  if (!bootMemoryCounts || unknown === 0) return bits;
  const unknownMovable = Math.min(unknown, Math.max(0, pages.blockMovable[block]! - movable));
  if (unknownMovable > 0) bits |= PB_HAS_MOVABLE;
  return unknown > unknownMovable ? bits | nonMovable : bits;
}

/** State of something of at least a pageblock that covers this block, or 0. */
function largeStateOf(mm: PageAllocator, block: number): number {
  const { state, blockBase } = mm.pages;
  const here = state[blockBase + block]!;
  if (here !== 0) return here;
  const pair = state[blockBase + (block & ~1)]!;
  return (pair & 15) > PAGEBLOCK_ORDER ? pair : 0;
}

/**
 * resize_zone_superpageblocks(): the zone's span has grown; the superpageblocks that it had keep their state.
 *
 * Work under way for the zone is dropped first: it names superpageblocks by their place in the array.
 */
export function resizeZoneSuperpageblocks(mm: PageAllocator, zone: Zone): void {
  if (mm.spb === null || zone.index === ZoneIndex.device) return;
  const old = zone.spb;
  initPgdatSpbState(mm, mm.nodes[zone.node]!);
  if (old === null) {
    makeSuperpageblocks(mm, zone);
    if (zone.spb !== null) deriveState(mm, zone, 0, false);
    return;
  }
  mm.spb.workOf(zone)?.dropZone(zone);
  const oldEnd = old.base + old.nr_superpageblocks;
  let base = Math.min(old.base, zone.start_pfn >>> SUPERPAGEBLOCK_ORDER);
  let end = Math.max(oldEnd, Math.ceil(zone.end_pfn / SUPERPAGEBLOCK_NR_PAGES));
  const isSame = base === old.base && end === oldEnd;
  const mayGrow = !mm.policy['spb.hotplug_coverage_fails'];
  let spbs = isSame ? old : mayGrow ? growArray(mm, zone, old, base, end - base) : null;
  if (spbs === null) {
    // What is beyond the old array stays on the zone's own lists.
    old.isWhole = false;
    spbs = old;
    base = old.base;
    end = oldEnd;
  }
  const inListOrder = old.inListOrder().map((spb) => spb + old.base - base);
  const added = Array.from({ length: end - base }, (_, spb) => spb).filter(
    (spb) => spb + base < old.base || spb + base >= oldEnd,
  );
  // Those that were there keep their order, those that came are the newest of their lists.
  for (const spb of [...inListOrder, ...added]) recount(mm, zone, spbs, spb);
}

/** @returns the new array with the old contents, or null where there is no room for one */
function growArray(
  mm: PageAllocator,
  zone: Zone,
  old: Superpageblocks,
  base: number,
  nr: number,
): Superpageblocks | null {
  const heads = new Int32Array(nr + 1);
  heads[nr] = zone.headBase;
  for (let spb = 0; spb < nr; spb++) {
    const before = spb + base - old.base;
    const had = before >= 0 && before < old.nr_superpageblocks;
    heads[spb] = had ? old.heads[before]! : mm.spb!.heads.take();
    if (heads[spb]! < 0) return null;
  }
  const spbs = attach(mm, zone, base, heads);
  for (let before = 0; before < old.nr_superpageblocks; before++) {
    const spb = before + old.base - base;
    if (spb < 0 || spb >= nr) continue;
    spbs.adopt(spb, old, before);
  }
  return spbs;
}

/** Counts the pageblocks of a superpageblock anew from their bits: its share of the zone may have changed. */
function recount(mm: PageAllocator, zone: Zone, spbs: Superpageblocks, spb: number): void {
  const { blockBits, blockZone } = mm.pages;
  const first = Math.max(spbs.start_pfn(spb), zone.start_pfn) >>> PAGEBLOCK_ORDER;
  const last = Math.ceil(Math.min(spbs.start_pfn(spb + 1), zone.end_pfn) / PAGEBLOCK_PAGES);
  const counters = [spbs.nr_unmovable, spbs.nr_movable, spbs.nr_reclaimable, spbs.nr_free];
  for (const counter of counters) counter[spb] = 0;
  spbs.total_pageblocks[spb] = Math.max(0, last - first);
  spbs.nr_reserved[spb] = 0;
  for (let block = first; block < last; block++) {
    if (blockZone[block] !== zone.number) {
      spbs.nr_reserved[spb]!++;
      continue;
    }
    counters.forEach((counter, bit) => {
      if (blockBits[block]! & (1 << bit)) counter[spb]!++;
    });
  }
  spbs.update(spb);
}

/**
 * init_pgdat_spb_state(): the background of a node. Nothing to do where it is there already; where its workqueue cannot be
 * made, allocation goes on without it, and a later call may try again.
 */
export function initPgdatSpbState(mm: PageAllocator, node: NodeState): void {
  const system = mm.spb;
  if (system === null || system.nodes[node.node] !== null) return;
  // Without compaction nothing of this is compiled in.
  if (mm.policy['spb.wq_fails'] || !mm.policy['compaction.enabled']) return;
  system.nodes[node.node] = newNodeWork(mm, node.node);
}

function newNodeWork(mm: PageAllocator, node: number): SpbNodeWork {
  return new SpbNodeWork(mm, node, mm.spb!, RUNNERS);
}

/** The superpageblocks of all zones and the background of all nodes: made anew where hotplug has changed them. */
export function serializeSpb(mm: PageAllocator, io: StateIo): void {
  const system = mm.spb;
  if (system === null) return;
  io.part('spb', system);
  for (const zone of mm.zones) serializeZoneSpb(mm, zone, io);
  for (const { node } of mm.nodes)
    system.nodes[node] = io.optional('node_work', system.nodes[node]!, () => newNodeWork(mm, node));
}

function serializeZoneSpb(mm: PageAllocator, zone: Zone, io: StateIo): void {
  const old = zone.spb;
  const most = nrSuperpageblocks(0, mm.pages.end_pfn);
  const nr = io.whole('nr_superpageblocks', old?.nr_superpageblocks ?? 0, 0, most);
  const base = io.whole('base', old?.base ?? 0, 0, most);
  const isSame = old !== null && old.nr_superpageblocks === nr && old.base === base;
  if (io.isLoading && !isSame)
    zone.spb = nr === 0 ? null : newSuperpageblocks(mm, zone, base, new Int32Array(nr + 1));
  if (zone.spb !== null) io.part('superpageblocks', zone.spb);
}
