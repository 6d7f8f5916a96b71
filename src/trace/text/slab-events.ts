/**
 * From the payload of a slab event to numbers: the interned id, call site, cache and argument.
 *
 * id = the pointer, `0x` and lower-case digits · site = `func+0xoff`, with ` [module]` · cache = the name ·
 * arg = `alloc=BYTES`, with `;accounted=1`. No string is made for texts seen before. model: page-allocator 7.1
 */
import { NONE_U32 } from '../event-batch.js';
import type { StringTable, TraceStrings } from '../string-table.js';
import { BytesMemo } from './bytes-memo.js';
import type { GfpBytes } from './gfp-bytes.js';
import { SlabField, type SlabFieldName, SlabPayload, siteSizeStart } from './slab-payload.js';

const SPACE = 0x20;
/** Slots of the table of arguments; a trace has some dozens. */
const ARG_SLOTS = 1024;
const NO_ARG = NONE_U32;
/** Pointers whose numbers are at hand: an object is freed by the pointer that its allocation gave. */
const PTR_SLOTS = 1 << 15;
const PTR_SHIFT = 17;
const HASH_FACTOR = 0x9e37_79b1;
const HEX_DIGITS = Uint8Array.from(Buffer.from('0123456789abcdef'));

const NEEDS_ALLOC = SlabField.ptr | SlabField.bytes_req | SlabField.gfp_flags;
const NEEDS_FREE = SlabField.ptr;

/** Turns payloads into interned numbers. One object for all lines of a trace. */
export class SlabEvents {
  readonly payload = new SlabPayload();
  readonly #strings: TraceStrings;
  readonly #gfpBytes: GfpBytes;
  readonly #sites: BytesMemo;
  readonly #caches: BytesMemo;
  /** arguments by bytes_alloc and accounted; each slot holds the last of its kind */
  readonly #argSizes = new Uint32Array(ARG_SLOTS * 2);
  readonly #args = new Uint32Array(ARG_SLOTS * 2).fill(NO_ARG);

  /** pointers by hash, each slot holds the last of its kind; NULL is none */
  readonly #ptrHighs = new Int32Array(PTR_SLOTS);
  readonly #ptrLows = new Int32Array(PTR_SLOTS);
  readonly #ptrIds = new Uint32Array(PTR_SLOTS);
  readonly #ptrText: Uint8Array = Uint8Array.from(Buffer.from('0x0123456789abcdef'));

  constructor(strings: TraceStrings, gfpBytes: GfpBytes) {
    this.#gfpBytes = gfpBytes;
    this.#strings = strings;
    this.#sites = new BytesMemo((bytes, start, end) => internSite(strings.sites, bytes, start, end));
    this.#caches = new BytesMemo((bytes, start, end) => internText(strings.caches, bytes, start, end));
  }

  /** Reads the payload of an allocation (or of a free) at bytes[start..end); what is wrong with it, or undefined. */
  read(bytes: Uint8Array, start: number, end: number, isAlloc: boolean): string | undefined {
    const { payload } = this;
    payload.parse(bytes, start, end);
    const needs = isAlloc ? NEEDS_ALLOC : NEEDS_FREE;
    const missing = (needs & ~payload.seen) | payload.bad;
    return missing === 0 ? undefined : withoutField(missing);
  }

  /** whether the pointer of the payload read last is NULL */
  get isNull(): boolean {
    return (this.payload.ptrHigh | this.payload.ptrLow) === 0;
  }

  /** Number of the pointer; not to be asked of NULL. */
  id(): number {
    const { ptrHigh, ptrLow } = this.payload;
    const slot = Math.imul(ptrLow ^ Math.imul(ptrHigh, HASH_FACTOR), HASH_FACTOR) >>> PTR_SHIFT;
    if (this.#ptrLows[slot] === ptrLow && this.#ptrHighs[slot] === ptrHigh)
      return this.#ptrIds[slot] as number;
    const number = this.#internPointer(ptrHigh, ptrLow);
    this.#ptrHighs[slot] = ptrHigh;
    this.#ptrLows[slot] = ptrLow;
    this.#ptrIds[slot] = number;
    return number;
  }

  /** `0x` and lower-case digits without leading zeros. */
  #internPointer(high: number, low: number): number {
    const text = this.#ptrText;
    let length = 2;
    for (let shift = 60; shift >= 0; shift -= 4) {
      const digit = (shift >= 32 ? high >>> (shift - 32) : low >>> shift) & 15;
      if (digit !== 0 || length > 2) text[length++] = HEX_DIGITS[digit] as number;
    }
    return this.#strings.ids.internBytes(text, 0, length);
  }

  /** Bits of the gfp text. */
  gfp(bytes: Uint8Array): number {
    const { words, gfpStart, gfpEnd, gfpHash } = this.payload;
    return this.#gfpBytes.bits(bytes, words.view(bytes), gfpStart, gfpEnd, gfpHash);
  }

  /** Number of the call site, 0 if none is given. */
  site(bytes: Uint8Array): number {
    const { seen, siteStart, siteEnd, siteHash, words } = this.payload;
    if ((seen & SlabField.call_site) === 0) return 0;
    return this.#sites.number(bytes, words.view(bytes), siteStart, siteEnd, siteHash);
  }

  /** Number of the cache's name, 0 if none is given. */
  cache(bytes: Uint8Array): number {
    const { seen, nameStart, nameEnd, nameHash, words } = this.payload;
    if ((seen & SlabField.name) === 0) return 0;
    return this.#caches.number(bytes, words.view(bytes), nameStart, nameEnd, nameHash);
  }

  /** The node asked for, -1 if none. */
  node(): number {
    return (this.payload.seen & SlabField.node) === 0 ? -1 : this.payload.node;
  }

  /** Number of the argument that tells the bytes taken and whether they are accounted. */
  arg(): number {
    const { seen, bytesAlloc } = this.payload;
    const isAccounted = (seen & SlabField.accounted) !== 0 && this.payload.isAccounted;
    if ((seen & SlabField.bytes_alloc) === 0) {
      return isAccounted ? this.#strings.args.intern('accounted=1') : 0;
    }
    const slot = (((bytesAlloc ^ (bytesAlloc >>> 6)) & (ARG_SLOTS - 1)) << 1) | (isAccounted ? 1 : 0);
    const known = this.#args[slot] as number;
    if (known !== NO_ARG && this.#argSizes[slot] === bytesAlloc) return known;
    const number = this.#strings.args.intern(`alloc=${bytesAlloc}${isAccounted ? ';accounted=1' : ''}`);
    this.#argSizes[slot] = bytesAlloc;
    this.#args[slot] = number;
    return number;
  }
}

function withoutField(fields: number): string {
  const names = (Object.keys(SlabField) as SlabFieldName[]).filter(
    (name) => (fields & SlabField[name]) !== 0,
  );
  return `without a readable ${names.join(', ')}`;
}

/** Interns bytes that may be no UTF-8; what is not becomes U+FFFD, so that tables hold nothing but text. */
function internText(table: StringTable, bytes: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    if ((bytes[i] as number) >= 0x80)
      return table.intern(Buffer.from(bytes.subarray(start, end)).toString('utf8'));
  }
  return table.internBytes(bytes, start, end);
}

/** Interns `func+0xoff/0xsize [module]` without the size. */
function internSite(table: StringTable, bytes: Uint8Array, start: number, end: number): number {
  let symbolEnd = start;
  while (symbolEnd < end && bytes[symbolEnd] !== SPACE) symbolEnd++;
  const sizeStart = siteSizeStart(bytes, start, symbolEnd);
  if (symbolEnd === end) return internText(table, bytes, start, sizeStart);
  const site = Buffer.concat([bytes.subarray(start, sizeStart), bytes.subarray(symbolEnd, end)]);
  return internText(table, site, 0, site.length);
}
