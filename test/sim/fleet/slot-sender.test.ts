/** One sender, several threads: nobody sees a slot change while it still has it, and none of them misses an event. */
import { describe, expect, test } from 'vitest';
import { EventBatch, type EventSource } from '../../../src/trace/event-batch.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';
import type { FromReader } from '../../../src/trace/worker/protocol.js';
import { newSlots, SlotSender } from '../../../src/trace/worker/slot-sender.js';
import { numbersFrom } from './support.js';

type Batch = Extract<FromReader, { kind: 'batch' }>;

/** Batches of the lengths given; events are numbered by `ts` and name a site that is new now and then. */
function source(lengths: readonly number[]): EventSource {
  const strings = createTraceStrings();
  return {
    strings,
    async *batches() {
      let event = 0;
      for (const length of lengths) {
        const batch = new EventBatch(strings, Math.max(1, length));
        batch.length = length;
        for (let row = 0; row < length; row++, event++) {
          batch.ts[row] = event;
          batch.site[row] = strings.sites.intern(`site${Math.floor(event / 100)}`);
        }
        yield batch;
      }
    },
  };
}

/** A thread as the sender sees it: takes messages, reads what it wants when it wants, and gives slots back. */
class Consumer {
  readonly strings = createTraceStrings();
  readonly waiting: Batch[] = [];
  readonly seen: number[] = [];
  readonly #slots: readonly EventBatch[];

  constructor(slots: readonly SharedArrayBuffer[]) {
    this.#slots = slots.map(
      (slot) => new EventBatch(this.strings, slot.byteLength / EventBatch.bytes(1), slot),
    );
  }

  take(): number {
    const { slot, length, strings } = this.waiting.shift()!;
    if (strings.sites !== undefined) this.strings.sites.append(strings.sites);
    const batch = this.#slots[slot]!;
    for (let row = 0; row < length; row++) {
      const event = batch.ts[row]!;
      expect(this.strings.sites.get(batch.site[row]!)).toBe(`site${Math.floor(event / 100)}`);
      this.seen.push(event);
    }
    return slot;
  }
}

function setUp(consumers: number, bytes?: number) {
  const slots = bytes === undefined ? newSlots() : newSlots().map(() => new SharedArrayBuffer(bytes));
  const threads = Array.from({ length: consumers }, () => new Consumer(slots));
  const sender = new SlotSender(
    slots,
    ['sites'],
    threads.map((thread) => (message) => void thread.waiting.push(message as Batch)),
  );
  return { slots, threads, sender };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);

describe.each([1, 2, 3, 5])('%i threads', (count) => {
  test('each sees all events in order, whatever the pace of each', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const next = numbersFrom(seed * 31 + count);
      const { threads, sender } = setUp(count, EventBatch.bytes(64));
      const lengths = Array.from({ length: 40 }, () => next(200));
      const total = lengths.reduce((sum, length) => sum + length, 0);
      let done: boolean | undefined;
      const pumped = sender.pump(source(lengths)).then((whole) => {
        done = whole;
      });
      let idle = 0;
      while (done === undefined || threads.some(({ waiting }) => waiting.length > 0)) {
        const thread = threads[next(count)]!;
        // Long after it was sent, while the others may be batches ahead.
        if (thread.waiting.length > 0 && next(3) > 0) sender.free(thread.take());
        else await turn();
        // Nobody would ever be given anything again.
        if (idle++ > 100_000) expect.fail('the sender waits for a slot that is free');
      }
      await pumped;
      expect(done).toBe(true);
      for (const { seen } of threads) expect(seen).toEqual(numbers(total));
    }
  });

  test('the slowest decides: no slot is filled again before all have given it back', async () => {
    const { slots, threads, sender } = setUp(count, EventBatch.bytes(10));
    const pumped = sender.pump(source([100]));
    await turn();
    const [slow, ...fast] = threads as [Consumer, ...Consumer[]];
    expect(slow.waiting).toHaveLength(slots.length);
    for (const thread of fast) while (thread.waiting.length > 0) sender.free(thread.take());
    for (let i = 0; i < 5; i++) await turn();
    expect(slow.waiting).toHaveLength(slots.length);
    for (const thread of fast) expect(thread.waiting).toHaveLength(0);
    // One back: one more for all.
    sender.free(slow.take());
    await turn();
    expect(slow.waiting).toHaveLength(slots.length);
    for (const thread of fast) expect(thread.waiting).toHaveLength(1);
    sender.stop();
    expect(await pumped).toBe(false);
  });
});

test('slotOf tells where a batch is while somebody still has it', async () => {
  const { slots, threads, sender } = setUp(2, EventBatch.bytes(10));
  const pumped = sender.pump(source([35]));
  await turn();
  const [a, b] = threads as [Consumer, Consumer];
  for (let sequence = 0; sequence < 4; sequence++) {
    const slot = a.waiting[0]!.slot;
    expect(sender.slotOf(sequence)).toBe(slot);
    expect(new EventBatch(a.strings, 10, slots[slot]!).ts[0]).toBe(sequence * 10);
    sender.free(a.take());
    sender.free(b.take());
    await turn();
  }
  expect(await pumped).toBe(true);
});

test('a stop ends the sending, also where it waits for a slot', async () => {
  const { threads, sender } = setUp(2, EventBatch.bytes(1));
  const pumped = sender.pump(source([1000]));
  await turn();
  sender.stop();
  expect(await pumped).toBe(false);
  for (const { waiting } of threads) expect(waiting).toHaveLength(3);
});
