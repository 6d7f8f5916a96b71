/** Overflow and draining of the per-CPU lists. model: page-allocator 3.2-3.4, 10a.1; scenarios 12-20, 33 */
import { describe, expect, it } from 'vitest';
import { drainPcp } from '../../../src/mm/page-alloc/free-pages.js';
import { PCPF_FREE_HIGH_BATCH, PCPF_PREV_FREE_HIGH_ORDER } from '../../../src/mm/page-alloc/per-cpu-pages.js';
import { ZONE_BELOW_HIGH, ZONE_RECLAIM_ACTIVE } from '../../../src/mm/page-alloc/zone.js';
import { CLAIM_POLICY_NAMES, POLICY_NAMES, type PolicyName } from '../policies.js';
import { B, Bench, type BenchOptions, range } from './support.js';

interface Drain {
  /** which free it was, counted from 1 */
  readonly free: number;
  readonly chunks: number;
  readonly first: string;
  /** pages left on the lists, and the high mark, after it */
  readonly count: number;
  readonly high: number;
}

/** Frees chunks one after another and lists the drains that this causes. */
function drainsOf(bench: Bench, pfns: readonly number[], order: number): Drain[] {
  const drains: Drain[] = [];
  pfns.forEach((pfn, index) => {
    bench.free(pfn, order);
    const events = bench.events();
    if (events.length > 0)
      drains.push({
        free: index + 1,
        chunks: events.length,
        first: events[0]!.split(' ')[1]!,
        count: bench.pcp.count,
        high: bench.pcp.high,
      });
  });
  return drains;
}

function drain(free: number, chunks: number, first: number, count: number, high = 500): Drain {
  return { free, chunks, first: first === 0 ? 'B' : `B+0x${first.toString(16)}`, count, high };
}

describe('size of an overflow drain', () => {
  // one long streak of frees: B, B+1, B+2, ...; the drain takes the oldest
  it('12 drain doubling: 6.1 doubles up to high - batch', () => {
    const bench = new Bench('mainline-6.1', { high: 500 });
    expect(drainsOf(bench, range(B, 1400), 0)).toEqual([
      drain(500, 63, 0, 437),
      drain(563, 126, 0x3f, 374),
      drain(689, 252, 0xbd, 248),
      drain(941, 437, 0x1b9, 63),
      drain(1378, 437, 0x36e, 63),
    ]);
    // the factor stops where the drain reaches its cap: 63 << 3 = 504 > 437
    expect(bench.pcp.free_factor).toBe(3);
  });

  it.each(CLAIM_POLICY_NAMES)('13 fixed high 500: %s drains all but a batch', (policy) => {
    const bench = new Bench(policy, { high: 500 });
    expect(drainsOf(bench, range(B, 1400), 0)).toEqual([
      drain(500, 437, 0, 63),
      drain(937, 437, 0x1b5, 63),
      drain(1374, 437, 0x36a, 63),
    ]);
  });

  it.each(CLAIM_POLICY_NAMES)('14 tuned high 500..4000: %s raises high with the streak', (policy) => {
    const bench = new Bench(policy, { high_min: 500, high_max: 4000, validated: false });
    const drains = drainsOf(bench, range(B, 4100), 0);
    expect(drains.map(({ free, chunks, high }) => [free, chunks, high])).toEqual([
      [500, 437, 563],
      [1000, 500, 1063],
      [2000, 1000, 2063],
      [4000, 2000, 2079],
    ]);
  });

  it('15 streak: an allocation halves the drain factor of 6.1', () => {
    const bench = new Bench('mainline-6.1').put(10, 'M', B);
    bench.pcp.free_factor = 3;
    bench.alloc(0, 'M');
    expect(bench.pcp.free_factor).toBe(1);
  });

  it.each(POLICY_NAMES)('15 streak: a failing allocation halves too, %s', (policy) => {
    const bench = new Bench(policy);
    bench.pcp.free_factor = 4;
    bench.pcp.free_count = 500;
    expect(bench.takes(1, 0, 'M')).toBe('none');
    expect([bench.pcp.free_factor, bench.pcp.free_count]).toEqual([2, 250]);
  });

  it.each(CLAIM_POLICY_NAMES)('15 streak: %s halves each way', (policy) => {
    const bench = new Bench(policy).put(0, 'M', B);
    bench.pcp.free_count = 500;
    bench.pcp.alloc_factor = 3;
    bench.alloc(0, 'M');
    expect(bench.pcp.free_count).toBe(250);
    bench.pcp.alloc_factor = 3;
    bench.free(B, 0);
    expect(bench.pcp.alloc_factor).toBe(1);
    expect(bench.pcp.free_count).toBe(251);
  });

  it.each(CLAIM_POLICY_NAMES)('15 streak: %s counts no further than 32 batches', (policy) => {
    const bench = new Bench(policy, { batch: 4, high: 0x4000, validated: false });
    for (const pfn of range(B, 200)) bench.free(pfn, 0);
    expect(bench.pcp.free_count).toBe(128);
  });
});

describe.each(POLICY_NAMES)('order of a drain, %s', (policy) => {
  //   block B         M   [ .. 11 .. 13 .. ]        freed o0
  //   block B+0x200   U   [ 201 .. 203 .. 220 ]     freed o0, o0, o1 (last: its list is where the drain starts)
  //   block B+0x400   R   [ 401 .. 403 .. ]         freed o0
  it('16 drain order: from the list just freed to, wrapping, each list emptied from its tail', () => {
    const bench = new Bench(policy, { batch: 4, high: 8 }).block('U', B + 0x200).block('R', B + 0x400);
    for (const offset of [0x201, 0x203, 0x11, 0x13, 0x401, 0x403]) bench.free(B + offset, 0);
    expect(bench.events()).toEqual([]);
    bench.free(B + 0x220, 1);
    expect(bench.events()).toEqual(['drain B+0x220 o1 U', 'drain B+0x201 o0 U', 'drain B+0x203 o0 U']);
    expect(bench.pcp.count).toBe(4);
    bench.drainAll();
    expect(bench.events()).toEqual([
      'drain B+0x11 o0 M',
      'drain B+0x13 o0 M',
      'drain B+0x401 o0 R',
      'drain B+0x403 o0 R',
    ]);
  });

  it('17 overshoot: a drain takes whole entries', () => {
    const bench = new Bench(policy);
    bench.free(B + 0x400, 9);
    for (const pfn of range(B, 10)) bench.free(pfn, 0);
    expect(bench.pcp.count).toBe(522);
    drainPcp(bench.mm, bench.zone, 0, 63, 13);
    bench.check();
    expect(bench.events()).toEqual(['drain B+0x400 o9 M']);
    expect(bench.pcp.count).toBe(10);
  });

  it('17 overshoot: a drain takes no more than there is', () => {
    const bench = new Bench(policy);
    for (const pfn of range(B, 3, 2)) bench.free(pfn, 0);
    drainPcp(bench.mm, bench.zone, 0, 63, 5);
    expect(bench.pcp.count).toBe(0);
    expect(bench.list(0, 'M')).toBe('B+0x4 B+0x2 B');
  });
});

describe('huge pages on the per-CPU lists', () => {
  //   FL[10] = [B, B+0x400]; order 9: B handed out and freed again, B+0x200 refilled and never handed out
  it.each([
    { policy: 'mainline-6.1', kept: 'B', drained: ['B+0x200'] },
    { policy: 'mainline-6.18', kept: 'B', drained: ['B+0x200'] },
    // n = 512 in chunks of 63, each of which takes a whole huge page
    { policy: 'mainline-7.2', kept: '', drained: ['B+0x200', 'B'] },
  ] as const)('18 THP list: $policy keeps "$kept"', ({ policy, kept, drained }) => {
    const bench = new Bench(policy).put(10, 'M', B, B + 0x400);
    expect(bench.takes(1, 9, 'M')).toBe('B');
    bench.events();
    bench.free(B, 9);
    expect(bench.events()).toEqual(drained.map((pfn) => `drain ${pfn} o9 M`));
    expect(bench.pcpList(9, 'M')).toBe(kept);
    expect(bench.buddy()).toEqual(
      kept === '' ? { 'o10 M': 'B B+0x400' } : { 'o9 M': 'B+0x200', 'o10 M': 'B+0x400' },
    );
  });

  it.each(POLICY_NAMES)('18 THP list: unmovable and reclaimable share the first one, %s', (policy) => {
    const bench = new Bench(policy, { high: 5000 }).block('U', B).block('R', B + 0x200);
    bench.free(B, 9);
    bench.free(B + 0x200, 9);
    bench.free(B + 0x400, 9);
    expect(bench.pcp.lists[12]!.toArray()).toEqual([B + 0x200, B]);
    expect(bench.pcp.lists[13]!.toArray()).toEqual([B + 0x400]);
    bench.drainAll();
    // each goes back to the list of its own block; an unlike pair may merge, and then the later one decides
    expect(bench.buddy()).toEqual({ 'o9 M': 'B+0x400', 'o10 R': 'B' });
  });
});

describe('frees of order 1 to 3', () => {
  const ORDER3 = range(B, 90, 8);

  it('19 high-order frees: 6.1 drains everything once a streak has begun', () => {
    const bench = new Bench('mainline-6.1', { high: 500 });
    expect(drainsOf(bench, ORDER3.slice(0, 66), 3)).toEqual([
      drain(63, 8, 0, 440),
      drain(64, 56, 0x40, 0),
      drain(65, 1, 0x200, 0),
      drain(66, 1, 0x208, 0),
    ]);
    bench.put(0, 'U', B + 0x8000);
    bench.alloc(0, 'U');
    expect(bench.pcp.free_factor).toBe(0);
    bench.events();
    expect(drainsOf(bench, ORDER3.slice(66, 70), 3)).toEqual([]);
  });

  const tuned: BenchOptions = { high_min: 500, high_max: 4000 };

  it.each(CLAIM_POLICY_NAMES)('19 high-order frees: %s, small caches, then drains each', (policy) => {
    const bench = new Bench(policy, tuned);
    const drains = drainsOf(bench, ORDER3.slice(0, 44), 3);
    expect(drains.map(({ free, chunks, count }) => [free, chunks, count])).toEqual([
      [41, 41, 0],
      [42, 1, 0],
      [43, 1, 0],
      [44, 1, 0],
    ]);
    expect(bench.pcp.flags).toBe(PCPF_PREV_FREE_HIGH_ORDER);
  });

  it.each(CLAIM_POLICY_NAMES)('19 high-order frees: %s, large caches, drains a batch at a time', (policy) => {
    const bench = new Bench(policy, tuned);
    bench.pcp.flags = PCPF_FREE_HIGH_BATCH;
    const drains = drainsOf(bench, ORDER3.slice(0, 66), 3);
    expect(drains.map(({ free, chunks, count }) => [free, chunks, count])).toEqual([
      [41, 41, 0],
      [49, 8, 0],
      [57, 8, 0],
      [65, 8, 0],
    ]);
  });

  it.each(CLAIM_POLICY_NAMES)(
    '19 high-order frees: %s, an order 0 in between breaks the streak',
    (policy) => {
      const bench = new Bench(policy, tuned);
      drainsOf(bench, ORDER3.slice(0, 40), 3);
      bench.free(B + 0x4000, 0);
      expect(bench.pcp.flags).toBe(0);
      expect(drainsOf(bench, ORDER3.slice(40, 41), 3)).toEqual([]);
      expect(drainsOf(bench, ORDER3.slice(41, 42), 3)).toHaveLength(1);
    },
  );
});

describe('a zone under reclaim', () => {
  it('20 reclaim active: 6.1 overflows at four batches', () => {
    const bench = new Bench('mainline-6.1', { high: 500 });
    bench.zone.flags = ZONE_RECLAIM_ACTIVE;
    expect(drainsOf(bench, range(B, 630), 0)).toEqual([
      drain(252, 63, 0, 189),
      drain(315, 126, 0x3f, 126),
      drain(441, 189, 0xbd, 63),
      drain(630, 189, 0x17a, 63),
    ]);
  });

  it.each(CLAIM_POLICY_NAMES)('20 reclaim active: %s overflows at four batches', (policy) => {
    const bench = new Bench(policy, { high: 500 });
    bench.zone.flags = ZONE_RECLAIM_ACTIVE;
    expect(drainsOf(bench, range(B, 630), 0)).toEqual([
      drain(252, 189, 0, 63),
      drain(441, 189, 0xbd, 63),
      drain(630, 189, 0x17a, 63),
    ]);
  });

  it.each(CLAIM_POLICY_NAMES)('20 reclaim active: %s lowers a tuned high by the streak', (policy) => {
    const bench = new Bench(policy, { high_min: 500, high_max: 4000 });
    bench.pcp.high = 2000;
    bench.zone.flags = ZONE_RECLAIM_ACTIVE;
    bench.free(B, 0);
    expect(bench.pcp.high).toBe(2000 - 63);
    bench.pcp.free_count = 1400;
    bench.free(B + 1, 0);
    expect(bench.pcp.high).toBe(2000 - 63 - 1401);
    bench.free(B + 2, 0);
    expect(bench.pcp.high).toBe(500);
  });

  // BELOW_HIGH: the lists shrink towards high_min, and a drain that finds the zone above its mark ends it
  it.each(CLAIM_POLICY_NAMES)('20 below high: %s lowers high and drains down to high_min', (policy) => {
    const bench = new Bench(policy, { high_min: 500, high_max: 4000 });
    bench.pcp.high = 2000;
    bench.zone.flags = ZONE_BELOW_HIGH;
    const drains = drainsOf(bench, range(B, 510), 0);
    // the limit is max(count, high_min), so every free from the 500th on drains what the streak allows
    expect(drains[0]).toEqual(drain(500, 437, 0, 63, 500));
    expect(bench.zone.flags).toBe(ZONE_BELOW_HIGH);
    bench.zone.watermark[2] = 436;
    bench.drainAll();
    expect(bench.zone.flags).toBe(ZONE_BELOW_HIGH);
    drainsOf(bench, range(B + 0x1000, 500), 0);
    expect(bench.zone.flags).toBe(0);
  });
});

describe('the type that a drained page takes', () => {
  const setUp = (policy: PolicyName) => {
    //   B+0x208 .. B+0x20f: the only free chunk, of a U block; movable requests steal from it
    const bench = new Bench(policy, { batch: 4 }).block('U', B + 0x200).put(3, 'U', B + 0x208);
    expect(bench.takes(1, 0, 'M')).toBe('B+0x208');
    expect(bench.pcpList(0, 'M')).toBe('B+0x209 B+0x20a B+0x20b');
    bench.drainAll();
    return bench;
  };

  it('33 cached type: 6.1 drains to the list that the page was taken from', () => {
    const bench = setUp('mainline-6.1');
    expect(bench.buddy()).toEqual({ 'o0 M': 'B+0x209', 'o1 M': 'B+0x20a', 'o2 M': 'B+0x20c' });
    expect(bench.blockType(B + 0x200)).toBe('U');
    bench.free(B + 0x208, 0);
    bench.drainAll();
    expect(bench.buddy()).toEqual({ 'o3 U': 'B+0x208' });
  });

  it.each(CLAIM_POLICY_NAMES)('33 block type: %s drains to the list of the block', (policy) => {
    const bench = setUp(policy);
    expect(bench.buddy()).toEqual({ 'o0 U': 'B+0x209', 'o1 U': 'B+0x20a', 'o2 U': 'B+0x20c' });
    bench.free(B + 0x208, 0);
    bench.drainAll();
    expect(bench.buddy()).toEqual({ 'o3 U': 'B+0x208' });
  });

  it.each([
    ['mainline-6.1', 'U'],
    ['mainline-6.18', 'M'],
    ['mainline-7.2', 'M'],
  ] as const)('33 a block re-typed while its page waits: %s drains to %s', (policy, letter) => {
    const bench = new Bench(policy).block('U', B);
    bench.free(B, 0);
    bench.block('M', B);
    bench.drainAll();
    expect(bench.buddy()).toEqual({ [`o0 ${letter}`]: 'B' });
  });

  it.each([
    ['mainline-6.1', 'U'],
    ['mainline-6.18', 'H'],
    ['mainline-7.2', 'H'],
  ] as const)('33 a page of a block reserved later: %s drains to %s', (policy, letter) => {
    const bench = new Bench(policy).block('U', B);
    bench.free(B, 0);
    expect(bench.pcpList(0, 'U')).toBe('B');
    bench.block('H', B);
    bench.free(B + 0x10, 0);
    // pages of a reserved block wait on the movable list and still return to the reserve
    expect(bench.pcpList(0, 'M')).toBe('B+0x10');
    bench.drainAll();
    expect(bench.list(0, letter)).toContain('B');
    expect(bench.list(0, 'H')).toContain('B+0x10');
  });
});
