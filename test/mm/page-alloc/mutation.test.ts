/**
 * The suite has teeth: for every invariant and every key rule, a machine in which it is broken on purpose is reported,
 * by `validate` or by the comparison with the naive model.
 * model: page-allocator 9 (invariants)
 */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import type { PerCpuPages } from '../../../src/mm/page-alloc/per-cpu-pages.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import type { Policy } from '../../../src/mm/policy.js';
import { CLAIM_POLICY_NAMES } from '../policies.js';
import { commands, pairFor, plan } from './naive-commands.js';
import { Difference, type SideBySide } from './naive-compare.js';
import type { Generation } from './naive-model.js';
import { B, Bench } from './support.js';

type Fn = (...args: number[]) => unknown;
type Replacement = (original: Fn, ...args: number[]) => unknown;

/** Functions of the allocator that a test has replaced, by name; all others run as they are. */
const { replaced, replaceable } = vi.hoisted(() => {
  const replaced = new Map<string, Replacement>();
  const replaceable = async <M extends object>(importOriginal: () => Promise<M>): Promise<M> => {
    const module = await importOriginal();
    const wrapped = Object.entries(module).map(([name, value]) => {
      if (typeof value !== 'function') return [name, value];
      const original: Fn = (...args) => Reflect.apply(value, undefined, args);
      return [name, (...args: number[]) => replaced.get(name)?.(original, ...args) ?? original(...args)];
    });
    return Object.fromEntries(wrapped) as M;
  };
  return { replaced, replaceable };
});

vi.mock('../../../src/mm/page-alloc/pcp-tuning.js', (original) => replaceable(original));
vi.mock('../../../src/mm/page-alloc/fallback.js', (original) => replaceable(original));
vi.mock('../../../src/mm/page-alloc/pageblock.js', (original) => replaceable(original));
vi.mock('../../../src/mm/page-alloc/watermark.js', (original) => replaceable(original));
vi.mock('../../../src/mm/page-alloc/highatomic.js', (original) => replaceable(original));
vi.mock('../../../src/mm/page-alloc/buddy.js', (original) => replaceable(original));

afterEach(() => {
  replaced.clear();
});

/** A machine with something in every place: free chunks, entries on a per-CPU list, allocations. */
function healthy(): Bench {
  const bench = new Bench('mainline-6.18').block('U', B + 0x800).put(10, 'M', B, B + 0x400);
  bench.put(3, 'U', B + 0x808);
  bench.put(9, 'H', B + 0x1000).block('H', B + 0x1000);
  bench.alloc(0, 'M');
  bench.alloc(5, 'M');
  bench.free(B, 0);
  bench.check();
  return bench;
}

interface Corruption {
  readonly invariant: string;
  readonly title: string;
  readonly corrupt: (bench: Bench) => void;
  readonly report: RegExp;
}

const CORRUPTIONS: readonly Corruption[] = [
  {
    invariant: 'a',
    title: 'a page of a free chunk is handed out as well',
    corrupt: ({ mm }) => markAllocated(mm, B + 0x84, 0, false),
    report: /two places/,
  },
  {
    invariant: 'a',
    title: 'two free chunks overlap',
    corrupt: (bench) => bench.put(2, 'U', B + 0x80c),
    report: /two places/,
  },
  {
    invariant: 'a',
    title: 'an allocation lies inside a free chunk of whole blocks',
    corrupt: ({ mm }) => markAllocated(mm, B + 0x500, 4, true),
    report: /two places/,
  },
  {
    invariant: 'a',
    title: 'a page waits twice on a per-CPU list',
    corrupt: ({ pcp }) => {
      pcp.lists[1]!.pushTail(B);
      pcp.count++;
    },
    report: /two places/,
  },
  {
    invariant: 'b',
    title: 'a chunk is not aligned',
    corrupt: (bench) => bench.put(2, 'M', B + 0x2002),
    report: /not aligned/,
  },
  {
    invariant: 'b',
    title: 'a chunk lies outside the zone',
    corrupt: (bench) => bench.put(2, 'M', B - 8),
    report: /not wholly in the zone/,
  },
  {
    invariant: 'b',
    title: 'a per-CPU entry lies outside the zone',
    corrupt: ({ mm, pcp }) => {
      pcp.lists[1]!.pushTail(B - 1);
      pcp.count++;
      mm.pages.state[B - 1] = mm.pages.state[B]!;
    },
    report: /not wholly in the zone/,
  },
  {
    invariant: 'c',
    title: 'two buddies were not merged',
    corrupt: (bench) => bench.put(4, 'M', B + 0x2000, B + 0x2010),
    report: /not merged/,
  },
  {
    invariant: 'd',
    title: 'the free counter is off by one',
    corrupt: ({ zone }) => zone.nr_free_pages++,
    report: /nr_free_pages/,
  },
  {
    invariant: 'd',
    title: "a CPU's part of the free counter is off by one",
    corrupt: ({ pcp }) => pcp.nr_free_diff--,
    report: /nr_free_pages/,
  },
  {
    invariant: 'd',
    title: 'a chunk got lost',
    corrupt: ({ zone }) => zone.remove(B + 0x400, 10, 1),
    report: /nr_free_pages/,
  },
  {
    invariant: 'e',
    title: 'the per-CPU count is off by one',
    corrupt: ({ pcp }) => pcp.count++,
    report: /count of CPU 0/,
  },
  {
    invariant: 'e',
    title: 'a per-CPU entry got lost',
    corrupt: ({ pcp }) => pcp.lists[1]!.popTail(),
    report: /count of CPU 0/,
  },
  {
    invariant: 'f',
    title: 'a block changed its type under a free chunk',
    corrupt: (bench) => bench.block('R', B + 0x800),
    report: /in a block of type Reclaimable/,
  },
  {
    invariant: 'f',
    title: 'the second block of a chunk has another type',
    corrupt: (bench) => bench.block('U', B + 0x600),
    report: /in a block of type Unmovable/,
  },
  {
    invariant: 'lists',
    title: 'the chunks of an order are miscounted',
    corrupt: ({ zone }) => zone.nr_free[3]!++,
    report: /nr_free of order 3/,
  },
  {
    invariant: 'lists',
    title: 'the length of a list is miscounted',
    corrupt: ({ zone }) => zone.listLength[3 * 6]!++,
    report: /length of free list order 3/,
  },
  {
    invariant: 'lists',
    title: 'a list is forgotten by the mask',
    corrupt: ({ zone }) => {
      zone.listMask[0] = 0;
    },
    report: /listMask of Unmovable/,
  },
  {
    invariant: 'lists',
    title: 'the reserved free pages are miscounted',
    corrupt: ({ zone }) => zone.nr_free_highatomic--,
    report: /nr_free_highatomic/,
  },
  {
    invariant: 'lists',
    title: 'a link leads back to the wrong chunk',
    corrupt: ({ mm }) => {
      mm.pages.prev[B + 0x808] = B + 0x809;
    },
    report: /does not point back|not closed/,
  },
  {
    invariant: 'lists',
    title: 'a chunk forgot that it is free',
    corrupt: ({ mm }) => {
      mm.pages.state[B + 0x808] = 0;
    },
    report: /order 3 Unmovable holds/,
  },
  {
    invariant: 'lists',
    title: 'a page thinks it is free',
    corrupt: ({ mm }) => {
      mm.pages.state[B + 0x2008] = mm.pages.state[B + 0x808]!;
    },
    report: /no list holds it/,
  },
  {
    invariant: 'lists',
    title: 'a page waits on the list of another type',
    corrupt: ({ pcp }) => pcp.lists[2]!.pushHead(pcp.lists[1]!.popHead()),
    report: /is on list 2/,
  },
];

describe('validate reports a broken invariant', () => {
  const named = CORRUPTIONS.map((each) => [each.invariant, each.title, each] as const);
  it.each(named)('(%s) %s', (_invariant, _title, { corrupt, report }) => {
    const { mm } = healthy();
    const bench = healthy();
    corrupt(bench);
    expect(() => validate(bench.mm)).toThrow(report);
    expect(() => validate(mm)).not.toThrow();
  });

  it('(f) is no invariant of 6.1, whose lists and blocks may disagree', () => {
    const bench = new Bench('mainline-6.1').put(3, 'U', B + 8);
    expect(bench.blockType(B)).toBe('M');
    expect(() => validate(bench.mm)).not.toThrow();
    for (const policy of CLAIM_POLICY_NAMES)
      expect(() => validate(new Bench(policy).put(3, 'U', B + 8).mm)).toThrow(/in a block of type Movable/);
  });

  it('(h) a page taken from an isolated block is missed by the free counter', () => {
    const bench = new Bench('mainline-6.18').block('I', B).put(4, 'M', B + 0x200);
    bench.zone.addTail(B, 4, 5);
    bench.zone.nr_isolated_blocks = 1;
    bench.check();
    const take = bench.zone.takeFirst.bind(bench.zone);
    bench.zone.takeFirst = (order) => take(order, 5);
    expect(() => bench.alloc(4, 'M')).toThrow(/nr_free_pages/);
  });
});

const SEQUENCES = fc.sample(fc.tuple(plan, commands), { seed: 1_991, numRuns: 100 });

interface Mutant {
  readonly generation: Generation;
  readonly knobs?: Partial<Policy>;
  /** breaks the real one of a pair that has just been built */
  readonly breakIt?: (run: SideBySide) => void;
}

/** What the comparison says of a mutant, or null where it survives all sequences. */
function verdict({ generation, knobs, breakIt }: Mutant): string | null {
  for (const [machine, sequence] of SEQUENCES) {
    const run = pairFor(machine, generation, knobs);
    breakIt?.(run);
    try {
      for (const command of sequence) command(run);
    } catch (error) {
      if (error instanceof Difference) return error.message;
      throw error;
    }
  }
  return null;
}

describe('the comparison with the naive model', () => {
  it.each(['6.1', '6.18', '7.2'] as const)('%s as it is survives', (generation) => {
    expect(verdict({ generation })).toBeNull();
  });

  // 'slowpath.loop' shows only in a zone whose counter is behind: scenario 34, attempts
  it.each<[string, Generation, Partial<Policy>]>([
    ['fallback by claiming', '6.1', { 'fallback.rule': 'claim' }],
    ['fallback by stealing', '6.18', { 'fallback.rule': 'steal' }],
    ['tuned high', '6.1', { 'pcp.tuning': 'auto_high' }],
    ['no tuned high', '6.18', { 'pcp.tuning': 'free_factor' }],
    ['refills double once less', '6.18', { 'pcp.batch_scale_max': 4 }],
    ['drains double only twice', '6.1', { 'pcp.batch_scale_max': 2 }],
    ['drain in chunks', '6.18', { 'pcp.drain_chunks': 'batch' }],
    ['drain in one call', '7.2', { 'pcp.drain_chunks': 'one_call' }],
    ['drain by cached type', '6.18', { 'pcp.drain_type': 'cached' }],
    ['drain by block type', '6.1', { 'pcp.drain_type': 'pageblock' }],
    ['no re-typing on merge', '6.18', { 'buddy.merge_retypes': false }],
    ['re-typing on merge', '6.1', { 'buddy.merge_retypes': true }],
    ['net posting', '6.18', { 'vmstat.posting': 'net' }],
    ['posting per move', '6.1', { 'vmstat.posting': 'per_move' }],
    ['atomic requests do not refill', '6.18', { 'pcp.highatomic_refill': false }],
    ['atomic requests refill', '7.2', { 'pcp.highatomic_refill': true }],
    ['reserve of the other limit', '6.18', { 'highatomic.limit': 'one_percent_plus_block' }],
    ['reserve only for buddy pages', '6.18', { 'highatomic.source': 'buddy' }],
    ['reserve for any page', '7.2', { 'highatomic.source': 'any' }],
    ['reserved blocks unusable as a whole', '6.18', { 'highatomic.unusable': 'reserved' }],
    ['reserved free pages unusable', '6.1', { 'highatomic.unusable': 'free' }],
    ['unboosted mark for reserves', '6.1', { 'watermark.boosted_min_test': 'min_reserve' }],
    ['unboosted mark for GFP_ATOMIC', '6.18', { 'watermark.boosted_min_test': 'gfp_atomic' }],
    ['no note of the high mark', '6.18', { 'zonelist.below_high': false }],
    ['a note of the high mark', '6.1', { 'zonelist.below_high': true }],
    ['another boost', '6.18', { 'watermark.boost_factor': 9_000 }],
  ])('notices a wrong knob: %s in %s', (_, generation, knobs) => {
    expect(verdict({ generation, knobs })).not.toBeNull();
  });

  const eachPcp = (change: (pcp: PerCpuPages) => void) => (run: SideBySide) => run.zone.pcps.forEach(change);
  const eachList = (change: (list: PerCpuPages['lists'][number], order: number) => void) =>
    eachPcp((pcp) => {
      pcp.lists.forEach(change);
    });

  /** A number that never gets smaller by halving. */
  function neverHalved(pcp: PerCpuPages, field: 'free_count' | 'free_factor' | 'alloc_factor'): void {
    let value = 0;
    Object.defineProperty(pcp, field, {
      get: () => value,
      set: (next: number) => {
        if (next !== value >> 1) value = next;
      },
    });
  }

  it.each<[string, Generation, (run: SideBySide) => void]>([
    [
      'a refill pushes at the head',
      '6.18',
      eachList((list) => Object.assign(list, { pushTail: list.pushHead })),
    ],
    [
      'a free pushes at the tail',
      '6.18',
      eachList((list) => Object.assign(list, { pushHead: list.pushTail })),
    ],
    [
      'an allocation takes the tail',
      '6.1',
      eachList((list) => Object.assign(list, { popHead: list.popTail })),
    ],
    ['a drain takes the newest', '6.1', eachList((list) => Object.assign(list, { popTail: list.popHead }))],
    [
      '(g) an allocation reaches past its list',
      '6.18',
      (run) => {
        const list = run.zone.pcps[0]!.lists[1]!;
        const pop = list.popHead.bind(list);
        list.popHead = () => (run.zone.listLength[1]! > 0 ? run.zone.takeFirst(0, 1) : pop());
      },
    ],
    [
      '(h) a plain removal takes from the reserve',
      '6.18',
      ({ zone }) => {
        const take = zone.takeFirst.bind(zone);
        zone.takeFirst = (order, type) => take(order, zone.listLength[order * 6 + 3]! > 0 ? 3 : type);
      },
    ],
    [
      'a chunk that may merge soon goes to the head',
      '6.18',
      ({ zone }) => Object.assign(zone, { addTail: zone.addHead }),
    ],
    ['every chunk goes to the tail', '6.1', ({ zone }) => Object.assign(zone, { addHead: zone.addTail })],
    [
      'a removal takes the tail of a list',
      '6.18',
      ({ zone }) => {
        zone.takeFirst = (order, type) => {
          const pfn = zone.listPfns(order, type).at(-1)!;
          zone.remove(pfn, order, type);
          return pfn;
        };
      },
    ],
    [
      'the counter folds at the threshold',
      '6.18',
      ({ zone }) => {
        zone.postFree = (cpu, pages) => {
          const pcp = zone.pcps[cpu]!;
          pcp.nr_free_diff += pages;
          if (Math.abs(pcp.nr_free_diff) < zone.stat_threshold) return;
          zone.nr_free_pages += pcp.nr_free_diff;
          pcp.nr_free_diff = 0;
        };
      },
    ],
    [
      'the counter keeps what is beyond the threshold',
      '6.1',
      ({ zone }) => {
        zone.postFree = (_, pages) => {
          zone.nr_free_pages += pages;
        };
      },
    ],
    ['an allocation does not halve free_count', '6.18', eachPcp((pcp) => neverHalved(pcp, 'free_count'))],
    ['an allocation does not halve free_factor', '6.1', eachPcp((pcp) => neverHalved(pcp, 'free_factor'))],
    ['a free does not halve alloc_factor', '7.2', eachPcp((pcp) => neverHalved(pcp, 'alloc_factor'))],
  ])('notices a broken list or counter: %s', (_, generation, breakIt) => {
    expect(verdict({ generation, breakIt })).not.toBeNull();
  });

  it.each<[string, Generation, string, Replacement]>([
    ['refills of one more', '6.18', 'refillSize', (size, ...args) => Number(size(...args)) + 1],
    ['drains of one more', '6.1', 'drainSizeAfterFree', (size, ...args) => Number(size(...args)) + 1],
    ['no drains', '7.2', 'drainSizeAfterFree', () => 0],
    ['streaks that never end', '6.18', 'noteAllocation', () => 0],
    ['chunks claimed one order too late', '6.18', 'isClaimable', (is, mm, c, type) => is(mm!, c! - 1, type!)],
    ['chunks claimed one order too late', '6.1', 'isClaimable', (is, mm, c, type) => is(mm!, c! - 1, type!)],
    ['everything claimable', '6.18', 'isClaimable', () => true],
    [
      'fallback from the wrong type',
      '6.18',
      'findFallback',
      (_, zone, c, type) => lastFallback(zone, c!, type!),
    ],
    [
      'fallback from the wrong type',
      '6.1',
      'findFallback',
      (_, zone, c, type) => lastFallback(zone, c!, type!),
    ],
    ['more than half of a block', '6.18', 'countFreePages', (count, ...args) => Number(count(...args)) - 1],
    ['more than half of a block', '6.1', 'moveFreePages', (move, ...args) => Number(move(...args)) - 1],
    ['blocks beyond the end of the zone', '6.18', 'zoneSpansBlock', () => true],
    [
      'remainders on the movable list',
      '6.18',
      'expand',
      (expand, zone, p, o, c) => expand(zone!, p!, o!, c!, 1),
    ],
    [
      'nothing ever from the reserve',
      '7.2',
      'takeSmallest',
      (take, mm, zone, cpu, order, type) => (type === 3 ? -1 : take(mm!, zone!, cpu!, order!, type!)),
    ],
    [
      'every free at the tail',
      '6.18',
      'freeOnePage',
      (free, mm, zone, cpu, p, o, type) => free(mm!, zone!, cpu!, p!, o!, type!, 1) ?? 0,
    ],
    [
      'every free movable',
      '6.1',
      'freeOnePage',
      (free, mm, zone, cpu, p, o) => free(mm!, zone!, cpu!, p!, o!, 1) ?? 0,
    ],
    ['no boost', '6.18', 'boostWatermark', () => false],
    ['two boosts', '6.1', 'boostWatermark', (boost, ...args) => boost(...args) && boost(...args)],
    [
      'marks met by equality',
      '6.18',
      'zoneWatermarkFast',
      (test, zone, rules, order, mark, ...rest) => test(zone!, rules!, order!, mark! - 1, ...rest),
    ],
    ['nothing reserved', '6.1', 'highatomicAfterWalk', () => 0],
    ['nothing reserved', '7.2', 'reserveHighatomic', () => 0],
  ])('notices a broken rule: %s in %s', (_, generation, name, replacement) => {
    expect(verdict({ generation, breakIt: () => replaced.set(name, replacement) })).not.toBeNull();
  });
});

/** The last type with a chunk in a row of fallbacks, where the first is right. */
function lastFallback(zone: unknown, order: number, type: number): number {
  const masks = (zone as Zone).listMask;
  const row =
    [
      [1, 2],
      [0, 2],
      [1, 0],
    ][type] ?? [];
  return row.find((candidate) => (masks[candidate]! >>> order) & 1) ?? -1;
}
