/**
 * Workflow commands of GitHub: failures as annotations on the lines of the budget file.
 *
 * GitHub shows ten errors of a step and drops the rest silently, so nine are given and the tenth tells how many more
 * there are. In a command `%`, CR and LF are written as numbers, in its properties `:` and `,` too.
 */
import type { CheckItem, CheckResult } from '../check-result.js';
import { plural, thousands } from '../quantities.js';
import { SHOWN, shown } from './outside-text.js';
import { hasFailed, headline, subjectWords, verdictWords } from './wording.js';

const MAX_ANNOTATIONS = 9;
const MAX_NOTES = 5;
const TITLE = 'spbsim check';

function escapedData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapedProperty(text: string): string {
  return escapedData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** One command, which is one line whatever the texts are. */
function command(name: 'error' | 'notice', properties: Record<string, string>, message: string): string {
  const list = Object.entries(properties).map(([key, value]) => `${key}=${escapedProperty(value)}`);
  return `::${name} ${list.join(',')}::${escapedData(message)}`;
}

function location({ place }: CheckItem): Record<string, string> {
  if (place === null) return {};
  const file = shown(place.file.replace(/^(\.\/)+/, ''), SHOWN.path);
  const column: Record<string, string> = place.column > 0 ? { col: String(place.column) } : {};
  return { file, ...(place.line > 0 ? { line: String(place.line), ...column } : {}) };
}

function annotation(item: CheckItem): string {
  const lines = [
    headline(item),
    subjectWords(item).join(', '),
    ...(item.why === null ? [] : [`why: ${shown(item.why, SHOWN.sentence)}`]),
    `see: ${shown(item.see, SHOWN.command)}`,
  ];
  return command('error', { ...location(item), title: shown(item.budget) }, lines.join('\n'));
}

/** That all is well, if it is, and what to know before trusting it either way. */
function noticeLines(result: CheckResult): string[] {
  const notes = result.notes.slice(0, MAX_NOTES).map((note) => `note: ${shown(note, SHOWN.sentence)}`);
  if (result.verdict === 'failed') return notes;
  return [`${verdictWords(result)}, ${plural(result.counts.runs, 'run')}`, ...notes];
}

/** Annotations of the worst failures, then a notice. */
export function renderCheckGithub(result: CheckResult): string {
  const failures = result.items.filter(hasFailed);
  const lines = failures.slice(0, MAX_ANNOTATIONS).map(annotation);
  const hidden = failures.length - lines.length;
  if (hidden > 0) {
    lines.push(command('error', { title: TITLE }, `and ${thousands(hidden)} more: ${verdictWords(result)}`));
  }
  const notice = noticeLines(result);
  if (notice.length > 0) lines.push(command('notice', { title: TITLE }, notice.join('\n')));
  return `${lines.join('\n')}\n`;
}
