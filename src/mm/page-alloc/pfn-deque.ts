/**
 * A double-ended queue of PFNs in a ring: the shape of one per-CPU page list.
 *
 * Per-CPU lists are pushed and popped at the head, refilled and drained at the tail, so a ring serves them with one
 * cache line where linked pages would cost two misses.
 */
import type { StateIo } from '../state-io.js';

export class PfnDeque {
  length = 0;
  #ring = new Int32Array(16);
  #head = 0;

  pushHead(pfn: number): void {
    if (this.length === this.#ring.length) this.#grow();
    this.#head = (this.#head - 1) & (this.#ring.length - 1);
    this.#ring[this.#head] = pfn;
    this.length++;
  }

  pushTail(pfn: number): void {
    if (this.length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.length) & (this.#ring.length - 1)] = pfn;
    this.length++;
  }

  /** Undefined behaviour on an empty queue: callers look at `length` first. */
  popHead(): number {
    const pfn = this.#ring[this.#head]!;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.length--;
    return pfn;
  }

  popTail(): number {
    this.length--;
    return this.#ring[(this.#head + this.length) & (this.#ring.length - 1)]!;
  }

  /** Entry number `index` from the head. */
  at(index: number): number {
    return this.#ring[(this.#head + index) & (this.#ring.length - 1)]!;
  }

  indexOf(pfn: number): number {
    for (let index = 0; index < this.length; index++) if (this.at(index) === pfn) return index;
    return -1;
  }

  /** Takes entry number `index` out of the middle; O(length). */
  removeAt(index: number): void {
    const mask = this.#ring.length - 1;
    if (index > this.length >> 1) {
      for (let i = index; i < this.length - 1; i++)
        this.#ring[(this.#head + i) & mask] = this.#ring[(this.#head + i + 1) & mask]!;
      this.length--;
      return;
    }
    for (let i = index; i > 0; i--)
      this.#ring[(this.#head + i) & mask] = this.#ring[(this.#head + i - 1) & mask]!;
    this.#head = (this.#head + 1) & mask;
    this.length--;
  }

  clear(): void {
    this.length = 0;
  }

  toArray(): number[] {
    return Array.from({ length: this.length }, (_, index) => this.at(index));
  }

  /** Where in the ring the queue begins is nothing that matters. */
  serialize(io: StateIo): void {
    const pfns = io.list('pfns', io.isLoading ? [] : this.toArray());
    if (!io.isLoading) return;
    this.clear();
    for (const pfn of pfns) this.pushTail(pfn);
  }

  #grow(): void {
    const ring = new Int32Array(this.#ring.length * 2);
    for (let i = 0; i < this.length; i++) ring[i] = this.at(i);
    this.#ring = ring;
    this.#head = 0;
  }
}
