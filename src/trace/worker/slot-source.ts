/** The other end of a slot sender: events that another thread sends, as a source like any other. */
import { BATCH_EVENTS, EventBatch, type EventSource } from '../event-batch.js';
import type { TraceStrings } from '../string-table.js';
import type { TraceSetReport } from '../trace-set.js';
import { type FromReader, unpackError } from './protocol.js';

/** Messages of a reading thread, to be awaited one by one. */
export class Inbox {
  readonly #messages: FromReader[] = [];
  #failure: Error | undefined;
  #wake = () => {};

  put(message: FromReader): void {
    this.#messages.push(message);
    this.#wake();
  }

  /** Nothing more will come. Messages that are there are still given out. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** @throws the error that the other side has sent, or the one of `fail` */
  async next(): Promise<FromReader> {
    for (;;) {
      const message = this.#messages.shift();
      if (message?.kind === 'error') throw unpackError(message.error);
      if (message !== undefined) return message;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export class SlotSource implements EventSource {
  /** what the sender said when it had sent all */
  report: TraceSetReport | undefined;
  readonly #slots: readonly EventBatch[];

  /** @param free  gives a slot back to the sender */
  constructor(
    readonly strings: TraceStrings,
    readonly inbox: Inbox,
    slots: readonly SharedArrayBuffer[],
    readonly free: (slot: number) => void,
  ) {
    this.#slots = slots.map((slot) => new EventBatch(strings, BATCH_EVENTS, slot));
  }

  async *batches(): AsyncGenerator<EventBatch> {
    for (;;) {
      const message = await this.inbox.next();
      if (message.kind === 'end') {
        this.report = message.report;
        return;
      }
      if (message.kind !== 'batch') continue;
      for (const [name, delta] of Object.entries(message.strings))
        this.strings[name as keyof TraceStrings].append(delta);
      const batch = this.#slots[message.slot]!;
      batch.length = message.length;
      yield batch;
      this.free(message.slot);
    }
  }
}
