/**
 * A dictionary of strings as numbers of the event model, looked up once per entry and not once per row.
 *
 * Entries that no row may use (words that are none, unprintable texts) and empty words are odd: rows that use them are
 * left to the decoder that goes row by row and tells what is wrong.
 */
import { MAX_TEXT } from '../csv/columns.js';
import { checkText } from '../csv/schema.js';
import type { StringTable } from '../string-table.js';
import type { ColumnBuffers } from './batch-layout.js';
import { areDistinct } from './distinct-texts.js';

const TAB = 0x09;
const SPACE = 0x20;
const DELETE = 0x7f;
const BOM = 0xef;
/** Odd entries, each kept with its text for an error. */
const MAX_ODD = 1 << 16;

/** Entries from which on it pays to look whether all can be taken over at once. */
const BULK = 1024;

/** Words that have numbers. */
export interface WordTarget {
  /** a word's number; undefined if it is none */
  readonly number: (word: string) => number | undefined;
  /** the other way round */
  readonly word: (number: number) => string;
}

/** A table of texts, and the numbers of those that it does not hold. */
export interface TextTarget {
  readonly table: StringTable;
  /** number of an empty cell */
  readonly empty: number;
  /** one character that means an empty cell as well */
  readonly root?: string | undefined;
}

/** Whether bytes[start..end) are printable ASCII, as nearly all texts of traces are. */
function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > MAX_TEXT) return false;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if ((byte < SPACE && byte !== TAB) || byte >= DELETE) return false;
  }
  return true;
}

export class FastDictionary {
  /** number of each entry; meaningless for odd ones */
  numbers = new Uint32Array(0);
  count = 0;
  /** entry i has number i + 1, for every i: nothing needs to be looked up */
  isCounted = false;
  /** texts of the odd entries by index; undefined for empty cells */
  readonly odd = new Map<number, string | undefined>();
  /** entries that spell the root, which has no number of its own */
  readonly #roots = new Set<number>();
  readonly #decoder = new TextDecoder();

  /**
   * @param target  the table that takes the texts, or what makes numbers of the words
   * @param refuse  throws: there are more odd entries than any trace has
   */
  constructor(
    readonly target: TextTarget | WordTarget,
    readonly refuse: (limit: number) => never,
  ) {}

  /** Forgets all entries. */
  clear(): void {
    this.count = 0;
    this.isCounted = false;
    this.odd.clear();
    this.#roots.clear();
  }

  /** The text of an entry; undefined for an empty cell. */
  text(index: number): string | undefined {
    if (this.odd.has(index)) return this.odd.get(index);
    const number = this.numbers[index] as number;
    if ('word' in this.target) return this.target.word(number);
    return this.#roots.has(index) ? this.target.root : this.target.table.get(number);
  }

  /** Adds the entries of a dictionary batch that was checked. @throws InputError  if the string table is full */
  add(values: ColumnBuffers): void {
    const { rows, nulls, validity, data } = values;
    if (this.count + rows > this.numbers.length) {
      const grown = new Uint32Array(Math.max(this.count + rows, this.numbers.length * 2));
      grown.set(this.numbers);
      this.numbers = grown;
    }
    const view = int32View(data[0] as Uint8Array);
    const bytes = data[1] as Uint8Array;
    if (nulls === 0 && this.#addAll(rows, view, bytes)) return;
    this.isCounted = false;
    for (let i = 0; i < rows; i++) {
      const index = this.count + i;
      if (nulls > 0 && (((validity[i >> 3] as number) >> (i & 7)) & 1) === 0) this.#addNull(index);
      else this.#add(index, bytes, view[i] as number, view[i + 1] as number);
    }
    this.count += rows;
  }

  /** Takes all entries over at once, where that is possible. @returns whether it was */
  #addAll(rows: number, offsets: Int32Array, bytes: Uint8Array): boolean {
    const { target } = this;
    if ('word' in target || target.root !== undefined || rows < BULK || target.table.size > 1) return false;
    const { limits } = target.table;
    const start = offsets[0] as number;
    const end = offsets[rows] as number;
    if (rows > limits.strings || end - start > limits.string_bytes) return false;
    if (!areDistinct(bytes, offsets, rows, MAX_TEXT)) return false;
    const ends = new Uint32Array(rows);
    for (let i = 0; i < rows; i++) {
      ends[i] = (offsets[i + 1] as number) - start;
      this.numbers[this.count + i] = i + 1;
    }
    target.table.append({ first: 1, bytes: bytes.subarray(start, end), ends });
    this.isCounted = this.count === 0;
    this.count += rows;
    return true;
  }

  #add(index: number, bytes: Uint8Array, start: number, end: number): void {
    const { target } = this;
    if ('word' in target) {
      const text = this.#decoder.decode(bytes.subarray(start, end));
      const number = text === '' ? undefined : target.number(text);
      if (number === undefined) this.#setOdd(index, text);
      else this.numbers[index] = number;
      return;
    }
    const { table } = target;
    if (start === end) {
      this.numbers[index] = target.empty;
    } else if (isPlain(bytes, start, end)) {
      this.numbers[index] = table.internBytes(bytes, start, end);
    } else {
      // A mark of the byte order is no part of a text.
      const text = this.#decoder.decode(bytes.subarray(start, end));
      if (checkText(text) !== undefined) this.#setOdd(index, text);
      else if (bytes[start] === BOM) this.numbers[index] = text === '' ? target.empty : table.intern(text);
      else this.numbers[index] = table.internBytes(bytes, start, end);
    }
    if (end - start === 1 && target.root !== undefined && bytes[start] === target.root.charCodeAt(0)) {
      this.#roots.add(index);
      this.numbers[index] = target.empty;
    }
  }

  /** An entry that is null means an empty cell. */
  #addNull(index: number): void {
    if ('word' in this.target) this.#setOdd(index, undefined);
    else this.numbers[index] = this.target.empty;
  }

  #setOdd(index: number, text: string | undefined): void {
    if (this.odd.size >= MAX_ODD) this.refuse(MAX_ODD);
    this.odd.set(index, text);
  }
}

/** `bytes` as 32-bit numbers, copied if they do not begin where such numbers can be read. */
function int32View(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2);
}
