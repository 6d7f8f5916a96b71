/** Superpageblocks at one moment, as the result document shows them. model: spb 5.4, 6 */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import type { Zone } from '../mm/page-alloc/zone.js';
import { type Counting, type RangeState, stateOf, takeCensus } from '../mm/spb/census.js';
import { VISIT_CLASSES } from '../mm/spb/spb-stats.js';
import {
  FULLNESS_NAMES,
  NR_SB_FULLNESS,
  OUTCOME_NAMES,
  PLACE_EMPTY,
  PLACE_ISOLATED,
  placeOfBucket,
  REFUSAL_NAMES,
  RELAX_NAMES,
  SB_CLEAN,
  SUPERPAGEBLOCK_NR_PAGES,
} from '../mm/spb/spb-types.js';
import { MIGRATE_TYPES, MIGRATETYPE_NAMES, NR_PAGE_ORDERS } from '../mm/types.js';
import type { ResultSpb, ResultZoneSpb } from '../report/run-result.js';

/**
 * @param unknownCounts pages in use of which nothing is known are somebody's, as in a recorded start state
 * @param counting      how pages are counted, if not one by one
 */
export function resultZoneSpb(
  mm: PageAllocator,
  zone: Zone,
  unknownCounts: boolean,
  counting?: Counting,
): ResultZoneSpb {
  const census = takeCensus(mm, zone, unknownCounts, counting);
  const spbs = zone.spb;
  const ranges = census.ranges.map((range) => {
    const spb = spbs?.indexOf(range.start_pfn) ?? -1;
    return {
      start_pfn: range.start_pfn,
      state: stateOf(range),
      list: spbs === null || spb < 0 ? null : placeName(spbs.place[spb]!),
      present_pages: range.present_pages,
      free_pages: range.free_pages,
      movable_pages: range.movable_pages,
      nonmovable_pages: range.nonmovable_pages,
      kept_pages: range.unknown_pages,
      free_blocks: range.free_blocks,
      movable_blocks: range.movable_blocks,
      nonmovable_blocks: range.nonmovable_blocks,
    };
  });
  const counted = (state: RangeState) => ranges.filter((range) => range.state === state).length;
  const tainted = counted('tainted');
  const free = ranges.reduce((sum, range) => sum + (range.state === 'held' ? 0 : range.free_pages), 0);
  return {
    total: ranges.length,
    empty: counted('empty'),
    clean: counted('clean'),
    tainted,
    held: counted('held'),
    tainted_by_bits: spbs?.nr_tainted ?? null,
    isolated: spbs === null ? null : ranges.filter(({ list }) => list === placeName(PLACE_ISOLATED)).length,
    nonmovable_pages: census.nonmovable_pages,
    floor: census.floor,
    taint_efficiency: tainted === 0 ? null : Math.round((census.floor / tainted) * 1000) / 1000,
    ideal_empty: Math.floor(free / SUPERPAGEBLOCK_NR_PAGES),
    gigantic_now: census.gigantic_now,
    gigantic_after_migration: census.gigantic_after_migration,
    gigantic_after_reclaim: census.gigantic_after_reclaim,
    ranges,
  };
}

/** Name of a list of superpageblocks: `empty`, `isolated`, or category and fullness. */
export function placeName(place: number): string {
  if (place === PLACE_ISOLATED) return 'isolated';
  if (place === PLACE_EMPTY) return 'empty';
  const bucket = place - placeOfBucket(SB_CLEAN, 0);
  return `${bucket < NR_SB_FULLNESS ? 'clean' : 'tainted'}/${FULLNESS_NAMES[bucket % NR_SB_FULLNESS]}`;
}

/** Empty, clean and tainted ranges of a zone: as its counters say, or where it has none by content. */
export function spbCounts(
  mm: PageAllocator,
  zone: Zone,
  unknownCounts: boolean,
): { spb_empty: number; spb_clean: number; spb_tainted: number } {
  if (zone.spb !== null)
    return {
      spb_empty: zone.spb.place_length[PLACE_EMPTY]!,
      spb_clean: zone.spb.nr_clean,
      spb_tainted: zone.spb.nr_tainted,
    };
  const states = takeCensus(mm, zone, unknownCounts).ranges.map(stateOf);
  const counted = (state: RangeState) => states.filter((each) => each === state).length;
  return { spb_empty: counted('empty'), spb_clean: counted('clean'), spb_tainted: counted('tainted') };
}

/** What the series did; null for policies without it. */
export function resultSpb(mm: PageAllocator): ResultSpb | null {
  if (mm.spb === null) return null;
  const { stats, rules } = mm.spb;
  return {
    selector: rules.bitmap ? 'bitmap' : 'lists',
    outcomes: cells(OUTCOME_NAMES, stats.outcomes).map(({ name, ...cell }) => ({ outcome: name, ...cell })),
    claim_refused: named(REFUSAL_NAMES, stats.claim_refused),
    refusals: [...refusalRows('PASS_2B', stats.refusals_2b), ...refusalRows('CLAIM', stats.refusals_claim)],
    relax_steps: named(RELAX_NAMES, stats.relax_steps),
    search: {
      searches: stats.searches,
      visited: stats.visited,
      probes: stats.probes,
      bitmap_flips: mm.zones.reduce((sum, zone) => sum + (zone.spb?.bitmaps?.flips ?? 0), 0),
      visits_histogram: Array.from(stats.visits_histogram, (searches, visitClass) => ({
        up_to: VISIT_CLASSES[visitClass] ?? null,
        searches,
      })),
      fall_throughs: stats.fall_throughs,
      fall_throughs_with_buddy: stats.fall_throughs_with_buddy,
    },
    fallback: {
      claims_preferred: stats.claims_preferred,
      claims_other: stats.claims_other,
      steals: stats.steals,
      taints_by_pass3: stats.taints_by_pass3,
      taints_by_claim: stats.taints_by_claim,
      taints_by_steal: stats.taints_by_steal,
      nofragment_dropped: stats.nofragment_dropped,
      reclaim_rounds: stats.reclaim_rounds,
      spb_highorder_refused: stats.spb_highorder_refused,
    },
    evacuation: {
      requested: stats.evac_requested,
      dropped: stats.evac_dropped,
      calls: stats.evac_calls,
      successes: stats.evac_successes,
      phase1_blocks: stats.evac_phase1_blocks,
      phase2_blocks: stats.evac_phase2_blocks,
      moved_pages: stats.evac_pages,
      failed_pages: stats.evac_failed_pages,
    },
    defrag: {
      offered: stats.defrag_offered,
      in_cooldown: stats.defrag_in_cooldown,
      runs: stats.defrag_runs,
      no_progress: stats.defrag_no_progress,
      moved_pages: stats.defrag_pages,
      blocks_freed: stats.defrag_blocks_freed,
    },
    slab_shrink: {
      queued: stats.spb_slab_shrink_queued,
      ran: stats.spb_slab_shrink_ran,
      rounds: stats.shrink_rounds,
      objects: stats.shrink_objects,
      pages: mm.shrinkers?.freed_pages ?? 0,
    },
    work: {
      evacuate: { ...stats.work.evacuate },
      defrag: { ...stats.work.defrag },
      slab_shrink: { ...stats.work.slab_shrink },
    },
    contig: {
      calls: stats.contig_calls,
      failed: stats.contig_failed,
      gigantic_allocated: stats.gigantic_allocated,
      gigantic_from_empty: stats.gigantic_from_empty,
      gigantic_migrated_pages: stats.gigantic_migrated_pages,
      gigantic_most_migrated_pages: stats.gigantic_most_migrated_pages,
      thp_tried: stats.thp_contig_tried,
      thp_allocated: stats.thp_contig_allocated,
    },
  };
}

function named(names: readonly string[], counts: Float64Array): Record<string, number> {
  return Object.fromEntries(names.map((name, index) => [name, counts[index]!]));
}

function refusalRows(stage: 'PASS_2B' | 'CLAIM', counts: Float64Array): ResultSpb['refusals'] {
  return cells(REFUSAL_NAMES, counts).map(({ name, ...cell }) => ({ stage, reason: name, ...cell }));
}

/** Counts by name, type and order of the request that are not zero. */
function cells(
  names: readonly string[],
  counts: Float64Array,
): { name: string; migratetype: string; order: number; count: number }[] {
  const rows: { name: string; migratetype: string; order: number; count: number }[] = [];
  names.forEach((name, number) => {
    for (let type = 0; type < MIGRATE_TYPES; type++)
      for (let order = 0; order < NR_PAGE_ORDERS; order++) {
        const count = counts[(number * NR_PAGE_ORDERS + order) * MIGRATE_TYPES + type]!;
        if (count > 0) rows.push({ name, migratetype: MIGRATETYPE_NAMES[type]!.toLowerCase(), order, count });
      }
  });
  return rows;
}
