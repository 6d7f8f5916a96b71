/**
 * The start state of a recording without exact lists: from kpageflags, corrected by the trace itself.
 *
 * Free pages. A page's first event in the trace says whether it was free when the trace began; a page without events
 * until the snapshot was complete is free if kpageflags says that it is in the buddy lists. Free pages form the largest aligned chunks, as the allocator
 * would have merged them; their order inside a list is unknown and taken as ascending.
 *
 * Per-CPU lists. Pages that are handed out or drained without having left the buddy lists before stood on a per-CPU
 * list; the order in which that happens is the order of the list. Entries that are never touched do not show.
 *
 * Block types: see block-types.ts. Blocks that are no memory of the allocator: see unmanaged-blocks.ts.
 * model: page-allocator 8.15, 8.17
 */
import { addMovable } from '../../mm/page-alloc/in-use.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { PageKind } from '../../mm/page-alloc/page-map.js';
import { pcpAllowedOrder, pcpListOrder, pcpListType } from '../../mm/page-alloc/per-cpu-pages.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import {
  MAX_PAGE_ORDER,
  MIGRATE_PCPTYPES,
  MIGRATE_TYPES,
  Migratetype,
  PAGEBLOCK_ORDER,
} from '../../mm/types.js';
import { thousands } from '../../report/quantities.js';
import type { BuddyinfoZone } from '../../trace/recording/snapshot/buddyinfo.js';
import { type Kpageflags, PAGE_CLASS_MASK, PageClass } from '../../trace/recording/snapshot/kpageflags.js';
import type { Pagetypeinfo } from '../../trace/recording/snapshot/pagetypeinfo.js';
import { inferBlockTypes } from './block-types.js';
import { placeFreeChunks } from './placed-chunks.js';
import {
  AFTER_SNAPSHOT,
  FIRST_EVENT_MASK,
  FirstEvent,
  type ScannedTrace,
  UNKNOWN_TYPE,
} from './trace-scan.js';
import { dropUnmanagedBlocks } from './unmanaged-blocks.js';

export interface SnapshotSources {
  readonly scan: ScannedTrace;
  readonly kpageflags: Kpageflags | undefined;
  readonly pagetypeinfo: Pagetypeinfo | undefined;
  /** used where there is no kpageflags */
  readonly buddyinfo?: readonly BuddyinfoZone[] | undefined;
}

/** Fills an allocator that holds no pages yet. @returns what was inferred, for the user */
export function loadFromSnapshot(mm: PageAllocator, sources: SnapshotSources): string[] {
  dropUnmanagedBlocks(mm, sources);
  const inBuddy = freeBuddyPages(mm, sources);
  const chosen = sources.kpageflags === undefined ? placeFree(mm, sources, inBuddy) : 0;
  const shown = inferBlockTypes(mm, sources, inBuddy);
  const notes = [
    `block types: ${thousands(shown)} blocks shown by the trace, the others inferred from page contents and pagetypeinfo`,
  ];
  if (sources.kpageflags === undefined)
    notes.push(
      `no before/kpageflags: ${thousands(chosen)} free pages placed as buddyinfo counts them, all others without events taken to be in use`,
    );
  markUsedPages(mm, sources, inBuddy);
  for (const zone of mm.zones) {
    buildChunks(zone, sources.scan, inBuddy);
    zone.nr_free_pages = countedFree(zone);
    zone.nr_isolated_blocks = isolatedBlocks(mm, zone);
  }
  const listed = loadStartLists(mm, sources.scan);
  notes.push(`${thousands(listed)} pages placed on per-CPU lists by their first event`);
  return notes;
}

/** One byte per PFN: 1 where the page was in the buddy lists when the trace began. */
function freeBuddyPages(mm: PageAllocator, { scan, kpageflags }: SnapshotSources): Uint8Array {
  const inBuddy = new Uint8Array(mm.pages.end_pfn);
  const classes = kpageflags?.classes ?? new Uint8Array(0);
  for (const zone of mm.zones) {
    for (let pfn = zone.start_pfn; pfn < zone.end_pfn; pfn++) {
      if (wasInBuddy(scan, classes, pfn)) inBuddy[pfn] = 1;
    }
  }
  return inBuddy;
}

/** Without kpageflags buddyinfo still says how much was free. @returns pages placed */
function placeFree(mm: PageAllocator, { scan, buddyinfo }: SnapshotSources, inBuddy: Uint8Array): number {
  let placed = 0;
  for (const zone of mm.zones) {
    const real = buddyinfo?.find((row) => row.node === zone.node && row.zone === zone.index);
    if (real !== undefined) placed += placeFreeChunks(zone, real.free, scan, inBuddy);
  }
  return placed;
}

function wasInBuddy(scan: ScannedTrace, classes: Uint8Array, pfn: number): boolean {
  const seen = scan.firstEvent[pfn]!;
  const first = seen & FIRST_EVENT_MASK;
  if (first === FirstEvent.none || (seen & AFTER_SNAPSHOT && pfn < classes.length))
    return (classes[pfn]! & PAGE_CLASS_MASK) === PageClass.free;
  if (first === FirstEvent.refill || first === FirstEvent.fallback) return true;
  // Without refill events nothing tells the per-CPU lists from the buddy lists.
  return first === FirstEvent.alloc && !scan.hasRefills;
}

/** Links the largest aligned chunks, which is how freed pages merge. */
function buildChunks(zone: Zone, scan: ScannedTrace, inBuddy: Uint8Array): void {
  const { blockType } = zone.pages;
  const end = zone.end_pfn;
  for (let pfn = zone.start_pfn; pfn < end; ) {
    if (inBuddy[pfn] === 0) {
      pfn++;
      continue;
    }
    let order = 0;
    while (order < MAX_PAGE_ORDER && canGrow(zone, scan, inBuddy, pfn, order)) order++;
    zone.addTail(pfn, order, blockType[pfn >>> PAGEBLOCK_ORDER]!);
    pfn += 1 << order;
  }
}

function isolatedBlocks(mm: PageAllocator, zone: Zone): number {
  const { blockType, blockZone } = mm.pages;
  let blocks = 0;
  for (let block = zone.start_pfn >>> PAGEBLOCK_ORDER; block << PAGEBLOCK_ORDER < zone.end_pfn; block++)
    if (blockType[block] === Migratetype.isolate && blockZone[block] === zone.number) blocks++;
  return blocks;
}

/** Pages on lists that count as free; those of isolated blocks do not. */
function countedFree(zone: Zone): number {
  let pages = 0;
  zone.nr_free.forEach((chunks, order) => {
    const isolated = zone.listLength[order * MIGRATE_TYPES + Migratetype.isolate]!;
    pages += (chunks - isolated) * 2 ** order;
  });
  return pages;
}

function canGrow(zone: Zone, scan: ScannedTrace, inBuddy: Uint8Array, pfn: number, order: number): boolean {
  const size = 1 << order;
  if ((pfn & size) !== 0 || pfn + 2 * size > zone.end_pfn) return false;
  for (let page = pfn + size; page < pfn + 2 * size; page++) if (inBuddy[page] === 0) return false;
  if (order < PAGEBLOCK_ORDER) return true;
  const { blockType, blockZone } = zone.pages;
  const block = pfn >>> PAGEBLOCK_ORDER;
  if (blockZone[block + 1] !== zone.number) return false;
  if (blockType[block] === blockType[block + 1]) return true;
  // Two free blocks of mergeable types are always merged: one type was inferred wrong.
  if (blockType[block]! >= MIGRATE_PCPTYPES || blockType[block + 1]! >= MIGRATE_PCPTYPES) return false;
  const shown = scan.blockType[block] === UNKNOWN_TYPE ? block + 1 : block;
  blockType.fill(blockType[shown]!, block, block + 2);
  return true;
}

/** Pages in use get an owner, so that movable ones count when a fallback looks at their block. */
function markUsedPages(mm: PageAllocator, { scan, kpageflags }: SnapshotSources, inBuddy: Uint8Array): void {
  if (kpageflags === undefined) return;
  const { classes } = kpageflags;
  const { state } = mm.pages;
  const end = Math.min(classes.length, mm.pages.end_pfn);
  for (let pfn = 0; pfn < end; pfn++) {
    const kind = classes[pfn]! & PAGE_CLASS_MASK;
    if (kind !== PageClass.anon && kind !== PageClass.file) continue;
    const first = scan.firstEvent[pfn]! & FIRST_EVENT_MASK;
    if (inBuddy[pfn] === 1 || (first !== FirstEvent.none && first !== FirstEvent.free)) continue;
    if (mm.findZone(pfn) === undefined) continue;
    state[pfn] = PageKind.lru << 4;
    addMovable(mm, pfn, 0, 1);
  }
}

/** Fills the per-CPU lists as the trace shows them. @returns pages placed */
function loadStartLists(mm: PageAllocator, scan: ScannedTrace): number {
  if (!scan.hasRefills) return 0;
  let placed = 0;
  for (const { cpu, index, popped, drained } of scan.startLists) {
    if (cpu >= mm.nr_cpus) continue;
    for (const { pfn, order } of [...popped, ...drained.toReversed()]) {
      const zone = mm.findZone(pfn);
      if (zone === undefined || !pcpAllowedOrder(order) || pcpListOrder(index) !== order) continue;
      if (mm.pages.buddyHead(pfn) >= 0) continue;
      const pcp = zone.pcps[cpu]!;
      pcp.lists[index]!.pushTail(pfn);
      pcp.count += 1 << order;
      mm.pages.state[mm.pages.node(pfn, order)] = ((PageKind.pcp + pcpListType(index)) << 4) | order;
      placed += 1 << order;
    }
  }
  return placed;
}
