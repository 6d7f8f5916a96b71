/**
 * Writes events as version 1 of the trace CSV.
 *
 * The columns are always the documented ones in their documented order, cells that hold their default are empty, cells
 * are quoted as RFC 4180 says, lines end with LF. Reading what was written and writing it again gives the same bytes.
 *
 * Cells are written as they are, also those that begin with `=`, `+`, `-` or `@`, which a spreadsheet would take for a
 * formula: a prefix would change the data. Whoever opens traces of untrusted origin in a spreadsheet asks for
 * `spreadsheetSafe`, which puts an apostrophe before such texts, and gives up reading them back unchanged.
 *
 * What CSV has no column for is counted, not lost in silence: observations of the recorded kernel are left out; a
 * recorded failure becomes `failed=1` in `arg`.
 */

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
import { fromSystemError } from '../input-error.js';
import type { KernelGeneration } from '../kernel-generation.js';
import type { StringTable } from '../string-table.js';
import { ASKS_MEMORY, CSV_COLUMNS, FREES_PAGES, HAS_ORDER, NEEDS_SIZE, saysFailed } from './columns.js';

export interface CsvWriterOptions {
  /** in whose words gfp is written; give the reader the same. 6.18 by default */
  readonly kernel?: KernelGeneration | undefined;
  /** put an apostrophe before texts that a spreadsheet would run as formulas */
  readonly spreadsheetSafe?: boolean | undefined;
}

export interface CsvWriteReport {
  rows: number;
  /** observations, which have no CSV form, by op name */
  readonly left_out: Record<string, number>;
  /** texts in which control characters were replaced by escapes, as CSV readers refuse them */
  escaped: number;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f\ufffd]/g;

export class CsvWriter {
  readonly report: CsvWriteReport = { rows: 0, left_out: {}, escaped: 0 };
  readonly #format: (bits: number) => string;
  readonly #spreadsheetSafe: boolean;
  readonly #gfpTexts = new Map<number, string>();
  /** finished cells of each string table, by number */
  readonly #cells = new Map<StringTable, string[]>();
  readonly #failedArgs = new Map<number, string>();

  constructor(options: CsvWriterOptions = {}) {
    const dialect = gfpDialect(options.kernel ?? '6.18');
    this.#format = (bits) => dialect.format(bits);
    this.#spreadsheetSafe = options.spreadsheetSafe ?? false;
  }

  /** The header row, with its line end. */
  header(): string {
    return `${CSV_COLUMNS.join(',')}\n`;
  }

  #cell(text: string): string {
    let safe = text.replace(CONTROLS, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
    if (safe !== text) this.report.escaped++;
    if (this.#spreadsheetSafe && /^[=+\-@\t]/.test(safe)) safe = `'${safe}`;
    return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  #interned(table: StringTable, number: number): string {
    if (number === 0) return '';
    let cells = this.#cells.get(table);
    if (cells === undefined) {
      cells = [];
      this.#cells.set(table, cells);
    }
    let cell = cells[number];
    if (cell === undefined) {
      cell = this.#cell(table.get(number));
      cells[number] = cell;
    }
    return cell;
  }

  #arg(table: StringTable, number: number, failed: boolean): string {
    if (!failed) return this.#interned(table, number);
    let cell = this.#failedArgs.get(number);
    if (cell === undefined) {
      const text = table.get(number);
      cell = this.#cell(saysFailed(text) ? text : text === '' ? 'failed=1' : `${text};failed=1`);
      this.#failedArgs.set(number, cell);
    }
    return cell;
  }

  #gfp(op: number, bits: number): string {
    if (bits === 0 && ASKS_MEMORY[op] !== 1) return '';
    let text = this.#gfpTexts.get(bits);
    if (text === undefined) {
      text = this.#format(bits);
      this.#gfpTexts.set(bits, text);
    }
    return text;
  }

  /** The rows of a batch, with their line ends. */
  rows(batch: EventBatch): string {
    const { strings } = batch;
    const lines: string[] = [];
    for (let i = 0; i < batch.length; i++) {
      const op = batch.op[i] as number;
      if (op >= FIRST_OBSERVATION) {
        const name = OP_NAMES[op] as string;
        this.report.left_out[name] = (this.report.left_out[name] ?? 0) + 1;
        continue;
      }
      const order = batch.order[i] as number;
      const showsOrder = order !== NO_ORDER && (order !== 0 || HAS_ORDER[op] === 1 || FREES_PAGES[op] === 1);
      const node = batch.node[i] as number;
      const pfn = batch.pfn[i] as number;
      const size = batch.size[i] as number;
      const depth = batch.depth[i] as number;
      const at = batch.at[i] as number;
      const id = batch.id[i] as number;
      const failed = ((batch.flags[i] as number) & EventFlag.failed) !== 0;
      lines.push(
        `${batch.ts[i]},${batch.cpu[i]},${CTX_NAMES[batch.ctx[i] as number]},${OP_NAMES[op]},${
          id === NONE_U32 ? '' : this.#cell(strings.ids.get(id))
        },${showsOrder ? order : ''},${this.#gfp(op, batch.gfp[i] as number)},${node < 0 ? '' : node},${
          pfn === NONE_U32 ? '' : `0x${pfn.toString(16)}`
        },${this.#interned(strings.memcgs, batch.memcg[i] as number)},${this.#interned(
          strings.sites,
          batch.site[i] as number,
        )},${this.#interned(strings.caches, batch.cache[i] as number)},${
          size === 0 && NEEDS_SIZE[op] !== 1 ? '' : size
        },${depth === 0 ? '' : depth},${at === 0 ? '' : LOCK_POINTS[at]},${this.#arg(
          strings.args,
          batch.arg[i] as number,
          failed,
        )}\n`,
      );
      this.report.rows++;
    }
    return lines.join('');
  }
}

/**
 * Writes all batches to a file, or to standard output for `-`; gzip-compressed if the name ends in `.gz`.
 *
 * @throws InputError  if the file cannot be written
 */
export async function writeCsv(
  batches: AsyncIterable<EventBatch>,
  path: string,
  options: CsvWriterOptions = {},
): Promise<CsvWriteReport> {
  const [{ createWriteStream }, { pipeline }, { Readable }] = await Promise.all([
    import('node:fs'),
    import('node:stream/promises'),
    import('node:stream'),
  ]);
  const writer = new CsvWriter(options);
  async function* texts(): AsyncGenerator<Buffer> {
    yield Buffer.from(writer.header());
    for await (const batch of batches) yield Buffer.from(writer.rows(batch));
  }
  const source = Readable.from(texts(), { objectMode: false });
  try {
    if (path === '-') {
      await pipeline(source, process.stdout, { end: false });
    } else if (path.endsWith('.gz')) {
      const { createGzip } = await import('node:zlib');
      await pipeline(source, createGzip(), createWriteStream(path));
    } else {
      await pipeline(source, createWriteStream(path));
    }
  } catch (error) {
    throw fromSystemError(error, path, 'written');
  }
  return writer.report;
}
