/** Tallies of refill and drain bursts: what the recorded kernel did, and whether the model would have done the same. */

export interface BurstTally {
  /** bursts in the trace */
  observed: number;
  /** of all observed: predicted in size */
  observed_size_predicted: number;
  /** bursts that the model expected at an event where the trace has none */
  expected_not_seen: number;
  /** on lists whose contents the replay knew */
  known: number;
  /** of the known: predicted in size */
  size_predicted: number;
  /** size and every PFN, where the list order was known or could not be (see `unordered`) */
  pfn_predicted: number;
  /** of pfn_predicted: bursts that took some chunk whose place in its list the start state does not tell */
  unordered: number;
}

export function emptyTally(): BurstTally {
  return {
    observed: 0,
    observed_size_predicted: 0,
    expected_not_seen: 0,
    known: 0,
    size_predicted: 0,
    pfn_predicted: 0,
    unordered: 0,
  };
}

/** A miss, kept for the report. */
export interface BurstMiss {
  readonly kind: 'refill' | 'drain';
  readonly event: number;
  readonly ts_ns: number;
  readonly cpu: number;
  readonly text: string;
}

export const MAX_MISSES = 20;
