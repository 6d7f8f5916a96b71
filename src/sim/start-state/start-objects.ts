/**
 * Objects that were alive when a trace began. The trace frees some of them, by pointers that it never showed before: which
 * slots those are is chosen here, evenly over all that are still alive.
 *
 * A bit per slot says that its object is alive and unnamed; for each cache a tree of sums over its slabs finds the n-th.
 * model: slab-caches 5.4
 */
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { slotsInSheaves } from '../../mm/slab/sheaves/validate-sheaves.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { SLAB_KMALLOC } from '../../mm/slab/slab-flags.js';
import { NO_SLAB, NO_SLOT } from '../../mm/slab/slab-table.js';
import type { StateIo } from '../../mm/state-io.js';
import { hashBelow } from './hash.js';

/** Seed of the choice: any number would do. */
const SEED = 0x51ab;

export class StartObjects {
  /** of the object taken last */
  slot = NO_SLOT;
  /** unnamed objects, all caches together */
  total = 0;
  /** slabs of the start, cache by cache, ascending by page */
  #slabs: Uint32Array;
  /** first bit of each slab */
  #firstBit: Float64Array;
  /** place in the columns + 1, by slab; 0 for slabs that were not there at the start */
  #places: Uint32Array;
  /** where each cache's slabs begin in the columns; one entry more than caches */
  #begins: Uint32Array;
  #bits: Uint8Array;
  /** a Fenwick tree per cache, over its slabs */
  #sums: Uint32Array;
  /** unnamed objects by cache */
  #alive: Uint32Array;
  #taken = 0;
  readonly #kmalloc: readonly KmemCache[];

  /** @param byCache the start's slabs by number of their cache */
  constructor(
    readonly slabs: SlabAllocator,
    byCache: readonly (readonly number[])[],
  ) {
    const count = byCache.reduce((sum, numbers) => sum + numbers.length, 0);
    this.#slabs = new Uint32Array(count);
    this.#firstBit = new Float64Array(count + 1);
    this.#places = new Uint32Array(slabs.table.end);
    this.#begins = new Uint32Array(byCache.length + 1);
    this.#sums = new Uint32Array(count);
    this.#alive = new Uint32Array(byCache.length);
    this.#kmalloc = slabs.caches.filter(({ geometry }) => (geometry.flags & SLAB_KMALLOC) !== 0);
    let at = 0;
    byCache.forEach((numbers, cache) => {
      this.#begins[cache] = at;
      for (const slab of numbers) {
        this.#slabs[at] = slab;
        this.#places[slab] = at + 1;
        this.#firstBit[at + 1] = this.#firstBit[at]! + slabs.table.objects[slab]!;
        at++;
      }
    });
    this.#begins[byCache.length] = at;
    this.#bits = new Uint8Array(Math.ceil(this.#firstBit[count]! / 8));
    for (let cache = 0; cache < byCache.length; cache++) this.#markAlive(cache);
  }

  serialize(io: StateIo): void {
    this.slot = io.whole('slot', this.slot, 0, NO_SLOT);
    this.total = io.number('total', this.total);
    this.#taken = io.number('taken', this.#taken);
    this.#slabs = io.growing('slabs', this.#slabs);
    this.#firstBit = io.growing('first_bit', this.#firstBit);
    this.#places = io.growing('places', this.#places);
    this.#begins = io.growing('begins', this.#begins);
    this.#bits = io.growing('bits', this.#bits);
    this.#sums = io.growing('sums', this.#sums);
    this.#alive = io.growing('alive', this.#alive);
    if (io.isLoading && !this.#fitsTogether()) io.refuse('the objects of the start are torn');
  }

  #fitsTogether(): boolean {
    const slabs = this.#slabs.length;
    const caches = this.#alive.length;
    if (this.#firstBit.length !== slabs + 1 || this.#sums.length !== slabs) return false;
    if (this.#begins.length !== caches + 1 || this.#begins[caches] !== slabs) return false;
    return this.#bits.length === Math.ceil(this.#firstBit[slabs]! / 8);
  }

  /** Objects of a cache that are alive and that no event has named. */
  aliveIn(cache: KmemCache): number {
    return this.#alive[cache.number] ?? 0;
  }

  /** Whether the object in a slot is one of these. */
  isUnnamed(slab: number, slot: number): boolean {
    const at = (this.#places[slab] ?? 0) - 1;
    if (at < 0) return false;
    const bit = this.#firstBit[at]! + slot;
    return bit < this.#firstBit[at + 1]! && this.#hasBit(bit);
  }

  /**
   * Names one object of a cache: the caller's from now on, to be freed.
   *
   * @returns its slab, the slot in `slot`; NO_SLAB if none is left
   */
  takeUnknown(cache: KmemCache): number {
    const alive = this.aliveIn(cache);
    if (alive === 0) {
      this.slot = NO_SLOT;
      return NO_SLAB;
    }
    return this.#take(cache.number, hashBelow(SEED, this.#taken, alive));
  }

  /** The same for a pointer given to kfree(), of which no cache is known: evenly over the objects of all kmalloc caches. */
  takeUnknownKmalloc(): number {
    const total = this.#kmalloc.reduce((sum, cache) => sum + this.aliveIn(cache), 0);
    let wanted = hashBelow(SEED, this.#taken, total);
    for (const cache of this.#kmalloc) {
      const alive = this.aliveIn(cache);
      if (wanted < alive) return this.#take(cache.number, wanted);
      wanted -= alive;
    }
    this.slot = NO_SLOT;
    return NO_SLAB;
  }

  #take(cache: number, wanted: number): number {
    const begin = this.#begins[cache]!;
    const length = this.#begins[cache + 1]! - begin;
    let index = 0;
    let left = wanted;
    for (let step = 2 ** Math.floor(Math.log2(length)); step >= 1; step /= 2) {
      const next = index + step;
      if (next > length || this.#sums[begin + next - 1]! > left) continue;
      index = next;
      left -= this.#sums[begin + next - 1]!;
    }
    const at = begin + index;
    this.slot = this.#nthSlot(at, left);
    this.#clearBit(this.#firstBit[at]! + this.slot);
    for (let up = index + 1; up <= length; up += up & -up) this.#sums[begin + up - 1]!--;
    this.#alive[cache]!--;
    this.total--;
    this.#taken++;
    return this.#slabs[at]!;
  }

  #nthSlot(at: number, n: number): number {
    const first = this.#firstBit[at]!;
    let left = n;
    for (let slot = 0; ; slot++) if (this.#hasBit(first + slot) && left-- === 0) return slot;
  }

  /** Alive is what is on no freelist, neither the slab's own nor a CPU's, and in no sheaf. */
  #markAlive(cache: number): void {
    const { table, caches } = this.slabs;
    const begin = this.#begins[cache]!;
    const end = this.#begins[cache + 1]!;
    const owners = new Map<number, number>();
    const parked = new Map<number, number[]>();
    slotsInSheaves(this.slabs, caches[cache]!, parked);
    for (const [cpu, slab] of caches[cache]!.cpuSlab.entries()) owners.set(slab, cpu);
    for (let at = begin; at < end; at++) {
      const slab = this.#slabs[at]!;
      const objects = table.objects[slab]!;
      const isFree = new Uint8Array(objects);
      for (const slot of table.slotsFrom(slab, table.freelist[slab]!)) isFree[slot] = 1;
      const cpu = owners.get(slab);
      if (cpu !== undefined)
        for (const slot of table.slotsFrom(slab, caches[cache]!.freelist[cpu]!)) isFree[slot] = 1;
      for (const slot of parked.get(slab) ?? []) isFree[slot] = 1;
      let alive = 0;
      for (let slot = 0; slot < objects; slot++)
        if (isFree[slot] === 0) {
          this.#setBit(this.#firstBit[at]! + slot);
          alive++;
        }
      for (let up = at - begin + 1; up <= end - begin; up += up & -up) this.#sums[begin + up - 1]! += alive;
      this.#alive[cache]! += alive;
      this.total += alive;
    }
  }

  #hasBit(bit: number): boolean {
    return ((this.#bits[Math.floor(bit / 8)]! >> (bit % 8)) & 1) === 1;
  }

  #setBit(bit: number): void {
    this.#bits[Math.floor(bit / 8)]! |= 1 << (bit % 8);
  }

  #clearBit(bit: number): void {
    this.#bits[Math.floor(bit / 8)]! &= ~(1 << (bit % 8));
  }
}
