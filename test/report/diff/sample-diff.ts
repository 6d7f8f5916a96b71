/** Comparisons for tests of their renderings, made from a few metrics. */
import {
  addCounts,
  compareMetrics,
  countVerdicts,
  type Metrics,
} from '../../../src/report/diff/compare-metrics.js';
import type { DiffCase, DiffMapRow, DiffResult } from '../../../src/report/diff-result.js';
import { sampleExplanation } from '../sample-explanation.js';

export const A: Metrics = {
  spb_tainted: 61,
  pgsteal_kswapd: 100,
  pgfree: 50,
  oom_kill: 0,
  'unusable_index.Normal.9': 0.4,
};
export const B: Metrics = {
  spb_tainted: 14,
  pgsteal_kswapd: 180,
  pgfree: 70,
  oom_kill: 0,
  'unusable_index.Normal.9': 0.3,
};

export function sampleCase(
  a: readonly Metrics[] = [A],
  b: readonly Metrics[] = [B],
  changes: Partial<DiffCase> = {},
): DiffCase {
  const rows = compareMetrics(a, b);
  return {
    trace: 'traces/slab-ramp.csv',
    inputs: [{ path: 'traces/slab-ramp.csv', sha256: 'ab'.repeat(32) }],
    seeds: a.map((_, at) => at + 1),
    events: 21_219,
    span_ns: 7_910_000_000,
    start_state: 'fresh',
    same_pages: true,
    first_difference: null,
    counts: countVerdicts(rows),
    rows,
    map: [],
    ...changes,
  };
}

export function sampleDiff(
  cases: DiffCase[] = [sampleCase()],
  changes: Partial<DiffResult> = {},
): DiffResult {
  const side = { overrides: [], machine: '--memory 2GiB', saved: null };
  return {
    schema: 'spbsim.diff/1',
    tool: { name: 'spbsim', version: '0.1.0' },
    kind: 'policies',
    a: { label: 'mainline-6.18', policy: 'mainline-6.18', ...side },
    b: { label: 'spb-v2', policy: 'spb-v2', ...side },
    knobs: [{ knob: 'spb.enabled', a: 'false', b: 'true' }],
    counts: addCounts(cases.map(({ counts }) => counts)),
    cases,
    notes: [],
    ...changes,
  };
}

/** Where the two part, with what both did. */
export function sampleFirst(): NonNullable<DiffCase['first_difference']> {
  const explanation = sampleExplanation();
  return { seed: 1, event: explanation.event, a_pfn: 0x5bc0, b_pfn: null, a: explanation, b: explanation };
}

export function mapRow(start_pfn: number, a: string | null, b: string | null = a): DiffMapRow {
  const half = (picture: string | null) =>
    picture === null ? null : { state: 'clean', picture: picture.repeat(32).slice(0, 32) };
  return { node: 0, zone: 'Normal', start_pfn, a: half(a), b: half(b) };
}
