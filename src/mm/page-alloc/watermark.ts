/**
 * Watermark tests: may a request take pages from a zone, given what must stay free?
 * model: page-allocator 4.3; gfp A6
 */
import { GFP_ATOMIC_BIT } from '../gfp.js';
import { Migratetype } from '../types.js';
import type { Rules } from './rules.js';
import { WMARK_HIGH, WMARK_MIN, type Zone } from './zone.js';

/** Internal allocation flags; the values are the kernel's. model: page-allocator 1 */
export const ALLOC_WMARK_MASK = 0x3;
export const ALLOC_NO_WATERMARKS = 0x4;
export const ALLOC_OOM = 0x8;
export const ALLOC_NON_BLOCK = 0x10;
export const ALLOC_MIN_RESERVE = 0x20;
export const ALLOC_CPUSET = 0x40;
export const ALLOC_CMA = 0x80;
export const ALLOC_NOFRAGMENT = 0x100;
export const ALLOC_HIGHATOMIC = 0x200;
export const ALLOC_TRYLOCK = 0x400;
export const ALLOC_KSWAPD = 0x800;
/** the caller can do with less than it asks for; the bits of this and the next are the model's. model: spb 3.6 */
export const ALLOC_HIGHORDER_OPTIONAL = 0x1000;
/** under NOFRAGMENT, blocks of tainted superpageblocks may be mixed. model: spb 3.7 */
export const ALLOC_NOFRAG_TAINTED_OK = 0x2000;
export const ALLOC_RESERVES = ALLOC_NON_BLOCK | ALLOC_MIN_RESERVE | ALLOC_HIGHATOMIC | ALLOC_OOM;

/** A mark as every test sees it: boost included. */
export function boostedMark(zone: Zone, mark: number): number {
  return zone.watermark[mark]! + zone.watermark_boost;
}

/** Free pages that a request may not count on. */
export function unusableFree(zone: Zone, rules: Rules, order: number, allocFlags: number): number {
  let unusable = (1 << order) - 1;
  if ((allocFlags & ALLOC_RESERVES) === 0)
    unusable += rules.highatomic_counts_free ? zone.nr_free_highatomic : zone.nr_reserved_highatomic;
  if ((allocFlags & ALLOC_CMA) === 0) unusable += zone.nr_free_cma;
  return unusable;
}

/** A mark as it is for requests that may break into reserves. */
export function markForReserves(mark: number, allocFlags: number): number {
  let min = mark;
  if (allocFlags & ALLOC_MIN_RESERVE) {
    min -= min >> 1;
    if (allocFlags & ALLOC_NON_BLOCK) min -= min >> 2;
  }
  if (allocFlags & ALLOC_OOM) min -= min >> 1;
  return min;
}

/**
 * The full test: enough pages above the mark and the zone's reserve, and for order > 0 a chunk that can serve it.
 *
 * @param mark pages, boost included where it applies
 * @param highestZone column of lowmem_reserve
 * @param freePages the counter's value, which callers may have added reclaimable pages to
 */
export function zoneWatermarkOk(
  zone: Zone,
  rules: Rules,
  order: number,
  mark: number,
  highestZone: number,
  allocFlags: number,
  freePages: number = zone.folded_free_pages,
): boolean {
  const free = freePages - unusableFree(zone, rules, order, allocFlags);
  const min = (allocFlags & ALLOC_RESERVES) === 0 ? mark : markForReserves(mark, allocFlags);
  if (free <= min + zone.lowmem_reserve[highestZone]!) return false;
  return order === 0 || hasChunk(zone, order, allocFlags);
}

function hasChunk(zone: Zone, order: number, allocFlags: number): boolean {
  const masks = zone.listMask;
  let orders = masks[Migratetype.unmovable]! | masks[Migratetype.movable]! | masks[Migratetype.reclaimable]!;
  if (allocFlags & ALLOC_CMA) orders |= masks[Migratetype.cma]!;
  if (allocFlags & (ALLOC_HIGHATOMIC | ALLOC_OOM)) orders |= masks[Migratetype.highatomic]!;
  return orders >>> order !== 0;
}

/** The test of the freelist walk: a shortcut for order 0, and a second chance for it while the zone is boosted. */
export function zoneWatermarkFast(
  zone: Zone,
  rules: Rules,
  order: number,
  mark: number,
  highestZone: number,
  allocFlags: number,
  gfp: number,
): boolean {
  const free = zone.folded_free_pages;
  if (order === 0) {
    const usable = free - Math.min(free, unusableFree(zone, rules, 0, allocFlags));
    if (usable > mark + zone.lowmem_reserve[highestZone]!) return true;
    // Without reserves to break into and without a boost to ignore, the full test asks the same once more.
    if ((allocFlags & ALLOC_RESERVES) === 0 && zone.watermark_boost === 0) return false;
  }
  if (zoneWatermarkOk(zone, rules, order, mark, highestZone, allocFlags, free)) return true;
  if (order !== 0 || zone.watermark_boost === 0 || (allocFlags & ALLOC_WMARK_MASK) !== WMARK_MIN)
    return false;
  const mayIgnoreBoost = rules.boosted_min_by_gfp_atomic
    ? (gfp & GFP_ATOMIC_BIT) !== 0
    : (allocFlags & ALLOC_MIN_RESERVE) !== 0;
  return (
    mayIgnoreBoost &&
    zoneWatermarkOk(zone, rules, 0, zone.watermark[WMARK_MIN]!, highestZone, allocFlags, free)
  );
}

/**
 * Raises the marks of a zone whose blocks begin to mix, so that kswapd makes room.
 *
 * @returns whether the zone can be boosted at all, also when its boost is already at the cap
 * model: page-allocator 2.7
 */
export function boostWatermark(zone: Zone, rules: Rules, pageblockPages: number): boolean {
  const factor = rules.watermark_boost_factor;
  if (factor === 0 || pageblockPages * 4 > zone.managed_pages) return false;
  const high = zone.watermark[WMARK_HIGH]!;
  const cap = Math.trunc(high / 10_000) * factor + Math.trunc(((high % 10_000) * factor) / 10_000);
  if (cap === 0) return false;
  zone.watermark_boost = Math.min(zone.watermark_boost + pageblockPages, Math.max(pageblockPages, cap));
  return true;
}
