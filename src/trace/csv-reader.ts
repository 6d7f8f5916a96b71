/**
 * Reads version 1 of the trace CSV.
 *
 * The parser library cuts bytes into cells; everything beyond that is checked here, cell by cell, and told with line
 * and column. Distinct strings are checked once. Nothing is coerced: `1.0`, `+1`, ` 1` and `1e3` are no numbers.
 */
import { CsvError, type Options, Parser } from 'csv-parse';
import {
  ASKS_MEMORY,
  type CsvColumn,
  FREES_PAGES,
  NEEDS_CACHE,
  NEEDS_ID,
  NEEDS_MEMCG,
  NEEDS_SIZE,
  saysFailed,
} from './csv-columns.js';
import {
  type Checked,
  type ColumnIndexes,
  cellColumn,
  checkCtx,
  checkGfp,
  checkLockPoint,
  checkOp,
  checkText,
  parseHeader,
} from './csv-schema.js';
import {
  BATCH_EVENTS,
  createTraceStrings,
  EventBatch,
  EventFlag,
  type EventSource,
  NO_ORDER,
  NONE_U32,
  OP_NAMES,
  type StringTable,
  type TraceStrings,
} from './event-batch.js';
import { type GfpDialect, gfpDialect } from './gfp-text.js';
import { contextTotals } from './import-report.js';
import { InputError, InputErrors } from './input-error.js';
import type { KernelGeneration } from './kernel-generation.js';
import type { ByteInput } from './open-input.js';

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

const DEFAULT_GAP_NS = 1000;
const MAX_CPU = 8191;
const MAX_NODE = 1023;
const MAX_ORDER = 10;
const MAX_DEPTH = 255;
const MAX_U32 = 0xffff_ffff;
const MAX_RECORD_BYTES = 1 << 17;
const INVALID_EXAMPLES = 20;
/** Distinct texts whose verdict is remembered per column. */
const REMEMBERED = 1 << 20;

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

/** A decimal number without sign, point or blanks; -1 if `text` is anything else or above 2^53. */
function decimal(text: string): number {
  const length = text.length;
  if (length === 0 || length > 16) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
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
  #columns: ColumnIndexes | undefined;
  #headerCells = 0;
  #row: readonly string[] = [];
  #line = 0;
  #rows = 0;
  #emitted = 0;
  #invalid = 0;
  #errors: InputError[] = [];
  #examples: string[] = [];
  #stopped = false;
  #started = false;
  #lastTs = -DEFAULT_GAP_NS;
  #firstTs = -1;
  readonly #depths = new Uint8Array(MAX_CPU + 1);
  readonly #cpus = new Uint8Array(MAX_CPU + 1);
  readonly #opCounts = new Float64Array(OP_NAMES.length);
  readonly #ctxCounts = new Float64Array(4);
  readonly #known: Readonly<Record<'op' | 'ctx' | 'gfp' | 'at', Map<string, number>>> = {
    op: new Map(),
    ctx: new Map(),
    gfp: new Map(),
    at: new Map(),
  };
  readonly #failedArgs = new Set<number>();
  readonly #kernelGfp: number;

  constructor(input: ByteInput, options: CsvOptions = {}) {
    this.#input = input;
    this.#dialect = gfpDialect(options.kernel ?? '6.18');
    this.#kernelGfp = this.#dialect.parse('GFP_KERNEL').bits;
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
    if (failure === undefined && this.#columns === undefined && this.#errors.length === 0) {
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
    this.#row = row;
    this.#line = first;
    if (this.#columns === undefined) {
      try {
        this.#columns = parseHeader(row, this.#input.name, first);
        this.#headerCells = row.length;
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        this.#errors.push(error);
        this.#stopped = true;
      }
      return;
    }
    this.#rows++;
    if (this.#batch.length === this.#capacity) {
      this.#full.push(this.#batch);
      this.#batch = this.#spare.pop() ?? new EventBatch(this.strings, this.#capacity);
    }
    if (this.#event(this.#columns)) this.#emitted++;
  }

  /** Tells what is wrong with a cell of the row at hand. Always false, for the caller to return. */
  #fail(
    column: CsvColumn | undefined,
    value: string | undefined,
    expectation: string,
    remedy?: string,
  ): false {
    const index = column === undefined ? -1 : (this.#columns?.[column] ?? -1);
    const error = new InputError({
      file: this.#input.name,
      line: this.#line,
      column: index < 0 ? undefined : cellColumn(this.#row, index),
      field: column,
      value,
      expectation,
      remedy,
    });
    this.#invalid++;
    if (this.#examples.length < INVALID_EXAMPLES) this.#examples.push(error.message);
    if (this.#skipInvalid) return false;
    this.#errors.push(error);
    if (this.#errors.length >= this.#maxErrors) this.#stopped = true;
    return false;
  }

  /** The number that a checked string stands for, -1 after telling what is wrong with it. */
  #word(column: 'op' | 'ctx' | 'gfp' | 'at', value: string, check: (value: string) => Checked): number {
    const known = this.#known[column].get(value);
    if (known !== undefined) return known;
    const checked = check(value);
    if ('problem' in checked) {
      this.#fail(column, value, checked.problem.expectation, checked.problem.remedy);
      return -1;
    }
    if (this.#known[column].size < REMEMBERED) this.#known[column].set(value, checked.number);
    return checked.number;
  }

  /** Number of a text in its table, -1 after telling what is wrong with it. */
  #text(column: CsvColumn, value: string, table: StringTable): number {
    const known = table.find(value);
    if (known !== undefined) return known;
    const problem = checkText(value);
    if (problem === undefined) return table.intern(value);
    this.#fail(column, value, problem.expectation, problem.remedy);
    return -1;
  }

  /** Number of the row's cell, `absent` where it is empty, -1 after telling that it is not in range. */
  #number(column: CsvColumn, value: string, absent: number, max: number, expectation: string): number {
    if (value === '') return absent;
    const number = decimal(value);
    if (number >= 0 && number <= max) return number;
    this.#fail(column, value, expectation, `give 0 to ${max}`);
    return -1;
  }

  /** Fills in the next event from the row at hand. False, with the mistake noted, if the row is invalid. */
  #event(columns: ColumnIndexes): boolean {
    const row = this.#row;
    if (row.length !== this.#headerCells) {
      return this.#fail(
        undefined,
        undefined,
        `has ${row.length} cells, the header has ${this.#headerCells}`,
        row.length > this.#headerCells
          ? 'quote cells that hold a comma'
          : 'give every column, empty for its default',
      );
    }
    const cell = (column: CsvColumn): string => {
      const index = columns[column];
      return index < 0 ? '' : (row[index] as string);
    };

    const opText = cell('op');
    if (opText === '') return this.#fail('op', undefined, 'is empty', 'every row needs an op');
    const op = this.#word('op', opText, checkOp);
    if (op < 0) return false;

    const tsText = cell('ts');
    let ts = this.#lastTs + DEFAULT_GAP_NS;
    if (tsText !== '') {
      ts = decimal(tsText);
      if (ts < 0) return this.#fail('ts', tsText, 'is not a time', 'give whole nanoseconds');
      if (ts < this.#lastTs) {
        return this.#fail('ts', tsText, `is before the row above (${this.#lastTs})`, 'sort the rows by ts');
      }
    }
    const cpu = this.#number('cpu', cell('cpu'), 0, MAX_CPU, 'is not a CPU number');
    if (cpu < 0) return false;
    const ctxText = cell('ctx');
    const ctx = ctxText === '' ? 0 : this.#word('ctx', ctxText, checkCtx);
    if (ctx < 0) return false;
    const absentOrder = FREES_PAGES[op] === 1 ? NO_ORDER : 0;
    const order = this.#number('order', cell('order'), absentOrder, MAX_ORDER, 'is not a page order');
    if (order < 0) return false;
    const gfpText = cell('gfp');
    let gfp = ASKS_MEMORY[op] === 1 ? this.#kernelGfp : 0;
    if (gfpText !== '') {
      gfp = this.#word('gfp', gfpText, (value) => checkGfp(value, this.#dialect));
      if (gfp < 0) return false;
    }
    const nodeText = cell('node');
    let node = -1;
    if (nodeText !== '' && nodeText !== '-1') {
      node = decimal(nodeText);
      if (node < 0 || node > MAX_NODE) {
        return this.#fail(
          'node',
          nodeText,
          'is not a node',
          `give 0 to ${MAX_NODE}, or -1 for the local one`,
        );
      }
    }
    const pfnText = cell('pfn');
    let pfn = NONE_U32;
    if (pfnText !== '') {
      pfn = /^0[xX][0-9a-fA-F]{1,8}$/.test(pfnText) ? Number(pfnText) : decimal(pfnText);
      if (pfn < 0 || pfn >= MAX_U32) {
        return this.#fail(
          'pfn',
          pfnText,
          'is not a page frame number',
          'give hex (0x…) or decimal up to 0xfffffffe',
        );
      }
    }
    const size = this.#number('size', cell('size'), 0, MAX_U32, 'is not a number of bytes');
    if (size < 0) return false;
    const depth = this.#number('depth', cell('depth'), 0, MAX_DEPTH, 'is not a nesting depth');
    if (depth < 0) return false;
    if (depth > (this.#depths[cpu] as number) + 1) {
      return this.#fail(
        'depth',
        cell('depth'),
        `interrupts nothing: the last row of CPU ${cpu} has depth ${this.#depths[cpu]}`,
        'put the interrupted row first',
      );
    }
    const atText = cell('at');
    const at = atText === '' ? 0 : this.#word('at', atText, checkLockPoint);
    if (at < 0) return false;
    const cacheText = cell('cache');
    const cache = this.#text('cache', cacheText, this.strings.caches);
    if (cache < 0) return false;
    const memcgText = cell('memcg');
    const memcg = memcgText === '/' ? 0 : this.#text('memcg', memcgText, this.strings.memcgs);
    if (memcg < 0) return false;
    const site = this.#text('site', cell('site'), this.strings.sites);
    if (site < 0) return false;
    const argText = cell('arg');
    const args = this.strings.args;
    const knownArgs = args.size;
    const arg = this.#text('arg', argText, args);
    if (arg < 0) return false;
    if (arg === knownArgs && saysFailed(argText)) this.#failedArgs.add(arg);
    const failed = this.#failedArgs.has(arg);
    if (failed && pfn !== NONE_U32) {
      return this.#fail(
        'pfn',
        pfnText,
        'is given for an allocation that failed (arg failed=1)',
        'leave one out',
      );
    }
    const idText = cell('id');
    if (idText === '' && pfn === NONE_U32 && NEEDS_ID[op] === 1 && !failed) {
      return this.#fail('id', undefined, `is missing: ${opText} names an object`, 'give an id or a pfn');
    }
    const id = idText === '' ? NONE_U32 : this.#text('id', idText, this.strings.ids);
    if (id < 0) return false;
    if (NEEDS_SIZE[op] === 1 && cell('size') === '') {
      return this.#fail('size', undefined, `is missing: ${opText} asks for bytes`, 'give the size');
    }
    if (NEEDS_CACHE[op] === 1 && cacheText === '') {
      return this.#fail('cache', undefined, `is missing: ${opText} names a cache`, "give the cache's name");
    }
    if (NEEDS_MEMCG[op] === 1 && memcgText === '') {
      return this.#fail('memcg', undefined, `is missing: ${opText} names a cgroup`, "give the cgroup's path");
    }

    const batch = this.#batch;
    const n = batch.length++;
    batch.ts[n] = ts;
    batch.cpu[n] = cpu;
    batch.ctx[n] = ctx;
    batch.op[n] = op;
    batch.order[n] = order;
    batch.gfp[n] = gfp;
    batch.id[n] = id;
    batch.pfn[n] = pfn;
    batch.migratetype[n] = ASKS_MEMORY[op] === 1 ? (gfp >> 3) & 3 : 0;
    batch.flags[n] = (failed ? EventFlag.failed : 0) | (pfn === NONE_U32 ? 0 : EventFlag.hasPfn);
    batch.size[n] = size;
    batch.node[n] = node;
    batch.cache[n] = cache;
    batch.memcg[n] = memcg;
    batch.site[n] = site;
    batch.arg[n] = arg;
    batch.depth[n] = depth;
    batch.at[n] = at;
    batch.pid[n] = NONE_U32;
    if (this.#firstTs < 0) this.#firstTs = ts;
    this.#lastTs = ts;
    this.#depths[cpu] = depth;
    this.#cpus[cpu] = 1;
    (this.#opCounts[op] as number)++;
    (this.#ctxCounts[ctx] as number)++;
    return true;
  }

  /** What was read so far, as plain data. */
  report(): CsvReport {
    const cpus: number[] = [];
    this.#cpus.forEach((seen, cpu) => {
      if (seen === 1) cpus.push(cpu);
    });
    const byOp = OP_NAMES.map((name, op) => [name, this.#opCounts[op] as number] as const);
    return {
      lines: this.#line,
      rows: this.#rows,
      emitted: this.#emitted,
      by_op: Object.fromEntries(byOp.filter(([, count]) => count > 0)),
      by_ctx: contextTotals(this.#ctxCounts),
      cpus,
      first_ts: this.#firstTs < 0 ? undefined : this.#firstTs,
      last_ts: this.#firstTs < 0 ? undefined : this.#lastTs,
      invalid: this.#invalid,
      invalid_examples: this.#examples,
    };
  }
}
