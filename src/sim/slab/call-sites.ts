/**
 * Calls and live objects by the place in the code that they came from. The first sites that a run meets are counted each by
 * itself, and exactly; those that come when all numbers are taken are counted together. So the memory is bounded, and no
 * count is an estimate.
 */
import { arrays, type StateIo } from '../../mm/state-io.js';
import type { ResultSlab, ResultSlabSite } from '../../report/slab/result-slab.js';
import type { StringTable } from '../../trace/string-table.js';

/** All sites that have no number of their own. */
export const OTHER_SITES = 0;
const MAX_SITES = 4096;
/** A name of a trace may be longer than anybody reads. */
const MAX_NAME = 200;
/** Rows of the result. */
const SHOWN_SITES = 50;
const FIRST_NUMBERS = 1 << 10;

export class CallSites {
  readonly allocated = new Float64Array(MAX_SITES);
  readonly failed = new Float64Array(MAX_SITES);
  readonly freed = new Float64Array(MAX_SITES);
  readonly live_objects = new Float64Array(MAX_SITES);
  /** of slots */
  readonly live_bytes = new Float64Array(MAX_SITES);
  /** names by number; number 0 has none */
  #names: string[] = [''];
  #numbers = new Map<string, number>();
  /** numbers by those of a trace's table, + 1: what was looked up already */
  #lookedUp = new WeakMap<StringTable, { numbers: Uint16Array }>();

  /** Number of a site of a trace, below MAX_SITES. A call without one is of the others. */
  numberOf(sites: StringTable, site: number): number {
    let known = this.#lookedUp.get(sites);
    if (known === undefined) {
      known = { numbers: new Uint16Array(FIRST_NUMBERS) };
      this.#lookedUp.set(sites, known);
    }
    if (site >= known.numbers.length) {
      const numbers = new Uint16Array(Math.max(site + 1, known.numbers.length * 2));
      numbers.set(known.numbers);
      known.numbers = numbers;
    }
    const found = known.numbers[site]!;
    if (found > 0) return found - 1;
    const number = this.#numberOfName(sites.get(site).slice(0, MAX_NAME));
    known.numbers[site] = number + 1;
    return number;
  }

  #numberOfName(name: string): number {
    if (name === '') return OTHER_SITES;
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#names.length;
    if (number === MAX_SITES) return OTHER_SITES;
    this.#names.push(name);
    this.#numbers.set(name, number);
    return number;
  }

  noteAllocated(site: number, slot_bytes: number): void {
    this.allocated[site]!++;
    this.live_objects[site]!++;
    this.live_bytes[site]! += slot_bytes;
  }

  noteFreed(site: number, slot_bytes: number): void {
    this.freed[site]!++;
    this.live_objects[site]!--;
    this.live_bytes[site]! -= slot_bytes;
  }

  noteFailed(site: number): void {
    this.failed[site]!++;
  }

  /** Counts of calls begin anew; what is live stays. */
  clear(): void {
    for (const counts of [this.allocated, this.failed, this.freed]) counts.fill(0);
  }

  serialize(io: StateIo): void {
    arrays<CallSites>(io, this, ['allocated', 'failed', 'freed', 'live_objects', 'live_bytes']);
    const names = io.plain('site_names', this.#names);
    if (!io.isLoading) return;
    if (names.length < 1 || names.length > MAX_SITES) io.refuse(`${names.length} call sites`);
    if (names.some((name) => typeof name !== 'string')) io.refuse('a call site that is no text');
    this.#names = names;
    // What is looked up may have had a number that another site gets.
    this.#lookedUp = new WeakMap();
    this.#numbers = new Map(names.slice(1).map((name, at) => [name, at + 1]));
  }

  #row(site: number): Omit<ResultSlabSite, 'site'> {
    return {
      allocated: this.allocated[site]!,
      failed: this.failed[site]!,
      freed: this.freed[site]!,
      live_objects: this.live_objects[site]!,
      live_bytes: this.live_bytes[site]!,
    };
  }

  result(): ResultSlab['sites'] {
    const all = this.#names
      .map((site, number) => ({ site, ...this.#row(number) }))
      .slice(1)
      .filter(({ allocated, failed, freed, live_objects }) => allocated + failed + freed + live_objects > 0)
      .sort((a, b) => b.live_bytes - a.live_bytes || b.allocated - a.allocated || (a.site < b.site ? -1 : 1));
    const others = this.#row(OTHER_SITES);
    for (const row of all.slice(SHOWN_SITES))
      for (const key of Object.keys(others) as (keyof typeof others)[]) others[key] += row[key];
    return { known: this.#names.length - 1, rows: all.slice(0, SHOWN_SITES), others };
  }
}
