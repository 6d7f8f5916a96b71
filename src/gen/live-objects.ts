/** Ids of objects that live, in the order of their making: the oldest one is taken, or any. */
import type { Prng } from './prng.js';

export class LiveObjects {
  readonly #ring: Uint32Array;
  #oldest = 0;
  count = 0;

  /** @param most  objects that live at the same time */
  constructor(most: number) {
    this.#ring = new Uint32Array(Math.max(1, most));
  }

  get isFull(): boolean {
    return this.count === this.#ring.length;
  }

  /** @param id  not 0; there is room */
  push(id: number): void {
    this.#ring[this.#place(this.count++)] = id;
  }

  takeOldest(): number {
    const id = this.#ring[this.#oldest];
    this.#oldest = this.#place(1);
    this.count--;
    return id;
  }

  /** Any of them; the oldest takes its place. */
  takeAny(prng: Prng): number {
    const place = this.#place(prng.below(this.count));
    const id = this.#ring[place];
    this.#ring[place] = this.#ring[this.#oldest];
    this.#oldest = this.#place(1);
    this.count--;
    return id;
  }

  #place(n: number): number {
    return (this.#oldest + n) % this.#ring.length;
  }
}
