/**
 * The parts of the result document about superpageblocks: what lies in each 1 GiB range (for every policy), and what the
 * mechanisms of the series did (for policies that have them).
 */
import { z } from 'zod';

const count = z.int().min(0);

export const rangeSchema = z.strictObject({
  start_pfn: count,
  state: z
    .enum(['empty', 'clean', 'tainted', 'held'])
    .describe('by content; held: handed out whole, as a 1 GiB page'),
  list: z
    .string()
    .nullable()
    .describe("list that the series' counters put it on, such as tainted/75; null without superpageblocks"),
  present_pages: count.describe('pages of the zone in it'),
  free_pages: count,
  movable_pages: count,
  nonmovable_pages: count,
  kept_pages: count.describe('in use since boot, nothing else known: it can never be a 1 GiB page'),
  free_blocks: count.describe('wholly free pageblocks'),
  movable_blocks: count.describe('pageblocks that hold a movable page'),
  nonmovable_blocks: count,
});

/** Of one zone. */
export const zoneSpbSchema = z.strictObject({
  total: count.describe('1 GiB ranges, clipped ones at the edges among them'),
  empty: count,
  clean: count,
  tainted: count.describe('by content: a page in use in it cannot be moved'),
  held: count,
  tainted_by_bits: count
    .nullable()
    .describe(
      "as the series' sticky bits count them: never less than `tainted`; null without superpageblocks",
    ),
  isolated: count.nullable().describe('taken out of steering'),
  nonmovable_pages: count,
  floor: count.describe('tainted ranges that any policy would need: non-movable bytes / 1 GiB, rounded up'),
  taint_efficiency: z.number().nullable().describe('floor / tainted; null where nothing is tainted'),
  ideal_empty: count.describe('ranges that perfect packing would leave empty'),
  gigantic_now: count.describe('1 GiB pages to be had without moving anything'),
  gigantic_after_migration: count.describe('by moving movable pages into what is free elsewhere: a bound'),
  gigantic_after_reclaim: count.describe('by reclaiming as well: a bound'),
  ranges: z.array(rangeSchema).describe('by address'),
});

const workTimesSchema = z.strictObject({
  runs: count,
  busy_ns: z.number(),
  waited_ns: z.number().describe('sum over all runs, from queueing to the start'),
  most_waited_ns: z.number(),
});

export const spbSchema = z.strictObject({
  selector: z.enum(['lists', 'bitmap']),
  outcomes: z
    .array(
      z.strictObject({ outcome: z.string(), migratetype: z.string(), order: z.int().min(0).max(10), count }),
    )
    .describe('exits of the smallest search, by the name of the tracepoint'),
  claim_refused: z
    .record(z.string(), count)
    .describe('refusals to claim a pageblock, by the name of the tracepoint'),
  refusals: z
    .array(
      z.strictObject({
        stage: z.enum(['PASS_2B', 'CLAIM']),
        reason: z.string(),
        migratetype: z.string(),
        order: z.int().min(0).max(10),
        count,
      }),
    )
    .describe('the same by where it happened, and by type and order of the request'),
  relax_steps: z.record(z.string(), count),
  search: z.strictObject({
    searches: count,
    visited: count.describe('superpageblocks looked at'),
    probes: count.describe('free list heads, or bitmap words, read'),
    bitmap_flips: count,
    visits_histogram: z.array(z.strictObject({ up_to: count.nullable(), searches: count })),
    fall_throughs: count,
    fall_throughs_with_buddy: count.describe('would be a fault of Pass 1'),
  }),
  fallback: z.strictObject({
    claims_preferred: count,
    claims_other: count,
    steals: count,
    taints_by_pass3: count,
    taints_by_claim: count,
    taints_by_steal: count,
    nofragment_dropped: count,
    reclaim_rounds: count.describe('rounds of reclaim while requests held out against tainting'),
    spb_highorder_refused: count,
  }),
  evacuation: z.strictObject({
    requested: count,
    dropped: count.describe('found no descriptor'),
    calls: count,
    successes: count,
    phase1_blocks: count,
    phase2_blocks: count,
    moved_pages: count,
    failed_pages: count,
  }),
  defrag: z.strictObject({
    offered: count,
    in_cooldown: count,
    runs: count,
    no_progress: count,
    moved_pages: count,
    blocks_freed: count,
  }),
  slab_shrink: z.strictObject({
    queued: count,
    ran: count,
    rounds: count,
    objects: count,
    pages: count.describe('that came free, by the worker and by ordinary reclaim'),
  }),
  work: z
    .strictObject({ evacuate: workTimesSchema, defrag: workTimesSchema, slab_shrink: workTimesSchema })
    .describe('items of the node workqueues, simulated time'),
  contig: z.strictObject({
    calls: count.describe('requests for whole GiBs'),
    failed: count,
    gigantic_allocated: count,
    gigantic_from_empty: count.describe('of these, without moving anything'),
    gigantic_migrated_pages: count.describe('also of attempts that failed'),
    gigantic_most_migrated_pages: count.describe('for one request'),
    thp_tried: count,
    thp_allocated: count,
  }),
});
