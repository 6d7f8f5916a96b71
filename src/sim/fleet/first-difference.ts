/**
 * Where two replays of one trace first part: the first event that is about another page on one side than on the other.
 *
 * The sides are not in step, so what one says of a batch waits for what the other says of it.
 */
import type { Explanation } from '../../report/explain-document.js';
import { EventBatch } from '../../trace/event-batch.js';
import { eventOf } from '../explain.js';

export interface FirstDifference {
  readonly event: Explanation['event'];
  /** page of the event on each side; NO_PAGE where it failed there */
  readonly pfns: readonly [a: number, b: number];
  /** the events up to it, where it is in the first batch: to explain it nothing needs to be read again */
  readonly beginning: { readonly slot: SharedArrayBuffer; readonly length: number } | undefined;
}

export class PageComparison {
  first: FirstDifference | undefined;
  /** batches that one side is ahead with */
  readonly #waiting: [Int32Array[], Int32Array[]] = [[], []];
  #events = 0;
  #start_ns: number | undefined;

  /**
   * @param batch  the events that `pfns` is about
   * @returns whether it wants to know more
   */
  add(side: number, pfns: Int32Array, batch: EventBatch): boolean {
    this.#start_ns ??= batch.ts[0]!;
    this.#waiting[side as 0 | 1].push(pfns);
    const [a, b] = this.#waiting;
    if (this.first === undefined && a.length > 0 && b.length > 0)
      this.#compare(a.shift()!, b.shift()!, batch);
    return this.first === undefined;
  }

  #compare(a: Int32Array, b: Int32Array, batch: EventBatch): void {
    for (let row = 0; row < a.length; row++) {
      if (a[row] === b[row]) continue;
      const event = eventOf(batch, row, this.#events + row, this.#start_ns!);
      const beginning = this.#events === 0 ? copyOf(batch, row + 1) : undefined;
      this.first = { event, pfns: [a[row]!, b[row]!], beginning };
      return;
    }
    this.#events += a.length;
  }
}

function copyOf(batch: EventBatch, length: number): { slot: SharedArrayBuffer; length: number } {
  const slot = new SharedArrayBuffer(EventBatch.bytes(length));
  new EventBatch(batch.strings, length, slot).copyRows(batch, 0, length, 0);
  return { slot, length };
}
