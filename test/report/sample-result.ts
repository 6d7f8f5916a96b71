/**
 * A small result document, made by hand: the zones of the examples in the model's documentation.
 */
import { defaultPolicy } from '../../src/mm/policy.js';
import { extfragIndexes, unusableIndexes } from '../../src/report/fragmentation-index.js';
import type {
  ResultReadInput,
  ResultSpb,
  ResultSpbRange,
  ResultZone,
  ResultZoneSpb,
  RunResult,
} from '../../src/report/run-result.js';

const NONE = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/** A 1 GiB range of free and movable memory. */
export function sampleRange(overrides: Partial<ResultSpbRange> = {}): ResultSpbRange {
  return {
    start_pfn: 0x40000,
    state: 'clean',
    list: null,
    present_pages: 0x40000,
    free_pages: 0x30000,
    movable_pages: 0x10000,
    nonmovable_pages: 0,
    kept_pages: 0,
    free_blocks: 384,
    movable_blocks: 128,
    nonmovable_blocks: 0,
    ...overrides,
  };
}

/** Superpageblocks of a zone; the counts of states are those of `ranges`. */
export function sampleZoneSpb(overrides: Partial<ResultZoneSpb> = {}): ResultZoneSpb {
  const ranges = overrides.ranges ?? [];
  const counted = (state: ResultSpbRange['state']) => ranges.filter((range) => range.state === state).length;
  const tainted = counted('tainted');
  const nonmovable_pages = ranges.reduce((sum, range) => sum + range.nonmovable_pages, 0);
  const floor = Math.ceil(nonmovable_pages / 0x40000);
  return {
    total: ranges.length,
    empty: counted('empty'),
    clean: counted('clean'),
    tainted,
    held: counted('held'),
    tainted_by_bits: null,
    isolated: null,
    nonmovable_pages,
    floor,
    taint_efficiency: tainted === 0 ? null : floor / tainted,
    ideal_empty: 0,
    gigantic_now: counted('empty'),
    gigantic_after_migration: counted('empty'),
    gigantic_after_reclaim: counted('empty') + counted('clean'),
    ranges,
    ...overrides,
  };
}

const NO_WORK = { runs: 0, busy_ns: 0, waited_ns: 0, most_waited_ns: 0 };

/** What the series did in a run that never needed it. */
export function sampleSpb(overrides: Partial<ResultSpb> = {}): ResultSpb {
  return {
    selector: 'lists',
    outcomes: [],
    claim_refused: {},
    refusals: [],
    relax_steps: {},
    search: {
      searches: 0,
      visited: 0,
      probes: 0,
      bitmap_flips: 0,
      visits_histogram: [],
      fall_throughs: 0,
      fall_throughs_with_buddy: 0,
    },
    fallback: {
      claims_preferred: 0,
      claims_other: 0,
      steals: 0,
      taints_by_pass3: 0,
      taints_by_claim: 0,
      taints_by_steal: 0,
      nofragment_dropped: 0,
      reclaim_rounds: 0,
      spb_highorder_refused: 0,
    },
    evacuation: {
      requested: 0,
      dropped: 0,
      calls: 0,
      successes: 0,
      phase1_blocks: 0,
      phase2_blocks: 0,
      moved_pages: 0,
      failed_pages: 0,
    },
    defrag: { offered: 0, in_cooldown: 0, runs: 0, no_progress: 0, moved_pages: 0, blocks_freed: 0 },
    slab_shrink: { queued: 0, ran: 0, rounds: 0, objects: 0, pages: 0 },
    work: { evacuate: { ...NO_WORK }, defrag: { ...NO_WORK }, slab_shrink: { ...NO_WORK } },
    contig: {
      calls: 0,
      failed: 0,
      gigantic_allocated: 0,
      gigantic_from_empty: 0,
      gigantic_migrated_pages: 0,
      gigantic_most_migrated_pages: 0,
      thp_tried: 0,
      thp_allocated: 0,
    },
    ...overrides,
  };
}

/** A zone whose free chunks are all Movable unless `pagetype` says otherwise. */
export function sampleZone(overrides: Partial<ResultZone>): ResultZone {
  const buddyinfo = overrides.buddyinfo ?? NONE;
  return {
    node: 0,
    name: 'Normal',
    start_pfn: 0x100000,
    spanned_pages: 2048,
    present_pages: 2048,
    managed_pages: 2048,
    free_pages: buddyinfo.reduce((sum, chunks, order) => sum + chunks * 2 ** order, 0),
    cma_pages: 0,
    buddyinfo,
    pagetype: [NONE, buddyinfo, NONE, NONE, NONE],
    pageblocks: [0, 4, 0, 0, 0],
    watermarks: { min: 0, low: 0, high: 0, promo: 0, boost: 0 },
    lowmem_reserve: [0, 0, 0, 0, 0],
    reserved_highatomic_pages: 0,
    free_highatomic_pages: 0,
    stat_threshold: 4,
    pcp: [],
    extfrag_index: extfragIndexes(buddyinfo),
    unusable_index: unusableIndexes(buddyinfo),
    counters: {},
    superpageblocks: sampleZoneSpb(),
    map_first_pfn: 0x100000,
    map: 'MmU.',
    ...overrides,
  };
}

/** The three zones of the buddyinfo example. model: page-allocator 6.1 */
export const DMA_CHUNKS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3];
export const DMA32_CHUNKS = [1, 2, 4, 2, 5, 4, 3, 3, 4, 2, 752];
export const NORMAL_CHUNKS = [12, 7, 0, 5, 2, 4, 3, 2, 1, 1, 11];

export function sampleInput(overrides: Partial<ResultReadInput> = {}): ResultReadInput {
  return {
    path: 'workloads/fs-churn',
    format: 'recording',
    sha256: 'ab'.repeat(32),
    bytes: 3_500_000,
    kernel: { generation: '6.18', release: '6.18.44', how: 'recorded', reasons: [] },
    cut: null,
    kinds: [{ name: 'mm_page_alloc', events: 72_623, used: true }],
    not_understood: [],
    lost: [],
    remarks: [],
    ...overrides,
  };
}

export function sampleResult(overrides: Partial<RunResult> = {}): RunResult {
  const knobs: RunResult['policy']['knobs'] = {};
  for (const [name, value] of Object.entries(defaultPolicy())) {
    knobs[name] = Array.isArray(value) ? [...value] : (value as string | number | boolean);
  }
  return {
    schema: 'spbsim.result/1',
    tool: { name: 'spbsim', version: '0.1.0' },
    interrupted: false,
    inputs: [sampleInput()],
    injected: [],
    mode: 'free',
    seed: 1,
    policy: { name: 'mainline-6.18', description: 'Linux 6.18', text_layout: '6.18', overrides: [], knobs },
    machine: {
      kernel: 'Linux 6.18.44',
      origin: "the recording's zoneinfo",
      cpu_nodes: [0, 0],
      node_distances: [[10]],
      zones: [],
      cpu_cache_bytes: 2 << 20,
      thp: true,
    },
    migratetypes: ['Unmovable', 'Movable', 'Reclaimable', 'HighAtomic', 'Isolate'],
    start_state: {
      kind: 'kpageflags',
      notes: ['order inside free lists is not recorded: ascending PFN taken'],
    },
    span: { first_ns: 1_000_000_000, last_ns: 3_560_000_000, events: 221_663 },
    events: [
      { op: 'alloc', ctx: 'task', outcome: 'ok', count: 72_430 },
      { op: 'alloc', ctx: 'softirq', outcome: 'ok', count: 193 },
      { op: 'alloc', ctx: 'task', outcome: 'failed', count: 3 },
      { op: 'free', ctx: 'task', outcome: 'ok', count: 149_037 },
    ],
    allocations: [
      { migratetype: 'unmovable', ctx: 'task', order: 0, ok: 9_801, failed: 0 },
      { migratetype: 'unmovable', ctx: 'softirq', order: 1, ok: 193, failed: 0 },
      { migratetype: 'unmovable', ctx: 'task', order: 9, ok: 0, failed: 3 },
      { migratetype: 'movable', ctx: 'task', order: 0, ok: 58_120, failed: 0 },
      { migratetype: 'reclaimable', ctx: 'task', order: 3, ok: 4_509, failed: 0 },
    ],
    notes: [
      { name: 'frees_before_trace', count: 14, meaning: 'frees of pages older than the trace' },
      { name: 'invalid_rows', count: 0, meaning: 'invalid rows left out' },
    ],
    vmstat: {
      nr_free_pages: 772_854,
      pgalloc_dma32: 60_000,
      pgalloc_normal: 12_623,
      pgfree: 149_037,
      compact_stall: 2,
    },
    nodes: [{ node: 0, unreclaimable: false, counters: { nr_inactive_anon: 89_958, nr_mapped: 8_695 } }],
    zones: [
      sampleZone({
        name: 'DMA',
        start_pfn: 1,
        managed_pages: 3840,
        buddyinfo: DMA_CHUNKS,
        map_first_pfn: 0,
        map: 'U.......',
      }),
      sampleZone({
        name: 'DMA32',
        start_pfn: 0x1000,
        managed_pages: 772_917,
        buddyinfo: DMA32_CHUNKS,
        pageblocks: [3, 1500, 8, 1, 0],
        map_first_pfn: 0x1000,
        map: 'MMmU.R.H',
      }),
      sampleZone({
        managed_pages: 1_310_720,
        buddyinfo: NORMAL_CHUNKS,
        pageblocks: [50, 2449, 61, 0, 0],
        map: 'UUUMMMMMMRRm....',
      }),
    ],
    superpageblocks: null,
    slab: null,
    series: [],
    findings: [
      {
        kind: 'double_free',
        event: 1881,
        ts_ns: 1_031_000_000,
        text: 'free of 0x1a3f2, which is free already',
      },
    ],
    findings_total: { double_free: 1 },
    metrics: { spb_tainted: 14, alloc_failed: 0 },
    performance: { events: 221_663, wall_s: 0.041, events_per_s: 5_406_414, peak_rss_bytes: 120_000_000 },
    ...overrides,
  };
}
