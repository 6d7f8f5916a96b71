/**
 * Version 1 of a trace as Arrow: its columns, their types, and the keys of its metadata. docs/formats-arrow.md describes
 * the same for those who read such files with other tools.
 *
 * The columns of the trace CSV come first, under their names and in their order, and mean the same, so that an empty
 * cell (null) has the same default. Three more hold what a recording knows and CSV has no column for.
 */
import { CSV_COLUMNS, type CsvColumn } from '../csv/columns.js';
import type { EncodedField } from './ipc-encode.js';
import { type ArrowType, TypeNumber } from './ipc-metadata.js';

/** In the order in which the writer puts them. */
export const ARROW_COLUMNS = [...CSV_COLUMNS, 'pid', 'migratetype', 'flags'] as const;
export type ArrowColumn = CsvColumn | 'pid' | 'migratetype' | 'flags';

/** Columns whose cells are one of a set of words, each with a number in the event model. */
export const WORD_COLUMNS = ['op', 'ctx', 'gfp', 'at'] as const;
export type WordColumn = (typeof WORD_COLUMNS)[number];

/** Columns of any text, each with a table of its own. */
export const TEXT_COLUMNS = ['id', 'memcg', 'site', 'cache', 'arg'] as const;
export type TextColumn = (typeof TEXT_COLUMNS)[number];

export type StringColumn = WordColumn | TextColumn;
export type NumberColumn = Exclude<ArrowColumn, StringColumn>;

export function isStringColumn(column: ArrowColumn): column is StringColumn {
  return (
    (WORD_COLUMNS as readonly string[]).includes(column) ||
    (TEXT_COLUMNS as readonly string[]).includes(column)
  );
}

/** Keys of the schema's metadata. */
export const MetadataKey = {
  /** version of this format: `1` */
  trace: 'spbsim.trace',
  /** generation whose gfp words are used */
  kernel: 'spbsim.kernel',
  /** columns that the trace's CSV had, joined by commas; left out if it came from elsewhere */
  columns: 'spbsim.columns',
} as const;
export const TRACE_VERSION = '1';

const UTF8: ArrowType = { number: TypeNumber.utf8, bits: 0, signed: true, unit: 0 };

function int(bits: number, signed: boolean): ArrowType {
  return { number: TypeNumber.int, bits, signed, unit: 0 };
}

/** Bits of the dictionary indices: few words need one byte, texts may be as many as there are rows. */
const INDEX_BITS: Readonly<Record<StringColumn, number>> = {
  op: 8,
  ctx: 8,
  at: 8,
  gfp: 32,
  id: 32,
  memcg: 32,
  site: 32,
  cache: 32,
  arg: 32,
};

const NUMBER_TYPES: Readonly<Record<NumberColumn, ArrowType>> = {
  ts: int(64, true),
  cpu: int(16, false),
  order: int(8, false),
  node: int(16, true),
  pfn: int(32, false),
  size: int(32, false),
  depth: int(8, false),
  pid: int(32, false),
  migratetype: int(8, false),
  flags: int(8, false),
};

const NEVER_EMPTY: ReadonlySet<ArrowColumn> = new Set<ArrowColumn>([
  'ts',
  'cpu',
  'ctx',
  'op',
  'node',
  'depth',
  'migratetype',
  'flags',
]);

/** The columns as the writer describes them; a dictionary's number is its column's. */
export const TRACE_FIELDS: readonly EncodedField[] = ARROW_COLUMNS.map((name, i) => {
  const nullable = !NEVER_EMPTY.has(name);
  return isStringColumn(name)
    ? { name, nullable, type: UTF8, dictionary: { id: i, index: int(INDEX_BITS[name], true) } }
    : { name, nullable, type: NUMBER_TYPES[name], dictionary: undefined };
});

/**
 * The columns of one trace: all, or of a trace that comes from a CSV those that the CSV had. It says nothing in the others.
 *
 * @param columns  of the CSV
 */
export function traceFields(columns: readonly string[] | undefined): readonly EncodedField[] {
  return columns === undefined ? TRACE_FIELDS : TRACE_FIELDS.filter(({ name }) => columns.includes(name));
}

/** Whether the fast reader knows the column's type: the writer's own, with any width of indices up to 32 bits. */
export function isOwnType(column: ArrowColumn, type: ArrowType, index: ArrowType | undefined): boolean {
  if (isStringColumn(column))
    return type.number === TypeNumber.utf8 && index !== undefined && index.bits <= 32;
  const own = NUMBER_TYPES[column];
  return (
    index === undefined && type.number === own.number && type.bits === own.bits && type.signed === own.signed
  );
}
