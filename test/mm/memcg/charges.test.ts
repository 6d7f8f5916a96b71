/** Page counters and stocks of memory cgroups: rules one by one, conservation after random calls, and that validation sees. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GFP_ATOMIC, GFP_KERNEL, GFP_NOFAIL_BIT, GFP_NORETRY_BIT } from '../../../src/mm/gfp.js';
import { MemcgCharges, MemcgLock } from '../../../src/mm/memcg/memcg-charges.js';
import { MEMCG_CHARGE_BATCH_PAGES, NR_MEMCG_STOCK } from '../../../src/mm/memcg/page-stock.js';
import {
  drainStocksBelow,
  tryChargeBytes,
  tryChargeObjPages,
  tryChargePages,
  unchargeBytes,
  unchargeObjPages,
} from '../../../src/mm/memcg/try-charge.js';
import { validateMemcg } from '../../../src/mm/memcg/validate-memcg.js';

const NOLOCK = 0;

interface Tree {
  readonly charges: MemcgCharges;
  /** two below the root, and one below the first */
  readonly groups: readonly [number, number, number];
  readonly objcgs: readonly [number, number, number];
}

function tree(cpus = 1, max_pages = 10_000): Tree {
  const charges = new MemcgCharges(cpus);
  const first = charges.groups.create(0, max_pages);
  const second = charges.groups.create();
  const child = charges.groups.create(first);
  const groups = [first, second, child] as const;
  const objcg = (memcg: number) => charges.groups.objcg[memcg]!;
  return { charges, groups, objcgs: [objcg(first), objcg(second), objcg(child)] };
}

function usage({ charges }: Tree): number[] {
  return [...charges.groups.memory.usage_pages.subarray(0, charges.groups.count)];
}

describe('pages', () => {
  test('are charged to all above, or to none', () => {
    const rig = tree(1, 10);
    const [, , child] = rig.groups;
    expect(tryChargePages(rig.charges, 0, child, 10, NOLOCK)).toBe(true);
    expect(usage(rig)).toEqual([10, 10, 0, 10]);
    expect(tryChargePages(rig.charges, 0, child, 1, NOLOCK)).toBe(false);
    expect(usage(rig)).toEqual([10, 10, 0, 10]);
  });

  test('come in batches of 64; where a batch does not fit, as many as are wanted', () => {
    const rig = tree(1, 70);
    const [first] = rig.groups;
    tryChargePages(rig.charges, 0, first, 3, GFP_KERNEL);
    expect([usage(rig)[first], rig.charges.pages.pagesOf(0, first)]).toEqual([64, 61]);
    tryChargePages(rig.charges, 0, first, 62, GFP_KERNEL);
    expect([usage(rig)[first], rig.charges.pages.pagesOf(0, first)]).toEqual([64, 61]);
  });

  test('above a batch do not come from the stock, nor go there', () => {
    const rig = tree();
    const [first, ,] = rig.groups;
    const more = MEMCG_CHARGE_BATCH_PAGES + 1;
    expect(tryChargeObjPages(rig.charges, 0, rig.objcgs[0], more, GFP_KERNEL)).toBe(true);
    expect([usage(rig)[first], rig.charges.pages.pagesOf(0, first)]).toEqual([more, 0]);
    unchargeObjPages(rig.charges, 0, rig.objcgs[0], more);
    expect(usage(rig)[first]).toBe(0);
  });

  test('in a stock above a batch all go back', () => {
    const rig = tree();
    const [first] = rig.groups;
    tryChargePages(rig.charges, 0, first, 100, NOLOCK);
    unchargeObjPages(rig.charges, 0, rig.objcgs[0], 60);
    unchargeObjPages(rig.charges, 0, rig.objcgs[0], 4);
    expect([usage(rig)[first], rig.charges.pages.pagesOf(0, first)]).toEqual([100, 64]);
    unchargeObjPages(rig.charges, 0, rig.objcgs[0], 1);
    expect([usage(rig)[first], rig.charges.pages.pagesOf(0, first)]).toEqual([35, 0]);
  });

  test('are kept for seven cgroups; the slot of an eighth is drawn', () => {
    const { charges } = tree();
    const all = Array.from({ length: NR_MEMCG_STOCK + 1 }, () => charges.groups.create());
    charges.victimSlot = () => 3;
    for (const memcg of all) tryChargePages(charges, 0, memcg, 1, GFP_KERNEL);
    const left = all.map((memcg) => charges.pages.pagesOf(0, memcg));
    expect(left).toEqual([63, 63, 63, 0, 63, 63, 63, 63]);
    expect(charges.groups.memory.usage_pages[all[3]!]).toBe(1);
  });

  test.each([
    ['high priority', GFP_ATOMIC],
    ['no failure', GFP_KERNEL | GFP_NOFAIL_BIT],
  ])('of requests with %s go over the limit', (_what, gfp) => {
    const rig = tree(1, 2);
    expect(tryChargePages(rig.charges, 0, rig.groups[2], 3, gfp)).toBe(true);
    expect(usage(rig)).toEqual([3, 3, 0, 3]);
  });

  test('a request that must not retry asks to reclaim twice: the stocks are emptied in between', () => {
    const rig = tree(1, 2);
    let asked = 0;
    rig.charges.reclaim = {
      reclaim: () => {
        asked++;
        return 0;
      },
    };
    expect(tryChargePages(rig.charges, 0, rig.groups[0], 3, GFP_KERNEL | GFP_NORETRY_BIT)).toBe(false);
    expect(asked).toBe(2);
  });

  test('other CPUs keep make room for a charge once they are drained', () => {
    const rig = tree(2, 64);
    const [first] = rig.groups;
    tryChargePages(rig.charges, 1, first, 1, GFP_KERNEL);
    rig.charges.reclaim = { reclaim: () => 0 };
    expect(tryChargePages(rig.charges, 0, first, 5, GFP_KERNEL)).toBe(true);
    expect([usage(rig)[first], rig.charges.pages.pagesOf(1, first)]).toEqual([6, 0]);
  });
});

describe('bytes', () => {
  test('of another object cgroup give way: whole pages to the counters, the rest stays with their owner', () => {
    const rig = tree();
    const [a, b] = rig.objcgs;
    tryChargeBytes(rig.charges, 0, a, 4096 + 100, NOLOCK);
    tryChargeBytes(rig.charges, 0, a, 8, NOLOCK);
    unchargeBytes(rig.charges, 0, a, 108);
    expect(rig.charges.bytes.nr_bytes[0]).toBe(4096);
    tryChargeBytes(rig.charges, 0, b, 1000, NOLOCK);
    expect([usage(rig)[rig.groups[0]], rig.charges.groups.charged_bytes[a]]).toEqual([1, 0]);
    tryChargeBytes(rig.charges, 0, a, 50, NOLOCK);
    expect(rig.charges.groups.charged_bytes[b]).toBe(3096);
    tryChargeBytes(rig.charges, 0, b, 7, NOLOCK);
    // What was left over comes into the stock, on top of what the page charged for this call leaves.
    expect([rig.charges.groups.charged_bytes[b], rig.charges.bytes.nr_bytes[0]]).toEqual([0, 3089]);
  });

  test('a charge may leave more than a page in the stock, a free may not', () => {
    const rig = tree();
    const [a] = rig.objcgs;
    tryChargeBytes(rig.charges, 0, a, 2048, NOLOCK);
    tryChargeBytes(rig.charges, 0, a, 4104, NOLOCK);
    expect(rig.charges.bytes.nr_bytes[0]).toBe(2048 + 4088);
    unchargeBytes(rig.charges, 0, a, 8);
    expect([rig.charges.bytes.nr_bytes[0], rig.charges.pages.pagesOf(0, rig.groups[0])]).toEqual([2048, 1]);
  });

  test('a nested call finds the lock of the stock taken', () => {
    const rig = tree();
    const [a] = rig.objcgs;
    tryChargeBytes(rig.charges, 0, a, 10, NOLOCK);
    let depth = 0;
    rig.charges.locks = {
      enter: (lock) => {
        if (lock !== MemcgLock.obj_stock || depth > 0) return;
        depth++;
        rig.charges.interrupted = { holds: (held) => held === lock };
        tryChargeBytes(rig.charges, 0, a, 100, NOLOCK);
        rig.charges.interrupted = null;
      },
      leave: () => {},
    };
    tryChargeBytes(rig.charges, 0, a, 10, NOLOCK);
    rig.charges.locks = null;
    expect([rig.charges.groups.charged_bytes[a], rig.charges.bytes.nr_bytes[0]]).toEqual([3996, 4076]);
    validateMemcg(rig.charges, { bytesOf: (objcg) => (objcg === a ? 120 : 0) });
  });
});

interface Step {
  readonly kind: 'charge' | 'uncharge' | 'pages' | 'drain';
  readonly who: number;
  readonly cpu: number;
  readonly size: number;
  readonly gfp: number;
  readonly held: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('charge', 'charge', 'charge', 'uncharge', 'uncharge', 'pages', 'drain'),
  who: fc.nat(2),
  cpu: fc.nat(1),
  size: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 20_000 })),
  gfp: fc.constantFrom(NOLOCK, GFP_ATOMIC, GFP_KERNEL),
  held: fc.nat(3),
});

/** What is charged, kept beside in the plainest way. */
class Ledger {
  readonly rig: Tree;
  readonly objects: { who: number; bytes: number }[] = [];
  readonly pages = [0, 0, 0];

  constructor(max_pages: number) {
    this.rig = tree(2, max_pages);
  }

  take({ kind, who, cpu, size, gfp, held }: Step): void {
    const { charges, groups, objcgs } = this.rig;
    charges.interrupted = held === 0 ? null : { holds: (lock) => (held & (1 << lock)) !== 0 };
    if (kind === 'charge') {
      if (tryChargeBytes(charges, cpu, objcgs[who]!, size, gfp)) this.objects.push({ who, bytes: size });
    } else if (kind === 'uncharge') {
      const object = this.objects.splice(size % Math.max(1, this.objects.length), 1)[0];
      if (object !== undefined) unchargeBytes(charges, cpu, objcgs[object.who]!, object.bytes);
    } else if (kind === 'pages') {
      const pages = (size % 100) + 1;
      if (tryChargePages(charges, cpu, groups[who]!, pages, gfp)) this.pages[who]! += pages;
    } else drainStocksBelow(charges, groups[who]!);
    charges.interrupted = null;
  }

  validate(): void {
    const { charges, groups, objcgs } = this.rig;
    const bytesOf = (objcg: number) =>
      this.objects.filter(({ who }) => objcgs[who] === objcg).reduce((sum, { bytes }) => sum + bytes, 0);
    const pagesOf = (memcg: number) => this.pages[groups.indexOf(memcg)] ?? 0;
    validateMemcg(charges, { bytesOf, pagesOf });
  }
}

test('usage is what is in use, in stocks and left over, after any calls below any locks', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.constantFrom(20, 300, 10_000), (steps, max_pages) => {
      const ledger = new Ledger(max_pages);
      for (const one of steps) {
        ledger.take(one);
        ledger.validate();
      }
    }),
    { numRuns: 300, seed: 17 },
  );
});

test('requests that may not wait never lift a counter over its limit', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const ledger = new Ledger(20);
      for (const one of steps) ledger.take({ ...one, gfp: NOLOCK });
      expect(usage(ledger.rig)[ledger.rig.groups[0]]).toBeLessThanOrEqual(20);
    }),
    { numRuns: 200, seed: 18 },
  );
});

describe('validation sees', () => {
  function charged(): Tree {
    const rig = tree();
    tryChargeBytes(rig.charges, 0, rig.objcgs[0], 100, GFP_KERNEL);
    return rig;
  }
  test.each<[string, (rig: Tree) => void]>([
    ['a counter', ({ charges, groups }) => charges.groups.memory.usage_pages[groups[0]]!++],
    ['the counter above', ({ charges }) => charges.groups.memory.usage_pages[0]!--],
    ['a byte stock', ({ charges }) => charges.bytes.nr_bytes[0]!++],
    ['left-over bytes', ({ charges, objcgs }) => charges.groups.charged_bytes[objcgs[0]]!++],
    ['a page stock', ({ charges }) => charges.pages.nr_pages[0]!--],
    ['pages without an owner', ({ charges }) => (charges.pages.nr_pages[5] = 1)],
    ['a cgroup in two slots', ({ charges, groups }) => (charges.pages.cached[1] = groups[0])],
    ['too many pages in a slot', ({ charges }) => (charges.pages.nr_pages[0] = 65)],
  ])('%s', (_what, spoil) => {
    const rig = charged();
    const bytesOf = (objcg: number) => (objcg === rig.objcgs[0] ? 100 : 0);
    expect(() => validateMemcg(rig.charges, { bytesOf })).not.toThrow();
    spoil(rig);
    expect(() => validateMemcg(rig.charges, { bytesOf })).toThrow();
  });
});

test('a counter never falls below zero', () => {
  const { charges, groups } = tree();
  expect(() => charges.groups.memory.uncharge(groups[0], 1)).toThrow(/would fall to -1/);
});

test('cgroups and object cgroups grow with their number', () => {
  const { groups } = new MemcgCharges(1);
  let parent = 0;
  for (let i = 1; i <= 100; i++) parent = groups.create(parent);
  expect(groups.memory.tryCharge(parent, 2)).toBe(-1);
  expect([groups.count, groups.memcg[groups.objcg[parent]!], groups.memory.usage_pages[0]]).toEqual([
    101,
    parent,
    2,
  ]);
});
