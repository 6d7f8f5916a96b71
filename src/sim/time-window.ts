/** The part of a trace between --from and --to, both counted from its first event. */
import type { StateIo } from '../mm/state-io.js';
import type { EventBatch } from '../trace/event-batch.js';

export class TimeWindow {
  #from = Number.NEGATIVE_INFINITY;
  #to = Number.POSITIVE_INFINITY;

  constructor(
    readonly from_ns: number | undefined,
    readonly to_ns: number | undefined,
  ) {}

  /** @param start_ns time of the trace's first event */
  start(start_ns: number): void {
    if (this.from_ns !== undefined) this.#from = start_ns + this.from_ns;
    if (this.to_ns !== undefined) this.#to = start_ns + this.to_ns;
  }

  serialize(io: StateIo): void {
    this.#from = io.number('from', this.#from);
    this.#to = io.number('to', this.#to);
  }

  /** Of the rows `first` to `end` those inside the window: what is before `from` is too early, from `to` on too late. */
  slice(batch: EventBatch, first = 0, end = batch.length): { from: number; to: number } {
    let from = first;
    while (from < end && batch.ts[from]! < this.#from) from++;
    let to = end;
    while (to > from && batch.ts[to - 1]! >= this.#to) to--;
    return { from, to };
  }
}
