/**
 * The free lists of a machine that has just been started: every block Movable, all managed memory free, released in
 * ascending order in the largest aligned chunks that fit.
 *
 * Sizes do not say where in a zone the pages lie that the kernel keeps for itself, nor where a hole is. Assumed:
 *
 *   zone DMA        [ holes and the kernel's own | managed                  ]    BIOS and video memory end at 1 MiB
 *   other zones     [ the kernel's own | managed                 | holes    ]    PCI windows end at 4 GiB
 *
 * so that the free part of a zone is one range. Nothing merges while one range is released in ascending order: a chunk
 * starts where the bit of its order is set, and its buddy holds either pages in use or pages not yet released. Chunks
 * can therefore be put on their lists directly, without touching anything per page; a test compares with real frees.
 * model: page-allocator 2.1
 */
import { invariant } from '../invariant.js';
import { setUpSuperpageblocks } from '../spb/setup.js';
import { Migratetype, PAGEBLOCK_PAGES, ZoneIndex } from '../types.js';
import { alignedOrder } from './aligned-order.js';
import type { PageAllocator } from './page-allocator.js';
import { NO_ZONE } from './page-map.js';
import type { Zone } from './zone.js';
import { setMobilityGrouping, setUpZones } from './zone-setup.js';

/** PFNs from `start` up to, but not including, `end`. */
export interface PfnRange {
  readonly start: number;
  readonly end: number;
}

/** Where the zone's managed pages lie. */
export function managedRange(zone: Zone): PfnRange {
  const end = presentEnd(zone);
  const range = { start: end - zone.managed_pages, end };
  invariant(
    range.start >= zone.start_pfn && zone.present_pages <= zone.spanned_pages,
    `node ${zone.node} zone ${zone.index}: more pages managed than present, or more present than spanned`,
  );
  invariant(range.start > 0 || zone.managed_pages === 0, 'pfn 0 is never handed to the allocator');
  return range;
}

function presentEnd(zone: Zone): number {
  return zone.index === ZoneIndex.dma ? zone.end_pfn : zone.start_pfn + zone.present_pages;
}

/**
 * Fills the free lists of a machine that holds no free pages yet, and derives marks and sizes.
 *
 * The release itself is not counted in pgfree: a run's counters begin after boot.
 */
export function bootFresh(mm: PageAllocator): void {
  setMobilityGrouping(mm);
  const migratetype = mm.grouping ? Migratetype.movable : Migratetype.unmovable;
  mm.pages.blockType.fill(migratetype);
  for (const zone of mm.zones) {
    dropHoleBlocks(mm, zone);
    releaseRange(zone, managedRange(zone), migratetype);
  }
  setUpZones(mm);
  setUpSuperpageblocks(mm, false);
}

/** While a zone's threshold is still zero, every posting reaches its counter at once. */
function releaseRange(zone: Zone, { start, end }: PfnRange, migratetype: number): void {
  for (let pfn = start; pfn < end; ) {
    const order = alignedOrder(pfn, end - pfn);
    zone.addTail(pfn, order, migratetype);
    zone.postFree(0, 1 << order);
    pfn += 1 << order;
  }
}

/** Pageblocks without any memory belong to no zone: they are not counted, and memory may be added there. */
function dropHoleBlocks(mm: PageAllocator, zone: Zone): void {
  const { blockZone } = mm.pages;
  const first = Math.ceil(presentEnd(zone) / PAGEBLOCK_PAGES);
  for (let block = first; block < Math.ceil(zone.end_pfn / PAGEBLOCK_PAGES); block++)
    if (blockZone[block] === zone.number) blockZone[block] = NO_ZONE;
}
