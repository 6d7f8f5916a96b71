/**
 * Distinct strings of one column, by number. Number 0 is the empty string.
 *
 * The strings are kept as UTF-8 in one growing array and found through an open-addressing table, so a reader that scans
 * bytes makes no JavaScript string, and ten million ids cost what their bytes cost. Nothing becomes a property name:
 * trace strings are untrusted and may spell `__proto__`.
 *
 * Looking up one id of a million costs what its cache misses cost. So a slot of the table holds all of a short string, or
 * of an address, and only longer ones are compared with the bytes kept elsewhere:
 *
 *     slot:  number | kind | low word | high word
 *                     1..8   the bytes of a string of that length
 *                     9      the value of `0x` and 7 to 16 hexadecimal digits as the kernel's pointers are written
 *                     10     two hashes of any other string
 */
import { InputError } from './input-error.js';
import { DEFAULT_LIMITS, type TraceLimits } from './limits.js';

const FIRST_SLOTS = 1 << 10;
const FIRST_STRINGS = 1 << 9;
const FIRST_BYTES = 1 << 13;

const SLOT_SHIFT = 2;
const SLOT_WORDS = 1 << SLOT_SHIFT;
/** A table is made larger when more than two of three slots are taken. */
const SLOTS_OF_THREE = 2;
const SHORT_BYTES = 8;
const ADDRESS_KIND = 9;
const LONG_KIND = 10;
const MIN_ADDRESS_BYTES = 9;
const MAX_ADDRESS_BYTES = 18;
const HASH_FACTOR = 0x9e37_79b1;
const OTHER_FACTOR = 0x85eb_ca6b;

const ZERO = 0x30;
const LETTER_X = 0x78;
/** Value of each lower-case hexadecimal digit; others have 16. */
const HEX = new Uint8Array(256).fill(16);
for (let digit = 0; digit < 16; digit++) HEX[digit.toString(16).charCodeAt(0)] = digit;

/** A string's bytes, to be copied into another table. See {@link StringTable.added}. */
export interface StringDelta {
  /** number of the first string */
  readonly first: number;
  readonly bytes: Uint8Array;
  /** end of each string in `bytes` */
  readonly ends: Uint32Array;
}

export class StringTable {
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  /** end of each string in `#bytes`; string n starts where n-1 ends */
  #ends = new Uint32Array(FIRST_STRINGS);
  /** see above; number 0 is a free slot, as the empty string is never looked up here */
  #slots = new Int32Array(FIRST_SLOTS * SLOT_WORDS);
  #count = 1;
  /** strings below this number are in `#slots` */
  #hashed = 1;
  /** key of the string looked up last */
  #kind = 0;
  #low = 0;
  #high = 0;

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
    this.#makeKey(bytes, start, end);
    const slot = this.#slotOf(bytes, start, end);
    const known = this.#slots[slot] as number;
    return known !== 0 ? known : this.#add(slot, bytes, start, end);
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
    this.#makeKey(bytes, 0, bytes.length);
    const known = this.#slots[this.#slotOf(bytes, 0, bytes.length)] as number;
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

  #makeKey(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length <= SHORT_BYTES) {
      let low = 0;
      let high = 0;
      const middle = length < 4 ? end : start + 4;
      for (let i = middle - 1; i >= start; i--) low = (low << 8) | (bytes[i] as number);
      for (let i = end - 1; i >= middle; i--) high = (high << 8) | (bytes[i] as number);
      this.#kind = length;
      this.#low = low;
      this.#high = high;
    } else if (!this.#makeAddressKey(bytes, start, end)) {
      let low = length;
      let high = 0;
      for (let i = start; i < end; i++) {
        const byte = bytes[i] as number;
        low = Math.imul(low ^ byte, HASH_FACTOR) ^ (low >>> 15);
        high = Math.imul(high ^ byte, OTHER_FACTOR) ^ (high >>> 13);
      }
      this.#kind = LONG_KIND;
      this.#low = low;
      this.#high = high;
    }
  }

  /** @returns false if it is no address in the form that has one text for each value */
  #makeAddressKey(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length < MIN_ADDRESS_BYTES || length > MAX_ADDRESS_BYTES) return false;
    if (bytes[start] !== ZERO || bytes[start + 1] !== LETTER_X || bytes[start + 2] === ZERO) return false;
    let low = 0;
    let high = 0;
    for (let i = start + 2; i < end; i++) {
      const digit = HEX[bytes[i] as number] as number;
      if (digit > 15) return false;
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
    }
    this.#kind = ADDRESS_KIND;
    this.#low = low;
    this.#high = high;
    return true;
  }

  /** Word at which the slot of the string begins whose key was made last, or the free one where it belongs. */
  #slotOf(bytes: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
    const kind = this.#kind;
    const low = this.#low;
    const high = this.#high;
    const mask = slots.length - 1;
    let slot = firstSlot(kind, low, high, mask);
    for (;;) {
      const number = slots[slot] as number;
      if (number === 0) return slot;
      if (slots[slot + 2] === low && slots[slot + 3] === high && slots[slot + 1] === kind) {
        if (kind !== LONG_KIND || this.#equals(number, bytes, start, end)) return slot;
      }
      slot = (slot + SLOT_WORDS) & mask;
    }
  }

  #equals(number: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = this.#ends[number - 1] as number;
    if ((this.#ends[number] as number) - at !== end - start) return false;
    const own = this.#bytes;
    for (let i = start; i < end; i++) if (own[at++] !== bytes[i]) return false;
    return true;
  }

  #add(slot: number, bytes: Uint8Array, start: number, end: number): number {
    const number = this.#count;
    const used = this.#ends[number - 1] as number;
    const total = used + end - start;
    if (number > this.limits.strings || total > this.limits.string_bytes) this.#refuse(number);
    this.#reserve(number + 1, total);
    // Short strings, mostly: a loop beats the call that copies.
    const own = this.#bytes;
    for (let i = start, at = used; i < end; i++) own[at++] = bytes[i] as number;
    this.#ends[number] = total;
    this.#count = number + 1;
    this.#hashed = this.#count;
    this.#fill(slot, number);
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
      ends.set(this.#ends);
      this.#ends = ends;
    }
    if (bytes > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(bytes, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
  }

  /** Gives the slot to the string whose key was made last. */
  #fill(slot: number, number: number): void {
    const slots = this.#slots;
    slots[slot] = number;
    slots[slot + 1] = this.#kind;
    slots[slot + 2] = this.#low;
    slots[slot + 3] = this.#high;
    if (number * SLOT_WORDS * 3 > slots.length * SLOTS_OF_THREE) this.#enlarge();
  }

  #enlarge(): void {
    const old = this.#slots;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length - 1;
    for (let from = 0; from < old.length; from += SLOT_WORDS) {
      if (old[from] === 0) continue;
      const kind = old[from + 1] as number;
      const low = old[from + 2] as number;
      const high = old[from + 3] as number;
      let slot = firstSlot(kind, low, high, mask);
      while (slots[slot] !== 0) slot = (slot + SLOT_WORDS) & mask;
      slots[slot] = old[from] as number;
      slots[slot + 1] = kind;
      slots[slot + 2] = low;
      slots[slot + 3] = high;
    }
    this.#slots = slots;
  }

  /** Strings that came with append() are looked up by few: they get their slots when somebody does. */
  #hashAll(): void {
    for (let number = this.#hashed; number < this.#count; number++) {
      const start = this.#ends[number - 1] as number;
      const end = this.#ends[number] as number;
      this.#makeKey(this.#bytes, start, end);
      this.#fill(this.#slotOf(this.#bytes, start, end), number);
    }
    this.#hashed = this.#count;
  }
}

/** Word at which the search for a key begins. */
function firstSlot(kind: number, low: number, high: number, mask: number): number {
  let hash = Math.imul(low ^ (kind << 24), HASH_FACTOR) ^ Math.imul(high, OTHER_FACTOR);
  hash = Math.imul(hash ^ (hash >>> 15), OTHER_FACTOR);
  return ((hash ^ (hash >>> 13)) << SLOT_SHIFT) & mask;
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
