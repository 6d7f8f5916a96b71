/** The model's zones at one moment, as the result document shows them. */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { WMARK_HIGH, WMARK_LOW, WMARK_MIN, WMARK_PROMO, type Zone } from '../mm/page-alloc/zone.js';
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
import { zoneCounters } from '../mm/vmstat.js';
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
  return mm.zones.filter((zone) => zone.present_pages > 0).map((zone) => resultZone(mm, zone, unknownCounts));
}

function resultZone(mm: PageAllocator, zone: Zone, unknownCounts: boolean): ResultZone {
  const types = printedTypes(mm);
  const buddyinfo = [...zone.nr_free];
  const { map, blocks } = mapOf(mm, zone);
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
    pagetype: types.map((type) =>
      Array.from({ length: NR_PAGE_ORDERS }, (_, order) => zone.listLength[order * MIGRATE_TYPES + type]!),
    ),
    pageblocks: types.map((type) => blocks[type]!),
    watermarks: { min: min!, low: low!, high: high!, promo: promo!, boost: zone.watermark_boost },
    lowmem_reserve: [...zone.lowmem_reserve],
    reserved_highatomic_pages: zone.nr_reserved_highatomic,
    free_highatomic_pages: zone.nr_free_highatomic,
    stat_threshold: zone.stat_threshold,
    pcp: zone.pcps.map((pcp, cpu) => ({
      cpu,
      count: pcp.count,
      high: pcp.high,
      high_min: pcp.high_min,
      high_max: pcp.high_max,
      batch: pcp.batch,
    })),
    extfrag_index: extfragIndexes(buddyinfo),
    unusable_index: unusableIndexes(buddyinfo),
    counters: Object.fromEntries(zoneCounters(mm, zone)),
    superpageblocks: resultZoneSpb(mm, zone, unknownCounts),
    map_first_pfn: (zone.start_pfn >>> PAGEBLOCK_ORDER) << PAGEBLOCK_ORDER,
    map,
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

export function resultNodes(mm: PageAllocator): ResultNode[] {
  return mm.nodes.map((node) => ({
    node: node.node,
    unreclaimable: node.kswapd_failures >= MAX_RECLAIM_RETRIES,
    counters: {},
  }));
}
