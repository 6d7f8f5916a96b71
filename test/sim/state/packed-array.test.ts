/** Copies of arrays that leave zeros out: they bring back every value, and take what has been touched and no more. */
import { describe, expect, test } from 'vitest';
import type { StateArray } from '../../../src/mm/state-io.js';
import { MAX_RUN, PackedArray } from '../../../src/sim/state/packed-array.js';
import { dice } from './support.js';

const TYPES = [Uint8Array, Uint16Array, Int32Array, Uint32Array, Float64Array] as const;
const LENGTHS = [0, 1, 4095, 4096, 4097, 70_000, 400_000];

/** Zeros with stretches of other values. */
function patchy(array: StateArray, seed: number): StateArray {
  const roll = dice(seed);
  for (let patch = roll(6); patch > 0 && array.length > 0; patch--) {
    const at = roll(array.length);
    const end = Math.min(array.length, at + 1 + roll(roll(2) === 0 ? 3 : 100_000));
    for (let i = at; i < end; i++) array[i] = roll(200);
  }
  return array;
}

describe.each(TYPES)('%o', (ArrayType) => {
  test.each(LENGTHS)('of %i', (length) => {
    for (let seed = 0; seed < 8; seed++) {
      const array = patchy(new ArrayType(length), seed);
      const before = array.slice();
      const packed = PackedArray.of(array);
      patchy(array, seed + 100);
      packed.restore(array);
      expect(Buffer.compare(new Uint8Array(array.buffer), new Uint8Array(before.buffer))).toBe(0);
      const fresh = new ArrayType(length);
      packed.restore(fresh);
      expect(Buffer.compare(new Uint8Array(fresh.buffer), new Uint8Array(before.buffer))).toBe(0);
      let end = 0;
      for (const { at, values } of packed.runs) {
        expect(at).toBeGreaterThanOrEqual(end);
        end = at + values.length;
        expect(values.length).toBeLessThanOrEqual(MAX_RUN);
        expect(PackedArray.isAligned(at, end, length)).toBe(true);
      }
    }
  });
});

test('what is zero costs nothing, and is not touched by being restored', () => {
  // A gigabyte: writing to all of it would be noticed.
  const array = new Float64Array(2 ** 27);
  array[7] = 1;
  array[2 ** 26] = 2;
  const packed = PackedArray.of(array);
  expect(packed.runs.map(({ at, values }) => [at, values.length])).toEqual([
    [0, 4096],
    [2 ** 26, 4096],
  ]);
  const before = process.memoryUsage().rss;
  array[12_345_678] = 3;
  packed.restore(array);
  expect(array[12_345_678]).toBe(0);
  expect([array[7], array[2 ** 26]]).toEqual([1, 2]);
  expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 27);
});
