/** Numbers in the payload of a trace line, read from bytes. */

const SPACE = 0x20;
const COMMA = 0x2c;
const ZERO = 0x30;
const LETTER_X = 0x78;
const MAX_U32 = 0xffff_ffff;
/** Longest number that is read, leading zeros included. */
const MAX_DIGITS = 16;

/** What stands there is no number, or one beyond 32 bits. */
export const BAD = -1;

const NO_DIGIT = 0xff;
/** Value of each byte as a hexadecimal digit. */
export const HEX_VALUE = new Uint8Array(256).fill(NO_DIGIT);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_VALUE[digit.charCodeAt(0)] = value;
  HEX_VALUE[digit.toUpperCase().charCodeAt(0)] = value;
}

/** The decimal or `0x` number at `start`, which a blank, a comma or the end must follow; BAD otherwise. */
export function numberAt(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let value = 0;
  let digits = start;
  // Behind the end may stand anything: a part of another line.
  if (at + 1 < end && bytes[at] === ZERO && bytes[at + 1] === LETTER_X) {
    at += 2;
    digits = at;
    for (; at < end; at++) {
      const digit = HEX_VALUE[bytes[at] as number] as number;
      if (digit === NO_DIGIT) break;
      value = value * 16 + digit;
    }
  } else {
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
  }
  const length = at - digits;
  if (length <= 0 || length > MAX_DIGITS || value > MAX_U32) return BAD;
  const stop = bytes[at];
  return at < end && stop !== SPACE && stop !== COMMA ? BAD : value;
}
