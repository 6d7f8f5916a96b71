/** Bytes of CSV rows as they are put together: a growing array and what writes numbers and texts into it. */

const FIRST_BYTES = 1 << 16;
const ZERO = 0x30;
const LETTER_A = 0x61;
const LETTER_X = 0x78;
/** What a number takes at most. */
const NUMBER_BYTES = 32;
const BILLION = 1e9;
const BILLION_DIGITS = 9;
/** UTF-8 bytes of a UTF-16 code unit, at most. */
const UNIT_BYTES = 3;

function decimalDigits(value: number): number {
  let digits = 1;
  for (let power = 10; value >= power; power *= 10) digits++;
  return digits;
}

export class OutputBytes {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  /** What was written since the last call, as an array of its own. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.#length);
    taken.set(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#length + bytes, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  /** As String() writes it; fast for whole numbers. */
  number(value: number): void {
    this.#reserve(NUMBER_BYTES);
    if (!Number.isSafeInteger(value) || value < 0) this.text(String(value));
    else if (value < BILLION) this.#digits(value | 0, decimalDigits(value));
    else {
      const high = Math.floor(value / BILLION);
      this.#digits(high, decimalDigits(high));
      this.#digits(value - high * BILLION, BILLION_DIGITS);
    }
  }

  #digits(value: number, digits: number): void {
    let rest = value | 0;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const next = (rest / 10) | 0;
      this.#bytes[at] = ZERO + rest - next * 10;
      rest = next;
    }
    this.#length += digits;
  }

  /** `0x` and the digits of a number below 2^32. */
  hex(value: number): void {
    this.#reserve(NUMBER_BYTES);
    this.#bytes[this.#length++] = ZERO;
    this.#bytes[this.#length++] = LETTER_X;
    let shift = 28;
    while (shift > 0 && value >>> shift === 0) shift -= 4;
    for (; shift >= 0; shift -= 4) {
      const digit = (value >>> shift) & 15;
      this.#bytes[this.#length++] = digit < 10 ? ZERO + digit : LETTER_A + digit - 10;
    }
  }

  cell(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    const own = this.#bytes;
    let at = this.#length;
    // Cells are short: a loop beats the call that copies.
    for (let i = 0; i < bytes.length; i++) own[at++] = bytes[i];
    this.#length = at;
  }

  text(text: string): void {
    this.#reserve(text.length * UNIT_BYTES);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** Writes `text` if `isPlain` has a 1 for each of its characters. @returns whether it has */
  plainText(text: string, isPlain: Uint8Array): boolean {
    const { length } = text;
    this.#reserve(length);
    const own = this.#bytes;
    const start = this.#length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      // Behind the array's end there is no 1 either.
      if (code > 0x7f || isPlain[code] !== 1) return false;
      own[start + i] = code;
    }
    this.#length = start + length;
    return true;
  }
}
