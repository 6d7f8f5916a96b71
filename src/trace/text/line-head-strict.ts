/**
 * The strict reading of a trace line's head: the grammar in regular expressions, for lines that the scanner refuses.
 *
 * Task names are padded to a fixed width, so a line whose dash stands in that column is read from there. Otherwise (half
 * a name that held a line end, an instance's name in front, blanks cut off) the head is looked for from the right, within
 * the length that a name can have: a task may call itself anything, a payload may spell a whole line.
 * model: page-allocator 7.2, 7.4, 7.5
 */
import { Ctx, NONE_U32 } from '../event-batch.js';
import { Clock, contextOfFlag, type LineHead, MAX_CPU, microsecondsToNs, secondsToNs } from './line-head.js';

const SPACE = 0x20;
/** Every expression below matches fewer bytes. */
const HEAD_BYTES = 1024;

const GAP = ' {1,64}';
const FLAGS = '(?<flags>[.dDbX][.nNpPlLbB][.hHsSzZ][.0-9a-f][.0-9a-f]?)';
const SECONDS = '(?<seconds>\\d{1,10})\\.(?<fraction>\\d{1,9})';
const PID = '(?<pid>\\d{1,10})';
const NAME = '(?<name>[A-Za-z_]\\w{0,127}):(?: |$)';
const TGID = `(?:\\( {0,64}(?:\\d{1,10}|-{1,10})\\)${GAP})?`;

const COLUMNS = `-${PID}${GAP}${TGID}\\[(?<cpu>\\d{3,5})\\]${GAP}(?:${FLAGS}${GAP})?(?:${SECONDS}|(?<count>\\d{1,20})):${GAP}${NAME}`;
const GLUED = `-${PID}${GAP}(?<cpu>\\d{1,5})${FLAGS}${GAP}(?:${SECONDS}|(?<count>\\d{1,20})(?<us>us[ +!#*@$])?):${GAP}${NAME}`;
/** trace-cmd names the instance in front of its lines. */
const INSTANCE = `(?:[^ :][^:]{0,62}:${GAP})?`;

const PERF_CPU = `(?:\\[(?<cpu>\\d{3,5})\\]|(?<bare>\\d{1,5}))`;
const PERF_NAME = '(?<name>(?:[A-Za-z_][\\w-]{0,63}:)?[A-Za-z_][\\w-]{0,127}):(?: |$)';
const PERF = `(?<pid>-?\\d{1,10})(?:/(?<tid>-?\\d{1,10}))?${GAP}${PERF_CPU}${GAP}(?:[A-Z]{1,8}${GAP})?${SECONDS}:${GAP}(?:\\d{1,20}${GAP})?${PERF_NAME}`;

/** Index of the second form in the two lists that follow. */
const GLUED_FORM = 1;
/** Full-width forms, on the whole line. */
const DASH_FULL: readonly RegExp[] = [new RegExp(`^.{16}${COLUMNS}`, 's'), new RegExp(`^.{8}${GLUED}`, 's')];
/** On the line without its leading blanks. */
const DASH_LOOSE: readonly RegExp[] = [
  new RegExp(`^${INSTANCE}.{0,16}${COLUMNS}`, 's'),
  new RegExp(`^${INSTANCE}.{0,16}${GLUED}`, 's'),
];
const PERF_FULL: readonly RegExp[] = [new RegExp(`^.{16}${GAP}${PERF}`, 's')];
const PERF_LOOSE: readonly RegExp[] = [new RegExp(`^(?:.{0,64} )?${PERF}`, 's')];

/** Groups whose events are counted under their bare names, as in the kernel's own text. */
const OWN_GROUPS = /^(?:kmem|compaction):/;

function textOf(bytes: Uint8Array, start: number, end: number): string {
  const length = Math.min(end - start, HEAD_BYTES);
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('latin1');
}

/** Reads the head of bytes[start..end) into `head`. False if there is none. */
export function matchHead(
  head: LineHead,
  bytes: Uint8Array,
  start: number,
  end: number,
  isPerf: boolean,
): boolean {
  const text = textOf(bytes, start, end);
  const full = isPerf ? PERF_FULL : DASH_FULL;
  for (let form = 0; form < full.length; form++) {
    if (take(head, full[form]?.exec(text), form, bytes, start, end)) return true;
  }
  let bare = start;
  while (bare < end && bytes[bare] === SPACE) bare++;
  const trimmed = bare === start ? text : textOf(bytes, bare, end);
  const loose = isPerf ? PERF_LOOSE : DASH_LOOSE;
  for (let form = 0; form < loose.length; form++) {
    if (take(head, loose[form]?.exec(trimmed), form, bytes, bare, end)) return true;
  }
  return false;
}

/** A pid as the kernel could have printed it; undefined if it is out of range. perf prints -1 for an unknown task. */
function pidOf(text: string): number | undefined {
  const pid = Number(text);
  if (pid === -1) return NONE_U32;
  return pid < 0 || pid >= NONE_U32 ? undefined : pid;
}

function take(
  head: LineHead,
  match: RegExpExecArray | null | undefined,
  form: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  const groups = match?.groups;
  if (match === null || match === undefined || groups === undefined) return false;
  const pid = pidOf(groups.tid ?? (groups.pid as string));
  const cpu = Number(groups.cpu ?? groups.bare);
  if (pid === undefined || cpu > MAX_CPU) return false;
  const { flags, fraction } = groups;
  head.pid = pid;
  head.cpu = cpu;
  head.hasFlags = flags !== undefined;
  head.flagCount = flags?.length ?? 0;
  head.ctx = flags === undefined ? Ctx.task : contextOfFlag(flags.charCodeAt(2));
  head.wasGlued = form === GLUED_FORM;
  if (fraction !== undefined) {
    head.clock = Clock.seconds;
    head.ts = secondsToNs(Number(groups.seconds), Number(fraction), fraction.length);
  } else {
    const count = Number(groups.count);
    head.clock = groups.us === undefined ? Clock.counter : Clock.microseconds;
    head.ts = groups.us === undefined ? count : microsecondsToNs(count);
  }
  const name = (groups.name as string).replace(OWN_GROUPS, '');
  const colon = start + match[0].length - (match[0].endsWith(' ') ? 2 : 1);
  head.nameStart = colon - name.length;
  head.nameEnd = colon;
  let at = colon + 1;
  while (at < end && bytes[at] === SPACE) at++;
  head.payload = at;
  return true;
}
