/**
 * Several traces as one, each behind the one before: the parts of a long recording, or one load after another.
 *
 * A trace that begins before the end of the one before it is moved behind it. All traces intern into the same tables, so
 * that an object of one can be freed in the next.
 */
import type { EventBatch, EventSource } from '../event-batch.js';
import type { TraceStrings } from '../string-table.js';

/** Time between the last event of a trace and the first of one that had to be moved. */
const GAP_NS = 1000;

export class Append implements EventSource {
  /** traces moved behind the one before */
  moved = 0;

  constructor(
    readonly strings: TraceStrings,
    readonly sources: readonly EventSource[],
  ) {}

  async *batches(): AsyncGenerator<EventBatch> {
    let last_ns = Number.NEGATIVE_INFINITY;
    for (const source of this.sources) {
      let shift_ns = 0;
      let isFirst = true;
      for await (const batch of source.batches()) {
        if (batch.length === 0) continue;
        const { ts, length } = batch;
        if (isFirst && (ts[0] as number) < last_ns) {
          shift_ns = last_ns + GAP_NS - (ts[0] as number);
          this.moved++;
        }
        isFirst = false;
        if (shift_ns !== 0) for (let i = 0; i < length; i++) (ts[i] as number) += shift_ns;
        last_ns = ts[length - 1] as number;
        yield batch;
      }
    }
  }
}
