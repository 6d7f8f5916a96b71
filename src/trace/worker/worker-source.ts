/** A trace set that is read by another thread, so that decoding and replay overlap. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { BATCH_EVENTS, EventBatch, type EventSource } from '../event-batch.js';
import { createTraceStrings, type TraceStrings } from '../string-table.js';
import type { TraceSet, TraceSetReport, TraceSetRequest } from '../trace-set.js';
import { type FromReader, type ToReader, unpackError, type WorkerData } from './protocol.js';

/** Stands beside this module, built or bundled. Sources that were not built have none. */
const WORKER = new URL('./trace-worker.js', import.meta.url);

export function hasWorker(): boolean {
  return existsSync(WORKER);
}

/** One being filled, one being replayed, one on its way. */
const SLOTS = 3;

/** Messages of the reading thread, to be awaited one by one. */
class Inbox {
  readonly #messages: FromReader[] = [];
  #failure: Error | undefined;
  #wake = () => {};

  constructor(worker: Worker) {
    worker.on('message', (message: FromReader) => {
      this.#messages.push(message);
      this.#wake();
    });
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the reading thread ended without a word')));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

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

class WorkerSource implements EventSource {
  report: TraceSetReport | undefined;

  constructor(
    readonly strings: TraceStrings,
    readonly worker: Worker,
    readonly inbox: Inbox,
    readonly slots: readonly EventBatch[],
  ) {}

  async *batches(): AsyncGenerator<EventBatch> {
    try {
      for (;;) {
        const message = await this.inbox.next();
        if (message.kind === 'end') {
          this.report = message.report;
          return;
        }
        if (message.kind !== 'batch') continue;
        for (const [name, delta] of Object.entries(message.strings))
          this.strings[name as keyof TraceStrings].append(delta);
        const batch = this.slots[message.slot] as EventBatch;
        batch.length = message.length;
        yield batch;
        this.#send({ kind: 'free', slot: message.slot });
      }
    } finally {
      // Left early: what was read so far is in the report, which the reader sends when it stops.
      if (this.report === undefined) await this.#stop();
      await this.worker.terminate();
    }
  }

  async #stop(): Promise<void> {
    this.#send({ kind: 'stop' });
    try {
      for (;;) {
        const message = await this.inbox.next();
        if (message.kind !== 'end') continue;
        this.report = message.report;
        return;
      }
    } catch {
      // The error that ended the reading is on its way to the consumer already.
    }
  }

  #send(message: ToReader): void {
    this.worker.postMessage(message);
  }
}

/**
 * Opens a trace set in a thread of its own.
 *
 * @param tables  string tables that the consumer reads from
 * @throws InputError  as openTraceSet
 */
export async function openInWorker(
  request: TraceSetRequest,
  tables: readonly (keyof TraceStrings)[],
): Promise<TraceSet> {
  const strings = createTraceStrings(request.open?.limits, request.inputs[0]);
  const slots = Array.from(
    { length: SLOTS },
    () => new EventBatch(strings, BATCH_EVENTS, new SharedArrayBuffer(EventBatch.bytes(BATCH_EVENTS))),
  );
  const data: WorkerData = { request, slots: slots.map((slot) => slot.buffer as SharedArrayBuffer), tables };
  const worker = new Worker(WORKER, { workerData: data });
  const inbox = new Inbox(worker);
  let opened: FromReader;
  try {
    opened = await inbox.next();
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  if (opened.kind !== 'opened') throw new Error(`the reading thread began with ${opened.kind}`);
  const source = new WorkerSource(strings, worker, inbox, slots);
  return {
    source,
    kernel: opened.kernel,
    report: () => {
      if (source.report === undefined) throw new Error('the trace has not been read');
      return source.report;
    },
  };
}
