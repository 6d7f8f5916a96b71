/**
 * Memory that comes and goes in whole pageblocks while the machine runs.
 *
 *     online    blocks join the zone isolated, their chunks are released as at boot, isolation ends
 *     offline   blocks are isolated, pages in use move away, the free chunks leave the allocator for good
 *
 * Only PFNs that the machine was built for can come online: below the end of its last zone, or `max_pfn` of its
 * description. Blocks that a fresh boot found without memory are free to be added, blocks of no zone too. A zone that
 * starts empty is declared with no pages.
 * model: page-allocator 2.4, 3.8, 3.9
 */

import { resizeZoneSuperpageblocks } from '../spb/setup.js';
import { Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { alignedOrder } from './aligned-order.js';
import { freeToBuddy } from './buddy.js';
import { drainAllPages } from './drain-all.js';
import { endIsolation, endOfFreeChunks, isolateRange, unisolateBlock } from './isolation.js';
import { migrateRange } from './migrate-range.js';
import type { PageAllocator } from './page-allocator.js';
import { NO_ZONE } from './page-map.js';
import { disablePcps, enablePcps } from './pcp-setup.js';
import type { Zone } from './zone.js';
import { recomputeZones, setMobilityGrouping } from './zone-setup.js';
import { buildZonelists } from './zonelist.js';

export type OnlineOutcome = 'online' | 'not_whole_blocks' | 'beyond_the_model' | 'already_online';
export type OfflineOutcome =
  | 'offline'
  | 'not_whole_blocks'
  | 'not_online'
  | 'unmovable'
  | 'no_target'
  | 'still_in_use';

function isWholeBlocks(start: number, pages: number): boolean {
  return start >= 0 && pages > 0 && start % PAGEBLOCK_PAGES === 0 && pages % PAGEBLOCK_PAGES === 0;
}

/** All blocks of the range are of this zone number; NO_ZONE for blocks that are not online. */
function allBlocksAre(mm: PageAllocator, start: number, end: number, zoneNumber: number): boolean {
  return mm.pages.blockZone
    .subarray(start >>> PAGEBLOCK_ORDER, end >>> PAGEBLOCK_ORDER)
    .every((owner) => owner === zoneNumber);
}

/** Adds memory to a zone; all of it is free then. */
export function onlinePages(
  mm: PageAllocator,
  cpu: number,
  zone: Zone,
  start: number,
  pages: number,
): OnlineOutcome {
  const end = start + pages;
  if (!isWholeBlocks(start, pages)) return 'not_whole_blocks';
  if (end > mm.pages.end_pfn) return 'beyond_the_model';
  if (!allBlocksAre(mm, start, end, NO_ZONE)) return 'already_online';
  const wasEmpty = zone.managed_pages === 0;
  disablePcps(mm, zone);
  drainAllPages(mm, zone);
  growSpan(zone, start, end);
  mm.claimBlocks(zone, start, end);
  mm.pages.blockType.fill(Migratetype.isolate, start >>> PAGEBLOCK_ORDER, end >>> PAGEBLOCK_ORDER);
  resizeZoneSuperpageblocks(mm, zone);
  zone.nr_isolated_blocks += pages >>> PAGEBLOCK_ORDER;
  zone.managed_pages += pages;
  zone.present_pages += pages;
  for (let pfn = start; pfn < end; ) {
    const order = alignedOrder(pfn, end - pfn);
    mm.pgfree += 1 << order;
    freeToBuddy(mm, zone, cpu, pfn, order, true);
    pfn += 1 << order;
  }
  if (wasEmpty) rebuildZonelists(mm);
  const migratetype = mm.grouping ? Migratetype.movable : Migratetype.unmovable;
  for (let block = start; block < end; block += PAGEBLOCK_PAGES)
    unisolateBlock(mm, zone, cpu, block, migratetype);
  recomputeZones(mm);
  return 'online';
}

/** Takes memory out of a zone. What has moved away by the time it fails stays where it is. */
export function offlinePages(
  mm: PageAllocator,
  cpu: number,
  zone: Zone,
  start: number,
  pages: number,
): OfflineOutcome {
  const end = start + pages;
  if (!isWholeBlocks(start, pages)) return 'not_whole_blocks';
  if (end > mm.pages.end_pfn || !allBlocksAre(mm, start, end, zone.number)) return 'not_online';
  const sizes = disablePcps(mm, zone);
  drainAllPages(mm, zone);
  const isolation = isolateRange(mm, zone, cpu, start, end);
  if (isolation === null) {
    enablePcps(mm, zone, sizes);
    return 'unmovable';
  }
  const isEmpty = migrateRange(mm, zone, start, end, { cpu, node: nodeForTargets(mm, zone) });
  if (!isEmpty || endOfFreeChunks(mm, start, end) !== end) {
    endIsolation(mm, cpu, isolation);
    enablePcps(mm, zone, sizes);
    return isEmpty ? 'still_in_use' : 'no_target';
  }
  removeRange(mm, zone, start, end);
  zone.managed_pages -= pages;
  zone.present_pages -= pages;
  shrinkSpan(mm, zone);
  resizeZoneSuperpageblocks(mm, zone);
  if (zone.managed_pages === 0) rebuildZonelists(mm);
  recomputeZones(mm);
  return 'offline';
}

/** Memory that goes away is moved to another node where there is one, the nearest first. */
function nodeForTargets(mm: PageAllocator, zone: Zone): number {
  const zones = mm.zonelists.fallback[zone.node]!.at(-1)!;
  return zones.find((candidate) => candidate.node !== zone.node)?.node ?? zone.node;
}

/** Takes the isolated free chunks off their lists and their blocks out of the zone. */
function removeRange(mm: PageAllocator, zone: Zone, start: number, end: number): void {
  const { pages } = mm;
  for (let pfn = start; pfn < end; ) {
    const order = pages.buddyOrder(pfn);
    zone.remove(pfn, order, Migratetype.isolate);
    pfn += 1 << order;
  }
  const first = start >>> PAGEBLOCK_ORDER;
  const last = end >>> PAGEBLOCK_ORDER;
  pages.blockType.fill(Migratetype.movable, first, last);
  pages.blockZone.fill(NO_ZONE, first, last);
  pages.blockBits.fill(0, first, last);
  zone.nr_isolated_blocks -= last - first;
}

function growSpan(zone: Zone, start: number, end: number): void {
  const isEmpty = zone.spanned_pages === 0;
  const first = isEmpty ? start : Math.min(zone.start_pfn, start);
  const last = isEmpty ? end : Math.max(zone.end_pfn, end);
  zone.start_pfn = first;
  zone.spanned_pages = last - first;
}

/** A zone ends where its outermost blocks do. */
function shrinkSpan(mm: PageAllocator, zone: Zone): void {
  const { blockZone } = mm.pages;
  let first = zone.start_pfn >>> PAGEBLOCK_ORDER;
  let last = (zone.end_pfn - 1) >>> PAGEBLOCK_ORDER;
  while (first <= last && blockZone[first] === NO_ZONE) first++;
  while (last >= first && blockZone[last] === NO_ZONE) last--;
  const start = Math.max(zone.start_pfn, first << PAGEBLOCK_ORDER);
  const end = Math.min(zone.end_pfn, (last + 1) << PAGEBLOCK_ORDER);
  zone.start_pfn = start;
  zone.spanned_pages = Math.max(0, end - start);
}

function rebuildZonelists(mm: PageAllocator): void {
  const online = mm.spec.cpu_nodes.filter((_, cpu) => !mm.offline_cpus.has(cpu));
  mm.zonelists = buildZonelists(mm.zones, mm.spec.node_distances, online);
  mm.markNofragmentZones();
  setMobilityGrouping(mm);
}
