/** Knobs of the page allocator proper: fallback, per-CPU lists, counters, reserves, watermarks, slow path. */
import { boolean, choice, type KnobSpec, number, numbers } from './knob.js';

export const PAGE_ALLOC_KNOBS = {
  'fallback.rule': choice(
    'claim',
    ['steal', 'claim'],
    'page-allocator 4.6',
    'steal: the chunk (or its whole block) changes type, then the search is repeated (6.1); claim: claim a whole block from the largest chunk down, else take the smallest foreign chunk and leave the rest to its owner (6.16+)',
  ),
  'fallback.defrag_mode': boolean(
    false,
    'page-allocator 4.1, 4.9',
    'vm.defrag_mode: prefer reclaim and compaction to mixing types in a block',
  ),
  'mobility.grouping': choice(
    'auto',
    ['auto', 'on', 'off'],
    'page-allocator 2.6',
    'page grouping by mobility; auto: off on machines too small for one block per type',
  ),

  'pcp.kind': choice(
    'classic',
    ['none', 'classic', 'buddy'],
    'spb 3.9',
    'per-CPU lists: none at all, as mainline keeps them, or refilled by whole pageblocks that a CPU then owns (PCPBuddy, ATTESTED; collapsed here)',
  ),
  'pcp.tuning': choice(
    'auto_high',
    ['free_factor', 'auto_high'],
    'page-allocator 3.2, 3.3',
    'how per-CPU lists size their refills and drains: a doubling free_factor (6.1) or a tuned high mark (6.7+)',
  ),
  'pcp.batch_scale_max': number(
    5,
    0,
    6,
    'doublings',
    'page-allocator 1',
    'CONFIG_PCP_BATCH_SCALE_MAX: how often a refill or drain may double',
  ),
  'pcp.high_fraction': number(
    0,
    0,
    1_000_000,
    '1/zone',
    'page-allocator 3.3a',
    'vm.percpu_pagelist_high_fraction; 0 = computed',
  ),
  'pcp.drain_chunks': choice(
    'one_call',
    ['one_call', 'batch'],
    'page-allocator 3.3, 10a.1',
    'an overflow is drained in one go (6.18) or in chunks of batch, each restarting at the list just freed to (6.19+)',
  ),
  'pcp.drain_type': choice(
    'pageblock',
    ['cached', 'pageblock'],
    'page-allocator 3.4',
    'the free list a drained page goes to: that of its type when it was freed (6.1) or of its block now (6.10+)',
  ),
  'pcp.highatomic_refill': boolean(
    true,
    'page-allocator 4.5, 10a.1',
    'an atomic high-order request refills an empty per-CPU list (until 7.0)',
  ),

  'buddy.merge_retypes': boolean(
    true,
    'page-allocator 3.6',
    'the block of an absorbed buddy takes the type of the freed page (6.10+)',
  ),
  'buddy.max_order_free': choice(
    'pageblock_pieces',
    ['whole', 'pageblock_pieces'],
    'page-allocator 3.5',
    'a free above pageblock order enters the lists whole or in pageblock-sized pieces (6.10+)',
  ),
  'free.batch': choice(
    'folios',
    ['order0_reversed', 'folios'],
    'page-allocator 3.1',
    'batched frees: order 0 only and in reversed order (6.1), or folios of any order in caller order (6.10+)',
  ),
  'free.ranges': boolean(
    false,
    'page-allocator 10a.3',
    'contiguous ranges (vfree and the like) are freed as naturally aligned pieces (7.1+)',
  ),

  'vmstat.posting': choice(
    'per_move',
    ['net', 'per_move'],
    'page-allocator 2.8',
    'which changes of NR_FREE_PAGES are posted, and in what portions',
  ),
  'vmstat.interval_ns': number(
    1_000_000_000,
    1_000_000,
    3_600_000_000_000,
    'ns',
    'page-allocator 2.8, 3.9',
    'vm.stat_interval: folding of counters and decay of per-CPU lists',
  ),
  'vmstat.decay_high': boolean(
    true,
    'page-allocator 3.9',
    'the vmstat worker lowers a tuned high mark and drains what is above it (6.7+)',
  ),

  'highatomic.limit': choice(
    'one_percent_rounded',
    ['one_percent_plus_block', 'one_percent_rounded'],
    'page-allocator 4.8',
    'how much of a zone may be reserved',
  ),
  'highatomic.source': choice(
    'any',
    ['any', 'buddy'],
    'page-allocator 4.8, 10a.2',
    'a reserve is made for any page of such a request, or only for one that came from the buddy lists (7.1+)',
  ),
  'highatomic.unusable': choice(
    'free',
    ['reserved', 'free'],
    'page-allocator 4.3',
    'what a plain request may not count on: all reserved blocks (6.1) or their free pages (6.10+)',
  ),

  'watermark.boost_factor': number(
    15_000,
    0,
    1_000_000,
    '1/10000 of high',
    'page-allocator 2.7',
    'vm.watermark_boost_factor',
  ),
  'watermark.scale_factor': number(
    10,
    1,
    3_000,
    '1/10000 of zone',
    'page-allocator 2.4',
    'vm.watermark_scale_factor',
  ),
  'watermark.min_free_kbytes': number(
    0,
    0,
    1_073_741_824,
    'KiB',
    'page-allocator 2.4',
    'vm.min_free_kbytes; 0 = computed',
  ),
  'watermark.thp_raise': boolean(
    true,
    'page-allocator 2.4',
    'khugepaged raises min_free_kbytes (THP enabled)',
  ),
  'watermark.movable_in_total': boolean(
    false,
    'page-allocator 2.4',
    'ZONE_MOVABLE takes a share of min_free_kbytes (6.1)',
  ),
  'watermark.boosted_min_test': choice(
    'min_reserve',
    ['gfp_atomic', 'min_reserve'],
    'page-allocator 4.3',
    'which order-0 requests may be tested against the unboosted min mark',
  ),
  'watermark.lowmem_reserve_ratio': numbers(
    [256, 256, 32, 0, 0],
    5,
    '1/pages',
    'page-allocator 2.5',
    'vm.lowmem_reserve_ratio per zone (DMA, DMA32, Normal, Movable, Device)',
  ),

  'zonelist.skip_awake_kswapd': boolean(
    true,
    'page-allocator 4.2',
    'with several nodes, a node whose kswapd is awake is passed over first',
  ),
  'zonelist.below_high': boolean(
    true,
    'page-allocator 4.2',
    'a zone below its high mark stops the growth of per-CPU lists (6.7+)',
  ),

  'cma.compiled': boolean(
    false,
    'page-allocator 1',
    'CONFIG_CMA; without a CMA area it changes only printed tables',
  ),

  'slowpath.loop': choice(
    'two_attempts',
    ['two_attempts', 'compact_first_round'],
    'page-allocator 4.9, 10a.4',
    'two attempts, then reclaim and compaction (until 7.0), or one loop whose first round only compacts (7.1+)',
  ),
  'slowpath.costly_thisnode_fails': boolean(
    false,
    'page-allocator 4.9',
    'a costly NORETRY request bound to a node fails after its first compaction (6.1)',
  ),
  'slowpath.max_rounds': number(
    64,
    1,
    100_000,
    'rounds',
    'page-allocator 4.9',
    'bound on the rounds of one request; where the kernel would go on forever (NOFAIL, NOFS), the model stops and reports it',
  ),

  'bulk.mark_excludes_filled': boolean(
    false,
    'page-allocator 4.10, 10a.4',
    'the watermark of a bulk request counts only the slots still empty (7.1+)',
  ),

  'nolock.up_nmi': choice(
    'trylock_succeeds',
    ['trylock_succeeds', 'refused'],
    'page-allocator 4.10',
    'kernels for one processor: requests from NMIs get every lock, taken or not (6.15 to 6.18.26), or are refused (6.18.27, 7.1)',
  ),
} as const satisfies Record<string, KnobSpec>;
