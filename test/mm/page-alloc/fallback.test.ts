/** Requests whose own type has nothing free. model: page-allocator 4.6, 4.7, 2.7; scenarios 21-29 */
import { describe, expect, it } from 'vitest';
import { ALLOC_KSWAPD } from '../../../src/mm/page-alloc/watermark.js';
import { CLAIM_POLICY_NAMES, POLICY_NAMES, type PolicyName } from '../policies.js';
import { B, Bench, range, remainders } from './support.js';

const STEAL = 'mainline-6.1' satisfies PolicyName;

describe('a foreign chunk of whole blocks', () => {
  //   before  [ M M M M . . . . | M M M M . . . . ]   one free order 10
  //   after   [ U x U U . . . . | U U U U . . . . ]
  it.each([
    [STEAL, ['extfrag B o4 U <- o10 M', 'zone_locked B o4 U']],
    ['mainline-6.18', ['extfrag B o4 U <- o10 M']],
    ['mainline-7.2', ['extfrag B o4 U <- o10 M']],
  ] as const)('21 whole blocks: both change type, the rest too, %s', (policy, events) => {
    const bench = new Bench(policy).put(10, 'M', B);
    expect(bench.takes(1, 4, 'U')).toBe('B');
    expect([bench.blockType(B), bench.blockType(B + 0x200)]).toEqual(['U', 'U']);
    expect(bench.buddy()).toEqual(remainders(4, 'U'));
    expect(bench.events()).toEqual(events);
    expect(bench.zone.watermark_boost).toBe(0);
  });

  it.each(POLICY_NAMES)(
    '21 whole blocks: the first fallback type is asked first at every order, %s',
    (policy) => {
      //   unmovable asks reclaimable, then movable; a larger movable chunk still comes before a smaller reclaimable one
      const bench = new Bench(policy)
        .block('R', B + 0x200)
        .put(9, 'R', B + 0x200)
        .put(9, 'M', B + 0x800)
        .put(10, 'M', B + 0x400);
      expect(bench.takes(3, 8, 'U')).toBe('B+0x400 B+0x500 B+0x600');
      expect(bench.takes(2, 8, 'U')).toBe('B+0x700 B+0x200');
      expect(bench.blockType(B + 0x200)).toBe('U');
      expect(bench.blockType(B + 0x800)).toBe('M');
    },
  );
});

describe('half of the block', () => {
  //   block B, M:   [ LRU LRU LRU LRU | . . o8 . . ]
  it.each([
    [STEAL, ['extfrag B+0x100 o4 U <- o8 M', 'zone_locked B+0x100 o4 U']],
    ['mainline-6.18', ['zone_locked B+0x100 o4 U', 'extfrag B+0x100 o4 U <- o8 M']],
    ['mainline-7.2', ['zone_locked B+0x100 o4 U', 'extfrag B+0x100 o4 U <- o8 M']],
  ] as const)('22 half rule met: 256 free pages make the block unmovable, %s', (policy, events) => {
    const bench = new Bench(policy).put(8, 'M', B + 0x100).lru(B, 0x100);
    expect(bench.takes(1, 4, 'U')).toBe('B+0x100');
    expect(bench.blockType(B)).toBe('U');
    expect(bench.buddy()).toEqual({
      'o4 U': 'B+0x110',
      'o5 U': 'B+0x120',
      'o6 U': 'B+0x140',
      'o7 U': 'B+0x180',
    });
    expect(bench.zone.watermark_boost).toBe(512);
    expect(bench.events()).toEqual(events);
  });

  //   block B, M:   [ LRU LRU LRU LRU | x . : o4 o5 . o6 . . . o7 . . . ]     255 free
  const oneShort = (policy: PolicyName) => {
    const bench = new Bench(policy).lru(B, 0x101);
    for (let order = 0; order < 8; order++) bench.put(order, 'M', B + 0x100 + (1 << order));
    expect(bench.takes(1, 4, 'U')).toBe('B+0x110');
    expect(bench.blockType(B)).toBe('M');
    return bench;
  };
  const left = (letter: string) =>
    Object.fromEntries(
      [0, 1, 2, 3, 5, 6, 7].map((order) => [
        `o${order} ${letter}`,
        `B+0x${(0x100 + (1 << order)).toString(16)}`,
      ]),
    );

  it('23 one page short: 6.1 moves the free chunks all the same', () => {
    const bench = oneShort(STEAL);
    expect(bench.buddy()).toEqual(left('U'));
    expect(bench.events()).toEqual(['extfrag B+0x180 o4 U <- o7 M', 'zone_locked B+0x110 o4 U']);
    expect(bench.zone.watermark_boost).toBe(512);
  });

  it.each(CLAIM_POLICY_NAMES)('23 one page short: %s steals the smallest and leaves the rest', (policy) => {
    const bench = oneShort(policy);
    expect(bench.buddy()).toEqual(left('M'));
    expect(bench.events()).toEqual(['extfrag B+0x110 o4 U <- o4 M']);
    // failed claims at orders 7, 6, 5, 4
    expect(bench.zone.watermark_boost).toBe(2048);
  });

  //   block B, M:   0x60 LRU, the rest in use and not movable, o7 B+0x180 free:  128 + (512 - 128 - 96) = 416
  it.each(POLICY_NAMES)('24 alike counting: pages that are neither free nor movable count, %s', (policy) => {
    const bench = new Bench(policy).put(7, 'M', B + 0x180).lru(B, 0x60);
    expect(bench.takes(1, 4, 'U')).toBe('B+0x180');
    expect(bench.blockType(B)).toBe('U');
    expect(bench.buddy()).toEqual({ 'o4 U': 'B+0x190', 'o5 U': 'B+0x1a0', 'o6 U': 'B+0x1c0' });
  });

  it.each([
    { lru: 256, type: 'U' },
    { lru: 257, type: 'M' },
  ])('24 alike counting: %s with $lru movable pages gives $type', ({ lru, type }) => {
    for (const policy of POLICY_NAMES) {
      const bench = new Bench(policy).put(4, 'M', B + 0x1f0).lru(B, lru);
      expect(bench.takes(1, 4, 'U')).toBe('B+0x1f0');
      expect(bench.blockType(B)).toBe(type);
    }
  });

  it.each(POLICY_NAMES)(
    '24 alike counting: unmovable and reclaimable have nothing in common, %s',
    (policy) => {
      //   block B, R: 255 free pages, none movable: not half; the pages in use may be anything
      const bench = new Bench(policy).block('R', B);
      for (let order = 0; order < 8; order++) bench.put(order, 'R', B + 0x100 + (1 << order));
      bench.takes(1, 4, 'U');
      expect(bench.blockType(B)).toBe('R');
    },
  );
});

describe('a block that the zone does not span', () => {
  //   other zone .. B+0x100 | M: 110 o4 | 180 o7 ... B+0x1ff
  const late = (policy: PolicyName) =>
    new Bench(policy, { start: B + 0x100 }).put(4, 'M', B + 0x110).put(7, 'M', B + 0x180);

  it('24 beginning: 6.1 looks from the chunk on', () => {
    const bench = late(STEAL);
    expect(bench.takes(1, 4, 'U')).toBe('B+0x180');
    expect(bench.blockType(B + 0x100)).toBe('U');
    expect(bench.list(4, 'M')).toBe('B+0x110');
  });

  it.each(CLAIM_POLICY_NAMES)('24 beginning: %s steals', (policy) => {
    const bench = late(policy);
    expect(bench.takes(1, 4, 'U')).toBe('B+0x110');
    expect(bench.blockType(B + 0x100)).toBe('M');
    // both orders were tried and raised the boost
    expect(bench.zone.watermark_boost).toBe(1024);
  });
});

describe('movable requests among small foreign chunks', () => {
  //   block B+0x200 U  [ 208..20f ]     block B+0x400 U  [ 404..407 ]     block B+0x600 R  [ 601 ]
  const islands = (policy: PolicyName, options = {}) =>
    new Bench(policy, options)
      .block('U', B + 0x200, B + 0x400)
      .block('R', B + 0x600)
      .put(3, 'U', B + 0x208)
      .put(2, 'U', B + 0x404)
      .put(0, 'R', B + 0x601);
  const pfns = 'B+0x601 B+0x404 B+0x405 B+0x406 B+0x407 B+0x208';

  it.each([
    { policy: STEAL, letter: 'M', extfrags: 3, boost: 3 * 512 },
    { policy: 'mainline-6.18', letter: 'U', extfrags: 6, boost: 0 },
    { policy: 'mainline-7.2', letter: 'U', extfrags: 6, boost: 0 },
  ] as const)(
    '25 smallest first: $policy leaves the rest on $letter',
    ({ policy, letter, extfrags, boost }) => {
      const bench = islands(policy, { direct: true });
      expect(bench.takes(6, 0, 'M')).toBe(pfns);
      expect(bench.buddy()).toEqual({
        [`o0 ${letter}`]: 'B+0x209',
        [`o1 ${letter}`]: 'B+0x20a',
        [`o2 ${letter}`]: 'B+0x20c',
      });
      expect(bench.events().filter((line) => line.startsWith('extfrag'))).toHaveLength(extfrags);
      expect(bench.zone.watermark_boost).toBe(boost);
      expect([0x200, 0x400, 0x600].map((block) => bench.blockType(B + block)).join('')).toBe('UUR');
    },
  );

  it.each([
    { policy: STEAL, extfrags: 3, zoneLocked: 13 },
    { policy: 'mainline-6.18', extfrags: 13, zoneLocked: 0 },
    { policy: 'mainline-7.2', extfrags: 13, zoneLocked: 0 },
  ] as const)('26 with a refill of 63: $policy', ({ policy, extfrags, zoneLocked }) => {
    const bench = islands(policy);
    expect(bench.takes(1, 0, 'M')).toBe('B+0x601');
    expect(bench.pcpPfns(0, 'M')).toEqual([...range(B + 0x404, 4), ...range(B + 0x208, 8)]);
    expect(bench.buddy()).toEqual({});
    const events = bench.events();
    expect(events.filter((line) => line.startsWith('extfrag'))).toHaveLength(extfrags);
    expect(events.filter((line) => line.startsWith('zone_locked'))).toHaveLength(zoneLocked);
  });

  //   a refill that has begun to steal goes on stealing, also past chunks of its own type that a drain put there
  it.each(CLAIM_POLICY_NAMES)('26 mode: %s claims once and returns to its own lists', (policy) => {
    const bench = new Bench(policy, { batch: 5 })
      .block('U', B, B + 0x200)
      .put(0, 'U', B + 0x201)
      .put(8, 'U', B);
    expect(bench.takes(1, 0, 'M')).toBe('B');
    expect(bench.pcpList(0, 'M')).toBe('B+0x1 B+0x2 B+0x3 B+0x4');
    expect(bench.blockType(B)).toBe('M');
    expect(bench.events().filter((line) => line.startsWith('extfrag'))).toHaveLength(1);
  });
});

describe('unmovable and reclaimable requests among small foreign chunks', () => {
  //   block B, M:  [ LRU | 2 3 | LRU | 8 .. f | LRU ... ]
  it.each([
    { policy: STEAL, extfrags: ['extfrag B+0x8 o0 U <- o3 M'], letter: 'U', boost: 512 },
    {
      policy: 'mainline-6.18',
      extfrags: [
        'extfrag B+0x2 o0 U <- o1 M',
        'extfrag B+0x3 o0 U <- o0 M',
        'extfrag B+0x8 o0 U <- o3 M',
        'extfrag B+0x9 o0 U <- o0 M',
      ],
      letter: 'M',
      boost: 3000,
    },
    {
      policy: 'mainline-7.2',
      extfrags: [
        'extfrag B+0x2 o0 U <- o1 M',
        'extfrag B+0x3 o0 U <- o0 M',
        'extfrag B+0x8 o0 U <- o3 M',
        'extfrag B+0x9 o0 U <- o0 M',
      ],
      letter: 'M',
      boost: 3000,
    },
  ] as const)('27 same pages, different ways: $policy', ({ policy, extfrags, letter, boost }) => {
    const bench = new Bench(policy, { direct: true }).put(3, 'M', B + 8).put(1, 'M', B + 2);
    bench
      .lru(B, 2)
      .lru(B + 4, 4)
      .lru(B + 0x10, 0x1f0);
    const boosts: number[] = [];
    const taken: string[] = [];
    for (let i = 0; i < 4; i++) {
      taken.push(bench.takes(1, 0, 'U'));
      boosts.push(bench.zone.watermark_boost);
    }
    expect(taken.join(' ')).toBe('B+0x2 B+0x3 B+0x8 B+0x9');
    expect(bench.events().filter((line) => line.startsWith('extfrag'))).toEqual(extfrags);
    expect(bench.buddy()).toEqual({ [`o1 ${letter}`]: 'B+0xa', [`o2 ${letter}`]: 'B+0xc' });
    expect(bench.blockType(B)).toBe('M');
    // 2, 2, 1 and 3 failed claims against a cap of 3000; 6.1 falls back once
    expect(boosts).toEqual(policy === STEAL ? [512, 512, 512, 512] : [1024, 2048, 2560, 3000]);
    expect(boosts.at(-1)).toBe(boost);
  });

  //   block B, M:        [ LRU | 40 .. 5f | LRU ]          o5, nothing else that is not movable
  //   block B+0x200, U:  [ x | 210 .. 21f | x ]            o4
  it.each([
    [STEAL, 'B+0x40 B+0x41 B+0x42'],
    ['mainline-6.18', 'B+0x210 B+0x211 B+0x212'],
    ['mainline-7.2', 'B+0x210 B+0x211 B+0x212'],
  ] as const)('28 reclaimable: largest chunk or smallest, %s', (policy, taken) => {
    const bench = new Bench(policy, { direct: true })
      .block('U', B + 0x200)
      .put(5, 'M', B + 0x40)
      .put(4, 'U', B + 0x210);
    bench.lru(B, 0x40).lru(B + 0x60, 0x1a0);
    expect(bench.takes(3, 0, 'R')).toBe(taken);
    expect([bench.blockType(B), bench.blockType(B + 0x200)]).toEqual(['M', 'U']);
  });

  //   block B, U:  o1 B+0x10, o5 B+0x40 free (34 pages), some movable pages in use
  describe.each(POLICY_NAMES)('29 movable claim, %s', (policy) => {
    const setUp = (lru: number) => {
      const bench = new Bench(policy, { direct: true })
        .block('U', B)
        .put(5, 'U', B + 0x40)
        .put(1, 'U', B + 0x10);
      bench.lru(B + 0x60, lru);
      expect(bench.takes(3, 0, 'M')).toBe('B+0x10 B+0x11 B+0x40');
      return bench;
    };
    const rest = (letter: string) =>
      Object.fromEntries(
        range(0, 5).map((o) => [`o${o} ${letter}`, `B+0x${(0x40 + (1 << o)).toString(16)}`]),
      );

    it('29 movable claim: 300 movable pages make the block movable', () => {
      const bench = setUp(300);
      expect(bench.blockType(B)).toBe('M');
      expect(bench.buddy()).toEqual(rest('M'));
    });

    it('29 movable claim: with 100 the block stays unmovable', () => {
      const bench = setUp(100);
      expect(bench.blockType(B)).toBe('U');
      expect(bench.buddy()).toEqual(rest(policy === STEAL ? 'M' : 'U'));
    });
  });
});

describe('watermark boost', () => {
  const fallbacks = (policy: PolicyName, options = {}) => {
    // two blocks full of movable pages but for one order 4 each: no block can be claimed
    const bench = new Bench(policy, { direct: true, ...options });
    for (const block of range(B, 20, 0x200)) bench.put(4, 'M', block).lru(block + 0x10, 0x1f0);
    return bench;
  };

  it.each(POLICY_NAMES)('23 boost: one block per fallback, up to 150%% of the high mark, %s', (policy) => {
    const bench = fallbacks(policy);
    const boosts = range(0, 7).map(() => {
      bench.alloc(4, 'U');
      return bench.zone.watermark_boost;
    });
    expect(boosts).toEqual([512, 1024, 1536, 2048, 2560, 3000, 3000]);
  });

  it.each(POLICY_NAMES)('23 boost: never less than one block, %s', (policy) => {
    const bench = fallbacks(policy);
    bench.zone.watermark[2] = 100;
    bench.takes(2, 4, 'U');
    expect(bench.zone.watermark_boost).toBe(512);
  });

  it.each([
    ['factor 0', { knobs: { 'watermark.boost_factor': 0 } }],
    ['a zone of less than four blocks', { managed: 2047 }],
  ])('23 boost: none with %s', (_, options) => {
    for (const policy of POLICY_NAMES) {
      const bench = fallbacks(policy, options);
      bench.takes(2, 4, 'U');
      expect(bench.zone.watermark_boost).toBe(0);
    }
  });

  it.each(POLICY_NAMES)('23 boost: a request that may wake kswapd does, once, %s', (policy) => {
    const bench = fallbacks(policy);
    const woken: number[] = [];
    bench.mm.background = {
      now_ns: 0,
      wakeSpbWork: () => undefined,
      wakeKswapd: (node) => woken.push(node.kswapd_order),
      wakeKcompactd: () => woken.push(-1),
    };
    bench.alloc(4, 'U');
    expect(woken).toEqual([]);
    expect(bench.zone.flags).toBe(0);
    bench.alloc(4, 'U', ALLOC_KSWAPD);
    expect(woken).toEqual([0]);
    expect(bench.mm.nodes[0]!.kswapd_highest_zone).toBe(bench.zone.index);
    bench.alloc(4, 'U', ALLOC_KSWAPD);
    expect(woken).toEqual([0]);
    expect(bench.zone.flags).toBe(0);
  });
});
