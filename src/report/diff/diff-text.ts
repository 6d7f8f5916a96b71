/**
 * A comparison for the terminal: first which side is better at what, then the table, the maps side by side, and where the
 * two first part, with what each did there.
 */
import { basename } from 'node:path';
import type { DiffCase, DiffCounts, DiffFirst, DiffResult, DiffRow } from '../diff-result.js';
import type { Explanation } from '../explain-document.js';
import { explainedSteps } from '../explain-text.js';
import { duration, plural, thousands } from '../quantities.js';
import { plainStyle, type TextStyle } from '../text-style.js';
import { textTable, wrapItems } from '../text-table.js';
import { changeText, countItems, rowsBySubject, shortName, spreadText } from './diff-format.js';
import { diffMapLines } from './diff-map.js';

export interface DiffTextOptions {
  /** all rows, unchanged ones too */
  readonly all?: boolean;
  /** all 1 GiB ranges */
  readonly map?: boolean;
  /** all that both sides did where they part */
  readonly explain?: boolean;
}

/** Lines of each side's explanation that the first look takes in. */
const MOST_STEPS = 14;
const MOST_KNOBS = 3;

function verdictText({ verdict }: DiffRow, style: TextStyle): string {
  if (verdict === 'better') return style.good('better');
  if (verdict === 'worse') return style.bad('worse');
  if (verdict === 'unclear') return style.warn('unclear');
  return style.dim(verdict === 'equal' ? '=' : verdict === 'changed' ? '' : verdict.replace('_', ' '));
}

function headerLines(
  result: DiffResult,
  { trace, seeds, events, span_ns, start_state }: DiffCase,
  style: TextStyle,
): string[] {
  const { a, b, kind } = result;
  const title = `${shortName(a.label)} -> ${shortName(b.label)}`;
  const machines = [...new Set([a.machine, b.machine])].map((machine) => shortName(machine, 60));
  const items = [
    title,
    shortName(basename(trace) || trace, 60),
    `${plural(events, 'event')} over ${duration(span_ns)}`,
    ...(seeds.length > 1 ? [`${seeds.length} seeds: median [min..max]`] : []),
    `machine: ${machines.join(' -> ')}`,
    ...(kind === 'machines' ? [`policy ${shortName(a.policy)}`] : []),
    `start state: ${start_state}`,
  ];
  const [first = '', ...rest] = wrapItems(items, 0);
  return [style.heading(title) + first.slice(title.length), ...rest];
}

function knobLines({ knobs, a, b }: DiffResult, style: TextStyle): string[] {
  if (knobs.length === 0) return [];
  const shown = knobs
    .slice(0, MOST_KNOBS)
    .map(({ knob, a, b }) => `${shortName(knob, 60)} ${shortName(a)} -> ${shortName(b)}`);
  const more =
    knobs.length > MOST_KNOBS
      ? [
          `${knobs.length - MOST_KNOBS} knobs more: spbsim policy diff ${shortName(a.policy)} ${shortName(b.policy)}`,
        ]
      : [];
  return wrapItems([...shown, ...more], 0).map(style.dim);
}

/** `Superpageblocks 4 better   Reclaim 2 worse` */
function verdictLines({ b }: DiffResult, rows: readonly DiffRow[], style: TextStyle): string[] {
  const told = (verdict: 'better' | 'worse', paint: (text: string) => string) => {
    const subjects = new Map<string, number>();
    for (const row of rows)
      if (row.verdict === verdict && !row.is_detail)
        subjects.set(row.subject, (subjects.get(row.subject) ?? 0) + 1);
    if (subjects.size === 0) return [];
    const list = [...subjects].map(([subject, count]) => `${subject} (${count})`);
    const label = `${shortName(b.label)} is ${verdict} at`;
    const [first = '', ...rest] = wrapItems(list, label.length + 2, 100, ', ');
    return [`${paint(label)}  ${first.trimStart()}`, ...rest];
  };
  return [...told('better', style.good), ...told('worse', style.bad)];
}

function tableLines(result: DiffResult, { rows }: DiffCase, all: boolean, style: TextStyle): string[] {
  const table: string[][] = [];
  for (const { subject, rows: members, folded } of rowsBySubject(rows, all)) {
    if (members.length === 0) continue;
    table.push([style.heading(subject), '', '', '', '']);
    for (const row of members)
      table.push([
        `  ${shortName(row.metric, 60)}`,
        spreadText(row.a, row.unit),
        spreadText(row.b, row.unit),
        changeText(row),
        verdictText(row, style),
      ]);
    if (folded > 0)
      table.push([style.dim(`  ${thousands(folded)} more better or worse (--all)`), '', '', '', '']);
  }
  if (table.length === 0) return [];
  const head = ['', shortName(result.a.label), shortName(result.b.label), 'change', ''].map(style.heading);
  return textTable({ head, rows: table, left: [0, 4] });
}

function isSame(counts: DiffCounts): boolean {
  return counts.better + counts.worse + counts.unclear + counts.changed + counts.only_a + counts.only_b === 0;
}

function pfnText(pfn: number | null): string {
  return pfn === null ? 'none' : `0x${pfn.toString(16)}`;
}

function stepsOf(label: string, explanation: Explanation, whole: boolean, style: TextStyle): string[] {
  const lines = explainedSteps(explanation, style);
  const shown = whole || lines.length <= MOST_STEPS ? lines : lines.slice(0, MOST_STEPS);
  const cut = lines.length - shown.length;
  return [
    style.heading(shortName(label)),
    ...shown,
    ...(cut > 0 ? [style.dim(`  … ${plural(cut, 'line')} more (--explain)`)] : []),
  ];
}

function firstLines(result: DiffResult, first: DiffFirst, whole: boolean, style: TextStyle): string[] {
  const { event, a_pfn, b_pfn, a, b } = first;
  const what = event.order === null ? event.op : `${event.op} order ${event.order}`;
  const pages = `${pfnText(a_pfn)} / ${pfnText(b_pfn)}`;
  const items = [
    `first difference: event ${thousands(event.number)}`,
    `at ${duration(event.since_start_ns)}`,
    `CPU ${event.cpu}, ${event.ctx}`,
    what,
    ...(event.id === '' ? [] : [`id ${shortName(event.id)}`]),
    ...(event.site === '' ? [] : [`site ${shortName(event.site, 60)}`]),
    `pfn ${pages}`,
  ];
  const lines = wrapItems(items, 0);
  if (a !== null) lines.push('', ...stepsOf(result.a.label, a, whole, style));
  if (b !== null) lines.push('', ...stepsOf(result.b.label, b, whole, style));
  return lines;
}

function caseLines(result: DiffResult, each: DiffCase, options: DiffTextOptions, style: TextStyle): string[] {
  const sections: string[][] = [[...headerLines(result, each, style), ...knobLines(result, style)]];
  if (isSame(each.counts)) {
    const pages = each.same_pages === true ? ', and every event was about the same page' : '';
    sections.push([`no difference: all ${thousands(each.counts.equal)} metrics are equal${pages}`]);
    if (!options.all) return joined(sections);
  }
  const { a, b } = result;
  sections.push(
    verdictLines(result, each.rows, style),
    tableLines(result, each, options.all ?? false, style),
    wrapItems([...countItems({ counts: each.counts, a, b }), ...(options.all ? [] : ['all: --all'])], 0).map(
      style.dim,
    ),
    diffMapLines(result, each.map, options.map ?? false, style),
  );
  if (each.first_difference !== null)
    sections.push(firstLines(result, each.first_difference, options.explain ?? false, style));
  else if (each.same_pages === true) sections.push(['every event was about the same page on both sides']);
  return joined(sections);
}

function joined(sections: readonly string[][]): string[] {
  return sections
    .filter((lines) => lines.length > 0)
    .flatMap((lines, at) => (at === 0 ? lines : ['', ...lines]));
}

export function renderDiff(
  result: DiffResult,
  options: DiffTextOptions = {},
  style: TextStyle = plainStyle,
): string {
  const notes = result.notes.map((note) => style.warn(`note: ${shortName(note, 300)}`));
  const parts = result.cases.map((each) => caseLines(result, each, options, style).join('\n'));
  return `${[...parts, ...(notes.length > 0 ? [notes.join('\n')] : [])].join('\n\n')}\n`;
}
