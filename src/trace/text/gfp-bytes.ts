/**
 * gfp texts looked up as bytes: a trace has millions of them but only some dozens that differ, so no string is made
 * for a text seen before.
 */
import type { GfpDialect, GfpParse } from '../gfp-text.js';
import { BytesMemo, LONGEST_TEXT, REMEMBERED_TEXTS } from './bytes-memo.js';

/** Distinct unknown pieces that are counted. */
const COUNTED = 1024;

export class GfpBytes {
  readonly #dialect: GfpDialect;
  readonly #memo: BytesMemo;
  /** by the number that the memo holds */
  readonly #parses: GfpParse[] = [];
  #last: GfpParse = { bits: 0, unknown: [] };
  /** pieces that the dialect does not know, with the number of times they were met */
  readonly unknown = new Map<string, number>();

  constructor(dialect: GfpDialect) {
    this.#dialect = dialect;
    this.#memo = new BytesMemo((bytes, start, end) => this.#parse(bytes, start, end));
  }

  /** Bits of the text bytes[start..end), whose hash is `hash`. Unknown pieces are counted and left out. */
  bits(bytes: Uint8Array, view: DataView, start: number, end: number, hash: number): number {
    const number = this.#memo.number(bytes, view, start, end, hash);
    const parse = this.#parses[number] ?? this.#last;
    if (parse.unknown.length > 0) this.#count(parse.unknown);
    return parse.bits;
  }

  /** Number of the text's parse; one that no parse has when there are as many as the memo remembers. */
  #parse(bytes: Uint8Array, start: number, end: number): number {
    this.#last = this.#dialect.parse(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
    const number = this.#parses.length;
    // Only texts that the memo keeps may take a place for good.
    if (number < REMEMBERED_TEXTS && end - start <= LONGEST_TEXT) this.#parses.push(this.#last);
    else return REMEMBERED_TEXTS;
    return number;
  }

  #count(pieces: readonly string[]): void {
    for (const piece of pieces) {
      const known = this.unknown.get(piece);
      if (known !== undefined || this.unknown.size < COUNTED) this.unknown.set(piece, (known ?? 0) + 1);
    }
  }
}
