/** Budgets held against runs, next to a plain retelling of the rules. */
import { describe, expect } from 'vitest';
import type { CheckItem } from '../../../src/report/check-result.js';
import { Baseline } from '../../../src/sim/check/baseline-file.js';
import { type Budget, fitsPattern, inlineBudget } from '../../../src/sim/check/budget-file.js';
import { evaluateBudgets, type MeasuredRun, worstFirst } from '../../../src/sim/check/evaluate.js';
import { fc, test } from '../../trace/properties.js';

function budget(text: string, changes: Partial<Budget> = {}): Budget {
  return { ...inlineBudget(text, '--fail-on'), ...changes };
}

function run(changes: Partial<MeasuredRun> = {}): MeasuredRun {
  return {
    trace: 't',
    policy: 'p',
    seed: 1,
    machine: '--memory 1GiB',
    input_sha256: ['aa'],
    metrics: { spb_tainted: 4 },
    command: 'spbsim run t',
    policy_label: 'p',
    span_events: 9,
    ...changes,
  };
}

function statuses(items: readonly CheckItem[]): string[] {
  return items.map(({ status }) => status);
}

describe('one run', () => {
  test.each([
    ['spb_tainted <= 4', 'within', 0],
    ['spb_tainted <= 3', 'exceeded', 1 / 3],
    ['spb_tainted == 0', 'exceeded', 4000],
    ['spb_tainted <= +0', 'no_baseline', Number.MAX_SAFE_INTEGER],
    ['spb_clean <= 3', 'no_value', Number.MAX_SAFE_INTEGER],
  ])('%s: %s', (text, status, excess) => {
    const [item, ...more] = evaluateBudgets([budget(text)], [run()], new Baseline());
    expect(more).toEqual([]);
    expect(item!.status).toBe(status);
    expect(item!.excess).toBeCloseTo(excess, 9);
  });

  test('is compared with its baseline, if that is of the same bytes on the same machine', () => {
    const stored = { ...run(), metrics: { spb_tainted: 10 } };
    const held = (changes: Partial<MeasuredRun>) =>
      evaluateBudgets([budget('spb_tainted <= -60%')], [run(changes)], new Baseline([stored]))[0]!;
    expect(held({})).toMatchObject({ status: 'within', limit: 4, baseline: 10 });
    for (const changes of [
      { machine: '--memory 2GiB' },
      { input_sha256: ['bb'] },
      { input_sha256: ['aa', 'aa'] },
      { input_sha256: [] },
      { seed: 2 },
      { policy: 'q' },
      { trace: 'u' },
    ])
      expect(held(changes)).toMatchObject({ status: 'no_baseline', limit: null, baseline: null });
  });

  test('a pattern makes an item for each metric that it or its baseline has', () => {
    const metrics = { 'free_chunks.DMA.0': 1, 'free_chunks.Normal.0': 2, 'free_chunks.Normal.1': 3 };
    const stored = { ...run(), metrics: { 'free_chunks.Normal.0': 2, 'free_chunks.HighMem.0': 5 } };
    const items = evaluateBudgets(
      [budget('free_chunks.*.0 <= baseline')],
      [run({ metrics })],
      new Baseline([stored]),
    );
    expect(items.map(({ metric, status }) => [metric, status])).toEqual([
      ['free_chunks.DMA.0', 'no_baseline'],
      ['free_chunks.Normal.0', 'within'],
      ['free_chunks.HighMem.0', 'no_value'],
    ]);
  });

  test('says how to see why', () => {
    const see = (text: string) => evaluateBudgets([budget(text)], [run()], new Baseline())[0]!.see;
    expect(see('spb_tainted <= 1')).toBe('spbsim run t --map');
    expect(see('contig_failed <= 1')).toBe('spbsim run t --verbose');
    expect(see('pgfree <= 1')).toBe('spbsim run t');
  });
});

describe('several runs', () => {
  const seeds = [
    run({ seed: 3, metrics: { spb_tainted: 9 } }),
    run(),
    run({ seed: 2, metrics: { spb_tainted: 5 } }),
  ];

  test.each([
    ['min(spb_tainted) <= 4', [4]],
    ['median(spb_tainted) <= 4', [5]],
    ['max(spb_tainted) <= 4', [9]],
    ['spb_tainted <= 4', [9, 4, 5]],
  ])('%s', (text, values) => {
    const items = evaluateBudgets([budget(text)], seeds, new Baseline());
    expect(items.map(({ value }) => value)).toEqual(values);
  });

  test('one value for each trace and policy, of the seeds alone; an even number has a median between two', () => {
    const runs = [
      ...seeds,
      run({ seed: 4, metrics: { spb_tainted: 8 } }),
      run({ policy: 'q', policy_label: 'q+x=1' }),
      run({ trace: 'u' }),
    ];
    const items = evaluateBudgets([budget('median(spb_tainted) <= 6')], runs, new Baseline());
    expect(items.map(({ trace, policy, value, seed }) => [trace, policy, value, seed])).toEqual([
      ['t', 'p', 6.5, null],
      ['t', 'q+x=1', 4, null],
      ['u', 'p', 4, null],
    ]);
  });

  test('a seed without the number, or without a baseline, leaves none for all', () => {
    const missing = [run(), run({ seed: 2, metrics: {} })];
    expect(statuses(evaluateBudgets([budget('min(spb_tainted) <= 9')], missing, new Baseline()))).toEqual([
      'no_value',
    ]);
    const stored = new Baseline([run()]);
    const both = [run(), run({ seed: 2 })];
    expect(statuses(evaluateBudgets([budget('max(spb_tainted) <= +9')], both, stored))).toEqual([
      'no_baseline',
    ]);
  });

  test('budgets are about the runs that they name', () => {
    const runs = ['fs-a', 'fs-b', 'net'].flatMap((trace) =>
      ['spb-v2', 'mainline'].map((policy) => run({ trace, policy })),
    );
    const count = (changes: Partial<Budget>) =>
      evaluateBudgets([budget('spb_tainted <= 9', changes)], runs, new Baseline()).length;
    expect(count({})).toBe(6);
    expect(count({ trace: 'fs-*' })).toBe(4);
    expect(count({ policy: 'spb*' })).toBe(3);
    expect(count({ trace: '*-b', policy: 'mainline' })).toBe(1);
    expect(count({ seed: 2 })).toBe(0);
    expect(count({ trace: 'fs' })).toBe(0);
  });
});

test('what failed first, the worst first, the rest in its order', () => {
  const texts = [
    'spb_tainted <= 9',
    'spb_tainted <= 3',
    'spb_clean <= 1',
    'spb_tainted <= 8',
    'spb_tainted <= 1',
    'spb_empty <= 1',
  ];
  const items = worstFirst(
    evaluateBudgets(
      texts.map((text) => budget(text)),
      [run()],
      new Baseline(),
    ),
  );
  expect(items.map(({ budget }) => budget)).toEqual([
    texts[2],
    texts[5],
    texts[4],
    texts[1],
    texts[0],
    texts[3],
  ]);
});

test('a pattern fits what a regular expression of the same meaning fits', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.', '+'), maxLength: 9 });
  fc.assert(
    fc.property(letters, letters, (pattern, name) => {
      const parts = pattern.split('*').map((part) => part.replace(/[.+]/g, '\\$&'));
      expect(fitsPattern(pattern, name)).toBe(new RegExp(`^${parts.join('.*')}$`, 's').test(name));
    }),
    { numRuns: 3000 },
  );
});

test('random budgets and runs: every verdict as a person would give it', () => {
  const number = fc.integer({ min: 0, max: 20 });
  const metrics = fc.record({ spb_tainted: number, pgfree: number }, { requiredKeys: [] });
  const runs = fc.uniqueArray(
    fc.record({
      trace: fc.constantFrom('t', 'u'),
      seed: fc.integer({ min: 1, max: 3 }),
      metrics,
      stored: fc.option(metrics),
    }),
    { selector: ({ trace, seed }) => `${trace}${seed}`, maxLength: 6 },
  );
  const asked = fc.record({
    metric: fc.constantFrom('spb_tainted', 'pgfree'),
    operator: fc.constantFrom('<=', '>='),
    limit: fc.constantFrom('7', '+2', 'baseline'),
    over: fc.constantFrom('', 'min', 'max'),
  });
  fc.assert(
    fc.property(runs, asked, (rows, { metric, operator, limit, over }) => {
      const name = metric as 'spb_tainted' | 'pgfree';
      const text = over === '' ? `${metric} ${operator} ${limit}` : `${over}(${metric}) ${operator} ${limit}`;
      const measured = rows.map(({ trace, seed, metrics }) =>
        run({ trace, seed, metrics: metrics as Record<string, number> }),
      );
      const stored = rows.flatMap(({ trace, seed, stored }) =>
        stored === null ? [] : [run({ trace, seed, metrics: stored as Record<string, number> })],
      );
      const groups =
        over === ''
          ? rows.map((row) => [row])
          : [...new Set(rows.map(({ trace }) => trace))].map((trace) =>
              rows.filter((row) => row.trace === trace),
            );
      const one = (values: (number | undefined)[]) =>
        values.includes(undefined)
          ? undefined
          : over === 'max'
            ? Math.max(...(values as number[]))
            : Math.min(...(values as number[]));
      const expected = groups.map((group) => {
        const value = one(group.map(({ metrics }) => metrics[name]));
        const base = one(group.map(({ stored }) => stored?.[name]));
        if (value === undefined) return 'no_value';
        if (limit !== '7' && base === undefined) return 'no_baseline';
        const allowed = limit === '7' ? 7 : base! + (limit === '+2' ? 2 : 0);
        return (operator === '<=' ? value <= allowed : value >= allowed) ? 'within' : 'exceeded';
      });
      expect(statuses(evaluateBudgets([budget(text)], measured, new Baseline(stored)))).toEqual(expected);
    }),
    { numRuns: 1000 },
  );
});
