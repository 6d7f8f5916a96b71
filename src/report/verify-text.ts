/**
 * What `spbsim verify` prints: how much agrees, and where it first does not.
 */
import { percent, plural, rate, thousands } from './quantities.js';
import { printable } from './sanitize.js';
import { plainStyle, type TextStyle } from './text-style.js';
import { textTable } from './text-table.js';
import { agreesFully } from './verify-agreement.js';
import type {
  VerifyBursts,
  VerifyCheckpoint,
  VerifyOrderError,
  VerifyRecording,
  VerifyResult,
  VerifySlab,
} from './verify-result.js';
import { slabLines as recordedSlabLines } from './verify-slabs-text.js';

const LABEL_WIDTH = 16;

function line(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${text}`;
}

function share(part: number, whole: number, style: TextStyle): string {
  const text = `${thousands(part)} of ${thousands(whole)}`;
  return part === whole ? text : style.bad(text);
}

function agreementLine(result: VerifyResult, style: TextStyle): string {
  const label = result.slab === null ? 'PFNs' : 'operations';
  const what = result.kind === 'oracle' ? 'equal' : 'legal';
  const ratio = percent(result.matched, result.compared);
  const pfns = `${share(result.matched, result.compared, style)} ${what}${ratio === '' ? '' : ` (${ratio})`}`;
  const { kernel, matched } = result.failures;
  return line(label, `${pfns}        failures ${share(matched, kernel, style)}`);
}

function slabLines({ parts, pages }: VerifySlab, style: TextStyle): string[] {
  const lines = parts
    .filter((part) => part.compared > 0)
    .map((part, position) =>
      line(
        position === 0 ? 'compared' : '',
        `${printable(part.name)} ${share(part.equal, part.compared, style)}`,
      ),
    );
  if (pages === null) return lines;
  const { slabs, operations, failures } = pages;
  lines.push(
    line('pages', `PFN and order of ${share(slabs.equal, slabs.compared, style)} slabs equal`),
    line(
      '',
      `operations on the model's own pages ${share(operations.equal, operations.compared, style)}, ` +
        `failures ${share(failures.equal, failures.compared, style)}`,
    ),
  );
  return lines;
}

function divergenceLines(result: VerifyResult): string[] {
  const first = result.first_divergence;
  if (first === null) return [];
  const unit = result.kind === 'oracle' ? 'op' : 'event';
  const what = `${unit} ${thousands(first.index)}  ${printable(first.text)}`;
  const texts = [`${what}: kernel ${printable(first.kernel)}, model ${printable(first.model)}`];
  texts.push(...first.context.map(printable));
  return texts.map((text, position) => line(position === 0 ? 'first' : '', text));
}

/** Differences shown of one checkpoint; it has thousands when something early went wrong. */
const SHOWN_DIFFERENCES = 5;

function checkpointLines(checkpoints: readonly VerifyCheckpoint[], unit: string, style: TextStyle): string[] {
  if (checkpoints.length === 0) return [];
  const equal = checkpoints.filter((checkpoint) => checkpoint.equal === checkpoint.compared);
  const parts = [...new Set(checkpoints.flatMap((checkpoint) => checkpoint.parts.map((part) => part.name)))];
  const names =
    parts.length === 0 || equal.length === 0 ? 'equal' : `${parts.map(printable).join(', ')} equal`;
  const lines = [line('checkpoints', `${share(equal.length, checkpoints.length, style)}: ${names}`)];
  const wrong = checkpoints.find((checkpoint) => checkpoint.equal !== checkpoint.compared);
  if (wrong === undefined) return lines;
  lines.push(
    line(
      '',
      `${printable(wrong.name)}, before ${unit} ${thousands(wrong.index)}: ${share(wrong.equal, wrong.compared, style)} values equal`,
    ),
    ...wrong.differences.slice(0, SHOWN_DIFFERENCES).map((text) => line('', printable(text))),
  );
  const hidden = wrong.compared - wrong.equal - Math.min(wrong.differences.length, SHOWN_DIFFERENCES);
  if (hidden > 0) lines.push(line('', `and ${thousands(hidden)} more`));
  return lines;
}

function freePagesText({ predicted, real }: { predicted: number; real: number }): string {
  const error = predicted - real;
  const sign = error > 0 ? '+' : '';
  const relative = real === 0 ? '' : `, ${((Math.abs(error) / real) * 100).toFixed(3)} %`;
  return `predicted ${thousands(predicted)}, real ${thousands(real)} (${sign}${thousands(error)}${relative})`;
}

function burstText(bursts: VerifyBursts): string {
  if (bursts.known === 0) return `${thousands(bursts.observed)} observed, none on a list of known content`;
  const size = percent(bursts.size_predicted, bursts.known);
  const pfn = percent(bursts.pfn_predicted, bursts.known);
  const exact = percent(bursts.pfn_predicted - bursts.unordered, bursts.known);
  // A snapshot tells which pages are free, not in which order they stand: such a hit says less, and is told apart.
  const known =
    bursts.unordered === 0
      ? ''
      : ` (${exact} by place, ${thousands(bursts.unordered)} by list and order only: their place is unknown)`;
  return `${thousands(bursts.known)} of ${thousands(bursts.observed)} on known lists: size ${size}, every PFN ${pfn} predicted${known}`;
}

/** Rows of one table of deviations; all of them are in `--json`. */
const SHOWN_ORDERS = 22;

function orderTable(label: string, errors: readonly VerifyOrderError[], style: TextStyle): string[] {
  const wrong = errors.filter((error) => error.predicted !== error.real);
  if (errors.length === 0) return [];
  const equal = line(
    label,
    `${thousands(errors.length - wrong.length)} of ${thousands(errors.length)} orders equal`,
  );
  if (wrong.length === 0) return [equal];
  const rows = wrong.slice(0, SHOWN_ORDERS).map((error) => {
    const difference = error.predicted - error.real;
    return [
      `node ${error.node} ${printable(error.zone)}`,
      String(error.order),
      thousands(error.predicted),
      thousands(error.real),
      `${difference > 0 ? '+' : ''}${thousands(difference)}`,
      error.causes.map((cause) => `${printable(cause.name)} ${thousands(cause.pages)}`).join(', '),
    ];
  });
  const table = textTable({
    head: ['', 'order', 'predicted', 'real', 'chunks', 'causes (pages)'],
    rows,
    left: [0, 5],
    indent: 2 + LABEL_WIDTH,
  });
  const hidden = wrong.length - rows.length;
  const more = hidden > 0 ? [style.dim(line('', `${thousands(hidden)} more in --json`))] : [];
  return [equal, ...table, ...more];
}

function recordingLines(recording: VerifyRecording, style: TextStyle): string[] {
  const { legality } = recording;
  const lines = legality.illegal
    .filter((reason) => reason.count > 0)
    .map((reason, position) =>
      line(position === 0 ? 'illegal' : '', `${thousands(reason.count)} ${printable(reason.meaning)}`),
    );
  if (recording.after_free_pages !== null) {
    lines.push(line('free pages', freePagesText(recording.after_free_pages)));
  }
  lines.push(...orderTable('buddyinfo', recording.after_buddyinfo, style));
  const types = recording.after_pagetypeinfo;
  if (types.length > 0) {
    const wrong = types.filter((row) => row.predicted !== row.real);
    const named = wrong.map(
      (row) =>
        `node ${row.node} ${printable(row.zone)} ${printable(row.migratetype)} ${thousands(row.predicted)}, real ${thousands(row.real)}`,
    );
    lines.push(
      line(
        'block types',
        `${thousands(types.length - wrong.length)} of ${thousands(types.length)} counts equal`,
      ),
    );
    lines.push(...named.slice(0, SHOWN_ORDERS).map((text) => line('', text)));
  }
  lines.push(line('refills', burstText(recording.refill)), line('drains', burstText(recording.drain)));
  if (recording.freerun_free_pages !== null) {
    lines.push(line('free-running', freePagesText(recording.freerun_free_pages)));
  }
  lines.push(...orderTable('', recording.freerun_buddyinfo, style));
  const slabs = recording.slabs ? recordedSlabLines(recording.slabs, style) : [];
  return [...lines, ...slabs.map((text, position) => line(position === 0 ? 'slabs' : '', text))];
}

/** The report of a verification, ending with the verdict. */
export function renderVerify(result: VerifyResult, style: TextStyle = plainStyle): string {
  const unit = result.kind === 'oracle' ? 'operation' : 'event';
  const { performance } = result;
  const lines = [
    `${style.heading(printable(result.title))}, ${plural(result.operations, unit)}` +
      style.dim(`   replayed in ${performance.wall_s.toFixed(2)} s (${rate(performance.events_per_s)})`),
    agreementLine(result, style),
    ...divergenceLines(result),
    ...checkpointLines(result.checkpoints, result.recording === null ? 'op' : 'event', style),
    ...(result.slab === null ? [] : slabLines(result.slab, style)),
    ...(result.recording === null ? [] : recordingLines(result.recording, style)),
    ...result.notes
      .filter((note) => note.count > 0)
      .map((note, position) =>
        line(position === 0 ? 'notes' : '', `${thousands(note.count)} ${printable(note.meaning)}`),
      ),
  ];
  const overrides = result.policy.overrides.map((text) => ` --set ${printable(text)}`).join('');
  const policy = `policy ${printable(result.policy.name)}${overrides}`;
  lines.push(
    agreesFully(result)
      ? style.good(`model agrees with the kernel: ${policy}`)
      : style.bad(
          `model differs from the kernel: ${policy}, agreement ${percent(result.matched, result.compared)}`,
        ),
  );
  return `${lines.join('\n')}\n`;
}
