/**
 * Leaves out frees of objects that are free already.
 *
 * Readers take an id that is freed twice for a mistake of whoever wrote the trace. Where a selection left out the
 * allocation in between it is none. So that what is written can be read again, the second free goes, and is counted.
 */
import { ASKS_MEMORY, FREES_OBJECT, FREES_PAGES, HAS_ORDER } from '../csv/columns.js';
import { FreedIds } from '../csv/freed-ids.js';
import { type EventBatch, EventFlag, type EventSource, NONE_U32 } from '../event-batch.js';
import { KeptDepths } from '../nesting.js';
import type { TraceStrings } from '../string-table.js';

const NOT_FOLLOWED = EventFlag.hasPfn | EventFlag.failed;

export class FreesOnce {
  leftOut = 0;
  readonly #pages = new FreedIds();
  readonly #objects: FreedIds;
  readonly #depths = new KeptDepths();
  #rows = new Uint32Array(0);

  constructor(strings: TraceStrings) {
    this.#objects = new FreedIds(strings.ids);
  }

  /** The same events without the frees that are too many. */
  async *of(batches: ReturnType<EventSource['batches']>): AsyncGenerator<EventBatch> {
    for await (const batch of batches) {
      this.#keep(batch);
      yield batch;
    }
  }

  #keep(batch: EventBatch): void {
    if (this.#rows.length < batch.length) this.#rows = new Uint32Array(batch.length);
    let count = 0;
    for (let row = 0; row < batch.length; row++) {
      const isWanted = this.#isWanted(batch, row);
      this.#depths.follow(batch, row, isWanted);
      if (isWanted) this.#rows[count++] = row;
    }
    this.leftOut += batch.length - count;
    batch.keepRows(this.#rows, count);
  }

  #isWanted(batch: EventBatch, row: number): boolean {
    const id = batch.id[row] as number;
    if (id === NONE_U32 || ((batch.flags[row] as number) & NOT_FOLLOWED) !== 0) return true;
    const op = batch.op[row] as number;
    const order = batch.order[row] as number;
    if (ASKS_MEMORY[op] === 1) {
      (HAS_ORDER[op] === 1 ? this.#pages : this.#objects).allocated(id, order);
      return true;
    }
    if (FREES_PAGES[op] === 1) return this.#pages.freed(id, order, 1) === 0;
    if (FREES_OBJECT[op] === 1) return this.#objects.freed(id, order, 1) === 0;
    return true;
  }
}
