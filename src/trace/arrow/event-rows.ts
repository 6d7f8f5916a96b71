/**
 * One row of an Arrow trace to one event, cell by cell: what decides whether a row is right, and what tells the first
 * thing that is wrong with it, in the words of the trace CSV and in the order of its checks.
 */
import { MIGRATE_TYPES } from '../../mm/types.js';
import {
  ASKS_MEMORY,
  FREES_OBJECT,
  FREES_PAGES,
  HAS_ORDER,
  MAX_CPU,
  MAX_NODE,
  MAX_PFN,
  NEEDS_CACHE,
  NEEDS_CACHE_OR_SIZE,
  NEEDS_ID,
  NEEDS_MEMCG,
  NEEDS_SIZE,
  saysFailed,
} from '../csv/columns.js';
import { checkText, type WordChecks, wordChecks } from '../csv/schema.js';
import { CTX_NAMES, type EventBatch, EventFlag, NO_ORDER, NONE_U32, OP_NAMES } from '../event-batch.js';
import type { GfpDialect } from '../gfp-text.js';
import { InputError } from '../input-error.js';
import { MAX_DEPTH, NestingProblem } from '../nesting.js';
import type { StringTable, TraceStrings } from '../string-table.js';
import type { ArrowColumn, NumberColumn, StringColumn, TextColumn, WordColumn } from './columns.js';
import { DEFAULT_GAP_NS, MAX_ORDER, type TraceState } from './trace-state.js';

const MAX_U32 = 0xffff_ffff;
const KNOWN_FLAGS = EventFlag.failed | EventFlag.batched | EventFlag.refill | EventFlag.hasPfn;
/** Distinct words whose verdict is remembered per column. */
const REMEMBERED = 1 << 16;

/** A string cell whose index leads nowhere. */
export interface BrokenCell {
  readonly index: number;
  readonly entries: number;
}

/** The cells of a record batch. An empty cell is undefined, as is one of a column that the input does not have. */
export interface RowCells {
  number(column: NumberColumn, row: number): number | bigint | string | undefined;
  text(column: StringColumn, row: number): string | BrokenCell | undefined;
}

/** The number that a text spells as the trace CSV would have it; NaN if it spells none. */
function numberOf(text: string, column: NumberColumn): number {
  if (/^[0-9]{1,16}$/.test(text)) return Number(text);
  if (column === 'pfn' && /^0[xX][0-9a-fA-F]{1,8}$/.test(text)) return Number(text);
  return column === 'node' && text === '-1' ? -1 : Number.NaN;
}

export class EventRows {
  readonly #file: string;
  readonly #strings: TraceStrings;
  readonly #checks: WordChecks;
  readonly #state: TraceState;
  readonly #kernelGfp: number;
  readonly #words: Readonly<Record<WordColumn, Map<string, number>>> = {
    op: new Map(),
    ctx: new Map(),
    gfp: new Map(),
    at: new Map(),
  };
  #cells: RowCells = { number: () => undefined, text: () => undefined };
  #row = 0;

  constructor(file: string, strings: TraceStrings, dialect: GfpDialect, state: TraceState) {
    this.#file = file;
    this.#strings = strings;
    const checks = wordChecks(dialect);
    // CSV has no words for observations, so its check does not know them.
    const observed = (value: string) => ({ number: OP_NAMES.indexOf(value) });
    this.#checks = {
      ...checks,
      op: (value) => (OP_NAMES.includes(value) ? observed(value) : checks.op(value)),
    };
    this.#state = state;
    this.#kernelGfp = dialect.parse('GFP_KERNEL').bits;
  }

  /**
   * Appends the event of a row to `batch`, which has room.
   *
   * @throws InputError  if the row is wrong; `line` is its number in the trace, from 1
   */
  append(cells: RowCells, row: number, batch: EventBatch): void {
    this.#cells = cells;
    this.#row = row;
    this.#event(batch);
    this.#state.rows++;
  }

  #tell(field: ArrowColumn, value: unknown, expectation: string, remedy?: string): never {
    const text = value === undefined ? undefined : String(value);
    throw new InputError({
      file: this.#file,
      line: this.#state.rows + 1,
      field,
      value: text,
      expectation,
      remedy,
    });
  }

  /** A cell's text; empty where the cell is. */
  #string(column: StringColumn): string {
    const cell = this.#cells.text(column, this.#row) ?? '';
    if (typeof cell === 'string') return cell;
    return this.#tell(
      column,
      cell.index,
      `is no entry of its dictionary, which has ${cell.entries}`,
      'write the file again',
    );
  }

  /** A cell's number; undefined where the cell is empty, NaN where it holds none. */
  #value(column: NumberColumn): number | undefined {
    const cell = this.#cells.number(column, this.#row);
    if (cell === undefined || cell === '') return undefined;
    if (typeof cell === 'string') return numberOf(cell, column);
    const value = Number(cell);
    return Number.isSafeInteger(value) ? value : Number.NaN;
  }

  #number(column: NumberColumn, absent: number, max: number, expectation: string): number {
    const value = this.#value(column);
    if (value === undefined) return absent;
    if (value >= 0 && value <= max) return value;
    return this.#tell(column, this.#cells.number(column, this.#row), expectation, `give 0 to ${max}`);
  }

  #word(column: WordColumn, absent: number): number {
    const value = this.#string(column);
    if (value === '') return absent;
    const words = this.#words[column];
    const known = words.get(value);
    if (known !== undefined) return known;
    const checked = this.#checks[column](value);
    if ('problem' in checked) this.#tell(column, value, checked.problem.expectation, checked.problem.remedy);
    if (words.size < REMEMBERED) words.set(value, checked.number);
    return checked.number;
  }

  #text(column: TextColumn, table: StringTable): number {
    const value = this.#string(column);
    const known = table.find(value);
    if (known !== undefined) return known;
    const problem = checkText(value);
    if (problem === undefined) return table.intern(value);
    return this.#tell(column, value, problem.expectation, problem.remedy);
  }

  #op(): number {
    if (this.#string('op') === '') this.#tell('op', undefined, 'is empty', 'every row needs an op');
    return this.#word('op', 0);
  }

  #time(): number {
    const { lastTs } = this.#state;
    const ts = this.#value('ts');
    if (ts === undefined) {
      const next = lastTs + DEFAULT_GAP_NS;
      return next <= Number.MAX_SAFE_INTEGER
        ? next
        : this.#tell('ts', next, 'is not a time', 'give whole nanoseconds since boot');
    }
    const cell = this.#cells.number('ts', this.#row);
    if (!(ts >= 0)) this.#tell('ts', cell, 'is not a time', 'give whole nanoseconds since boot');
    if (ts >= lastTs) return ts;
    return this.#tell('ts', cell, `is before the row above (${lastTs})`, 'sort the rows by ts');
  }

  #node(): number {
    const node = this.#value('node');
    if (node === undefined) return -1;
    if (node >= -1 && node <= MAX_NODE) return node;
    const cell = this.#cells.number('node', this.#row);
    return this.#tell('node', cell, 'is not a node', `give 0 to ${MAX_NODE}, or -1 for the local one`);
  }

  #pfn(): number {
    const pfn = this.#value('pfn');
    if (pfn === undefined) return NONE_U32;
    if (pfn >= 0 && pfn <= MAX_PFN) return pfn;
    const cell = this.#cells.number('pfn', this.#row);
    return this.#tell('pfn', cell, 'is not a page frame number', 'give 0 to 0xfffffffe');
  }

  #depth(cpu: number, ctx: number): number {
    const depth = this.#number('depth', 0, MAX_DEPTH, 'is not a nesting depth');
    const { nesting } = this.#state;
    const problem = nesting.check(cpu, depth, ctx);
    if (problem === NestingProblem.none) return depth;
    if (problem === NestingProblem.depth) {
      return this.#tell(
        'depth',
        depth,
        `interrupts nothing: the last row of CPU ${cpu} has depth ${nesting.depthOf(cpu)}`,
        'put the interrupted row first',
      );
    }
    const below = CTX_NAMES[nesting.contextBelow(cpu, depth)];
    return this.#tell(
      'ctx',
      CTX_NAMES[ctx],
      `cannot interrupt ${below}, the context of the row that it nests in (depth ${depth - 1})`,
      `give ${below} or a context above it, or depth 0`,
    );
  }

  /** What the row's op cannot do without. */
  #checkComplete(op: number, pfn: number, failed: boolean): void {
    const missing = (column: ArrowColumn, wants: string, remedy: string): never =>
      this.#tell(column, undefined, `is missing: ${OP_NAMES[op]} ${wants}`, remedy);
    if (failed && pfn !== NONE_U32)
      this.#tell('pfn', pfn, 'is given for an allocation that failed', 'leave one out');
    if (NEEDS_ID[op] === 1 && pfn === NONE_U32 && !failed && this.#string('id') === '')
      missing('id', 'names an object', 'give an id or a pfn');
    if (NEEDS_SIZE[op] === 1 && this.#value('size') === undefined)
      missing('size', 'asks for bytes', 'give the size');
    if (NEEDS_CACHE[op] === 1 && this.#string('cache') === '')
      missing('cache', 'names a cache', "give the cache's name");
    if (NEEDS_CACHE_OR_SIZE[op] === 1 && this.#string('cache') === '' && this.#value('size') === undefined)
      missing('cache', 'names a cache', "give the cache's name, or the size where it is not known");
    if (NEEDS_MEMCG[op] === 1 && this.#string('memcg') === '')
      missing('memcg', 'names a cgroup', "give the cgroup's path");
  }

  /** Follows an object's life. */
  #follow(op: number, id: number, order: number): void {
    const { freedPages, freedObjects, rows } = this.#state;
    if (ASKS_MEMORY[op] === 1) {
      (HAS_ORDER[op] === 1 ? freedPages : freedObjects).allocated(id, order);
      return;
    }
    const isPages = FREES_PAGES[op] === 1;
    if (!isPages && FREES_OBJECT[op] === 0) return;
    const before = (isPages ? freedPages : freedObjects).freed(id, order, rows + 1);
    if (before === 0) return;
    this.#tell(
      'id',
      this.#string('id'),
      `is freed twice, first in row ${before}`,
      `allocate it again before, or remove this ${OP_NAMES[op]}`,
    );
  }

  #event(batch: EventBatch): void {
    const strings = this.#strings;
    const op = this.#op();
    const ts = this.#time();
    const cpu = this.#number('cpu', 0, MAX_CPU, 'is not a CPU number');
    const ctx = this.#word('ctx', 0);
    const order = this.#number(
      'order',
      FREES_PAGES[op] === 1 ? NO_ORDER : 0,
      MAX_ORDER,
      'is not a page order',
    );
    const gfp = this.#word('gfp', ASKS_MEMORY[op] === 1 ? this.#kernelGfp : 0);
    const node = this.#node();
    const pfn = this.#pfn();
    const size = this.#number('size', 0, MAX_U32, 'is not a number of bytes');
    const depth = this.#depth(cpu, ctx);
    const at = this.#word('at', 0);
    const cache = this.#text('cache', strings.caches);
    const memcg = this.#string('memcg') === '/' ? 0 : this.#text('memcg', strings.memcgs);
    const site = this.#text('site', strings.sites);
    const arg = this.#text('arg', strings.args);
    const pid = this.#number('pid', NONE_U32, MAX_U32, 'is not a pid');
    const flags = this.#number('flags', 0, KNOWN_FLAGS, 'are no flags of an event');
    const migratetype = this.#number(
      'migratetype',
      ASKS_MEMORY[op] === 1 ? (gfp >> 3) & 3 : 0,
      MIGRATE_TYPES - 1,
      'is not a migratetype',
    );
    const failed = (flags & EventFlag.failed) !== 0 || (arg !== 0 && saysFailed(strings.args.get(arg)));
    this.#checkComplete(op, pfn, failed);
    const id = this.#string('id') === '' ? NONE_U32 : this.#text('id', strings.ids);
    // Recorded PFNs may come free twice: what was between may be lost. An id is the trace's own word.
    if (id !== NONE_U32 && pfn === NONE_U32 && !failed) this.#follow(op, id, order);

    const n = batch.length++;
    batch.ts[n] = ts;
    batch.cpu[n] = cpu;
    batch.ctx[n] = ctx;
    batch.op[n] = op;
    batch.order[n] = order;
    batch.gfp[n] = gfp;
    batch.id[n] = id;
    batch.pfn[n] = pfn;
    batch.migratetype[n] = migratetype;
    batch.flags[n] =
      (flags & (EventFlag.batched | EventFlag.refill)) |
      (failed ? EventFlag.failed : 0) |
      (pfn === NONE_U32 ? 0 : EventFlag.hasPfn);
    batch.size[n] = size;
    batch.node[n] = node;
    batch.cache[n] = cache;
    batch.memcg[n] = memcg;
    batch.site[n] = site;
    batch.arg[n] = arg;
    batch.depth[n] = depth;
    batch.at[n] = at;
    batch.pid[n] = pid;
    this.#state.lastTs = ts;
    this.#state.nesting.follow(cpu, depth, ctx);
  }
}
