/**
 * Extension vectors: for each slot of a slab, the object cgroup that its object is charged to.
 *
 * The slab's word tells which vector it has and where that came from; a kernel's word is its address with the same low
 * bits. Entries of all vectors are one arena of 32-bit words; spans of vectors that are gone are used again.
 * model: slub 6
 */
import { InvariantError } from '../invariant.js';
import { NO_OBJCG } from '../memcg/mem-cgroups.js';
import type { StateIo } from '../state-io.js';

/** Low bits of the word. A word of EXT_IS_VECTOR alone: a vector could not be made. model: slub 6.2 */
export const EXT_IS_VECTOR = 1;
export const EXT_FROM_NOLOCK = 4;
const EXT_FLAG_BITS = 3;

const FIRST_VECTORS = 64;
const FIRST_ENTRIES = 4096;
/** Of a word less its low bits, and of indexes that stay small integers. */
const MAX_VECTORS = 2 ** 29 - 1;
const MAX_ENTRIES = 2 ** 31;

/** Whether the word names a vector. */
export function hasVector(word: number): boolean {
  return word >>> EXT_FLAG_BITS !== 0;
}

function vectorOf(word: number): number {
  return (word >>> EXT_FLAG_BITS) - 1;
}

export class ObjExtVectors {
  /** where each vector's entries begin, and how many they are */
  base = new Uint32Array(FIRST_VECTORS);
  length = new Uint16Array(FIRST_VECTORS);
  /** memory of each vector, as whoever gave it calls it */
  memory = new Float64Array(FIRST_VECTORS);
  entries = new Int32Array(FIRST_ENTRIES);
  /** vectors that exist */
  count = 0;
  #end = 0;
  #entriesEnd = 0;
  #freeVectors: number[] = [];
  #freeSpans = new Map<number, number[]>();

  /** @returns the word of a new vector without any charge in it */
  create(objects: number, memory: number, isFromNolock: boolean): number {
    const vector = this.#freeVectors.pop() ?? this.#grow();
    const base = this.#freeSpans.get(objects)?.pop() ?? this.#newSpan(objects);
    this.base[vector] = base;
    this.length[vector] = objects;
    this.memory[vector] = memory;
    this.entries.fill(NO_OBJCG, base, base + objects);
    this.count++;
    const word = (vector + 1) * 2 ** EXT_FLAG_BITS;
    return word + EXT_IS_VECTOR + (isFromNolock ? EXT_FROM_NOLOCK : 0);
  }

  release(word: number): void {
    const vector = vectorOf(word);
    const objects = this.length[vector]!;
    const spans = this.#freeSpans.get(objects);
    if (spans === undefined) this.#freeSpans.set(objects, [this.base[vector]!]);
    else spans.push(this.base[vector]!);
    this.length[vector] = 0;
    this.#freeVectors.push(vector);
    this.count--;
  }

  memoryOf(word: number): number {
    return this.memory[vectorOf(word)]!;
  }

  /** Object cgroup that the slot's object is charged to, or NO_OBJCG. */
  get(word: number, slot: number): number {
    return this.entries[this.base[vectorOf(word)]! + slot]!;
  }

  set(word: number, slot: number, objcg: number): void {
    this.entries[this.base[vectorOf(word)]! + slot] = objcg;
  }

  #newSpan(objects: number): number {
    const base = this.#entriesEnd;
    const end = base + objects;
    if (end > this.entries.length) {
      if (end > MAX_ENTRIES) throw new InvariantError(`more than ${MAX_ENTRIES} entries of vectors`);
      const entries = new Int32Array(Math.max(end, this.entries.length * 2));
      entries.set(this.entries);
      this.entries = entries;
    }
    this.#entriesEnd = end;
    return base;
  }

  #grow(): number {
    const vector = this.#end++;
    if (vector < this.base.length) return vector;
    if (vector >= MAX_VECTORS) throw new InvariantError(`more than ${MAX_VECTORS} vectors`);
    const { base, length, memory } = this;
    this.base = new Uint32Array(base.length * 2);
    this.length = new Uint16Array(base.length * 2);
    this.memory = new Float64Array(base.length * 2);
    this.base.set(base);
    this.length.set(length);
    this.memory.set(memory);
    return vector;
  }

  serialize(io: StateIo): void {
    this.count = io.number('count', this.count);
    this.#end = io.number('end', this.#end);
    this.#entriesEnd = io.number('entries_end', this.#entriesEnd);
    this.base = io.growing('base', this.base);
    this.length = io.growing('length', this.length);
    this.memory = io.growing('memory', this.memory);
    this.entries = io.growing('entries', this.entries);
    this.#freeVectors = io.list('free_vectors', this.#freeVectors);
    const lengths = io.list('span_lengths', [...this.#freeSpans.keys()]);
    const spans = lengths.map((length) => io.list('free_spans', this.#freeSpans.get(length) ?? []));
    if (io.isLoading) this.#freeSpans = new Map(lengths.map((length, i) => [length, spans[i]!]));
  }
}
