/**
 * What the strings of a trace CSV may be. Each distinct string of a column is checked once, then known by its number.
 */
import * as z from 'zod';
import { CTX_NAMES, LOCK_POINTS, OP_NAMES } from '../event-batch.js';
import type { GfpDialect } from '../gfp-text.js';
import { InputError } from '../input-error.js';
import { nearestName } from '../nearest-name.js';
import { CSV_COLUMNS, CSV_OPS } from './columns.js';

/** What is wrong with a value, in the words of InputError. */
export interface ValueProblem {
  readonly expectation: string;
  readonly remedy?: string | undefined;
}

/** Longest string of one cell. */
const MAX_TEXT = 4096;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const UNPRINTABLE = /[\u0000-\u0008\u000a-\u001f\u007f\ufffd]/;

const text = z
  .string()
  .max(MAX_TEXT, `is longer than ${MAX_TEXT} characters`)
  .refine((value) => !UNPRINTABLE.test(value), 'holds a control character or bytes that are not UTF-8');

const op = z.enum(CSV_OPS);
const ctx = z.enum([...CTX_NAMES, 'irq']);
const lockPoint = z.enum(LOCK_POINTS);

function meant(value: string, names: Iterable<string>): string | undefined {
  const nearest = nearestName(value, names);
  return nearest === undefined ? undefined : `did you mean ${nearest}?`;
}

export type Checked = { readonly number: number } | { readonly problem: ValueProblem };

export function checkOp(value: string): Checked {
  const parsed = op.safeParse(value);
  if (parsed.success) return { number: OP_NAMES.indexOf(parsed.data) };
  return {
    problem: {
      expectation: 'is not an op',
      remedy: meant(value, CSV_OPS) ?? 'give alloc, free, contig_alloc, mark or another op of the trace CSV',
    },
  };
}

export function checkCtx(value: string): Checked {
  const parsed = ctx.safeParse(value);
  if (parsed.success) return { number: CTX_NAMES.indexOf(parsed.data === 'irq' ? 'hardirq' : parsed.data) };
  return { problem: { expectation: 'is not a context', remedy: 'give task, softirq, hardirq or nmi' } };
}

export function checkLockPoint(value: string): Checked {
  const parsed = lockPoint.safeParse(value);
  if (parsed.success) return { number: LOCK_POINTS.indexOf(parsed.data) };
  const remedy = meant(value, LOCK_POINTS) ?? `give one of ${LOCK_POINTS.join(', ')}`;
  return { problem: { expectation: 'is not a lock point', remedy } };
}

export function checkGfp(value: string, dialect: GfpDialect): Checked {
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
        : `has no gfp flag in "${first}"`;
  return { problem: { expectation, remedy } };
}

/** Any printable text; the caller interns it. */
export function checkText(value: string): ValueProblem | undefined {
  const parsed = text.safeParse(value);
  if (parsed.success) return undefined;
  return { expectation: parsed.error.issues[0]?.message ?? 'is not a text', remedy: 'remove it' };
}

/** Index of each column in the file's rows; -1 where the file does not have it. */
export type ColumnIndexes = Readonly<Record<(typeof CSV_COLUMNS)[number], number>>;

const header = z.array(z.enum(CSV_COLUMNS)).min(1);

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
  const parsed = header.safeParse(row);
  if (!parsed.success) {
    const index = Number(parsed.error.issues[0]?.path[0] ?? 0);
    const value = row[index] ?? '';
    throw new InputError({
      file,
      line,
      column: cellColumn(row, index),
      field: 'header',
      value,
      expectation: 'is not a column of a trace',
      remedy: meant(value, CSV_COLUMNS) ?? `columns are ${CSV_COLUMNS.join(', ')}`,
    });
  }
  const indexes = Object.fromEntries(CSV_COLUMNS.map((name) => [name, -1])) as Record<
    (typeof CSV_COLUMNS)[number],
    number
  >;
  parsed.data.forEach((name, index) => {
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
