/**
 * One side of a comparison: replays the events that are sent to it. It runs in a thread of its own, or, where there is
 * none to be had, in that of the command.
 */
import { EventBatch } from '../../trace/event-batch.js';
import { createTraceStrings } from '../../trace/string-table.js';
import type { TraceSet, TraceSetReport } from '../../trace/trace-set.js';
import { packError } from '../../trace/worker/protocol.js';
import { Inbox, SlotSource } from '../../trace/worker/slot-source.js';
import { explainEvent } from '../explain.js';
import { runTraces } from '../run-trace.js';
import type { RecordingMaterial } from '../start-state/recording-material.js';
import type { FromSide, SideExplainRequest, ToSide, TraceBeginning } from './side-protocol.js';

type RunMessage = Extract<ToSide, { kind: 'run' }>;

function reportOf({ report }: SlotSource): TraceSetReport {
  if (report === undefined) throw new Error('the trace has not been read');
  return report;
}

export class SideRunner {
  readonly #send: (message: FromSide) => void;
  readonly #abort = new AbortController();
  #inbox = new Inbox();
  #wantsPages = false;
  /** of the recording that was replayed last */
  #material: RecordingMaterial | undefined;
  /** of the trace that was replayed last */
  #strings = createTraceStrings();

  constructor(send: (message: FromSide) => void) {
    this.#send = send;
  }

  receive(message: ToSide): void {
    switch (message.kind) {
      case 'run':
        this.#inbox = new Inbox();
        this.#wantsPages = message.wantsPages;
        this.#answer(this.#run(message));
        break;
      case 'events':
        this.#inbox.put(message.message);
        break;
      case 'enough_pages':
        this.#wantsPages = false;
        break;
      case 'abort':
        this.#abort.abort();
        this.#inbox.fail(new DOMException('the command was interrupted', 'AbortError'));
        break;
      case 'close':
        break;
      case 'explain':
        this.#answer(this.#explain(message.request, message.beginning));
        break;
    }
  }

  #answer(work: Promise<FromSide>): void {
    work.catch((error): FromSide => ({ kind: 'error', error: packError(error) })).then(this.#send);
  }

  async #run({ request, material, slots, wantsPages }: RunMessage): Promise<FromSide> {
    const inbox = this.#inbox;
    this.#material = material;
    this.#strings = createTraceStrings(request.open.limits, request.inputs[0]);
    const source = new SlotSource(this.#strings, inbox, slots, (slot) => this.#send({ kind: 'free', slot }));
    const traces = async (): Promise<TraceSet> => {
      const opened = await inbox.next();
      if (opened.kind !== 'opened') throw new Error(`the reader began with ${opened.kind}`);
      const { kernel, files } = opened;
      return { source, kernel, files, report: () => reportOf(source) };
    };
    const onPages = (pfns: Int32Array) => {
      if (this.#wantsPages) this.#send({ kind: 'pages', pfns });
      return this.#wantsPages;
    };
    const result = await runTraces({
      ...request,
      material,
      traces,
      ...(wantsPages ? { onPages } : {}),
    });
    return { kind: 'result', result };
  }

  async #explain(request: SideExplainRequest, beginning?: TraceBeginning): Promise<FromSide> {
    const traces = beginning === undefined ? {} : { traces: async () => this.#beginningOf(beginning) };
    const explanation = await explainEvent({
      ...request,
      ...traces,
      material: this.#material,
      signal: this.#abort.signal,
    });
    return { kind: 'explanation', explanation };
  }

  /** Ends before the trace does: there is no report. */
  #beginningOf({ slot, length, kernel }: TraceBeginning): TraceSet {
    const strings = this.#strings;
    const batch = new EventBatch(strings, slot.byteLength / EventBatch.bytes(1), slot);
    batch.length = length;
    return {
      source: {
        strings,
        async *batches() {
          yield batch;
        },
      },
      kernel,
      files: [],
      report: () => {
        throw new Error('only the beginning of the trace is there');
      },
    };
  }
}
