/**
 * Markdown for the step summary of a CI job: the verdict, a table of what failed, the rest folded.
 *
 * Every text from outside stands in a code span.
 */
import type { CheckItem, CheckResult } from '../check-result.js';
import { cellCodeSpan, codeSpan } from '../markdown-text.js';
import { plural, thousands } from '../quantities.js';
import { SHOWN, shownOrEmpty } from './outside-text.js';
import {
  changeWords,
  excessWords,
  figuresOf,
  hasFailed,
  marginWords,
  placeWords,
  seedWords,
  statusWords,
  verdictWords,
} from './wording.js';

/** GitHub refuses a summary of more than 1 MiB, whole; some is left for what else the same step writes. */
const MAX_BYTES = 1_000_000;

function code(text: string, length?: number): string {
  return codeSpan(shownOrEmpty(text, length));
}

function cellCode(text: string, length?: number): string {
  return cellCodeSpan(shownOrEmpty(text, length));
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** A list of columns; those of numbers end at the right. */
function tableHead(columns: readonly string[], numbers: readonly string[]): string[] {
  return [row(columns), row(columns.map((column) => (numbers.includes(column) ? '---:' : '---')))];
}

const NUMBERS = ['value', 'limit', 'baseline', 'change', 'left'];
const FAILED_COLUMNS = [
  '',
  'budget',
  'trace',
  'policy',
  'seed',
  'value',
  'limit',
  'baseline',
  'change',
  'by',
];
const WITHIN_COLUMNS = ['budget', 'trace', 'policy', 'seed', 'value', 'limit', 'left'];

function subjectCells(item: CheckItem): string[] {
  return [cellCode(item.budget), cellCode(item.trace), cellCode(item.policy), seedWords(item)];
}

function failedRow(item: CheckItem): string {
  const { value, limit, baseline } = figuresOf(item);
  const figures = [value, limit, baseline, changeWords(item), excessWords(item)];
  return row([`**${statusWords(item)}**`, ...subjectCells(item), ...figures]);
}

function withinRow(item: CheckItem): string {
  const { value, limit } = figuresOf(item);
  return row([...subjectCells(item), value, limit, marginWords(item)]);
}

function reasonLine(item: CheckItem): string {
  const place = placeWords(item);
  const parts = [
    `${code(item.budget)} on ${code(item.trace)}`,
    ...(place === '' ? [] : [`written at ${codeSpan(place)}`]),
    ...(item.why === null ? [] : [`why: ${code(item.why, SHOWN.sentence)}`]),
    `see: ${code(item.see, SHOWN.command)}`,
  ];
  return `- ${parts.join(', ')}`;
}

/** Lines that belong together: without rows nothing of it is written. */
interface Block {
  readonly open: readonly string[];
  readonly rows: readonly string[];
  readonly close: readonly string[];
}

function blocks(result: CheckResult): Block[] {
  const failures = result.items.filter(hasFailed);
  const within = result.items.filter((item) => !hasFailed(item));
  const summary = `<details><summary>${thousands(within.length)} within limits</summary>`;
  return [
    { open: tableHead(FAILED_COLUMNS, NUMBERS), rows: failures.map(failedRow), close: [''] },
    { open: [], rows: failures.map(reasonLine), close: [''] },
    { open: [], rows: result.notes.map((note) => `- note: ${code(note, SHOWN.sentence)}`), close: [''] },
    {
      open: [summary, '', ...tableHead(WITHIN_COLUMNS, NUMBERS)],
      rows: within.map(withinRow),
      close: ['', '</details>', ''],
    },
  ];
}

function sizeOf(lines: readonly string[]): number {
  return lines.reduce((size, line) => size + Buffer.byteLength(line) + 1, 0);
}

/** As many rows as there is room for, in order, blocks closed; and how many did not fit. */
function fitted(all: readonly Block[], room: number): { lines: string[]; left: number } {
  const lines: string[] = [];
  let free = room;
  let left = 0;
  for (const { open, rows, close } of all) {
    const fixed = sizeOf(open) + sizeOf(close);
    const taken: string[] = [];
    for (const text of rows) {
      const size = sizeOf([text]);
      if (left > 0 || fixed + size > free) {
        left++;
        continue;
      }
      taken.push(text);
      free -= size;
    }
    if (taken.length === 0) continue;
    free -= fixed;
    lines.push(...open, ...taken, ...close);
  }
  return { lines, left };
}

function footer(result: CheckResult): string {
  const parts = [
    `spbsim ${code(result.tool.version)}`,
    plural(result.counts.runs, 'run'),
    ...(result.budget === null ? [] : [`budget ${code(result.budget)}`]),
    ...(result.baseline === null ? [] : [`baseline ${code(result.baseline)}`]),
  ];
  return parts.join(', ');
}

/** The summary, in at most `maxBytes` of UTF-8; where it is cut it says so. */
export function renderCheckMarkdown(result: CheckResult, maxBytes = MAX_BYTES): string {
  const head = [`## spbsim check: ${verdictWords(result)}`, ''];
  const end = [footer(result)];
  const cutLine = (left: number) =>
    `**${plural(left, 'line')} left out: a step summary has no room for more. All is in --reporter json.**`;
  const spare = sizeOf([cutLine(Number.MAX_SAFE_INTEGER), '']);
  const { lines, left } = fitted(blocks(result), maxBytes - sizeOf(head) - sizeOf(end) - spare);
  const cut = left === 0 ? [] : [cutLine(left), ''];
  return `${[...head, ...lines, ...cut, ...end].join('\n')}\n`;
}
