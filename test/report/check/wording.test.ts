import { describe, expect } from 'vitest';
import {
  changeWords,
  excessWords,
  factWords,
  marginWords,
  numberTexts,
  seedWords,
  verdictWords,
} from '../../../src/report/check/wording.js';
import { fc, test } from '../../trace/properties.js';
import { exceededItem, relativeItem, sampleCheck, sampleItem } from './sample-check.js';

describe('numbers to be compared', () => {
  test.each([
    [
      [61, 20],
      ['61', '20'],
    ],
    [[1234567], ['1,234,567']],
    [
      [0.42, 0.306, 0.3],
      ['0.42', '0.306', '0.3'],
    ],
    [
      [20.0004, 20],
      ['20.0004', '20'],
    ],
    [[0.00001], ['0.00001']],
    [
      [1234.5, 1e15],
      ['1,234.5', '1,000,000,000,000,000'],
    ],
    [
      [-0.5, -7],
      ['-0.5', '-7'],
    ],
    [
      [1.5e300, 0.5],
      ['1.5e+300', '0.5'],
    ],
    [[], []],
  ])('%j read as %j', (values, texts) => expect(numberTexts(values)).toEqual(texts));

  test('read the same only if they are the same', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.constant(0.3),
    );
    const near = fc
      .tuple(number, fc.double({ min: -1e-9, max: 1e-9, noNaN: true }))
      .map(([a, by]) => [a, a + by]);
    fc.assert(
      fc.property(fc.oneof(fc.tuple(number, number), near), ([a = 0, b = 0]) => {
        fc.pre(a !== 0 && b !== 0);
        const [textA, textB] = numberTexts([a, b]);
        expect(textA === textB).toBe(a === b);
        expect(textA).not.toBe('0');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the words about an item', () => {
  test('how far it is beyond the limit, in the direction of the limit', () => {
    expect(excessWords(exceededItem())).toBe('over by 41 (205 %)');
    expect(excessWords(exceededItem({ operator: '>=', value: 3, limit: 5 }))).toBe('short by 2 (40 %)');
    expect(excessWords(exceededItem({ operator: '==', value: 3, limit: 5 }))).toBe('off by 2 (40 %)');
    expect(excessWords(exceededItem({ operator: '<', value: 20 }))).toBe('only equal');
    expect(excessWords(exceededItem({ limit: 0 }))).toBe('over by 61');
    expect(excessWords(exceededItem({ value: 0.3, limit: 0.1 }))).toBe('over by 0.2 (200 %)');
    expect(excessWords(sampleItem())).toBe('');
  });

  test('what is left, and what changed', () => {
    expect(marginWords(sampleItem())).toBe('6 (30 %)');
    expect(marginWords(sampleItem({ operator: '==' }))).toBe('');
    expect(changeWords(relativeItem())).toBe('+40 %');
    expect(changeWords(relativeItem({ value: 0.2 }))).toBe('-33 %');
    expect(changeWords(relativeItem({ value: 7, baseline: 0 }))).toBe('+7');
    expect(changeWords(relativeItem({ value: 0.3 }))).toBe('0 %');
    expect(changeWords(relativeItem({ value: 1000.001, baseline: 1000 }))).toBe('+0.0001 %');
    expect(changeWords(sampleItem())).toBe('');
  });

  test('facts name what is missing', () => {
    expect(factWords(exceededItem({ unit: 'pages' }))).toEqual([
      'value 61 pages',
      'limit 20',
      'over by 41 (205 %)',
    ]);
    expect(factWords(relativeItem())).toEqual(['value 0.42', 'limit 0.306', 'baseline 0.3, +40 %']);
    expect(factWords(sampleItem({ value: null, status: 'no_value' }))).toEqual([
      'the run has no such number',
      'limit 20',
    ]);
    expect(factWords(sampleItem({ limit: null, status: 'no_baseline' }))).toEqual([
      'value 14',
      'not in the baseline',
    ]);
  });

  test('seeds and verdicts', () => {
    expect(seedWords(sampleItem({ seed: 0 }))).toBe('seed 0');
    expect(seedWords(sampleItem({ seed: null, over_seeds: 'max' }))).toBe('max of seeds');
    expect(verdictWords(sampleCheck([exceededItem(), sampleItem()]))).toBe('FAILED 1 of 2 budgets');
    expect(verdictWords(sampleCheck([sampleItem()]))).toBe('passed 1 budget');
  });
});
