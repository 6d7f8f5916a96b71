/**
 * Every slab of every cache, as columns. A slab is a number; numbers of slabs that are gone are used again.
 *
 * Free slots are linked through one arena of 16-bit words, in which each slab has a span of one word per slot. The
 * word of a free slot names the next free one, whichever list it is on: the slab's own or the private one of the CPU
 * that uses the slab. Memory follows the slabs that exist.
 * model: slub 0, 2.1
 */
import { InvariantError } from '../invariant.js';
import type { StateIo } from '../state-io.js';

export const NO_SLAB = -1;
/** Ends a freelist. Slots have numbers below it. */
export const NO_SLOT = 0xffff;

const FIRST_SLABS = 64;
const FIRST_SLOTS = 4096;
/** Slot numbers stay below 2^31, so that they remain small integers. */
const MAX_SLOTS = 2 ** 31;

/** Marks of a slab. */
export const SLAB_FROZEN = 1;
export const SLAB_NODE_PARTIAL = 2;
/** its pages came from the reserves: only requests that may use those get its slots */
export const SLAB_PFMEMALLOC = 4;
/** on the full list of its node, which only some debug caches keep */
export const SLAB_ON_FULL_LIST = 8;
/** the number is in use */
export const SLAB_EXISTS = 16;

/** Columns of one entry per slab. */
const COLUMNS = [
  ...(['cache', 'node', 'pfn', 'order', 'objects', 'inuse', 'flags', 'freelist'] as const),
  ...(['next', 'prev', 'ext', 'base'] as const),
] as const;

export class SlabTable {
  /** number of the cache */
  cache = new Uint32Array(FIRST_SLABS);
  node = new Uint16Array(FIRST_SLABS);
  pfn = new Uint32Array(FIRST_SLABS);
  order = new Uint8Array(FIRST_SLABS);
  objects = new Uint16Array(FIRST_SLABS);
  /** slots that are not on the slab's own freelist */
  inuse = new Uint16Array(FIRST_SLABS);
  flags = new Uint8Array(FIRST_SLABS);
  /** first slot of the slab's own freelist, or NO_SLOT */
  freelist = new Uint16Array(FIRST_SLABS);
  /** list links; on a CPU's chain only `next` counts */
  next = new Int32Array(FIRST_SLABS);
  prev = new Int32Array(FIRST_SLABS);
  /** word of the vector of what belongs to each slot, 0 without one */
  ext = new Uint32Array(FIRST_SLABS);
  /** where the slab's span begins in `links` */
  base = new Uint32Array(FIRST_SLABS);
  /** next free slot of a free slot */
  links = new Uint16Array(FIRST_SLOTS);

  /** slabs that exist */
  count = 0;
  /** numbers above this were never used */
  end = 0;
  #freeIds: number[] = [];
  #slotsEnd = 0;
  /** spans of slabs that are gone, by their length */
  #freeSpans = new Map<number, number[]>();

  serialize(io: StateIo): void {
    this.count = io.number('count', this.count);
    this.end = io.number('end', this.end);
    this.#slotsEnd = io.number('slots_end', this.#slotsEnd);
    for (const name of COLUMNS) this.#column(name, io);
    this.links = io.growing('links', this.links);
    this.#freeIds = io.list('free_ids', this.#freeIds);
    const lengths = io.list('span_lengths', [...this.#freeSpans.keys()]);
    const spans = lengths.map((length) => io.list('free_spans', this.#freeSpans.get(length) ?? []));
    if (io.isLoading) this.#freeSpans = new Map(lengths.map((length, i) => [length, spans[i]!]));
  }

  #column<N extends (typeof COLUMNS)[number]>(name: N, io: StateIo): void {
    this[name] = io.growing(name, this[name]);
  }

  /** A new slab, its slots free and threaded in address order; it is on no list. model: slub 2.4 */
  create(cache: number, node: number, pfn: number, order: number, objects: number): number {
    const slab = this.#freeIds.pop() ?? this.#grow();
    const base = this.#freeSpans.get(objects)?.pop() ?? this.#newSpan(objects);
    this.cache[slab] = cache;
    this.node[slab] = node;
    this.pfn[slab] = pfn;
    this.order[slab] = order;
    this.objects[slab] = objects;
    this.inuse[slab] = 0;
    this.flags[slab] = SLAB_EXISTS;
    this.freelist[slab] = 0;
    this.next[slab] = NO_SLAB;
    this.prev[slab] = NO_SLAB;
    this.ext[slab] = 0;
    this.base[slab] = base;
    const { links } = this;
    for (let slot = 0; slot < objects - 1; slot++) links[base + slot] = slot + 1;
    links[base + objects - 1] = NO_SLOT;
    this.count++;
    return slab;
  }

  /** Forgets a slab whose pages went back. */
  release(slab: number): void {
    const objects = this.objects[slab]!;
    const spans = this.#freeSpans.get(objects);
    if (spans === undefined) this.#freeSpans.set(objects, [this.base[slab]!]);
    else spans.push(this.base[slab]!);
    this.flags[slab] = 0;
    this.#freeIds.push(slab);
    this.count--;
  }

  exists(slab: number): boolean {
    return slab >= 0 && slab < this.end && (this.flags[slab]! & SLAB_EXISTS) !== 0;
  }

  hasFlag(slab: number, flag: number): boolean {
    return (this.flags[slab]! & flag) !== 0;
  }

  setFlag(slab: number, flag: number): void {
    this.flags[slab] = this.flags[slab]! | flag;
  }

  clearFlag(slab: number, flag: number): void {
    this.flags[slab] = this.flags[slab]! & ~flag;
  }

  /** Slot after this one on its freelist, or NO_SLOT. */
  nextFree(slab: number, slot: number): number {
    return this.links[this.base[slab]! + slot]!;
  }

  linkFree(slab: number, slot: number, next: number): void {
    this.links[this.base[slab]! + slot] = next;
  }

  /** The slots of a freelist of the slab, from its head on. */
  slotsFrom(slab: number, head: number): number[] {
    const slots: number[] = [];
    for (let slot = head; slot !== NO_SLOT; slot = this.nextFree(slab, slot)) slots.push(slot);
    return slots;
  }

  #newSpan(objects: number): number {
    const base = this.#slotsEnd;
    const end = base + objects;
    if (end > this.links.length) {
      if (end > MAX_SLOTS) throw new InvariantError(`more than ${MAX_SLOTS} slab slots`);
      const links = new Uint16Array(Math.max(end, this.links.length * 2));
      links.set(this.links);
      this.links = links;
    }
    this.#slotsEnd = end;
    return base;
  }

  #grow(): number {
    const slab = this.end++;
    if (slab < this.cache.length) return slab;
    const length = this.cache.length * 2;
    this.cache = copied(this.cache, new Uint32Array(length));
    this.node = copied(this.node, new Uint16Array(length));
    this.pfn = copied(this.pfn, new Uint32Array(length));
    this.order = copied(this.order, new Uint8Array(length));
    this.objects = copied(this.objects, new Uint16Array(length));
    this.inuse = copied(this.inuse, new Uint16Array(length));
    this.flags = copied(this.flags, new Uint8Array(length));
    this.freelist = copied(this.freelist, new Uint16Array(length));
    this.next = copied(this.next, new Int32Array(length));
    this.prev = copied(this.prev, new Int32Array(length));
    this.ext = copied(this.ext, new Uint32Array(length));
    this.base = copied(this.base, new Uint32Array(length));
    return slab;
  }
}

function copied<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
