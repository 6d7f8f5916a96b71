/**
 * Contiguous allocation that knows superpageblocks: 1 GiB pages, and pageblocks for huge pages.
 *
 *     1 GiB page   an empty superpageblock, else the clean one with the fewest pageblocks in use; never a tainted one
 *
 * Superpageblocks that a range covers wholly are set aside while it is held.
 * model: spb 5.1, 5.2
 */
import { gfpMigratetype } from '../gfp.js';
import { allocContigRange } from '../page-alloc/contig-alloc.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import type { Zone } from '../page-alloc/zone.js';
import { Migratetype, NO_PFN, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import type { SpbSystem } from './spb-system.js';
import {
  CLEAN_PLACES,
  PB_HAS_MOVABLE,
  PLACE_EMPTY,
  SUPERPAGEBLOCK_NR_BLOCKS,
  SUPERPAGEBLOCK_NR_PAGES,
  SUPERPAGEBLOCK_ORDER,
} from './spb-types.js';
import type { Superpageblocks } from './superpageblocks.js';

/** Requests of whole GiBs are steered; smaller ranges are looked for as without superpageblocks. */
export function isSteered(mm: PageAllocator, pages: number): boolean {
  return (
    mm.policy['spb.contig_steering'] &&
    pages >= SUPERPAGEBLOCK_NR_PAGES &&
    pages % SUPERPAGEBLOCK_NR_PAGES === 0
  );
}

/** @returns first PFN of a range of whole superpageblocks, or NO_PFN */
export function allocContigSpb(
  mm: PageAllocator,
  system: SpbSystem,
  zones: readonly Zone[],
  cpu: number,
  gfp: number,
  pages: number,
): number {
  const { stats } = system;
  const wanted = pages / SUPERPAGEBLOCK_NR_PAGES;
  stats.contig_calls++;
  for (const zone of zones) {
    if (zone.spb === null) continue;
    for (const first of candidates(zone, zone.spb, wanted, mm.policy['spb.contig_candidates'])) {
      const start = zone.spb.start_pfn(first);
      const before = mm.events.pgmigrate_success;
      const outcome = allocContigRange(mm, cpu, start, pages, Migratetype.movable, gfpMigratetype(gfp));
      const migrated = mm.events.pgmigrate_success - before;
      stats.gigantic_migrated_pages += migrated;
      if (outcome !== 'allocated') continue;
      stats.gigantic_allocated += wanted;
      if (migrated === 0) stats.gigantic_from_empty += wanted;
      stats.gigantic_most_migrated_pages = Math.max(stats.gigantic_most_migrated_pages, migrated);
      return start;
    }
  }
  stats.contig_failed++;
  return NO_PFN;
}

/** First superpageblocks of ranges to try: wholly empty ones, then a few clean ones, least used first. */
function candidates(zone: Zone, spbs: Superpageblocks, wanted: number, most: number): number[] {
  const ranges: { readonly first: number; readonly used: number; readonly free_pages: number }[] = [];
  for (let first = 0; first + wanted <= spbs.nr_superpageblocks; first++) {
    // A range is aligned to its own size, as the search without superpageblocks has it.
    if (!isWhole(zone, spbs, first, wanted) || (spbs.base + first) % wanted !== 0) continue;
    let used = 0;
    let free_pages = 0;
    for (let spb = first; spb < first + wanted; spb++) {
      used += spbs.usable(spb) - spbs.nr_free[spb]!;
      free_pages += spbs.nr_free_pages[spb]!;
    }
    ranges.push({ first, used, free_pages });
  }
  // Of equally used ones that with the fewest pages to move.
  ranges.sort((a, b) => a.used - b.used || b.free_pages - a.free_pages || a.first - b.first);
  return ranges.slice(0, most).map(({ first }) => first);
}

/** Superpageblocks that lie wholly in the zone and hold nothing that cannot be moved. */
function isWhole(zone: Zone, spbs: Superpageblocks, first: number, wanted: number): boolean {
  for (let spb = first; spb < first + wanted; spb++) {
    const place = spbs.place[spb]!;
    if (spbs.usable(spb) !== SUPERPAGEBLOCK_NR_BLOCKS) return false;
    // A pageblock that is neither free nor holds anything movable is the kernel's own since boot.
    if (spbs.nr_free[spb]! + spbs.nr_movable[spb]! < SUPERPAGEBLOCK_NR_BLOCKS) return false;
    if (place !== PLACE_EMPTY && !CLEAN_PLACES.includes(place)) return false;
  }
  return zone.spans(spbs.start_pfn(first)) && zone.spans(spbs.start_pfn(first + wanted) - 1);
}

/** Sets superpageblocks aside that a range covers wholly; those that a free touches are taken up again. */
export function markContigRange(
  mm: PageAllocator,
  zone: Zone,
  start: number,
  end: number,
  held: boolean,
): void {
  const spbs = zone.spb;
  const [up, down] = held ? [Math.ceil, Math.floor] : [Math.floor, Math.ceil];
  const last = down(end / SUPERPAGEBLOCK_NR_PAGES);
  for (let gib = up(start / SUPERPAGEBLOCK_NR_PAGES); gib < last; gib++) {
    if (held) mm.held_gigantic.add(gib);
    else mm.held_gigantic.delete(gib);
    const spb = spbs?.indexOf(gib << SUPERPAGEBLOCK_ORDER) ?? -1;
    if (spb >= 0 && spbs!.contig_allocated[spb] !== (held ? 1 : 0)) spbs!.setContigAllocated(spb, held);
  }
}

/**
 * sb_try_alloc_contig() for a huge page: empties the pageblock with the fewest pages in use of a clean superpageblock.
 *
 * @returns first PFN of 2^order pages, or NO_PFN
 */
export function tryAllocContigBlock(
  mm: PageAllocator,
  system: SpbSystem,
  zones: readonly Zone[],
  cpu: number,
  order: number,
): number {
  if (!mm.policy['spb.thp_contig'] || order !== PAGEBLOCK_ORDER) return NO_PFN;
  const { stats } = system;
  stats.thp_contig_tried++;
  for (const zone of zones) {
    if (zone.spb === null) continue;
    let tried = 0;
    for (const place of CLEAN_PLACES)
      for (let spb = zone.spb.first(place); spb >= 0; spb = zone.spb.after(spb)) {
        if (tried === mm.policy['spb.contig_candidates']) break;
        const block = cheapestBlock(mm, zone, zone.spb.start_pfn(spb));
        if (block < 0) continue;
        tried++;
        const start = block << PAGEBLOCK_ORDER;
        if (
          allocContigRange(mm, cpu, start, PAGEBLOCK_PAGES, Migratetype.movable, Migratetype.movable) !==
          'allocated'
        )
          break;
        stats.thp_contig_allocated++;
        return start;
      }
  }
  return NO_PFN;
}

/** Pageblock with the fewest movable pages in use, at most half of it, and nothing else; or -1. */
function cheapestBlock(mm: PageAllocator, zone: Zone, start_pfn: number): number {
  const { blockBits, blockMovable, blockZone } = mm.pages;
  let best = -1;
  let fewest = PAGEBLOCK_PAGES / 2 + 1;
  const first = start_pfn >>> PAGEBLOCK_ORDER;
  for (let block = first; block < first + SUPERPAGEBLOCK_NR_BLOCKS; block++) {
    if (blockBits[block] !== PB_HAS_MOVABLE || blockZone[block] !== zone.number) continue;
    const used = blockMovable[block]!;
    if (used >= fewest) continue;
    fewest = used;
    best = block;
  }
  return best;
}
