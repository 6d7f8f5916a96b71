/**
 * One row of a trace CSV to one event: every cell is checked, and the first that is wrong is told with its place.
 * Distinct strings are checked once. Nothing is coerced: `1.0`, `+1`, ` 1` and `1e3` are no numbers.
 */

import { type EventBatch, EventFlag, NO_ORDER, NONE_U32, OP_NAMES } from '../event-batch.js';
import type { GfpDialect } from '../gfp-text.js';
import { InputError } from '../input-error.js';
import type { StringTable, TraceStrings } from '../string-table.js';
import {
  ASKS_MEMORY,
  type CsvColumn,
  FREES_OBJECT,
  FREES_PAGES,
  HAS_ORDER,
  NEEDS_CACHE,
  NEEDS_ID,
  NEEDS_MEMCG,
  NEEDS_SIZE,
  saysFailed,
} from './columns.js';
import { FreedIds } from './freed-ids.js';
import {
  type Checked,
  type ColumnIndexes,
  cellColumn,
  checkCtx,
  checkGfp,
  checkLockPoint,
  checkOp,
  checkText,
} from './schema.js';

const DEFAULT_GAP_NS = 1000;
const MAX_CPU = 8191;
const MAX_NODE = 1023;
const MAX_ORDER = 10;
const MAX_DEPTH = 255;
const MAX_U32 = 0xffff_ffff;
/** Distinct texts whose verdict is remembered per column. */
const REMEMBERED = 1 << 20;
/** What a number's parser returns after telling that the cell is wrong; -1 is a node. */
const WRONG = -2;

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

/** The header's columns, and how many cells it has. */
export interface CsvHeader {
  readonly file: string;
  readonly columns: ColumnIndexes;
  readonly cells: number;
}

export class CsvRows {
  row: readonly string[] = [];
  line = 0;
  /** first and last time stamp; the first is negative before the first event */
  firstTs = -1;
  lastTs = -DEFAULT_GAP_NS;
  /** 1 for each CPU that has events */
  readonly cpus = new Uint8Array(MAX_CPU + 1);
  readonly opCounts = new Float64Array(OP_NAMES.length);
  readonly ctxCounts = new Float64Array(4);
  readonly #depths = new Uint8Array(MAX_CPU + 1);
  readonly #known: Readonly<Record<'op' | 'ctx' | 'gfp' | 'at', Map<string, number>>> = {
    op: new Map(),
    ctx: new Map(),
    gfp: new Map(),
    at: new Map(),
  };
  readonly #failedArgs = new Set<number>();
  /** of pages and of cache objects: ids are unique among live objects of a kind */
  readonly #freedPages = new FreedIds();
  readonly #freedObjects = new FreedIds();
  readonly #kernelGfp: number;

  constructor(
    readonly header: CsvHeader,
    readonly strings: TraceStrings,
    readonly dialect: GfpDialect,
    readonly onMistake: (error: InputError) => void,
  ) {
    this.#kernelGfp = dialect.parse('GFP_KERNEL').bits;
  }

  /**
   * Appends the row's event to `batch`, which has room.
   *
   * @param line  of the row's first character, from 1
   * @returns false, after telling the mistake, if the row is invalid; the batch is as before
   */
  append(row: readonly string[], line: number, batch: EventBatch): boolean {
    this.row = row;
    this.line = line;
    if (row.length !== this.header.cells) {
      this.#tell(
        undefined,
        undefined,
        `has ${row.length} cells, the header has ${this.header.cells}`,
        row.length > this.header.cells
          ? 'quote cells that hold a comma'
          : 'give every column, empty for its default',
      );
      return false;
    }
    return this.#event(batch);
  }

  #cell(column: CsvColumn): string {
    const index = this.header.columns[column];
    return index < 0 ? '' : (this.row[index] as string);
  }

  /** Tells what is wrong with a cell of the row at hand. */
  #tell(
    column: CsvColumn | undefined,
    value: string | undefined,
    expectation: string,
    remedy?: string,
  ): typeof WRONG {
    const index = column === undefined ? -1 : this.header.columns[column];
    this.onMistake(
      new InputError({
        file: this.header.file,
        line: this.line,
        column: index < 0 ? undefined : cellColumn(this.row, index),
        field: column,
        value,
        expectation,
        remedy,
      }),
    );
    return WRONG;
  }

  /** The number that the cell's word stands for, `absent` where it is empty, WRONG after telling what is wrong with it. */
  #word(column: 'op' | 'ctx' | 'gfp' | 'at', absent: number, check: (value: string) => Checked): number {
    const value = this.#cell(column);
    if (value === '') return absent;
    const known = this.#known[column].get(value);
    if (known !== undefined) return known;
    const checked = check(value);
    if ('problem' in checked) {
      return this.#tell(column, value, checked.problem.expectation, checked.problem.remedy);
    }
    if (this.#known[column].size < REMEMBERED) this.#known[column].set(value, checked.number);
    return checked.number;
  }

  /** Number of the cell's text in its table, WRONG after telling what is wrong with it. */
  #text(column: CsvColumn, table: StringTable): number {
    const value = this.#cell(column);
    const known = table.find(value);
    if (known !== undefined) return known;
    const problem = checkText(value);
    if (problem === undefined) return table.intern(value);
    return this.#tell(column, value, problem.expectation, problem.remedy);
  }

  /** Number of the row's cell, `absent` where it is empty, WRONG after telling that it is not in range. */
  #number(column: CsvColumn, absent: number, max: number, expectation: string): number {
    const value = this.#cell(column);
    if (value === '') return absent;
    const number = decimal(value);
    if (number >= 0 && number <= max) return number;
    return this.#tell(column, value, expectation, `give 0 to ${max}`);
  }

  #time(): number {
    const text = this.#cell('ts');
    if (text === '') return this.lastTs + DEFAULT_GAP_NS;
    const ts = decimal(text);
    if (ts < 0) return this.#tell('ts', text, 'is not a time', 'give whole nanoseconds');
    if (ts >= this.lastTs) return ts;
    return this.#tell('ts', text, `is before the row above (${this.lastTs})`, 'sort the rows by ts');
  }

  #node(): number {
    const text = this.#cell('node');
    if (text === '' || text === '-1') return -1;
    const node = decimal(text);
    if (node >= 0 && node <= MAX_NODE) return node;
    return this.#tell('node', text, 'is not a node', `give 0 to ${MAX_NODE}, or -1 for the local one`);
  }

  #pfn(): number {
    const text = this.#cell('pfn');
    if (text === '') return NONE_U32;
    const pfn = /^0[xX][0-9a-fA-F]{1,8}$/.test(text) ? Number(text) : decimal(text);
    if (pfn >= 0 && pfn < MAX_U32) return pfn;
    return this.#tell(
      'pfn',
      text,
      'is not a page frame number',
      'give hex (0x…) or decimal up to 0xfffffffe',
    );
  }

  #depth(cpu: number): number {
    const depth = this.#number('depth', 0, MAX_DEPTH, 'is not a nesting depth');
    const above = this.#depths[cpu] as number;
    if (depth <= above + 1) return depth;
    return this.#tell(
      'depth',
      this.#cell('depth'),
      `interrupts nothing: the last row of CPU ${cpu} has depth ${above}`,
      'put the interrupted row first',
    );
  }

  #memcg(): number {
    return this.#cell('memcg') === '/' ? 0 : this.#text('memcg', this.strings.memcgs);
  }

  /** Number of the row's arguments; remembers which of them say that the recorded allocation failed. */
  #arg(): number {
    const { args } = this.strings;
    const known = args.size;
    const arg = this.#text('arg', args);
    if (arg === known && saysFailed(this.#cell('arg'))) this.#failedArgs.add(arg);
    return arg;
  }

  /** What the row's op cannot do without. @returns false after telling what is missing */
  #isComplete(op: number, pfn: number, failed: boolean): boolean {
    const name = this.#cell('op');
    const missing = (column: CsvColumn, wants: string, remedy: string): false => {
      this.#tell(column, undefined, `is missing: ${name} ${wants}`, remedy);
      return false;
    };
    if (failed && pfn !== NONE_U32) {
      this.#tell(
        'pfn',
        this.#cell('pfn'),
        'is given for an allocation that failed (arg failed=1)',
        'leave one out',
      );
      return false;
    }
    if (NEEDS_ID[op] === 1 && pfn === NONE_U32 && !failed && this.#cell('id') === '')
      return missing('id', 'names an object', 'give an id or a pfn');
    if (NEEDS_SIZE[op] === 1 && this.#cell('size') === '')
      return missing('size', 'asks for bytes', 'give the size');
    if (NEEDS_CACHE[op] === 1 && this.#cell('cache') === '')
      return missing('cache', 'names a cache', "give the cache's name");
    if (NEEDS_MEMCG[op] === 1 && this.#cell('memcg') === '')
      return missing('memcg', 'names a cgroup', "give the cgroup's path");
    return true;
  }

  /** Follows an object's life. @returns false after telling that its id has been freed before */
  #follow(op: number, id: number, order: number): boolean {
    if (ASKS_MEMORY[op] === 1) {
      (HAS_ORDER[op] === 1 ? this.#freedPages : this.#freedObjects).allocated(id, order);
      return true;
    }
    const isPages = FREES_PAGES[op] === 1;
    if (!isPages && FREES_OBJECT[op] === 0) return true;
    const before = (isPages ? this.#freedPages : this.#freedObjects).freed(id, order, this.line);
    if (before === 0) return true;
    const value = this.#cell('id');
    const name = this.#cell('op');
    this.#tell(
      'id',
      value,
      `is freed twice, first in line ${before}`,
      `allocate it again before, or remove this ${name}`,
    );
    return false;
  }

  #event(batch: EventBatch): boolean {
    const { strings } = this;
    if (this.#cell('op') === '') {
      this.#tell('op', undefined, 'is empty', 'every row needs an op');
      return false;
    }
    const op = this.#word('op', 0, checkOp);
    if (op < 0) return false;
    const ts = this.#time();
    if (ts < 0) return false;
    const cpu = this.#number('cpu', 0, MAX_CPU, 'is not a CPU number');
    if (cpu < 0) return false;
    const ctx = this.#word('ctx', 0, checkCtx);
    if (ctx < 0) return false;
    const order = this.#number(
      'order',
      FREES_PAGES[op] === 1 ? NO_ORDER : 0,
      MAX_ORDER,
      'is not a page order',
    );
    if (order < 0) return false;
    const gfp = this.#word('gfp', ASKS_MEMORY[op] === 1 ? this.#kernelGfp : 0, (value) =>
      checkGfp(value, this.dialect),
    );
    if (gfp < 0) return false;
    const node = this.#node();
    if (node === WRONG) return false;
    const pfn = this.#pfn();
    if (pfn < 0) return false;
    const size = this.#number('size', 0, MAX_U32, 'is not a number of bytes');
    if (size < 0) return false;
    const depth = this.#depth(cpu);
    if (depth < 0) return false;
    const at = this.#word('at', 0, checkLockPoint);
    if (at < 0) return false;
    const cache = this.#text('cache', strings.caches);
    if (cache < 0) return false;
    const memcg = this.#memcg();
    if (memcg < 0) return false;
    const site = this.#text('site', strings.sites);
    if (site < 0) return false;
    const arg = this.#arg();
    if (arg < 0) return false;
    const failed = this.#failedArgs.has(arg);
    if (!this.#isComplete(op, pfn, failed)) return false;
    const id = this.#cell('id') === '' ? NONE_U32 : this.#text('id', strings.ids);
    if (id < 0) return false;
    // Recorded PFNs may come free twice: what was between may be lost. An id is the trace's own word.
    if (id !== NONE_U32 && pfn === NONE_U32 && !failed && !this.#follow(op, id, order)) return false;

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
    if (this.firstTs < 0) this.firstTs = ts;
    this.lastTs = ts;
    this.#depths[cpu] = depth;
    this.cpus[cpu] = 1;
    (this.opCounts[op] as number)++;
    (this.ctxCounts[ctx] as number)++;
    return true;
  }
}
