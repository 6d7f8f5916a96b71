/**
 * What earlier versions got wrong, and what a later one does otherwise: each knob shown by a case that comes out
 * differently without it. model: slub 8
 */
import { describe, expect, test } from 'vitest';
import { machineFromSize } from '../../../src/config/machine-by-size.js';
import { Context } from '../../../src/mm/context.js';
import { InvariantError } from '../../../src/mm/invariant.js';
import { DEFAULT_BUILD } from '../../../src/mm/machine-build.js';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { setUpZones } from '../../../src/mm/page-alloc/zone-setup.js';
import { defaultPolicy, type Policy } from '../../../src/mm/policy.js';
import { DeferredWork } from '../../../src/mm/slab/deferred.js';
import { flushCpuSlab } from '../../../src/mm/slab/flush-shrink.js';
import { KmallocCaches } from '../../../src/mm/slab/kmalloc.js';
import { kmallocNolock } from '../../../src/mm/slab/kmalloc-nolock.js';
import { PageAllocatorPages } from '../../../src/mm/slab/page-allocator-pages.js';
import { SlabAllocator } from '../../../src/mm/slab/slab-allocator.js';
import { SlabLock } from '../../../src/mm/slab/slab-interfaces.js';
import { slabMachineOf } from '../../../src/mm/slab/slab-machine.js';
import { NO_SLAB } from '../../../src/mm/slab/slab-table.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { NolockRig } from './nolock-rig.js';
import { moved, type Place } from './support.js';

const DEBUG_64 = { slab_debug: 'FZPU,kmalloc-64' };

describe('a debug cache below its list_lock', () => {
  const loops: Partial<Policy> = { 'slab.debug_trylock_failure': 'another_slab' };

  test('gives up after one slab; before the fix it makes slabs without end', () => {
    const outcomes = [{}, loops].map((policy) => {
      const rig = new NolockRig({ policy: { ...policy, 'slab.debug_loop_limit': 500 }, build: DEBUG_64 });
      const cache = rig.named(64);
      rig.take(cache, 1);
      rig.held.add('list kmalloc-64');
      const stats = moved(cache, () => expect(rig.nolock(64)).toBeNull());
      rig.validate();
      return [stats.alloc_slab, rig.deferred.slabs[0]!.length, rig.slabs.hazards.count('debug_loop')];
    });
    expect(outcomes).toEqual([
      [1, 1, 0],
      [500, 500, 1],
    ]);
  });

  test('the loop ends where memory does, and the irq_work gives all of it back', () => {
    const mm = new PageAllocator(
      { ...machineFromSize({ memory_pages: 16_384, cpus: 1 }), build: { ...DEFAULT_BUILD, ...DEBUG_64 } },
      { ...defaultPolicy(), ...loops },
    );
    setUpZones(mm);
    bootFresh(mm);
    const slabs = new SlabAllocator(slabMachineOf(mm), mm.policy, new PageAllocatorPages(mm));
    const kmalloc = new KmallocCaches(slabs, { min_bytes: 8, hasMemcg: false });
    const deferred = new DeferredWork(slabs);
    slabs.deferred = deferred;
    slabs.interrupted = { holds: (lock) => lock === SlabLock.list_lock };
    const before = freePagesOf(mm);
    expect(kmallocNolock(kmalloc, 0, 64, 0, -1, Context.nmi)).toBe(NO_SLAB);
    const left = freePagesOf(mm);
    expect(deferred.waiting_slabs).toBeGreaterThan(5000);
    // Only what the min marks and the reserves of lower zones keep.
    expect(left).toBeLessThan(before / 3);
    expect(deferred.waiting_bytes).toBe((before - left) * 4096);
    validateSlabs(slabs, { deferred: deferred.waitingSlabs() });
    validate(mm);
    deferred.run(0);
    expect(freePagesOf(mm)).toBe(before);
    validate(mm);
    validateSlabs(slabs);
  });
});

describe('a new slab that no list took', () => {
  const drifts: Partial<Policy> = { 'slab.deferred_new_slab': 'deactivated' };

  function afterIrqWork(policy: Partial<Policy>, keeps: number) {
    const rig = new NolockRig({ policy, build: DEBUG_64 });
    const cache = rig.named(64);
    cache.min_partial = keeps;
    rig.take(cache, 1);
    rig.held.add('list kmalloc-64');
    rig.nolock(64);
    rig.held.clear();
    rig.deferred.run(0);
    return { rig, cache };
  }

  test('never counts; before the fix it counts when it goes, so nr_slabs drifts', () => {
    const { rig, cache } = afterIrqWork({}, 0);
    expect(cache.nr_slabs[0]).toBe(1);
    rig.validate();
    const drifted = afterIrqWork(drifts, 0);
    expect(drifted.cache.nr_slabs[0]).toBe(0);
    expect(() => drifted.rig.validate()).toThrow(InvariantError);
    expect(() => drifted.rig.validate()).toThrow(/nr_slabs 0, real 1/);
  });

  test('or it stays on the list uncounted', () => {
    const { rig, cache } = afterIrqWork(drifts, 5);
    expect([cache.nr_partial[0], cache.nr_slabs[0]]).toEqual([2, 1]);
    expect(() => rig.validate()).toThrow(/nr_slabs 1, real 2/);
  });

  test('SLUB_TINY drifts, too', () => {
    const [fixed, drifted] = [{}, drifts].map((policy) => {
      const rig = new NolockRig({ policy, build: { slub_tiny: true } });
      rig.take(rig.named(64), 1);
      rig.held.add('list kmalloc-64');
      rig.nolock(64);
      rig.deferred.run(0);
      return rig.named(64).nr_slabs[0];
    });
    expect([fixed, drifted]).toEqual([1, 0]);
  });
});

describe('random requests below locks that are taken at times', () => {
  interface Outcome {
    readonly invariant: string | null;
    readonly most_slabs_at_once: number;
  }

  /** Debug caches under a stream of requests from an NMI and of frees, as a machine would see them. */
  function stream(policy: Partial<Policy>, seed: number): Outcome {
    const rig = new NolockRig({
      policy: { 'slab.debug_loop_limit': 40, ...policy },
      build: { slab_debug: 'FZPU' },
    });
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    const out: Place[] = [];
    let most = 0;
    for (let step = 0; step < 400; step++) {
      rig.held.clear();
      if (random(4) === 0) rig.held.add('list kmalloc-64').add('list kmalloc-128');
      const before = rig.pages.requests.length;
      const what = random(10);
      if (what < 6) {
        const slab = kmallocNolock(rig.kmalloc, 0, random(2) === 0 ? 64 : 128, 0, -1, Context.nmi);
        if (slab >= 0) out.push({ slab, slot: rig.slabs.slot });
      } else if (what < 9 && out.length > 0) {
        rig.kfree(out.splice(random(out.length), 1)[0]!, true);
      } else {
        rig.held.clear();
        rig.deferred.run(0);
      }
      most = Math.max(most, rig.pages.requests.length - before);
      try {
        rig.validate();
      } catch (error) {
        if (!(error instanceof InvariantError)) throw error;
        return { invariant: error.message, most_slabs_at_once: most };
      }
    }
    return { invariant: null, most_slabs_at_once: most };
  }

  test.each([1, 2, 3, 4, 5])(
    'seed %i: nothing with both fixes, the loop without one, the drift without the other',
    (seed) => {
      expect(stream({}, seed)).toEqual({ invariant: null, most_slabs_at_once: 1 });
      expect(stream({ 'slab.debug_trylock_failure': 'another_slab' }, seed)).toEqual({
        invariant: null,
        most_slabs_at_once: 40,
      });
      expect(stream({ 'slab.deferred_new_slab': 'deactivated' }, seed).invariant).toMatch(
        /nr_slabs \d+, real \d+/,
      );
    },
  );
});

describe('objects left with their slab', () => {
  const policy: Partial<Policy> = { 'slab.deferred_objects': 'per_slab' };

  /** Slabs that a machine ends up with which frees everything at once, again and again. */
  function slabsAfterRounds(knobs: Partial<Policy>): number {
    const rig = new NolockRig({ policy: knobs });
    const cache = rig.named(64);
    for (let round = 0; round < 20; round++) {
      for (const place of rig.take(cache, 128)) rig.kfree(place);
      rig.deferred.run(0);
    }
    return cache.nr_slabs[0]!;
  }

  test('full slabs are never looked at again, and memory runs out', () => {
    const [global, perSlab] = [{}, policy].map(slabsAfterRounds);
    expect(global).toBeLessThan(5);
    expect(perSlab).toBeGreaterThanOrEqual(20);
  });

  test('no irq_work is queued; a free into the slab takes all along', () => {
    const rig = new NolockRig({ policy });
    const cache = rig.named(64);
    const places = rig.take(cache, 65);
    for (const place of places.slice(0, 10)) rig.kfree(place);
    expect([rig.deferred.queued, rig.deferred.waiting_objects]).toEqual([0, 10]);
    expect(rig.deferred.bySlab!.slots(places[0]!.slab)).toEqual(
      places
        .slice(0, 10)
        .map(({ slot }) => slot)
        .reverse(),
    );
    expect(moved(cache, () => rig.free(cache, places[10]!))).toEqual({
      free_slowpath: 2,
      cpu_partial_free: 1,
    });
    expect([rig.deferred.waiting_objects, rig.slabs.table.inuse[places[0]!.slab]]).toEqual([0, 53]);
    rig.validate();
  });

  test('so does the CPU that has the slab when its private list is empty, and one that takes it from a list', () => {
    const rig = new NolockRig({ policy });
    const cache = rig.named(64);
    const places = rig.take(cache, 64);
    rig.held.add('LL kmalloc-64');
    rig.kfree(places[3]!, true);
    rig.held.clear();
    expect(rig.alloc(cache)).toEqual(places[3]);
    rig.take(cache, 1);
    rig.free(cache, places[0]!);
    flushCpuSlab(rig.slabs, cache, 0);
    rig.kfree(places[5]!);
    expect(rig.deferred.waiting_objects).toBe(1);
    // First the slab that the flush left at the head, then the other one.
    for (let i = 0; i < 65; i++) rig.alloc(cache);
    expect(rig.deferred.waiting_objects).toBe(0);
    rig.validate();
  });

  test('what waits with a slab from the list is there before its freelist is taken', () => {
    const rig = new NolockRig({ policy });
    const cache = rig.named(64);
    const places = rig.take(cache, 64);
    flushCpuSlab(rig.slabs, cache, 0);
    rig.free(cache, places[0]!);
    flushCpuSlab(rig.slabs, cache, 0);
    rig.kfree(places[5]!);
    expect(moved(cache, () => rig.take(cache, 2))).toEqual({
      alloc_slowpath: 1,
      alloc_from_partial: 1,
      alloc_fastpath: 1,
      free_slowpath: 1,
    });
  });
});

describe('the next larger cache', () => {
  const cases = [
    ['none', null, null],
    ['busy', 'kmalloc-96', null],
    ['any_failure', 'kmalloc-96', 'kmalloc-96'],
  ] as const;

  test.each(cases)('%s: below the local lock %s, without memory %s', (retry, busy, noMemory) => {
    const rig = new NolockRig({ policy: { 'slab.nolock_retry': retry } });
    rig.take(rig.named(96), 1);
    rig.held.add('LL kmalloc-64');
    expect(rig.nolock(64)).toBe(busy);
    rig.held.clear();
    rig.pages.fails = () => true;
    expect(rig.nolock(64)).toBe(noMemory);
    // Once only.
    expect(rig.nolock(32)).toBeNull();
  });
});

function freePagesOf(mm: PageAllocator): number {
  return mm.zones.reduce(
    (sum, zone) =>
      zone.pcps.reduce((pages, pcp) => pages + pcp.nr_free_diff + pcp.count, sum + zone.nr_free_pages),
    0,
  );
}
