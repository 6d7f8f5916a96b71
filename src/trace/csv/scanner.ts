/**
 * The fast way from bytes to events, for rows that are plain.
 *
 * It reads cells in place, makes no strings, and accepts a row only if every byte of it is beyond doubt: printable ASCII
 * or a tab, quotes around whole cells and nowhere else, as many cells as the header, each cell a number in range, a known word or a short text, and no
 * objection of RowEvents. At the first row that it does not accept it stops and says so; the reader gives that row to
 * the strict way, which either accepts it or tells what is wrong, and lets the scanner go on behind it. So the scanner
 * never makes an error message and never decides that a row is invalid.
 *
 * A row ends at its LF for csv-parse too unless a quote is open, and a cell between two quotes that has none inside is
 * what stands between them; empty lines and lines that begin with `#` are skipped by both. So what the scanner accepts
 * is what the strict way would have made of the same bytes.
 */
import type { EventBatch } from '../event-batch.js';
import { Column, CSV_COLUMNS, MAX_NODE, MAX_OF_COLUMN, MAX_PFN, MAX_TEXT } from './columns.js';
import { FOLLOWS_APOSTROPHE } from './formula.js';
import { EMPTY, type RowEvents, RowProblem } from './row-events.js';
import type { WordChecks } from './schema.js';
import { GUESS_BYTES, NOT_A_WORD, WordTable } from './word-table.js';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const HASH = 0x23;
const APOSTROPHE = 0x27;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
/** Bit that makes a letter a small one. */
const LOWER = 0x20;
const LETTER_X = 0x78;

/** How the cells of a column are read. */
const Kind = { number: 0, word: 1, text: 2, node: 3, pfn: 4 } as const;

const NUMBERS: readonly number[] = [...MAX_OF_COLUMN.keys()];
const WORDS: readonly number[] = [Column.op, Column.ctx, Column.gfp, Column.at];

function kindOf(column: number): number {
  if (NUMBERS.includes(column)) return Kind.number;
  if (WORDS.includes(column)) return Kind.word;
  if (column === Column.node) return Kind.node;
  return column === Column.pfn ? Kind.pfn : Kind.text;
}

/** 1 for bytes that may stand in a cell. */
const IN_CELL = new Uint8Array(256);
IN_CELL.fill(1, 0x20, 0x7f);
IN_CELL[TAB] = 1;
IN_CELL[QUOTE] = 0;
IN_CELL[COMMA] = 0;

/** The same for a cell in quotes. */
const IN_QUOTES = IN_CELL.slice();
IN_QUOTES[COMMA] = 1;

/** Value of each hexadecimal digit; others have 16. */
const HEX = new Uint8Array(256).fill(16);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** Most digits of a decimal number, and how many of them fit a 32-bit integer. */
const MAX_DIGITS = 16;
const INT_DIGITS = 9;
const MAX_HEX_DIGITS = 8;
/** What the functions that read return where the strict way has to decide. */
const REFUSED = -2;
const POWERS: readonly number[] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];

export class CsvScanner {
  /** line of the byte at which scan() begins; of the one at which it ended afterwards. From 1. */
  line = 1;
  /** scan() stopped at a row that is not for it */
  isRefused = false;
  readonly #events: RowEvents;
  readonly #recordBytes: number;
  /** by cell of a row: its column and kind */
  readonly #columns: Uint8Array;
  readonly #kinds: Uint8Array;
  /** by column */
  readonly #max = new Float64Array(CSV_COLUMNS.length);
  readonly #words: WordTable[];
  /** position behind the number that was read last */
  #at = 0;

  /**
   * @param cells        number of the column in each cell of a row
   * @param recordBytes  longest row
   */
  constructor(cells: readonly number[], words: WordChecks, events: RowEvents, recordBytes: number) {
    this.#events = events;
    this.#recordBytes = recordBytes;
    this.#columns = Uint8Array.from(cells);
    this.#kinds = Uint8Array.from(cells, kindOf);
    for (const [column, max] of MAX_OF_COLUMN) this.#max[column] = max;
    const { op, ctx, gfp, at } = words;
    this.#words = CSV_COLUMNS.map(
      (name) => new WordTable(name === 'ctx' ? ctx : name === 'gfp' ? gfp : name === 'at' ? at : op),
    );
  }

  /**
   * Appends the events of the rows in bytes[from..to), which ends with an LF, until there are no more, `batch` is full,
   * or a row is refused.
   *
   * @returns where it stopped: at `to` or at the first byte of a row
   */
  scan(bytes: Uint8Array, from: number, to: number, batch: EventBatch): number {
    const events = this.#events;
    let line = this.line;
    let at = from;
    this.isRefused = false;
    while (at < to) {
      const byte = bytes[at];
      let end = at;
      if (byte > HASH || byte === QUOTE) {
        if (batch.length === batch.capacity) break;
        end = this.#cells(bytes, at);
        if (
          end < 0 ||
          end - at > this.#recordBytes ||
          events.append(bytes, line, batch) !== RowProblem.none
        ) {
          this.isRefused = true;
          break;
        }
      } else if (byte === HASH) {
        end = bytes.indexOf(LF, at);
        if (end - at > this.#recordBytes) {
          this.isRefused = true;
          break;
        }
      } else if (byte !== LF && !(byte === CR && bytes[at + 1] === LF)) {
        this.isRefused = true;
        break;
      }
      at = end + (bytes[end] === CR ? 2 : 1);
      line++;
    }
    this.line = line;
    return at;
  }

  /**
   * Reads the cells of one row into `events`.
   *
   * @returns position of the row's line end, LF or CR LF; REFUSED if the row is not plain
   */
  #cells(bytes: Uint8Array, from: number): number {
    const { values, starts, ends } = this.#events;
    const columns = this.#columns;
    const kinds = this.#kinds;
    const last = columns.length - 1;
    let at = from;
    for (let cell = 0; ; cell++) {
      const column = columns[cell];
      const isQuoted = bytes[at] === QUOTE;
      if (isQuoted) at++;
      const inCell = isQuoted ? IN_QUOTES : IN_CELL;
      const start = at;
      switch (kinds[cell]) {
        case Kind.number: {
          let value = 0;
          let digit = bytes[at] - ZERO;
          while (digit >= 0 && digit <= 9 && at - start < INT_DIGITS) {
            value = (value * 10 + digit) | 0;
            digit = bytes[++at] - ZERO;
          }
          if (at === start) {
            values[column] = EMPTY;
            break;
          }
          let number = value;
          if (digit >= 0 && digit <= 9) {
            number = this.#longNumber(bytes, at, value);
            at = this.#at;
          }
          if (number > this.#max[column]) return REFUSED;
          values[column] = number;
          break;
        }
        case Kind.word: {
          if (inCell[bytes[at]] === 0) {
            if (column === Column.op) return REFUSED;
            values[column] = EMPTY;
            break;
          }
          const words = this.#words[column];
          if (start + GUESS_BYTES < bytes.length) {
            at = words.guess(bytes, start);
            if (at > 0 && inCell[bytes[at]] === 0) {
              values[column] = words.guessed;
              break;
            }
            at = start;
          }
          while (inCell[bytes[at]] === 1) at++;
          const word = words.lookup(bytes, start, at);
          if (word === NOT_A_WORD) return REFUSED;
          values[column] = word;
          break;
        }
        case Kind.text: {
          while (inCell[bytes[at]] === 1) at++;
          const isEscaped =
            bytes[start] === APOSTROPHE && at - start > 1 && FOLLOWS_APOSTROPHE[bytes[start + 1]] === 1;
          const textStart = isEscaped ? start + 1 : start;
          if (at - textStart > MAX_TEXT) return REFUSED;
          starts[column] = textStart;
          ends[column] = at;
          break;
        }
        default: {
          const number = kinds[cell] === Kind.node ? this.#node(bytes, at) : this.#pfn(bytes, at);
          if (number === REFUSED) return REFUSED;
          at = this.#at;
          values[column] = number;
        }
      }
      if (isQuoted && bytes[at++] !== QUOTE) return REFUSED;
      if (cell === last) break;
      if (bytes[at] !== COMMA) return REFUSED;
      at++;
    }
    if (bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] === LF)) return at;
    return REFUSED;
  }

  /** Goes on with a number of which `head` are the first INT_DIGITS digits. More than any column's maximum if it is none. */
  #longNumber(bytes: Uint8Array, from: number, head: number): number {
    let at = from;
    let tail = 0;
    let digit = bytes[at] - ZERO;
    while (digit >= 0 && digit <= 9) {
      if (at - from === MAX_DIGITS - INT_DIGITS) return Number.POSITIVE_INFINITY;
      tail = tail * 10 + digit;
      digit = bytes[++at] - ZERO;
    }
    this.#at = at;
    return head * POWERS[at - from] + tail;
  }

  /** Decimal number at `from`, EMPTY if there is no digit, REFUSED if it is longer than a number may be. */
  #decimal(bytes: Uint8Array, from: number): number {
    let at = from;
    let value = 0;
    let digit = bytes[at] - ZERO;
    while (digit >= 0 && digit <= 9) {
      if (at - from === MAX_DIGITS) return REFUSED;
      value = value * 10 + digit;
      digit = bytes[++at] - ZERO;
    }
    this.#at = at;
    return at === from ? EMPTY : value;
  }

  #node(bytes: Uint8Array, from: number): number {
    if (bytes[from] === MINUS && bytes[from + 1] === ZERO + 1) {
      this.#at = from + 2;
      return EMPTY;
    }
    const node = this.#decimal(bytes, from);
    return node > MAX_NODE ? REFUSED : node;
  }

  #pfn(bytes: Uint8Array, from: number): number {
    let pfn = 0;
    if (bytes[from] === ZERO && (bytes[from + 1] | LOWER) === LETTER_X) {
      const first = from + 2;
      let at = first;
      for (let digit = HEX[bytes[at]]; digit < 16; digit = HEX[bytes[++at]]) pfn = pfn * 16 + digit;
      if (at === first || at - first > MAX_HEX_DIGITS) return REFUSED;
      this.#at = at;
    } else pfn = this.#decimal(bytes, from);
    return pfn > MAX_PFN ? REFUSED : pfn;
  }
}
