/**
 * Distinct strings of one column, by number. Number 0 is the empty string.
 *
 * The strings are kept as UTF-8 in one growing array and found through an open-addressing table, so a reader that scans
 * bytes makes no JavaScript string, and ten million ids cost what their bytes cost. Nothing becomes a property name:
 * trace strings are untrusted and may spell `__proto__`.
 */
import { InputError } from './input-error.js';
import { DEFAULT_LIMITS, type TraceLimits } from './limits.js';

const FIRST_SLOTS = 1 << 10;
const FIRST_STRINGS = 1 << 9;
const FIRST_BYTES = 1 << 13;
const HASH_FACTOR = 0x9e37_79b1;

/** A string's bytes, to be copied into another table. See {@link StringTable.added}. */
export interface StringDelta {
  /** number of the first string */
  readonly first: number;
  readonly bytes: Uint8Array;
  /** end of each string in `bytes` */
  readonly ends: Uint32Array;
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++)
    hash = Math.imul(hash ^ (bytes[i] as number), HASH_FACTOR) ^ (hash >>> 15);
  return hash;
}

export class StringTable {
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  /** end of each string in `#bytes`; string n starts where n-1 ends */
  #ends = new Uint32Array(FIRST_STRINGS);
  #hashes = new Int32Array(FIRST_STRINGS);
  /** numbers by hash; 0 is a free slot, as the empty string is never looked up here */
  #slots = new Uint32Array(FIRST_SLOTS);
  #count = 1;
  /** strings below this number are in `#slots` */
  #hashed = 1;

  /**
   * @param what  what the strings are, in the plural, for the error when there are too many
   * @param file  the input, for the same
   */
  constructor(
    readonly what = 'strings',
    readonly limits: Pick<TraceLimits, 'strings' | 'string_bytes'> = DEFAULT_LIMITS,
    readonly file = 'trace',
  ) {}

  /** Strings held, the empty one included. */
  get size(): number {
    return this.#count;
  }

  /**
   * Number of the UTF-8 text bytes[start..end), which is added if it is new. The bytes are copied.
   *
   * @throws InputError  when the table is full
   */
  internBytes(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    if (this.#hashed < this.#count) this.#hashAll();
    const hash = hashOf(bytes, start, end);
    const slot = this.#slotOf(hash, bytes, start, end);
    const known = this.#slots[slot] as number;
    return known !== 0 ? known : this.#add(slot, hash, bytes, start, end);
  }

  /** Number of `text`, which is added if it is new. @throws InputError  when the table is full */
  intern(text: string): number {
    const bytes = Buffer.from(text);
    return this.internBytes(bytes, 0, bytes.length);
  }

  /** Number of a string that was interned before. */
  find(text: string): number | undefined {
    if (text === '') return 0;
    if (this.#hashed < this.#count) this.#hashAll();
    const bytes = Buffer.from(text);
    const hash = hashOf(bytes, 0, bytes.length);
    const known = this.#slots[this.#slotOf(hash, bytes, 0, bytes.length)] as number;
    return known === 0 ? undefined : known;
  }

  /** The string with this number; empty if there is none. */
  get(number: number): string {
    if (number <= 0 || number >= this.#count) return '';
    const start = this.#ends[number - 1] as number;
    return Buffer.from(this.#bytes.buffer, start, (this.#ends[number] as number) - start).toString('utf8');
  }

  /** Strings added since there were `first`; undefined if there are none. */
  added(first: number): StringDelta | undefined {
    if (first >= this.#count) return undefined;
    const start = this.#ends[first - 1] as number;
    const ends = this.#ends.slice(first, this.#count);
    for (let i = 0; i < ends.length; i++) (ends[i] as number) -= start;
    return { first, bytes: this.#bytes.slice(start, this.#ends[this.#count - 1] as number), ends };
  }

  /** Takes over strings that another table added, under the same numbers. They must not be known here. */
  append(delta: StringDelta): void {
    if (delta.first !== this.#count) throw new Error('string tables differ');
    const start = this.#ends[this.#count - 1] as number;
    this.#reserve(this.#count + delta.ends.length, start + delta.bytes.length);
    this.#bytes.set(delta.bytes, start);
    for (let i = 0; i < delta.ends.length; i++)
      this.#ends[this.#count + i] = start + (delta.ends[i] as number);
    this.#count += delta.ends.length;
  }

  /** Slot that holds the string, or the free one where it belongs. */
  #slotOf(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = (hash ^ (hash >>> 17)) & mask;
    for (;;) {
      const number = slots[slot] as number;
      if (number === 0) return slot;
      if (this.#hashes[number] === hash && this.#equals(number, bytes, start, end)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #equals(number: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = this.#ends[number - 1] as number;
    if ((this.#ends[number] as number) - at !== end - start) return false;
    const own = this.#bytes;
    for (let i = start; i < end; i++) if (own[at++] !== bytes[i]) return false;
    return true;
  }

  #add(slot: number, hash: number, bytes: Uint8Array, start: number, end: number): number {
    const number = this.#count;
    const used = this.#ends[number - 1] as number;
    const total = used + end - start;
    if (number > this.limits.strings || total > this.limits.string_bytes) this.#refuse(number);
    this.#reserve(number + 1, total);
    // Short strings, mostly: a loop beats the call that copies.
    const own = this.#bytes;
    for (let i = start, at = used; i < end; i++) own[at++] = bytes[i] as number;
    this.#ends[number] = total;
    this.#hashes[number] = hash;
    this.#slots[slot] = number;
    this.#count = number + 1;
    this.#hashed = this.#count;
    if (this.#count * 2 > this.#slots.length) this.#rehash(this.#slots.length * 2);
    return number;
  }

  #refuse(number: number): never {
    const { strings, string_bytes } = this.limits;
    const tooMany = number > strings;
    throw new InputError({
      file: this.file,
      expectation: tooMany
        ? `has more than ${strings.toLocaleString('en-US')} different ${this.what}`
        : `has more than ${string_bytes.toLocaleString('en-US')} bytes of different ${this.what}`,
      remedy: `raise --${tooMany ? 'max-strings' : 'max-string-bytes'} if that is right`,
    });
  }

  #reserve(strings: number, bytes: number): void {
    if (strings > this.#ends.length) {
      const capacity = Math.max(strings, this.#ends.length * 2);
      const ends = new Uint32Array(capacity);
      const hashes = new Int32Array(capacity);
      ends.set(this.#ends);
      hashes.set(this.#hashes);
      this.#ends = ends;
      this.#hashes = hashes;
    }
    if (bytes > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(bytes, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
  }

  #rehash(slots: number): void {
    const table = new Uint32Array(slots);
    const mask = slots - 1;
    for (let number = 1; number < this.#count; number++) {
      const hash = this.#hashes[number] as number;
      let slot = (hash ^ (hash >>> 17)) & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = number;
    }
    this.#slots = table;
  }

  /** Strings that came with append() are looked up by few: they are hashed when somebody does. */
  #hashAll(): void {
    for (let number = this.#hashed; number < this.#count; number++) {
      const start = this.#ends[number - 1] as number;
      this.#hashes[number] = hashOf(this.#bytes, start, this.#ends[number] as number);
    }
    this.#hashed = this.#count;
    let slots = this.#slots.length;
    while (slots < this.#count * 2) slots *= 2;
    this.#rehash(slots);
  }
}

/** The string tables of one run's traces; shared by all batches. */
export interface TraceStrings {
  /** ids of objects, such as `a17` or `0xffff888004bc8b70` */
  readonly ids: StringTable;
  readonly caches: StringTable;
  readonly memcgs: StringTable;
  readonly sites: StringTable;
  readonly args: StringTable;
}

export function createTraceStrings(limits: TraceLimits = DEFAULT_LIMITS, file = 'trace'): TraceStrings {
  return {
    ids: new StringTable('ids', limits, file),
    caches: new StringTable('cache names', limits, file),
    memcgs: new StringTable('cgroup paths', limits, file),
    sites: new StringTable('call sites', limits, file),
    args: new StringTable('arguments', limits, file),
  };
}
