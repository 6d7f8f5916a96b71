/** The backlog over time, against a list of all that ever happened. */
import { describe, expect } from 'vitest';
import { Backlog } from '../../../src/sim/slab/backlog.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { fc, test } from '../../trace/properties.js';

interface Step {
  readonly after_ns: number;
  readonly objects: number;
}

const steps = fc.array(
  fc.record({
    after_ns: fc.oneof(
      fc.integer({ min: 0, max: 3000 }),
      fc.integer({ min: 0, max: 10_000_000 }),
      fc.constant(1e13),
    ),
    objects: fc.integer({ min: 0, max: 1000 }),
  }),
  { minLength: 1, maxLength: 80 },
);

function replay(backlog: Backlog, all: readonly Step[], start_ns: number): void {
  let at = start_ns;
  for (const { after_ns, objects } of all) {
    at += after_ns;
    backlog.note(at, objects, objects % 7, objects * 64);
  }
}

/** The most that waited at any time of an interval: what came in it, and what was left from before. */
function mostIn(all: readonly Step[], start_ns: number, from_ns: number, end_ns: number): number {
  let at = start_ns;
  let most = 0;
  let before = 0;
  for (const { after_ns, objects } of all) {
    at += after_ns;
    if (at < from_ns) before = objects;
    else if (at < end_ns) most = Math.max(most, objects);
  }
  return Math.max(most, before);
}

describe('Backlog', () => {
  test('each sample is the most of its interval, without gaps, whatever the times are', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 1e9 }), (all, start_ns) => {
        const backlog = new Backlog();
        replay(backlog, all, start_ns);
        const first_ns = start_ns + all[0]!.after_ns;
        const { samples, interval_ns, peak, now } = backlog.result();
        const objects = all.map((step) => step.objects);
        const most = Math.max(...objects);
        expect(peak).toEqual({
          objects: most,
          slabs: Math.max(...objects.map((n) => n % 7)),
          bytes: most * 64,
        });
        expect(now.objects).toBe(objects.at(-1));
        expect(samples.length).toBeLessThanOrEqual(512);
        if (most === 0) return;
        expect(samples.map(({ ts_ns }) => ts_ns)).toEqual(
          samples.map((_, number) => first_ns + number * interval_ns),
        );
        const last_ns = start_ns + all.reduce((sum, { after_ns }) => sum + after_ns, 0);
        expect(samples.at(-1)!.ts_ns).toBeLessThanOrEqual(last_ns);
        expect(last_ns).toBeLessThan(samples.at(-1)!.ts_ns + interval_ns);
        for (const sample of samples) {
          const expected = mostIn(all, start_ns, sample.ts_ns, sample.ts_ns + interval_ns);
          expect(sample.objects).toBe(expected);
          expect(sample.bytes).toBe(expected * 64);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('keeps the finest intervals that fit, and makes them twice as long when they do not', () => {
    const backlog = new Backlog();
    backlog.note(0, 1, 0, 64);
    backlog.note(511_999, 2, 0, 128);
    expect(backlog.result()).toMatchObject({ interval_ns: 1000, samples: { length: 512 } });
    backlog.note(512_000, 3, 0, 192);
    expect(backlog.result()).toMatchObject({ interval_ns: 2000, samples: { length: 257 } });
  });

  test('the time of the peak is the first one', () => {
    const backlog = new Backlog();
    for (const [ts, bytes] of [
      [10, 5],
      [20, 9],
      [30, 9],
      [40, 1],
    ] as const)
      backlog.note(ts, 1, 0, bytes);
    expect(backlog.result().peak_ns).toBe(20);
  });

  test('a clock that goes back, as that of another CPU, stands still', () => {
    const backlog = new Backlog();
    backlog.note(5000, 4, 0, 256);
    backlog.note(1000, 6, 0, 384);
    expect(backlog.result().samples).toEqual([{ ts_ns: 5000, objects: 6, slabs: 0, bytes: 384 }]);
  });

  test('nothing ever waited: no samples and no time of a peak', () => {
    const backlog = new Backlog();
    backlog.note(7, 0, 0, 0);
    expect(backlog.result()).toMatchObject({ samples: [], peak_ns: null });
  });

  test('beginning anew keeps what waits', () => {
    const backlog = new Backlog();
    backlog.note(10, 9, 0, 900);
    backlog.note(20, 4, 0, 400);
    backlog.noteIrqWork();
    backlog.begin(1000);
    backlog.advance(2500);
    expect(backlog.result()).toEqual({
      irq_works: 0,
      now: { objects: 4, slabs: 0, bytes: 400 },
      peak: { objects: 4, slabs: 0, bytes: 400 },
      peak_ns: 1000,
      interval_ns: 1000,
      samples: [
        { ts_ns: 1000, objects: 4, slabs: 0, bytes: 400 },
        { ts_ns: 2000, objects: 4, slabs: 0, bytes: 400 },
      ],
    });
  });

  test('goes on from a snapshot as if nothing had been', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const [whole, first, second] = [new Backlog(), new Backlog(), new Backlog()];
        replay(first, before, 0);
        replay(whole, before, 0);
        Snapshot.of(first).restore(second);
        const end = before.reduce((sum, { after_ns }) => sum + after_ns, 0);
        replay(whole, after, end);
        replay(second, after, end);
        expect(second).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });
});
