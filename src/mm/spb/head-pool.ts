/**
 * Sentinels for the free lists of superpageblocks, dealt out from an area behind all list nodes.
 *
 * A machine that grows needs more of them later, so the area is laid out for all the memory that the machine can have.
 */
import type { StateIo } from '../state-io.js';
import { SPB_LISTS } from './spb-types.js';

export class HeadPool {
  readonly #first: number;
  readonly #capacity: number;
  #used = 0;

  /** @param first node number of the first sentinel; @param capacity superpageblocks */
  constructor(first: number, capacity: number) {
    this.#first = first;
    this.#capacity = capacity;
  }

  serialize(io: StateIo): void {
    this.#used = io.whole('used', this.#used, 0, this.#capacity);
  }

  /** First sentinel of one superpageblock's lists, or -1 when there are no more. */
  take(): number {
    if (this.#used === this.#capacity) return -1;
    return this.#first + this.#used++ * SPB_LISTS;
  }
}
