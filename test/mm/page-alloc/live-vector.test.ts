/**
 * A task that touched and unmapped 6000 pages on a running 6.18 machine, as far as what was recorded of it goes.
 * model: page-allocator 9, scenario 43
 */
import { describe, expect, it } from 'vitest';
import { B, Bench, name, range } from './support.js';

const POLICY = 'mainline-6.18';
const HIGH_MIN = 6630;
const REFILLS = [63, 126, 252, 504, 1008, 2016, 2016];
const HIGH_AFTER = 12_615;
const FILLER = 0x8000;

/**
 * The list of movable pages holds 1400 of the 5859 pages that the CPU had before; the rest waits on another list, and
 * free memory lies in one chunk after another.
 */
function readyBench(): Bench {
  const bench = new Bench(POLICY, { high_min: HIGH_MIN, high_max: 81_920, validated: false });
  bench.put(10, 'M', ...range(B, 16, 0x400));
  for (const pfn of range(B + FILLER, 4459 + 0x200)) bench.block('U', pfn);
  for (const pfn of range(B + FILLER, 4459)) bench.free(pfn, 0);
  for (const pfn of range(B + 0x6000, 1400)) bench.free(pfn, 0);
  Object.assign(bench.pcp, { high: HIGH_MIN, free_count: 0, alloc_factor: 0 });
  expect(bench.pcp.count).toBe(5859);
  bench.events();
  return bench;
}

/** Allocates `pages` single movable pages; returns them, and the pages of each refill that this took. */
function touch(bench: Bench, pages: number): { pfns: number[]; refills: string[][] } {
  const refills: string[][] = [];
  const pfns: number[] = [];
  for (let i = 0; i < pages; i++) {
    pfns.push(bench.alloc(0, 'M'));
    const events = bench.events();
    if (events.length > 0) refills.push(events.map((line) => line.split(' ')[1]!));
  }
  return { pfns, refills };
}

describe('live vector', () => {
  it('43 refills double up to 32 batches and high rises by their sum', () => {
    const bench = readyBench();
    const { refills } = touch(bench, 6000);
    expect(refills.map((burst) => burst.length)).toEqual(REFILLS);
    expect(bench.pcp.high).toBe(HIGH_AFTER);
    expect(HIGH_AFTER).toBe(HIGH_MIN + REFILLS.reduce((sum, pages) => sum + pages, 0));
    expect(bench.pcp.alloc_factor).toBe(5);
  });

  it('43 two drains: as long as the streak of frees, from the last refill backwards', () => {
    const bench = readyBench();
    const { pfns, refills } = touch(bench, 6000);
    for (const pfn of pfns) bench.free(pfn, 0);
    expect(bench.events()).toEqual([]);

    // Other frees brought the lists to 439 below the high mark, and other allocations ended the streak before that.
    const extra = range(B + 0x7000, HIGH_AFTER - 439 - bench.pcp.count + 32);
    for (const pfn of extra) bench.free(pfn, 0);
    for (let i = 0; i < 32; i++) bench.alloc(0, 'U');
    expect(bench.pcp.free_count).toBe(0);
    expect(bench.pcp.count).toBe(HIGH_AFTER - 439);

    const drains: string[][] = [];
    for (const pfn of range(B + 0xc000, 2 * 439)) {
      bench.free(pfn, 0);
      const events = bench.events();
      if (events.length > 0) drains.push(events.map((line) => line.split(' ')[1]!));
    }
    expect(drains.map((drain) => drain.length)).toEqual([439, 878]);
    expect(bench.pcp.high).toBe(HIGH_AFTER);
    const lastRefill = refills.at(-1)!;
    expect(drains.flat()).toEqual(lastRefill.slice(-1317).reverse());
  });

  it('43 a refill takes the smallest chunks first and each one ascending', () => {
    const bench = new Bench(POLICY, { high_min: HIGH_MIN, high_max: 81_920 });
    // two chunks of each small order, far apart
    for (const order of range(0, 4))
      for (const index of [0, 1]) bench.put(order, 'M', B + 0x40 * (2 * order + index) + 0x10);
    const { refills } = touch(bench, 1);
    const expected = range(0, 4).flatMap((order) =>
      [0, 1].flatMap((index) => range(B + 0x40 * (2 * order + index) + 0x10, 1 << order).map(name)),
    );
    expect(refills).toEqual([expected]);
  });
});
