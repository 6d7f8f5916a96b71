import { NO_ORDER } from '../event-batch.js';

const FIRST_CAPACITY = 1 << 10;

/**
 * Ids whose object has been freed, and where: a trace that frees one again is wrong, because an id names one live object.
 * A free of an id that nothing allocated is none of its business, nor is one of a part of the object.
 */
export class FreedIds {
  /** by id: line of the row that freed it; 0 while it lives, or if it was never seen */
  #lines = new Float64Array(FIRST_CAPACITY);
  /** by id: order as allocated, plus 1; 0 if no row allocated it */
  #orders = new Uint8Array(FIRST_CAPACITY);

  allocated(id: number, order: number): void {
    this.#reserve(id);
    this.#lines[id] = 0;
    this.#orders[id] = order + 1;
  }

  /**
   * @param order as allocated, or NO_ORDER
   * @returns line of the row that has freed the object already, 0 if none has
   */
  freed(id: number, order: number, line: number): number {
    this.#reserve(id);
    const before = this.#lines[id]!;
    const allocated = this.#orders[id]! - 1;
    if (before === 0 && allocated >= 0 && (order === NO_ORDER || order === allocated)) this.#lines[id] = line;
    return before;
  }

  #reserve(id: number): void {
    if (id < this.#lines.length) return;
    const capacity = Math.max(id + 1, this.#lines.length * 2);
    const lines = new Float64Array(capacity);
    const orders = new Uint8Array(capacity);
    lines.set(this.#lines);
    orders.set(this.#orders);
    this.#lines = lines;
    this.#orders = orders;
  }
}
