/** When deferred work runs in a replay: its delay, locks of the trace, and what waits until then. model: slub 4.4, 7.5 */
import { describe, expect, test } from 'vitest';
import { type Row, slabRun } from './support.js';

const OBJECTS = 64;

/** Full slabs of kmalloc-64, whose objects an NMI cannot free by itself. */
function allocated(count: number): Row[] {
  return Array.from({ length: count }, (_, i) => ({ op: 'kmalloc_nolock', id: `o${i}`, size: 64 }));
}

/** A free in an NMI that strikes a call of its CPU. */
function struckFree(ts: number, id: string): Row[] {
  return [
    { ts, op: 'kmalloc_nolock', id: `t${id}`, size: 8 },
    { ts, op: 'kfree_nolock', id, ctx: 'nmi', depth: 1, at: 'any' },
  ];
}

const DEFERRED = Array.from({ length: 5 }, (_, i) => `o${i}`);
const DELAY = ['slab.irq_work_delay_ns=1000'];

function frees(ts: (at: number) => number, depth = 0): Row[] {
  return DEFERRED.flatMap((id, at) =>
    depth > 0 ? struckFree(ts(at), id) : [{ ts: ts(at), op: 'kfree_nolock', id, ctx: 'nmi' as const }],
  );
}

test.each([0, 1])('without a delay nothing waits longer than its call (depth %i)', async (depth) => {
  const { slab } = await slabRun([...allocated(2 * OBJECTS), ...frees((at) => 100 + 100 * at, depth)]);
  const { irq_works, now, peak } = slab.deferred;
  expect([irq_works, now.objects, peak.objects]).toEqual([5, 0, 1]);
  expect(new Set(slab.nolock?.frees.map(({ outcome }) => outcome))).toEqual(new Set(['deferred']));
});

describe('with a delay', () => {
  test.each([0, 1])('what comes within it waits together (depth %i)', async (depth) => {
    const rows = [...allocated(2 * OBJECTS), ...frees((at) => 100 + 300 * at, depth)];
    const { slab } = await slabRun(rows, { set: DELAY });
    // queued at 100, runs at 1100 with those of 100, 400, 700, 1000; the one of 1300 is alone
    const { irq_works, now, peak, peak_ns } = slab.deferred;
    expect([irq_works, now.objects, peak.objects, peak_ns]).toEqual([2, 0, 4, 1000]);
  });

  test('time passes between rows: the work does not wait for the next one', async () => {
    const rows = [...allocated(2 * OBJECTS), ...frees(() => 100), { ts: 1e9, op: 'mark' }];
    const { slab } = await slabRun(rows, { set: DELAY });
    const { interval_ns, samples } = slab.deferred;
    const waiting = samples.filter(({ objects }) => objects > 0);
    expect(waiting.map(({ objects }) => objects)).toEqual([5]);
    expect(waiting[0]!.ts_ns + interval_ns).toBeGreaterThan(100);
  });

  test('the end of the trace waits for it', async () => {
    const { slab } = await slabRun([...allocated(2 * OBJECTS), ...frees(() => 100)], { set: DELAY });
    expect(slab.deferred).toMatchObject({
      irq_works: 1,
      now: { objects: 0, bytes: 0 },
      peak: { objects: 5 },
    });
    expect(slab.totals.waste.deferred_bytes).toBe(0);
  });
});

describe('a lock of the trace', () => {
  const lock = (ts: number): Row => ({ ts, op: 'lock', id: 'l' });
  const unlock = (ts: number): Row => ({ ts, op: 'unlock', id: 'l' });

  test.each([0, 1])('keeps the work off, whatever is freed meanwhile (depth %i)', async (depth) => {
    const held = [...allocated(2 * OBJECTS), lock(50), ...frees((at) => 100 + 100 * at, depth)];
    const { slab } = await slabRun([...held, unlock(10_000)]);
    expect(slab.deferred).toMatchObject({
      irq_works: 1,
      now: { objects: 0 },
      peak: { objects: 5 },
      peak_ns: 500,
    });
    const starved = await slabRun(held);
    expect(starved.slab.deferred).toMatchObject({ irq_works: 0, now: { objects: 5 }, peak: { objects: 5 } });
    expect(starved.slab.totals.waste.deferred_bytes).toBe(5 * 64);
    expect(slab.hazards_total).toEqual({});
  });

  test('taken twice is held until it is let go twice', async () => {
    const rows = [...allocated(2 * OBJECTS), lock(50), lock(60), ...frees((at) => 100 + at), unlock(200)];
    const { slab } = await slabRun([...rows, ...struckFree(300, 'o9'), unlock(400)]);
    expect(slab.deferred).toMatchObject({ irq_works: 1, now: { objects: 0 }, peak: { objects: 6 } });
  });

  test('of another CPU holds up nobody', async () => {
    const rows = [...allocated(2 * OBJECTS), { ...lock(50), cpu: 1 }, ...frees((at) => 100 + 100 * at)];
    const { slab } = await slabRun(rows);
    expect(slab.deferred).toMatchObject({ irq_works: 5, now: { objects: 0 }, peak: { objects: 1 } });
  });

  test('let go before the delay has passed: the work runs when it has', async () => {
    const rows = [...allocated(2 * OBJECTS), lock(50), ...frees(() => 100), unlock(600)];
    // Nothing else is due between the first and the last of these.
    const later: Row[] = [
      { ts: 1050, op: 'mark' },
      { ts: 1150, op: 'mark' },
    ];
    const { slab } = await slabRun(
      [...rows, ...later, { ts: 1200, op: 'kfree_nolock', id: 'o9', ctx: 'nmi' }],
      {
        set: DELAY,
      },
    );
    expect(slab.deferred).toMatchObject({ irq_works: 2, peak: { objects: 5 } });
  });
});
