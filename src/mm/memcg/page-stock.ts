/**
 * The page stock of each CPU: pages already charged to a few memory cgroups, so that most charges need not climb the tree.
 * Whoever calls has its lock.
 * model: slub 5.5.2
 */
import { arrays, type StateIo } from '../state-io.js';
import { ROOT_MEMCG } from './mem-cgroups.js';
import type { PageCounters } from './page-counter.js';

/** Pages charged at a time, and the most that a slot keeps. */
export const MEMCG_CHARGE_BATCH_PAGES = 64;
export const NR_MEMCG_STOCK = 7;

/** No slot has a memory cgroup of the root's number: it stands for an empty slot. */
const EMPTY = ROOT_MEMCG;

export class PageStock {
  /** by CPU and slot; ROOT_MEMCG for an empty slot */
  readonly cached: Int32Array;
  readonly nr_pages: Uint8Array;

  constructor(
    readonly cpus: number,
    readonly memory: PageCounters,
  ) {
    this.cached = new Int32Array(cpus * NR_MEMCG_STOCK);
    this.nr_pages = new Uint8Array(cpus * NR_MEMCG_STOCK);
  }

  /** Takes pages that this CPU has of the memory cgroup. @returns whether it has enough */
  consume(cpu: number, memcg: number, pages: number): boolean {
    const at = this.#find(cpu, memcg);
    if (at < 0 || this.nr_pages[at]! < pages) return false;
    this.nr_pages[at] = this.nr_pages[at]! - pages;
    return true;
  }

  /**
   * Puts charged pages, at most a batch, into the stock. A slot that has more than a batch then is emptied.
   *
   * @param victim slot that gives way if all are taken
   */
  refill(cpu: number, memcg: number, pages: number, victim: () => number): void {
    let at = this.#find(cpu, memcg);
    if (at < 0) {
      at = this.#find(cpu, EMPTY);
      if (at < 0) {
        at = cpu * NR_MEMCG_STOCK + victim();
        this.#drainSlot(at);
      }
      this.cached[at] = memcg;
      this.nr_pages[at] = pages;
      return;
    }
    this.nr_pages[at] = this.nr_pages[at]! + pages;
    if (this.nr_pages[at]! > MEMCG_CHARGE_BATCH_PAGES) this.#drainSlot(at);
  }

  /** Gives all pages of a CPU back. */
  drain(cpu: number): void {
    for (let slot = 0; slot < NR_MEMCG_STOCK; slot++) this.#drainSlot(cpu * NR_MEMCG_STOCK + slot);
  }

  /** Whether a CPU has pages of a memory cgroup or of one below it. */
  has(cpu: number, memcg: number): boolean {
    for (let slot = 0; slot < NR_MEMCG_STOCK; slot++) {
      const at = cpu * NR_MEMCG_STOCK + slot;
      if (this.nr_pages[at]! > 0 && this.memory.isBelow(this.cached[at]!, memcg)) return true;
    }
    return false;
  }

  /** Pages that a CPU has of just this memory cgroup. */
  pagesOf(cpu: number, memcg: number): number {
    const at = this.#find(cpu, memcg);
    return at < 0 ? 0 : this.nr_pages[at]!;
  }

  #find(cpu: number, memcg: number): number {
    const from = cpu * NR_MEMCG_STOCK;
    for (let at = from; at < from + NR_MEMCG_STOCK; at++) if (this.cached[at] === memcg) return at;
    return -1;
  }

  #drainSlot(at: number): void {
    const memcg = this.cached[at]!;
    if (memcg === EMPTY) return;
    this.memory.uncharge(memcg, this.nr_pages[at]!);
    this.nr_pages[at] = 0;
    this.cached[at] = EMPTY;
  }

  serialize(io: StateIo): void {
    arrays<PageStock>(io, this, ['cached', 'nr_pages']);
  }
}
