/** A trace set that is read by another thread, so that decoding and replay overlap. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type Digest, digestFile, NO_DIGEST } from '../bytes/digest.js';
import type { EventBatch, EventSource } from '../event-batch.js';
import { createTraceStrings, type TraceStrings } from '../string-table.js';
import type { TraceSet, TraceSetReport, TraceSetRequest } from '../trace-set.js';
import type { FromReader, ToReader, WorkerData } from './protocol.js';
import { newSlots } from './slot-sender.js';
import { Inbox, SlotSource } from './slot-source.js';

/** Stands beside this module, built or bundled. Sources that were not built have none. */
const WORKER = new URL('./trace-worker.js', import.meta.url);

export function hasWorker(): boolean {
  return existsSync(WORKER);
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

/** The source that the reading thread feeds; it ends with the thread. */
class WorkerSource implements EventSource {
  report: TraceSetReport | undefined;
  readonly strings: TraceStrings;

  constructor(
    readonly source: SlotSource,
    readonly worker: Worker,
    readonly digests: Digests,
  ) {
    this.strings = source.strings;
  }

  async *batches(): AsyncGenerator<EventBatch> {
    const { source } = this;
    try {
      yield* source.batches();
      if (source.report !== undefined) this.report = await this.digests.addTo(source.report);
    } finally {
      this.digests.stop();
      // Left early: what was read so far is in the report, which the reader sends when it stops.
      if (this.report === undefined) await this.#stop();
      await this.worker.terminate();
    }
  }

  async #stop(): Promise<void> {
    const stop: ToReader = { kind: 'stop' };
    this.worker.postMessage(stop);
    try {
      for (;;) {
        const message = await this.source.inbox.next();
        if (message.kind !== 'end') continue;
        this.report = message.report;
        return;
      }
    } catch {
      // The error that ended the reading is on its way to the consumer already.
    }
  }
}

/** A trace set that a thread of its own opens and begins to read at once. */
export class ReadingThread {
  readonly #worker: Worker;
  readonly #inbox = new Inbox();
  readonly #source: SlotSource;

  /** @param tables  string tables that the consumer reads from */
  constructor(request: TraceSetRequest, tables: readonly (keyof TraceStrings)[]) {
    const slots = newSlots();
    const workerData: WorkerData = { request, slots, tables };
    const worker = new Worker(WORKER, { workerData });
    worker.on('message', (message: FromReader) => this.#inbox.put(message));
    worker.on('error', (error) => this.#inbox.fail(error));
    worker.on('exit', () => this.#inbox.fail(new Error('the reading thread ended without a word')));
    const free = (slot: number) => {
      const message: ToReader = { kind: 'free', slot };
      worker.postMessage(message);
    };
    const strings = createTraceStrings(request.open?.limits, request.inputs[0]);
    this.#source = new SlotSource(strings, this.#inbox, slots, free);
    this.#worker = worker;
    // Until somebody asks for the traces, the thread is no reason for the program to live.
    worker.unref();
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
    const source = new WorkerSource(this.#source, this.#worker, new Digests(opened.files));
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
