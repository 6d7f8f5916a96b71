/**
 * gfp texts looked up as bytes: a trace has millions of them but only some dozens that differ, so no string is made
 * for a text seen before.
 */
import type { GfpDialect } from '../gfp-text.js';

/** Distinct texts remembered; a trace has under a hundred. Beyond that texts are parsed each time. */
const REMEMBERED = 1024;
const SLOTS = REMEMBERED * 4;

/** Hash of the empty text; callers that scan the bytes anyway continue it with `gfpHashStep`. */
export const GFP_HASH_START = 0;
export function gfpHashStep(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}

export class GfpBytes {
  readonly #dialect: GfpDialect;
  readonly #texts: Uint8Array[] = [];
  readonly #bits: number[] = [];
  readonly #unknown: (readonly string[])[] = [];
  readonly #slots = new Int32Array(SLOTS).fill(-1);
  /** pieces that the dialect does not know, with the number of times they were met */
  readonly unknown = new Map<string, number>();

  constructor(dialect: GfpDialect) {
    this.#dialect = dialect;
  }

  /** Bits of the text bytes[start..end), whose hash is `hash`. Unknown pieces are counted and left out. */
  bits(bytes: Uint8Array, start: number, end: number, hash: number): number {
    let slot = hash & (SLOTS - 1);
    for (;;) {
      const number = this.#slots[slot] as number;
      if (number < 0) break;
      const text = this.#texts[number] as Uint8Array;
      if (text.length === end - start) {
        let i = 0;
        while (i < text.length && text[i] === bytes[start + i]) i++;
        if (i === text.length) {
          const unknown = this.#unknown[number] as readonly string[];
          if (unknown.length > 0) this.#count(unknown);
          return this.#bits[number] as number;
        }
      }
      slot = (slot + 1) & (SLOTS - 1);
    }
    const text = bytes.slice(start, end);
    const parsed = this.#dialect.parse(Buffer.from(text).toString('latin1'));
    if (parsed.unknown.length > 0) this.#count(parsed.unknown);
    if (this.#texts.length < REMEMBERED) {
      this.#slots[slot] = this.#texts.length;
      this.#texts.push(text);
      this.#bits.push(parsed.bits);
      this.#unknown.push(parsed.unknown);
    }
    return parsed.bits;
  }

  #count(pieces: readonly string[]): void {
    for (const piece of pieces) {
      const known = this.unknown.get(piece);
      if (known !== undefined || this.unknown.size < REMEMBERED) this.unknown.set(piece, (known ?? 0) + 1);
    }
  }
}
