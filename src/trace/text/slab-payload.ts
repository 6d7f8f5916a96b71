/**
 * The `key=value` part of the slab events' trace lines. Keys may come in any order, unknown ones are passed over, of a
 * key given twice the last one counts.
 *
 *     call_site=getname_flags.part.0+0x2b/0x1c0 ptr=ffff888004aba000 name=names_cache bytes_req=4096 bytes_alloc=4096
 *     gfp_flags=GFP_KERNEL node=-1 accounted=false
 *
 * A cache may have blanks in its name: it ends before ` bytes_req=`, or with the line. model: page-allocator 7.1
 */
import { BAD, HEX_VALUE, numberAt } from './numbers.js';
import { chars, hashByte, isKey, WordScanner } from './word-scan.js';

const SPACE = 0x20;
const LPAREN = 0x28;
const RPAREN = 0x29;
const DASH = 0x2d;
const ZERO = 0x30;
const EQUALS = 0x3d;
const LBRACKET = 0x5b;
const RBRACKET = 0x5d;
const LETTER_X = 0x78;

/** Fields of a payload, as bits: `SlabPayload.seen` has those that were read, `bad` those that could not be. */
export const SlabField = {
  call_site: 1 << 0,
  ptr: 1 << 1,
  bytes_req: 1 << 2,
  bytes_alloc: 1 << 3,
  gfp_flags: 1 << 4,
  node: 1 << 5,
  accounted: 1 << 6,
  name: 1 << 7,
} as const;
export type SlabFieldName = keyof typeof SlabField;

// The keys, four characters at a time.
const CALL = chars('call');
const SITE_ = chars('_sit');
const E_IS = chars('e=');
const PTR_IS = chars('ptr=');
const BYTE = chars('byte');
const S_RE = chars('s_re');
const Q_IS = chars('q=');
const S_AL = chars('s_al');
const LOC_IS = chars('loc=');
const GFP_ = chars('gfp_');
const FLAG = chars('flag');
const S_IS = chars('s=');
const NODE = chars('node');
const NAME = chars('name');
const ACCO = chars('acco');
const UNTE = chars('unte');
const D_IS = chars('d=');

/** Lengths of the keys with their equals signs. */
const SHORT_KEY = 5;
const LONG_KEY = 10;
const LONGEST_KEY = 12;
const PTR_KEY = 4;

const MAX_U32 = 0xffff_ffff;
const MAX_NODE = 0x7fff;
/** Digits of a 64-bit pointer. */
const PTR_DIGITS = 16;
const BYTES_REQ = Uint8Array.from(Buffer.from('bytes_req='));

/** The fields of the payload parsed last; those whose bit is not in `seen` are stale. One object for all lines. */
export class SlabPayload {
  seen = 0;
  bad = 0;
  /** the upper and the lower 32 bits of the pointer */
  ptrHigh = 0;
  ptrLow = 0;
  #isPointer = false;
  /** with its size and its module, as it stands there */
  siteStart = 0;
  siteEnd = 0;
  siteHash = 0;
  bytesReq = 0;
  bytesAlloc = 0;
  gfpStart = 0;
  gfpEnd = 0;
  gfpHash = 0;
  node = -1;
  isAccounted = false;
  nameStart = 0;
  nameEnd = 0;
  nameHash = 0;
  readonly words = new WordScanner();

  /** Reads bytes[start..end). */
  parse(bytes: Uint8Array, start: number, end: number): void {
    const view = this.words.view(bytes);
    let seen = 0;
    /** fields that stand there, readable or not */
    let given = 0;
    let at = start;
    while (at < end) {
      if (bytes[at] === SPACE) {
        at++;
        continue;
      }
      // Nothing shorter is a key.
      const left = end - at;
      if (left < PTR_KEY) break;
      switch (view.getInt32(at, true)) {
        case CALL:
          if (
            left >= LONG_KEY &&
            view.getInt32(at + 4, true) === SITE_ &&
            view.getInt16(at + 8, true) === E_IS
          ) {
            at = this.#site(bytes, view, at + LONG_KEY, end);
            seen |= SlabField.call_site;
            continue;
          }
          break;
        case PTR_IS:
          at = this.#pointer(bytes, at + PTR_KEY, end);
          given |= SlabField.ptr;
          seen = withField(seen, SlabField.ptr, this.#isPointer);
          continue;
        case BYTE:
          if (
            left >= LONG_KEY &&
            view.getInt32(at + 4, true) === S_RE &&
            view.getInt16(at + 8, true) === Q_IS
          ) {
            at += LONG_KEY;
            this.bytesReq = numberAt(bytes, at, end);
            given |= SlabField.bytes_req;
            seen = withField(seen, SlabField.bytes_req, this.bytesReq !== BAD);
          } else if (
            left >= LONGEST_KEY &&
            view.getInt32(at + 4, true) === S_AL &&
            view.getInt32(at + 8, true) === LOC_IS
          ) {
            at += LONGEST_KEY;
            this.bytesAlloc = numberAt(bytes, at, end);
            given |= SlabField.bytes_alloc;
            seen = withField(seen, SlabField.bytes_alloc, this.bytesAlloc !== BAD);
          }
          break;
        case GFP_:
          if (
            left >= LONG_KEY &&
            view.getInt32(at + 4, true) === FLAG &&
            view.getInt16(at + 8, true) === S_IS
          ) {
            this.gfpStart = at + LONG_KEY;
            at = this.words.scan(bytes, view, at + LONG_KEY, end);
            this.gfpEnd = at;
            this.gfpHash = this.words.hash;
            seen |= SlabField.gfp_flags;
            continue;
          }
          break;
        case NODE:
          if (left >= SHORT_KEY && bytes[at + 4] === EQUALS) {
            at += SHORT_KEY;
            this.node = nodeAt(bytes, at, end);
            given |= SlabField.node;
            seen = withField(seen, SlabField.node, this.node > BAD_NODE);
          }
          break;
        case NAME:
          if (left >= SHORT_KEY && bytes[at + 4] === EQUALS) {
            at = this.#name(bytes, view, at + SHORT_KEY, end);
            seen |= SlabField.name;
            continue;
          }
          break;
        case ACCO:
          if (
            left >= LONG_KEY &&
            view.getInt32(at + 4, true) === UNTE &&
            view.getInt16(at + 8, true) === D_IS
          ) {
            at += LONG_KEY;
            const value = booleanAt(bytes, view, at, end);
            this.isAccounted = value === 1;
            given |= SlabField.accounted;
            seen = withField(seen, SlabField.accounted, value !== BAD);
          }
          break;
      }
      while (at < end && bytes[at] !== SPACE) at++;
    }
    this.seen = seen;
    this.bad = given & ~seen;
  }

  /** A symbol, or an address; ` [module]` belongs to it. Where it ends. */
  #site(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    let at = this.words.scan(bytes, view, start, end);
    let { hash } = this.words;
    if (at + 1 < end && bytes[at + 1] === LBRACKET) {
      const close = moduleEnd(bytes, at + 2, end);
      while (at < close) hash = hashByte(hash, bytes[at++] as number);
    }
    this.siteStart = start;
    this.siteEnd = at;
    this.siteHash = hash;
    return at;
  }

  #name(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    let at = this.words.scan(bytes, view, start, end);
    let { hash } = this.words;
    // Most names are one word.
    while (at < end && !isKey(bytes, at + 1, end, BYTES_REQ)) {
      do hash = hashByte(hash, bytes[at++] as number);
      while (at < end && bytes[at] !== SPACE);
    }
    this.nameStart = start;
    this.nameEnd = at;
    this.nameHash = hash;
    return at;
  }

  /** Hex digits with or without `0x`, or `(nil)`. Where the word ends. */
  #pointer(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    if (at + 1 < end && bytes[at] === ZERO && bytes[at + 1] === LETTER_X) at += 2;
    const digits = at;
    let high = 0;
    let low = 0;
    while (at < end) {
      const value = HEX_VALUE[bytes[at] as number] as number;
      if (value > 15) break;
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | value;
      at++;
    }
    const length = at - digits;
    if (length > 0 && length <= PTR_DIGITS && (at >= end || bytes[at] === SPACE)) {
      this.ptrHigh = high;
      this.ptrLow = low;
      this.#isPointer = true;
      return at;
    }
    while (at < end && bytes[at] !== SPACE) at++;
    this.ptrHigh = 0;
    this.ptrLow = 0;
    this.#isPointer = isNil(bytes, start, at);
    return at;
  }
}

/** `seen` with a field that was read, or without one that could not be. */
function withField(seen: number, field: number, isGood: boolean): number {
  return isGood ? seen | field : seen & ~field;
}

/** End of `name]` at `start` if a blank or the end follows, else 0. */
function moduleEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== RBRACKET && bytes[at] !== SPACE && bytes[at] !== LBRACKET) at++;
  if (at >= end || bytes[at] !== RBRACKET) return 0;
  at++;
  return at >= end || bytes[at] === SPACE ? at : 0;
}

/** `(nil)` or `(null)`. */
function isNil(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== LPAREN || bytes[end - 1] !== RPAREN) return false;
  const word = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  return word === '(nil)' || word === '(null)';
}

/** What stands there is no node. */
const BAD_NODE = -2;

/** A node, -1 for none (also as 32 bits); BAD_NODE if it is none of that. */
function nodeAt(bytes: Uint8Array, start: number, end: number): number {
  const isNegative = bytes[start] === DASH;
  const value = numberAt(bytes, isNegative ? start + 1 : start, end);
  if (isNegative) return value === 1 ? -1 : BAD_NODE;
  if (value === MAX_U32) return -1;
  return value === BAD || value > MAX_NODE ? BAD_NODE : value;
}

const TRUE = chars('true');
const FALS = chars('fals');
const LETTER_E = 0x65;

/** `true`, `false`, `1`, `0`, `(1)` or `(0)`. */
function booleanAt(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== SPACE) at++;
  const length = at - start;
  if (length === 4) return view.getInt32(start, true) === TRUE ? 1 : BAD;
  if (length === 5) return view.getInt32(start, true) === FALS && bytes[start + 4] === LETTER_E ? 0 : BAD;
  const isWrapped = length === 3 && bytes[start] === LPAREN && bytes[start + 2] === RPAREN;
  const digit = length === 1 ? bytes[start] : isWrapped ? bytes[start + 1] : 0;
  return digit === ZERO ? 0 : digit === ZERO + 1 ? 1 : BAD;
}

/** End of `func+0xoff` in a call site `func+0xoff/0xsize`: where the size begins, or `end` if it has none. */
export function siteSizeStart(bytes: Uint8Array, start: number, end: number): number {
  let at = end - 1;
  while (at > start && isHexDigit(bytes[at] as number)) at--;
  const isSize = at < end - 1 && bytes[at] === LETTER_X && bytes[at - 1] === ZERO && bytes[at - 2] === 0x2f;
  return isSize && at - 2 > start ? at - 2 : end;
}

function isHexDigit(byte: number): boolean {
  return (byte >= ZERO && byte <= ZERO + 9) || (byte >= 0x61 && byte <= 0x66);
}
