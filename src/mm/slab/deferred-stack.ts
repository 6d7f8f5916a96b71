/**
 * A stack of slabs with a slot each: what one CPU has left to later.
 *
 * Whoever works it off takes it as a whole; what comes in meanwhile stands on top and belongs to the next time.
 * model: slub 3.5, 4.3
 */
import type { StateIo } from '../state-io.js';

const FIRST_LENGTH = 16;

export interface DeferredEntry {
  readonly slab: number;
  /** object that waits; of a slab the head of the private freelist that goes back into it, NO_SLOT for none */
  readonly slot: number;
}

export class DeferredStack {
  length = 0;
  #slabs = new Int32Array(FIRST_LENGTH);
  #slots = new Uint16Array(FIRST_LENGTH);

  push(slab: number, slot: number): void {
    const at = this.length++;
    if (at === this.#slabs.length) this.#grow();
    this.#slabs[at] = slab;
    this.#slots[at] = slot;
  }

  /** Entry number `at`, oldest first. */
  slabAt(at: number): number {
    return this.#slabs[at]!;
  }

  slotAt(at: number): number {
    return this.#slots[at]!;
  }

  /** Takes the newest entry off; `slabAt(length)` and `slotAt(length)` still tell it until the next push. */
  drop(): void {
    this.length--;
  }

  /** Gives everything to a stack that is empty. */
  moveTo(other: DeferredStack): void {
    [this.#slabs, other.#slabs] = [other.#slabs, this.#slabs];
    [this.#slots, other.#slots] = [other.#slots, this.#slots];
    other.length = this.length;
    this.length = 0;
  }

  /** For verification and tests: newest first, as they are worked off. */
  newestFirst(): DeferredEntry[] {
    return Array.from({ length: this.length }, (_, i) => {
      const at = this.length - 1 - i;
      return { slab: this.slabAt(at), slot: this.slotAt(at) };
    });
  }

  serialize(io: StateIo): void {
    this.#slabs = io.growing('slabs', this.#slabs);
    this.#slots = io.growing('slots', this.#slots);
    if (this.#slots.length !== this.#slabs.length) io.refuse('a deferred stack is torn');
    this.length = io.whole('length', this.length, 0, this.#slabs.length);
  }

  #grow(): void {
    const slabs = new Int32Array(this.#slabs.length * 2);
    const slots = new Uint16Array(this.#slots.length * 2);
    slabs.set(this.#slabs);
    slots.set(this.#slots);
    this.#slabs = slabs;
    this.#slots = slots;
  }
}
