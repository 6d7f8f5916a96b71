/**
 * Walks over a word of a trace line, four bytes at a time, and makes a hash of it on the way.
 *
 * The hash depends on nothing but the word: four bytes are taken together as long as all four belong to it, the rest
 * one by one.
 */

const SPACE = 0x20;
const FOUR_SPACES = 0x2020_2020;
const LOW_BITS = 0x0101_0101;
const HIGH_BITS = 0x8080_8080;
const HASH_FACTOR = 0x9e37_79b1;

function hashWord(hash: number, four: number): number {
  const mixed = Math.imul(hash ^ four, HASH_FACTOR);
  return mixed ^ (mixed >>> 15);
}

export function hashByte(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}

export class WordScanner {
  /** of the word walked over last */
  hash = 0;
  #bytes: Uint8Array | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** The bytes as a view, which is kept until other bytes are asked for. */
  view(bytes: Uint8Array): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view;
  }

  /** Where the word that starts at `start` ends: at a blank or at `end`. `bytes` must be those of `view`. */
  scan(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    let at = start;
    let hash = 0;
    for (const last = end - 4; at <= last; at += 4) {
      const four = view.getInt32(at, true);
      // A byte of `gaps` is zero where a blank stands; the rest finds out whether there is one.
      const gaps = four ^ FOUR_SPACES;
      if (((gaps - LOW_BITS) & ~gaps & HIGH_BITS) !== 0) break;
      hash = hashWord(hash, four);
    }
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte === SPACE) break;
      hash = hashByte(hash, byte);
      at++;
    }
    this.hash = hash;
    return at;
  }
}

/** Two or four characters as the number that a little-endian view has for them. */
export function chars(text: string): number {
  let number = 0;
  for (let i = text.length - 1; i >= 0; i--) number = (number << 8) | text.charCodeAt(i);
  return number;
}

/** Whether `key` stands at `at`, before `end`. Its first `known` bytes need not be looked at. */
export function isKey(bytes: Uint8Array, at: number, end: number, key: Uint8Array, known = 0): boolean {
  const { length } = key;
  if (at + length > end) return false;
  for (let i = known; i < length; i++) if (bytes[at + i] !== key[i]) return false;
  return true;
}

/** Where the word that starts at `start` ends. `bytes` must be those of `view`. */
export function skipWord(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  let at = start;
  for (const last = end - 4; at <= last; at += 4) {
    const gaps = view.getInt32(at, true) ^ FOUR_SPACES;
    if (((gaps - LOW_BITS) & ~gaps & HIGH_BITS) !== 0) break;
  }
  while (at < end && bytes[at] !== SPACE) at++;
  return at;
}
