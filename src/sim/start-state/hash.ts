/** A number below 2^32 that follows from two others without showing it: chance that is the same in every run. */
export function hash32(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b + 1, 0x9e37_79b1), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x27d4_eb2f);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** A whole number from 0 to `end` - 1. */
export function hashBelow(a: number, b: number, end: number): number {
  return Math.floor((hash32(a, b) / 2 ** 32) * end);
}
