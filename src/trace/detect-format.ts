/**
 * Tells which format an input has, by its first bytes and never by its name.
 *
 * Formats with a magic number come first, then texts by what their lines look like. Packed inputs are unpacked before.
 */
import type { TextDialect } from './text/dialect.js';

export type InputFormat =
  | 'csv'
  | 'text'
  | 'oracle'
  | 'arrow-file'
  | 'arrow-stream'
  /** known, and not read: the tools that write them can print them as text */
  | 'trace.dat'
  | 'perf.data';

export interface DetectedFormat {
  readonly format: InputFormat | undefined;
  /** of a text */
  readonly dialect?: TextDialect;
}

/** Bytes that are looked at; comments and headers are shorter. */
export const LOOK_BYTES = 1 << 16;
/** Lines that are looked at for the shape of an event. */
const LOOK_LINES = 400;
/** Longest piece of a line that is looked at. */
const LOOK_COLUMNS = 1024;

const TRACE_DAT_MAGIC = Buffer.from([0x17, 0x08, 0x44]);
const ARROW_MAGIC = Buffer.from('ARROW1');
const PERF_MAGICS = [Buffer.from('PERFILE2'), Buffer.from('2ELIFREP'), Buffer.from('PERFFILE')];
/** Longest metadata of an Arrow stream's first message, the schema, that is plausible. */
const MAX_ARROW_SCHEMA = 1 << 26;

const FLAGS = '[.dDbX][.nNpPlLbB][.hHsSzZ][.0-9a-f][.0-9a-f]?';
/** `comm-pid (tgid) [cpu] flags time: name:` with the flags and the word between time and payload as groups. */
const COLUMNS = new RegExp(
  `^ {0,64}(?:[^ :][^:]{0,62}: {1,64})?.{0,16}-\\d{1,10} {1,64}(?:\\([\\s\\d-]{1,80}\\) {1,64})?\\[\\d{3,5}\\] {1,64}(?:${FLAGS} {1,64})?\\d{1,20}(?:\\.\\d{1,9})?: {1,64}\\w+:( {0,64})(.{0,200})`,
);
const GLUED = new RegExp(
  `^ {0,64}.{0,16}-\\d{1,10} {1,64}\\d{1,5}${FLAGS} {1,64}(?:\\d{1,20}us[ +!#*@$]|\\d{1,20}|\\d{1,10}(\\.)\\d{1,9}): {1,64}\\w+:`,
);
const PERF =
  /^(?:.{0,80} )?-?\d{1,10}(?:\/-?\d{1,10})? {1,64}(?:\[\d{3,5}\] {1,64}|\d{1,5} {1,64})?(?:[A-Z]{1,8} {1,64})?\d{1,10}\.\d{1,9}: {1,64}(?:(?:\d{1,20} {1,64})?[\w-]{1,64}:[\w-]{1,128}:|PERF_RECORD_)/;
/** What perf script says of the recording, before its lines (`--header`). */
const PERF_HEADER = /^# (?:captured on|cmdline|perf version|os release) {0,16}:/;
const TRACEFS_HEADER = /^# (?:tracer: |entries-in-buffer\/)/;
const LATENCY_HEADER = /^# \w+ latency trace v/;
const TRACE_CMD_HEADER = /^(?:cpus=\d{1,6}|version = \d{1,6}|CPU \d{1,6} is empty)\s*$/;
const LOST = /^CPU:\s?\d{1,5} \[(LOST )?(?:\d{1,15} )?EVENTS( DROPPED)?\]/;
const STARTED = /^##### CPU \d{1,5} buffer started ####/;
/** trace-cmd pads the name of the event and repeats the call site in front of a slab event's payload. */
const TRACE_CMD_PAYLOAD = /^\([^ )]*\) call_site=/;
const CSV_HEADER = /^(?:op$|[\w"]+(?:,|$))/;

function startsWith(head: Uint8Array, magic: Uint8Array): boolean {
  return head.length >= magic.length && magic.every((byte, i) => head[i] === byte);
}

/** Which format the beginning of an input has; `format` is undefined if it is none of the known ones. */
export function detectFormat(head: Uint8Array): DetectedFormat {
  if (startsWith(head, TRACE_DAT_MAGIC)) return { format: 'trace.dat' };
  if (PERF_MAGICS.some((magic) => startsWith(head, magic))) return { format: 'perf.data' };
  if (startsWith(head, ARROW_MAGIC)) return { format: 'arrow-file' };
  if (isArrowStream(head)) return { format: 'arrow-stream' };
  return detectText(head);
}

/** A message of the stream format: its length, since 0.15 behind a mark of four times 0xff, then a flatbuffer. */
function isArrowStream(head: Uint8Array): boolean {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 12) return false;
  const isMarked = view.getUint32(0, true) === 0xffff_ffff;
  const at = isMarked ? 4 : 0;
  const length = view.getInt32(at, true);
  if (length < 8 || length > MAX_ARROW_SCHEMA) return false;
  // The flatbuffer begins with the place of its root table, which is near and aligned. Text has letters there.
  const root = view.getUint32(at + 4, true);
  return root >= 4 && root < length && root % 2 === 0 && (isMarked || root < 256);
}

function detectText(head: Uint8Array): DetectedFormat {
  const text = Buffer.from(head.subarray(0, LOOK_BYTES))
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '');
  const lines = text.split(/\r?\n|\r/).filter((line) => line.trim() !== '');
  if (/^\{"t":/.test(lines[0] ?? '')) return { format: 'oracle' };
  // Set by a line that belongs to a text but may stand in several forms of it.
  let likely: TextDialect | undefined;
  for (const whole of lines.slice(0, LOOK_LINES)) {
    const line = whole.slice(0, LOOK_COLUMNS);
    if (LATENCY_HEADER.test(line)) return { format: 'text', dialect: 'latency' };
    if (TRACEFS_HEADER.test(line) || STARTED.test(line)) likely ??= 'tracefs';
    else if (PERF_HEADER.test(line)) likely ??= 'perf';
    else if (TRACE_CMD_HEADER.test(line)) likely = 'trace-cmd';
    else if (line.startsWith('#')) continue;
    else {
      const dialect = dialectOf(line, likely);
      if (dialect !== undefined) return { format: 'text', dialect };
      const lost = LOST.exec(line);
      if (lost !== null) likely ??= lost[2] === undefined ? 'tracefs' : 'trace-cmd';
      // The first row that is no comment is the header; one with a comma is more likely a mistaken CSV than none.
      else if (likely === undefined && CSV_HEADER.test(line)) return { format: 'csv' };
    }
  }
  return likely === undefined ? { format: undefined } : { format: 'text', dialect: likely };
}

/** The dialect of a line that is an event; undefined if it is none. */
function dialectOf(line: string, likely: TextDialect | undefined): TextDialect | undefined {
  const columns = COLUMNS.exec(line);
  if (columns !== null) {
    const gap = (columns[1] as string).length;
    if (likely === 'trace-cmd' || gap > 1 || TRACE_CMD_PAYLOAD.test(columns[2] as string)) return 'trace-cmd';
    return 'tracefs';
  }
  const glued = GLUED.exec(line);
  // Seconds with a point are trace-cmd's; the kernel gives microseconds, or ticks.
  if (glued !== null) return glued[1] === undefined ? 'latency' : 'trace-cmd';
  return PERF.test(line) ? 'perf' : undefined;
}
