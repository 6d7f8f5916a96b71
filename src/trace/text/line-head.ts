/**
 * The part of a trace line that all events share: who, where, in which context, when, and what.
 *
 *     tracefs, trace-cmd       bash-4211    [002] d..2.   812.104233: mm_page_alloc: page=...
 *                  |---- 16 ----|pid        cpu   flags   seconds     name           payload
 *     latency          bash-4211       2d..2. 707871985us : mm_page_alloc: page=...
 *                  |-- 8 --|pid        cpu, flags  microseconds
 *     perf script              bash  4211 [002]   812.104233:      kmem:mm_page_alloc: page=...
 *                  |---- 16 ----|  tid   cpu      seconds
 *
 * A scanner walks the bytes of lines that have the shape of their dialect, task name column included. What it refuses
 * gets a second look by line-head-strict.ts, which reads the same grammar with regular expressions and finds lines of
 * unusual shape. A scanner accepts nothing that the strict reading would read differently.
 * model: page-allocator 7.2, 7.3, 7.4, 7.5
 */
import { Ctx, NONE_U32 } from '../event-batch.js';
import type { TextDialect } from './dialect.js';
import { matchHead } from './line-head-strict.js';

const SPACE = 0x20;
const LPAREN = 0x28;
const RPAREN = 0x29;
const DASH = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const LBRACKET = 0x5b;
const RBRACKET = 0x5d;

/** Columns of the task name. */
const COMM_WIDTH = 16;
const SHORT_COMM_WIDTH = 8;
/** Shorter lines are left to the strict reading. */
const SHORTEST = 32;
export const MAX_CPU = 0xffff;

/** Bounds that scanners and strict reading share. */
const MAX_PID_DIGITS = 10;
const MAX_SECONDS_DIGITS = 10;
const MAX_NAME_BYTES = 128;
const MAX_GAP = 64;
/** Counters of more digits are left to the strict reading, which rounds them once. */
const EXACT_DIGITS = 15;

/** What the numbers of the time column are. */
export const Clock = { seconds: 0, microseconds: 1, counter: 2 } as const;
export type Clock = (typeof Clock)[keyof typeof Clock];

const NS_PER_S = 1e9;
const NS_PER_US = 1000;

/** Context by the third flag character. A 256-entry table, as the lookup is done for every line. */
const CONTEXT_OF = new Uint8Array(256);
for (const flag of 'Zz') CONTEXT_OF[flag.charCodeAt(0)] = Ctx.nmi;
for (const flag of 'Hh') CONTEXT_OF[flag.charCodeAt(0)] = Ctx.hardirq;
for (const flag of 'Ss') CONTEXT_OF[flag.charCodeAt(0)] = Ctx.softirq;

/** The context that a flag column tells. model: page-allocator 7.3 */
export function contextOfFlag(third: number): number {
  return CONTEXT_OF[third] as number;
}

/** Characters of the flag columns; the strict reading spells the same in its expression. */
const FLAG_ALPHABETS: readonly string[] = ['.dDbX', '.nNpPlLbB', '.hHsSzZ', '.0123456789abcdef'];
/** For each byte, a bit for every flag column in which it may stand. */
const FLAG_BITS = new Uint8Array(256);
FLAG_ALPHABETS.forEach((alphabet, column) => {
  for (const flag of alphabet) (FLAG_BITS[flag.charCodeAt(0)] as number) |= 1 << column;
});

/** Letters, digits and underscore: 1; of these the ones that may begin a name: 2. */
const WORD = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const text = String.fromCharCode(byte);
  WORD[byte] = /[A-Za-z_]/.test(text) ? 2 : /\d/.test(text) ? 1 : 0;
}

/** Factor from the number behind the decimal point to nanoseconds, by its count of digits. */
const FRACTION_NS = Float64Array.from({ length: 10 }, (_, digits) => 10 ** (9 - digits));

/** Nanoseconds of `seconds.fraction`. */
export function secondsToNs(seconds: number, fraction: number, fractionDigits: number): number {
  return seconds * NS_PER_S + fraction * (FRACTION_NS[fractionDigits] as number);
}

export function microsecondsToNs(microseconds: number): number {
  return microseconds * NS_PER_US;
}

/** The group of nearly all events that are of use here. */
const KMEM = Uint8Array.from(Buffer.from('kmem:'));

/** The common part of the line parsed last. One object is used for all lines. */
export class LineHead {
  /** NONE_U32 if unknown */
  pid = 0;
  cpu = 0;
  /** Ctx */
  ctx = 0;
  hasFlags = false;
  /** flag characters, 0 without flags */
  flagCount = 0;
  /** ns, or the clock's own unit when the trace was recorded with a counter as its clock */
  ts = 0;
  clock: Clock = Clock.seconds;
  nameStart = 0;
  nameEnd = 0;
  payload = 0;
  /** set by the strict reading: the CPU and the flags were one word */
  wasGlued = false;
  readonly #isPerf: boolean;
  /** the scanner to try first */
  #isGlued: boolean;

  constructor(dialect: TextDialect = 'tracefs') {
    this.#isPerf = dialect === 'perf';
    this.#isGlued = dialect === 'latency';
  }

  /** Reads the line bytes[start..end). False if it is no event line. */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#isPerf) return this.#scanPerf(bytes, start, end) || matchHead(this, bytes, start, end, true);
    if (this.#isGlued ? this.#scanGlued(bytes, start, end) : this.#scanColumns(bytes, start, end))
      return true;
    if (!matchHead(this, bytes, start, end, false)) return false;
    // trace-cmd writes both forms; the next line will most probably have the form of this one.
    this.#isGlued = this.wasGlued;
    return true;
  }

  /** tracefs and trace-cmd: `comm-pid  [cpu] flags seconds: name:` */
  #scanColumns(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < SHORTEST) return false;
    let at = start + COMM_WIDTH;
    if (bytes[at++] !== DASH) return false;
    const pidStart = at;
    let pid = 0;
    let digit = (bytes[at] as number) - ZERO;
    while (digit >= 0 && digit <= 9) {
      pid = pid * 10 + digit;
      digit = (bytes[++at] as number) - ZERO;
    }
    const pidEnd = at;
    if (pidEnd === pidStart || pidEnd - pidStart > MAX_PID_DIGITS || pid >= NONE_U32) return false;
    while (bytes[at] === SPACE) at++;
    const gap = at - pidEnd;
    if (gap === 0 || gap > MAX_GAP) return false;
    if (bytes[at] === LPAREN) {
      at = afterTgid(bytes, at + 1);
      if (at < 0) return false;
    }
    if (bytes[at++] !== LBRACKET) return false;
    const cpuStart = at;
    let cpu = 0;
    for (;;) {
      digit = (bytes[at++] as number) - ZERO;
      if (digit < 0 || !(digit <= 9)) break;
      cpu = cpu * 10 + digit;
    }
    const cpuDigits = at - 1 - cpuStart;
    if (cpuDigits < 3 || cpuDigits > 5 || bytes[at - 1] !== RBRACKET || cpu > MAX_CPU) return false;
    if (bytes[at++] !== SPACE) return false;
    const flags = this.#scanFlags(bytes, at);
    if (flags < 0) return false;
    const gapStart = at + flags;
    at = gapStart;
    while (bytes[at] === SPACE) at++;
    if (at - gapStart > MAX_GAP - 1 || (flags > 0 && at === gapStart)) return false;
    this.pid = pid;
    this.cpu = cpu;
    return this.#scanTimeAndName(bytes, at, end, false);
  }

  /** Latency format, also that of `trace-cmd report -l`: `comm-pid  cpu+flags time: name:` */
  #scanGlued(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < SHORTEST) return false;
    let at = start + SHORT_COMM_WIDTH;
    if (bytes[at++] !== DASH) return false;
    const pidStart = at;
    let pid = 0;
    let digit = (bytes[at] as number) - ZERO;
    while (digit >= 0 && digit <= 9) {
      pid = pid * 10 + digit;
      digit = (bytes[++at] as number) - ZERO;
    }
    const pidEnd = at;
    if (pidEnd === pidStart || pidEnd - pidStart > MAX_PID_DIGITS || pid >= NONE_U32) return false;
    while (bytes[at] === SPACE) at++;
    const gap = at - pidEnd;
    if (gap === 0 || gap > MAX_GAP) return false;
    const cpuStart = at;
    let cpu = 0;
    digit = (bytes[at] as number) - ZERO;
    while (digit >= 0 && digit <= 9) {
      cpu = cpu * 10 + digit;
      digit = (bytes[++at] as number) - ZERO;
    }
    if (at === cpuStart || at - cpuStart > 5 || cpu > MAX_CPU) return false;
    const flags = this.#scanFlags(bytes, at);
    if (flags <= 0) return false;
    const gapStart = at + flags;
    at = gapStart;
    while (bytes[at] === SPACE) at++;
    if (at === gapStart || at - gapStart > MAX_GAP) return false;
    this.pid = pid;
    this.cpu = cpu;
    return this.#scanTimeAndName(bytes, at, end, true);
  }

  /** perf script: `comm  tid [cpu] seconds:  kmem:name:`; other groups are left to the strict reading. */
  #scanPerf(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < SHORTEST) return false;
    let at = start + COMM_WIDTH;
    if (bytes[at] !== SPACE) return false;
    while (bytes[at] === SPACE) at++;
    if (at - start - COMM_WIDTH > MAX_GAP) return false;
    const tidStart = at;
    let tid = 0;
    let digit = (bytes[at] as number) - ZERO;
    while (digit >= 0 && digit <= 9) {
      tid = tid * 10 + digit;
      digit = (bytes[++at] as number) - ZERO;
    }
    const tidEnd = at;
    if (tidEnd === tidStart || tidEnd - tidStart > MAX_PID_DIGITS || tid >= NONE_U32) return false;
    while (bytes[at] === SPACE) at++;
    if (at === tidEnd || at - tidEnd > MAX_GAP || bytes[at++] !== LBRACKET) return false;
    const cpuStart = at;
    let cpu = 0;
    for (;;) {
      digit = (bytes[at++] as number) - ZERO;
      if (digit < 0 || !(digit <= 9)) break;
      cpu = cpu * 10 + digit;
    }
    const cpuDigits = at - 1 - cpuStart;
    if (cpuDigits < 3 || cpuDigits > 5 || bytes[at - 1] !== RBRACKET || cpu > MAX_CPU) return false;
    const gapStart = at;
    while (bytes[at] === SPACE) at++;
    if (at === gapStart || at - gapStart > MAX_GAP) return false;
    at = this.#scanTime(bytes, at, false);
    if (at < 0 || this.clock !== Clock.seconds) return false;
    const nameGap = at;
    while (bytes[at] === SPACE) at++;
    if (at === nameGap || at - nameGap > MAX_GAP) return false;
    for (let i = 0; i < KMEM.length; i++) if (bytes[at++] !== KMEM[i]) return false;
    this.pid = tid;
    this.cpu = cpu;
    this.ctx = Ctx.task;
    this.hasFlags = false;
    this.flagCount = 0;
    return this.#scanName(bytes, at, end);
  }

  /** Count of flag characters at `at`, 0 if there are none, -1 if it looks like flags but is none. */
  #scanFlags(bytes: Uint8Array, at: number): number {
    const first = FLAG_BITS[bytes[at] as number] as number;
    if ((first & 1) === 0) {
      this.ctx = Ctx.task;
      this.hasFlags = false;
      this.flagCount = 0;
      return 0;
    }
    const third = bytes[at + 2] as number;
    if (
      ((FLAG_BITS[bytes[at + 1] as number] as number) & 2) === 0 ||
      ((FLAG_BITS[third] as number) & 4) === 0 ||
      ((FLAG_BITS[bytes[at + 3] as number] as number) & 8) === 0
    )
      return -1;
    const count = ((FLAG_BITS[bytes[at + 4] as number] as number) & 8) !== 0 ? 5 : 4;
    this.ctx = CONTEXT_OF[third] as number;
    this.hasFlags = true;
    this.flagCount = count;
    return count;
  }

  #scanTimeAndName(bytes: Uint8Array, start: number, end: number, mayBeMicroseconds: boolean): boolean {
    let at = this.#scanTime(bytes, start, mayBeMicroseconds);
    if (at < 0) return false;
    const gapStart = at;
    while (bytes[at] === SPACE) at++;
    if (at === gapStart || at - gapStart > MAX_GAP) return false;
    return this.#scanName(bytes, at, end);
  }

  /** Reads a time and its colon; where they end, -1 if they are none. */
  #scanTime(bytes: Uint8Array, start: number, mayBeMicroseconds: boolean): number {
    let at = start;
    let time = 0;
    let digit = (bytes[at] as number) - ZERO;
    while (digit >= 0 && digit <= 9) {
      time = time * 10 + digit;
      digit = (bytes[++at] as number) - ZERO;
    }
    const digits = at - start;
    if (digits === 0 || digits > EXACT_DIGITS) return -1;
    if (bytes[at] === DOT) {
      if (digits > MAX_SECONDS_DIGITS) return -1;
      const point = at;
      let fraction = 0;
      for (;;) {
        digit = (bytes[++at] as number) - ZERO;
        if (digit < 0 || !(digit <= 9)) break;
        fraction = fraction * 10 + digit;
      }
      const places = at - point - 1;
      if (places === 0 || places > 9) return -1;
      this.ts = secondsToNs(time, fraction, places);
      this.clock = Clock.seconds;
    } else if (mayBeMicroseconds && bytes[at] === 0x75 && bytes[at + 1] === 0x73) {
      // `us` and the mark that tells a long gap; any byte that is no mark is refused by the colon behind it or here.
      if (!isGapMark(bytes[at + 2] as number)) return -1;
      at += 3;
      this.ts = microsecondsToNs(time);
      this.clock = Clock.microseconds;
    } else {
      this.ts = time;
      this.clock = Clock.counter;
    }
    return bytes[at] === COLON ? at + 1 : -1;
  }

  #scanName(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    if (WORD[bytes[at] as number] !== 2) return false;
    while ((WORD[bytes[at] as number] as number) > 0) at++;
    // All reads before may have run past the line's end into the next one; this is where that shows.
    if (at >= end || at - start > MAX_NAME_BYTES || bytes[at] !== COLON) return false;
    this.nameStart = start;
    this.nameEnd = at++;
    if (at < end && bytes[at] !== SPACE) return false;
    while (at < end && bytes[at] === SPACE) at++;
    this.payload = at;
    return true;
  }
}

/** Passes over `  4200) ` or `-------) `; -1 if that is not what stands there. */
function afterTgid(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] === SPACE) at++;
  if (at - start > MAX_GAP) return -1;
  const from = at;
  if (bytes[at] === DASH) while (bytes[at] === DASH) at++;
  else while ((bytes[at] as number) >= ZERO && (bytes[at] as number) <= ZERO + 9) at++;
  if (at === from || at - from > MAX_PID_DIGITS || bytes[at++] !== RPAREN) return -1;
  const gap = at;
  while (bytes[at] === SPACE) at++;
  return at === gap || at - gap > MAX_GAP ? -1 : at;
}

/** ` ` `+` `!` `#` `*` `@` `$` */
function isGapMark(byte: number): boolean {
  return (
    byte === SPACE ||
    byte === 0x2b ||
    byte === 0x21 ||
    byte === 0x23 ||
    byte === 0x2a ||
    byte === 0x40 ||
    byte === 0x24
  );
}
