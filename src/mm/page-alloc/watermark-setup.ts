/**
 * How much memory must stay free: min_free_kbytes and the four marks of every zone.
 *
 * Products of page counts leave 32 bits, some of them also the 53 that a double holds exactly.
 * model: page-allocator 2.4; gfp C9
 */
import { MIGRATE_PCPTYPES, PAGE_BYTES, PAGEBLOCK_PAGES, SWAP_CLUSTER_MAX, ZoneIndex } from '../types.js';
import type { PageAllocator } from './page-allocator.js';
import { boostedMark } from './watermark.js';
import { WMARK_HIGH, WMARK_LOW, WMARK_MIN, WMARK_PROMO, type Zone } from './zone.js';

const KIB_PER_PAGE = PAGE_BYTES / 1024;
const MIN_FREE_KBYTES_FLOOR = 128;
const MIN_FREE_KBYTES_CEILING = 262_144;
const MOVABLE_MIN_CEILING = 128;
/** of what khugepaged may ask for: one part in this many of the memory */
const THP_SHARE = 20;

/** Largest integer whose square is not above `value`. */
export function isqrt(value: number): number {
  let root = Math.floor(Math.sqrt(value));
  while (root * root > value) root--;
  while ((root + 1) * (root + 1) <= value) root++;
  return root;
}

/** a * b / c, rounded down, however large the product. */
function mulDiv(a: number, b: number, c: number): number {
  return Number((BigInt(a) * BigInt(b)) / BigInt(c));
}

/** Pages above the high marks of all zones up to `highestZone`: what there is to give out without pressure. */
export function pagesAboveHigh(mm: PageAllocator, highestZone: number): number {
  let pages = 0;
  for (const zone of mm.zones)
    if (zone.index <= highestZone) pages += Math.max(0, zone.managed_pages - boostedMark(zone, WMARK_HIGH));
  return pages;
}

/** The kernel's own choice, from the marks that are in force now; before the first choice they are zero. */
export function defaultMinFreeKbytes(mm: PageAllocator): number {
  const kib = pagesAboveHigh(mm, ZoneIndex.normal) * KIB_PER_PAGE;
  const wanted = isqrt(kib * 16);
  return Math.min(Math.max(wanted, MIN_FREE_KBYTES_FLOOR), MIN_FREE_KBYTES_CEILING);
}

/** What khugepaged wants free, so that a few pageblocks of every type can be kept apart. */
export function thpMinFreeKbytes(mm: PageAllocator): number {
  const zones = mm.zones.filter((zone) => zone.index <= ZoneIndex.normal && zone.present_pages > 0).length;
  const wanted = PAGEBLOCK_PAGES * zones * (2 + MIGRATE_PCPTYPES * MIGRATE_PCPTYPES);
  return Math.min(wanted, Math.trunc(pagesAboveHigh(mm, ZoneIndex.normal) / THP_SHARE)) * KIB_PER_PAGE;
}

/** Shares min_free_kbytes out among the zones and sets their marks; boosts end. */
export function setWatermarks(mm: PageAllocator, minFreeKbytes: number): void {
  const pagesMin = Math.trunc(minFreeKbytes / KIB_PER_PAGE);
  let total = 0;
  for (const zone of mm.zones) if (sharesMinFree(mm, zone)) total += zone.managed_pages;
  for (const zone of mm.zones) setZoneWatermarks(mm, zone, mulDiv(pagesMin, zone.managed_pages, total || 1));
}

/** ZONE_MOVABLE serves no request that must not fail, so newer kernels leave it out of the sum. */
function sharesMinFree(mm: PageAllocator, zone: Zone): boolean {
  return zone.index !== ZoneIndex.movable || mm.policy['watermark.movable_in_total'];
}

function setZoneWatermarks(mm: PageAllocator, zone: Zone, share: number): void {
  const managed = zone.managed_pages;
  const min = sharesMinFree(mm, zone)
    ? share
    : Math.min(Math.max(Math.trunc(managed / 1024), SWAP_CLUSTER_MAX), MOVABLE_MIN_CEILING);
  const gap = Math.max(Math.trunc(share / 4), mulDiv(managed, mm.policy['watermark.scale_factor'], 10_000));
  zone.watermark_boost = 0;
  zone.watermark[WMARK_MIN] = min;
  zone.watermark[WMARK_LOW] = min + gap;
  zone.watermark[WMARK_HIGH] = min + 2 * gap;
  zone.watermark[WMARK_PROMO] = min + 3 * gap;
}

/**
 * Sets all marks as boot and hotplug do: first for the kernel's own min_free_kbytes, then, with those marks in force,
 * for what khugepaged raises it to. A value of the user's stands as it is, as a sysctl written after boot does.
 *
 * @returns min_free_kbytes
 */
export function setUpWatermarks(mm: PageAllocator): number {
  const user = mm.policy['watermark.min_free_kbytes'];
  const own = user > 0 ? user : defaultMinFreeKbytes(mm);
  setWatermarks(mm, own);
  if (user > 0 || !mm.spec.thp || !mm.policy['watermark.thp_raise']) return own;
  const raised = Math.max(own, thpMinFreeKbytes(mm));
  setWatermarks(mm, raised);
  return raised;
}
