/**
 * The chance of the generators: xoshiro128** over 32-bit integers, seeded by a number and a name.
 *
 * Each actor has a stream of its own, so that an option changes only what it is about. Nothing here calls a function of
 * Math whose last bit may differ between machines; sums, products and quotients of doubles are the same on all of them.
 */
const TWO_32 = 2 ** 32;
/** mean of what {@link Prng.exponential} scales: one leading zero on average, and half of an octave */
const OCTAVES_MEAN = 1.5;

/** The finaliser of MurmurHash3: every bit of the input changes about half of the output's. */
function scramble(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}

export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /**
   * @param seed  a whole number up to 2^53
   * @param name  of the stream: streams of one seed have nothing in common
   */
  constructor(seed: number, name: string) {
    let word = scramble(seed | 0) ^ scramble(Math.floor(seed / TWO_32) + 0x9e37_79b9);
    for (let i = 0; i < name.length; i++) word = scramble(Math.imul(word, 31) + name.charCodeAt(i));
    const next = () => {
      word = (word + 0x9e37_79b9) | 0;
      return scramble(word);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    // All four words zero is the one state that never leaves itself.
    this.#d = next() | 1;
  }

  /** 32 bits, from 0. */
  next(): number {
    const b = this.#b;
    let result = Math.imul(b, 5);
    result = Math.imul((result << 7) | (result >>> 25), 9);
    this.#c ^= this.#a;
    this.#d ^= b;
    this.#b = b ^ this.#c;
    this.#a ^= this.#d;
    this.#c ^= b << 9;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result >>> 0;
  }

  /** What it would go on from. */
  state(): number[] {
    return [this.#a, this.#b, this.#c, this.#d];
  }

  /** Goes on from a state of its own. */
  restore([a = 0, b = 0, c = 0, d = 1]: readonly number[]): void {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    this.#d = d | 0;
  }

  /** A whole number from 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.next() * n) / TWO_32);
  }

  /** A number from `low` up to, but without, `high`. */
  between(low: number, high: number): number {
    return low + (this.next() / TWO_32) * (high - low);
  }

  /** True in `share` of all cases, 0 to 1. */
  chance(share: number): boolean {
    return this.next() < share * TWO_32;
  }

  /**
   * Whole numbers that fall off exponentially, to within 6 %: the logarithm is taken as straight between powers of 2, so
   * that all machines agree on it.
   */
  exponential(mean: number): number {
    const word = this.next();
    const zeros = Math.clz32(word);
    const fraction = ((word << (zeros + 1)) >>> 0) / TWO_32;
    return Math.floor((mean * (zeros + 1 - fraction)) / OCTAVES_MEAN);
  }
}
