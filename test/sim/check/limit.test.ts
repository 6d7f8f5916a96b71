/** Budgets as text: the grammar, its mistakes, and what a limit allows. */
import { describe, expect } from 'vitest';
import { METRIC_FAMILIES } from '../../../src/report/metrics/catalogue.js';
import {
  isWithin,
  LimitProblem,
  limitCovers,
  limitValue,
  OPERATORS,
  parseBudgetLimit,
} from '../../../src/sim/check/limit.js';
import { fc, test } from '../../trace/properties.js';

interface Parsed {
  readonly text?: string;
  readonly metric?: string;
  readonly over_seeds?: string;
  readonly operator?: string;
  readonly limit?: readonly [kind: string, value: number];
}

describe('a budget is', () => {
  test.each<[text: string, parsed: Parsed]>([
    [
      'spb_tainted <= 20',
      { metric: 'spb_tainted', over_seeds: 'each', operator: '<=', limit: ['absolute', 20] },
    ],
    ['spb_tainted<=20', { metric: 'spb_tainted', operator: '<=', limit: ['absolute', 20] }],
    ['  spb_tainted  ==  0  ', { text: 'spb_tainted  ==  0', operator: '==', limit: ['absolute', 0] }],
    ['spb_tainted < 1e3', { operator: '<', limit: ['absolute', 1000] }],
    ['spb_tainted > 1_000_000', { operator: '>', limit: ['absolute', 1e6] }],
    ['spb_tainted >= .5', { operator: '>=', limit: ['absolute', 0.5] }],
    ['unusable_index.Normal.9 <= 5%', { metric: 'unusable_index.Normal.9', limit: ['absolute', 0.05] }],
    ['unusable_index.Normal.9 <= +2%', { limit: ['share', 0.02] }],
    ['unusable_index.Normal.9 <= -10%', { limit: ['share', -0.1] }],
    ['unusable_index.node1:Normal.9 <= +0.1', { limit: ['difference', 0.1] }],
    ['spb_tainted <= +3', { limit: ['difference', 3] }],
    ['spb_tainted <= -3', { limit: ['difference', -3] }],
    ['spb_tainted >= baseline', { limit: ['difference', 0] }],
    ['spbsim_direct_compact_ns < 5ms', { limit: ['absolute', 5e6] }],
    ['spbsim_direct_compact_ns < 1.5s', { limit: ['absolute', 1.5e9] }],
    ['spbsim_direct_compact_ns < +5ms', { limit: ['difference', 5e6] }],
    ['spbsim_direct_compact_ns < -250us', { limit: ['difference', -250e3] }],
    ['spbsim_direct_compact_ns < 1000', { limit: ['absolute', 1000] }],
    ['spbsim_direct_compact_ns <= +2%', { limit: ['share', 0.02] }],
    ['unusable_index.*.9 <= 0.5', { metric: 'unusable_index.*.9' }],
    ['alloc_failed_type.* == 0', { metric: 'alloc_failed_type.*' }],
    ['min(spb_tainted) <= 1', { metric: 'spb_tainted', over_seeds: 'min' }],
    ['median( spb_tainted )<=1', { metric: 'spb_tainted', over_seeds: 'median' }],
    ['max(unusable_index.*.*) <= 1', { metric: 'unusable_index.*.*', over_seeds: 'max' }],
  ])('%s', (text, { limit, ...expected }) => {
    const parsed = parseBudgetLimit(text);
    expect(parsed).toMatchObject(expected);
    if (limit !== undefined) {
      expect(parsed.limit.kind).toBe(limit[0]);
      expect(parsed.limit.value).toBeCloseTo(limit[1], 12);
    }
  });

  test('of any metric of the catalogue, also with * for its labels', () => {
    for (const { name, labels } of METRIC_FAMILIES)
      for (const label of ['*', 'x']) {
        const metric = [name, ...labels.map(() => label)].join('.');
        expect(parseBudgetLimit(`${metric} <= 1`)).toMatchObject({ metric, family: { name } });
      }
  });
});

describe('no budget, and why:', () => {
  test.each([
    ['', '"" is no budget: expected METRIC <= LIMIT, such as'],
    ['spb_tainted', '"spb_tainted" is no budget'],
    ['spb_tainted <=', '"spb_tainted <=" is no budget'],
    ['<= 20', '"<= 20" is no budget'],
    ['spb_tainted 20', '"spb_tainted 20" is no budget'],
    ['mean(spb_tainted) <= 1', '"mean(spb_tainted) <= 1" is no budget'],
    ['median(spb_tainted <= 1', '"median(spb_tainted <= 1" is no budget'],
    ['spb_tained <= 1', '"spb_tained" is no metric; did you mean spb_tainted?'],
    ['unusable_indx.Normal.9 <= 1', 'did you mean unusable_index'],
    ['unusable_index.Normal <= 1', 'unusable_index is written unusable_index.ZONE.ORDER (* stands for all)'],
    ['pgfree.1 <= 1', 'pgfree is written pgfree (* stands'],
    ['spb_tainted <== 1', 'is no budget'],
    ['__proto__ <= 1', '"__proto__" is no metric (all are listed by: spbsim metrics)'],
    ['constructor.prototype <= 1', '"constructor.prototype" is no metric'],
    ['spb_tainted <= 20x', '"20x" is no limit: expected 20, 0.5, 5%, +2%, +3, -10% or baseline'],
    ['spb_tainted <= 5ms', '"5ms" is no limit'],
    ['spb_tainted = 5', 'is no budget'],
    ['spb_tainted => 5', 'is no budget'],
    ['spb_tainted <= 1 <= 2', '"1 <= 2" is no limit'],
    ['spb_tainted <= 1,000', '"1,000" is no limit'],
    ['spb_tainted <= --5', '"--5" is no limit'],
    ['spb_tainted <= NaN', '"NaN" is no limit'],
    ['spb_tainted <= Infinity', '"Infinity" is no limit'],
    ['spb_tainted <= 0x10', '"0x10" is no limit'],
    ['spb_tainted <= 1e999', '"1e999" is no limit'],
    [
      'spbsim_kswapd_ns < 5 parsec',
      '"5 parsec" is no limit: expected 20, 0.5, 5%, +2%, +3, -10% or baseline, or a time',
    ],
    [`spb_tainted <= ${'1'.repeat(300)}`, 'is no budget'],
  ])('%s', (text, message) => {
    expect(() => parseBudgetLimit(text)).toThrow(LimitProblem);
    expect(() => parseBudgetLimit(text)).toThrow(message);
  });

  test('messages hold little of what they quote, and no control character', () => {
    for (const text of ['x'.repeat(1 << 20), `\u001b[2J${'\n'.repeat(99)} <= 1`, `${'a.'.repeat(90)} <= 1`]) {
      let message = '';
      try {
        parseBudgetLimit(text);
      } catch (error) {
        ({ message } = error as Error);
      }
      expect(message).not.toBe('');
      expect(message.length).toBeLessThan(500);
      expect(message).not.toMatch(/\p{Cc}/u);
    }
  });
});

const piece = fc.oneof(
  fc.constantFrom(
    'spb_tainted',
    'unusable_index.*.9',
    'spbsim_kswapd_ns',
    'median(',
    ')',
    ...OPERATORS,
    '+',
    '-',
  ),
  fc.constantFrom(
    '%',
    '20',
    '.5',
    '1e9',
    '1_000',
    'baseline',
    '5ms',
    ' ',
    '.',
    '*',
    '__proto__',
    '\n',
    '\u001b',
  ),
  fc.string({ maxLength: 5 }),
);

test('any text is a budget or a LimitProblem, and nothing else', () => {
  let parsed = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
      try {
        const { limit, metric, family } = parseBudgetLimit(pieces.join(''));
        expect(Number.isFinite(limit.value)).toBe(true);
        expect(metric.startsWith(family.name)).toBe(true);
        parsed++;
      } catch (error) {
        expect(error).toBeInstanceOf(LimitProblem);
      }
    }),
    { numRuns: 5000, examples: [[['spb_tainted', '<=', '20']]] },
  );
  expect(parsed).toBeGreaterThan(0);
});

/** The rule as a person would say it. */
function naive(value: number, operator: string, limit: number): boolean {
  if (operator === '==') return value === limit;
  return (
    (operator.startsWith('<') ? value < limit : value > limit) || (operator.endsWith('=') && value === limit)
  );
}

test('what is written is what is held to', () => {
  const whole = fc.integer({ min: 0, max: 1e6 });
  fc.assert(
    fc.property(whole, whole, whole, fc.constantFrom(...OPERATORS), (value, number, baseline, operator) => {
      const forms: [text: string, limit: number][] = [
        [`${number}`, number],
        [`+${number}`, baseline + number],
        [`-${number}`, baseline - number],
        [`+${number}%`, (baseline * (100 + number)) / 100],
        ['baseline', baseline],
      ];
      for (const [text, limit] of forms) {
        const budget = parseBudgetLimit(`spb_tainted ${operator} ${text}`);
        const held = limitValue(budget, baseline)!;
        expect(Math.abs(held - limit)).toBeLessThanOrEqual(Math.abs(limit) * 1e-9);
        expect(isWithin(value, operator, held)).toBe(naive(value, operator, limit));
      }
    }),
  );
});

test('the dust of decimal fractions breaks no budget, a real difference does', () => {
  expect(isWithin(0.1 + 0.2, '<=', 0.3)).toBe(true);
  expect(isWithin(0.1 + 0.2, '==', 0.3)).toBe(true);
  expect(isWithin(0.1 + 0.2, '>', 0.3)).toBe(false);
  expect(isWithin(0.30001, '<=', 0.3)).toBe(false);
  expect(isWithin(1e15 + 2e6, '<=', 1e15)).toBe(false);
});

test('without a baseline there is a limit only where none is needed', () => {
  expect(limitValue(parseBudgetLimit('spb_tainted <= 7'), undefined)).toBe(7);
  for (const limit of ['+7', '-7', '+7%', 'baseline'])
    expect(limitValue(parseBudgetLimit(`spb_tainted <= ${limit}`), undefined)).toBeNull();
});

test('* stands for one label, and for nothing else', () => {
  const covers = (metric: string, name: string) => limitCovers(parseBudgetLimit(`${metric} <= 1`), name);
  expect(covers('unusable_index.*.9', 'unusable_index.Normal.9')).toBe(true);
  expect(covers('unusable_index.*.9', 'unusable_index.Normal.10')).toBe(false);
  expect(covers('unusable_index.*.*', 'extfrag_index.Normal.9')).toBe(false);
  expect(covers('unusable_index.Normal.9', 'unusable_index.node0:Normal.9')).toBe(false);
  expect(covers('spb_tainted', 'spb_tainted.Normal')).toBe(false);
});
