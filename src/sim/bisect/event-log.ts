/**
 * The events of a trace, kept in memory as the columns that they came in, so that a part of it can be replayed again.
 *
 * Readers use a batch anew for what comes next. Here its rows are copied to batches of one size; old ones are let go
 * when nobody will want them again.
 */
import { EventBatch } from '../../trace/event-batch.js';
import type { TraceStrings } from '../../trace/string-table.js';

const CHUNK_SHIFT = 14;
const CHUNK_EVENTS = 1 << CHUNK_SHIFT;

/** Rows of one batch. */
export interface Rows {
  readonly batch: EventBatch;
  readonly from: number;
  readonly to: number;
  /** number of the first of them in the trace */
  readonly event: number;
}

export class EventLog {
  /** bytes that each event takes */
  static readonly EVENT_BYTES = EventBatch.bytes(1);
  readonly #chunks: (EventBatch | undefined)[] = [];
  #length = 0;

  constructor(readonly strings: TraceStrings) {}

  /** Events of the trace so far, those that were let go included. */
  get length(): number {
    return this.#length;
  }

  append(batch: EventBatch, from = 0, to = batch.length): void {
    for (let at = from; at < to; ) {
      const chunk = this.#chunkAt(this.#length);
      const count = Math.min(to - at, chunk.capacity - chunk.length);
      chunk.copyRows(batch, at, at + count, chunk.length);
      chunk.length += count;
      this.#length += count;
      at += count;
    }
  }

  #chunkAt(event: number): EventBatch {
    const number = event >>> CHUNK_SHIFT;
    let chunk = this.#chunks[number];
    if (chunk === undefined) {
      chunk = new EventBatch(this.strings, CHUNK_EVENTS);
      this.#chunks[number] = chunk;
    }
    return chunk;
  }

  /** Events before this one will not be asked for again. */
  forget(before: number): void {
    for (
      let number = (before >>> CHUNK_SHIFT) - 1;
      number >= 0 && this.#chunks[number] !== undefined;
      number--
    )
      this.#chunks[number] = undefined;
  }

  /** Batch and row of one event. */
  at(event: number): { readonly batch: EventBatch; readonly row: number } {
    const batch = this.#chunks[event >>> CHUNK_SHIFT];
    if (batch === undefined || event >= this.#length) throw new RangeError(`event ${event} is not kept`);
    return { batch, row: event & (CHUNK_EVENTS - 1) };
  }

  /** Events from..to, batch by batch. */
  *rows(from: number, to: number): Generator<Rows> {
    for (let event = from; event < to; ) {
      const { batch, row } = this.at(event);
      const count = Math.min(to - event, CHUNK_EVENTS - row);
      yield { batch, from: row, to: row + count, event };
      event += count;
    }
  }
}
