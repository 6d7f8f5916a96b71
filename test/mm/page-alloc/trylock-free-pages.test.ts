/** Pages from and to any context: the scenarios of the slab allocator's description that are about pages, by number. */
import { describe, expect, test } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import { GFP_ATOMIC, GFP_NOLOCK } from '../../../src/mm/gfp.js';
import { InvariantError } from '../../../src/mm/invariant.js';
import { DEFAULT_BUILD, type MachineBuild } from '../../../src/mm/machine-build.js';
import { serializeMachine } from '../../../src/mm/machine-state.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { drainAllPages } from '../../../src/mm/page-alloc/drain-all.js';
import { freePages, ownerOf } from '../../../src/mm/page-alloc/free-owned.js';
import { allocPagesNolock, comesZeroed, freePagesNolock } from '../../../src/mm/page-alloc/nolock.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { TrylockFreePages } from '../../../src/mm/page-alloc/trylock-free-pages.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import type { Policy } from '../../../src/mm/policy.js';
import { Migratetype, NO_PFN } from '../../../src/mm/types.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { type PolicyName, policyNamed } from '../policies.js';
import { BASE, blockMachine, trueFree } from './setup-support.js';

const { task, softirq, hardirq, nmi } = Context;

function hold(mm: PageAllocator, pcp: boolean, zone: boolean): void {
  mm.interrupted = pcp || zone ? { holdsPcp: () => pcp, holdsZone: () => zone } : null;
}

/** The same machine, its kernel built otherwise. */
function builtMachine(build: Partial<MachineBuild>, knobs: Partial<Policy> = {}, thp = true) {
  const { mm } = blockMachine('mainline-6.18', 16);
  const rebuilt = new PageAllocator(
    { ...mm.spec, thp, build: { ...DEFAULT_BUILD, ...build } },
    policyNamed('mainline-6.18', knobs),
  );
  bootFresh(rebuilt);
  return { mm: rebuilt, zone: rebuilt.zones[0]! };
}

describe.each(['mainline-6.18', 'mainline-7.2'] as const)('%s', (policy: PolicyName) => {
  test('20: pages of alloc_pages_nolock are always zeroed', () => {
    expect(comesZeroed(GFP_NOLOCK)).toBe(true);
  });

  test('29: order 4 is refused with memory plentiful, order 3 is not; order 9 needs huge pages', () => {
    const { mm } = blockMachine(policy, 16);
    expect(allocPagesNolock(mm, 0, 4, -1, false, nmi)).toBe(NO_PFN);
    for (const order of [0, 1, 2, 3, 9])
      expect(allocPagesNolock(mm, 0, order, -1, false, nmi)).not.toBe(NO_PFN);
    const { mm: small } = blockMachine(policy, 16, { thp: false });
    expect(allocPagesNolock(small, 0, 9, -1, false)).toBe(NO_PFN);
    expect(allocPagesNolock(small, 0, 3, -1, false)).not.toBe(NO_PFN);
  });

  test('30: between min and low it has pages and wakes nobody; below min none, where atomic requests have', () => {
    const { mm, zone } = blockMachine(policy, 16);
    let woken = 0;
    mm.background = {
      now_ns: 0,
      wakeSpbWork: () => undefined,
      wakeKswapd: () => woken++,
      wakeKcompactd: () => woken++,
    };
    const free = trueFree(zone);
    zone.watermark.set([free - 100, free + 100, free + 200, free + 300]);
    expect(allocPagesNolock(mm, 0, 0, -1, false)).not.toBe(NO_PFN);
    expect(woken).toBe(0);
    zone.watermark[0] = free + 50;
    expect(allocPagesNolock(mm, 0, 0, -1, false)).toBe(NO_PFN);
    expect(allocPages(mm, 0, GFP_ATOMIC, 0, -1, false)).not.toBe(NO_PFN);
    expect(woken).toBeGreaterThan(0);
  });

  test('31: a list at its high mark grows by one, the next ordinary free trims it', () => {
    const { mm, zone } = blockMachine(policy, 16);
    const pages = Array.from({ length: 40 }, () => allocPages(mm, 0, GFP_ATOMIC, 0, -1, false));
    drainAllPages(mm);
    const pcp = zone.pcps[0]!;
    Object.assign(pcp, { high: 8, high_min: 8, high_max: 8, batch: 4, free_count: 0 });
    for (let i = 0; i < 7; i++) freePages(mm, 0, pages[i]!, 0);
    freePagesNolock(mm, 0, pages[7]!, 0);
    freePagesNolock(mm, 0, pages[8]!, 0);
    expect(pcp.count).toBe(9);
    // The streak counts them all: a drain depends on it.
    expect(pcp.free_count).toBe(9);
    freePages(mm, 0, pages[9]!, 0);
    expect(pcp.count).toBeLessThanOrEqual(8);
    validate(mm, { movable_known: true });
  });

  test('32: with both locks taken pages are stranded until an ordinary free takes the lock of the zone', () => {
    const { mm, zone } = blockMachine(policy, 16);
    const pfn = allocPages(mm, 0, GFP_ATOMIC, 0, -1, false);
    const other = allocPages(mm, 0, GFP_ATOMIC, 0, -1, false);
    const large = allocPages(mm, 0, GFP_ATOMIC, 4, -1, false);
    const stack = zone.trylock_free_pages;
    const [free, count, pgfree] = [trueFree(zone), zone.pcps[0]!.count, mm.pgfree];
    hold(mm, true, true);
    freePagesNolock(mm, 0, pfn, 0, nmi);
    hold(mm, false, false);
    expect([trueFree(zone), zone.pcps[0]!.count, mm.pgfree, stack.length]).toEqual([free, count, pgfree, 1]);
    expect(ownerOf(mm, pfn)).toBeNull();
    validate(mm, { movable_known: true });
    freePages(mm, 0, other, 0);
    allocPages(mm, 0, GFP_ATOMIC, 0, -1, false);
    drainAllPages(mm);
    expect(stack.length).toBe(1);
    const before = trueFree(zone);
    freePages(mm, 0, large, 4);
    expect([stack.length, stack.stranded_pages, stack.peak_stranded_pages, stack.total_pages]).toEqual([
      0, 0, 1, 1,
    ]);
    expect(trueFree(zone)).toBe(before + 16 + 1);
    expect(mm.pgfree).toBe(pgfree + 1 + 1 + 16);
    validate(mm, { movable_known: true });
  });
});

describe('which lock is taken', () => {
  test('only that of the list: to the buddy lists, and what is stranded stays so', () => {
    const { mm, zone } = blockMachine('mainline-6.18', 16);
    const [a, b] = [0, 0].map(() => allocPages(mm, 0, GFP_ATOMIC, 0, -1, false));
    hold(mm, true, true);
    freePagesNolock(mm, 0, a!, 0, nmi);
    hold(mm, true, false);
    const before = trueFree(zone);
    freePagesNolock(mm, 0, b!, 0, nmi);
    expect([trueFree(zone), zone.trylock_free_pages.length]).toEqual([before + 1, 1]);
    validate(mm, { movable_known: true });
  });

  test('only that of the zone: to the list', () => {
    const { mm, zone } = blockMachine('mainline-6.18', 16);
    const pfn = allocPages(mm, 0, GFP_ATOMIC, 0, -1, false);
    hold(mm, false, true);
    const { count } = zone.pcps[0]!;
    freePagesNolock(mm, 0, pfn, 0, nmi);
    expect([zone.pcps[0]!.count, zone.trylock_free_pages.length]).toEqual([count + 1, 0]);
  });

  test('that of the zone for an order without a list, or a page of an isolated block', () => {
    const { mm, zone } = blockMachine('mainline-6.18', 16);
    const large = allocPages(mm, 0, GFP_ATOMIC, 5, -1, false);
    hold(mm, false, true);
    freePagesNolock(mm, 0, large, 5, nmi);
    expect([zone.trylock_free_pages.length, zone.trylock_free_pages.stranded_pages]).toEqual([1, 32]);
    hold(mm, false, false);
    const before = trueFree(zone);
    const again = allocPages(mm, 0, GFP_ATOMIC, 5, -1, false);
    expect(again).not.toBe(large);
    freePagesNolock(mm, 0, again, 5);
    expect([trueFree(zone), zone.trylock_free_pages.length]).toEqual([before, 1]);
  });

  test('an ordinary free below the lock of the list goes round it, and takes the stack along', () => {
    const { mm, zone } = blockMachine('mainline-6.18', 16);
    const [a, b, c] = [0, 0, 0].map(() => allocPages(mm, 0, GFP_ATOMIC, 0, -1, false));
    hold(mm, true, true);
    freePagesNolock(mm, 0, a!, 0, nmi);
    freePagesNolock(mm, 0, b!, 0, nmi);
    hold(mm, true, false);
    const [free, { count }] = [trueFree(zone), zone.pcps[0]!];
    freePages(mm, 0, c!, 0);
    expect([trueFree(zone), zone.pcps[0]!.count, zone.trylock_free_pages.length]).toEqual([
      free + 3,
      count,
      0,
    ]);
    validate(mm, { movable_known: true });
  });
});

describe('builds', () => {
  test('PREEMPT_RT: hardirqs and NMIs get no pages, and theirs are stranded without a look at any lock', () => {
    const { mm, zone } = builtMachine({ preempt_rt: true });
    expect([hardirq, nmi].map((context) => allocPagesNolock(mm, 0, 0, -1, false, context))).toEqual([
      NO_PFN,
      NO_PFN,
    ]);
    const pfns = [task, softirq].map((context) => allocPagesNolock(mm, 0, 0, -1, false, context));
    expect(pfns).not.toContain(NO_PFN);
    freePagesNolock(mm, 0, pfns[0]!, 0, hardirq);
    expect(zone.trylock_free_pages.length).toBe(1);
    freePagesNolock(mm, 0, pfns[1]!, 0, softirq);
    expect(zone.trylock_free_pages.length).toBe(1);
    validate(mm, { movable_known: true });
  });

  test('one processor: every trylock succeeds, and is counted; fixed, NMIs get nothing', () => {
    const { mm, zone } = builtMachine({ smp: false });
    hold(mm, true, true);
    const pfn = allocPagesNolock(mm, 0, 0, -1, false, nmi);
    expect(pfn).not.toBe(NO_PFN);
    expect(mm.up_trylocks).toBeGreaterThan(0);
    freePagesNolock(mm, 0, pfn, 0, nmi);
    expect(zone.trylock_free_pages.length).toBe(0);
    const { mm: fixed } = builtMachine({ smp: false }, { 'nolock.up_nmi': 'refused' });
    expect(allocPagesNolock(fixed, 0, 0, -1, false, nmi)).toBe(NO_PFN);
    expect(allocPagesNolock(fixed, 0, 0, -1, false, hardirq)).not.toBe(NO_PFN);
  });
});

describe('the stack', () => {
  test('grows, and is saved whole', () => {
    const stack = new TrylockFreePages();
    for (let i = 0; i < 100; i++) stack.push(BASE + i * 8, i % 4);
    for (let i = 0; i < 20; i++) stack.drop();
    const copy = new TrylockFreePages();
    Snapshot.of(stack).restore(copy);
    expect(Snapshot.of(copy)).toEqual(Snapshot.of(stack));
    expect([copy.length, copy.pfnAt(79), copy.orderAt(79)]).toEqual([80, BASE + 79 * 8, 3]);
    expect([copy.stranded_pages, copy.total_pages, copy.peak_stranded_pages]).toEqual([300, 375, 375]);
  });

  test('is part of the state of a machine', () => {
    const [a, b] = [0, 0].map(() => blockMachine('mainline-6.18', 16));
    const pfn = allocPages(a!.mm, 0, GFP_ATOMIC, 3, -1, false);
    hold(a!.mm, true, true);
    freePagesNolock(a!.mm, 0, pfn, 3, nmi);
    Snapshot.of({ serialize: (io) => serializeMachine(a!.mm, io) }).restore({
      serialize: (io) => serializeMachine(b!.mm, io),
    });
    const stack = b!.zone.trylock_free_pages;
    expect([stack.length, stack.pfnAt(0), stack.orderAt(0), stack.stranded_pages]).toEqual([1, pfn, 3, 8]);
    validate(b!.mm);
  });

  test('its pages are given back newest first, before the page of the free', () => {
    const { mm } = blockMachine('mainline-6.18', 16);
    const pfns = Array.from({ length: 3 }, () => allocPages(mm, 0, GFP_ATOMIC, 5, -1, false));
    const own = allocPages(mm, 0, GFP_ATOMIC, 5, -1, false);
    hold(mm, true, true);
    for (const pfn of pfns) freePagesNolock(mm, 0, pfn, 5, nmi);
    hold(mm, false, false);
    const order: number[] = [];
    mm.capture = {
      migratetype: Migratetype.unmovable,
      taken: () => false,
      takes: (_zone, pfn, size) => {
        if (size === 5) order.push(pfn);
        return false;
      },
    };
    freePages(mm, 0, own, 5);
    expect(order.filter((pfn) => [...pfns, own].includes(pfn))).toEqual([...pfns.reverse(), own]);
  });

  test.each([
    ['a page that is allocated', (mm: PageAllocator, pfn: number) => (mm.pages.state[pfn] = 7 << 4)],
    [
      'a page that is there twice',
      (mm: PageAllocator, pfn: number) => mm.zones[0]!.trylock_free_pages.push(pfn, 0),
    ],
    ['a wrong sum', (mm: PageAllocator) => mm.zones[0]!.trylock_free_pages.stranded_pages++],
  ])('validate notices %s', (_what, spoil) => {
    const { mm } = blockMachine('mainline-6.18', 16);
    const pfn = allocPages(mm, 0, GFP_ATOMIC, 0, -1, false);
    hold(mm, true, true);
    freePagesNolock(mm, 0, pfn, 0, nmi);
    validate(mm);
    spoil(mm, pfn);
    expect(() => validate(mm)).toThrow(InvariantError);
  });
});

test.each(['mainline-6.18', 'mainline-7.2'] as const)(
  'random calls below random locks lose no page: %s',
  (policy) => {
    const { mm, zone } = blockMachine(policy, 64);
    const [all, held] = [trueFree(zone), [] as { pfn: number; order: number }[]];
    let seed = 3;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    for (let step = 0; step < 6000; step++) {
      const context = random(2) === 0 ? nmi : task;
      hold(mm, context === nmi && random(2) === 0, context === nmi && random(2) === 0);
      const order = [0, 0, 0, 1, 2, 3, 5][random(7)]!;
      if (random(100) < 52) {
        const pfn =
          context === nmi
            ? allocPagesNolock(mm, 0, order, -1, false, nmi)
            : allocPages(mm, 0, GFP_ATOMIC, order, -1, false);
        if (pfn >= 0) held.push({ pfn, order });
      } else if (held.length > 0) {
        const [{ pfn, order: size }] = held.splice(random(held.length), 1) as [(typeof held)[number]];
        if (context === nmi) freePagesNolock(mm, 0, pfn, size, nmi);
        else freePages(mm, 0, pfn, size);
      }
      if (step % 500 !== 0) continue;
      validate(mm);
      const out = held.reduce((pages, { order: size }) => pages + (1 << size), 0);
      expect(trueFree(zone) + zone.pcps[0]!.count + out + zone.trylock_free_pages.stranded_pages).toBe(all);
    }
    expect(zone.trylock_free_pages.total_pages).toBeGreaterThan(100);
  },
);
