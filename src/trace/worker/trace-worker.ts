/** The reading thread: opens the inputs, fills slots with their events, waits while all are in use. */
import { parentPort, workerData } from 'node:worker_threads';
import { EventBatch } from '../event-batch.js';
import { createTraceStrings, type StringDelta, type TraceStrings } from '../string-table.js';
import { openTraceSet, type TraceSet } from '../trace-set.js';
import { type FromReader, packError, type ToReader, type WorkerData } from './protocol.js';

const { request, slots, tables } = workerData as WorkerData;

class Reader {
  readonly #batches: readonly EventBatch[];
  readonly #free: number[];
  readonly #sent = new Map<keyof TraceStrings, number>(tables.map((table) => [table, 1]));
  #stopped = false;
  #wake = () => {};

  constructor() {
    const strings = createTraceStrings();
    const capacity = (slots[0] as SharedArrayBuffer).byteLength / EventBatch.bytes(1);
    this.#batches = slots.map((slot) => new EventBatch(strings, capacity, slot));
    this.#free = slots.map((_, slot) => slot);
    parentPort?.on('message', (message: ToReader) => {
      if (message.kind === 'stop') this.#stopped = true;
      else this.#free.push(message.slot);
      this.#wake();
    });
  }

  async run(): Promise<void> {
    try {
      // The other thread has the time to make the digests.
      const set = await openTraceSet({ ...request, open: { ...request.open, digests: false } });
      this.#send({ kind: 'opened', kernel: set.kernel, files: set.files });
      for await (const batch of set.source.batches()) {
        if (!(await this.#sendBatch(batch, set))) break;
      }
      this.#send({ kind: 'end', report: set.report() });
    } catch (error) {
      this.#send({ kind: 'error', error: packError(error) });
    } finally {
      parentPort?.close();
    }
  }

  #send(message: FromReader): void {
    parentPort?.postMessage(message);
  }

  async #sendBatch(batch: EventBatch, set: TraceSet): Promise<boolean> {
    for (let from = 0; from < batch.length; ) {
      while (this.#free.length === 0 && !this.#stopped)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      if (this.#stopped) return false;
      const slot = this.#free.shift() as number;
      const shared = this.#batches[slot] as EventBatch;
      const length = Math.min(shared.capacity, batch.length - from);
      shared.copyRows(batch, from, from + length, 0);
      this.#send({ kind: 'batch', slot, length, strings: this.#addedStrings(set) });
      from += length;
    }
    return true;
  }

  #addedStrings(set: TraceSet): Partial<Record<keyof TraceStrings, StringDelta>> {
    const added: Partial<Record<keyof TraceStrings, StringDelta>> = {};
    for (const [name, sent] of this.#sent) {
      const table = set.source.strings[name];
      const delta = table.added(sent);
      if (delta === undefined) continue;
      added[name] = delta;
      this.#sent.set(name, table.size);
    }
    return added;
  }
}

void new Reader().run();
