/** A source read batch by batch, with a place in the batch: what joins of several sources stand on. */
import type { EventBatch, EventSource } from '../event-batch.js';

export class Cursor {
  readonly #batches: AsyncIterator<EventBatch>;
  batch: EventBatch | undefined;
  row = 0;
  /** thrown by the source behind its last batch */
  failure: { readonly error: unknown } | undefined;

  constructor(source: EventSource) {
    this.#batches = source.batches()[Symbol.asyncIterator]();
  }

  /** Moves to the next batch that holds events. False at the end. */
  async nextBatch(): Promise<boolean> {
    this.batch = undefined;
    if (this.failure !== undefined) return false;
    try {
      for (;;) {
        const next = await this.#batches.next();
        if (next.done === true) return false;
        if (next.value.length === 0) continue;
        this.batch = next.value;
        this.row = 0;
        return true;
      }
    } catch (error) {
      this.failure = { error };
      return false;
    }
  }

  /** Time of the row at hand; infinite behind the end. */
  get ts(): number {
    return this.batch === undefined ? Number.POSITIVE_INFINITY : (this.batch.ts[this.row] as number);
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}
