/**
 * Ids whose object has been freed, and where: a trace that frees one again is wrong, because an id names one live object.
 * A free of an id that nothing allocated is none of its business, nor is one of a part of the object.
 *
 * An object of a cache whose id is an address was recorded: it may come free twice, as bulk calls allocate without an
 * event for each object.
 */
import { NO_ORDER } from '../event-batch.js';
import type { StringTable } from '../string-table.js';

const FIRST_CAPACITY = 1 << 12;
const ADDRESS = /^0x[\da-f]+$/;
/** Room for an order plus 1 below the line in a state. */
const ORDERS = 16;
/** Lines from here on do not fit a state of 32 bits. */
const LARGE_LINE = 2 ** 32 / ORDERS;

export class FreedIds {
  /**
   * By id: the line of the row that freed it (0 while it lives, or if it was never seen) times ORDERS, plus its order
   * as allocated plus 1 (0 if no row allocated it). One number, as ids are far apart in memory; of 32 bits, as long as
   * lines fit.
   */
  #states: Uint32Array | Float64Array = new Uint32Array(FIRST_CAPACITY);

  /** @param recorded  for objects of caches: the texts of the ids */
  constructor(readonly recorded?: StringTable) {}

  /** @param order  0 to 10 */
  allocated(id: number, order: number): void {
    if (id >= this.#states.length) this.#reserve(id);
    this.#states[id] = order + 1;
  }

  /**
   * @param order as allocated, or NO_ORDER
   * @returns line of the row that has freed the object already, 0 if none has
   */
  freed(id: number, order: number, line: number): number {
    if (id >= this.#states.length) this.#reserve(id);
    const state = this.#states[id] as number;
    if (state >= ORDERS) return this.#isAddress(id) ? 0 : Math.floor(state / ORDERS);
    const allocated = state - 1;
    if (allocated >= 0 && (order === NO_ORDER || order === allocated)) {
      if (line >= LARGE_LINE && this.#states instanceof Uint32Array)
        this.#states = new Float64Array(this.#states);
      this.#states[id] = line * ORDERS + state;
    }
    return 0;
  }

  #isAddress(id: number): boolean {
    return this.recorded !== undefined && ADDRESS.test(this.recorded.get(id));
  }

  #reserve(id: number): void {
    const capacity = Math.max(id + 1, this.#states.length * 2);
    const states =
      this.#states instanceof Uint32Array ? new Uint32Array(capacity) : new Float64Array(capacity);
    states.set(this.#states);
    this.#states = states;
  }
}
