import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  extfragIndex,
  extfragIndexes,
  unusableIndex,
  unusableIndexes,
} from '../../src/report/fragmentation-index.js';

const NOTHING = Array<number>(11).fill(0);
/** model: page-allocator 6.6, the worked example: F = 28 pages in B = 17 chunks */
const EXAMPLE = [10, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0];

describe('the worked example', () => {
  test('unusable index', () => {
    expect(unusableIndexes(EXAMPLE)).toEqual([0, 357, 714, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]);
  });

  test('fragmentation index', () => {
    expect(extfragIndexes(EXAMPLE)).toEqual([-1000, -1000, -1000, 736, 839, 890, 916, 929, 935, 938, 940]);
  });
});

describe('edges', () => {
  test('no free memory at all: unusable, and neither fragmented nor short', () => {
    expect(unusableIndex(NOTHING, 0)).toBe(1000);
    expect(extfragIndex(NOTHING, 0)).toBe(0);
  });

  test('very few chunks make the fragmentation index negative', () => {
    // one page, wanted order 1: 1000 - (1000 + 500) / 1
    expect(extfragIndex([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1)).toBe(-500);
  });

  test('a terabyte of single pages does not overflow', () => {
    const singles = [2 ** 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(unusableIndex(singles, 1)).toBe(1000);
    expect(extfragIndex(singles, 10)).toBe(1000);
  });

  test('the unusable index never falls with the order, and is 0 for order 0', () => {
    const lists = fc.array(fc.nat({ max: 100_000 }), { minLength: 11, maxLength: 11 });
    fc.assert(
      fc.property(lists, (chunks) => {
        const indexes = unusableIndexes(chunks);
        fc.pre(chunks.some((count) => count > 0));
        expect(indexes[0]).toBe(0);
        for (let order = 1; order <= 10; order++) {
          expect(indexes[order]).toBeGreaterThanOrEqual(indexes[order - 1]!);
          expect(indexes[order]).toBeLessThanOrEqual(1000);
        }
      }),
    );
  });
});
