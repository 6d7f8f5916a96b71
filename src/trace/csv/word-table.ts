/**
 * Words of one column, found by their bytes: `alloc`, `softirq`, `GFP_KERNEL|__GFP_ZERO`.
 *
 * A trace has few of them, so each is turned into a string and checked once. What is not a word is never remembered, and
 * a hostile file with ever new words only loses speed: the table is small, and so is the longest walk through it.
 */
import type { Checked } from './schema.js';

const SLOTS = 1 << 9;
/** Half of the slots: a walk through them ends soon. */
const MAX_WORDS = SLOTS / 2;
const HASH_FACTOR = 0x9e37_79b1;

/** What lookup() returns for bytes that are no word of the column. */
export const NOT_A_WORD = -2;

/** Bytes behind the first one of a word that guess() may look at before it compares. */
export const GUESS_BYTES = 5;
const GUESSES = 1 << 6;

/** Some number below GUESSES that flags, ops and contexts rarely share. */
function guessKey(bytes: Uint8Array, start: number): number {
  return (bytes[start] + bytes[start + 4] * 5 + bytes[start + GUESS_BYTES] * 3) & (GUESSES - 1);
}

export class WordTable {
  readonly #check: (value: string) => Checked;
  /** one more than the word's index; 0 is a free slot */
  readonly #slots = new Uint16Array(SLOTS);
  readonly #numbers = new Float64Array(MAX_WORDS);
  readonly #ends = new Int32Array(MAX_WORDS + 1);
  #bytes = new Uint8Array(1 << 10);
  #count = 0;
  /** by a few bytes of a word: one more than the index of the word that was there last */
  readonly #guesses = new Uint16Array(GUESSES);
  /** number of the word that guess() found */
  guessed = NOT_A_WORD;

  constructor(check: (value: string) => Checked) {
    this.#check = check;
  }

  /**
   * Compares what stands at `start` with the word that last looked like it; traces repeat themselves. Its number is in
   * `guessed` then.
   *
   * @param start  at most GUESS_BYTES before the end of `bytes`
   * @returns where the word would end, 0 if it does not stand there. More may follow.
   */
  guess(bytes: Uint8Array, start: number): number {
    const key = guessKey(bytes, start);
    const word = this.#guesses[key];
    if (word === 0) return 0;
    const own = this.#bytes;
    const wordEnd = this.#ends[word];
    let at = start;
    for (let i = this.#ends[word - 1]; i < wordEnd; i++, at++) if (own[i] !== bytes[at]) return 0;
    this.guessed = this.#numbers[word - 1];
    return at;
  }

  /** Number of the word bytes[start..end), which is ASCII and not empty; NOT_A_WORD if the column has no such word. */
  lookup(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const slots = this.#slots;
    const ends = this.#ends;
    const own = this.#bytes;
    // Flags differ most at their ends: looking at a few bytes is enough, the comparison decides.
    let hash = Math.imul((bytes[end - 1] << 8) ^ bytes[start + (length >> 1)] ^ (length << 16), HASH_FACTOR);
    hash = Math.imul(
      hash ^ (bytes[start + (length >> 2)] << 8) ^ bytes[end - 1 - (length >> 2)],
      HASH_FACTOR,
    );
    let slot = hash >>> 23;
    for (;;) {
      const word = slots[slot];
      if (word === 0) return this.#learn(slot, bytes, start, end);
      const from = ends[word - 1];
      if (ends[word] - from === length) {
        let i = 0;
        while (i < length && own[from + i] === bytes[start + i]) i++;
        if (i === length) {
          if (start + GUESS_BYTES < bytes.length) this.#guesses[guessKey(bytes, start)] = word;
          return this.#numbers[word - 1];
        }
      }
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  #learn(slot: number, bytes: Uint8Array, start: number, end: number): number {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
    const checked = this.#check(text);
    if ('problem' in checked) return NOT_A_WORD;
    if (this.#count < MAX_WORDS) this.#remember(slot, checked.number, bytes.subarray(start, end));
    return checked.number;
  }

  #remember(slot: number, number: number, word: Uint8Array): void {
    const from = this.#ends[this.#count];
    if (from + word.length > this.#bytes.length) {
      const grown = new Uint8Array((from + word.length) * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(word, from);
    this.#numbers[this.#count] = number;
    this.#count++;
    this.#ends[this.#count] = from + word.length;
    this.#slots[slot] = this.#count;
  }
}
