/** Texts that all renderings of a comparison share. */

import { sanitize } from '../../trace/sanitize.js';
import type { DiffResult, DiffRow, DiffSpread } from '../diff-result.js';
import { duration, thousands } from '../quantities.js';
import { withoutOrders } from '../sanitize.js';

/** Names come from command lines and files: longer ones would break every table. */
const LONGEST_NAME = 40;

export function shortName(text: string, length = LONGEST_NAME): string {
  return withoutOrders(sanitize(text, length));
}

/** A value of a metric in its unit: `1,234`, `0.357`, `1.2 ms`. */
export function valueText(value: number, unit: string): string {
  if (unit === 'ns') return value === 0 ? '0' : duration(value);
  return Number.isInteger(value) ? thousands(value) : value.toFixed(3);
}

/** One value, or with several seeds the median and in which range the others are. */
export function spreadText(spread: DiffSpread | null, unit: string): string {
  if (spread === null) return '';
  const { min, median, max } = spread;
  const text = valueText(median, unit);
  return min === max ? text : `${text} [${valueText(min, unit)}..${valueText(max, unit)}]`;
}

function signed(value: number, unit: string): string {
  return `${value < 0 ? '-' : '+'}${valueText(Math.abs(value), unit)}`;
}

const MOST_PERCENT = 1000;

/** `-47 (-77 %)`; what grew from nothing, or more than tenfold, in no per cent. */
export function changeText({ difference, change, unit }: DiffRow): string {
  if (difference === null || difference === 0) return '';
  if (change === null || Math.abs(change) * 100 > MOST_PERCENT) return signed(difference, unit);
  const percent = Math.abs(change) * 100;
  const digits = percent < 10 ? 1 : 0;
  return `${signed(difference, unit)} (${change < 0 ? '-' : '+'}${percent.toFixed(digits)} %)`;
}

/** `12 better, 7 worse, 3 changed, 60 equal`. @param name  a side's label as the rendering may show it */
export function countItems(
  { counts, a, b }: Pick<DiffResult, 'counts' | 'a' | 'b'>,
  name: (label: string) => string = shortName,
): string[] {
  const item = (count: number, text: string) => (count === 0 ? [] : [`${thousands(count)} ${text}`]);
  return [
    ...item(counts.better, 'better'),
    ...item(counts.worse, 'worse'),
    ...item(counts.unclear, 'unclear: seeds disagree'),
    ...item(counts.changed, 'changed, neither way better'),
    ...item(counts.equal, 'equal'),
    ...item(counts.only_a, `only ${name(a.label)} has`),
    ...item(counts.only_b, `only ${name(b.label)} has`),
  ];
}

/** Rows of a table by subject, those that are folded by default left out unless `all`. */
export interface SubjectRows {
  readonly subject: string;
  readonly rows: readonly DiffRow[];
  /** rows that are better or worse, and not among `rows` */
  readonly folded: number;
}

/** Rows of one subject that the first look takes in. */
const MOST_ROWS = 8;
const DIRECTED: ReadonlySet<DiffRow['verdict']> = new Set(['better', 'worse', 'unclear']);
/** The one subject where what is neither better nor worse tells something at first sight. */
const WHOLE_SUBJECT = 'Superpageblocks';

/** What is better or worse, subject by subject; with `all` everything. */
export function rowsBySubject(rows: readonly DiffRow[], all: boolean): SubjectRows[] {
  const subjects = [...new Set(rows.map(({ subject }) => subject))];
  return subjects.map((subject) => {
    const members = rows.filter((row) => row.subject === subject);
    if (all) return { subject, rows: members, folded: 0 };
    const directed = members.filter(({ verdict }) => DIRECTED.has(verdict));
    const told = [
      ...directed.filter(({ is_detail }) => !is_detail),
      ...members.filter(
        ({ verdict, is_detail }) => subject === WHOLE_SUBJECT && verdict === 'changed' && !is_detail,
      ),
    ].slice(0, MOST_ROWS);
    const hidden = directed.filter((row) => !told.includes(row));
    return { subject, rows: told, folded: told.length === 0 ? 0 : hidden.length };
  });
}
