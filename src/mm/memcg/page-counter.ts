/**
 * Page counters: pages charged, a limit, and a parent that is charged with them. A counter is a number.
 * model: slub 5.5
 */
import { InvariantError } from '../invariant.js';
import type { StateIo } from '../state-io.js';

export const NO_COUNTER = -1;
/** A limit that nothing reaches: all bytes of a signed 64-bit address, in pages. */
export const PAGE_COUNTER_MAX = 2 ** 51 - 1;

const FIRST_COUNTERS = 16;

export class PageCounters {
  usage_pages = new Float64Array(FIRST_COUNTERS);
  max_pages = new Float64Array(FIRST_COUNTERS);
  /** most that was charged; attempts that found no room do not count */
  peak_pages = new Float64Array(FIRST_COUNTERS);
  /** NO_COUNTER at the top */
  parent = new Int32Array(FIRST_COUNTERS);
  count = 0;

  create(parent: number, max_pages: number): number {
    if (this.count === this.parent.length) this.#grow();
    const counter = this.count++;
    this.parent[counter] = parent;
    this.max_pages[counter] = max_pages;
    return counter;
  }

  /** Charges the counter and all above it, or none. @returns NO_COUNTER, or the one that has no room */
  tryCharge(counter: number, pages: number): number {
    for (let at = counter; at !== NO_COUNTER; at = this.parent[at]!)
      if (this.usage_pages[at]! + pages > this.max_pages[at]!) return at;
    this.charge(counter, pages);
    return NO_COUNTER;
  }

  /** Charges whatever the limits are. */
  charge(counter: number, pages: number): void {
    for (let at = counter; at !== NO_COUNTER; at = this.parent[at]!) {
      const usage = this.usage_pages[at]! + pages;
      this.usage_pages[at] = usage;
      if (usage > this.peak_pages[at]!) this.peak_pages[at] = usage;
    }
  }

  uncharge(counter: number, pages: number): void {
    for (let at = counter; at !== NO_COUNTER; at = this.parent[at]!) {
      const left = this.usage_pages[at]! - pages;
      if (left < 0) throw new InvariantError(`page counter ${at} would fall to ${left} pages`);
      this.usage_pages[at] = left;
    }
  }

  /** Pages that still fit below the counter's own limit. */
  margin(counter: number): number {
    return Math.max(0, this.max_pages[counter]! - this.usage_pages[counter]!);
  }

  /** Whether `counter` is `ancestor` or below it. */
  isBelow(counter: number, ancestor: number): boolean {
    let at = counter;
    while (at !== NO_COUNTER && at !== ancestor) at = this.parent[at]!;
    return at === ancestor;
  }

  #grow(): void {
    const length = this.parent.length * 2;
    const { usage_pages, max_pages, peak_pages, parent } = this;
    this.usage_pages = new Float64Array(length);
    this.max_pages = new Float64Array(length);
    this.peak_pages = new Float64Array(length);
    this.parent = new Int32Array(length);
    this.usage_pages.set(usage_pages);
    this.max_pages.set(max_pages);
    this.peak_pages.set(peak_pages);
    this.parent.set(parent);
  }

  serialize(io: StateIo): void {
    this.count = io.number('count', this.count);
    this.usage_pages = io.growing('usage_pages', this.usage_pages);
    this.max_pages = io.growing('max_pages', this.max_pages);
    this.peak_pages = io.growing('peak_pages', this.peak_pages);
    this.parent = io.growing('counter_parents', this.parent);
    if (io.isLoading) this.#checkLoaded(io);
  }

  /** Parents come before their children, so that every way up ends. */
  #checkLoaded(io: StateIo): void {
    const { length } = this.parent;
    const lengths = [this.usage_pages.length, this.max_pages.length, this.peak_pages.length];
    if (!(this.count <= length) || lengths.some((other) => other !== length))
      io.refuse(`${this.count} page counters`);
    for (let counter = 0; counter < this.count; counter++) {
      const parent = this.parent[counter]!;
      if (parent < NO_COUNTER || parent >= counter) io.refuse(`page counter ${counter} is below ${parent}`);
    }
  }
}
