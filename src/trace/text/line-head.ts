/**
 * The part of a trace line that all events share: who, where, in which context, when, and what.
 *
 *             bash-4211    [002] d..2.   812.104233: mm_page_alloc: page=...
 *     |------ 16 -----|pid   cpu  flags  seconds     name           payload
 *
 * The scanner walks the bytes of lines that have this shape (the task name fills exactly 16 columns). Lines of other
 * shape get a second look by a regular expression that reads from the right, since a task may call itself anything.
 * model: page-allocator 7.2, 7.3
 */
import { Ctx } from '../event-batch.js';

const SPACE = 0x20;
const LPAREN = 0x28;
const RPAREN = 0x29;
const DASH = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const LBRACKET = 0x5b;
const RBRACKET = 0x5d;

const COMM_WIDTH = 16;
/** Shortest line that can be an event: 16 columns, `-1 [000] 1.0: e:` */
const SHORTEST = 32;
const MAX_CPU = 0xffff;
/** The common part of a line is never longer; what is behind it need not be searched. */
const HEAD_BYTES = 512;

const LINE =
  /^(.+)-(\d{1,10})\s+(?:\(\s*(?:\d+|-+)\)\s+)?\[(\d{3,5})\]\s+(?:([.dDbX][.nNpPlLbB][.hHsSzZ][.0-9a-f][.0-9a-f]?)\s+)?(\d{1,20})(?:\.(\d{1,9}))?: {1,64}([A-Za-z_]\w*):(?:\s|$)/;

/** Context by the third flag character. A 256-entry table, as the lookup is done for every line. */
const CONTEXT_OF = new Uint8Array(256);
CONTEXT_OF['Z'.charCodeAt(0)] = Ctx.nmi;
CONTEXT_OF['z'.charCodeAt(0)] = Ctx.nmi;
CONTEXT_OF['H'.charCodeAt(0)] = Ctx.hardirq;
CONTEXT_OF['h'.charCodeAt(0)] = Ctx.hardirq;
CONTEXT_OF['s'.charCodeAt(0)] = Ctx.softirq;
CONTEXT_OF['S'.charCodeAt(0)] = Ctx.softirq;

/** The characters that the first flag column can hold. A digit or a space there means that there are no flags. */
const FIRST_FLAG = new Uint8Array(256);
for (const flag of '.dDbX') FIRST_FLAG[flag.charCodeAt(0)] = 1;

/** Factor from the number behind the decimal point to nanoseconds, by its count of digits. */
const FRACTION_NS = Float64Array.from({ length: 10 }, (_, digits) => 10 ** (9 - digits));

/** The common part of the line parsed last. One object is used for all lines. */
export class LineHead {
  pid = 0;
  cpu = 0;
  /** Ctx */
  ctx = 0;
  hasFlags = false;
  /** ns, or the clock's own unit when the trace was recorded with a counter as its clock */
  ts = 0;
  /** whether the time had a decimal point */
  isSeconds = true;
  nameStart = 0;
  nameEnd = 0;
  payload = 0;

  /** Reads the line bytes[start..end). False if it is no event line. */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#scan(bytes, start, end) || this.#match(bytes, start, end);
  }

  #scan(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < SHORTEST) return false;
    let at = start + COMM_WIDTH;
    if (bytes[at++] !== DASH) return false;
    let digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return false;
    let pid = 0;
    do {
      pid = pid * 10 + digit;
      digit = (bytes[++at] as number) - ZERO;
    } while (digit >= 0 && digit <= 9);
    while (bytes[at] === SPACE) at++;
    if (bytes[at] === LPAREN) {
      while (at < end && bytes[at] !== RPAREN) at++;
      at++;
      while (bytes[at] === SPACE) at++;
    }
    if (bytes[at++] !== LBRACKET) return false;
    let cpu = 0;
    for (;;) {
      digit = (bytes[at++] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      cpu = cpu * 10 + digit;
    }
    if (bytes[at - 1] !== RBRACKET || cpu > MAX_CPU || bytes[at++] !== SPACE) return false;
    let ctx = 0;
    const hasFlags = FIRST_FLAG[bytes[at] as number] === 1;
    if (hasFlags) {
      ctx = CONTEXT_OF[bytes[at + 2] as number] as number;
      if (bytes[at + 5] === SPACE) at += 5;
      else if (bytes[at + 4] === SPACE) at += 4;
      else return false;
    }
    while (bytes[at] === SPACE) at++;
    digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return false;
    let time = 0;
    do {
      time = time * 10 + digit;
      digit = (bytes[++at] as number) - ZERO;
    } while (digit >= 0 && digit <= 9);
    const isSeconds = bytes[at] === DOT;
    if (isSeconds) {
      const point = at;
      let fraction = 0;
      for (;;) {
        digit = (bytes[++at] as number) - ZERO;
        if (digit < 0 || digit > 9) break;
        fraction = fraction * 10 + digit;
      }
      const digits = at - point - 1;
      if (digits === 0 || digits > 9) return false;
      time = time * 1e9 + fraction * (FRACTION_NS[digits] as number);
    }
    if (bytes[at] !== COLON || bytes[at + 1] !== SPACE) return false;
    at += 2;
    const nameStart = at;
    while (at < end && bytes[at] !== COLON && bytes[at] !== SPACE) at++;
    // All reads above may have run past the line's end into the next one; this is where that shows.
    if (at >= end || bytes[at] !== COLON || at === nameStart) return false;
    this.pid = pid;
    this.cpu = cpu;
    this.ctx = ctx;
    this.hasFlags = hasFlags;
    this.ts = time;
    this.isSeconds = isSeconds;
    this.nameStart = nameStart;
    this.nameEnd = at++;
    while (at < end && bytes[at] === SPACE) at++;
    this.payload = at;
    return true;
  }

  #match(bytes: Uint8Array, start: number, end: number): boolean {
    const length = Math.min(end - start, HEAD_BYTES);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('latin1');
    const match = LINE.exec(text);
    if (match === null) return false;
    const flags = match[4];
    const fraction = match[6];
    const cpu = Number(match[3]);
    if (cpu > MAX_CPU) return false;
    this.pid = Number(match[2]);
    this.cpu = cpu;
    this.ctx = flags === undefined ? 0 : (CONTEXT_OF[flags.charCodeAt(2)] as number);
    this.hasFlags = flags !== undefined;
    this.isSeconds = fraction !== undefined;
    this.ts =
      fraction === undefined
        ? Number(match[5])
        : Number(match[5]) * 1e9 + Number(fraction) * (FRACTION_NS[fraction.length] as number);
    const matched = start + match[0].length;
    const name = match[7] as string;
    const colon = text.lastIndexOf(':', match[0].length - 1);
    this.nameStart = start + colon - name.length;
    this.nameEnd = start + colon;
    let at = Math.min(matched, end);
    while (at < end && bytes[at] === SPACE) at++;
    this.payload = at;
    return true;
  }
}
