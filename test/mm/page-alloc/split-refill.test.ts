/** Refills of the per-CPU lists and what they leave in the buddy lists. model: page-allocator 4.5; scenarios 2-6 */
import { describe, expect, it } from 'vitest';
import { POLICY_NAMES, type PolicyName } from '../policies.js';
import { B, Bench, type BenchOptions, names, range, remainders } from './support.js';

describe.each(POLICY_NAMES)('refill, %s', (policy) => {
  //   B  B+1 ............ B+0x3e  B+0x3f  B+0x40           B+0x80
  //   [x][   62 pages on the CPU ][ o0 .][ ..... o6 ..... ][ ..... o7 ...
  it('2 refill: batch pages in ascending order, the first is handed out', () => {
    const bench = new Bench(policy).put(10, 'M', B);
    expect(bench.takes(1, 0, 'M')).toBe('B');
    expect(bench.pcpPfns(0, 'M')).toEqual(range(B + 1, 62));
    expect(bench.pcp.count).toBe(62);
    expect(bench.buddy()).toEqual({ 'o0 M': 'B+0x3f', ...remainders(6, 'M') });
    expect(bench.events()).toEqual(range(B, 63).map((pfn) => `zone_locked ${names([pfn])} o0 M refill`));
  });

  it('3 LIFO: what was freed last is handed out first, the refill after that', () => {
    const bench = new Bench(policy).put(10, 'M', B);
    expect(bench.takes(2, 0, 'M')).toBe('B B+0x1');
    bench.free(B, 0);
    bench.free(B + 1, 0);
    expect(bench.takes(3, 0, 'M')).toBe('B+0x1 B B+0x2');
  });

  it('3 LIFO: a list that is not empty is served without a look at the buddy lists', () => {
    const bench = new Bench(policy).put(10, 'M', B);
    bench.alloc(0, 'M');
    const buddy = bench.buddy();
    bench.events();
    bench.takes(62, 0, 'M');
    expect(bench.events()).toEqual([]);
    expect(bench.buddy()).toEqual(buddy);
    expect(bench.pcp.count).toBe(0);
  });

  it.each([
    { order: 0, chunks: 63 },
    { order: 1, chunks: 31 },
    { order: 2, chunks: 15 },
    { order: 3, chunks: 7 },
    { order: 9, chunks: 2 },
  ])('4 refill by order: $chunks chunks of order $order', ({ order, chunks }) => {
    const bench = new Bench(policy).put(10, 'M', B, B + 0x400);
    expect(bench.takes(1, order, 'M')).toBe('B');
    expect(bench.pcpPfns(order, 'M')).toEqual(range(B + (1 << order), chunks - 1, 1 << order));
    expect(bench.pcp.count).toBe((chunks - 1) << order);
  });

  //   order 2:   [x][ 14 blocks on the CPU, last B+0x38 ][ o2 B+0x3c ][ o6 B+0x40 ...
  it('4 refill by order: order 2 leaves one chunk of its own order', () => {
    const bench = new Bench(policy).put(10, 'M', B);
    bench.alloc(2, 'M');
    expect(bench.pcpList(2, 'M').endsWith('B+0x38')).toBe(true);
    expect(bench.buddy()).toEqual({ 'o2 M': 'B+0x3c', ...remainders(6, 'M') });
  });

  it('4 refill by order: order 9 takes both halves of order 10', () => {
    const bench = new Bench(policy).put(10, 'M', B);
    bench.alloc(9, 'M');
    expect(bench.pcpList(9, 'M')).toBe('B+0x200');
    expect(bench.pcp.count).toBe(512);
    expect(bench.buddy()).toEqual({});
  });

  it.each([4, 5, 6, 7, 8, 10])('4 refill by order: order %i has no per-CPU list', (order) => {
    const bench = new Bench(policy).put(10, 'M', B);
    expect(bench.takes(1, order, 'M')).toBe('B');
    expect(bench.pcp.count).toBe(0);
    bench.free(B, order);
    expect(bench.buddy()).toEqual({ 'o10 M': 'B' });
  });

  //   o0 B+5, B+9     o1 B+0x10     o3 B+0x40
  it('5 refill across fragments: the smallest chunks first, each ascending', () => {
    const bench = new Bench(policy, { batch: 7 })
      .put(0, 'M', B + 5, B + 9)
      .put(1, 'M', B + 0x10)
      .put(3, 'M', B + 0x40);
    expect(bench.takes(1, 0, 'M')).toBe('B+0x5');
    expect(bench.pcpList(0, 'M')).toBe('B+0x9 B+0x10 B+0x11 B+0x40 B+0x41 B+0x42');
    expect(bench.buddy()).toEqual({ 'o0 M': 'B+0x43', 'o2 M': 'B+0x44' });
  });

  it('5 refill across fragments: a refill takes what there is', () => {
    const bench = new Bench(policy).put(0, 'M', B + 5, B + 9);
    expect(bench.takes(3, 0, 'M')).toBe('B+0x5 B+0x9 none');
    expect(bench.pcp.count).toBe(0);
    expect(bench.zone.pgalloc).toBe(2);
  });

  it('5 refill across fragments: lists of two types do not mix', () => {
    const bench = new Bench(policy, { batch: 3, high: 6 })
      .block('R', B + 0x200)
      .put(2, 'M', B)
      .put(2, 'R', B + 0x200);
    expect(bench.takes(1, 0, 'R')).toBe('B+0x200');
    expect(bench.takes(1, 0, 'M')).toBe('B');
    expect(bench.pcpList(0, 'R')).toBe('B+0x201 B+0x202');
    expect(bench.pcpList(0, 'M')).toBe('B+0x1 B+0x2');
  });
});

interface GrowthRow {
  readonly policy: PolicyName;
  readonly title: string;
  readonly options: BenchOptions;
  /** [allocation, pages of its refill, high mark after it] */
  readonly refills: readonly (readonly [number, number, number])[];
}

const FIXED: BenchOptions = { high: 1000 };
const TUNED: BenchOptions = { high_min: 1000, high_max: 8000 };
const DOUBLING: GrowthRow['refills'] = [
  [0, 63, 1000],
  [63, 126, 1000],
  [189, 252, 1000],
  [441, 504, 1000],
  // cut to high - count - batch
  [945, 937, 1000],
];
const GROWING: GrowthRow['refills'] = [
  [0, 63, 1063],
  [63, 126, 1189],
  [189, 252, 1441],
  [441, 504, 1945],
  [945, 1008, 2953],
];
const GROWTH: readonly GrowthRow[] = [
  {
    policy: 'mainline-6.1',
    title: 'always batch',
    options: FIXED,
    refills: range(0, 16).map((i) => [i * 63, 63, 1000]),
  },
  { policy: 'mainline-6.18', title: 'fixed high', options: FIXED, refills: DOUBLING },
  { policy: 'mainline-7.2', title: 'fixed high', options: FIXED, refills: DOUBLING },
  { policy: 'mainline-6.18', title: 'tuned high', options: TUNED, refills: GROWING },
  { policy: 'mainline-7.2', title: 'tuned high', options: TUNED, refills: GROWING },
];

describe('growth of refills', () => {
  it.each(GROWTH)(
    '6 growth: 1000 allocations of order 0, $policy, $title',
    ({ policy, options, refills }) => {
      const bench = new Bench(policy, options).put(10, 'M', ...range(B, 4, 0x400));
      const seen: [number, number, number][] = [];
      for (let i = 0; i < 1000; i++) {
        bench.alloc(0, 'M');
        const taken = bench.events().length;
        if (taken > 0) seen.push([i, taken, bench.pcp.high]);
      }
      expect(seen).toEqual(refills);
    },
  );

  it.each(['mainline-6.18', 'mainline-7.2'] as const)(
    '6 growth: %s stops doubling at 32 batches and high at high_max',
    (policy) => {
      const bench = new Bench(policy, { high_min: 1000, high_max: 5000, validated: false }).put(
        10,
        'M',
        ...range(B, 16, 0x400),
      );
      const refills: number[] = [];
      for (let i = 0; i < 9000; i++) {
        bench.alloc(0, 'M');
        const taken = bench.events().length;
        if (taken > 0) refills.push(taken);
      }
      expect(refills.slice(0, 8)).toEqual([63, 126, 252, 504, 1008, 2016, 2016, 2016]);
      expect(bench.pcp.high).toBe(5000);
      expect(bench.pcp.alloc_factor).toBe(5);
    },
  );

  it.each(['mainline-6.18', 'mainline-7.2'] as const)(
    '6 growth: %s does not raise high while the zone is below its high mark',
    (policy) => {
      const bench = new Bench(policy, TUNED).put(10, 'M', B);
      bench.zone.flags = 4;
      bench.alloc(0, 'M');
      expect(bench.pcp.high).toBe(1000);
      expect(bench.pcp.alloc_factor).toBe(1);
    },
  );
});
