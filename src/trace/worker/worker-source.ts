/** A trace set that is read by another thread, so that decoding and replay overlap. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type Digest, digestFile, NO_DIGEST } from '../bytes/digest.js';
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

/** Digests of the inputs, made beside the replay: the thread that decodes is the one that is waited for. */
class Digests {
  readonly #stopped = new AbortController();
  readonly #digests: readonly Promise<Digest>[];

  constructor(files: readonly string[]) {
    // A file that cannot be read is told by the thread that reads it.
    this.#digests = files.map((file) => digestFile(file, this.#stopped.signal).catch(() => NO_DIGEST));
  }

  async addTo(report: TraceSetReport): Promise<TraceSetReport> {
    const digests = await Promise.all(this.#digests);
    return { ...report, inputs: report.inputs.map((input, i) => ({ ...input, ...digests[i] })) };
  }

  stop(): void {
    this.#stopped.abort();
  }
}

class WorkerSource implements EventSource {
  report: TraceSetReport | undefined;

  constructor(
    readonly strings: TraceStrings,
    readonly worker: Worker,
    readonly inbox: Inbox,
    readonly slots: readonly EventBatch[],
    readonly digests: Digests,
  ) {}

  async *batches(): AsyncGenerator<EventBatch> {
    try {
      for (;;) {
        const message = await this.inbox.next();
        if (message.kind === 'end') {
          this.report = await this.digests.addTo(message.report);
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
      this.digests.stop();
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

/** A trace set that a thread of its own opens and begins to read at once. */
export class ReadingThread {
  readonly #strings: TraceStrings;
  readonly #slots: readonly EventBatch[];
  readonly #worker: Worker;
  readonly #inbox: Inbox;

  /** @param tables  string tables that the consumer reads from */
  constructor(request: TraceSetRequest, tables: readonly (keyof TraceStrings)[]) {
    this.#strings = createTraceStrings(request.open?.limits, request.inputs[0]);
    this.#slots = Array.from(
      { length: SLOTS },
      () =>
        new EventBatch(this.#strings, BATCH_EVENTS, new SharedArrayBuffer(EventBatch.bytes(BATCH_EVENTS))),
    );
    const slots = this.#slots.map((slot) => slot.buffer as SharedArrayBuffer);
    const workerData: WorkerData = { request, slots, tables };
    this.#worker = new Worker(WORKER, { workerData });
    this.#inbox = new Inbox(this.#worker);
    // Until somebody asks for the traces, the thread is no reason for the program to live.
    this.#worker.unref();
  }

  /** The traces, once they are open. Can be called once. @throws InputError  as openTraceSet */
  async open(): Promise<TraceSet> {
    this.#worker.ref();
    let opened: FromReader;
    try {
      opened = await this.#inbox.next();
    } catch (error) {
      await this.#worker.terminate();
      throw error;
    }
    if (opened.kind !== 'opened') throw new Error(`the reading thread began with ${opened.kind}`);
    const source = new WorkerSource(
      this.#strings,
      this.#worker,
      this.#inbox,
      this.#slots,
      new Digests(opened.files),
    );
    return {
      source,
      kernel: opened.kernel,
      files: opened.files,
      report: () => {
        if (source.report === undefined) throw new Error('the trace has not been read');
        return source.report;
      },
    };
  }
}
