/**
 * Numbers remembered by the bytes that they were made from: call sites, cache names, gfp texts. A trace has millions of
 * them but only some hundreds that differ, so no string is made for a text seen before.
 */

/** Distinct texts remembered, and bytes of them. Beyond that texts are worked out each time. */
export const REMEMBERED_TEXTS = 4096;
const REMEMBERED_BYTES = 1 << 19;
const SLOTS = REMEMBERED_TEXTS * 4;
/** Longer texts are not remembered. */
export const LONGEST_TEXT = 512;

export class BytesMemo {
  readonly #make: (bytes: Uint8Array, start: number, end: number) => number;
  readonly #bytes = new Uint8Array(REMEMBERED_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  /** end of each text in `#bytes` */
  readonly #ends = new Uint32Array(REMEMBERED_TEXTS + 1);
  readonly #hashes = new Int32Array(REMEMBERED_TEXTS + 1);
  readonly #numbers = new Uint32Array(REMEMBERED_TEXTS + 1);
  /** entries by hash, from 1 on */
  readonly #slots = new Uint16Array(SLOTS);
  #count = 0;

  /** @param make  the number of a text that is not remembered */
  constructor(make: (bytes: Uint8Array, start: number, end: number) => number) {
    this.#make = make;
  }

  /** The number of bytes[start..end), whose hash (that of word-scan.ts) is `hash`. `view` is of the same bytes. */
  number(bytes: Uint8Array, view: DataView, start: number, end: number, hash: number): number {
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    for (;;) {
      const entry = this.#slots[slot] as number;
      if (entry === 0) break;
      if (this.#hashes[entry] === hash && this.#equals(entry, bytes, view, start, end)) {
        return this.#numbers[entry] as number;
      }
      slot = (slot + 1) & (SLOTS - 1);
    }
    const number = this.#make(bytes, start, end);
    const from = this.#ends[this.#count] as number;
    const length = end - start;
    if (this.#count < REMEMBERED_TEXTS && length <= LONGEST_TEXT && from + length <= REMEMBERED_BYTES) {
      const entry = ++this.#count;
      this.#bytes.set(bytes.subarray(start, end), from);
      this.#ends[entry] = from + length;
      this.#hashes[entry] = hash;
      this.#numbers[entry] = number;
      this.#slots[slot] = entry;
    }
    return number;
  }

  #equals(entry: number, bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    let own = this.#ends[entry - 1] as number;
    if ((this.#ends[entry] as number) - own !== end - start) return false;
    let at = start;
    for (const last = end - 4; at <= last; at += 4, own += 4) {
      if (this.#view.getInt32(own, true) !== view.getInt32(at, true)) return false;
    }
    for (; at < end; at++) if (this.#bytes[own++] !== bytes[at]) return false;
    return true;
  }
}
