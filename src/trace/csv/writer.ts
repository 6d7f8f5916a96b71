/**
 * Writes events as version 1 of the trace CSV (docs/formats-csv.md).
 *
 * Cells that hold their default are empty, cells are quoted as RFC 4180 says, lines end with LF. Reading what was
 * written and writing it again, with the same columns, gives the same bytes.
 *
 * Texts that a spreadsheet would run as formulas get an apostrophe in front, which the reader takes off again
 * (formula.ts). `formulaSafe: false` writes them as they are.
 *
 * What CSV has no column for is counted, not lost in silence: observations of the recorded kernel are left out; a
 * recorded failure becomes `failed=1` in `arg`.
 */
import { writeOutput } from '../bytes/output-file.js';
import {
  CTX_NAMES,
  type EventBatch,
  EventFlag,
  FIRST_OBSERVATION,
  LOCK_POINTS,
  NO_ORDER,
  NONE_U32,
  OP_NAMES,
} from '../event-batch.js';
import { gfpDialect } from '../gfp-text.js';
import type { KernelGeneration } from '../kernel-generation.js';
import type { StringTable } from '../string-table.js';
import {
  ASKS_MEMORY,
  Column,
  CSV_COLUMNS,
  type CsvColumn,
  FREES_PAGES,
  HAS_ORDER,
  NEEDS_CACHE_OR_SIZE,
  NEEDS_SIZE,
  saysFailed,
} from './columns.js';
import { escapeFormula, FOLLOWS_APOSTROPHE } from './formula.js';
import { OutputBytes } from './output-bytes.js';

export interface CsvWriterOptions {
  /** in whose words gfp is written; give the reader the same. 6.18 by default */
  readonly kernel?: KernelGeneration | undefined;
  /** which columns, in which order; `op` is one of them. All by default; what the others hold is not written. */
  readonly columns?: readonly CsvColumn[] | undefined;
  /** false: leave texts that a spreadsheet would run as they are */
  readonly formulaSafe?: boolean | undefined;
}

export interface CsvWriteReport {
  rows: number;
  /** observations, which have no CSV form, by op name */
  readonly left_out: Record<string, number>;
  /** texts in which control characters were replaced by escapes, as CSV readers refuse them */
  escaped: number;
  /** written to the file, packed if it is */
  bytes: number;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f\ufffd]/g;
const LF = 0x0a;
const COMMA = 0x2c;
/** Finished cells that are kept for each string table. */
const REMEMBERED = 1 << 16;

/** 1 for characters that need no quotes and no escape wherever they stand. */
const PLAIN = new Uint8Array(128).fill(1, 0x20, 0x7f);
for (const character of '",#') PLAIN[character.charCodeAt(0)] = 0;
FOLLOWS_APOSTROPHE.subarray(0, 128).forEach((follows, code) => {
  if (follows === 1) PLAIN[code] = 0;
});

function wordCells(words: readonly string[]): readonly Uint8Array[] {
  return words.map((word) => Buffer.from(word));
}
const OP_CELLS = wordCells(OP_NAMES);
const CTX_CELLS = wordCells(CTX_NAMES);
const LOCK_POINT_CELLS = wordCells(LOCK_POINTS);

export class CsvWriter {
  readonly report: CsvWriteReport = { rows: 0, left_out: {}, escaped: 0, bytes: 0 };
  readonly #format: (bits: number) => string;
  readonly #formulaSafe: boolean;
  readonly #columns: readonly CsvColumn[];
  readonly #output = new OutputBytes();
  readonly #gfpCells = new Map<number, Uint8Array>();
  /** finished cells of each string table, by number; those of failed allocations have more in them */
  readonly #cells = new Map<StringTable, Uint8Array[]>();
  readonly #failedCells = new Map<StringTable, Uint8Array[]>();

  constructor(options: CsvWriterOptions = {}) {
    const dialect = gfpDialect(options.kernel ?? '6.18');
    this.#format = (bits) => dialect.format(bits);
    this.#formulaSafe = options.formulaSafe ?? true;
    this.#columns = options.columns ?? CSV_COLUMNS;
    if (!this.#columns.includes('op') || new Set(this.#columns).size < this.#columns.length)
      throw new Error('a trace CSV has each of its columns once, and op is one of them');
  }

  /** The header row, with its line end. */
  header(): string {
    return `${this.#columns.join(',')}\n`;
  }

  /** The rows of a batch, with their line ends. */
  rows(batch: EventBatch): string {
    const bytes = this.rowBytes(batch);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  }

  /** As rows(), in UTF-8. */
  rowBytes(batch: EventBatch): Uint8Array {
    const output = this.#output;
    const columns = this.#columns.map((name) => Column[name]);
    const { length } = columns;
    for (let row = 0; row < batch.length; row++) {
      const op = batch.op[row];
      if (op >= FIRST_OBSERVATION) {
        const name = OP_NAMES[op] as string;
        this.report.left_out[name] = (this.report.left_out[name] ?? 0) + 1;
        continue;
      }
      this.#cell(columns[0], batch, row, op);
      for (let i = 1; i < length; i++) {
        output.byte(COMMA);
        this.#cell(columns[i], batch, row, op);
      }
      output.byte(LF);
      this.report.rows++;
    }
    return output.take();
  }

  /** Writes one cell; nothing where it holds its default. */
  #cell(column: number, batch: EventBatch, row: number, op: number): void {
    const output = this.#output;
    const { strings } = batch;
    switch (column) {
      case Column.ts:
        output.number(batch.ts[row]);
        break;
      case Column.cpu:
        output.number(batch.cpu[row]);
        break;
      case Column.ctx:
        output.cell(CTX_CELLS[batch.ctx[row]] as Uint8Array);
        break;
      case Column.op:
        output.cell(OP_CELLS[op] as Uint8Array);
        break;
      case Column.id:
        if (batch.id[row] !== NONE_U32) this.#id(strings.ids.get(batch.id[row]));
        break;
      case Column.order: {
        const order = batch.order[row];
        if (order !== NO_ORDER && (order !== 0 || HAS_ORDER[op] === 1 || FREES_PAGES[op] === 1))
          output.number(order);
        break;
      }
      case Column.gfp:
        if (batch.gfp[row] !== 0 || ASKS_MEMORY[op] === 1) output.cell(this.#gfp(batch.gfp[row]));
        break;
      case Column.node:
        if (batch.node[row] >= 0) output.number(batch.node[row]);
        break;
      case Column.pfn:
        if (batch.pfn[row] !== NONE_U32) output.hex(batch.pfn[row]);
        break;
      case Column.memcg:
        this.#interned(strings.memcgs, batch.memcg[row]);
        break;
      case Column.site:
        this.#interned(strings.sites, batch.site[row]);
        break;
      case Column.cache:
        this.#interned(strings.caches, batch.cache[row]);
        break;
      case Column.size: {
        const size = batch.size[row];
        const isNeeded = NEEDS_SIZE[op] === 1 || (NEEDS_CACHE_OR_SIZE[op] === 1 && batch.cache[row] === 0);
        if (size !== 0 || isNeeded) output.number(size);
        break;
      }
      case Column.depth:
        if (batch.depth[row] !== 0) output.number(batch.depth[row]);
        break;
      case Column.at:
        if (batch.at[row] !== 0) output.cell(LOCK_POINT_CELLS[batch.at[row]] as Uint8Array);
        break;
      default:
        this.#arg(strings.args, batch.arg[row], (batch.flags[row] & EventFlag.failed) !== 0);
    }
  }

  /** A text as a cell, with its apostrophe and quotes. */
  #textCell(text: string): string {
    const printable = text.replace(CONTROLS, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
    if (printable !== text) this.report.escaped++;
    const safe = escapeFormula(printable, this.#formulaSafe);
    // A row that begins with # would be a comment.
    return /^#|[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  #id(text: string): void {
    if (!this.#output.plainText(text, PLAIN)) this.#output.text(this.#textCell(text));
  }

  #remembered(
    all: Map<StringTable, Uint8Array[]>,
    table: StringTable,
    number: number,
    textOf: (text: string) => string,
  ): Uint8Array {
    let cells = all.get(table);
    if (cells === undefined) {
      cells = [];
      all.set(table, cells);
    }
    const known = cells[number];
    if (known !== undefined) return known;
    const cell = Buffer.from(this.#textCell(textOf(table.get(number))));
    if (number < REMEMBERED) cells[number] = cell;
    return cell;
  }

  #interned(table: StringTable, number: number): void {
    if (number !== 0) this.#output.cell(this.#remembered(this.#cells, table, number, asItIs));
  }

  #arg(table: StringTable, number: number, failed: boolean): void {
    if (failed) this.#output.cell(this.#remembered(this.#failedCells, table, number, withFailure));
    else this.#interned(table, number);
  }

  #gfp(bits: number): Uint8Array {
    let cell = this.#gfpCells.get(bits);
    if (cell === undefined) {
      cell = Buffer.from(this.#format(bits));
      if (this.#gfpCells.size < REMEMBERED) this.#gfpCells.set(bits, cell);
    }
    return cell;
  }
}

function asItIs(text: string): string {
  return text;
}

function withFailure(text: string): string {
  return saysFailed(text) ? text : text === '' ? 'failed=1' : `${text};failed=1`;
}

/**
 * Writes all batches to a file, or to standard output for `-`; packed if the name ends in `.gz` or `.zst`.
 *
 * @throws InputError  if the file cannot be written
 */
export async function writeCsv(
  batches: AsyncIterable<EventBatch>,
  path: string,
  options: CsvWriterOptions = {},
): Promise<CsvWriteReport> {
  const writer = new CsvWriter(options);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(writer.header());
    for await (const batch of batches) yield writer.rowBytes(batch);
  }
  writer.report.bytes = await writeOutput(path, chunks());
  return writer.report;
}
