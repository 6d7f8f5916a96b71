/** Slab pages and the arithmetic of do_shrink_slab(). model: spb 4.6 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GFP_KERNEL, GFP_RECLAIMABLE_BIT } from '../../../src/mm/gfp.js';
import type { Policy } from '../../../src/mm/policy.js';
import { shrinkNode } from '../../../src/mm/reclaim/shrink-node.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import { SpbMachine } from '../spb/background-support.js';

const SLAB = GFP_KERNEL | GFP_RECLAIMABLE_BIT;

/** A machine whose slab pages are drawn, and its cache. */
function cacheOf(picture: string, knobs: Partial<Policy> = {}) {
  const machine = new SpbMachine(picture, { knobs });
  const cache = machine.mm.slabObjects!;
  const shrink = (priority: number) => {
    const before = cache.scanned_objects;
    const freed = cache.shrinkSlab(GFP_KERNEL, 0, 0, priority);
    return { freed, scanned: cache.scanned_objects - before };
  };
  return { machine, cache, shrink };
}

/** One page of single objects each: the numbers of the worked example. */
const SINGLE = { 'shrinker.objects_per_page': 1 };

describe('how much is scanned', () => {
  test('262,144 freeable objects at priority 12: delta 128, 128 scanned', () => {
    const { machine, cache, shrink } = cacheOf('A  *R', SINGLE);
    expect(cache.pagesOf(0)).toBe(262_144);
    expect(shrink(12)).toEqual({ freed: 128, scanned: 128 });
    machine.check();
  });

  test('262,143: delta 126, nothing scanned, D = 126, which counts at the next call', () => {
    const { machine, shrink } = cacheOf('A  511R r511', SINGLE);
    // D >> 12 must lift 126 to the batch of 128: after 65 calls D is 8,190, after 66 it is 8,316 = 2 * 4,096 + 124.
    for (let call = 1; call <= 66; call++) expect(shrink(12)).toEqual({ freed: 0, scanned: 0 });
    expect(shrink(12)).toEqual({ freed: 128, scanned: 128 });
    machine.check();
  });

  test('below a batch it waits, unless it is all that there is', () => {
    const { cache, shrink } = cacheOf('A  r100 3.', SINGLE);
    // At priority 2 delta = 4 * 25 / 2 = 50. At priority 1 it is 100, and (50 >> 1) come on top: below the batch, but >= F.
    expect(shrink(2)).toEqual({ freed: 0, scanned: 0 });
    expect(shrink(1)).toEqual({ freed: 100, scanned: 125 });
    expect(cache.pagesOf(0)).toBe(0);
    // Nothing freeable: nothing is deferred either.
    expect(shrink(0)).toEqual({ freed: 0, scanned: 0 });
  });

  test('never more than twice what is freeable, in batches', () => {
    const { machine, shrink } = cacheOf('A  r512 3.', { ...SINGLE, 'shrinker.pinned_permille': 1000 });
    // delta = 4 * 512 / 2 = 1,024 = 2F, which is the limit as well: eight batches of 128.
    expect(shrink(0)).toEqual({ freed: 0, scanned: 1024 });
    machine.check();
    // Fewer seeks, dearer objects the other way round: 4F / 1 is cut to 2F, 4F / 8 is F / 2.
    expect(cacheOf('A  r512 3.', { ...SINGLE, 'shrinker.seeks': 1 }).shrink(0).scanned).toBe(1024);
    expect(cacheOf('A  r512 3.', { ...SINGLE, 'shrinker.seeks': 8 }).shrink(0).scanned).toBe(256);
  });

  test('what is put off is at most twice what is freeable, too', () => {
    const { shrink } = cacheOf('A  8R .', { ...SINGLE, 'shrinker.pinned_permille': 1000 });
    // F = 4,096: two objects are put off at each of 5,000 calls, but no more than 8,192 of them are remembered.
    for (let call = 0; call < 5_000; call++) expect(shrink(12).scanned).toBe(0);
    // (8,192 >> 2) + 4 * 1,024 / 2
    expect(shrink(2).scanned).toBe(4096);
  });

  test('a batch as large as wanted', () => {
    const knobs = { ...SINGLE, 'shrinker.batch': 50 };
    // delta = 4 * 64 / 2 = 128: two batches of 50, and 28 are deferred.
    const { shrink } = cacheOf('A  r512 3.', knobs);
    expect(shrink(3)).toEqual({ freed: 100, scanned: 100 });
    // F = 412, D = 28: (28 >> 2) + 4 * 103 / 2 = 213, four batches.
    expect(shrink(2)).toEqual({ freed: 200, scanned: 200 });
  });

  test('any sequence of priorities follows the formula', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 512 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 300 }),
        fc.array(fc.integer({ min: 0, max: 13 }), { minLength: 1, maxLength: 20 }),
        (pages, objects_per_page, seeks, batch, priorities) => {
          const { cache, shrink } = cacheOf(`A  r${pages} 3.`, {
            'shrinker.objects_per_page': objects_per_page,
            'shrinker.seeks': seeks,
            'shrinker.batch': batch,
          });
          let freeable = BigInt(pages * objects_per_page);
          let deferred = 0n;
          for (const priority of priorities) {
            const shift = BigInt(priority);
            const delta = (4n * (freeable >> shift)) / BigInt(seeks);
            const wanted = (deferred >> shift) + delta;
            let total = wanted < 2n * freeable ? wanted : 2n * freeable;
            let scanned = 0n;
            while (freeable > 0n && total > 0n && (total >= BigInt(batch) || total >= freeable)) {
              const now = total < BigInt(batch) ? total : BigInt(batch);
              total -= now;
              scanned += now;
            }
            if (freeable > 0n) {
              const next = deferred + delta - scanned;
              deferred = next < 0n ? 0n : next > 2n * freeable ? 2n * freeable : next;
            }
            const freed = scanned < freeable ? scanned : freeable;
            freeable -= freed;
            expect(shrink(priority)).toEqual({ freed: Number(freed), scanned: Number(scanned) });
            expect(cache.pagesOf(0)).toBe(Math.ceil(Number(freeable) / objects_per_page));
          }
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });
});

describe('which pages come free', () => {
  test('a page goes with its last object, oldest page first, and is an ordinary free page then', () => {
    const { machine, cache, shrink } = cacheOf('A  r3 *.', {
      'shrinker.objects_per_page': 20,
      'shrinker.batch': 30,
    });
    const gone: string[] = [];
    machine.mm.onReclaim = (pfn, order) => gone.push(`${machine.nameOf(pfn)}/${order}`);
    const free = machine.free_pages;
    // F = 60, delta = 4 * 15 / 2 = 30: one and a half pages.
    expect(shrink(2)).toEqual({ freed: 30, scanned: 30 });
    expect(gone).toEqual(['A:0/0']);
    expect([cache.pagesOf(0), cache.freed_pages, machine.free_pages - free]).toEqual([2, 1, 1]);
    machine.check();
    // F = 30, delta = 4 * 30 / 2 = 60 = 2F: everything.
    expect(shrink(0).freed).toBe(30);
    expect(gone).toEqual(['A:0/0', 'A:0+1/0', 'A:0+2/0']);
    expect([machine.row('A'), machine.place('A')]).toEqual(['512.', 'empty']);
    expect(machine.mm.pgfree).toBe(3);
    machine.check();
  });

  test('a large slab has the objects of all its pages', () => {
    const { machine, cache, shrink } = cacheOf('A  R r1 *.', {
      'shrinker.objects_per_page': 4,
      'shrinker.batch': 2047,
    });
    // F = 2,052, delta at priority 1 = 2,052 >= F: the huge slab goes with its 2,048th object.
    expect(shrink(1)).toEqual({ freed: 2047, scanned: 2047 });
    expect(cache.pagesOf(0)).toBe(513);
    // F = 5, D = 5: 5 + 4 * 5 / 2, but at most 2F.
    expect(shrink(0)).toEqual({ freed: 5, scanned: 10 });
    expect([cache.pagesOf(0), cache.freed_pages]).toEqual([0, 513]);
    machine.check();
  });

  test('pages that the owner frees are no longer there; half-gone ones take their missing objects along', () => {
    const { machine, cache, shrink } = cacheOf('A  r3 *.', {
      'shrinker.objects_per_page': 20,
      'shrinker.batch': 15,
    });
    expect(shrink(2)).toEqual({ freed: 30, scanned: 30 });
    machine.free(machine.pfn('A', 0, 1));
    expect(cache.pagesOf(0)).toBe(1);
    // Its ten missing objects are forgotten with it: F = 20, delta = 40, two batches, and 10 < F are left over.
    expect(shrink(0)).toEqual({ freed: 20, scanned: 30 });
    expect(cache.pagesOf(0)).toBe(0);
    machine.check();
  });

  test('new slabs join as the youngest, whatever superpageblock they are in; other requests are no slabs', () => {
    const { machine, cache, shrink } = cacheOf('A  r1 u1 *.', { ...SINGLE, 'shrinker.batch': 1 });
    const second = machine.alloc(SLAB);
    machine.alloc(GFP_KERNEL);
    expect(cache.pagesOf(0)).toBe(2);
    const gone: number[] = [];
    machine.mm.onReclaim = (pfn) => gone.push(pfn);
    shrink(0);
    expect(gone).toEqual([machine.pfn('A'), second]);
    machine.check();
  });
});

describe('pinned pages', () => {
  test('are looked at, stay, and go to the young end', () => {
    const { machine, cache, shrink } = cacheOf('A  r512 *.', { ...SINGLE, 'shrinker.pinned_permille': 250 });
    const gone: number[] = [];
    machine.mm.onReclaim = (pfn) => gone.push(pfn);
    // Twice all of them are looked at: only pinned ones are left, about a quarter.
    expect(shrink(0).scanned).toBe(1024);
    const left = cache.pagesOf(0);
    expect(left).toBeGreaterThan(90);
    expect(left).toBeLessThan(170);
    expect(gone).toHaveLength(512 - left);
    // They are pinned for good.
    expect(shrink(0).freed).toBe(0);
    expect(cache.pagesOf(0)).toBe(left);
    machine.check();
  });

  test.each([
    [0, 512],
    [1000, 0],
  ])('%i permille: %i pages come free', (permille, freed) => {
    const { cache, shrink } = cacheOf('A  r512 *.', { ...SINGLE, 'shrinker.pinned_permille': permille });
    shrink(0);
    expect(cache.freed_pages).toBe(freed);
  });

  test('a pinned page at the old end does not hold the objects of others back', () => {
    const { machine, shrink } = cacheOf('A  r512 *.', {
      ...SINGLE,
      'shrinker.pinned_permille': 500,
      'shrinker.batch': 16,
    });
    const freed = Array.from({ length: 8 }, () => shrink(4).freed);
    expect(freed.every((count) => count > 0)).toBe(true);
    machine.check();
  });
});

describe('who asks', () => {
  test('page reclaim shrinks slabs at its own priority, and counts the pages that came free', () => {
    const { machine, cache } = cacheOf('A  R *.', SINGLE);
    const control = {
      actor: 'direct' as const,
      cpu: 0,
      gfp: GFP_KERNEL,
      order: 0,
      highestZone: ZoneIndex.normal,
      priority: 2,
      may_swap: true,
      nr_to_reclaim: 32,
      nr_reclaimed: 0,
      nr_scanned: 0,
    };
    // 512 objects in one slab: 4 * 128 / 2 = 256 at priority 2, so that the slab stays; all of it at priority 0.
    expect(shrinkNode(machine.mm, machine.mm.nodes[0]!, control)).toBe(false);
    expect([cache.scanned_objects, control.nr_reclaimed]).toEqual([256, 0]);
    control.priority = 0;
    expect(shrinkNode(machine.mm, machine.mm.nodes[0]!, control)).toBe(true);
    expect(control.nr_reclaimed).toBe(512);
    machine.check();
  });

  test('shrinker.model = none: there is no cache, and nothing is shrunk', () => {
    const machine = new SpbMachine('A  R *.', { knobs: { 'shrinker.model': 'none' } });
    expect([machine.mm.slabObjects, machine.mm.shrinkers]).toEqual([null, null]);
  });
});
