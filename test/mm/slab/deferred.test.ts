/** What waits for the irq_work: stacks, backlog, times, the end of a cache. model: slub 3.5, 4.3, 4.4, 9 */
import { describe, expect, test } from 'vitest';
import { DeferredStack } from '../../../src/mm/slab/deferred-stack.js';
import { destroyCache } from '../../../src/mm/slab/destroy.js';
import { flushCpuSlab } from '../../../src/mm/slab/flush-shrink.js';
import { IrqWork } from '../../../src/mm/slab/irq-work.js';
import { SLAB_DEBUG_FZPU } from '../../../src/mm/slab/slab-flags.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { NolockRig } from './nolock-rig.js';
import { moved, type Place } from './support.js';

/** `count` objects of a cache's slabs that no CPU has any more. */
function elsewhere(rig: NolockRig, bytes: number, count: number): Place[] {
  const cache = rig.named(bytes);
  const places = rig.take(cache, count);
  flushCpuSlab(rig.slabs, cache, 0);
  return places;
}

describe('a stack', () => {
  test('grows, gives the newest first, and hands everything over', () => {
    const [stack, other] = [new DeferredStack(), new DeferredStack()];
    for (let i = 0; i < 1000; i++) stack.push(i * 3, i);
    expect(stack.newestFirst().slice(0, 2)).toEqual([
      { slab: 2997, slot: 999 },
      { slab: 2994, slot: 998 },
    ]);
    stack.moveTo(other);
    stack.push(5, 7);
    expect([stack.newestFirst(), other.length]).toEqual([[{ slab: 5, slot: 7 }], 1000]);
    for (let i = 999; i >= 0; i--) {
      other.drop();
      expect([other.slabAt(other.length), other.slotAt(other.length)]).toEqual([i * 3, i]);
    }
  });
});

test('what comes in while the work runs waits for the next time, which is queued anew', () => {
  const rig = new NolockRig();
  const places = elsewhere(rig, 64, 128);
  rig.kfree(places[0]!);
  rig.kfree(places[64]!);
  let strikes = 0;
  rig.slabs.locks = {
    enter: () => {
      if (strikes++ > 0) return;
      rig.kfree(places[1]!);
      rig.deferred.run(0);
    },
    leave: () => undefined,
  };
  rig.deferred.run(0);
  expect(strikes).toBeGreaterThan(0);
  expect([rig.deferred.queued, rig.deferred.objects[0]!.newestFirst()]).toEqual([2, [places[1]]]);
  rig.slabs.locks = null;
  rig.deferred.run(0);
  expect(rig.deferred.isPending(0)).toBe(false);
  expect(rig.slabs.table.inuse[places[0]!.slab]).toBe(62);
  rig.validate();
});

test('each CPU has stacks of its own', () => {
  const rig = new NolockRig();
  const places = elsewhere(rig, 64, 2);
  rig.deferred.freeObjectLater(3, places[0]!.slab, places[0]!.slot);
  rig.deferred.freeObjectLater(5, places[1]!.slab, places[1]!.slot);
  expect([0, 3, 5].map((cpu) => rig.deferred.isPending(cpu))).toEqual([false, true, true]);
  expect(rig.deferred.queued).toBe(2);
  rig.deferred.run(3);
  expect([3, 5].map((cpu) => rig.deferred.isPending(cpu))).toEqual([false, true]);
});

test('the backlog is counted in objects, slabs and bytes, with its peaks', () => {
  const rig = new NolockRig({}, new Map([['kmalloc-1k', SLAB_DEBUG_FZPU]]));
  const places = elsewhere(rig, 64, 3);
  for (const place of places) rig.kfree(place);
  rig.held.add('list kmalloc-1k');
  expect(rig.nolock(1024)).toBeNull();
  const { deferred } = rig;
  const slabBytes = 4096 * 2 ** rig.named(1024).geometry.order;
  expect([deferred.waiting_objects, deferred.waiting_slabs]).toEqual([3, 1]);
  expect(deferred.waiting_bytes).toBe(3 * 64 + slabBytes);
  deferred.barrier();
  expect([deferred.waiting_objects, deferred.waiting_slabs, deferred.waiting_bytes]).toEqual([0, 0, 0]);
  expect([deferred.peak_objects, deferred.peak_slabs, deferred.peak_bytes]).toEqual([3, 1, 192 + slabBytes]);
});

describe('38: the end of a cache', () => {
  test('waits for objects that wait: none remain', () => {
    const rig = new NolockRig();
    const cache = rig.named(64);
    const [place] = elsewhere(rig, 64, 1);
    rig.kfree(place!);
    expect(destroyCache(rig.slabs, cache, 0)).toBe(0);
    expect([rig.slabs.table.count, rig.deferred.isPending(0)]).toEqual([0, false]);
    rig.validate();
  });

  test('also on other CPUs; an object that nobody freed does remain', () => {
    const rig = new NolockRig();
    const cache = rig.named(64);
    const [place] = elsewhere(rig, 64, 2);
    rig.deferred.freeObjectLater(7, place!.slab, place!.slot);
    expect(destroyCache(rig.slabs, cache, 0)).toBe(1);
    expect(rig.deferred.isPending(7)).toBe(false);
  });
});

describe('irq_work', () => {
  test('without a delay it is due as it is queued, and runs where interrupts are on', () => {
    const rig = new NolockRig();
    const work = new IrqWork(rig.deferred);
    const places = elsewhere(rig, 64, 2);
    expect(work.due_ns).toBe(Number.POSITIVE_INFINITY);
    work.now_ns = 500;
    rig.kfree(places[0]!);
    expect(work.due_ns).toBe(500);
    expect(work.runDue(600, () => false)).toBe(0);
    expect(moved(rig.named(64), () => expect(work.runDue(700)).toBe(1))).toEqual({ free_slowpath: 1 });
    expect([work.runs, work.waited_ns, work.longest_wait_ns, work.due_ns]).toEqual([
      1,
      200,
      200,
      Number.POSITIVE_INFINITY,
    ]);
    expect(work.runDue(800)).toBe(0);
  });

  test('with a delay it is due that much later, from its first entry on', () => {
    const rig = new NolockRig({ policy: { 'slab.irq_work_delay_ns': 1000 } });
    const work = new IrqWork(rig.deferred);
    const places = elsewhere(rig, 64, 3);
    rig.kfree(places[0]!);
    work.runDue(900);
    rig.kfree(places[1]!);
    expect([work.due_ns, work.runDue(999), rig.deferred.waiting_objects]).toEqual([1000, 0, 2]);
    expect([work.runDue(1000), rig.deferred.waiting_objects, work.longest_wait_ns]).toEqual([1, 0, 1000]);
    rig.kfree(places[2]!);
    expect(work.dueOf(0)).toBe(2000);
  });
});

test.each(['per_cpu', 'per_slab'] as const)('all of it is saved and comes back: %s', (where) => {
  const make = () => {
    const rig = new NolockRig({ policy: { 'slab.deferred_objects': where } });
    return { rig, work: new IrqWork(rig.deferred) };
  };
  const [a, b] = [make(), make()];
  const places = [a, b].map(({ rig }) => elsewhere(rig, 64, 100));
  a.rig.kfree(places[0]![70]!);
  a.work.runDue(400);
  for (const place of places[0]!.slice(0, 40)) a.rig.kfree(place);
  // The same slots are in use on the other side, whose books say nothing of them yet.
  b.rig.slabs.table.links.set(a.rig.slabs.table.links);
  Snapshot.of(a.rig.deferred).restore(b.rig.deferred);
  Snapshot.of(a.work).restore(b.work);
  expect(b.rig.deferred.objects[0]!.newestFirst()).toEqual(a.rig.deferred.objects[0]!.newestFirst());
  expect(Snapshot.of(b.rig.deferred)).toEqual(Snapshot.of(a.rig.deferred));
  expect(Snapshot.of(b.work)).toEqual(Snapshot.of(a.work));
  const { slab } = places[0]![0]!;
  expect(b.rig.deferred.bySlab?.slots(slab)).toEqual(a.rig.deferred.bySlab?.slots(slab));
  expect(b.rig.deferred.waiting_objects).toBe(where === 'per_cpu' ? 40 : 41);
});
