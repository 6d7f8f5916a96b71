/**
 * Metrics that are counters of `/proc/vmstat`, under the kernel's names, and the model's own of the same kind (`spbsim_`).
 * model: page-allocator 6.3, 6.4; spb 6.1
 */
import type { VmCounterName } from '../../mm/vmstat.js';
import type { Better, MetricFamily, MetricSource, Subject } from './metric.js';

type Entry = readonly [subject: Subject, better: Better, meaning: string, unit?: string];

const COUNTERS: Record<VmCounterName, Entry> = {
  nr_free_pages: ['Memory', 'neither', 'free pages', 'pages'],
  nr_free_pages_blocks: ['Fragmentation', 'higher', 'free pages in chunks of at least a pageblock', 'pages'],
  nr_zone_inactive_anon: ['Memory', 'neither', 'anonymous pages on the LRU lists, counted by zone', 'pages'],
  nr_zone_inactive_file: ['Memory', 'neither', 'page cache on the LRU lists, counted by zone', 'pages'],
  nr_free_cma: ['Memory', 'neither', 'free pages of CMA areas', 'pages'],
  nr_inactive_anon: ['Memory', 'neither', 'anonymous pages on the LRU lists', 'pages'],
  nr_inactive_file: ['Memory', 'neither', 'page cache on the LRU lists', 'pages'],
  nr_slab_reclaimable: ['Memory', 'neither', 'pages of slabs that shrinkers can empty', 'pages'],
  nr_slab_unreclaimable: [
    'Memory',
    'neither',
    'pages of all other slabs, and of objects too large for one',
    'pages',
  ],
  pgalloc_dma: ['Memory', 'neither', 'pages handed out from zones DMA', 'pages'],
  pgalloc_dma32: ['Memory', 'neither', 'pages handed out from zones DMA32', 'pages'],
  pgalloc_normal: ['Memory', 'neither', 'pages handed out from zones Normal', 'pages'],
  pgalloc_movable: ['Memory', 'neither', 'pages handed out from zones Movable', 'pages'],
  pgfree: ['Memory', 'neither', 'pages given back', 'pages'],
  allocstall_dma: ['Stalls', 'lower', 'direct reclaims of requests for zone DMA'],
  allocstall_dma32: ['Stalls', 'lower', 'direct reclaims of requests for zone DMA32'],
  allocstall_normal: ['Stalls', 'lower', 'direct reclaims of requests for zone Normal'],
  allocstall_movable: ['Stalls', 'lower', 'direct reclaims of requests for zone Movable'],
  oom_kill: ['Stalls', 'lower', 'processes killed because memory ran out'],
  compact_stall: ['Stalls', 'lower', 'direct compactions: a request waited for pages to be moved'],
  spbsim_direct_reclaim_ns: [
    'Stalls',
    'lower',
    'simulated time that requests waited for direct reclaim',
    'ns',
  ],
  spbsim_direct_compact_ns: [
    'Stalls',
    'lower',
    'simulated time that requests waited for direct compaction',
    'ns',
  ],
  spbsim_slowpath_bounded: ['Stalls', 'lower', 'requests that the model cut short after very many retries'],
  pgsteal_kswapd: ['Reclaim', 'lower', 'pages that kswapd reclaimed', 'pages'],
  pgsteal_direct: ['Reclaim', 'lower', 'pages that requests reclaimed themselves', 'pages'],
  pgscan_kswapd: ['Reclaim', 'lower', 'pages that kswapd looked at', 'pages'],
  pgscan_direct: ['Reclaim', 'lower', 'pages that requests looked at in direct reclaim', 'pages'],
  pgscan_anon: ['Reclaim', 'lower', 'anonymous pages looked at by reclaim', 'pages'],
  pgscan_file: ['Reclaim', 'lower', 'page cache looked at by reclaim', 'pages'],
  pgsteal_anon: ['Reclaim', 'lower', 'anonymous pages reclaimed', 'pages'],
  pgsteal_file: ['Reclaim', 'lower', 'page cache reclaimed', 'pages'],
  kswapd_low_wmark_hit_quickly: ['Reclaim', 'lower', 'short naps of kswapd that ended below the low mark'],
  kswapd_high_wmark_hit_quickly: ['Reclaim', 'lower', 'short naps of kswapd that ended below the high mark'],
  pageoutrun: ['Reclaim', 'lower', 'runs of kswapd'],
  pgrotated: ['Reclaim', 'neither', 'pages moved to the tail of their LRU list', 'pages'],
  drop_pagecache: ['Reclaim', 'neither', 'times that the page cache was dropped on demand'],
  spbsim_kswapd_ns: ['Reclaim', 'lower', 'simulated time that kswapd ran', 'ns'],
  pgmigrate_success: ['Compaction', 'lower', 'pages moved to another place, for whatever reason', 'pages'],
  pgmigrate_fail: ['Compaction', 'lower', 'pages that could not be moved', 'pages'],
  compact_migrate_scanned: ['Compaction', 'lower', 'pages looked at as sources of compaction', 'pages'],
  compact_free_scanned: ['Compaction', 'lower', 'pages looked at as targets of compaction', 'pages'],
  compact_isolated: ['Compaction', 'lower', 'pages taken off lists by compaction', 'pages'],
  compact_fail: ['Compaction', 'lower', 'direct compactions after which the request still failed'],
  compact_success: ['Compaction', 'neither', 'direct compactions that served their request'],
  compact_daemon_wake: ['Compaction', 'lower', 'runs of kcompactd'],
  compact_daemon_migrate_scanned: [
    'Compaction',
    'lower',
    'pages that kcompactd looked at as sources',
    'pages',
  ],
  compact_daemon_free_scanned: ['Compaction', 'lower', 'pages that kcompactd looked at as targets', 'pages'],
  spbsim_kcompactd_ns: ['Compaction', 'lower', 'simulated time that kcompactd ran', 'ns'],
  spb_highorder_refused: [
    'Superpageblock work',
    'lower',
    'requests of high order refused to keep superpageblocks clean',
  ],
  spb_slab_shrink_queued: ['Superpageblock work', 'lower', 'times that the slab shrink worker was queued'],
  spb_slab_shrink_ran: ['Superpageblock work', 'lower', 'runs of the slab shrink worker'],
  spbsim_evacuated_pages: ['Superpageblock work', 'lower', 'pages moved by evacuation', 'pages'],
  spbsim_defragmented_pages: ['Superpageblock work', 'lower', 'pages moved by defrag', 'pages'],
  spbsim_shrunk_objects: [
    'Superpageblock work',
    'lower',
    'slab objects freed by the shrink worker',
    'objects',
  ],
  spbsim_gigantic_allocated: ['Superpageblock work', 'higher', '1 GiB pages handed out'],
};

export const VMSTAT_METRICS: readonly MetricFamily[] = (Object.keys(COUNTERS) as VmCounterName[]).map(
  (name) => {
    const [subject, better, meaning, unit = ''] = COUNTERS[name];
    return {
      name,
      labels: [],
      unit,
      subject,
      better,
      meaning,
      kernel: name.startsWith('spbsim_') ? '' : `/proc/vmstat: ${name}`,
      *read({ vmstat }: MetricSource) {
        const value = Object.hasOwn(vmstat, name) ? vmstat[name] : undefined;
        if (value !== undefined) yield [[], value];
      },
    };
  },
);
