/**
 * The `key=value` part of the page events' trace lines. Keys may come in any order, unknown ones are passed over.
 * model: page-allocator 7.1
 */
import { GFP_HASH_START, gfpHashStep } from './gfp-bytes.js';

const SPACE = 0x20;
const COMMA = 0x2c;
const DASH = 0x2d;
const ZERO = 0x30;
const EQUALS = 0x3d;

/** Which fields a payload had, as bits of `PagePayload.seen`. */
export const Field = {
  page: 1 << 0,
  pfn: 1 << 1,
  order: 1 << 2,
  migratetype: 1 << 3,
  gfp_flags: 1 << 4,
  percpu_refill: 1 << 5,
  alloc_order: 1 << 6,
  fallback_order: 1 << 7,
  alloc_migratetype: 1 << 8,
  fallback_migratetype: 1 << 9,
  change_ownership: 1 << 10,
} as const;

export type FieldName = keyof typeof Field;

function hashOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0;
  return hash;
}

// The keys are told apart by a 32-bit hash that is made while they are scanned; the known ones do not collide.
const PAGE = hashOf('page');
const PFN = hashOf('pfn');
const ORDER = hashOf('order');
const MIGRATETYPE = hashOf('migratetype');
const GFP_FLAGS = hashOf('gfp_flags');
const PERCPU_REFILL = hashOf('percpu_refill');
const ALLOC_ORDER = hashOf('alloc_order');
const FALLBACK_ORDER = hashOf('fallback_order');
const ALLOC_MIGRATETYPE = hashOf('alloc_migratetype');
const FALLBACK_MIGRATETYPE = hashOf('fallback_migratetype');
const CHANGE_OWNERSHIP = hashOf('change_ownership');

/** A number that is not there or cannot be one. */
const BAD = -1;

/** The fields of the payload parsed last; those whose bit is not in `seen` are stale. One object for all lines. */
export class PagePayload {
  seen = 0;
  pfn = 0;
  /** page= is all zeros or `(null)`; looked at only where pfn is 0. model: page-allocator 8.8 */
  isNullPage = false;
  order = 0;
  migratetype = 0;
  gfpStart = 0;
  gfpEnd = 0;
  gfpHash = 0;
  percpuRefill = 0;
  allocOrder = 0;
  fallbackOrder = 0;
  allocMigratetype = 0;
  fallbackMigratetype = 0;
  changeOwnership = 0;

  /** Reads bytes[start..end). Fields with values that are no numbers count as not seen. */
  parse(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    let seen = 0;
    let pageStart = -1;
    this.isNullPage = false;
    while (at < end) {
      const first = bytes[at] as number;
      if (first === SPACE || first === COMMA) {
        at++;
        continue;
      }
      let key = 0;
      let byte = first;
      while (byte !== EQUALS && byte !== SPACE && at < end) {
        key = (Math.imul(key, 31) + byte) | 0;
        byte = bytes[++at] as number;
      }
      if (at >= end || byte !== EQUALS) continue;
      at++;
      let bit = 0;
      if (key === PAGE) {
        pageStart = at;
        bit = Field.page;
        // Sixteen hex digits as a rule; pass over them at once.
        if (at + 16 < end && bytes[at + 16] === SPACE && bytes[at] !== 0x28) at += 16;
      } else if (key === PFN) {
        this.pfn = hexAt(bytes, at, end);
        if (this.pfn !== BAD) bit = Field.pfn;
      } else if (key === ORDER) {
        this.order = decimalAt(bytes, at, end);
        if (this.order !== BAD) bit = Field.order;
      } else if (key === GFP_FLAGS) {
        let hash = GFP_HASH_START;
        this.gfpStart = at;
        while (at < end && bytes[at] !== SPACE) hash = gfpHashStep(hash, bytes[at++] as number);
        this.gfpEnd = at;
        this.gfpHash = hash;
        bit = Field.gfp_flags;
      } else if (key === MIGRATETYPE) {
        this.migratetype = decimalAt(bytes, at, end);
        if (this.migratetype !== BAD) bit = Field.migratetype;
      } else if (key === PERCPU_REFILL) {
        this.percpuRefill = decimalAt(bytes, at, end);
        if (this.percpuRefill !== BAD) bit = Field.percpu_refill;
      } else if (key === ALLOC_ORDER) {
        this.allocOrder = decimalAt(bytes, at, end);
        if (this.allocOrder !== BAD) bit = Field.alloc_order;
      } else if (key === FALLBACK_ORDER) {
        this.fallbackOrder = decimalAt(bytes, at, end);
        if (this.fallbackOrder !== BAD) bit = Field.fallback_order;
      } else if (key === ALLOC_MIGRATETYPE) {
        this.allocMigratetype = decimalAt(bytes, at, end);
        if (this.allocMigratetype !== BAD) bit = Field.alloc_migratetype;
      } else if (key === FALLBACK_MIGRATETYPE) {
        this.fallbackMigratetype = decimalAt(bytes, at, end);
        if (this.fallbackMigratetype !== BAD) bit = Field.fallback_migratetype;
      } else if (key === CHANGE_OWNERSHIP) {
        this.changeOwnership = decimalAt(bytes, at, end);
        if (this.changeOwnership !== BAD) bit = Field.change_ownership;
      }
      seen |= bit;
      while (at < end && bytes[at] !== SPACE) at++;
    }
    this.seen = seen;
    if (pageStart >= 0 && this.pfn === 0) this.isNullPage = isNullAt(bytes, pageStart, end);
  }
}

/** `0x` and hex digits up to a space, comma or the end; BAD if that is not what stands there or above 32 bits. */
function hexAt(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== ZERO || bytes[start + 1] !== 0x78) return BAD;
  let at = start + 2;
  let value = 0;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    let digit = byte - ZERO;
    if (digit > 9) digit = (byte | 0x20) - 0x61 + 10;
    if (digit < 0 || digit > 15) {
      if (byte === SPACE || byte === COMMA) break;
      return BAD;
    }
    value = value * 16 + digit;
  }
  return at === start + 2 || value > 0xffff_ffff ? BAD : value;
}

/** Decimal digits, at most nine. Negative and malformed numbers are BAD. */
function decimalAt(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let value = 0;
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  const digits = at - start;
  const stop = bytes[at];
  return digits === 0 || digits > 9 || (at < end && stop !== SPACE && stop !== COMMA) ? BAD : value;
}

/** `0000000000000000`, `0x0`, `(null)` or `(nil)`. */
function isNullAt(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] === 0x28) return true;
  for (let at = start; at < end && bytes[at] !== SPACE; at++) {
    const byte = bytes[at] as number;
    if (byte !== ZERO && !(byte === 0x78 && at === start + 1)) return false;
  }
  return bytes[start] !== DASH;
}
