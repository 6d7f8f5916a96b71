/**
 * Pages that a free from any context could not give back because the locks were taken: a stack per zone. They are in no
 * count, and stay until an ordinary free comes by that takes the zone's lock for its own page.
 * model: page-allocator 3.10
 */
import type { StateIo } from '../state-io.js';

const FIRST_LENGTH = 8;

export class TrylockFreePages {
  /** entries, and the pages of all of them */
  length = 0;
  stranded_pages = 0;
  peak_stranded_pages = 0;
  /** pages that ever were here */
  total_pages = 0;
  #pfn = new Uint32Array(FIRST_LENGTH);
  #order = new Uint8Array(FIRST_LENGTH);

  push(pfn: number, order: number): void {
    if (this.length === this.#pfn.length) this.#grow();
    this.#pfn[this.length] = pfn;
    this.#order[this.length] = order;
    this.length++;
    this.stranded_pages += 1 << order;
    this.total_pages += 1 << order;
    if (this.stranded_pages > this.peak_stranded_pages) this.peak_stranded_pages = this.stranded_pages;
  }

  /** Takes the newest entry off; `pfnAt(length)` and `orderAt(length)` still tell it until the next push. */
  drop(): void {
    this.length--;
    this.stranded_pages -= 1 << this.#order[this.length]!;
  }

  /** Entry number `at`, oldest first. */
  pfnAt(at: number): number {
    return this.#pfn[at]!;
  }

  orderAt(at: number): number {
    return this.#order[at]!;
  }

  serialize(io: StateIo): void {
    this.#pfn = io.growing('pfn', this.#pfn);
    this.#order = io.growing('order', this.#order);
    if (this.#pfn.length !== this.#order.length) io.refuse('a stack of stranded pages is torn');
    this.length = io.whole('length', this.length, 0, this.#pfn.length);
    this.stranded_pages = io.number('stranded_pages', this.stranded_pages);
    this.peak_stranded_pages = io.number('peak_stranded_pages', this.peak_stranded_pages);
    this.total_pages = io.number('total_pages', this.total_pages);
  }

  #grow(): void {
    const pfn = new Uint32Array(this.#pfn.length * 2);
    const order = new Uint8Array(this.#order.length * 2);
    pfn.set(this.#pfn);
    order.set(this.#order);
    this.#pfn = pfn;
    this.#order = order;
  }
}
