/**
 * Event counters under the names of `/proc/vmstat`, and their listing in the kernel's order.
 *
 * The mechanism that a counter belongs to is the only one that raises it: reclaim pgscan and pgsteal, compaction
 * compact_*, the slow path oom_kill. pgalloc lives with the zones and pgfree with the allocator. Names that begin with
 * `spbsim_` are the model's own: simulated time spent, and requests that the model had to cut short.
 * model: page-allocator 6.3, 6.4, 10a.7
 */

import type { PageAllocator } from './page-alloc/page-allocator.js';
import type { Zone } from './page-alloc/zone.js';
import { countLruPages, LRU_ANON, LRU_FILE } from './reclaim/lru.js';
import { SpbStats } from './spb/spb-stats.js';
import { MIGRATE_TYPES, Migratetype, NR_PAGE_ORDERS, PAGEBLOCK_ORDER, type ZoneIndex } from './types.js';

/** Suffixes of counters that exist once per kind of zone, by zone index. */
const ZONE_SUFFIXES = ['dma', 'dma32', 'normal', 'movable'] as const;

/** All events of this file, in the order of 6.4; 7.2 prints the pgscan and pgsteal names among the node counters. */
const VM_EVENT_NAMES = [
  'allocstall_dma',
  'allocstall_dma32',
  'allocstall_normal',
  'allocstall_movable',
  'pgsteal_kswapd',
  'pgsteal_direct',
  'pgscan_kswapd',
  'pgscan_direct',
  'pgscan_anon',
  'pgscan_file',
  'pgsteal_anon',
  'pgsteal_file',
  'kswapd_low_wmark_hit_quickly',
  'kswapd_high_wmark_hit_quickly',
  'pageoutrun',
  'pgrotated',
  'drop_pagecache',
  'oom_kill',
  'pgmigrate_success',
  'pgmigrate_fail',
  'compact_migrate_scanned',
  'compact_free_scanned',
  'compact_isolated',
  'compact_stall',
  'compact_fail',
  'compact_success',
  'compact_daemon_wake',
  'compact_daemon_migrate_scanned',
  'compact_daemon_free_scanned',
  'spbsim_direct_reclaim_ns',
  'spbsim_direct_compact_ns',
  'spbsim_kswapd_ns',
  'spbsim_kcompactd_ns',
  'spbsim_slowpath_bounded',
] as const;

/** Counters that the superpageblock series adds. model: spb 6.1 */
const SPB_COUNTERS = ['spb_highorder_refused', 'spb_slab_shrink_queued', 'spb_slab_shrink_ran'] as const;
/** Of its work that has no counter in the kernel. */
const SPB_WORK = [
  ['spbsim_evacuated_pages', 'evac_pages'],
  ['spbsim_defragmented_pages', 'defrag_pages'],
  ['spbsim_shrunk_objects', 'shrink_objects'],
  ['spbsim_gigantic_allocated', 'gigantic_allocated'],
] as const satisfies readonly (readonly [
  name: string,
  of: keyof SpbStats & `${string}_${'pages' | 'objects' | 'allocated'}`,
])[];

/** Pages of slabs by node, as whoever makes slabs counts them. model: slub 2.4 */
export interface SlabPageCounts {
  readonly nr_slab_reclaimable_pages: Float64Array;
  readonly nr_slab_unreclaimable_pages: Float64Array;
}

/** Counters of one node that a slab allocator keeps, in the order of `/proc/zoneinfo`. */
export function slabNodeCounters(
  slab: SlabPageCounts,
  node: number,
): [name: 'nr_slab_reclaimable' | 'nr_slab_unreclaimable', value: number][] {
  return [
    ['nr_slab_reclaimable', slab.nr_slab_reclaimable_pages[node] ?? 0],
    ['nr_slab_unreclaimable', slab.nr_slab_unreclaimable_pages[node] ?? 0],
  ];
}

/** Counters that are a state, and those that exist once per kind of zone. */
type StateName =
  | 'nr_free_pages'
  | 'nr_free_pages_blocks'
  | 'nr_zone_inactive_anon'
  | 'nr_zone_inactive_file'
  | 'nr_free_cma'
  | 'nr_inactive_anon'
  | 'nr_inactive_file'
  | 'nr_slab_reclaimable'
  | 'nr_slab_unreclaimable';

/** All that `vmstatCounters` may list. */
export type VmCounterName =
  | StateName
  | `pgalloc_${(typeof ZONE_SUFFIXES)[number]}`
  | 'pgfree'
  | VmEventName
  | (typeof SPB_COUNTERS)[number]
  | (typeof SPB_WORK)[number][0];

export type VmEventName = (typeof VM_EVENT_NAMES)[number];
export type VmEvents = Record<VmEventName, number>;

export function newVmEvents(): VmEvents {
  return Object.fromEntries(VM_EVENT_NAMES.map((name) => [name, 0])) as VmEvents;
}

/** The allocstall counter of requests whose highest zone is this one. */
export function allocstallName(zone: ZoneIndex): VmEventName {
  return `allocstall_${ZONE_SUFFIXES[zone as 0 | 1 | 2 | 3]}`;
}

/** Simulated time that requests have waited for reclaim and compaction, so far. */
export function directStallNs(mm: PageAllocator): number {
  return mm.events.spbsim_direct_reclaim_ns + mm.events.spbsim_direct_compact_ns;
}

/** Free pages in chunks of at least a pageblock, isolated ones left out. */
export function freePagesInBlocks(zone: Zone): number {
  let pages = 0;
  for (let order = PAGEBLOCK_ORDER; order < NR_PAGE_ORDERS; order++)
    for (let migratetype = 0; migratetype < MIGRATE_TYPES; migratetype++)
      if (migratetype !== Migratetype.isolate)
        pages += zone.listLength[order * MIGRATE_TYPES + migratetype]! << order;
  return pages;
}

/** Pages on the LRU by kind. Reading a counter must not build the lists. */
export function lruPages(mm: PageAllocator, zone: Zone): readonly [anon: number, file: number] {
  if (mm.ages !== null) {
    const counted = countLruPages(mm, mm.ages, zone);
    return [counted[LRU_ANON]!, counted[LRU_FILE]!];
  }
  const lists = mm.lruLists;
  return [lists?.pagesOf(zone, LRU_ANON) ?? 0, lists?.pagesOf(zone, LRU_FILE) ?? 0];
}

/** How pages on the LRU are counted; for those that do not want them, not at all. */
export type CountLru = typeof lruPages;

/** Counters of one zone that the model keeps, in the order of `/proc/zoneinfo`. */
export function zoneCounters(
  mm: PageAllocator,
  zone: Zone,
  countLru: CountLru = lruPages,
): [name: StateName, value: number][] {
  const counters: [StateName, number][] = [
    ['nr_free_pages', zone.folded_free_pages],
    ['nr_free_pages_blocks', freePagesInBlocks(zone)],
  ];
  if (mm.reclaims) {
    const [anon, file] = countLru(mm, zone);
    counters.push(['nr_zone_inactive_anon', anon], ['nr_zone_inactive_file', file]);
  }
  counters.push(['nr_free_cma', zone.nr_free_cma]);
  return counters;
}

/** Begins the counts of events anew; what is a state, such as nr_free_pages, stays. */
export function resetVmEvents(mm: PageAllocator): void {
  Object.assign(mm.events, newVmEvents());
  for (const zone of mm.zones) zone.pgalloc = 0;
  mm.pgfree = 0;
  if (mm.spb !== null) mm.spb.stats = new SpbStats();
}

/**
 * All counters that the model keeps, in the order of `/proc/vmstat`; the model's own come last.
 *
 * @param slab  null where no slabs are modelled: then nothing is said of them
 */
export function vmstatCounters(
  mm: PageAllocator,
  countLru: CountLru = lruPages,
  slab: SlabPageCounts | null = null,
): [name: VmCounterName, value: number][] {
  const totals = new Map<VmCounterName, number>();
  for (const zone of mm.zones)
    for (const [name, value] of zoneCounters(mm, zone, countLru))
      totals.set(name, (totals.get(name) ?? 0) + value);
  if (mm.reclaims) {
    totals.set('nr_inactive_anon', totals.get('nr_zone_inactive_anon') ?? 0);
    totals.set('nr_inactive_file', totals.get('nr_zone_inactive_file') ?? 0);
  }
  if (slab !== null)
    for (const { node } of mm.nodes)
      for (const [name, value] of slabNodeCounters(slab, node))
        totals.set(name, (totals.get(name) ?? 0) + value);
  ZONE_SUFFIXES.forEach((suffix, index) => {
    const zones = mm.zones.filter((zone) => zone.index === index);
    totals.set(
      `pgalloc_${suffix}`,
      zones.reduce((sum, zone) => sum + zone.pgalloc, 0),
    );
  });
  for (const name of VM_EVENT_NAMES) {
    if (name === 'pgsteal_kswapd') totals.set('pgfree', mm.pgfree);
    totals.set(name, mm.events[name]);
  }
  if (mm.spb !== null) {
    for (const name of SPB_COUNTERS) totals.set(name, mm.spb.stats[name]);
    for (const [name, of] of SPB_WORK) totals.set(name, mm.spb.stats[of]);
  }
  return [...totals];
}
