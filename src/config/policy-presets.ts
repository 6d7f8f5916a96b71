/**
 * The policies that come with the program: each a small delta on its parent.
 *
 * The defaults of the knob table are those of 6.18, so `mainline-6.18` is empty and everything ends there.
 */
import type { KnobName, Policy } from '../mm/policy.js';

/**
 * Whose `/proc` texts a result is printed in. It changes no decision of the model, only which lines the tables have.
 * model: page-allocator 6.3, 6.4, 10a.7
 */
export const TEXT_LAYOUTS = ['6.1', '6.18', '7.2'] as const;
export type TextLayout = (typeof TEXT_LAYOUTS)[number];

export type PolicyDelta = { readonly [K in KnobName]?: Policy[K] };

export interface PolicyPreset {
  readonly description: string;
  /** parent preset; without one, the defaults of the knob table */
  readonly extends?: string;
  readonly text_layout?: TextLayout;
  readonly knobs: PolicyDelta;
}

export const DEFAULT_POLICY_NAME = 'mainline-6.18';

const PRESETS = {
  'mainline-6.1': {
    description: 'Linux 6.1: fixed per-CPU marks, fallback by stealing',
    extends: 'mainline-6.18',
    text_layout: '6.1',
    knobs: {
      'fallback.rule': 'steal', // model: page-allocator 4.6
      'pcp.tuning': 'free_factor', // 3.2
      'pcp.drain_type': 'cached', // 3.4
      'buddy.merge_retypes': false, // 3.6 step 2d
      'buddy.max_order_free': 'whole', // 3.5
      'free.batch': 'order0_reversed', // 3.1
      'vmstat.posting': 'net', // 2.8
      'vmstat.decay_high': false, // 3.9
      'highatomic.limit': 'one_percent_plus_block', // 4.8
      'highatomic.unusable': 'reserved', // 4.3
      'watermark.movable_in_total': true, // 2.4
      'watermark.boosted_min_test': 'gfp_atomic', // 4.3
      'zonelist.skip_awake_kswapd': false, // 4.2 item 3
      'zonelist.below_high': false, // 4.2 item 4
      'slowpath.costly_thisnode_fails': true, // 4.9 step 3
      'compaction.suitable': 'low_for_costly', // 5
      'compaction.folios': false, // 5
      'compaction.capture_movable': false, // 3.6 step 2a
      'compaction.proactive_marks': 'fixed_10', // 5
      'slab.order_search': 'relax_objects', // model: slub 1.5
      'slab.kmalloc_align': 'power_of_two', // 1.3
    },
  },
  'mainline-6.18': {
    description: 'Linux 6.18: tuned per-CPU marks, fallback by claiming, types kept per block',
    text_layout: '6.18',
    knobs: {},
  },
  'mainline-7.2': {
    description: 'Linux 7.2: chunked drains, range frees, one slow-path loop',
    extends: 'mainline-6.18',
    text_layout: '7.2',
    knobs: {
      'pcp.drain_chunks': 'batch', // model: page-allocator 10a.1
      'pcp.highatomic_refill': false, // 10a.1
      'highatomic.source': 'buddy', // 10a.2
      'free.ranges': true, // 10a.3
      'slowpath.loop': 'compact_first_round', // 10a.4
      'bulk.mark_excludes_filled': true, // 10a.4
      'compaction.gap': 'capped_32', // 10a.5
      'compaction.count_deferred_stalls': false, // 10a.5
      'compaction.async_order9_any': true, // 10a.5
      'reclaim.boost_run_failures': false, // 10a.6
      'reclaim.failure_reset': 'balanced', // 10a.6
      'cma.compiled': true, // 10a.7
      'slab.cpu_partial': false, // model: slub 1.6
      'slab.merge_checked': false, // model: slab-caches 1.2
      'slab.nolock_retry': 'any_failure', // model: slub 8.4
      'slab.kfree_takes_nolock': true, // 4.1
      'nolock.up_nmi': 'refused', // model: page-allocator 4.10
      'slab.kind': 'sheaves', // model: slub 8a
    },
  },
  'spb-v2': {
    description: 'superpageblocks, v2 of the series (May 2026) on 6.18; reading R-a of its open questions',
    extends: 'mainline-6.18',
    knobs: {
      'spb.enabled': true, // model: spb 2
      'pcp.kind': 'buddy', // 3.9
      'shrinker.model': 'reclaimable_pages', // 4.6
    },
  },
  'spb-v2-r-a': {
    description: 'spb-v2: the passes do not ask for NOFRAGMENT',
    extends: 'spb-v2',
    knobs: {}, // model: spb 3.3
  },
  'spb-v2-r-b': {
    description: 'spb-v2, but NOFRAGMENT without TAINTED_OK keeps non-movable requests out of Pass 2 and 2b',
    extends: 'spb-v2',
    knobs: { 'spb.pass2_needs_tainted_ok': true }, // model: spb 3.3
  },
  'spb-v2-r-c': {
    description: 'spb-v2-r-b, and NOFRAGMENT keeps them out of Pass 3: reclaim before taint',
    extends: 'spb-v2-r-b',
    knobs: { 'spb.pass3_nofrag_gate': true }, // model: spb 3.3
  },
  'spb-v2-noshrink': {
    description: 'spb-v2 without the slab shrinker',
    extends: 'spb-v2',
    knobs: { 'spb.slab_shrink': 'off' }, // model: spb 4.6
  },
  'spb-v2-demand-only': {
    description: 'spb-v2, slab shrinker only when a taint is near (v1-32)',
    extends: 'spb-v2',
    knobs: { 'spb.slab_shrink': 'demand' }, // model: spb 4.6
  },
  'spb-v2-nodefrag': {
    description: 'spb-v2 without the defrag workers',
    extends: 'spb-v2',
    knobs: { 'spb.defrag': false }, // model: spb 4.5
  },
  'spb-v2-noevac': {
    description: 'spb-v2 without targeted evacuation',
    extends: 'spb-v2',
    knobs: { 'spb.evacuation': false }, // model: spb 4.3
  },
  'spb-v2-lists': {
    description: 'spb-v2 with the lists of the series as selector',
    extends: 'spb-v2',
    knobs: {}, // model: spb 7
  },
  'spb-v2-bitmap': {
    description: 'spb-v2 with a bitmap per order as selector; it decides as spb-v2-lists does',
    extends: 'spb-v2',
    knobs: { 'spb.selector': 'bitmap' }, // model: spb 7
  },
} as const satisfies Record<string, PolicyPreset>;

/** A Map, so that a name from outside can never reach an inherited property. */
export const POLICY_PRESETS: ReadonlyMap<string, PolicyPreset> = new Map(Object.entries(PRESETS));

export const POLICY_PRESET_NAMES: readonly string[] = [...POLICY_PRESETS.keys()];
