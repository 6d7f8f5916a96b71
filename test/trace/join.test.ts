import { describe, expect } from 'vitest';
import { EventBatch, type EventSource, Op } from '../../src/trace/event-batch.js';
import { Append } from '../../src/trace/join/append.js';
import { MergeByTime } from '../../src/trace/join/merge-by-time.js';
import { createTraceStrings, type TraceStrings } from '../../src/trace/string-table.js';
import { eventsOf } from './helpers.js';
import { fc, test } from './properties.js';

/** Events with the given times; `order` numbers the source, `size` the event in it. */
class Times implements EventSource {
  constructor(
    readonly strings: TraceStrings,
    readonly times: readonly number[],
    readonly source: number,
    readonly batchEvents: number,
    readonly error?: Error,
  ) {}

  async *batches(): AsyncGenerator<EventBatch> {
    const batch = new EventBatch(this.strings, this.batchEvents);
    for (const [i, ts] of this.times.entries()) {
      const row = batch.length++;
      batch.ts[row] = ts;
      batch.op[row] = Op.mark;
      batch.order[row] = this.source;
      batch.size[row] = i;
      if (batch.length === batch.capacity) {
        yield batch;
        batch.length = 0;
      }
    }
    yield batch;
    if (this.error !== undefined) throw this.error;
  }
}

const sorted = fc.array(fc.nat(30), { maxLength: 40 }).map((times) => times.sort((a, b) => a - b));

async function seen(source: EventSource) {
  return (await eventsOf(source)).map((event) => [event.ts, event.order, event.size]);
}

describe('merging by time', () => {
  test('gives every event once, by time, then by input, then by place in the input', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(sorted, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 7 }),
        async (inputs, inBatch, outBatch) => {
          const strings = createTraceStrings();
          const sources = inputs.map((times, i) => new Times(strings, times, i, inBatch));
          const expected = inputs
            .flatMap((times, i) => times.map((ts, n) => [ts, i, n]))
            .sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!);
          expect(await seen(new MergeByTime(strings, sources, outBatch))).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('tells the error of an input when the events of all others are out', async () => {
    const strings = createTraceStrings();
    const merged = new MergeByTime(strings, [
      new Times(strings, [1, 2], 0, 8, new Error('cut')),
      new Times(strings, [1, 5, 9], 1, 8),
    ]);
    const times: number[] = [];
    await expect(
      (async () => {
        for await (const batch of merged.batches()) times.push(...batch.ts.subarray(0, batch.length));
      })(),
    ).rejects.toThrow('cut');
    expect(times).toEqual([1, 1, 2, 5, 9]);
  });
});

describe('appending', () => {
  test('moves a trace that begins too early behind the one before, and only that', async () => {
    const strings = createTraceStrings();
    const joined = new Append(strings, [
      new Times(strings, [10, 20], 0, 8),
      new Times(strings, [5, 7], 1, 8),
      new Times(strings, [9000], 2, 8),
    ]);
    expect((await seen(joined)).map(([ts]) => ts)).toEqual([10, 20, 1020, 1022, 9000]);
    expect(joined.moved).toBe(1);
  });
});
