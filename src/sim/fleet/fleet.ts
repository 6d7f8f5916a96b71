/**
 * Several replays of the same events at the same time, each in a thread of its own: the trace is read once, by the
 * command's thread, and sent to all of them.
 *
 *     reader ── slots ──▶ side 0  policy A ──▶ RunResult
 *                    └──▶ side 1  policy B ──▶ RunResult
 */
import type { Explanation } from '../../report/explain-document.js';
import type { RunResult } from '../../report/run-result.js';
import { BATCH_EVENTS, EventBatch } from '../../trace/event-batch.js';
import { REPLAYED_TABLES } from '../../trace/open-traces.js';
import type { TraceKernel } from '../../trace/source.js';
import type { TraceStrings } from '../../trace/string-table.js';
import type { Join, TraceSet } from '../../trace/trace-set.js';
import { packError, unpackError } from '../../trace/worker/protocol.js';
import { newSlots, SlotSender } from '../../trace/worker/slot-sender.js';
import { isGenerated } from '../generated-name.js';
import { materialOf } from '../prepare-run.js';
import type { FromSide, SideExplainRequest, SideRequest, TraceBeginning } from './side-protocol.js';
import { type Side, startSides } from './side-thread.js';

/** What is replayed: the same for all sides. */
export interface FleetTrace {
  readonly inputs: readonly string[];
  readonly join?: Join | undefined;
  readonly open: SideRequest['open'];
  readonly seed: number;
  /** the events, if they have been opened ahead */
  readonly set?: (() => Promise<TraceSet>) | undefined;
}

export interface FleetOptions {
  /**
   * Page of each event of a batch, batch by batch, of each side; answers whether it wants more. The batch, with the
   * strings of the trace, is there until it returns.
   */
  readonly onPages?: (side: number, pfns: Int32Array, batch: EventBatch) => boolean;
  /** a side has its result, and may be given something else to do */
  readonly onDone?: (side: number) => void;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  readonly signal?: AbortSignal | undefined;
}

export class Fleet {
  readonly #sides: readonly Side[];
  /** whose gfp words the trace uses that was replayed last */
  #kernel: TraceKernel | undefined;

  /** @param sides  started before, so that they load their code while the command does */
  constructor(sides: readonly Side[]) {
    this.#sides = sides;
  }

  static async start(count: number): Promise<Fleet> {
    return new Fleet(await startSides(count));
  }

  get size(): number {
    return this.#sides.length;
  }

  /**
   * Replays a trace on as many sides as there are requests.
   *
   * @returns their results, in the order of the requests
   * @throws what reading or the first failing side throws; an AbortError if `signal` asks for an end
   */
  async replay(
    trace: FleetTrace,
    requests: readonly SideRequest[],
    options: FleetOptions = {},
  ): Promise<RunResult[]> {
    options.signal?.throwIfAborted();
    const sides = this.#sides.slice(0, requests.length);
    const slots = newSlots();
    const sender = new SlotSender(
      slots,
      REPLAYED_TABLES,
      sides.map((side) => (message) => side.send({ kind: 'events', message })),
    );
    let strings: TraceStrings | undefined;
    const batchOf = (sequence: number) =>
      new EventBatch(strings!, BATCH_EVENTS, slots[sender.slotOf(sequence)]!);
    const results = sides.map((side, at) => awaitResult(side, at, sender, options, sides, batchOf));
    // They are awaited further down; a side may fail before that.
    for (const result of results) result.catch(() => {});
    const abort = () => {
      sender.stop();
      for (const side of sides) side.send({ kind: 'abort' });
    };
    options.signal?.addEventListener('abort', abort, { once: true });
    try {
      const wantsPages = options.onPages !== undefined;
      // Read once here, and not by each side: of a recording it takes longer than the replay.
      const own = requests.find(({ machine }) => machine === undefined);
      const material = own === undefined ? undefined : await materialOf(own);
      sides.forEach((side, at) => {
        side.send({ kind: 'run', request: requests[at]!, material, slots, wantsPages });
      });
      const set = await (trace.set?.() ?? openTrace(trace));
      const { kernel, files } = set;
      strings = set.source.strings;
      this.#kernel = kernel;
      for (const side of sides) side.send({ kind: 'events', message: { kind: 'opened', kernel, files } });
      const reading = pump(set, sender, sides, options);
      // Whoever fails first says why; the other then ends because of it.
      const [all] = await Promise.all([Promise.all(results), reading]);
      return all;
    } catch (error) {
      abort();
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', abort);
    }
  }

  /**
   * Explains one event on a side that is done with its replay.
   *
   * @param beginning  events of the trace that was replayed last, if they are enough
   * @throws as explainEvent
   */
  explain(
    at: number,
    request: SideExplainRequest,
    beginning?: Omit<TraceBeginning, 'kernel'>,
  ): Promise<Explanation> {
    const side = this.#sides[at]!;
    const kernel = this.#kernel;
    const known = beginning === undefined || kernel === undefined ? undefined : { ...beginning, kernel };
    return new Promise((resolve, reject) => {
      side.onFailure = reject;
      side.onMessage = (message) => {
        if (message.kind === 'explanation') resolve(message.explanation);
        else if (message.kind === 'error') reject(unpackError(message.error));
      };
      side.send({ kind: 'explain', request, beginning: known });
    });
  }

  close(): void {
    for (const side of this.#sides) side.close();
  }
}

async function openTrace({ inputs, join, open, seed }: FleetTrace): Promise<TraceSet> {
  if (inputs.some(isGenerated)) return (await import('../generated-input.js')).openGenerated(inputs, seed);
  return (await import('../../trace/trace-set.js')).openTraceSet({ inputs, join, open });
}

function awaitResult(
  side: Side,
  at: number,
  sender: SlotSender,
  { onPages, onDone }: FleetOptions,
  sides: readonly Side[],
  batchOf: (sequence: number) => EventBatch,
): Promise<RunResult> {
  let batches = 0;
  return new Promise((resolve, reject) => {
    side.onFailure = reject;
    side.onMessage = (message: FromSide) => {
      if (message.kind === 'free') sender.free(message.slot);
      else if (message.kind === 'result') {
        resolve(message.result);
        onDone?.(at);
      } else if (message.kind === 'error') reject(unpackError(message.error));
      else if (message.kind === 'pages' && onPages?.(at, message.pfns, batchOf(batches++)) === false)
        for (const each of sides) each.send({ kind: 'enough_pages' });
    };
  });
}

/** Sends all events, and in the end what the readers have to report; or why there is no end. */
async function pump(
  set: TraceSet,
  sender: SlotSender,
  sides: readonly Side[],
  { onProgress }: FleetOptions,
): Promise<void> {
  let events = 0;
  const source = {
    strings: set.source.strings,
    async *batches(): AsyncGenerator<EventBatch> {
      for await (const batch of set.source.batches()) {
        if (batch.length === 0) continue;
        yield batch;
        events += batch.length;
        onProgress?.({ events, ts_ns: batch.ts[batch.length - 1]! });
        // Messages of the sides are taken between two batches.
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
  try {
    if (!(await sender.pump(source))) return;
    for (const side of sides) side.send({ kind: 'events', message: { kind: 'end', report: set.report() } });
  } catch (error) {
    for (const side of sides)
      side.send({ kind: 'events', message: { kind: 'error', error: packError(error) } });
    throw error;
  }
}
