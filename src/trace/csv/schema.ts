/**
 * What the strings of a trace CSV may be. Each distinct string of a column is checked once, then known by its number.
 *
 * Plain lists and a pattern: a schema library would say no more about a word, and take longer to load than most traces
 * take to read.
 */
import { CTX_NAMES, LOCK_POINTS, OP_NAMES } from '../event-batch.js';
import type { GfpDialect } from '../gfp-text.js';
import { InputError } from '../input-error.js';
import { nearestName } from '../nearest-name.js';
import { sanitize } from '../sanitize.js';
import { CSV_COLUMNS, CSV_OPS, type CsvColumn, MAX_TEXT } from './columns.js';

/** What is wrong with a value, in the words of InputError. */
export interface ValueProblem {
  readonly expectation: string;
  readonly remedy?: string | undefined;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const UNPRINTABLE = /[\u0000-\u0008\u000a-\u001f\u007f\ufffd]/;

/** Longest piece of a value that an expectation repeats. */
const PIECE_CHARACTERS = 60;

function meant(value: string, names: Iterable<string>): string | undefined {
  const nearest = nearestName(value, names);
  return nearest === undefined ? undefined : `did you mean ${nearest}?`;
}

export type Checked = { readonly number: number } | { readonly problem: ValueProblem };

function checkOp(value: string): Checked {
  if (CSV_OPS.includes(value)) return { number: OP_NAMES.indexOf(value) };
  return {
    problem: {
      expectation: 'is not an op',
      remedy: meant(value, CSV_OPS) ?? 'give alloc, free, contig_alloc, mark or another op of the trace CSV',
    },
  };
}

function checkCtx(value: string): Checked {
  const number = CTX_NAMES.indexOf(value === 'irq' ? 'hardirq' : value);
  if (number >= 0) return { number };
  return { problem: { expectation: 'is not a context', remedy: 'give task, softirq, hardirq or nmi' } };
}

function checkLockPoint(value: string): Checked {
  const number = LOCK_POINTS.indexOf(value);
  if (number >= 0) return { number };
  const remedy = meant(value, LOCK_POINTS) ?? `give one of ${LOCK_POINTS.join(', ')}`;
  return { problem: { expectation: 'is not a lock point', remedy } };
}

function checkGfp(value: string, dialect: GfpDialect): Checked {
  const { bits, unknown } = dialect.parse(value);
  const first = unknown[0];
  if (first === undefined) return { number: bits };
  const remedy = meant(first, dialect.names) ?? 'flags are joined by |, or give hex';
  // With several flags the value alone would not show which one is meant.
  const expectation =
    first === value
      ? 'is not a gfp flag'
      : first === ''
        ? 'has an empty flag'
        : `has no gfp flag in "${sanitize(first, PIECE_CHARACTERS)}"`;
  return { problem: { expectation, remedy } };
}

/** What makes a number of a word, for each column of words. */
export interface WordChecks {
  readonly op: (value: string) => Checked;
  readonly ctx: (value: string) => Checked;
  readonly gfp: (value: string) => Checked;
  readonly at: (value: string) => Checked;
}

export function wordChecks(dialect: GfpDialect): WordChecks {
  return { op: checkOp, ctx: checkCtx, gfp: (value) => checkGfp(value, dialect), at: checkLockPoint };
}

/** Any printable text; the caller interns it. */
export function checkText(value: string): ValueProblem | undefined {
  if (value.length > MAX_TEXT)
    return { expectation: `is longer than ${MAX_TEXT} characters`, remedy: 'remove it' };
  if (!UNPRINTABLE.test(value)) return undefined;
  return { expectation: 'holds a control character or bytes that are not UTF-8', remedy: 'remove it' };
}

/** Index of each column in the file's rows; -1 where the file does not have it. */
export type ColumnIndexes = Readonly<Record<CsvColumn, number>>;

function isColumn(name: string): name is CsvColumn {
  return (CSV_COLUMNS as readonly string[]).includes(name);
}

/** Column in characters at which cell `index` of an unquoted row starts, from 1. */
export function cellColumn(row: readonly string[], index: number): number {
  let column = 1;
  for (let i = 0; i < index; i++) {
    const cell = row[i] ?? '';
    const quoted = /[",\n\r]/.test(cell);
    column += cell.length + 1 + (quoted ? 2 + (cell.match(/"/g)?.length ?? 0) : 0);
  }
  return column;
}

/**
 * Checks a header row and says where each column stands.
 *
 * @throws InputError  for an unknown, a repeated or a missing column
 */
export function parseHeader(row: readonly string[], file: string, line: number): ColumnIndexes {
  const index = row.findIndex((name) => !isColumn(name));
  if (index >= 0 || row.length === 0) {
    const value = row[index] ?? '';
    throw new InputError({
      file,
      line,
      column: cellColumn(row, Math.max(0, index)),
      field: 'header',
      value,
      expectation: 'is not a column of a trace',
      remedy: meant(value, CSV_COLUMNS) ?? `columns are ${CSV_COLUMNS.join(', ')}`,
    });
  }
  const indexes = Object.fromEntries(CSV_COLUMNS.map((name) => [name, -1])) as Record<CsvColumn, number>;
  row.filter(isColumn).forEach((name, index) => {
    if (indexes[name] >= 0) {
      throw new InputError({
        file,
        line,
        column: cellColumn(row, index),
        field: 'header',
        value: name,
        expectation: 'stands twice in the header',
        remedy: 'remove one of the columns',
      });
    }
    indexes[name] = index;
  });
  if (indexes.op < 0) {
    throw new InputError({
      file,
      line,
      field: 'header',
      expectation: 'has no column op',
      remedy: 'the first row names the columns, op is required',
    });
  }
  return indexes;
}
