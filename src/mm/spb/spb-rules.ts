/** The policy's choices about superpageblocks as plain values, read once, so that hot paths test a field and not a string. */
import type { Policy } from '../policy.js';
import type { SpbStateRules } from './superpageblocks.js';

export interface SpbRules extends SpbStateRules {
  readonly reserve_yields: boolean;
  readonly aggressive_threshold: number;
  readonly pass1_whole_first: boolean;
  readonly pass2_needs_tainted_ok: boolean;
  readonly pass3_nofrag_gate: boolean;
  readonly last_chance_for_movable: boolean;
  readonly optional_gate_free_pages: boolean;
  readonly optional_min_order: number;
  readonly cross_type_needs_free: boolean;
  readonly evacuation: boolean;
  readonly defrag: boolean;
  readonly defrag_on_react: boolean;
  readonly defrag_last_chance: boolean;
  /** a taint that is near starts the slab shrinker */
  readonly shrink_on_demand: boolean;
  /** so does a tainted superpageblock below its high water */
  readonly shrink_on_high_water: boolean;
  readonly owns_blocks: boolean;
}

export function spbRulesOf(policy: Policy): SpbRules {
  return {
    bucket_edges: policy['spb.bucket_edges'],
    reset_type_when_free: policy['spb.reset_type_when_free'],
    reserve_min: policy['spb.tainted_reserve_min'],
    reserve_divisor: policy['spb.tainted_reserve_divisor'],
    bitmap: policy['spb.selector'] === 'bitmap',
    reserve_yields: policy['spb.reserve_yields'],
    aggressive_threshold: policy['spb.aggressive_threshold'],
    pass1_whole_first: policy['spb.pass1_whole_first'],
    pass2_needs_tainted_ok: policy['spb.pass2_needs_tainted_ok'],
    pass3_nofrag_gate: policy['spb.pass3_nofrag_gate'],
    last_chance_for_movable: policy['spb.last_chance_for_movable'],
    optional_gate_free_pages: policy['spb.optional_gate'] === 'free_pages',
    optional_min_order: policy['spb.optional_min_order'],
    cross_type_needs_free: policy['spb.cross_type_needs_free'],
    evacuation: policy['spb.evacuation'],
    defrag: policy['spb.defrag'],
    defrag_on_react: policy['spb.defrag_on_react'],
    defrag_last_chance: policy['spb.defrag_last_chance'],
    shrink_on_demand: policy['spb.slab_shrink'] !== 'off',
    shrink_on_high_water: policy['spb.slab_shrink'] === 'high_water',
    owns_blocks: policy['pcp.kind'] === 'buddy',
  };
}
