/** Delta debugging by itself, with tests whose smallest answers are known. */
import { describe, expect } from 'vitest';
import { minimize } from '../../../src/sim/bisect/minimize.js';
import { fc, test } from '../../trace/properties.js';

const PLENTY = 100_000;

function members(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Passes for lists that hold all of these. */
function needs(wanted: readonly number[]) {
  return async (list: readonly number[]) => wanted.every((member) => list.includes(member));
}

describe('minimize', () => {
  test('finds what is needed, whatever else there is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .integer({ min: 1, max: 120 })
          .chain((count) => fc.tuple(fc.constant(count), fc.subarray(members(count), { minLength: 1 }))),
        async ([count, wanted]) => {
          const { kept, isMinimal } = await minimize(members(count), needs(wanted), { maxTests: PLENTY });
          expect(kept).toEqual(wanted);
          expect(isMinimal).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('is 1-minimal for tests of any kind, and keeps the order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 30 }),
        fc.infiniteStream(fc.boolean()),
        async (count, coins) => {
          // A test that is arbitrary, but gives the same answer whenever it is asked.
          const answers = new Map<string, boolean>([[members(count).join(), true]]);
          const test = async (list: readonly number[]) => {
            expect([...list].sort((a, b) => a - b)).toEqual(list);
            expect(list.length).toBeGreaterThan(0);
            const key = list.join();
            if (!answers.has(key)) answers.set(key, coins.next().value === true);
            return answers.get(key) === true;
          };
          const { kept, isMinimal } = await minimize(members(count), test, { maxTests: PLENTY });
          expect(isMinimal).toBe(true);
          expect(await test(kept)).toBe(true);
          if (kept.length > 1)
            for (const member of kept)
              expect(await test(kept.filter((other) => other !== member))).toBe(false);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('takes few tests where little is needed', async () => {
    const { tests } = await minimize(members(4096), needs([17, 3000]), { maxTests: PLENTY });
    expect(tests).toBeLessThan(200);
  });

  test('tries parts that are likely to do first', async () => {
    const asked: number[] = [];
    const wanted = [100, 200];
    const { kept, tests } = await minimize(
      members(1000),
      async (list) => {
        asked.push(list.length);
        return wanted.every((member) => list.includes(member));
      },
      { maxTests: PLENTY, cuts: [(member) => member % 7 === 0, (member) => member % 100 === 0] },
    );
    expect(asked.slice(0, 2)).toEqual([143, 10]);
    expect(kept).toEqual(wanted);
    expect(tests).toBe(asked.length);
  });

  test('ends with what it has when the tests run out', async () => {
    const test = needs([5, 50, 500]);
    for (const maxTests of [1, 5, 20]) {
      const { kept, tests, isMinimal } = await minimize(members(1000), test, { maxTests });
      expect({ tests, isMinimal }).toEqual({ tests: maxTests, isMinimal: false });
      expect(await test(kept)).toBe(true);
    }
  });

  test('one member is as few as can be', async () => {
    expect(await minimize([3], needs([3]), { maxTests: 1 })).toEqual({
      kept: [3],
      tests: 0,
      isMinimal: true,
    });
  });
});
