/**
 * Names of kernel counters in the order in which the kernel's files print them.
 *
 * A name may be followed by `:` and the layouts that have it; without that, all have it. Seven names moved from the
 * events to the nodes in 7.2, which is why one order for all does not exist.
 * model: page-allocator 6.3, 6.4, 10a.7
 */
import type { TextLayout } from '../config/policy-presets.js';

const ZONE_COUNTERS = `
  nr_free_pages nr_free_pages_blocks:6.18,7.2
  nr_zone_inactive_anon nr_zone_active_anon nr_zone_inactive_file nr_zone_active_file nr_zone_unevictable
  nr_zone_write_pending nr_mlock nr_bounce:6.1 nr_zspages nr_free_cma nr_unaccepted:6.18,7.2`;

const NUMA_COUNTERS = 'numa_hit numa_miss numa_foreign numa_interleave numa_local numa_other';

const NODE_COUNTERS = `
  nr_inactive_anon nr_active_anon nr_inactive_file nr_active_file nr_unevictable
  nr_slab_reclaimable nr_slab_unreclaimable nr_isolated_anon nr_isolated_file
  workingset_nodes workingset_refault_anon workingset_refault_file workingset_activate_anon workingset_activate_file
  workingset_restore_anon workingset_restore_file workingset_nodereclaim
  nr_anon_pages nr_mapped nr_file_pages nr_dirty nr_writeback nr_writeback_temp:6.1
  nr_shmem nr_shmem_hugepages nr_shmem_pmdmapped nr_file_hugepages nr_file_pmdmapped nr_anon_transparent_hugepages
  nr_vmscan_write nr_vmscan_immediate_reclaim nr_dirtied nr_written nr_throttled_written
  nr_kernel_misc_reclaimable nr_foll_pin_acquired nr_foll_pin_released nr_vmalloc:7.2
  nr_kernel_stack nr_page_table_pages nr_sec_page_table_pages nr_iommu_pages:6.18,7.2 nr_swapcached
  pgpromote_success pgpromote_candidate pgpromote_candidate_nrl:6.18,7.2
  pgdemote_kswapd:6.18,7.2 pgdemote_direct:6.18,7.2 pgdemote_khugepaged:6.18,7.2 pgdemote_proactive:6.18,7.2
  pgsteal_kswapd:7.2 pgsteal_direct:7.2 pgsteal_khugepaged:7.2 pgsteal_proactive:7.2 pgsteal_anon:7.2 pgsteal_file:7.2
  pgscan_kswapd:7.2 pgscan_direct:7.2 pgscan_khugepaged:7.2 pgscan_proactive:7.2 pgscan_anon:7.2 pgscan_file:7.2
  pgrefill:7.2
  nr_hugetlb:6.18,7.2 nr_balloon_pages:6.18,7.2 nr_kernel_file_pages:6.18,7.2 nr_gpu_active:7.2 nr_gpu_reclaim:7.2`;

const SYSTEM_COUNTERS = `
  nr_dirty_threshold nr_dirty_background_threshold nr_memmap_pages:6.18,7.2 nr_memmap_boot_pages:6.18,7.2`;

const EVENT_COUNTERS = `
  pgpgin pgpgout pswpin pswpout
  pgalloc_dma pgalloc_dma32 pgalloc_normal pgalloc_movable pgalloc_device
  allocstall_dma allocstall_dma32 allocstall_normal allocstall_movable allocstall_device
  pgskip_dma pgskip_dma32 pgskip_normal pgskip_movable pgskip_device
  pgfree pgactivate pgdeactivate pglazyfree pgfault pgmajfault pglazyfreed pgrefill:6.1,6.18 pgreuse
  pgsteal_kswapd:6.1,6.18 pgsteal_direct:6.1,6.18 pgdemote_kswapd:6.1 pgdemote_direct:6.1
  pgsteal_khugepaged:6.18 pgsteal_proactive:6.18
  pgscan_kswapd:6.1,6.18 pgscan_direct:6.1,6.18 pgscan_khugepaged:6.18 pgscan_proactive:6.18
  pgscan_direct_throttle
  pgscan_anon:6.1,6.18 pgscan_file:6.1,6.18 pgsteal_anon:6.1,6.18 pgsteal_file:6.1,6.18
  zone_reclaim_success:6.18,7.2 zone_reclaim_failed pginodesteal slabs_scanned kswapd_inodesteal
  kswapd_low_wmark_hit_quickly kswapd_high_wmark_hit_quickly pageoutrun pgrotated drop_pagecache drop_slab oom_kill
  numa_pte_updates numa_huge_pte_updates numa_hint_faults numa_hint_faults_local numa_pages_migrated
  pgmigrate_success pgmigrate_fail thp_migration_success thp_migration_fail thp_migration_split
  compact_migrate_scanned compact_free_scanned compact_isolated compact_stall compact_fail compact_success
  compact_daemon_wake compact_daemon_migrate_scanned compact_daemon_free_scanned
  htlb_buddy_alloc_success htlb_buddy_alloc_fail cma_alloc_success:7.2 cma_alloc_fail:7.2
  spb_highorder_refused spb_slab_shrink_queued spb_slab_shrink_ran
  unevictable_pgs_culled unevictable_pgs_scanned unevictable_pgs_rescued unevictable_pgs_mlocked
  unevictable_pgs_munlocked unevictable_pgs_cleared unevictable_pgs_stranded
  thp_fault_alloc thp_fault_fallback thp_fault_fallback_charge thp_collapse_alloc thp_collapse_alloc_failed
  thp_file_alloc thp_file_fallback thp_file_fallback_charge thp_file_mapped thp_split_page thp_split_page_failed
  thp_deferred_split_page thp_underused_split_page:6.18,7.2 thp_split_pmd
  thp_scan_exceed_none_pte thp_scan_exceed_swap_pte thp_scan_exceed_share_pte thp_split_pud
  thp_zero_page_alloc thp_zero_page_alloc_failed thp_swpout thp_swpout_fallback
  balloon_inflate balloon_deflate balloon_migrate swap_ra swap_ra_hit swpin_zero:6.18,7.2 swpout_zero:6.18,7.2
  ksm_swpin_copy cow_ksm zswpin zswpout zswpwb:6.18,7.2 direct_map_level2_splits direct_map_level3_splits
  direct_map_level2_collapses:6.18,7.2 direct_map_level3_collapses:6.18,7.2 nr_unstable`;

function namesOf(list: string, layout: TextLayout): string[] {
  return list
    .trim()
    .split(/\s+/)
    .map((entry) => entry.split(':'))
    .filter(([, layouts]) => layouts === undefined || layouts.split(',').includes(layout))
    .map(([name]) => name!);
}

/** Counters of `/proc/vmstat` in its order. */
export function vmstatNames(layout: TextLayout): string[] {
  const sections = [ZONE_COUNTERS, NUMA_COUNTERS, NODE_COUNTERS, SYSTEM_COUNTERS, EVENT_COUNTERS];
  return sections.flatMap((section) => namesOf(section, layout));
}

/** Counters of one zone in `/proc/zoneinfo`, in its order. */
export function zoneCounterNames(layout: TextLayout): string[] {
  return [...namesOf(ZONE_COUNTERS, layout), ...namesOf(NUMA_COUNTERS, layout)];
}

/** Counters under `per-node stats` in `/proc/zoneinfo`, in its order. */
export function nodeCounterNames(layout: TextLayout): string[] {
  return namesOf(NODE_COUNTERS, layout);
}

/**
 * The counters that are there, in the kernel's order; names that this kernel does not print come last.
 *
 * A counter that the model does not keep is left out: 0 would be a claim.
 */
export function inKernelOrder(
  counters: Readonly<Record<string, number>>,
  names: readonly string[],
): [name: string, value: number][] {
  const known = names.filter((name) => Object.hasOwn(counters, name));
  const order = new Set([...known, ...Object.keys(counters)]);
  return [...order].map((name) => [name, counters[name]!]);
}
