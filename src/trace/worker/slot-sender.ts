/**
 * Gives the events of one source to one or more threads: columns in shared slots that go round, strings as what each
 * table gained. A slot is filled again when all threads have given it back.
 */
import { BATCH_EVENTS, EventBatch, type EventSource } from '../event-batch.js';
import { createTraceStrings, type StringDelta, type TraceStrings } from '../string-table.js';
import type { FromReader } from './protocol.js';

/** One being filled, one being replayed, one on its way. */
const SLOTS = 3;

export function newSlots(): SharedArrayBuffer[] {
  return Array.from({ length: SLOTS }, () => new SharedArrayBuffer(EventBatch.bytes(BATCH_EVENTS)));
}

export class SlotSender {
  readonly #batches: readonly EventBatch[];
  /** threads that still have each slot */
  readonly #held: number[];
  /** slot of each batch that was sent, in the order of sending */
  readonly #order: number[] = [];
  readonly #sent: Map<keyof TraceStrings, number>;
  readonly #send: readonly ((message: FromReader) => void)[];
  #stopped = false;
  #wake = () => {};

  /**
   * @param tables  string tables that the threads read from
   * @param send    one for each thread
   */
  constructor(
    slots: readonly SharedArrayBuffer[],
    tables: readonly (keyof TraceStrings)[],
    send: readonly ((message: FromReader) => void)[],
  ) {
    const strings = createTraceStrings();
    const capacity = slots[0]!.byteLength / EventBatch.bytes(1);
    this.#batches = slots.map((slot) => new EventBatch(strings, capacity, slot));
    this.#held = slots.map(() => 0);
    this.#sent = new Map(tables.map((table) => [table, 1]));
    this.#send = send;
  }

  /** A thread has done with a slot. */
  free(slot: number): void {
    this.#held[slot]!--;
    this.#wake();
  }

  /** Where the batch sent as number `sequence` is, until all threads have given it back. */
  slotOf(sequence: number): number {
    return this.#order[sequence]!;
  }

  /** Nobody wants more: `pump` ends at the next batch. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  /** Sends all events of a source. @returns false if it was stopped before the end */
  async pump(source: EventSource): Promise<boolean> {
    for await (const batch of source.batches())
      for (let from = 0; from < batch.length; ) {
        const slot = await this.#nextFree();
        if (slot < 0) return false;
        const shared = this.#batches[slot]!;
        const length = Math.min(shared.capacity, batch.length - from);
        shared.copyRows(batch, from, from + length, 0);
        this.#held[slot] = this.#send.length;
        this.#order.push(slot);
        const strings = this.#addedStrings(source.strings);
        for (const send of this.#send) send({ kind: 'batch', slot, length, strings });
        from += length;
      }
    return true;
  }

  async #nextFree(): Promise<number> {
    for (;;) {
      if (this.#stopped) return -1;
      const slot = this.#held.indexOf(0);
      if (slot >= 0) return slot;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #addedStrings(strings: TraceStrings): Partial<Record<keyof TraceStrings, StringDelta>> {
    const added: Partial<Record<keyof TraceStrings, StringDelta>> = {};
    for (const [name, sent] of this.#sent) {
      const table = strings[name];
      const delta = table.added(sent);
      if (delta === undefined) continue;
      added[name] = delta;
      this.#sent.set(name, table.size);
    }
    return added;
  }
}
