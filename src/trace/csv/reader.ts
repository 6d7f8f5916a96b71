/**
 * Reads version 1 of the trace CSV.
 *
 * The parser library cuts bytes into cells; csv-rows.ts makes events of them. Mistakes are told with line and column.
 */
import { CsvError, type Options, Parser } from 'csv-parse';
import type { ByteInput } from '../bytes/open-input.js';
import { BATCH_EVENTS, EventBatch, type EventSource, OP_NAMES } from '../event-batch.js';
import { contextTotals } from '../event-totals.js';
import { type GfpDialect, gfpDialect } from '../gfp-text.js';
import { InputError, InputErrors } from '../input-error.js';
import type { KernelGeneration } from '../kernel-generation.js';
import { createTraceStrings, type TraceStrings } from '../string-table.js';

import { CsvRows } from './rows.js';
import { parseHeader } from './schema.js';

export interface CsvOptions {
  /** whose gfp words the file uses; 6.18 by default */
  readonly kernel?: KernelGeneration | undefined;
  /** errors collected before reading stops; 1 by default: the first one is thrown at once */
  readonly maxErrors?: number | undefined;
  /** leave invalid rows out, and count them, instead of failing */
  readonly skipInvalid?: boolean | undefined;
  /** longest row */
  readonly maxRecordBytes?: number | undefined;
  readonly batchEvents?: number | undefined;
}

export interface CsvReport {
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

const MAX_RECORD_BYTES = 1 << 17;
const INVALID_EXAMPLES = 20;

/**
 * Hands rows over as they are cut, with the parser's line count still at the row. Rows that went through the stream's
 * queue would have lost it.
 */
class RowParser extends Parser {
  constructor(
    options: Options,
    readonly onRow: (row: string[], line: number) => void,
  ) {
    super(options);
  }

  override push(row: unknown): boolean {
    if (row === null) return super.push(null);
    this.onRow(row as string[], this.info.lines);
    return true;
  }
}

/** An EventSource over a trace CSV. `report()` is complete when batches() has ended. */
export class CsvReader implements EventSource {
  readonly strings: TraceStrings = createTraceStrings();
  readonly #input: ByteInput;
  readonly #dialect: GfpDialect;
  readonly #maxErrors: number;
  readonly #skipInvalid: boolean;
  readonly #capacity: number;
  readonly #maxRecordBytes: number;
  readonly #full: EventBatch[] = [];
  readonly #spare: EventBatch[] = [];
  #batch: EventBatch;
  #csvRows: CsvRows | undefined;
  #line = 0;
  #rows = 0;
  #emitted = 0;
  #invalid = 0;
  #errors: InputError[] = [];
  #examples: string[] = [];
  #stopped = false;
  #started = false;
  constructor(input: ByteInput, options: CsvOptions = {}) {
    this.#input = input;
    this.#dialect = gfpDialect(options.kernel ?? '6.18');
    this.#maxErrors = Math.max(1, options.maxErrors ?? 1);
    this.#skipInvalid = options.skipInvalid ?? false;
    this.#capacity = options.batchEvents ?? BATCH_EVENTS;
    this.#maxRecordBytes = options.maxRecordBytes ?? MAX_RECORD_BYTES;
    this.#batch = new EventBatch(this.strings, this.#capacity);
  }

  /**
   * The events in the order of the rows. Can be called once.
   *
   * @throws InputError   the first mistake (maxErrors 1), or one after which reading cannot go on
   * @throws InputErrors  all mistakes, at most `maxErrors`
   */
  async *batches(): AsyncGenerator<EventBatch> {
    if (this.#started) throw new Error('a trace can be read once');
    this.#started = true;
    const parser = new RowParser(
      {
        bom: true,
        columns: false,
        comment: '#',
        comment_no_infix: true,
        max_record_size: this.#maxRecordBytes,
        record_delimiter: ['\r\n', '\n'],
        // Rows of the wrong length are told by this reader, with the header's length and the line.
        relax_column_count: true,
        skip_empty_lines: true,
      },
      (row, line) => this.#takeRow(row, line),
    );
    // Errors come through the callbacks below; without a listener the stream would throw them a second time.
    parser.on('error', () => {});
    parser.resume();
    let failure: { readonly error: unknown } | undefined;
    let isFirst = true;
    try {
      for await (const chunk of this.#input.chunks) {
        if (isFirst) this.#rejectUtf16(chunk);
        isFirst = false;
        await new Promise<void>((resolve, reject) => {
          parser.write(chunk, (error) => (error ? reject(error) : resolve()));
        });
        if (this.#stopped) break;
        yield* this.#take();
      }
      if (!this.#stopped) {
        await new Promise<void>((resolve, reject) => {
          parser.once('end', resolve);
          parser.once('error', reject);
          parser.end();
        });
      }
    } catch (error) {
      failure = { error: error instanceof CsvError ? this.#csvError(error) : error };
    } finally {
      parser.destroy();
    }
    if (failure === undefined && this.#csvRows === undefined && this.#errors.length === 0) {
      failure = {
        error: new InputError({
          file: this.#input.name,
          expectation: 'is empty',
          remedy: 'the first row names the columns',
        }),
      };
    }
    if (failure !== undefined) {
      // Collected mistakes come first: they stand before the point at which reading ended.
      if (failure.error instanceof InputError && this.#errors.length > 0) this.#errors.push(failure.error);
      else throw failure.error;
    }
    if (this.#errors.length === 0 || !this.#stopped) {
      if (this.#batch.length > 0) this.#full.push(this.#batch);
      yield* this.#take();
    }
    const first = this.#errors[0];
    if (first === undefined) return;
    if (this.#errors.length === 1 && this.#maxErrors === 1) throw first;
    throw new InputErrors(this.#errors, !this.#stopped);
  }

  *#take(): Generator<EventBatch> {
    for (let batch = this.#full.shift(); batch !== undefined; batch = this.#full.shift()) {
      yield batch;
      batch.length = 0;
      this.#spare.push(batch);
    }
  }

  #rejectUtf16(chunk: Uint8Array): void {
    const mark = ((chunk[0] ?? 0) << 8) | (chunk[1] ?? 0);
    if (mark === 0xfffe || mark === 0xfeff) {
      throw new InputError({
        file: this.#input.name,
        expectation: 'is encoded in UTF-16',
        remedy: 'save it as UTF-8',
      });
    }
  }

  #csvError(error: CsvError): InputError {
    const { lines } = error as CsvError & { readonly lines?: number };
    const reasons: ReadonlyMap<string, readonly [string, string]> = new Map([
      ['CSV_QUOTE_NOT_CLOSED', ['has a quoted field that never ends', 'close the quote']],
      [
        'CSV_INVALID_CLOSING_QUOTE',
        ['has text behind a closing quote', 'double the quotes inside a quoted field'],
      ],
      ['INVALID_OPENING_QUOTE', ['has a quote inside an unquoted field', 'quote the whole field']],
      [
        'CSV_MAX_RECORD_SIZE',
        [`has a row longer than ${this.#maxRecordBytes} characters`, 'is a quote not closed?'],
      ],
    ]);
    const [expectation, remedy] = reasons.get(error.code) ?? [`is not CSV (${error.code})`, undefined];
    return new InputError({ file: this.#input.name, line: lines ?? this.#line, expectation, remedy });
  }

  #takeRow(row: string[], line: number): void {
    if (this.#stopped) return;
    // The parser counts to the row's end; a quoted field may hold line ends.
    let first = line;
    for (const cell of row) if (cell.includes('\n')) first -= cell.split('\n').length - 1;
    this.#line = first;
    if (this.#csvRows === undefined) {
      this.#takeHeader(row, first);
      return;
    }
    this.#rows++;
    if (this.#batch.length === this.#capacity) {
      this.#full.push(this.#batch);
      this.#batch = this.#spare.pop() ?? new EventBatch(this.strings, this.#capacity);
    }
    if (this.#csvRows.append(row, first, this.#batch)) this.#emitted++;
  }

  #takeHeader(row: readonly string[], line: number): void {
    const file = this.#input.name;
    try {
      const header = { file, columns: parseHeader(row, file, line), cells: row.length };
      this.#csvRows = new CsvRows(header, this.strings, this.#dialect, (error) => this.#mistake(error));
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

  /** What was read so far, as plain data. */
  report(): CsvReport {
    const rows = this.#csvRows;
    const cpus: number[] = [];
    rows?.cpus.forEach((seen, cpu) => {
      if (seen === 1) cpus.push(cpu);
    });
    const byOp = OP_NAMES.map((name, op) => [name, rows?.opCounts[op] ?? 0] as const);
    const isEmpty = rows === undefined || rows.firstTs < 0;
    return {
      lines: this.#line,
      rows: this.#rows,
      emitted: this.#emitted,
      by_op: Object.fromEntries(byOp.filter(([, count]) => count > 0)),
      by_ctx: contextTotals(rows?.ctxCounts ?? new Float64Array(4)),
      cpus,
      first_ts: isEmpty ? undefined : rows.firstTs,
      last_ts: isEmpty ? undefined : rows.lastTs,
      invalid: this.#invalid,
      invalid_examples: this.#examples,
    };
  }
}
