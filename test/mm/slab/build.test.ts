/** Kernels that are built otherwise: their scenarios by number. model: slub 3.6, 9 */
import { describe, expect, test } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import { GFP_KERNEL, GFP_RECLAIMABLE_BIT, GFP_ZERO_BIT } from '../../../src/mm/gfp.js';
import type { MachineBuild } from '../../../src/mm/machine-build.js';
import { comesZeroed } from '../../../src/mm/page-alloc/nolock.js';
import { ObjectArray, slabAllocBulk, slabFreeBulk } from '../../../src/mm/slab/bulk.js';
import { flushCpuSlab } from '../../../src/mm/slab/flush-shrink.js';
import { kfreeNolock, kfreeNolockLarge, noteMixedFree } from '../../../src/mm/slab/kfree-nolock.js';
import { kfreeLarge, kmallocLarge } from '../../../src/mm/slab/kmalloc.js';
import { KMALLOC_SIZES } from '../../../src/mm/slab/kmalloc-caches.js';
import { kmallocNolock } from '../../../src/mm/slab/kmalloc-nolock.js';
import { MergedCaches } from '../../../src/mm/slab/merge.js';
import { allocObject, freeObject } from '../../../src/mm/slab/object-calls.js';
import type { SlabAllocator } from '../../../src/mm/slab/slab-allocator.js';
import { SLAB_RECLAIM_ACCOUNT } from '../../../src/mm/slab/slab-flags.js';
import { NO_SLAB } from '../../../src/mm/slab/slab-table.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { NolockRig } from './nolock-rig.js';
import { isForThisNode, moved, type Place, Rig, type RigOptions } from './support.js';

const { task, softirq, hardirq, nmi } = Context;

test('20: objects come zeroed only if the request says so', () => {
  expect([comesZeroed(0), comesZeroed(GFP_ZERO_BIT)]).toEqual([false, true]);
  expect(comesZeroed(GFP_KERNEL)).toBe(false);
});

test('25: kfree_nolock of a large object warns once, and its pages stay', () => {
  const rig = new NolockRig();
  const pfns = [1, 2].map(() => kmallocLarge(rig.slabs, 0, 16_384, GFP_KERNEL, -1));
  expect(rig.slabs.hazards.warnings).toBe(0);
  kfreeNolockLarge(rig.slabs, 2);
  kfreeNolockLarge(rig.slabs, 2);
  const { hazards } = rig.slabs;
  expect([hazards.warnings, hazards.count('large_kfree_nolock'), hazards.leaked_pages]).toEqual([1, 2, 8]);
  expect([rig.pages.freed, rig.slabs.large_pages[0]]).toEqual([[], 8]);
  validateSlabs(rig.slabs);
  kfreeLarge(rig.slabs, 0, pfns[0]!, 2);
  expect(rig.slabs.large_pages[0]).toBe(4);
});

test.each([
  [false, [1, 1]],
  [true, [1, 0]],
])('objects freed by the other call are counted; kfree takes all: %s', (takesNolock, expected) => {
  const { slabs } = new Rig({ policy: { 'slab.kfree_takes_nolock': takesNolock } });
  noteMixedFree(slabs, true, true);
  noteMixedFree(slabs, false, false);
  noteMixedFree(slabs, false, true);
  noteMixedFree(slabs, true, false);
  const { hazards } = slabs;
  expect([hazards.count('kfree_nolock_of_kmalloc'), hazards.count('kfree_of_kmalloc_nolock')]).toEqual(
    expected,
  );
});

describe('27: a processor without the wide compare-and-exchange', () => {
  const build = { cmpxchg_double: false };

  test('kmalloc_nolock never has an object, whatever its size; kmalloc has', () => {
    const rig = new NolockRig({ build });
    for (const bytes of KMALLOC_SIZES) {
      rig.take(rig.named(bytes), 1);
      expect(rig.nolock(bytes, false), `${bytes}`).toBeNull();
    }
  });

  test('debug caches serve all the same', () => {
    const rig = new NolockRig({ build: { ...build, slab_debug: 'FZPU' } });
    for (const bytes of KMALLOC_SIZES) expect(rig.nolock(bytes)).toBe(rig.named(bytes).name);
    rig.validate();
  });

  test('only the caches that the boot line names do', () => {
    const rig = new NolockRig({ build: { ...build, slab_debug: 'Z,kmalloc-64' } });
    expect([rig.nolock(64), rig.nolock(96)]).toEqual(['kmalloc-64', null]);
  });
});

describe('28: PREEMPT_RT', () => {
  const build = { preempt_rt: true };

  test('hardirqs and NMIs get nothing: they are not busy, and nothing is deferred', () => {
    const rig = new NolockRig({ build });
    const cache = rig.named(64);
    rig.take(cache, 1);
    const stats = moved(cache, () => {
      expect([hardirq, nmi].map((context) => rig.nolockFrom(context, 64))).toEqual([null, null]);
    });
    expect([stats, rig.deferred.queued, moved(rig.named(96), () => {})]).toEqual([{}, 0, {}]);
    expect([task, softirq].map((context) => rig.nolockFrom(context, 64))).toEqual([
      'kmalloc-64',
      'kmalloc-64',
    ]);
  });

  test('a task that has the local lock gets the next cache, even if the private list has slots', () => {
    const rig = new NolockRig({ build });
    rig.take(rig.named(64), 1);
    rig.held.add('LL kmalloc-64');
    expect(rig.nolock(64, false)).toBe('kmalloc-96');
    rig.held.add('LL kmalloc-96');
    expect(rig.nolock(64, false)).toBeNull();
  });

  test('a lock that another task has is waited for', () => {
    const rig = new NolockRig({ build });
    rig.heldByOthers.add('kmalloc-64');
    expect(rig.nolock(64, false)).toBe('kmalloc-64');
    expect([rig.slabs.rt_lock_waits, rig.slabs.hazards.count('rt_sleeping_lock')]).toEqual([1, 0]);
    rig.nolock(96, false);
    expect(rig.slabs.rt_lock_waits).toBe(1);
  });

  test('every allocation takes the slow path, frees into the own slab are fast under the lock', () => {
    const rig = new Rig({ build });
    const cache = rig.cache(64);
    const locks: string[] = [];
    rig.slabs.locks = { enter: (lock) => locks.push(`+${lock}`), leave: (lock) => locks.push(`-${lock}`) };
    let places: Place[] = [];
    expect(
      moved(cache, () => {
        places = rig.take(cache, 65);
      }),
    ).toEqual({ alloc_slowpath: 65, alloc_slab: 2, deactivate_bypass: 1 });
    locks.length = 0;
    expect(moved(cache, () => rig.free(cache, places[64]!))).toEqual({ free_fastpath: 1 });
    expect(locks).toEqual(['+0', '-0']);
    expect(moved(cache, () => rig.free(cache, places[0]!))).toMatchObject({ free_slowpath: 1 });
    validateSlabs(rig.slabs);
  });

  test('a slab that goes while the lock is waited for is freed into the slow way', () => {
    const rig = new Rig({ build });
    const cache = rig.cache(64);
    const [place] = rig.take(cache, 2);
    let strikes = 1;
    rig.slabs.locks = {
      enter: () => {
        if (strikes-- > 0) flushCpuSlab(rig.slabs, cache, 0);
      },
      leave: () => undefined,
    };
    expect(moved(cache, () => rig.free(cache, place!))).toMatchObject({ free_slowpath: 1, cpuslab_flush: 1 });
    validateSlabs(rig.slabs);
  });

  test('kfree_nolock: the own slab under the lock, left to later where the task has that', () => {
    const rig = new NolockRig({ build });
    const cache = rig.named(64);
    const places = rig.take(cache, 66);
    expect(moved(cache, () => expect(rig.kfree(places[65]!)).toBe(true))).toEqual({ free_fastpath: 1 });
    rig.held.add('LL kmalloc-64');
    expect([rig.kfree(places[64]!), rig.kfree(places[0]!)]).toEqual([false, false]);
    rig.held.clear();
    rig.deferred.run(0);
    rig.validate();
    expect(rig.slabs.hazards.count('rt_sleeping_lock')).toBe(0);
  });

  test('from hardirqs, NMIs and below raw locks a sleeping lock is a hazard', () => {
    const rig = new NolockRig({ build });
    const places = rig.take(rig.named(64), 70);
    const sleeping = () => rig.slabs.hazards.count('rt_sleeping_lock');
    expect([hardirq, nmi].map((context, i) => rig.kfreeFrom(context, places[64 + i]!))).toEqual([true, true]);
    expect(sleeping()).toBe(2);
    // Slots of other slabs are left to later before any lock is asked for.
    rig.kfreeFrom(nmi, places[0]!);
    expect(sleeping()).toBe(2);
    rig.slabs.mayPreempt = false;
    rig.kfree(places[66]!);
    expect([rig.nolock(64, false), sleeping()]).toEqual(['kmalloc-64', 4]);
  });

  test('the later test refuses all that must not sleep', () => {
    const rig = new NolockRig({ build, policy: { 'slab.nolock_rt_test': 'not_preemptible' } });
    rig.slabs.mayPreempt = false;
    expect([task, softirq, hardirq, nmi].map((context) => rig.nolockFrom(context, 64))).toEqual([
      null,
      null,
      null,
      null,
    ]);
    rig.slabs.mayPreempt = true;
    expect(rig.nolockFrom(task, 64)).toBe('kmalloc-64');
    expect(rig.slabs.hazards.count('rt_sleeping_lock')).toBe(0);
  });
});

describe('one processor', () => {
  const up = { cpus: 1, build: { smp: false } };

  test('no chains: they need SMP', () => {
    expect(new Rig(up).cache(64).hasCpuPartial).toBe(false);
    expect(new Rig({ cpus: 1 }).cache(64).hasCpuPartial).toBe(true);
  });

  test('a trylock of a taken list_lock succeeds; the local lock is still found taken', () => {
    const [smp, rig] = [new NolockRig({ cpus: 1 }), new NolockRig(up)];
    const outcome = ([smp, rig] as const).map((each) => {
      const cache = each.named(64);
      const places = each.take(cache, 64 * 2);
      flushCpuSlab(each.slabs, cache, 0);
      each.free(cache, places[0]!);
      flushCpuSlab(each.slabs, cache, 0);
      each.held.add('list kmalloc-64');
      const stats = moved(cache, () => each.nolock(64));
      each.held.add('LL kmalloc-64');
      return [stats.alloc_slab ?? 0, each.nolock(64), each.slabs.hazards.count('up_trylock')];
    });
    expect(outcome).toEqual([
      [1, 'kmalloc-96', 0],
      [0, 'kmalloc-96', 1],
    ]);
  });

  test('fixed, NMIs get nothing; others still do', () => {
    const rig = new NolockRig({ ...up, policy: { 'nolock.up_nmi': 'refused' } });
    expect([task, softirq, hardirq, nmi].map((context) => rig.nolockFrom(context, 64))).toEqual([
      'kmalloc-64',
      'kmalloc-64',
      'kmalloc-64',
      null,
    ]);
    // It is the build that decides, not the number of CPUs.
    expect(new NolockRig({ cpus: 1, policy: { 'nolock.up_nmi': 'refused' } }).nolock(64)).toBe('kmalloc-64');
  });
});

describe('SLUB_TINY', () => {
  const build = { slub_tiny: true };

  test('geometry: orders up to 1, nothing kept back', () => {
    const rig = new Rig({ build });
    const caches = [64, 1024, 2048, 8192].map((bytes) => rig.cache(bytes));
    expect(caches.map(({ geometry: { order, objects } }) => `${order}/${objects}`)).toEqual([
      '0/64',
      '1/8',
      '1/4',
      '1/1',
    ]);
    expect(caches.map(({ min_partial, cpu_partial_slabs }) => [min_partial, cpu_partial_slabs])).toEqual(
      caches.map(() => [0, 0]),
    );
  });

  test('reclaimable objects have no caches of their own', () => {
    const rig = new NolockRig({ build });
    expect(rig.kmalloc.cacheFor(64, GFP_KERNEL | GFP_RECLAIMABLE_BIT)).toBe(rig.named(64));
    expect(rig.cache(64, { flags: SLAB_RECLAIM_ACCOUNT }).geometry.flags & SLAB_RECLAIM_ACCOUNT).toBe(0);
  });

  test('CPUs have no slab: slots go singly under list_lock, and an empty slab goes back at once', () => {
    const rig = new Rig({ build });
    const cache = rig.cache(64);
    const places = rig.take(cache, 65);
    expect([cache.cpuSlab[0], cache.nr_partial[0], cache.nr_slabs[0]]).toEqual([NO_SLAB, 1, 2]);
    expect([cache.isDebug, rig.slabs.table.inuse[places[0]!.slab]]).toEqual([false, 64]);
    rig.free(cache, places[64]!);
    expect([cache.nr_slabs[0], rig.pages.freed.length]).toEqual([1, 1]);
    for (const place of places.slice(0, 64)) rig.free(cache, place, 3);
    expect([cache.nr_slabs[0], rig.slabs.table.count]).toEqual([0, 0]);
    expect(cache.total(1)).toBe(0);
    validateSlabs(rig.slabs);
  });

  test('a wish for a node is not tried on that node alone first', () => {
    const rig = new Rig({ cpus: 2, nodes: 2, build });
    rig.pages.fails = () => true;
    expect(rig.alloc(rig.cache(64), 0, GFP_KERNEL, 1)).toBeUndefined();
    expect(rig.pages.requests.filter(isForThisNode)).toEqual([]);
    const usual = new Rig({ cpus: 2, nodes: 2 });
    usual.pages.fails = () => true;
    usual.alloc(usual.cache(64), 0, GFP_KERNEL, 1);
    expect(usual.pages.requests.filter(isForThisNode)).not.toEqual([]);
  });

  test('bulk calls', () => {
    const rig = new Rig({ build });
    const cache = rig.cache(64);
    const objects = new ObjectArray(100);
    expect(slabAllocBulk(rig.slabs, cache, 0, GFP_KERNEL, 100, objects)).toBe(100);
    validateSlabs(rig.slabs);
    slabFreeBulk(rig.slabs, cache, 0, objects, 100);
    expect([cache.nr_slabs[0], rig.slabs.table.count]).toEqual([0, 0]);
  });

  test('kmalloc_nolock is never busy; a taken list_lock leaves the new slab to later', () => {
    const rig = new NolockRig({ build });
    const cache = rig.named(64);
    rig.held.add('LL kmalloc-64');
    expect(rig.nolock(64)).toBe('kmalloc-64');
    rig.held.add('list kmalloc-64');
    expect([rig.nolock(64), rig.deferred.slabs[0]!.length, cache.nr_slabs[0]]).toEqual([null, 1, 1]);
    rig.validate();
    rig.deferred.run(0);
    expect([rig.pages.freed.length, cache.nr_slabs[0]]).toEqual([1, 1]);
    rig.validate();
  });

  test('kfree_nolock always leaves it to later', () => {
    const rig = new NolockRig({ build });
    const [place] = rig.take(rig.named(64), 1);
    expect(rig.kfree(place!)).toBe(false);
    rig.deferred.run(0);
    expect(rig.slabs.table.count).toBe(0);
  });
});

describe('merging', () => {
  function caches(build: Partial<MachineBuild>) {
    const rig = new Rig({ build });
    const merged = new MergedCaches(rig.slabs);
    const spec = { align_bytes: 0, flags: 0, hasConstructor: false, object_size_bytes: 192 };
    return ['first', 'second', 'third'].map((name) => merged.create({ ...spec, name }).name);
  }

  test('slab_nomerge keeps each cache to itself', () => {
    expect(caches({})).toEqual(['first', 'first', 'first']);
    expect(caches({ slab_merge: false })).toEqual(['first', 'second', 'third']);
  });

  test('so does debugging, for the caches that the boot line names', () => {
    expect(caches({ slab_debug: 'P,second' })).toEqual(['first', 'second', 'first']);
    expect(caches({ slab_debug: 'P' })).toEqual(['first', 'second', 'third']);
    expect(caches({ slab_debug: 'P;-,first,third' })).toEqual(['first', 'second', 'first']);
  });
});

/** Slots that sheaves themselves are kept in. */
function homesOfSheaves({ caches }: SlabAllocator): Set<string> {
  const homes = new Set<string>();
  for (const { sheaves } of caches) {
    if (sheaves === null) continue;
    const gone = new Set<number>();
    for (let sheaf = sheaves.freeHead; sheaf >= 0; sheaf = sheaves.next[sheaf]!) gone.add(sheaf);
    for (let sheaf = 0; sheaf < sheaves.end; sheaf++)
      if (!gone.has(sheaf) && sheaves.homeSlab[sheaf]! >= 0)
        homes.add(`${sheaves.homeSlab[sheaf]} ${sheaves.homeSlot[sheaf]}`);
  }
  return homes;
}

describe('random calls from all contexts lose no slot, on any build', () => {
  const builds: readonly (readonly [name: string, options: RigOptions])[] = [
    ['ordinary', { cpus: 2 }],
    ['PREEMPT_RT', { cpus: 2, build: { preempt_rt: true } }],
    ['one processor', { cpus: 1, build: { smp: false } }],
    ['SLUB_TINY', { cpus: 2, build: { slub_tiny: true } }],
    ['PREEMPT_RT and SLUB_TINY', { cpus: 2, build: { preempt_rt: true, slub_tiny: true } }],
    [
      'no exchange, some debugged',
      { cpus: 2, build: { cmpxchg_double: false, slab_debug: 'FZ,kmalloc-64' } },
    ],
  ];
  const kinds = ['cpu_slab', 'sheaves'] as const;

  test.each(builds.flatMap(([name, options]) => kinds.map((kind) => [name, kind, options] as const)))(
    '%s, %s',
    (_name, kind, options) => {
      const rig = new NolockRig({ ...options, policy: { 'slab.kind': kind } });
      const out = new Map<string, Place>();
      const waiting = new Set<string>();
      let seed = 11;
      const random = (below: number) => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return (seed >>> 8) % below;
      };
      const note = (slab: number) => {
        if (slab < 0) return;
        const place = { slab, slot: rig.slabs.slot };
        const key = `${slab} ${place.slot}`;
        expect(out.has(key) || waiting.has(key), `slot ${key} is handed out twice`).toBe(false);
        out.set(key, place);
      };
      let served = 0;
      for (let step = 0; step < 4000; step++) {
        const context = [task, softirq, hardirq, nmi][random(4)]!;
        const bytes = [64, 96, 512][random(3)]!;
        rig.held.clear();
        if (context === nmi)
          for (const lock of ['LL', 'list']) if (random(4) === 0) rig.held.add(`${lock} kmalloc-64`);
        if (random(100) < 53) {
          const isNolock = context === nmi || random(2) === 0;
          const slab = isNolock
            ? kmallocNolock(rig.kmalloc, 0, bytes, 0, -1, context)
            : allocObject(rig.slabs, rig.named(bytes), random(options.cpus!), GFP_KERNEL, -1);
          if (slab >= 0) served++;
          note(slab);
        } else if (out.size > 0) {
          const [key, { slab, slot }] = [...out][random(out.size)]!;
          out.delete(key);
          if (context === nmi || random(2) === 0) {
            if (!kfreeNolock(rig.deferred, 0, slab, slot, context)) waiting.add(key);
          } else {
            const cache = rig.slabs.caches[rig.slabs.table.cache[slab]!]!;
            freeObject(rig.slabs, cache, random(options.cpus!), slab, slot);
          }
        }
        if (random(60) === 0) {
          rig.held.clear();
          rig.deferred.run(0);
          waiting.clear();
        }
        if (step % 200 !== 0) continue;
        const homes = homesOfSheaves(rig.slabs);
        expect([...homes].filter((key) => out.has(key) || waiting.has(key))).toEqual([]);
        const live = new Set([...out.keys(), ...waiting, ...homes]);
        validateSlabs(rig.slabs, {
          deferred: rig.deferred.waitingSlabs(),
          isLive: (slab, slot) => live.has(`${slab} ${slot}`),
        });
      }
      expect(served).toBeGreaterThan(500);
    },
  );
});
