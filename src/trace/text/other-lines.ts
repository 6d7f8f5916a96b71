/**
 * Lines of a trace text that are no events: headers, notices of lost events, call chains, perf's own records.
 * model: page-allocator 7.2, 7.4, 7.5
 */

/** What such a line says. */
export type OtherLine =
  /** events of a CPU are missing here; 0 if it is not said how many */
  | { readonly what: 'lost'; readonly cpu: number; readonly events: number }
  | {
      readonly what: 'entries';
      readonly in_buffer: number;
      readonly written: number;
      readonly cpus: number;
    }
  /** belongs to the format, and tells nothing that is of use */
  | { readonly what: 'comment' }
  /** belongs to the format and is worth counting */
  | { readonly what: 'known'; readonly kind: string };

const COMMENT: OtherLine = { what: 'comment' };
const CALL_CHAIN: OtherLine = { what: 'known', kind: 'call chain' };
const PERF_RECORD: OtherLine = { what: 'known', kind: 'perf record' };

/** Longest piece of a line that is looked at. */
export const OTHER_LINE_BYTES = 512;

const LOST = /^CPU:\s?(\d{1,5}) \[(?:LOST )?(?:(\d{1,15}) )?EVENTS(?: DROPPED)?\]/;
const STARTED = /^##### CPU (\d{1,5}) buffer started ####/;
const ENTRIES = /^# entries-in-buffer\/entries-written: (\d{1,15})\/(\d{1,15})\s+#P:(\d{1,6})/;
const LATENCY_ENTRIES = /^# latency: \d{1,20} us, #(\d{1,15})\/(\d{1,15}),.{0,200}#P:(\d{1,6})\)/;
/** `cpus=4`, `version = 6`, `CPU 1 is empty`: what trace-cmd says before the events. */
const TRACE_CMD_NOTE = /^(?:cpus=\d{1,6}|version = \d{1,6}|CPU \d{1,6} is empty)\s*$/;
/** The kernel's `<stack trace>` event and its ` => symbol` lines, and perf's ` ffffffff81636237 symbol+0x227 (object)`. */
const STACK = /^(?:\s*=> .|.{0,200}: <(?:user )?stack trace ?>\s*$|\s+[0-9a-f]{1,16} [^(]*\(.*\)\s*$)/;
const PERF_LINE =
  /^.{0,80}?\s?-?\d{1,10}(?:\/-?\d{1,10})?\s{1,64}(?:\[(\d{3,5})\]|(\d{1,5}))\s{1,64}\d{1,10}\.\d{1,9}: {1,64}PERF_RECORD_([A-Z_]{1,32})(?:\s+lost (\d{1,15}))?/;

/** Reads one line that is no event, of which `text` is the beginning; undefined if it is not understood. */
export function readOtherLine(text: string, isPerf: boolean): OtherLine | undefined {
  if (text.charCodeAt(0) === 0x23) return headerLine(text);
  if (/^\s*$/.test(text)) return COMMENT;
  const lost = LOST.exec(text);
  if (lost !== null) return lostOn(Number(lost[1]), Number(lost[2] ?? 0));
  if (TRACE_CMD_NOTE.test(text)) return COMMENT;
  if (isPerf) {
    const record = PERF_LINE.exec(text);
    if (record !== null) {
      if (!(record[3] as string).startsWith('LOST')) return PERF_RECORD;
      return lostOn(Number(record[1] ?? record[2]), Number(record[4] ?? 0));
    }
  }
  return STACK.test(text) ? CALL_CHAIN : undefined;
}

const MAX_CPU = 0xffff;

function lostOn(cpu: number, events: number): OtherLine | undefined {
  return cpu > MAX_CPU ? undefined : { what: 'lost', cpu, events };
}

function headerLine(text: string): OtherLine | undefined {
  const started = STARTED.exec(text);
  if (started !== null) return lostOn(Number(started[1]), 0);
  const entries = ENTRIES.exec(text) ?? LATENCY_ENTRIES.exec(text);
  if (entries === null) return COMMENT;
  return {
    what: 'entries',
    in_buffer: Number(entries[1]),
    written: Number(entries[2]),
    cpus: Number(entries[3]),
  };
}
