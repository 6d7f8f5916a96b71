/**
 * Reads version 1 of the trace CSV (docs/formats-csv.md).
 *
 * There are two ways from bytes to events. The scanner reads plain rows in place; what it does not accept goes, row by
 * row, the strict way: csv-parse cuts the row into cells, rows.ts checks them and tells what is wrong with them. Both
 * end in the same RowEvents, so that it makes no difference, except in time, which way a row took. Lines are counted
 * here, by their LF: errors name the line in which the row begins.
 */
import { CsvError } from 'csv-parse';
import type { ByteInput } from '../bytes/open-input.js';
import { BATCH_EVENTS, EventBatch, type EventSource } from '../event-batch.js';
import { EventTotals } from '../event-totals.js';
import { gfpDialect } from '../gfp-text.js';
import { InputError, InputErrors, type InputProblem } from '../input-error.js';
import { DEFAULT_LIMITS } from '../limits.js';
import type { ReaderOptions } from '../reader-options.js';
import { createTraceStrings, type TraceStrings } from '../string-table.js';
import { CellCutter, describeCsvError } from './cell-cutter.js';
import { Column, type CsvColumn } from './columns.js';
import { LineBlocks, withoutMark } from './line-blocks.js';
import { RowEvents } from './row-events.js';
import { CsvRows } from './rows.js';
import { CsvScanner } from './scanner.js';
import { parseHeader, type WordChecks, wordChecks } from './schema.js';

/** `strict` changes nothing: a row that is not understood fails anyway. */
export interface CsvOptions extends ReaderOptions {
  /** errors collected before reading stops; 1 by default: the first one is thrown at once */
  readonly maxErrors?: number | undefined;
  /** leave invalid rows out, and count them, instead of failing */
  readonly skipInvalid?: boolean | undefined;
  /** false: every row goes the strict way. The result is the same; for tests and benches. */
  readonly scanner?: boolean | undefined;
}

export interface CsvReport {
  /** columns of the file, in its order */
  readonly columns: readonly CsvColumn[];
  /** line of the last row */
  readonly lines: number;
  /** rows read, the invalid ones included, the header not */
  readonly rows: number;
  readonly emitted: number;
  /** by name; ops that do not occur are left out */
  readonly by_op: Readonly<Record<string, number>>;
  readonly by_ctx: Readonly<Record<string, number>>;
  readonly cpus: readonly number[];
  readonly first_ts: number | undefined;
  readonly last_ts: number | undefined;
  /** rows left out because they are invalid */
  readonly invalid: number;
  /** one line for each of the first of them */
  readonly invalid_examples: readonly string[];
}

const INVALID_EXAMPLES = 20;
const LF = 0x0a;
const CR = 0x0d;
const LONE_CR = /\r(?!\n)/;

/** An EventSource over a trace CSV. `report()` is complete when batches() has ended. */
export class CsvReader implements EventSource {
  readonly strings: TraceStrings;
  readonly #input: ByteInput;
  readonly #maxErrors: number;
  readonly #skipInvalid: boolean;
  readonly #useScanner: boolean;
  readonly #capacity: number;
  readonly #recordBytes: number;
  readonly #words: WordChecks;
  readonly #events: RowEvents;
  readonly #cutter = new CellCutter();
  readonly #totals = new EventTotals();
  readonly #spare: EventBatch[] = [];
  #batch: EventBatch;
  #full: EventBatch | undefined;
  #columns: readonly CsvColumn[] = [];
  #hasDepth = false;
  #rows: CsvRows | undefined;
  #scanner: CsvScanner | undefined;
  /** line of the next byte */
  #line = 1;
  /** first line and bytes of the row that the cutter has not ended yet */
  #openLine = 0;
  #openBytes = 0;
  #invalid = 0;
  #errors: InputError[] = [];
  #examples: string[] = [];
  #stopped = false;
  #started = false;

  constructor(input: ByteInput, options: CsvOptions = {}) {
    const limits = options.limits ?? DEFAULT_LIMITS;
    const dialect = gfpDialect(options.kernel ?? '6.18');
    this.strings = options.strings ?? createTraceStrings(limits, input.name);
    this.#input = input;
    this.#maxErrors = Math.max(1, options.maxErrors ?? 1);
    this.#skipInvalid = options.skipInvalid ?? false;
    this.#useScanner = options.scanner ?? true;
    this.#capacity = options.batchEvents ?? BATCH_EVENTS;
    this.#recordBytes = limits.record_bytes;
    this.#words = wordChecks(dialect);
    this.#events = new RowEvents(this.strings, dialect.parse('GFP_KERNEL').bits);
    this.#batch = new EventBatch(this.strings, this.#capacity);
  }

  /**
   * The events in the order of the rows. Can be called once.
   *
   * @throws InputError   the first mistake (maxErrors 1), or one after which reading cannot go on; with `isCut` set,
   *                      after all events, if the input ends in the middle of a row
   * @throws InputErrors  all mistakes, at most `maxErrors`
   */
  async *batches(): AsyncGenerator<EventBatch> {
    if (this.#started) throw new Error('a trace can be read once');
    this.#started = true;
    let failure: { readonly error: unknown } | undefined;
    const lines = new LineBlocks();
    this.#input.reuseMemory?.();
    try {
      for await (const chunk of withoutMark(this.#input)) {
        for (const block of lines.add(chunk)) {
          for (let at = 0; at < block.length && !this.#stopped; ) {
            at = this.#advance(block, at);
            // A yield* awaits also where there is nothing to yield, and rows of the strict way come one by one.
            if (this.#full !== undefined) yield* this.#takeFull();
          }
        }
        if (this.#stopped) break;
        // One more than allowed may be the CR of the line end.
        if (lines.restBytes > this.#recordBytes + 1) this.#refuseLength(lines.rest);
      }
      if (!this.#stopped) this.#finish(lines.rest);
    } catch (error) {
      failure = { error };
    }
    this.#totals.add(this.#batch);
    const isCut = failure?.error instanceof InputError && failure.error.isCut;
    if (failure !== undefined) {
      // Collected mistakes come first: they stand before the point at which reading ended.
      if (failure.error instanceof InputError && this.#errors.length > 0) this.#errors.push(failure.error);
      else if (!isCut) throw failure.error;
    }
    yield* this.#takeFull();
    if (!this.#stopped && this.#batch.length > 0) yield this.#batch;
    const first = this.#errors[0];
    if (first === undefined) {
      if (failure !== undefined) throw failure.error;
      return;
    }
    if (this.#errors.length === 1 && this.#maxErrors === 1) throw first;
    throw new InputErrors(this.#errors, !this.#stopped);
  }

  *#takeFull(): Generator<EventBatch> {
    const batch = this.#full;
    if (batch === undefined) return;
    this.#full = undefined;
    yield batch;
    batch.length = 0;
    this.#spare.push(batch);
  }

  /** A batch is done as soon as it is full: an error behind it does not take it along. */
  #endFullBatch(): void {
    if (this.#batch.length < this.#capacity) return;
    this.#totals.add(this.#batch);
    this.#full = this.#batch;
    this.#batch = this.#spare.pop() ?? new EventBatch(this.strings, this.#capacity);
  }

  /** Reads on at `from`, until the block or the batch ends, or one row that took the strict way. @returns where it is */
  #advance(block: Uint8Array, from: number): number {
    let at = from;
    const scanner = this.#scanner;
    if (scanner !== undefined && !this.#cutter.isOpen) {
      scanner.line = this.#line;
      at = scanner.scan(block, at, block.length, this.#batch);
      this.#line = scanner.line;
      this.#endFullBatch();
      if (!scanner.isRefused || this.#full !== undefined) return at;
    }
    const end = block.indexOf(LF, at) + 1;
    const row = this.#cutLine(block.subarray(at, end));
    if (row !== undefined) this.#takeRow(row);
    this.#line++;
    return end;
  }

  /** One line the strict way, with its line end unless it is the input's last. @returns the row that ends with it */
  #cutLine(line: Uint8Array): string[] | undefined {
    if (!this.#cutter.isOpen) {
      this.#openLine = this.#line;
      this.#openBytes = 0;
    }
    this.#openBytes += line.length;
    const hasLf = line.at(-1) === LF;
    const lineEnd = (hasLf ? 1 : 0) + (line.at(hasLf ? -2 : -1) === CR ? 1 : 0);
    if (this.#openBytes - lineEnd > this.#recordBytes) this.#refuseLength(line);
    try {
      return hasLf ? this.#cutter.cut(line) : this.#cutter.cutLast(line);
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      const [expectation, remedy] = describeCsvError(error);
      throw this.#error({ line: this.#line, expectation, remedy });
    }
  }

  /** The input has ended; `rest` stands behind its last line end. */
  #finish(rest: Uint8Array): void {
    if (rest.length > 0) {
      const wasOpen = this.#cutter.isOpen;
      const row = this.#cutLine(rest.at(-1) === CR ? rest.subarray(0, -1) : rest);
      const cells = this.#rows?.header.cells;
      const isShort = row !== undefined && cells !== undefined && row.length < cells;
      // Texts hold no line ends: a quote that goes on behind one is a mistake, not a sign that the rest is missing.
      const isCut = isShort || (this.#cutter.isOpen && !wasOpen && cells !== undefined);
      if (isCut && !this.#skipInvalid) {
        throw this.#error({
          line: this.#openLine,
          expectation: 'ends in the middle of a row',
          remedy: 'all rows before it were read',
          isCut: true,
        });
      }
      if (row !== undefined) this.#takeRow(row);
    }
    if (this.#cutter.isOpen) {
      const error = this.#error({
        line: this.#openLine,
        expectation: 'has a quoted field that never ends',
        remedy: 'close the quote',
      });
      if (!this.#skipInvalid || this.#rows === undefined) throw error;
      this.#events.rowLine = this.#openLine;
      this.#mistake(error);
    } else if (this.#rows === undefined && this.#errors.length === 0) {
      if (rest.includes(CR)) throw this.#lineEndError(1);
      throw this.#error({ expectation: 'is empty', remedy: 'the first row names the columns' });
    }
  }

  #takeRow(row: readonly string[]): void {
    if (this.#rows === undefined) {
      this.#takeHeader(row);
      return;
    }
    this.#rows.append(row, this.#openLine, this.#batch);
    this.#endFullBatch();
  }

  #takeHeader(row: readonly string[]): void {
    const file = this.#input.name;
    const line = this.#openLine;
    this.#events.rowLine = line;
    try {
      if (row.some((cell) => LONE_CR.test(cell))) throw this.#lineEndError(line);
      const columns = parseHeader(row, file, line);
      const header = { file, columns, cells: row.length };
      this.#columns = row as readonly CsvColumn[];
      this.#hasDepth = columns.depth >= 0;
      this.#rows = new CsvRows(header, this.#events, this.#words, (error) => this.#mistake(error));
      if (!this.#useScanner) return;
      const cells = this.#columns.map((name) => Column[name]);
      this.#scanner = new CsvScanner(cells, this.#words, this.#events, this.#recordBytes);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#errors.push(error);
      this.#stopped = true;
    }
  }

  #mistake(error: InputError): void {
    this.#invalid++;
    if (this.#examples.length < INVALID_EXAMPLES) this.#examples.push(error.message);
    if (this.#skipInvalid) return;
    this.#errors.push(error);
    if (this.#errors.length >= this.#maxErrors) this.#stopped = true;
  }

  #error(problem: Omit<InputProblem, 'file'>): InputError {
    return new InputError({ file: this.#input.name, ...problem });
  }

  #lineEndError(line: number): InputError {
    return this.#error({
      line,
      expectation: 'has lines that end in CR alone',
      remedy: `convert them, with tr "\\r" "\\n" for example`,
    });
  }

  #refuseLength(line: Uint8Array): never {
    if (this.#rows === undefined && LONE_CR.test(Buffer.from(line.subarray(0, -1)).toString('latin1')))
      throw this.#lineEndError(this.#line);
    throw this.#error({
      line: this.#cutter.isOpen ? this.#openLine : this.#line,
      expectation: `has a row longer than ${this.#recordBytes.toLocaleString('en-US')} bytes`,
      remedy: 'is a quote not closed? if the row is right, raise --max-record',
    });
  }

  /** Whether rows may be nested, as far as the file is read. */
  get mayNest(): boolean {
    return this.#hasDepth;
  }

  /** What was read so far, as plain data. */
  report(): CsvReport {
    const { by_op, by_ctx, cpus, first_ts, last_ts } = this.#totals.report();
    return {
      columns: this.#columns,
      lines: this.#events.rowLine,
      rows: this.#events.emitted + this.#invalid,
      emitted: this.#events.emitted,
      by_op,
      by_ctx,
      cpus,
      first_ts,
      last_ts,
      invalid: this.#invalid,
      invalid_examples: this.#examples,
    };
  }
}
