/** Names of what an explanation mentions: zones, types, allocation flags, marks. */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import {
  ALLOC_CMA,
  ALLOC_CPUSET,
  ALLOC_HIGHATOMIC,
  ALLOC_HIGHORDER_OPTIONAL,
  ALLOC_KSWAPD,
  ALLOC_MIN_RESERVE,
  ALLOC_NO_WATERMARKS,
  ALLOC_NOFRAG_TAINTED_OK,
  ALLOC_NOFRAGMENT,
  ALLOC_NON_BLOCK,
  ALLOC_OOM,
  ALLOC_TRYLOCK,
  ALLOC_WMARK_MASK,
} from '../mm/page-alloc/watermark.js';
import type { Zone } from '../mm/page-alloc/zone.js';
import { CompactResult } from '../mm/reclaim/compaction-suitable.js';
import { MIGRATETYPE_NAMES, ZONE_NAMES } from '../mm/types.js';

export const MARK_NAMES = ['min', 'low', 'high', 'promo'] as const;
export type MarkName = (typeof MARK_NAMES)[number];

const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [ALLOC_NO_WATERMARKS, 'NO_WATERMARKS'],
  [ALLOC_OOM, 'OOM'],
  [ALLOC_NON_BLOCK, 'NON_BLOCK'],
  [ALLOC_MIN_RESERVE, 'MIN_RESERVE'],
  [ALLOC_CPUSET, 'CPUSET'],
  [ALLOC_CMA, 'CMA'],
  [ALLOC_NOFRAGMENT, 'NOFRAGMENT'],
  [ALLOC_NOFRAG_TAINTED_OK, 'NOFRAG_TAINTED_OK'],
  [ALLOC_HIGHORDER_OPTIONAL, 'HIGHORDER_OPTIONAL'],
  [ALLOC_HIGHATOMIC, 'HIGHATOMIC'],
  [ALLOC_TRYLOCK, 'TRYLOCK'],
  [ALLOC_KSWAPD, 'KSWAPD'],
];

export function flagNames(flags: number): string[] {
  return FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
}

export function markName(flags: number): MarkName | 'none' {
  return flags & ALLOC_NO_WATERMARKS ? 'none' : MARK_NAMES[flags & ALLOC_WMARK_MASK]!;
}

export function zoneName(zone: Zone): string {
  return `node ${zone.node} ${ZONE_NAMES[zone.index]!}`;
}

/** Name of the zone of a page; a page outside all zones has none. */
export function zoneNameOf(mm: PageAllocator, pfn: number): string | null {
  const zone = mm.findZone(pfn);
  return zone === undefined ? null : zoneName(zone);
}

export function typeName(migratetype: number): string {
  return MIGRATETYPE_NAMES[migratetype]?.toLowerCase() ?? `type ${migratetype}`;
}

const COMPACT_RESULTS: readonly (readonly [value: number, name: string])[] = [
  [CompactResult.skipped, 'skipped'],
  [CompactResult.deferred, 'deferred'],
  [CompactResult.continue, 'went on'],
  [CompactResult.complete, 'complete'],
  [CompactResult.partialSkipped, 'part of the zone'],
  [CompactResult.contended, 'contended'],
  [CompactResult.success, 'success'],
];

export function compactResultName(result: number): string {
  return COMPACT_RESULTS.find(([value]) => value === result)?.[1] ?? '';
}
