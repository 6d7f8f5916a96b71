/** A comparison as Markdown, for reviews and step summaries: the table of what changed, and where the two part. */
import { basename } from 'node:path';
import type { DiffCase, DiffResult, DiffRow } from '../diff-result.js';
import { cellCodeSpan, codeSpan } from '../markdown-text.js';
import { duration, thousands } from '../quantities.js';
import { changeText, countItems, rowsBySubject, shortName, spreadText } from './diff-format.js';

function code(text: string): string {
  return codeSpan(shortName(text, 60) || '-');
}

function cellCode(text: string): string {
  return cellCodeSpan(shortName(text, 60) || '-');
}

function verdictCell({ verdict }: DiffRow): string {
  if (verdict === 'better') return '**better**';
  if (verdict === 'worse') return '**worse**';
  return verdict === 'equal' ? '=' : verdict === 'changed' ? '' : verdict.replace('_', ' ');
}

function rowLine(row: DiffRow): string {
  const cells = [
    cellCode(row.metric),
    spreadText(row.a, row.unit),
    spreadText(row.b, row.unit),
    changeText(row),
    verdictCell(row),
  ];
  return `| ${cells.join(' | ')} |`;
}

function caseLines(result: DiffResult, each: DiffCase, all: boolean): string[] {
  const { a, b } = result;
  const lines = [
    `### ${code(a.label)} → ${code(b.label)}: ${code(basename(each.trace) || each.trace)}`,
    '',
    `${thousands(each.events)} events over ${duration(each.span_ns)}, ${countItems({ counts: each.counts, a, b }, code).join(', ')}.`,
    '',
  ];
  for (const { subject, rows, folded } of rowsBySubject(each.rows, all)) {
    if (rows.length === 0) continue;
    lines.push(
      `| ${subject} | ${cellCode(a.label)} | ${cellCode(b.label)} | change | |`,
      '|---|---:|---:|---:|---|',
      ...rows.map(rowLine),
      ...(folded > 0 ? [`| ${thousands(folded)} more better or worse | | | | |`] : []),
      '',
    );
  }
  const first = each.first_difference;
  if (first !== null) {
    const page = (pfn: number | null) => (pfn === null ? 'none' : `0x${pfn.toString(16)}`);
    const { event } = first;
    const what = event.order === null ? event.op : `${event.op} order ${event.order}`;
    lines.push(
      `First difference: event ${thousands(event.number)} (${code(what)}, CPU ${event.cpu}): pfn ${page(first.a_pfn)} against ${page(first.b_pfn)}.`,
      '',
    );
  }
  return lines;
}

/** @param all  unchanged rows, too */
export function renderDiffMarkdown(result: DiffResult, all: boolean): string {
  const notes = result.notes.map((note) => `> ${codeSpan(shortName(note, 300))}`);
  const lines = [...result.cases.flatMap((each) => caseLines(result, each, all)), ...notes];
  return `${lines.join('\n').trimEnd()}\n`;
}
