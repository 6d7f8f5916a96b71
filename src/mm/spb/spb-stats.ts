/**
 * What the superpageblock mechanisms did: outcomes by pass, order and type, refusals, work of the background, and what
 * searches cost. The three counters that the series adds to /proc/vmstat are among them.
 * model: spb 3.3, 3.4, 6.1, 7
 */
import { counters, type StateIo } from '../state-io.js';
import { MIGRATE_TYPES, NR_PAGE_ORDERS } from '../types.js';
import { OUTCOME_NAMES, REFUSAL_NAMES, RELAX_NAMES } from './spb-types.js';

/** Times of work items of one kind, in simulated ns. */
export interface WorkTimes {
  runs: number;
  busy_ns: number;
  /** from queueing to the start */
  waited_ns: number;
  most_waited_ns: number;
}

function newWorkTimes(): WorkTimes {
  return { runs: 0, busy_ns: 0, waited_ns: 0, most_waited_ns: 0 };
}

/** Upper edges of the classes of the histogram of visits per search; the last class is open. */
export const VISIT_CLASSES: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

export class SpbStats {
  /** exits of the smallest search by (outcome * NR_PAGE_ORDERS + order) * MIGRATE_TYPES + type */
  readonly outcomes = new Float64Array(OUTCOME_NAMES.length * NR_PAGE_ORDERS * MIGRATE_TYPES);
  readonly claim_refused = new Float64Array(REFUSAL_NAMES.length);
  /** the same by (reason * NR_PAGE_ORDERS + order) * MIGRATE_TYPES + type of the request, in Pass 2b and in claim */
  readonly refusals_2b = new Float64Array(REFUSAL_NAMES.length * NR_PAGE_ORDERS * MIGRATE_TYPES);
  readonly refusals_claim = new Float64Array(REFUSAL_NAMES.length * NR_PAGE_ORDERS * MIGRATE_TYPES);
  readonly relax_steps = new Float64Array(RELAX_NAMES.length);
  /** searches by number of superpageblocks looked at */
  readonly visits_histogram = new Float64Array(VISIT_CLASSES.length + 1);
  searches = 0;
  /** superpageblocks looked at */
  visited = 0;
  /** free list heads, or bitmap words, looked at */
  probes = 0;
  fall_throughs = 0;
  /** fall-throughs although a fitting chunk was there: a fault of Pass 1 */
  fall_throughs_with_buddy = 0;

  claims_preferred = 0;
  claims_other = 0;
  steals = 0;
  /** clean or empty superpageblocks that a search, claim or steal made tainted */
  taints_by_pass3 = 0;
  taints_by_claim = 0;
  taints_by_steal = 0;
  nofragment_dropped = 0;
  /** rounds of reclaim that requests went through while they held out against tainting */
  reclaim_rounds = 0;

  spb_highorder_refused = 0;
  spb_slab_shrink_queued = 0;
  spb_slab_shrink_ran = 0;
  shrink_objects = 0;
  shrink_rounds = 0;

  evac_requested = 0;
  /** found no descriptor */
  evac_dropped = 0;
  evac_calls = 0;
  evac_successes = 0;
  evac_phase1_blocks = 0;
  evac_phase2_blocks = 0;
  evac_pages = 0;
  evac_failed_pages = 0;

  defrag_offered = 0;
  defrag_in_cooldown = 0;
  defrag_runs = 0;
  defrag_no_progress = 0;
  defrag_pages = 0;
  defrag_blocks_freed = 0;

  contig_calls = 0;
  contig_failed = 0;
  /** 1 GiB pages handed out, and of these without moving anything */
  gigantic_allocated = 0;
  gigantic_from_empty = 0;
  gigantic_migrated_pages = 0;
  gigantic_most_migrated_pages = 0;
  thp_contig_tried = 0;
  thp_contig_allocated = 0;

  readonly work = { evacuate: newWorkTimes(), defrag: newWorkTimes(), slab_shrink: newWorkTimes() };

  serialize(io: StateIo): void {
    counters(io, this);
    for (const times of Object.values(this.work)) counters(io, times);
  }

  countOutcome(outcome: number, order: number, migratetype: number): void {
    this.outcomes[(outcome * NR_PAGE_ORDERS + order) * MIGRATE_TYPES + migratetype]!++;
  }

  countRefusal(reason: number, order: number, migratetype: number, inPass2b: boolean): void {
    const refusals = inPass2b ? this.refusals_2b : this.refusals_claim;
    this.claim_refused[reason]!++;
    refusals[(reason * NR_PAGE_ORDERS + order) * MIGRATE_TYPES + migratetype]!++;
  }

  /** A search is over; what it looked at has been counted on the way. */
  countSearch(visited: number): void {
    this.searches++;
    let visitClass = 0;
    while (visitClass < VISIT_CLASSES.length && visited > VISIT_CLASSES[visitClass]!) visitClass++;
    this.visits_histogram[visitClass]!++;
  }
}
