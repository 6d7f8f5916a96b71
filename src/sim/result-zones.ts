/** The model's zones at one moment, as the result document shows them. */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { WMARK_HIGH, WMARK_LOW, WMARK_MIN, WMARK_PROMO, type Zone } from '../mm/page-alloc/zone.js';
import type { Counting } from '../mm/spb/census.js';
import {
  MAX_RECLAIM_RETRIES,
  MIGRATE_TYPES,
  MIGRATETYPE_NAMES,
  Migratetype,
  NR_PAGE_ORDERS,
  PAGEBLOCK_ORDER,
  PAGEBLOCK_PAGES,
  ZONE_NAMES,
} from '../mm/types.js';
import { type SlabPageCounts, slabNodeCounters, zoneCounters } from '../mm/vmstat.js';
import { extfragIndexes, unusableIndexes } from '../report/fragmentation-index.js';
import { pageblockGlyph } from '../report/pageblock-map.js';
import type { ResultNode, ResultZone } from '../report/run-result.js';
import { resultZoneSpb } from './result-spb.js';

/** Types that the modelled kernel prints: without CMA there is no CMA row. */
export function printedTypes(mm: PageAllocator): number[] {
  const types = Array.from({ length: MIGRATE_TYPES }, (_, type) => type);
  return mm.rules.cma ? types : types.filter((type) => type !== Migratetype.cma);
}

export function resultMigratetypes(mm: PageAllocator): string[] {
  return printedTypes(mm).map((type) => MIGRATETYPE_NAMES[type]!);
}

/** @param unknownCounts see `resultZoneSpb` */
export function resultZones(mm: PageAllocator, unknownCounts: boolean): ResultZone[] {
  return liveZones(mm, unknownCounts).map((zone) => ({ ...zone }));
}

/**
 * The same, to be read before the replay goes on: what takes a walk over the zone is made when it is asked for.
 *
 * @param counting  how pages are counted, if not one by one
 */
export function liveZones(mm: PageAllocator, unknownCounts: boolean, counting?: Counting): ResultZone[] {
  return mm.zones
    .filter((zone) => zone.present_pages > 0)
    .map((zone) => liveZone(mm, zone, unknownCounts, counting));
}

function liveZone(mm: PageAllocator, zone: Zone, unknownCounts: boolean, counting?: Counting): ResultZone {
  const types = printedTypes(mm);
  const buddyinfo = [...zone.nr_free];
  let walked: ReturnType<typeof mapOf> | undefined;
  const blockMap = () => {
    walked ??= mapOf(mm, zone);
    return walked;
  };
  let spb: ResultZone['superpageblocks'] | undefined;
  const [min, low, high, promo] = [WMARK_MIN, WMARK_LOW, WMARK_HIGH, WMARK_PROMO].map(
    (mark) => zone.watermark[mark]!,
  );
  return {
    node: zone.node,
    name: ZONE_NAMES[zone.index]!,
    start_pfn: zone.start_pfn,
    spanned_pages: zone.spanned_pages,
    present_pages: zone.present_pages,
    managed_pages: zone.managed_pages,
    free_pages: zone.folded_free_pages,
    cma_pages: 0,
    buddyinfo,
    get pagetype() {
      return types.map((type) =>
        Array.from({ length: NR_PAGE_ORDERS }, (_, order) => zone.listLength[order * MIGRATE_TYPES + type]!),
      );
    },
    get pageblocks() {
      return types.map((type) => blockMap().blocks[type]!);
    },
    watermarks: { min: min!, low: low!, high: high!, promo: promo!, boost: zone.watermark_boost },
    lowmem_reserve: [...zone.lowmem_reserve],
    reserved_highatomic_pages: zone.nr_reserved_highatomic,
    free_highatomic_pages: zone.nr_free_highatomic,
    stat_threshold: zone.stat_threshold,
    get pcp() {
      return zone.pcps.map(({ count, high, high_min, high_max, batch }, cpu) => ({
        cpu,
        count,
        high,
        high_min,
        high_max,
        batch,
      }));
    },
    get extfrag_index() {
      return extfragIndexes(buddyinfo);
    },
    get unusable_index() {
      return unusableIndexes(buddyinfo);
    },
    get counters() {
      return Object.fromEntries(zoneCounters(mm, zone));
    },
    get superpageblocks() {
      spb ??= resultZoneSpb(mm, zone, unknownCounts, counting);
      return spb;
    },
    map_first_pfn: (zone.start_pfn >>> PAGEBLOCK_ORDER) << PAGEBLOCK_ORDER,
    get map() {
      return blockMap().map;
    },
  };
}

/** One glyph per pageblock of the zone's span, and the number of blocks by type. */
function mapOf(mm: PageAllocator, zone: Zone): { map: string; blocks: number[] } {
  const { blockType } = mm.pages;
  const blocks = new Array<number>(MIGRATE_TYPES).fill(0);
  const first = zone.start_pfn >>> PAGEBLOCK_ORDER;
  const end = Math.ceil(zone.end_pfn / PAGEBLOCK_PAGES);
  const free = freePagesByBlock(zone, first, end);
  const glyphs: string[] = [];
  for (let block = first; block < end; block++) {
    const mine = mm.findZone(Math.max(block << PAGEBLOCK_ORDER, zone.start_pfn)) === zone;
    if (mine) blocks[blockType[block]!]!++;
    const from = Math.max(block << PAGEBLOCK_ORDER, zone.start_pfn);
    const present = mine ? Math.min((block + 1) << PAGEBLOCK_ORDER, zone.end_pfn) - from : 0;
    glyphs.push(pageblockGlyph(blockType[block]!, present, free[block - first]!));
  }
  return { map: glyphs.join(''), blocks };
}

/** Walks the lists, not the pages: memory that was never used stays untouched. */
function freePagesByBlock(zone: Zone, first: number, end: number): Uint16Array {
  const free = new Uint16Array(end - first);
  for (let order = 0; order < NR_PAGE_ORDERS; order++)
    for (let type = 0; type < MIGRATE_TYPES; type++)
      for (const pfn of zone.listPfns(order, type)) {
        const block = (pfn >>> PAGEBLOCK_ORDER) - first;
        if (order <= PAGEBLOCK_ORDER) free[block]! += 1 << order;
        else free.fill(PAGEBLOCK_PAGES, block, block + (1 << (order - PAGEBLOCK_ORDER)));
      }
  return free;
}

/** @param slab  null where no slabs are modelled */
export function resultNodes(mm: PageAllocator, slab: SlabPageCounts | null = null): ResultNode[] {
  return mm.nodes.map((node) => ({
    node: node.node,
    unreclaimable: node.kswapd_failures >= MAX_RECLAIM_RETRIES,
    counters: slab === null ? {} : Object.fromEntries(slabNodeCounters(slab, node.node)),
  }));
}
