/**
 * Names of live objects: a bounded set of ids, each used again after its object was freed.
 *
 * An id is its number in the trace's table of strings, and `a` before that number is its text. Ids that came free last are
 * used first, so there are never more of them than objects that lived at the same time.
 */
import { InvariantError } from '../mm/invariant.js';
import type { StringTable } from '../trace/string-table.js';

/** Distinct ids of one trace at most: readers and replays keep a table of them. */
export const MAX_OBJECTS = 1 << 22;

const FIRST_CAPACITY = 1 << 12;
/** ids whose names are made together */
const NAMES_OF_BLOCK = 1 << 10;
/** `a` and the digits of MAX_OBJECTS */
const NAME_BYTES = 8;
const ORDER_BITS = 4;

export class ObjectIds {
  /** by id, for whoever owns the object: the next one of its chain, 0 at the end */
  next = new Uint32Array(FIRST_CAPACITY);
  /** by id: order | migratetype << 4 */
  #shapes = new Uint8Array(FIRST_CAPACITY);
  /** ids that are free; the last one is used first */
  #free = new Uint32Array(FIRST_CAPACITY);
  #freeCount = 0;
  /** ids that were ever used: 1 to here */
  #made = 0;
  readonly #strings: StringTable;

  constructor(strings: StringTable) {
    this.#strings = strings;
  }

  /** Ids that were ever used. */
  get made(): number {
    return this.#made;
  }

  /** Objects that live now. */
  get live(): number {
    return this.#made - this.#freeCount;
  }

  /** An id for a new object; 0 if all are in use. */
  take(order: number, migratetype: number): number {
    let id: number;
    if (this.#freeCount > 0) id = this.#free[--this.#freeCount];
    else if (this.#made === MAX_OBJECTS) return 0;
    else id = this.#make();
    this.#shapes[id] = order | (migratetype << ORDER_BITS);
    this.next[id] = 0;
    return id;
  }

  release(id: number): void {
    this.#free[this.#freeCount++] = id;
  }

  /** Takes the id that was released last out of use, until it is released again. */
  holdBack(): number {
    return this.#free[--this.#freeCount];
  }

  orderOf(id: number): number {
    return this.#shapes[id] & ((1 << ORDER_BITS) - 1);
  }

  migratetypeOf(id: number): number {
    return this.#shapes[id] >> ORDER_BITS;
  }

  #make(): number {
    const id = ++this.#made;
    if (id >= this.#shapes.length) this.#grow();
    if (id >= this.#strings.size) this.#name(id);
    return id;
  }

  /** Names for ids from `first` on. In blocks and unhashed: nobody looks these texts up, and a hash table costs more. */
  #name(first: number): void {
    if (first !== this.#strings.size) throw new InvariantError('the table of ids has strings of others');
    const bytes = Buffer.alloc(NAMES_OF_BLOCK * NAME_BYTES);
    const ends = new Uint32Array(NAMES_OF_BLOCK);
    let at = 0;
    for (let n = 0; n < NAMES_OF_BLOCK; n++) {
      at += bytes.write(`a${first + n}`, at, 'latin1');
      ends[n] = at;
    }
    this.#strings.append({ first, bytes: bytes.subarray(0, at), ends });
  }

  #grow(): void {
    const capacity = this.#shapes.length * 2;
    const shapes = new Uint8Array(capacity);
    shapes.set(this.#shapes);
    this.#shapes = shapes;
    const next = new Uint32Array(capacity);
    next.set(this.next);
    this.next = next;
    const free = new Uint32Array(capacity);
    free.set(this.#free);
    this.#free = free;
  }
}
