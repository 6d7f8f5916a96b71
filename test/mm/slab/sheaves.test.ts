/** Sheaves, step by step: capacities, counters of single calls, calls from any context, and what strikes in between. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import { GFP_KERNEL } from '../../../src/mm/gfp.js';
import type { Policy } from '../../../src/mm/policy.js';
import { DeferredWork } from '../../../src/mm/slab/deferred.js';
import { destroyCache } from '../../../src/mm/slab/destroy.js';
import { flushCpuSlab, shrinkCache } from '../../../src/mm/slab/flush-shrink.js';
import { kfreeNolock } from '../../../src/mm/slab/kfree-nolock.js';
import { KmallocCaches } from '../../../src/mm/slab/kmalloc.js';
import { kmallocNolock } from '../../../src/mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { freesFromAnywhere } from '../../../src/mm/slab/sheaves/sheaf-free.js';
import { SLAB_DEBUG_FZPU, SLAB_KMALLOC, SLAB_NO_SHEAVES } from '../../../src/mm/slab/slab-flags.js';
import { SlabLock, type SlabLockListener } from '../../../src/mm/slab/slab-interfaces.js';
import { NO_SLAB } from '../../../src/mm/slab/slab-table.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { policyNamed } from '../policies.js';
import { moved, type Place, Rig } from './support.js';

const POLICY = policyNamed('mainline-7.2');

function rigWith(changes: Partial<Policy> = {}, cpus = 2, nodes = 1): Rig {
  return new Rig({ cpus, nodes, policy: { ...POLICY, ...changes } });
}

test.each([
  [8, 60],
  [192, 60],
  [248, 60],
  [256, 28],
  [704, 28],
  [1024, 12],
  [4088, 12],
  [4096, 4],
  [8192, 4],
])('sheaves of %i-byte slots hold %i objects', (bytes, capacity) => {
  expect(rigWith().cache(bytes).sheaves!.capacity).toBe(capacity);
});

test('a wish for larger sheaves counts, one for smaller ones does not', () => {
  const rig = rigWith();
  expect(rig.cache(256, { sheaf_capacity: 32 }).sheaves!.capacity).toBe(32);
  expect(rig.cache(256, { sheaf_capacity: 8 }).sheaves!.capacity).toBe(28);
  expect(rig.cache(256, { sheaf_capacity: 1_000_000 }).sheaves!.capacity).toBe((8192 - 32) / 8);
});

test('neither debug caches nor bootstrap caches have sheaves, and 6.18 has none', () => {
  const rig = rigWith();
  for (const flags of [SLAB_DEBUG_FZPU, SLAB_NO_SHEAVES]) {
    const cache = rig.cache(64, { flags });
    expect(cache.sheaves).toBeNull();
    const [place] = rig.take(cache, 1);
    rig.free(cache, place!);
    expect(moved(cache, () => rig.free(cache, rig.take(cache, 1)[0]!))).toEqual({
      alloc_slowpath: 1,
      free_slowpath: 1,
    });
  }
  expect(new Rig().cache(64).sheaves).toBeNull();
  validateSlabs(rig.slabs);
});

test('a first object fills a sheaf; the last object filled is the first handed out', () => {
  const rig = rigWith();
  const cache = rig.cache(64);
  const counters = moved(cache, () => expect(rig.take(cache, 1)[0]!.slot).toBe(59));
  expect(counters).toEqual({
    alloc_fastpath: 1,
    alloc_slab: 1,
    barn_get_fail: 1,
    sheaf_alloc: 1,
    sheaf_refill: 60,
  });
  expect(moved(cache, () => rig.take(cache, 59))).toEqual({ alloc_fastpath: 59 });
  // The second fill takes the four slots that are left, and the spare sheaf that the first one left behind.
  expect(moved(cache, () => rig.take(cache, 1))).toEqual({
    alloc_fastpath: 1,
    alloc_slab: 1,
    barn_get_fail: 1,
    sheaf_refill: 60,
  });
  expect(rig.slabs.table.count).toBe(2);
});

test('frees go to main, spare and barn, and from ten full sheaves on to slabs', () => {
  const rig = rigWith();
  const cache = rig.cache(4096);
  const places = rig.take(cache, 4 * 14);
  const free = (count: number) => () => {
    for (const place of places.splice(0, count)) rig.free(cache, place);
  };
  expect(moved(cache, free(8))).toEqual({ free_fastpath: 8 });
  expect(moved(cache, free(40))).toEqual({ free_fastpath: 40, barn_put: 10, sheaf_alloc: 10 });
  expect(cache.sheaves!.nr_full[0]).toBe(10);
  expect(moved(cache, free(4))).toMatchObject({ free_fastpath: 4, barn_put_fail: 1, sheaf_flush: 4 });
  // The other CPU of the node finds what this one has put there.
  expect(moved(cache, () => rig.take(cache, 4, 1))).toEqual({ alloc_fastpath: 4, barn_get: 1 });
  validateSlabs(rig.slabs);
});

test('an object of another node goes to its slab, and a wish for one comes from there', () => {
  const rig = rigWith({}, 2, 2);
  const cache = rig.cache(64);
  const [place] = rig.take(cache, 1, 0);
  expect(moved(cache, () => rig.free(cache, place!, 1))).toEqual({ free_slowpath: 1 });
  let remote: Place | undefined;
  const counters = moved(cache, () => {
    remote = rig.alloc(cache, 1, GFP_KERNEL, 0);
  });
  expect(counters).toEqual({ alloc_node_mismatch: 1, alloc_slowpath: 1 });
  expect(remote).toEqual(place);
});

test('flush, shrink and the end of a cache', () => {
  const rig = rigWith();
  const cache = rig.cache(4096);
  const places = rig.take(cache, 40);
  for (const place of places) rig.free(cache, place, 1);
  expect(moved(cache, () => flushCpuSlab(rig.slabs, cache, 1))).toMatchObject({
    sheaf_flush: 8,
    sheaf_free: 1,
  });
  expect(cache.sheaves!.nr_full[0]).toBe(8);
  shrinkCache(rig.slabs, cache, 0);
  expect(rig.slabs.table.count).toBe(0);
  validateSlabs(rig.slabs);
  const [kept] = rig.take(cache, 1);
  expect(destroyCache(rig.slabs, cache, 0)).toBe(1);
  rig.free(cache, kept!);
  expect(destroyCache(rig.slabs, cache, 0)).toBe(0);
  expect(cache.totals().sheaf_alloc).toBe(cache.totals().sheaf_free);
  expect(destroyCache(rig.slabs, cache, 0)).toBe(0);
  validateSlabs(rig.slabs);
});

test('sheaves are objects of the kmalloc caches, also of those that serve themselves', () => {
  const rig = rigWith();
  const kmalloc = new KmallocCaches(rig.slabs, { min_bytes: 8, hasMemcg: false });
  const home = kmalloc.cacheFor(512, 0)!;
  const cache = rig.cache(64);
  // The home cache has no objects yet; on behalf of a sheaf it is asked without one of its own.
  expect(moved(home, () => rig.take(cache, 1))).toEqual({
    alloc_fastpath: 1,
    alloc_slab: 2,
    barn_get_fail: 1,
    sheaf_alloc: 1,
    sheaf_refill: 28,
  });
  const sheaf = cache.sheaves!.main[0]!;
  expect(cache.sheaves!.homeSlab[sheaf]).not.toBe(NO_SLAB);
  const places = rig.take(home, 200);
  for (const place of places) rig.free(home, place);
  shrinkCache(rig.slabs, cache, 0);
  for (const one of rig.slabs.caches) shrinkCache(rig.slabs, one, 0);
  validateSlabs(rig.slabs);
});

test('without memory for another sheaf the main one is flushed', () => {
  const rig = rigWith();
  const cache = rig.cache(4096);
  const places = rig.take(cache, 16);
  const home = rig.cache(64, { name: 'home', flags: SLAB_NO_SHEAVES });
  for (const place of places.splice(0, 8)) rig.free(cache, place);
  rig.slabs.sheafMemory = { cacheFor: () => home };
  rig.pages.fails = () => true;
  const counters = moved(cache, () => rig.free(cache, places.pop()!));
  expect(counters).toMatchObject({ free_fastpath: 1, barn_put_fail: 1, sheaf_flush: 4 });
  const { main, spare, size } = cache.sheaves!;
  expect([size[main[0]!], size[spare[0]!]]).toEqual([1, 4]);
  validateSlabs(rig.slabs);
});

describe('from any context', () => {
  function nolockRig() {
    const rig = rigWith();
    const kmalloc = new KmallocCaches(rig.slabs, { min_bytes: 8, hasMemcg: false });
    const deferred = new DeferredWork(rig.slabs);
    rig.slabs.deferred = deferred;
    const hold = (...held: readonly (readonly [SlabLock, KmemCache])[]) => {
      rig.slabs.interrupted = {
        holds: (lock, cache) => held.some(([one, of]) => one === lock && of === cache),
      };
    };
    const nolock = (bytes: number) => kmallocNolock(kmalloc, 0, bytes, 0, -1, Context.nmi);
    const cacheOf = (slab: number) => rig.slabs.caches[rig.slabs.table.cache[slab]!]!.name;
    return { rig, kmalloc, deferred, hold, nolock, cacheOf };
  }

  test('below the local lock the object comes from the list or a new slab, of the right cache', () => {
    const { rig, kmalloc, hold, nolock, cacheOf } = nolockRig();
    const cache = kmalloc.cacheFor(64, 0)!;
    rig.take(cache, 1);
    hold([SlabLock.cpu_slab, cache]);
    expect(moved(cache, () => expect(cacheOf(nolock(64))).toBe('kmalloc-64'))).toEqual({ alloc_slowpath: 1 });
    rig.take(cache, 3);
    expect(moved(cache, () => expect(cacheOf(nolock(64))).toBe('kmalloc-64'))).toEqual({
      alloc_slowpath: 1,
      alloc_slab: 1,
    });
  });

  test('below list_lock too a new slab goes back at once, and the next cache serves', () => {
    const { rig, kmalloc, deferred, hold, nolock, cacheOf } = nolockRig();
    const cache = kmalloc.cacheFor(64, 0)!;
    hold([SlabLock.cpu_slab, cache], [SlabLock.list_lock, cache]);
    const counters = moved(cache, () => expect(cacheOf(nolock(64))).toBe('kmalloc-96'));
    expect(counters).toEqual({ alloc_slowpath: 1, alloc_slab: 1 });
    expect(rig.pages.freed.length).toBe(1);
    expect(deferred.isPending(0)).toBe(false);
    validateSlabs(rig.slabs);
  });

  test('no sheaf is filled, any failure leads to the next cache once, and 8k has none', () => {
    const { rig, kmalloc, nolock } = nolockRig();
    const cache = kmalloc.cacheFor(8192, 0)!;
    expect(moved(cache, () => expect(nolock(8192)).not.toBe(NO_SLAB))).toEqual({
      alloc_slowpath: 1,
      alloc_slab: 1,
      barn_get_fail: 1,
    });
    rig.pages.fails = () => true;
    rig.take(kmalloc.cacheFor(96, 0)!, 0);
    expect(nolock(64)).toBe(NO_SLAB);
    expect(kmalloc.cacheFor(96, 0)!.totals().alloc_slowpath).toBe(1);
    expect(kmalloc.cacheFor(128, 0)!.totals().alloc_slowpath).toBe(0);
  });

  test('kfree_nolock goes into the sheaf, and below the local lock or with full sheaves to later', () => {
    const { rig, kmalloc, deferred, hold } = nolockRig();
    const cache = kmalloc.cacheFor(4096, 0)!;
    const places = rig.take(cache, 8);
    const give = () => {
      const { slab, slot } = places.pop()!;
      return kfreeNolock(deferred, 0, slab, slot, Context.nmi);
    };
    hold([SlabLock.cpu_slab, cache]);
    expect(give()).toBe(false);
    rig.slabs.interrupted = null;
    expect([give(), give(), give(), give()]).toEqual([true, true, true, true]);
    // Main is full and the spare one empty: they change places without any memory.
    expect([give(), give(), give()]).toEqual([true, true, true]);
    expect(moved(cache, () => deferred.run(0))).toMatchObject({ free_slowpath: 1 });
    validateSlabs(rig.slabs);
  });

  test('a debug cache below list_lock gives its new slab back at once', () => {
    const rig = rigWith();
    const debug = new Map([['kmalloc-64', SLAB_DEBUG_FZPU]]);
    const kmalloc = new KmallocCaches(rig.slabs, { min_bytes: 8, hasMemcg: false }, debug);
    const cache = kmalloc.cacheFor(64, 0)!;
    rig.slabs.interrupted = { holds: (lock, of) => lock === SlabLock.list_lock && of === cache };
    const slab = kmallocNolock(kmalloc, 0, 64, 0, -1, Context.nmi);
    expect(rig.slabs.caches[rig.slabs.table.cache[slab]!]!.name).toBe('kmalloc-96');
    expect(rig.pages.freed.length).toBe(1);
    validateSlabs(rig.slabs);
  });
});

/** Strikes where locks are taken and left, with requests that may not wait, below whatever is held there. */
class Striker implements SlabLockListener {
  readonly held: string[] = [];
  #count = 0;
  #isStriking = false;

  constructor(
    readonly rig: Rig,
    readonly period: number,
    readonly strike: (n: number) => void,
  ) {}

  enter(lock: SlabLock, cache: KmemCache, index: number): void {
    const name = `${lock} ${cache.name} ${index}`;
    expect(this.held).not.toContain(name);
    this.held.push(name);
    this.#maybeStrike();
  }

  leave(lock: SlabLock, cache: KmemCache, index: number): void {
    expect(this.held.pop()).toBe(`${lock} ${cache.name} ${index}`);
    this.#maybeStrike();
  }

  #maybeStrike(): void {
    if (this.#isStriking || ++this.#count % this.period !== 0) return;
    const { slabs } = this.rig;
    const below = [...this.held];
    this.#isStriking = true;
    slabs.interrupted = { holds: (lock, cache, index) => below.includes(`${lock} ${cache.name} ${index}`) };
    this.strike(this.#count);
    slabs.interrupted = null;
    this.#isStriking = false;
  }
}

test('whatever strikes between two steps, no slot is lost or handed out twice, and no held lock is waited for', () => {
  const step = fc.tuple(fc.nat(9), fc.boolean(), fc.nat(0xffff));
  let strikes = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 50, maxLength: 400 }),
      fc.integer({ min: 1, max: 9 }),
      (steps, period) => {
        const rig = rigWith({
          'slab.sheaf_capacity': [4, 3, 2, 2],
          'slab.sheaf_header_bytes': 0,
          'slab.barn_full_sheaves': 2,
        });
        const home = rig.cache(192, { name: 'home', flags: SLAB_KMALLOC });
        const cache = rig.cache(1500, { name: 'cache' });
        rig.slabs.sheafMemory = { cacheFor: () => home };
        const live: { of: KmemCache; place: Place }[] = [];
        const take = (of: KmemCache, gfp: number) => {
          const place = rig.alloc(of, 0, gfp);
          if (place === undefined) return;
          expect(live.some((one) => one.place.slab === place.slab && one.place.slot === place.slot)).toBe(
            false,
          );
          live.push({ of, place });
        };
        rig.slabs.locks = new Striker(rig, period, (n) => {
          strikes++;
          if (n % 2 === 0) take(n % 3 === 0 ? home : cache, 0);
          else {
            const [one] = live.splice(n % Math.max(live.length, 1), 1);
            if (one === undefined) return;
            const { slab, slot } = one.place;
            if (!freesFromAnywhere(rig.slabs, one.of, 0, slab, slot)) live.push(one);
          }
        });
        for (const [kind, isHome, choice] of steps) {
          const of = isHome ? home : cache;
          if (kind < 4) take(of, GFP_KERNEL);
          else if (kind < 9) {
            const [one] = live.splice(choice % Math.max(live.length, 1), 1);
            if (one !== undefined) rig.free(one.of, one.place);
          } else if (choice % 3 === 0) shrinkCache(rig.slabs, of, 0);
          else flushCpuSlab(rig.slabs, of, 0);
        }
        rig.slabs.locks = null;
        validateSlabs(rig.slabs);
        for (const one of rig.slabs.caches)
          for (const { of, place } of live) if (of === one) rig.free(one, place);
        for (let round = 0; round < 3; round++)
          for (const one of rig.slabs.caches) shrinkCache(rig.slabs, one, 0);
        expect(cache.nr_slabs[0]).toBe(0);
        validateSlabs(rig.slabs);
      },
    ),
    { numRuns: 150, seed: 7_0 },
  );
  expect(strikes).toBeGreaterThan(5_000);
});
