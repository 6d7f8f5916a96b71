/** The contexts of a CPU: what is held below a call, what is noted, and when deferred work runs. model: slub 7, 9 */
import { describe, expect, test } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import { GFP_ATOMIC, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { CpuContexts, type StrikePoint } from '../../../src/mm/interruption/cpu-contexts.js';
import { DEFAULT_BUILD } from '../../../src/mm/machine-build.js';
import { PageLock } from '../../../src/mm/page-alloc/page-allocator.js';
import { ObjectArray, slabAllocBulk } from '../../../src/mm/slab/bulk.js';
import { kfreeNolock } from '../../../src/mm/slab/kfree-nolock.js';
import { kmallocNolock } from '../../../src/mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { allocObject, freeObject } from '../../../src/mm/slab/object-calls.js';
import { SlabLock } from '../../../src/mm/slab/slab-interfaces.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { moved, type Place } from '../slab/support.js';
import { NestingMachine } from './support.js';

class Rig extends NestingMachine {
  cache(bytes: number): KmemCache {
    return this.kmalloc.cacheFor(bytes, 0)!;
  }

  alloc(bytes: number, cpu = 0): Place {
    const slab = allocObject(this.slabs, this.cache(bytes), cpu, GFP_ATOMIC, -1);
    return { slab, slot: this.slabs.slot };
  }

  take(bytes: number, count: number, cpu = 0): Place[] {
    return Array.from({ length: count }, () => this.alloc(bytes, cpu));
  }

  free({ slab, slot }: Place, bytes: number, cpu = 0): void {
    freeObject(this.slabs, this.cache(bytes), cpu, slab, slot);
  }

  /** kmalloc_nolock() in a context of its own. */
  nolock(bytes: number, context: Context): { name: string; place: Place } | null {
    return this.contexts.run(0, context, 'kmalloc_nolock', () => {
      const slab = kmallocNolock(this.kmalloc, 0, bytes, 0, -1, context);
      if (slab < 0) return null;
      const { name } = this.slabs.caches[this.slabs.table.cache[slab]!]!;
      return { name, place: { slab, slot: this.slabs.slot } };
    });
  }

  kfreeNolock({ slab, slot }: Place, context: Context): boolean {
    return this.contexts.run(0, context, 'kfree_nolock', () =>
      kfreeNolock(this.deferred, 0, slab, slot, context),
    );
  }

  /** Runs `body` once, at the first such point. */
  at(point: StrikePoint, body: () => void): void {
    this.contexts.strike = (reached) => {
      if (reached !== point) return;
      this.contexts.strike = null;
      body();
    };
  }

  task<T>(body: () => T): T {
    return this.contexts.run(0, Context.task, 'kmalloc', body);
  }
}

describe('13: between the read and the exchange of a fast path', () => {
  test('an NMI takes the slot that was read: the task begins anew, and both have one', () => {
    const rig = new Rig();
    rig.alloc(64);
    let inner: ReturnType<Rig['nolock']> = null;
    rig.at('alloc_fastpath', () => {
      inner = rig.nolock(64, Context.nmi);
    });
    let outer: Place | undefined;
    const counters = moved(rig.cache(64), () => {
      outer = rig.task(() => rig.alloc(64));
    });
    expect(counters).toEqual({ alloc_fastpath: 2, cmpxchg_double_cpu_fail: 1 });
    expect(inner).toMatchObject({ name: 'kmalloc-64', place: { slot: 1 } });
    expect(outer).toEqual({ slab: inner!.place.slab, slot: 2 });
    validateSlabs(rig.slabs);
  });

  test('an NMI takes the last slot: the task goes the slow way', () => {
    const rig = new Rig();
    rig.take(64, 63);
    rig.at('alloc_fastpath', () => rig.nolock(64, Context.nmi));
    const counters = moved(rig.cache(64), () => rig.task(() => rig.alloc(64)));
    expect(counters).toMatchObject({ alloc_fastpath: 1, cmpxchg_double_cpu_fail: 1, alloc_slowpath: 1 });
    validateSlabs(rig.slabs);
  });

  test('a free is disturbed as an allocation is', () => {
    const rig = new Rig();
    const [place] = rig.take(64, 2);
    rig.at('free_fastpath', () => rig.nolock(64, Context.nmi));
    const counters = moved(rig.cache(64), () =>
      rig.contexts.run(0, Context.task, 'kfree', () => rig.free(place!, 64)),
    );
    expect(counters).toEqual({ free_fastpath: 1, alloc_fastpath: 1, cmpxchg_double_cpu_fail: 1 });
    expect(rig.alloc(64)).toEqual(place);
  });

  test('a slab that an NMI took away meanwhile is freed into later by kfree_nolock', () => {
    const rig = new Rig();
    const places = rig.take(64, 64);
    rig.at('free_fastpath', () => rig.nolock(64, Context.nmi));
    const counters = moved(rig.cache(64), () =>
      expect(rig.kfreeNolock(places[0]!, Context.task)).toBe(false),
    );
    expect(counters).toMatchObject({ cmpxchg_double_cpu_fail: 1, free_slowpath: 1, cpu_partial_free: 1 });
    validateSlabs(rig.slabs);
  });

  test('another CPU disturbs nothing', () => {
    const rig = new Rig({ cpus: 2 });
    rig.alloc(64);
    rig.at('alloc_fastpath', () => rig.contexts.run(1, Context.task, 'kmalloc', () => rig.alloc(64, 1)));
    const counters = moved(rig.cache(64), () => rig.task(() => rig.alloc(64)));
    expect(counters.cmpxchg_double_cpu_fail).toBeUndefined();
  });
});

test('a push that finds the slab changed when it has list_lock begins anew', () => {
  const rig = new Rig({ cpus: 2, policy: { 'slab.cpu_partial': false } });
  const [first, second] = rig.take(64, 65);
  rig.at('list_lock', () => rig.contexts.run(1, Context.task, 'kfree', () => rig.free(second!, 64, 1)));
  const counters = moved(rig.cache(64), () =>
    rig.contexts.run(0, Context.task, 'kfree', () => rig.free(first!, 64)),
  );
  // The slab was full when the first free looked at it, and on the list when it looked again.
  expect(counters).toEqual({ free_slowpath: 2, free_add_partial: 1, cmpxchg_double_fail: 1 });
  expect(rig.contexts.nr_waits).toBe(1);
  validateSlabs(rig.slabs);
});

describe('40: below a lock nothing from any context waits', () => {
  const SETUPS: readonly (readonly [StrikePoint, string, string | null])[] = [
    ['cpu_slab', 'kmalloc-64', 'kmalloc-96'],
    ['list_lock', 'kmalloc-64', 'kmalloc-64'],
    ['pcp', 'kmalloc-64', 'kmalloc-64'],
    ['zone', 'kmalloc-64', 'kmalloc-64'],
  ];
  test.each(SETUPS)('%s', (point, _outer, served) => {
    const rig = new Rig();
    // Something on the node's list, so that list_lock is taken; at the others nothing is free.
    if (point === 'list_lock') {
      const places = rig.take(64, 64 * 8);
      for (let i = 0; i < 8; i++) rig.free(places[i * 64]!, 64);
    } else rig.take(64, 64);
    const answers: (string | undefined)[] = [];
    rig.at(point, () => answers.push(rig.nolock(64, Context.nmi)?.name));
    rig.task(() => {
      for (let i = 0; i < 80 && answers.length === 0; i++) rig.alloc(64);
    });
    expect(answers).toEqual([served]);
    expect(rig.contexts.hazards).toEqual([]);
    validateSlabs(rig.slabs, { deferred: rig.deferred.waitingSlabs() });
  });

  test('a call that waits is a deadlock: noted with all that is known, and gone on with', () => {
    const rig = new Rig();
    rig.take(64, 64);
    rig.at('cpu_slab', () => rig.contexts.run(0, Context.nmi, 'kmalloc', () => rig.alloc(64)));
    rig.task(() => rig.alloc(64));
    const { hazards, nr_deadlocks, nr_misuses } = rig.contexts;
    expect(nr_misuses).toBe(1);
    expect(nr_deadlocks).toBeGreaterThan(0);
    expect(hazards[1]).toEqual({
      kind: 'deadlock',
      cpu: 0,
      stack: [
        { context: Context.task, call: 'kmalloc', locks: ['cpu_slab kmalloc-64 0'] },
        { context: Context.nmi, call: 'kmalloc', locks: [] },
      ],
      wanted: 'cpu_slab kmalloc-64 0',
    });
    validateSlabs(rig.slabs);
  });

  test('one that does not is none', () => {
    const rig = new Rig();
    rig.take(64, 64);
    rig.at('cpu_slab', () => rig.nolock(64, Context.nmi));
    rig.task(() => rig.alloc(64));
    expect(rig.contexts.nr_hazards).toBe(0);
  });

  test('hazards are counted all, and kept some', () => {
    const rig = new Rig();
    for (let i = 0; i < 150; i++) rig.contexts.run(0, Context.nmi, 'kfree', () => undefined);
    expect([rig.contexts.hazards.length, rig.contexts.nr_misuses]).toEqual([100, 150]);
  });

  test("another CPU's lock is not there for one that may not wait; one that waits would get it", () => {
    const rig = new Rig({ cpus: 2 });
    const places = rig.take(64, 64 * 8);
    for (let i = 0; i < 8; i++) rig.free(places[i * 64]!, 64);
    const cache = rig.cache(64);
    const slabs: number[] = [];
    rig.at('list_lock', () => {
      expect(rig.slabs.isHeldBelow(SlabLock.list_lock, cache, 0)).toBe(true);
      rig.contexts.run(1, Context.task, 'kmalloc_nolock', () => {
        const before = cache.nr_slabs[0]!;
        kmallocNolock(rig.kmalloc, 1, 64, 0, -1, Context.task);
        slabs.push(cache.nr_slabs[0]! - before);
      });
    });
    rig.task(() => {
      for (let i = 0; i < 80 && slabs.length === 0; i++) rig.alloc(64);
    });
    expect(slabs).toEqual([1]);
    expect([rig.contexts.nr_deadlocks, rig.contexts.nr_waits]).toEqual([0, 0]);
  });
});

describe('contexts', () => {
  const { task, softirq, hardirq, nmi } = Context;
  test.each([
    [task, softirq, 0],
    [task, hardirq, 0],
    [task, nmi, 0],
    [softirq, hardirq, 0],
    [hardirq, nmi, 0],
    [task, task, 0],
    [nmi, nmi, 0],
    [softirq, task, 1],
    [hardirq, softirq, 1],
    [nmi, hardirq, 1],
    [nmi, task, 1],
  ])('%i interrupted by %i: %i hazards', (below, above, hazards) => {
    const contexts = new CpuContexts(1);
    contexts.run(0, below, 'other', () => contexts.run(0, above, 'kmalloc_nolock', () => undefined));
    expect([contexts.nr_order_hazards, contexts.nr_hazards]).toEqual([hazards, hazards]);
  });

  test('only an NMI strikes where interrupts are off', () => {
    const contexts = new CpuContexts(2);
    contexts.setInterrupts(0, false);
    contexts.run(0, task, 'other', () => contexts.run(0, nmi, 'kmalloc_nolock', () => undefined));
    contexts.run(1, hardirq, 'other', () => undefined);
    expect(contexts.nr_hazards).toBe(0);
    contexts.run(0, hardirq, 'other', () => undefined);
    contexts.run(1, task, 'other', () => contexts.run(1, hardirq, 'other', () => undefined), {
      irqsOff: true,
    });
    expect(contexts.hazards.map(({ kind, cpu }) => [kind, cpu])).toEqual([
      ['order', 0],
      ['order', 1],
    ]);
  });

  test('local locks, list_lock and zone locks turn interrupts off, those of page lists do not', () => {
    const rig = new Rig();
    const off = new Map<string, boolean>();
    rig.contexts.strike = (point, _where, cpu) => {
      if (['cpu_slab', 'list_lock', 'pcp', 'zone'].includes(point) && !off.has(point))
        off.set(point, rig.contexts.areInterruptsOff(cpu));
    };
    const places = rig.take(64, 64 * 8);
    for (let i = 0; i < 8; i++) rig.free(places[i * 64]!, 64);
    expect(Object.fromEntries(off)).toEqual({ cpu_slab: true, list_lock: true, pcp: false, zone: true });
  });

  test('a call that may sleep belongs into a task with interrupts on', () => {
    const contexts = new CpuContexts(1);
    const kmalloc = (context: Context) =>
      contexts.run(0, context, 'kmalloc', () => undefined, { maySleep: true });
    kmalloc(task);
    expect(contexts.nr_misuses).toBe(0);
    kmalloc(softirq);
    contexts.setInterrupts(0, false);
    kmalloc(task);
    expect(contexts.nr_misuses).toBe(2);
  });

  test('what was noted, and whose interrupts are off, can be saved between calls', () => {
    const contexts = new CpuContexts(2);
    contexts.setInterrupts(1, false);
    contexts.run(0, nmi, 'kfree', () => undefined);
    const other = new CpuContexts(2);
    other.run(0, hardirq, 'other', () => other.run(0, softirq, 'other', () => undefined));
    Snapshot.of(contexts).restore(other);
    expect(other.hazards).toEqual(contexts.hazards);
    expect([other.nr_misuses, other.nr_order_hazards]).toEqual([1, 0]);
    expect([other.areInterruptsOff(0), other.areInterruptsOff(1)]).toEqual([false, true]);
  });

  test('answers of the interrupted call are there when it goes on', () => {
    const rig = new Rig();
    const objects = new ObjectArray(80);
    rig.contexts.strike = () => {
      if (rig.contexts.depthOf(0) < 2) rig.nolock(64, Context.nmi);
    };
    const got = rig.task(() => slabAllocBulk(rig.slabs, rig.cache(64), 0, GFP_KERNEL, 80, objects));
    const places = Array.from({ length: got }, (_, i) => `${objects.slab[i]} ${objects.slot[i]}`);
    expect(new Set(places).size).toBe(80);
  });
});

test('without SMP a spinlock is nothing to wait for; the local lock is', () => {
  const rig = new Rig({ build: { ...DEFAULT_BUILD, smp: false } });
  const places = rig.take(64, 64 * 8);
  for (let i = 0; i < 8; i++) rig.free(places[i * 64]!, 64);
  const { mm, contexts } = rig;
  contexts.run(0, Context.task, 'other', () => {
    const zone = mm.zones[1]!;
    contexts.enter(PageLock.zone, zone, 0);
    contexts.enter(PageLock.zone, zone, 0);
    contexts.leave(PageLock.zone, zone, 0);
    contexts.leave(PageLock.zone, zone, 0);
    expect(contexts.nr_deadlocks).toBe(0);
    const cache = rig.cache(64);
    contexts.enter(SlabLock.cpu_slab, cache, 0);
    contexts.enter(SlabLock.cpu_slab, cache, 0);
    contexts.leave(SlabLock.cpu_slab, cache, 0);
    contexts.leave(SlabLock.cpu_slab, cache, 0);
    expect(contexts.nr_deadlocks).toBe(1);
  });
});

test('on PREEMPT_RT no lock turns interrupts off', () => {
  const rig = new Rig({ build: { ...DEFAULT_BUILD, preempt_rt: true } });
  const off: boolean[] = [];
  rig.contexts.strike = (_point, _where, cpu) => off.push(rig.contexts.areInterruptsOff(cpu));
  rig.take(64, 65);
  expect(off.length).toBeGreaterThan(10);
  expect(off).not.toContain(true);
});

test('irq_work that cannot begin holds nobody up', () => {
  const contexts = new CpuContexts(1);
  let runs = 0;
  contexts.irqWork = { isPending: () => true, run: () => runs++ };
  contexts.run(0, Context.task, 'other', () => undefined);
  expect(runs).toBe(8);
});

describe('irq_work', () => {
  function waitingRig(): { rig: Rig; place: Place } {
    const rig = new Rig();
    const [place] = rig.take(64, 65);
    return { rig, place: place! };
  }

  test('runs when the NMI ends, if the task has interrupts on', () => {
    const { rig, place } = waitingRig();
    rig.contexts.run(0, Context.task, 'other', () => {
      expect(moved(rig.cache(64), () => rig.kfreeNolock(place, Context.nmi))).toEqual({
        free_slowpath: 1,
        cpu_partial_free: 1,
      });
    });
    expect(rig.deferred.isPending(0)).toBe(false);
  });

  test('waits as long as the task has them off', () => {
    const { rig, place } = waitingRig();
    rig.contexts.setInterrupts(0, false);
    rig.kfreeNolock(place, Context.nmi);
    expect(rig.deferred.isPending(0)).toBe(true);
    rig.contexts.setInterrupts(0, true);
    expect(rig.deferred.isPending(0)).toBe(false);
  });

  test('waits for the end of the hardirq that the NMI struck', () => {
    const { rig, place } = waitingRig();
    rig.contexts.run(0, Context.hardirq, 'other', () => {
      rig.kfreeNolock(place, Context.nmi);
      expect(rig.deferred.isPending(0)).toBe(true);
    });
    expect(rig.deferred.isPending(0)).toBe(false);
  });

  test('runs in the middle of the call that held a lock, as soon as that is let go', () => {
    const { rig, place } = waitingRig();
    const pending: boolean[] = [];
    rig.at('list_lock', () => {
      rig.kfreeNolock(place, Context.nmi);
      pending.push(rig.deferred.isPending(0));
    });
    const places = rig.take(64, 63);
    const full = rig.take(64, 64 * 6);
    rig.contexts.run(0, Context.task, 'kfree', () => {
      for (let i = 0; i < 6; i++) rig.free(full[i * 64]!, 64);
      pending.push(rig.deferred.isPending(0));
    });
    expect(places).toHaveLength(63);
    expect(pending).toEqual([true, false]);
    validateSlabs(rig.slabs);
  });
});
