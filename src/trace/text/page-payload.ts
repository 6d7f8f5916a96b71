/**
 * The `key=value` part of the page events' trace lines. Keys may come in any order, unknown ones are passed over.
 * model: page-allocator 7.1
 */
import { BAD, numberAt } from './numbers.js';
import { chars, isKey, skipWord, WordScanner } from './word-scan.js';

const SPACE = 0x20;
const COMMA = 0x2c;

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

function keyBytes(name: FieldName): Uint8Array {
  return Uint8Array.from(Buffer.from(`${name}=`));
}

const PAGE = keyBytes('page');
const PFN = keyBytes('pfn');
const ORDER = keyBytes('order');
const MIGRATETYPE = keyBytes('migratetype');
const GFP_FLAGS = keyBytes('gfp_flags');
const PERCPU_REFILL = keyBytes('percpu_refill');
const ALLOC_ORDER = keyBytes('alloc_order');
const FALLBACK_ORDER = keyBytes('fallback_order');
const ALLOC_MIGRATETYPE = keyBytes('alloc_migratetype');
const FALLBACK_MIGRATETYPE = keyBytes('fallback_migratetype');
const CHANGE_OWNERSHIP = keyBytes('change_ownership');

// The first four characters leave one or two keys; the comparison of all of it decides.
const PAGE_ = chars('page');
const PFN_ = chars('pfn=');
const ORDE = chars('orde');
const MIGR = chars('migr');
const GFP_ = chars('gfp_');
const PERC = chars('perc');
const ALLO = chars('allo');
const FALL = chars('fall');
const CHAN = chars('chan');
/** No key is shorter. */
const SHORTEST_KEY = 4;

const NULL_PAGE = /^(?:\((?:nil|null)\)|(?:0x)?0+)$/;
/** What the event holds instead of the pfn of a failed allocation, where raw fields are printed. */
const NO_PFN = /^(?:0x[fF]{16}|18446744073709551615)$/;

/** The fields of the payload parsed last; those whose bit is not in `seen` are stale. One object for all lines. */
export class PagePayload {
  seen = 0;
  pfn = 0;
  /** page= is all zeros, `(null)` or `(nil)`; looked at only where pfn is 0. model: page-allocator 8.8 */
  isNullPage = false;
  /** pfn= is all ones, as raw fields show a failure; the field counts as not seen */
  isNoPfn = false;
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
  readonly words = new WordScanner();

  /** Reads bytes[start..end). Fields with values that are no numbers count as not seen; the last of a name counts. */
  parse(bytes: Uint8Array, start: number, end: number): void {
    const view = this.words.view(bytes);
    let at = start;
    let seen = 0;
    let pageStart = -1;
    this.isNullPage = false;
    this.isNoPfn = false;
    while (end - at >= SHORTEST_KEY) {
      const first = bytes[at];
      if (first === SPACE || first === COMMA) {
        at++;
        continue;
      }
      switch (view.getInt32(at, true)) {
        case PAGE_:
          if (isKey(bytes, at, end, PAGE, SHORTEST_KEY)) {
            pageStart = at + PAGE.length;
            seen |= Field.page;
            at = skipWord(bytes, view, pageStart, end);
            continue;
          }
          break;
        case PFN_:
          at += PFN.length;
          this.pfn = numberAt(bytes, at, end);
          seen = withField(seen, Field.pfn, this.pfn !== BAD);
          this.isNoPfn = this.pfn === BAD && NO_PFN.test(wordAt(bytes, at, end));
          break;
        case ORDE:
          if (isKey(bytes, at, end, ORDER, SHORTEST_KEY)) {
            at += ORDER.length;
            this.order = numberAt(bytes, at, end);
            seen = withField(seen, Field.order, this.order !== BAD);
          }
          break;
        case MIGR:
          if (isKey(bytes, at, end, MIGRATETYPE, SHORTEST_KEY)) {
            at += MIGRATETYPE.length;
            this.migratetype = numberAt(bytes, at, end);
            seen = withField(seen, Field.migratetype, this.migratetype !== BAD);
          }
          break;
        case GFP_:
          if (isKey(bytes, at, end, GFP_FLAGS, SHORTEST_KEY)) {
            this.gfpStart = at + GFP_FLAGS.length;
            at = this.words.scan(bytes, view, this.gfpStart, end);
            this.gfpEnd = at;
            this.gfpHash = this.words.hash;
            seen |= Field.gfp_flags;
          }
          break;
        case PERC:
          if (isKey(bytes, at, end, PERCPU_REFILL, SHORTEST_KEY)) {
            at += PERCPU_REFILL.length;
            this.percpuRefill = numberAt(bytes, at, end);
            seen = withField(seen, Field.percpu_refill, this.percpuRefill !== BAD);
          }
          break;
        case ALLO:
          if (isKey(bytes, at, end, ALLOC_ORDER, SHORTEST_KEY)) {
            at += ALLOC_ORDER.length;
            this.allocOrder = numberAt(bytes, at, end);
            seen = withField(seen, Field.alloc_order, this.allocOrder !== BAD);
          } else if (isKey(bytes, at, end, ALLOC_MIGRATETYPE, SHORTEST_KEY)) {
            at += ALLOC_MIGRATETYPE.length;
            this.allocMigratetype = numberAt(bytes, at, end);
            seen = withField(seen, Field.alloc_migratetype, this.allocMigratetype !== BAD);
          }
          break;
        case FALL:
          if (isKey(bytes, at, end, FALLBACK_ORDER, SHORTEST_KEY)) {
            at += FALLBACK_ORDER.length;
            this.fallbackOrder = numberAt(bytes, at, end);
            seen = withField(seen, Field.fallback_order, this.fallbackOrder !== BAD);
          } else if (isKey(bytes, at, end, FALLBACK_MIGRATETYPE, SHORTEST_KEY)) {
            at += FALLBACK_MIGRATETYPE.length;
            this.fallbackMigratetype = numberAt(bytes, at, end);
            seen = withField(seen, Field.fallback_migratetype, this.fallbackMigratetype !== BAD);
          }
          break;
        case CHAN:
          if (isKey(bytes, at, end, CHANGE_OWNERSHIP, SHORTEST_KEY)) {
            at += CHANGE_OWNERSHIP.length;
            this.changeOwnership = numberAt(bytes, at, end);
            seen = withField(seen, Field.change_ownership, this.changeOwnership !== BAD);
          }
          break;
      }
      while (at < end && bytes[at] !== SPACE) at++;
    }
    this.seen = seen;
    if (pageStart >= 0 && this.pfn === 0) this.isNullPage = NULL_PAGE.test(wordAt(bytes, pageStart, end));
  }
}

/** `seen` with a field that was read, or without one that could not be. */
export function withField(seen: number, field: number, isGood: boolean): number {
  return isGood ? seen | field : seen & ~field;
}

/** The bytes up to a blank, of which no more than a number has are looked at. */
function wordAt(bytes: Uint8Array, start: number, end: number): string {
  let at = start;
  const limit = Math.min(end, start + 32);
  while (at < limit && bytes[at] !== SPACE && bytes[at] !== COMMA) at++;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, at - start).toString('latin1');
}
