/** The policy's choices as plain booleans and numbers, read once, so that hot paths test a field and not a string. */
import type { Policy } from '../policy.js';

export interface Rules {
  readonly steal_fallback: boolean;
  readonly defrag_mode: boolean;
  /** requests keep NOFRAGMENT until nothing else is left: in defrag_mode, and with superpageblocks. model: spb 3.7 */
  readonly holds_out: boolean;
  /** with NOFRAGMENT, zones of other nodes are asked before blocks are mixed */
  readonly asks_remote_first: boolean;
  /** no per-CPU lists at all */
  readonly no_pcp: boolean;
  readonly tuned_high: boolean;
  readonly pcp_batch_scale_max: number;
  readonly drain_in_batches: boolean;
  readonly drain_by_block_type: boolean;
  readonly highatomic_refill: boolean;
  readonly highatomic_from_buddy_only: boolean;
  readonly highatomic_plus_block: boolean;
  readonly highatomic_counts_free: boolean;
  readonly merge_retypes: boolean;
  readonly free_in_pieces: boolean;
  readonly post_per_move: boolean;
  readonly skip_awake_kswapd: boolean;
  readonly below_high: boolean;
  readonly boosted_min_by_gfp_atomic: boolean;
  readonly watermark_boost_factor: number;
  readonly cma: boolean;
}

export function rulesOf(policy: Policy): Rules {
  return {
    steal_fallback: policy['fallback.rule'] === 'steal',
    defrag_mode: policy['fallback.defrag_mode'],
    holds_out: policy['fallback.defrag_mode'] || policy['spb.enabled'],
    asks_remote_first:
      policy['fallback.defrag_mode'] || (policy['spb.enabled'] && policy['spb.remote_before_taint']),
    no_pcp: policy['pcp.kind'] === 'none',
    tuned_high: policy['pcp.tuning'] === 'auto_high',
    pcp_batch_scale_max: policy['pcp.batch_scale_max'],
    drain_in_batches: policy['pcp.drain_chunks'] === 'batch',
    drain_by_block_type: policy['pcp.drain_type'] === 'pageblock',
    highatomic_refill: policy['pcp.highatomic_refill'],
    highatomic_from_buddy_only: policy['highatomic.source'] === 'buddy',
    highatomic_plus_block: policy['highatomic.limit'] === 'one_percent_plus_block',
    highatomic_counts_free: policy['highatomic.unusable'] === 'free',
    merge_retypes: policy['buddy.merge_retypes'],
    free_in_pieces: policy['buddy.max_order_free'] === 'pageblock_pieces',
    post_per_move: policy['vmstat.posting'] === 'per_move',
    skip_awake_kswapd: policy['zonelist.skip_awake_kswapd'],
    below_high: policy['zonelist.below_high'],
    boosted_min_by_gfp_atomic: policy['watermark.boosted_min_test'] === 'gfp_atomic',
    watermark_boost_factor: policy['watermark.boost_factor'],
    cma: policy['cma.compiled'],
  };
}
