/**
 * What the kernel derives from the sizes of its zones at boot and after every hotplug.
 *
 * A run that starts from a recorded state loads these numbers instead: a real kernel's may lag behind its `managed`.
 * model: page-allocator 2.4-2.6, 2.8, 3.3a
 */
import { MAX_NR_ZONES, MIGRATE_TYPES, PAGEBLOCK_PAGES, ZoneIndex } from '../types.js';
import type { PageAllocator } from './page-allocator.js';
import { nrOnlineCpus, setCacheFlag, setPcpSizes } from './pcp-setup.js';
import { pagesAboveHigh, setUpWatermarks } from './watermark-setup.js';
import { WMARK_LOW, WMARK_MIN, type Zone } from './zone.js';

const MAX_STAT_THRESHOLD = 125;
/** 128 MiB: the unit in which the threshold measures a zone */
const THRESHOLD_UNIT_PAGES = 1 << 15;

/** Number of the highest set bit, counted from 1; 0 for 0. */
function fls(value: number): number {
  return 32 - Math.clz32(value);
}

/**
 * Switches page grouping by mobility off on machines with less memory than one pageblock per type.
 * model: page-allocator 2.6
 */
export function setMobilityGrouping(mm: PageAllocator): void {
  const choice = mm.policy['mobility.grouping'];
  const types = mm.rules.cma ? MIGRATE_TYPES : MIGRATE_TYPES - 1;
  mm.grouping =
    choice === 'auto' ? pagesAboveHigh(mm, ZoneIndex.movable) >= PAGEBLOCK_PAGES * types : choice === 'on';
}

/** What requests for higher zones must leave free in the lower ones. model: page-allocator 2.5 */
export function setLowmemReserve(mm: PageAllocator): void {
  const ratios = mm.policy['watermark.lowmem_reserve_ratio'];
  for (const { zones } of mm.nodes)
    for (const zone of zones) {
      const ratio = zone.managed_pages > 0 ? ratios[zone.index]! : 0;
      zone.lowmem_reserve.fill(0);
      let above = 0;
      for (let index = zone.index + 1; index < MAX_NR_ZONES; index++) {
        above += zones.find((upper) => upper.index === index)?.managed_pages ?? 0;
        if (ratio > 0) zone.lowmem_reserve[index] = Math.trunc(above / ratio);
      }
    }
}

/** How far one CPU's part of a counter may grow before it is folded in. model: page-allocator 2.8 */
export function normalThreshold(zone: Zone, cpus: number): number {
  const units = Math.trunc(zone.managed_pages / THRESHOLD_UNIT_PAGES);
  return Math.min(MAX_STAT_THRESHOLD, 2 * fls(cpus) * (1 + fls(units)));
}

/** The same while kswapd works: small enough that all CPUs together cannot hide the way from low to min. */
export function pressureThreshold(zone: Zone, cpus: number): number {
  const distance = zone.watermark[WMARK_LOW]! - zone.watermark[WMARK_MIN]!;
  return Math.max(1, Math.min(MAX_STAT_THRESHOLD, Math.trunc(distance / cpus)));
}

export function setStatThresholds(mm: PageAllocator): void {
  const cpus = nrOnlineCpus(mm);
  for (const zone of mm.zones) zone.stat_threshold = normalThreshold(zone, cpus);
}

/**
 * Recomputes everything that follows from the zones' managed pages.
 *
 * @returns min_free_kbytes
 */
export function recomputeZones(mm: PageAllocator): number {
  const minFreeKbytes = setUpWatermarks(mm);
  for (const zone of mm.zones) setPcpSizes(mm, zone);
  setStatThresholds(mm);
  setLowmemReserve(mm);
  return minFreeKbytes;
}

/**
 * All of it, for a machine that has just been started.
 *
 * @returns min_free_kbytes
 */
export function setUpZones(mm: PageAllocator): number {
  setMobilityGrouping(mm);
  const minFreeKbytes = recomputeZones(mm);
  for (let cpu = 0; cpu < mm.nr_cpus; cpu++) if (!mm.offline_cpus.has(cpu)) setCacheFlag(mm, cpu);
  return minFreeKbytes;
}
