/** Blocks kept for atomic high-order requests. model: page-allocator 4.8, 10a.1, 10a.2; scenario 46 */
import { describe, expect, it } from 'vitest';
import { GFP_ATOMIC, GFP_KERNEL, GFP_NOMEMALLOC_BIT } from '../../../src/mm/gfp.js';
import { getPageFromFreelist } from '../../../src/mm/page-alloc/freelist-walk.js';
import { unreserveHighatomic } from '../../../src/mm/page-alloc/highatomic.js';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import { slowFlags } from '../../../src/mm/page-alloc/slow-flags.js';
import { ALLOC_HIGHATOMIC, ALLOC_NON_BLOCK, ALLOC_OOM } from '../../../src/mm/page-alloc/watermark.js';
import { WMARK_HIGH } from '../../../src/mm/page-alloc/zone.js';
import { Migratetype, ZoneIndex } from '../../../src/mm/types.js';
import { CLAIM_POLICY_NAMES, POLICY_NAMES, type PolicyName } from '../policies.js';
import { B, Bench, type BenchOptions, name, names, range } from './support.js';

/** One attempt of a GFP_ATOMIC request on the slow path, above all marks. */
function atomic(bench: Bench, order: number): string {
  bench.zone.watermark[WMARK_HIGH] = 0;
  const flags = slowFlags(bench.mm, GFP_ATOMIC, order, Migratetype.unmovable);
  const pfn = getPageFromFreelist(
    bench.mm,
    [bench.zone],
    0,
    GFP_ATOMIC,
    order,
    Migratetype.unmovable,
    ZoneIndex.normal,
    flags,
  );
  if (pfn >= 0) markAllocated(bench.mm, pfn, order, false);
  bench.check();
  return name(pfn);
}

const LARGE: BenchOptions = { managed: 1_310_720, high_min: 1000, high_max: 8000 };

function unmovableChunk(policy: PolicyName): Bench {
  const bench = new Bench(policy, LARGE).block('U', B, B + 0x200).put(10, 'U', B);
  bench.pcp.free_count = 100;
  return bench;
}

describe('an atomic request of order 1 with an empty list', () => {
  //   before   [ U U U U . . . . | U U U U . . . . ]    one free order 10, nothing on the CPU's lists
  //   7.2      [ x H H H . . . . | U U U U . . . . ]    one chunk taken, its block reserved
  it('46 without refill: 7.2 takes one chunk from the buddy lists and reserves its block', () => {
    const bench = unmovableChunk('mainline-7.2');
    expect(atomic(bench, 1)).toBe('B');
    expect(bench.events()).toEqual(['zone_locked B o1 U refill']);
    expect(bench.blockType(B)).toBe('H');
    expect(bench.blockType(B + 0x200)).toBe('U');
    expect(bench.zone.nr_reserved_highatomic).toBe(512);
    expect(bench.zone.nr_free_highatomic).toBe(510);
    expect(bench.buddy()).toEqual({
      ...Object.fromEntries(range(1, 8).map((order) => [`o${order} H`, name(B + (1 << order))])),
      'o9 U': 'B+0x200',
    });
    expect([bench.pcp.high, bench.pcp.free_count, bench.pcp.count]).toEqual([1063, 50, 0]);

    expect(atomic(bench, 1)).toBe('B+0x2');
    expect(bench.events()).toEqual(['zone_locked B+0x2 o1 H']);
    expect(bench.zone.nr_reserved_highatomic).toBe(512);
    expect(bench.pcp.high).toBe(1126);
  });

  it('46 with refill: 6.18 fills the list, hands out its head and reserves the block', () => {
    const bench = unmovableChunk('mainline-6.18');
    expect(atomic(bench, 1)).toBe('B');
    expect(bench.pcpPfns(1, 'U')).toEqual(range(B + 2, 30, 2));
    expect(bench.blockType(B)).toBe('H');
    expect(bench.zone.nr_reserved_highatomic).toBe(512);
    expect(bench.zone.nr_free_highatomic).toBe(512 - 62);
    // the next one comes from the list, and its block is reserved already
    expect(atomic(bench, 1)).toBe('B+0x2');
    expect(bench.zone.nr_reserved_highatomic).toBe(512);
  });

  it('46 with refill: 6.1 does so too, and counts whole blocks', () => {
    const bench = unmovableChunk('mainline-6.1');
    expect(atomic(bench, 1)).toBe('B');
    expect(bench.pcpPfns(1, 'U')).toEqual(range(B + 2, 30, 2));
    expect([bench.blockType(B), bench.zone.nr_reserved_highatomic]).toEqual(['H', 512]);
  });

  it.each([
    ['mainline-6.1', true],
    ['mainline-6.18', true],
    ['mainline-7.2', false],
  ] as const)('46 a page from the per-CPU list: %s reserves its block: %s', (policy, reserves) => {
    const bench = unmovableChunk(policy);
    bench.free(B + 0x800, 1);
    bench.block('U', B + 0x800);
    bench.drainAll();
    bench.free(B + 0x802, 1);
    expect(atomic(bench, 1)).toBe('B+0x802');
    expect(bench.blockType(B + 0x800)).toBe(reserves ? 'H' : 'U');
  });

  it.each(POLICY_NAMES)('46 order 0 and requests that may wait reserve nothing, %s', (policy) => {
    const { mm } = unmovableChunk(policy);
    const has = (gfp: number, order: number) =>
      (slowFlags(mm, gfp, order, Migratetype.unmovable) & ALLOC_HIGHATOMIC) !== 0;
    expect(has(GFP_ATOMIC, 1)).toBe(true);
    expect([has(GFP_ATOMIC, 0), has(GFP_KERNEL, 1), has(GFP_ATOMIC | GFP_NOMEMALLOC_BIT, 1)]).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe('orders without a per-CPU list', () => {
  it.each(POLICY_NAMES)('46 order 4: the reserve is used first, then the own type, %s', (policy) => {
    const bench = new Bench(policy, LARGE)
      .block('H', B)
      .put(4, 'H', B + 0x10)
      .block('U', B + 0x200)
      .put(8, 'U', B + 0x200);
    bench.zone.nr_reserved_highatomic = 512;
    expect(atomic(bench, 4)).toBe('B+0x10');
    expect(bench.zone.nr_reserved_highatomic).toBe(512);
    expect(atomic(bench, 4)).toBe('B+0x200');
    expect(bench.zone.nr_reserved_highatomic).toBe(1024);
    expect(bench.blockType(B + 0x200)).toBe('H');
    expect(atomic(bench, 4)).toBe('B+0x210');
  });

  it.each(POLICY_NAMES)('46 plain requests never reach the reserve, %s', (policy) => {
    const bench = new Bench(policy, LARGE).block('H', B).put(9, 'H', B);
    expect(bench.takes(1, 4, 'U')).toBe('none');
    expect(bench.takes(1, 0, 'M')).toBe('none');
    // one that cannot wait takes it last
    expect(bench.takes(1, 4, 'U', ALLOC_NON_BLOCK)).toBe('B');
    expect(bench.takes(1, 4, 'U', ALLOC_OOM)).toBe('B+0x10');
  });

  it.each([
    ['mainline-6.1', 512],
    ['mainline-6.18', 1024],
    ['mainline-7.2', 1024],
  ] as const)('46 order 10: %s reserves %i pages', (policy, reserved) => {
    const bench = new Bench(policy, LARGE).block('U', B, B + 0x200).put(10, 'U', B);
    expect(atomic(bench, 10)).toBe('B');
    expect(bench.zone.nr_reserved_highatomic).toBe(reserved);
    expect(bench.blockType(B)).toBe('H');
    expect(bench.blockType(B + 0x200)).toBe(reserved === 1024 ? 'H' : 'U');
  });
});

describe.each(POLICY_NAMES)('giving a reserved block back, %s', (policy) => {
  //   block B, H:  [ o3 free | in use | o6 free ]
  const reserved = (pages: number) => {
    const bench = new Bench(policy, LARGE)
      .block('H', B)
      .put(3, 'H', B + 8)
      .put(6, 'H', B + 0x40);
    bench.zone.nr_reserved_highatomic = pages;
    return bench;
  };
  const unreserve = (bench: Bench, force: boolean) => {
    const done = unreserveHighatomic(bench.mm, [bench.zone], 0, Migratetype.movable, force);
    bench.check();
    return done;
  };

  it('46 unreserve: the last block only by force', () => {
    const bench = reserved(512);
    expect(unreserve(bench, false)).toBe(false);
    expect(bench.blockType(B)).toBe('H');
    expect(unreserve(bench, true)).toBe(true);
    expect(bench.blockType(B)).toBe('M');
    expect(bench.buddy()).toEqual({ 'o3 M': 'B+0x8', 'o6 M': 'B+0x40' });
    expect([bench.zone.nr_reserved_highatomic, bench.zone.nr_free_highatomic]).toEqual([0, 0]);
  });

  it('46 unreserve: one block at a time, the one with the smallest chunk first', () => {
    const bench = reserved(1024)
      .block('H', B + 0x200)
      .put(2, 'H', B + 0x204);
    expect(unreserve(bench, false)).toBe(true);
    expect([bench.blockType(B), bench.blockType(B + 0x200)]).toEqual(['H', 'M']);
    expect(bench.zone.nr_reserved_highatomic).toBe(512);
  });

  //   before  [ H whole block, free | ... | M whole block, free ]     after: on the movable list, last
  it('46 unreserve: a whole block goes to the tail', () => {
    const bench = new Bench(policy, LARGE)
      .block('H', B)
      .put(9, 'H', B)
      .put(9, 'M', B + 0x400);
    bench.zone.nr_reserved_highatomic = 512;
    expect(unreserve(bench, true)).toBe(true);
    expect(bench.buddy()).toEqual({ 'o9 M': 'B+0x400 B' });
    expect([bench.blockType(B), bench.zone.nr_reserved_highatomic]).toEqual(['M', 0]);
  });

  it('46 unreserve: nothing free in the reserve, nothing given back', () => {
    const bench = new Bench(policy, LARGE).block('H', B);
    bench.zone.nr_reserved_highatomic = 512;
    expect(unreserve(bench, true)).toBe(false);
    expect(bench.zone.nr_reserved_highatomic).toBe(512);
  });
});

describe('pages of a reserved block that were freed', () => {
  it.each(CLAIM_POLICY_NAMES)(
    '46 they wait on the movable list and are handed out from there, %s',
    (policy) => {
      const bench = new Bench(policy, LARGE).block('H', B);
      bench.free(B, 0);
      expect(names(bench.pcpPfns(0, 'M'))).toBe('B');
      expect(bench.takes(1, 0, 'M')).toBe('B');
    },
  );
});
