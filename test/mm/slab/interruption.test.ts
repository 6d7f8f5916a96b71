/**
 * Operations that strike in the middle of others: while pages are fetched, and where locks are taken. Whoever is
 * interrupted must look again and hand out no slot twice.
 */
import { describe, expect, test } from 'vitest';
import { GFP_KERNEL } from '../../../src/mm/gfp.js';
import { flushCpuSlab } from '../../../src/mm/slab/flush-shrink.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { SLAB_DEBUG_FZPU } from '../../../src/mm/slab/slab-flags.js';
import { SlabLock, type SlabLockListener } from '../../../src/mm/slab/slab-interfaces.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { moved, type Place, Rig } from './support.js';

/** Remembers what is held; runs `at` each time something is taken, but not from inside itself. */
class Listener implements SlabLockListener {
  readonly held: string[] = [];
  readonly taken: string[] = [];
  at: (lock: SlabLock) => void = () => {};

  enter(lock: SlabLock, cache: KmemCache, index: number): void {
    const name = `${lock === SlabLock.cpu_slab ? 'cpu_slab' : 'list_lock'} ${cache.name} ${index}`;
    expect(this.held).not.toContain(name);
    this.held.push(name);
    this.taken.push(name);
    this.at(lock);
  }

  leave(lock: SlabLock, cache: KmemCache, index: number): void {
    const name = `${lock === SlabLock.cpu_slab ? 'cpu_slab' : 'list_lock'} ${cache.name} ${index}`;
    expect(this.held.pop()).toBe(name);
  }
}

test('an allocation while pages are fetched: its slab is displaced, and no slot is handed out twice', () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  let inner: Place | undefined;
  rig.pages.before = () => {
    rig.pages.before = () => {};
    inner = rig.alloc(cache);
  };
  let outer: Place | undefined;
  const counters = moved(cache, () => {
    outer = rig.alloc(cache);
  });
  expect(counters).toEqual({ alloc_slowpath: 2, alloc_slab: 2, cpuslab_flush: 1, deactivate_to_head: 1 });
  expect(inner!.slab).not.toBe(outer!.slab);
  expect(cache.cpuSlab[0]).toBe(outer!.slab);
  expect(cache.partial.slabs(0)).toEqual([inner!.slab]);
  validateSlabs(rig.slabs);
});

test('one that may not wait leaves the displaced slab to later, if somebody takes it over', () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  const later: number[][] = [];
  rig.slabs.deferred = {
    deactivateLater: (_cache, cpu, slab, freelist) => later.push([cpu, slab, freelist]),
    freeLater: () => undefined,
    barrier: () => undefined,
  };
  let inner: Place | undefined;
  rig.pages.before = () => {
    rig.pages.before = () => {};
    inner = rig.alloc(cache);
  };
  expect(moved(cache, () => rig.alloc(cache, 0, 0))).toEqual({
    alloc_slowpath: 2,
    alloc_slab: 2,
    cpuslab_flush: 1,
  });
  expect(later).toEqual([[0, inner!.slab, 1]]);
  validateSlabs(rig.slabs, { deferred: new Map([[inner!.slab, 1]]) });
});

test('a debug cache keeps its slot when another one is taken meanwhile', () => {
  const rig = new Rig();
  const cache = rig.cache(64, { flags: SLAB_DEBUG_FZPU });
  let inner: Place | undefined;
  rig.pages.before = () => {
    rig.pages.before = () => {};
    inner = rig.alloc(cache);
  };
  const outer = rig.alloc(cache)!;
  expect([inner!.slot, outer.slot, inner!.slab === outer.slab]).toEqual([0, 0, false]);
  // The later one was listed last, at the head.
  expect(cache.partial.slabs(0)).toEqual([outer.slab, inner!.slab]);
  validateSlabs(rig.slabs);
});

describe('locks', () => {
  test('are let go in the order in which they were taken, and named as the kernel does', () => {
    const rig = new Rig({ cpus: 2 });
    const cache = rig.cache(64);
    const listener = new Listener();
    rig.slabs.locks = listener;
    const places = rig.take(cache, 200);
    for (const place of places) rig.free(cache, place, 1);
    for (const cpu of [0, 1]) flushCpuSlab(rig.slabs, cache, cpu);
    expect(listener.held).toEqual([]);
    expect(new Set(listener.taken)).toEqual(
      new Set(['cpu_slab test-64 0', 'cpu_slab test-64 1', 'list_lock test-64 0']),
    );
  });

  test('are not taken on the fast path', () => {
    const rig = new Rig();
    const cache = rig.cache(64);
    rig.take(cache, 1);
    const listener = new Listener();
    rig.slabs.locks = listener;
    for (const place of rig.take(cache, 50)) rig.free(cache, place);
    expect(listener.taken).toEqual([]);
  });

  test('of the node stand outside of those of the CPU', () => {
    const rig = new Rig();
    const cache = rig.cache(64);
    const places = rig.take(cache, 64 * 4);
    rig.take(cache, 1);
    for (let i = 0; i < 4; i++) rig.free(cache, places[i * 64]!, 1);
    flushCpuSlab(rig.slabs, cache, 1);
    const listener = new Listener();
    rig.slabs.locks = listener;
    const inside: string[] = [];
    listener.at = (lock) => {
      if (lock === SlabLock.cpu_slab && listener.held.length > 1) inside.push(listener.held[0]!);
    };
    rig.alloc(cache, 2);
    expect(inside).toEqual(['list_lock test-64 0', 'list_lock test-64 0', 'list_lock test-64 0']);
  });

  test('a free that strikes where the local lock is about to be taken is seen', () => {
    const rig = new Rig();
    const cache = rig.cache(64);
    const places = rig.take(cache, 64);
    const listener = new Listener();
    rig.slabs.locks = listener;
    let strikes = 1;
    listener.at = () => {
      if (strikes-- > 0) rig.free(cache, places[7]!, 3);
    };
    // The slab was full; what the other CPU freed into it is found by the refill.
    expect(moved(cache, () => expect(rig.alloc(cache)).toEqual(places[7]))).toEqual({
      alloc_slowpath: 1,
      alloc_refill: 1,
      free_slowpath: 1,
      free_frozen: 1,
    });
    validateSlabs(rig.slabs);
  });
});

test('pages from the reserves serve one request and then only its like', () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  rig.pages.lastWasPfmemalloc = true;
  let place: Place | undefined;
  expect(
    moved(cache, () => {
      place = rig.alloc(cache);
    }),
  ).toEqual({ alloc_slowpath: 1, alloc_slab: 1, deactivate_to_head: 1 });
  rig.pages.lastWasPfmemalloc = false;
  const other = rig.alloc(cache, 1)!;
  expect(other.slab).not.toBe(place!.slab);
  const memalloc = GFP_KERNEL | 0x2_0000;
  expect(rig.alloc(cache, 2, memalloc)!.slab).toBe(place!.slab);
  validateSlabs(rig.slabs);
});
