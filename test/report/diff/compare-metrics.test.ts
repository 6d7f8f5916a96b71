/** Two runs metric by metric: verdicts, differences, and the order of rows. */
import { describe, expect } from 'vitest';
import {
  addCounts,
  compareMetrics,
  countVerdicts,
  type Metrics,
} from '../../../src/report/diff/compare-metrics.js';
import type { DiffRow, DiffVerdict } from '../../../src/report/diff-result.js';
import { SUBJECTS } from '../../../src/report/metrics/metric.js';
import { fc, test } from '../../trace/properties.js';

function one(
  a: readonly (number | undefined)[],
  b: readonly (number | undefined)[],
  metric = 'spb_tainted',
): DiffRow {
  const runs = (values: readonly (number | undefined)[]): Metrics[] =>
    values.map((value) => (value === undefined ? {} : { [metric]: value }));
  return compareMetrics(runs(a), runs(b))[0]!;
}

const NONE = undefined;

describe('one metric', () => {
  // spb_tainted: lower is better. nr_free_pages_blocks: higher. pgfree: neither.
  test.each<[metric: string, a: (number | undefined)[], b: (number | undefined)[], verdict: DiffVerdict]>([
    ['spb_tainted', [5], [3], 'better'],
    ['spb_tainted', [3], [5], 'worse'],
    ['nr_free_pages_blocks', [5], [3], 'worse'],
    ['nr_free_pages_blocks', [3], [5], 'better'],
    ['pgfree', [3], [5], 'changed'],
    ['pgfree', [3, 5], [5, 3], 'changed'],
    ['spb_tainted', [5], [5], 'equal'],
    ['spb_tainted', [0], [0], 'equal'],
    ['spb_tainted', [5], [NONE], 'only_a'],
    ['spb_tainted', [NONE], [5], 'only_b'],
    // Seeds in pairs: one that does not move takes no side, one that goes the other way does.
    ['spb_tainted', [5, 5, 5], [4, 5, 3], 'better'],
    ['spb_tainted', [5, 5, 5], [4, 6, 3], 'unclear'],
    ['spb_tainted', [1, 9], [9, 1], 'unclear'],
    // Seeds that have no such number.
    ['spb_tainted', [5, NONE], [5, NONE], 'equal'],
    ['spb_tainted', [5, NONE], [3, NONE], 'better'],
    ['spb_tainted', [5, NONE], [5, 2], 'unclear'],
    ['spb_tainted', [5, NONE], [NONE, NONE], 'only_a'],
    ['spb_tainted', [5, NONE], [NONE, 5], 'unclear'],
  ])('%s %j against %j: %s', (metric, a, b, verdict) => {
    expect(one(a, b, metric).verdict).toBe(verdict);
  });

  test('the spread over seeds, and the difference of its medians', () => {
    expect(one([7, 1, 4], [2, 8])).toMatchObject({
      a: { min: 1, median: 4, max: 7 },
      b: { min: 2, median: 5, max: 8 },
      difference: 1,
      change: 0.25,
    });
    expect(one([0], [3])).toMatchObject({ difference: 3, change: null });
    expect(one([3], [NONE])).toMatchObject({ b: null, difference: null, change: null });
  });
});

test('by subject, what changed most first: shares as they are, counts by their ratio', () => {
  const a = {
    alloc_failed: 1,
    pgscan_kswapd: 1000,
    pgsteal_kswapd: 10,
    'unusable_index.Normal.9': 0.5,
    'unusable_index.DMA.9': 0.01,
    nr_free_pages_blocks: 100,
    spb_clean: 1,
  };
  const b = {
    alloc_failed: 1,
    pgscan_kswapd: 1100,
    pgsteal_kswapd: 90,
    'unusable_index.Normal.9': 0.8,
    'unusable_index.DMA.9': 0.02,
    nr_free_pages_blocks: 120,
    spb_clean: 1,
  };
  expect(compareMetrics([a], [b]).map(({ metric }) => metric)).toEqual([
    'spb_clean',
    'unusable_index.Normal.9',
    'nr_free_pages_blocks',
    'unusable_index.DMA.9',
    'alloc_failed',
    'pgsteal_kswapd',
    'pgscan_kswapd',
  ]);
});

test('names that are no metrics, such as those of objects, are left out', () => {
  const odd = JSON.parse(
    '{"__proto__": 1, "constructor": 2, "toString": 3, "nonsense.x": 4, "": 5}',
  ) as Metrics;
  expect(compareMetrics([odd], [odd])).toEqual([]);
  expect(compareMetrics([odd], [{ pgfree: 1 }]).map(({ metric }) => metric)).toEqual(['pgfree']);
});

const NAMES = [
  'spb_tainted',
  'nr_free_pages_blocks',
  'pgfree',
  'alloc_failed',
  'oom_kill',
  'unusable_index.Normal.9',
  'free_chunks.DMA.3',
];
const metrics = fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 6 }), {
  noNullPrototype: true,
});
const pairs = fc.array(fc.tuple(metrics, metrics), { minLength: 1, maxLength: 5 });

function rowsOf(all: readonly (readonly [Metrics, Metrics])[]): DiffRow[] {
  return compareMetrics(
    all.map(([a]) => a),
    all.map(([, b]) => b),
  );
}

const OPPOSITE: Readonly<Record<DiffVerdict, DiffVerdict>> = {
  better: 'worse',
  worse: 'better',
  only_a: 'only_b',
  only_b: 'only_a',
  unclear: 'unclear',
  changed: 'changed',
  equal: 'equal',
};

test('B against A is A against B turned around', () => {
  fc.assert(
    fc.property(pairs, (all) => {
      const rows = rowsOf(all);
      const turned = new Map(rowsOf(all.map(([a, b]) => [b, a] as const)).map((row) => [row.metric, row]));
      expect(turned.size).toBe(rows.length);
      for (const { metric, a, b, difference, verdict } of rows) {
        const other = turned.get(metric)!;
        expect({ a: other.b, b: other.a, verdict: other.verdict }).toEqual({
          a,
          b,
          verdict: OPPOSITE[verdict],
        });
        expect(other.difference).toBe(difference === null ? null : 0 - difference);
      }
    }),
  );
});

test('the order of the seeds changes nothing', () => {
  fc.assert(
    fc.property(pairs, fc.integer({ min: 0, max: 4 }), (all, by) => {
      const turned = [...all.slice(by), ...all.slice(0, by)];
      expect(rowsOf(turned)).toEqual(rowsOf(all));
      expect(rowsOf(all.toReversed())).toEqual(rowsOf(all));
    }),
  );
});

test('rows are in the order of subjects, each metric once, and all counted', () => {
  fc.assert(
    fc.property(pairs, (all) => {
      const rows = rowsOf(all);
      const subjects = rows.map(({ subject }) => (SUBJECTS as readonly string[]).indexOf(subject));
      expect(subjects).toEqual(subjects.toSorted((x, y) => x - y));
      const names = new Set(all.flat().flatMap((run) => Object.keys(run)));
      expect(rows.map(({ metric }) => metric).toSorted()).toEqual([...names].toSorted());
      const counts = countVerdicts(rows);
      expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(rows.length);
      expect(addCounts([counts, counts]).equal).toBe(2 * counts.equal);
    }),
  );
});

test('a run against itself is equal, whatever it has', () => {
  fc.assert(
    fc.property(pairs, (all) => {
      for (const row of rowsOf(all.map(([a]) => [a, a] as const)))
        expect(row).toMatchObject({ verdict: 'equal', difference: 0 });
    }),
  );
});
