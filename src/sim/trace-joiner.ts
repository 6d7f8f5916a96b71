/**
 * Several traces as one run: the parts of a long recording, or one load after another.
 *
 * Each trace numbers its ids by itself and starts its clock where it likes. Here ids get one numbering, so that an object
 * of one trace can be freed in the next, and a trace that begins before the end of the one before it is moved behind it.
 */
import { type EventBatch, NONE_U32 } from '../trace/event-batch.js';
import { StringTable } from '../trace/string-table.js';

/** Time between the last event of a trace and the first of one that had to be moved. */
const GAP_NS = 1000;

export class TraceJoiner {
  readonly #ids = new StringTable();
  /** by the id's number in the current trace: its number in the run + 1 */
  #known = new Uint32Array(0);
  #shift_ns = 0;
  #last_ns = Number.NEGATIVE_INFINITY;
  #isFirstBatch = true;
  /** traces moved behind the one before */
  moved = 0;

  /** The next batches are those of another trace. */
  beginTrace(): void {
    this.#known.fill(0);
    this.#shift_ns = 0;
    this.#isFirstBatch = true;
  }

  /** Gives a batch the run's ids and times, in place. */
  join(batch: EventBatch): void {
    if (batch.length === 0) return;
    if (this.#isFirstBatch && batch.ts[0]! < this.#last_ns) {
      this.#shift_ns = this.#last_ns + GAP_NS - batch.ts[0]!;
      this.moved++;
    }
    this.#isFirstBatch = false;
    if (this.#shift_ns !== 0) for (let i = 0; i < batch.length; i++) batch.ts[i]! += this.#shift_ns;
    this.#last_ns = batch.ts[batch.length - 1]!;
    for (let i = 0; i < batch.length; i++)
      if (batch.id[i] !== NONE_U32) batch.id[i] = this.#idOf(batch, batch.id[i]!);
  }

  #idOf(batch: EventBatch, id: number): number {
    if (id >= this.#known.length) {
      const grown = new Uint32Array(Math.max(1 << 10, 2 * id));
      grown.set(this.#known);
      this.#known = grown;
    }
    const known = this.#known[id]!;
    if (known !== 0) return known - 1;
    const number = this.#ids.intern(batch.strings.ids.get(id));
    this.#known[id] = number + 1;
    return number;
  }
}
