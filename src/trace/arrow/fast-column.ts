/** Columns of a record batch as typed arrays over its bytes, for the fast decoder. */
import type { FastDictionary } from './fast-dictionary.js';

export type NumberArray = Uint8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Int8Array;

/** A column of the record batch at hand. */
export interface FastColumn {
  readonly rows: number;
  readonly nulls: number;
  readonly validity: Uint8Array;
  /** every cell is empty */
  readonly isEmpty: boolean;
  /** the numbers, or the indices of a column of strings; times are pairs of words */
  readonly values: NumberArray;
  readonly dictionary: FastDictionary | undefined;
}

export function arrayOf(bytes: Uint8Array, bits: number, signed: boolean): NumberArray {
  const width = bits === 64 ? 4 : bits / 8;
  const from = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  const length = Math.floor(from.length / width);
  if (width === 1) return signed ? new Int8Array(from.buffer, from.byteOffset, length) : from;
  if (width === 2)
    return signed
      ? new Int16Array(from.buffer, from.byteOffset, length)
      : new Uint16Array(from.buffer, from.byteOffset, length);
  return signed && bits === 32
    ? new Int32Array(from.buffer, from.byteOffset, length)
    : new Uint32Array(from.buffer, from.byteOffset, length);
}

/** Whether a cell is given. */
export function isGiven(
  column: { readonly nulls: number; readonly validity: Uint8Array },
  row: number,
): boolean {
  return column.nulls === 0 || (((column.validity[row >> 3] as number) >> (row & 7)) & 1) === 1;
}

/** Whether no cell is given; how many there are said to be is not what decides. */
export function isAllEmpty(validity: Uint8Array, rows: number): boolean {
  const whole = rows >> 3;
  for (let i = 0; i < whole; i++) if (validity[i] !== 0) return false;
  return (rows & 7) === 0 || ((validity[whole] as number) & ((1 << (rows & 7)) - 1)) === 0;
}

export function isEmpty(column: FastColumn | undefined, row: number): boolean {
  return column === undefined || !isGiven(column, row);
}

/*
 * The loops over cells. Each kind of array has its own, as a loop that sees two kinds is several times slower.
 */

/** Puts `empty` into the empty cells of rows from..to at out[at..]. @returns whether the other cells are at most `max` */
export function checkBytes(
  column: FastColumn,
  from: number,
  out: Uint8Array,
  at: number,
  end: number,
  empty: number,
  max: number,
): boolean {
  const { validity } = column;
  if (column.nulls === 0) {
    let largest = 0;
    for (let i = at; i < end; i++) if ((out[i] as number) > largest) largest = out[i] as number;
    return largest <= max;
  }
  for (let row = from, i = at; i < end; row++, i++) {
    if ((((validity[row >> 3] as number) >> (row & 7)) & 1) === 0) out[i] = empty;
    else if ((out[i] as number) > max) return false;
  }
  return true;
}

/** The same for wider numbers. */
export function checkWords(
  column: FastColumn,
  from: number,
  out: Uint16Array | Uint32Array,
  at: number,
  end: number,
  empty: number,
  max: number,
): boolean {
  const { validity } = column;
  if (column.nulls === 0) {
    for (let i = at; i < end; i++) if ((out[i] as number) > max) return false;
    return true;
  }
  for (let row = from, i = at; i < end; row++, i++) {
    if ((((validity[row >> 3] as number) >> (row & 7)) & 1) === 0) out[i] = empty;
    else if ((out[i] as number) > max) return false;
  }
  return true;
}

/** Puts numbers[index] for each of the indices at out[at..]. @returns whether all of them are below `count` */
export function lookUpBytes(
  column: FastColumn,
  from: number,
  indexes: Int32Array,
  dictionary: FastDictionary,
  out: Uint8Array,
  at: number,
  empty: number,
): boolean {
  const { numbers, count } = dictionary;
  for (let i = 0; i < indexes.length; i++) {
    if (column.nulls > 0 && !isGiven(column, from + i)) {
      out[at + i] = empty;
      continue;
    }
    const index = indexes[i] as number;
    if (index >>> 0 >= count) return false;
    out[at + i] = numbers[index] as number;
  }
  return true;
}

/** The same for wider numbers. */
export function lookUpWords(
  column: FastColumn,
  from: number,
  indexes: Int32Array,
  dictionary: FastDictionary,
  out: Uint32Array,
  at: number,
  empty: number,
): boolean {
  const { numbers, count } = dictionary;
  if (dictionary.isCounted && column.nulls === 0) {
    for (let i = 0; i < indexes.length; i++) {
      const index = indexes[i] as number;
      if (index >>> 0 >= count) return false;
      out[at + i] = index + 1;
    }
    return true;
  }
  for (let i = 0; i < indexes.length; i++) {
    if (column.nulls > 0 && !isGiven(column, from + i)) {
      out[at + i] = empty;
      continue;
    }
    const index = indexes[i] as number;
    if (index >>> 0 >= count) return false;
    out[at + i] = numbers[index] as number;
  }
  return true;
}
