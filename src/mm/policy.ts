/**
 * Every rule that a kernel version, a patch or an idea changes, as a named knob.
 *
 * A knob has a unit, a default and the section of the model's documentation that it comes from. Presets and policy
 * files are sets of knob values; the model reads a `Policy` and never asks for a version.
 */

export type KnobValue = number | boolean | string | readonly number[];

interface KnobCommon {
  /** unit of a number, empty for others */
  readonly unit: string;
  /** section in docs/model/ */
  readonly spec: string;
  readonly doc: string;
}
export type KnobSpec = KnobCommon &
  (
    | { readonly type: 'number'; readonly default: number; readonly min: number; readonly max: number }
    | { readonly type: 'boolean'; readonly default: boolean }
    | { readonly type: 'enum'; readonly default: string; readonly values: readonly string[] }
    | { readonly type: 'numbers'; readonly default: readonly number[]; readonly length: number }
  );

function number(def: number, min: number, max: number, unit: string, spec: string, doc: string) {
  return { type: 'number', default: def as number, min, max, unit, spec, doc } as const;
}
function boolean(def: boolean, spec: string, doc: string) {
  return { type: 'boolean', default: def as boolean, unit: '', spec, doc } as const;
}
function choice<const V extends readonly string[]>(def: V[number], values: V, spec: string, doc: string) {
  return { type: 'enum', default: def, values, unit: '', spec, doc } as const;
}

/** All knobs; the defaults are those of `mainline-6.18`. */
export const KNOBS = {
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
  'watermark.lowmem_reserve_ratio': {
    type: 'numbers',
    default: [256, 256, 32, 0, 0] as readonly number[],
    length: 5,
    unit: '1/pages',
    spec: 'page-allocator 2.5',
    doc: 'vm.lowmem_reserve_ratio per zone (DMA, DMA32, Normal, Movable, Device)',
  } as const,

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

  'compaction.enabled': boolean(true, 'page-allocator 5', 'CONFIG_COMPACTION'),
  'compaction.gap': choice(
    'double',
    ['double', 'capped_32'],
    'page-allocator 5, 10a.5',
    'headroom asked for above the mark: twice the request, or that but at most 32 pages (7.1+)',
  ),
  'compaction.suitable': choice(
    'low_minus_min',
    ['low_for_costly', 'low_minus_min'],
    'page-allocator 5',
    'the order-0 headroom test: 6.1 against the low mark for costly orders, 6.18 against the mark plus (low - min)',
  ),
  'compaction.count_deferred_stalls': boolean(
    true,
    'page-allocator 6.4, 10a.5',
    'compact_stall counts a direct compaction that was deferred everywhere (until 7.0)',
  ),
  'compaction.async_order9_any': boolean(
    false,
    'page-allocator 10a.5',
    'direct compaction for order 9 takes Movable blocks whatever the type of the request, and CMA blocks only for requests that may use them (7.1+)',
  ),
  'compaction.folios': boolean(
    true,
    'page-allocator 5',
    'compaction moves folios smaller than what it compacts for and keeps targets by order; off: single pages only (6.1)',
  ),
  'compaction.capture_movable': boolean(
    true,
    'page-allocator 3.6 step 2a',
    'a movable request may capture a chunk below pageblock order out of a movable block (after 6.1)',
  ),
  'compaction.proactive_marks': choice(
    'half_low',
    ['fixed_10', 'half_low'],
    'page-allocator 5',
    'distance of the proactive high mark from the low one: 10 with low at least 5 (6.1), or 10 but at most half of low',
  ),
  'compaction.extfrag_threshold': number(500, 0, 1_000, '1/1000', 'page-allocator 5', 'vm.extfrag_threshold'),
  'compaction.proactiveness': number(20, 0, 100, '%', 'page-allocator 5', 'vm.compaction_proactiveness'),
  'compaction.migrate_cost_ns': number(
    2_000,
    0,
    1_000_000_000,
    'ns/page',
    'page-allocator 5',
    'simulated time to migrate one page',
  ),
  'compaction.scan_cost_ns': number(
    20,
    0,
    1_000_000_000,
    'ns/page',
    'page-allocator 5',
    'simulated time to look at one page',
  ),

  'reclaim.swap': boolean(false, 'gfp C12', 'anonymous pages can be swapped out'),
  'reclaim.swappiness': number(
    60,
    0,
    200,
    '1/200',
    'gfp C12',
    'vm.swappiness: share of the pages looked at that are anonymous, where they can be swapped out',
  ),
  'reclaim.lru_kind': choice(
    'by_gfp',
    ['by_gfp', 'file', 'anon'],
    'gfp C12',
    'what movable pages are taken for: page cache or anonymous memory as their gfp flags suggest, or all the same',
  ),
  'reclaim.reclaimable_percent': number(
    100,
    0,
    100,
    '% of LRU pages',
    'gfp C12',
    'share of LRU pages that reclaim can free at all',
  ),
  'reclaim.page_cost_ns': number(
    1_000,
    0,
    1_000_000_000,
    'ns/page',
    'gfp C11',
    'simulated time to reclaim one page',
  ),
  'reclaim.boost_run_failures': boolean(
    true,
    'page-allocator 10a.6',
    'a fruitless kswapd run that only served a boost counts as a failure (until 7.0)',
  ),
  'reclaim.failure_reset': choice(
    'progress',
    ['progress', 'balanced'],
    'page-allocator 10a.6',
    'what makes a hopeless node hopeful again: any progress, or a balanced node (7.1+)',
  ),
  'kswapd.wake_latency_ns': number(
    50_000,
    0,
    1_000_000_000,
    'ns',
    'gfp C10',
    'time from a wake-up until kswapd runs',
  ),
} as const satisfies Record<string, KnobSpec>;

export type KnobName = keyof typeof KNOBS;

type ValueOf<S extends KnobSpec> = S extends { type: 'number' }
  ? number
  : S extends { type: 'boolean' }
    ? boolean
    : S extends { type: 'enum'; values: infer V extends readonly string[] }
      ? V[number]
      : readonly number[];

/** A complete set of knob values. */
export type Policy = { readonly [K in KnobName]: ValueOf<(typeof KNOBS)[K]> };

export const KNOB_NAMES = Object.keys(KNOBS) as readonly KnobName[];

/** All knobs at their defaults. */
export function defaultPolicy(): Policy {
  return Object.fromEntries(KNOB_NAMES.map((name) => [name, KNOBS[name].default])) as unknown as Policy;
}
