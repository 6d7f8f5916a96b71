/** Watermark tests at their edges. model: page-allocator 4.3, 4.2; scenario 34 */
import { describe, expect, it } from 'vitest';
import { GFP_ATOMIC, GFP_ATOMIC_BIT, GFP_KSWAPD_RECLAIM_BIT } from '../../../src/mm/gfp.js';
import { getPageFromFreelist } from '../../../src/mm/page-alloc/freelist-walk.js';
import {
  ALLOC_HIGHATOMIC,
  ALLOC_MIN_RESERVE,
  ALLOC_NO_WATERMARKS,
  ALLOC_NON_BLOCK,
  ALLOC_OOM,
  zoneWatermarkFast,
  zoneWatermarkOk,
} from '../../../src/mm/page-alloc/watermark.js';
import { WMARK_HIGH, WMARK_LOW, WMARK_MIN, ZONE_BELOW_HIGH } from '../../../src/mm/page-alloc/zone.js';
import { Migratetype, ZoneIndex } from '../../../src/mm/types.js';
import { CLAIM_POLICY_NAMES, POLICY_NAMES } from '../policies.js';
import { B, Bench, name } from './support.js';

/** The fewest free pages with which a test passes. */
function fewest(passes: (free: number) => boolean): number {
  let free = 0;
  while (!passes(free)) free++;
  return free;
}

describe.each(POLICY_NAMES)('full watermark test, %s', (policy) => {
  const { zone, mm } = new Bench(policy);
  const least = (order: number, mark: number, flags: number) =>
    fewest((free) => zoneWatermarkOk(zone, mm.rules, order, mark, ZoneIndex.normal, flags, free));

  it('34 strictness: free pages must exceed mark and reserve, not equal them', () => {
    zone.lowmem_reserve[ZoneIndex.normal] = 100;
    expect(least(0, 7818, 0)).toBe(7818 + 100 + 1);
    zone.lowmem_reserve[ZoneIndex.normal] = 0;
    expect(least(0, 7818, 0)).toBe(7819);
  });

  it.each([
    { title: 'none', flags: 0, mark: 6255 },
    { title: 'MIN_RESERVE', flags: ALLOC_MIN_RESERVE, mark: 3128 },
    { title: 'MIN_RESERVE and NON_BLOCK', flags: ALLOC_MIN_RESERVE | ALLOC_NON_BLOCK, mark: 2346 },
    { title: 'NON_BLOCK', flags: ALLOC_NON_BLOCK, mark: 6255 },
    { title: 'OOM', flags: ALLOC_OOM, mark: 3128 },
    { title: 'MIN_RESERVE and OOM', flags: ALLOC_MIN_RESERVE | ALLOC_OOM, mark: 1564 },
  ])('34 reserves: min 6255 with $title is $mark', ({ flags, mark }) => {
    expect(least(0, 6255, flags)).toBe(mark + 1);
  });
});

describe('what a test counts', () => {
  it.each(POLICY_NAMES)('34 order: the pages beyond the first of a chunk do not count, %s', (policy) => {
    const bench = new Bench(policy).put(4, 'M', B);
    const passes = (order: number, free: number) =>
      zoneWatermarkOk(bench.zone, bench.mm.rules, order, 100, ZoneIndex.normal, 0, free);
    expect([passes(4, 115), passes(4, 116)]).toEqual([false, true]);
    // enough pages, no chunk
    expect(passes(5, 100_000)).toBe(false);
    expect(passes(0, 101)).toBe(true);
  });

  it.each([
    ['mainline-6.1', 512],
    ['mainline-6.18', 256],
    ['mainline-7.2', 256],
  ] as const)('34 reserved blocks: %s leaves out %i pages of a block half free', (policy, unusable) => {
    const bench = new Bench(policy).block('H', B).put(8, 'H', B);
    bench.zone.nr_reserved_highatomic = 512;
    const least = (flags: number) =>
      fewest((free) => zoneWatermarkOk(bench.zone, bench.mm.rules, 0, 100, ZoneIndex.normal, flags, free));
    expect(least(0)).toBe(101 + unusable);
    for (const flags of [ALLOC_NON_BLOCK, ALLOC_OOM, ALLOC_HIGHATOMIC])
      expect(least(flags)).toBeLessThan(102);
  });

  it.each(POLICY_NAMES)(
    '34 reserved blocks: their chunks serve atomic requests and victims, %s',
    (policy) => {
      const bench = new Bench(policy).block('H', B).put(8, 'H', B);
      const passes = (flags: number) =>
        zoneWatermarkOk(bench.zone, bench.mm.rules, 2, 0, ZoneIndex.normal, flags, 10_000);
      expect([0, ALLOC_NON_BLOCK, ALLOC_MIN_RESERVE].map(passes)).toEqual([false, false, false]);
      expect([ALLOC_HIGHATOMIC, ALLOC_OOM].map(passes)).toEqual([true, true]);
    },
  );

  it.each(POLICY_NAMES)('34 counter: what a CPU has not folded in is not seen, %s', (policy) => {
    const bench = new Bench(policy, { stat_threshold: 50, direct: true });
    for (let i = 0; i < 50; i++) bench.free(B + 2 * i, 0);
    const passes = () => zoneWatermarkFast(bench.zone, bench.mm.rules, 0, 10, ZoneIndex.normal, WMARK_LOW, 0);
    expect(bench.zone.nr_free_pages).toBe(0);
    expect(passes()).toBe(false);
    bench.free(B + 0x1000, 0);
    expect(bench.zone.nr_free_pages).toBe(51);
    expect(passes()).toBe(true);
  });

  it.each(POLICY_NAMES)('34 counter: a negative one reads as zero, %s', (policy) => {
    const { zone } = new Bench(policy);
    zone.nr_free_pages = -7;
    expect(zone.folded_free_pages).toBe(0);
  });
});

describe('a boosted zone', () => {
  //   min 100, boosted to 1124: 200 free pages are too few, but enough for the unboosted mark
  it.each([
    { policy: 'mainline-6.1', gfp: GFP_ATOMIC_BIT, flags: 0, passes: true },
    { policy: 'mainline-6.1', gfp: 0, flags: ALLOC_MIN_RESERVE, passes: false },
    { policy: 'mainline-6.18', gfp: GFP_ATOMIC_BIT, flags: 0, passes: false },
    { policy: 'mainline-6.18', gfp: 0, flags: ALLOC_MIN_RESERVE, passes: true },
    { policy: 'mainline-7.2', gfp: 0, flags: ALLOC_MIN_RESERVE, passes: true },
  ] as const)('34 second chance at the unboosted mark: $policy, gfp $gfp, flags $flags: $passes', (row) => {
    const { zone, mm } = new Bench(row.policy).put(7, 'M', B).put(6, 'M', B + 0x100);
    zone.watermark.set([100, 200, 300, 400]);
    zone.watermark_boost = 1024;
    const test = (order: number, mark: number) =>
      zoneWatermarkFast(zone, mm.rules, order, 1124, ZoneIndex.normal, mark | row.flags, row.gfp);
    expect(test(0, WMARK_MIN)).toBe(row.passes);
    expect(test(1, WMARK_MIN)).toBe(false);
    expect(test(0, WMARK_LOW)).toBe(false);
  });
});

describe('the walk over the zones', () => {
  const walk = (bench: Bench, order: number, flags: number) =>
    name(
      getPageFromFreelist(
        bench.mm,
        [bench.zone],
        0,
        GFP_ATOMIC,
        order,
        Migratetype.movable,
        ZoneIndex.normal,
        flags,
      ),
    );

  it.each(POLICY_NAMES)('34 marks: the mark that the flags name decides, %s', (policy) => {
    const bench = new Bench(policy, { direct: true }).put(8, 'M', B);
    bench.zone.watermark.set([255, 256, 300, 400]);
    expect(walk(bench, 0, WMARK_LOW)).toBe('none');
    expect(walk(bench, 0, WMARK_MIN)).toBe('B');
    expect(walk(bench, 0, WMARK_MIN)).toBe('none');
    expect(walk(bench, 0, WMARK_MIN | ALLOC_NO_WATERMARKS)).toBe('B+0x1');
  });

  it.each([
    ['mainline-6.1', 0],
    ['mainline-6.18', ZONE_BELOW_HIGH],
    ['mainline-7.2', ZONE_BELOW_HIGH],
  ] as const)('34 below high: %s notes flags %i where the high mark is not reached', (policy, flags) => {
    const bench = new Bench(policy, { direct: true }).put(8, 'M', B);
    bench.zone.watermark.set([0, 0, 255, 400]);
    expect(walk(bench, 0, WMARK_LOW)).toBe('B');
    expect(bench.zone.flags).toBe(0);
    expect(walk(bench, 0, WMARK_LOW)).toBe('B+0x1');
    expect(bench.zone.flags).toBe(flags);
  });

  it.each(CLAIM_POLICY_NAMES)('34 below high: a boost counts, and so does a missing chunk, %s', (policy) => {
    const boosted = new Bench(policy, { direct: true }).put(8, 'M', B);
    boosted.zone.watermark.set([0, 0, 100, 100]);
    boosted.zone.watermark_boost = 156;
    boosted.zone.watermark[WMARK_LOW] = -200;
    expect(walk(boosted, 0, WMARK_LOW)).toBe('B');
    expect(boosted.zone.flags).toBe(ZONE_BELOW_HIGH);

    const costly = new Bench(policy).put(8, 'M', B);
    costly.zone.watermark[WMARK_HIGH] = 0;
    expect(walk(costly, 9, WMARK_LOW)).toBe('none');
    expect(costly.zone.flags).toBe(ZONE_BELOW_HIGH);
  });
});

describe('attempts of a request that may not reclaim', () => {
  // The counter says 50 pages, but they are on no list: every attempt passes the marks, finds nothing and leaves its
  // trace in free_count. The fast attempt makes two passes, the second without NOFRAGMENT.
  it.each([
    { policy: 'mainline-6.18', gfp: GFP_KSWAPD_RECLAIM_BIT, passes: 4 },
    { policy: 'mainline-6.18', gfp: GFP_ATOMIC, passes: 4 },
    { policy: 'mainline-7.2', gfp: GFP_KSWAPD_RECLAIM_BIT, passes: 3 },
    { policy: 'mainline-7.2', gfp: GFP_ATOMIC, passes: 4 },
  ] as const)('34 attempts: $policy, gfp $gfp: $passes passes', ({ policy, gfp, passes }) => {
    const bench = new Bench(policy, { stat_threshold: 125 });
    bench.zone.nr_free_pages = 50;
    bench.pcp.nr_free_diff = -50;
    bench.pcp.free_count = 1 << 10;
    expect(name(bench.request(0, gfp))).toBe('none');
    expect(bench.pcp.free_count).toBe(1 << (10 - passes));
  });
});
