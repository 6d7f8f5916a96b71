/** kmalloc_nolock() and kfree_nolock(): the scenarios of the model's description, by number. model: slub 3, 4, 9 */
import { describe, expect, test } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import { flushCpuSlab } from '../../../src/mm/slab/flush-shrink.js';
import { kmallocNolock, ZERO_SIZE } from '../../../src/mm/slab/kmalloc-nolock.js';
import { SLAB_DEBUG_FZPU } from '../../../src/mm/slab/slab-flags.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { NolockRig } from './nolock-rig.js';
import { moved, type Place } from './support.js';

test('no bytes get the pointer for none, and more than the largest cache holds get none', () => {
  const rig = new NolockRig();
  rig.held.add('LL kmalloc-8');
  expect([rig.nolock(0), rig.nolock(8192), rig.nolock(8193)]).toEqual([ZERO_SIZE, 'kmalloc-8k', null]);
});

describe('a local lock is held', () => {
  test('14: in an NMI the next cache serves even if the private list has slots; no counter moves', () => {
    const rig = new NolockRig();
    rig.take(rig.named(64), 1);
    rig.held.add('LL kmalloc-64');
    let got: unknown;
    expect(
      moved(rig.named(64), () => {
        got = rig.nolock(64);
      }),
    ).toEqual({});
    expect(got).toBe('kmalloc-96');
  });

  test('called directly a private slot is taken all the same; without one the next cache serves', () => {
    const rig = new NolockRig();
    rig.held.add('LL kmalloc-64');
    expect(rig.nolock(64, false)).toBe('kmalloc-96');
    rig.take(rig.named(64), 1);
    expect(rig.nolock(64, false)).toBe('kmalloc-64');
  });

  test('15: nothing is larger than 8k', () => {
    const rig = new NolockRig();
    rig.held.add('LL kmalloc-8k');
    expect(rig.nolock(5000)).toBeNull();
    rig.held.clear();
    rig.held.add('LL kmalloc-4k');
    expect(rig.nolock(3000)).toBe('kmalloc-8k');
  });

  test('16: of two only one is passed over', () => {
    const rig = new NolockRig();
    rig.held.add('LL kmalloc-64').add('LL kmalloc-96');
    expect([rig.nolock(60), rig.nolock(90), rig.nolock(100)]).toEqual([null, 'kmalloc-128', 'kmalloc-128']);
  });

  test.each([
    [8, 16],
    [16, 32],
    [32, 64],
    [64, 96],
    [96, 128],
    [128, 192],
    [192, 256],
    [256, 512],
    [512, 1024],
    [1024, 2048],
    [2048, 4096],
    [4096, 8192],
  ])('%i is followed by %i', (bytes, next) => {
    const rig = new NolockRig();
    rig.held.add(`LL ${rig.named(bytes).name}`);
    expect(rig.nolock(bytes)).toBe(rig.named(next).name);
  });
});

test('17: no memory is no reason to try another cache', () => {
  const rig = new NolockRig();
  rig.take(rig.named(96), 1);
  rig.pages.fails = () => true;
  expect(rig.nolock(64)).toBeNull();
  expect(rig.pages.requests.slice(-2).map(({ noSpin }) => noSpin)).toEqual([true, true]);
  expect(rig.nolock(96)).toBe('kmalloc-96');
});

test('18: with list_lock held a new slab is made although the list is long', () => {
  const rig = new NolockRig();
  const cache = rig.named(64);
  const places = rig.take(cache, 64 * 7);
  flushCpuSlab(rig.slabs, cache, 0);
  for (let i = 0; i < 7; i++) rig.free(cache, places[i * 64]!, 1);
  flushCpuSlab(rig.slabs, cache, 1);
  const before = [cache.nr_partial[0], cache.nr_slabs[0]];
  expect(before).toEqual([7, 7]);
  rig.held.add('list kmalloc-64');
  expect(moved(cache, () => rig.nolock(64))).toEqual({ alloc_slowpath: 1, alloc_slab: 1 });
  expect([cache.nr_partial[0], cache.nr_slabs[0]]).toEqual([7, 8]);
  // One that may wait is not below the holder of the lock and gets it.
  expect(moved(cache, () => rig.take(cache, 1, 2))).toMatchObject({ alloc_from_partial: 1 });
  rig.validate();
});

test('19: a wish for another node is forgotten', () => {
  const rig = new NolockRig({ cpus: 2, nodes: 2 });
  const cache = rig.named(64);
  rig.take(cache, 1);
  expect(moved(cache, () => rig.nolock(64, true, 1))).toEqual({ alloc_slowpath: 1 });
  expect(cache.nr_slabs[1]).toBe(0);
});

describe('kfree_nolock', () => {
  test("21: a slot of this CPU's slab is free at once", () => {
    const rig = new NolockRig();
    const cache = rig.named(64);
    const [place] = rig.take(cache, 1);
    expect(moved(cache, () => expect(rig.kfree(place!)).toBe(true))).toEqual({ free_fastpath: 1 });
    expect(rig.deferred.isPending(0)).toBe(false);
  });

  test('22: any other is left to later, and no counter moves until then', () => {
    const rig = new NolockRig();
    const cache = rig.named(64);
    const places = rig.take(cache, 65);
    expect(moved(cache, () => expect(rig.kfree(places[0]!)).toBe(false))).toEqual({});
    expect(rig.deferred.objects[0]).toHaveLength(1);
    expect(moved(cache, () => rig.deferred.run(0))).toEqual({ free_slowpath: 1, cpu_partial_free: 1 });
    rig.validate();
  });

  test('in an NMI that holds the local lock a slot of the own slab is left to later, too', () => {
    const rig = new NolockRig();
    const cache = rig.named(64);
    const places = rig.take(cache, 2);
    rig.held.add('LL kmalloc-64');
    expect([rig.kfree(places[0]!, true), rig.kfree(places[1]!)]).toEqual([false, true]);
    expect(moved(cache, () => rig.deferred.run(0))).toEqual({ free_slowpath: 1, free_frozen: 1 });
  });

  test('23: a thousand are one piece of work, newest first', () => {
    const rig = new NolockRig();
    const cache = rig.named(64);
    const places = rig.take(cache, 1000);
    flushCpuSlab(rig.slabs, cache, 0);
    for (const place of places) expect(rig.kfree(place)).toBe(false);
    expect(rig.deferred.queued).toBe(1);
    expect(moved(cache, () => rig.deferred.run(0))).toMatchObject({ free_slowpath: 1000 });
    // Each went to the head of its slab's list, so the first one freed stands there.
    const { slab } = places[0]!;
    const { table } = rig.slabs;
    const inOrder = places.filter((place) => place.slab === slab).map(({ slot }) => slot);
    expect(inOrder).toHaveLength(64);
    expect(table.slotsFrom(slab, table.freelist[slab]!)).toEqual(inOrder);
    rig.kfree(rig.take(cache, 1)[0]!);
    expect(rig.deferred.isPending(0)).toBe(false);
    rig.validate();
  });

  test('24: what waits counts as in use', () => {
    const rig = new NolockRig();
    const cache = rig.named(64);
    const places = rig.take(cache, 65).slice(0, 64);
    for (const place of places) rig.kfree(place);
    const { slab } = places[0]!;
    expect([rig.slabs.table.inuse[slab], cache.nr_slabs[0], rig.pages.freed]).toEqual([64, 2, []]);
    const handedOut = rig.take(cache, 64);
    expect(handedOut.some((place) => place.slab === slab)).toBe(false);
    rig.deferred.barrier();
    expect(rig.slabs.table.inuse[slab]).toBe(0);
    rig.validate();
  });
});

test('26: a debug cache with list_lock held: a slab for nothing, freed later, and never counted', () => {
  const rig = new NolockRig({}, new Map([['kmalloc-64', SLAB_DEBUG_FZPU]]));
  const cache = rig.named(64);
  rig.take(cache, 1);
  rig.held.add('list kmalloc-64');
  expect(moved(cache, () => expect(rig.nolock(64)).toBeNull())).toEqual({ alloc_slowpath: 1, alloc_slab: 1 });
  expect([rig.deferred.slabs[0]!.length, cache.nr_slabs[0], rig.pages.freed.length]).toEqual([1, 1, 0]);
  rig.validate();
  expect(moved(cache, () => rig.deferred.run(0))).toEqual({});
  expect([cache.nr_slabs[0], rig.pages.freed]).toEqual([1, [expect.objectContaining({ order: 1 })]]);
  rig.validate();
  rig.held.clear();
  expect(moved(cache, () => expect(rig.nolock(64)).toBe('kmalloc-64'))).toEqual({ alloc_slowpath: 1 });
});

test('a slab that came in while pages were fetched is put away later, by the same work as objects', () => {
  const rig = new NolockRig();
  const cache = rig.named(64);
  rig.pages.before = () => {
    rig.pages.before = () => {};
    rig.nolock(64);
  };
  expect(moved(cache, () => rig.nolock(64))).toMatchObject({ cpuslab_flush: 1, alloc_slab: 2 });
  const [object] = rig.take(rig.named(96), 43);
  rig.take(rig.named(96), 1);
  rig.kfree(object!);
  expect([rig.deferred.queued, rig.deferred.slabs[0]!.length]).toEqual([1, 1]);
  rig.validate();
  expect(moved(cache, () => rig.deferred.run(0))).toEqual({ deactivate_to_head: 1 });
  rig.validate();
});

test('39: slots handed out, free and waiting are all slots, whatever is held', () => {
  const rig = new NolockRig();
  const out: Place[] = [];
  const locks = ['LL kmalloc-64', 'LL kmalloc-96', 'list kmalloc-64', 'list kmalloc-96'];
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const waiting = new Set<string>();
  for (let step = 0; step < 4000; step++) {
    rig.held.clear();
    for (const lock of locks) if (random(4) === 0) rig.held.add(lock);
    if (random(100) < 55) {
      const slab = kmallocNolock(
        rig.kmalloc,
        0,
        1 + random(96),
        0,
        -1,
        random(2) === 0 ? Context.nmi : Context.task,
      );
      if (slab >= 0) out.push({ slab, slot: rig.slabs.slot });
    } else if (out.length > 0) {
      const [place] = out.splice(random(out.length), 1);
      if (!rig.kfree(place!, random(2) === 0)) waiting.add(`${place!.slab} ${place!.slot}`);
    }
    if (random(50) === 0) {
      rig.held.clear();
      rig.deferred.run(0);
      waiting.clear();
    }
    if (step % 100 !== 0) continue;
    const live = new Set(out.map(({ slab, slot }) => `${slab} ${slot}`));
    validateSlabs(rig.slabs, {
      deferred: rig.deferred.waitingSlabs(),
      isLive: (slab, slot) => live.has(`${slab} ${slot}`) || waiting.has(`${slab} ${slot}`),
    });
  }
  expect(out.length).toBeGreaterThan(100);
});
