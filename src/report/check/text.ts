/**
 * What `spbsim check` prints for people: the verdict, then what is wrong, the worst first, each with the way to see why.
 *
 * Each line begins with a word of ours and texts from outside go through `shown`, since CI logs obey some lines.
 */
import type { CheckItem, CheckResult } from '../check-result.js';
import { plural, thousands } from '../quantities.js';
import { PAGE_WIDTH } from '../text-labelled.js';
import { plainStyle, type TextStyle } from '../text-style.js';
import { textTable, wrapItems } from '../text-table.js';
import { SHOWN, shown } from './outside-text.js';
import {
  factWords,
  figuresOf,
  groupedItems,
  hasFailed,
  marginWords,
  placeWords,
  seedWords,
  statusWords,
  subjectWords,
  verdictWords,
} from './wording.js';

export interface CheckTextOptions {
  /** show every failure, and what is within limits as tables */
  readonly all?: boolean;
}

/** Failures shown without `all`: two screens of them. */
const SHOWN_FAILURES = 12;
/** Room for `no baseline` and two spaces. */
const INDENT = 13;
const MAX_BUDGET_WIDTH = 44;

function headerLine(result: CheckResult, style: TextStyle): string {
  const verdict = verdictWords(result);
  const files = [
    result.budget === null ? '' : `   budget ${shown(result.budget)}`,
    result.baseline === null ? '' : `   baseline ${shown(result.baseline)}`,
  ].join('');
  const coloured = result.verdict === 'failed' ? style.bad(verdict) : style.good(verdict);
  return `${coloured}   ${plural(result.counts.runs, 'run')}${style.dim(files)}`;
}

/** A word of ours and a sentence that is wrapped behind it, so that none of its lines can pass for one of ours. */
function sentence(label: string, text: string, indent: number): string[] {
  const hanging = indent + label.length + 1;
  const [first = '', ...more] = wrapItems(shown(text, SHOWN.sentence).split(' '), hanging, PAGE_WIDTH, ' ');
  return [`${' '.repeat(indent)}${label} ${first.trimStart()}`, ...more];
}

function reasonLines(item: CheckItem): string[] {
  const see = `see: ${shown(item.see, SHOWN.command)}`;
  if (item.why === null) return wrapItems([see], INDENT);
  const together = `why: ${shown(item.why, SHOWN.sentence)}   ${see}`;
  if (INDENT + together.length <= PAGE_WIDTH) return wrapItems([together], INDENT);
  return [...sentence('why:', item.why, INDENT), ...wrapItems([see], INDENT)];
}

function failureLines(item: CheckItem, budgetWidth: number, style: TextStyle): string[] {
  const budget = shown(item.budget).padEnd(budgetWidth);
  const [first = '', ...more] = wrapItems([budget, ...factWords(item)], INDENT);
  const place = placeWords(item);
  const where = [...subjectWords(item), ...(place === '' ? [] : [`at ${place}`])];
  return [
    style.bad(statusWords(item).padEnd(INDENT)) + first.slice(INDENT).trimEnd(),
    ...more,
    ...wrapItems(where, INDENT),
    ...reasonLines(item).map(style.dim),
  ];
}

function failureSections(failures: readonly CheckItem[], all: boolean, style: TextStyle): string[][] {
  const listed = all ? failures : failures.slice(0, SHOWN_FAILURES);
  const widest = Math.max(0, ...listed.map((item) => shown(item.budget).length));
  const sections = listed.map((item) => failureLines(item, Math.min(widest, MAX_BUDGET_WIDTH), style));
  const hidden = failures.length - listed.length;
  return hidden === 0 ? sections : [...sections, [style.bad(`and ${thousands(hidden)} more (--all)`)]];
}

function withinTable(group: readonly CheckItem[], style: TextStyle): string[] {
  const { trace, policy } = group[0]!;
  const rows = group.map((item) => {
    const { value, limit } = figuresOf(item);
    return [
      shown(item.budget, MAX_BUDGET_WIDTH),
      seedWords(item),
      value,
      limit,
      marginWords(item),
      shown(item.unit, 16),
    ];
  });
  const head = ['within limits', 'seed', 'value', 'limit', 'left', 'unit'];
  return [
    style.heading(`on ${shown(trace)}   policy ${shown(policy)}`),
    ...textTable({ head, rows, left: [0, 1, 5], indent: 2 }),
  ];
}

function withinSections(
  within: readonly CheckItem[],
  failed: number,
  all: boolean,
  style: TextStyle,
): string[][] {
  if (within.length === 0) return [];
  if (all) return groupedItems(within).map((group) => withinTable(group, style));
  // The verdict has just said how many passed, if all did.
  const folded =
    failed === 0 ? 'what is left of each: --all' : `${thousands(within.length)} within limits (--all)`;
  return [[style.dim(folded)]];
}

/** The report, at most 100 columns wide as far as names allow. */
export function renderCheckText(
  result: CheckResult,
  style: TextStyle = plainStyle,
  options: CheckTextOptions = {},
): string {
  const all = options.all === true;
  const failures = result.items.filter(hasFailed);
  const within = result.items.filter((item) => !hasFailed(item));
  const sections = [
    [headerLine(result, style)],
    ...failureSections(failures, all, style),
    ...withinSections(within, failures.length, all, style),
    result.notes.flatMap((note) => sentence('note:', note, 0)).map(style.warn),
  ].filter((lines) => lines.length > 0);
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
