/**
 * Decodes record batches whose columns have the writer's own types straight into event columns, a column at a time.
 *
 * It only takes what is certainly right. At the first row that may be wrong it stops and says how many rows it took; the
 * caller lets event-rows.ts go on from there, which looks at every cell, tells the mistake, or finds that there is none.
 */

import { MIGRATE_TYPES } from '../../mm/types.js';
import {
  ASKS_MEMORY,
  FREES_PAGES,
  MAX_CPU,
  MAX_NODE,
  MAX_PFN,
  NEEDS_CACHE,
  NEEDS_CACHE_OR_SIZE,
  NEEDS_MEMCG,
  NEEDS_SIZE,
  saysFailed,
} from '../csv/columns.js';
import {
  CTX_NAMES,
  type EventBatch,
  EventFlag,
  LOCK_POINTS,
  NO_ORDER,
  NONE_U32,
  OP_NAMES,
} from '../event-batch.js';
import type { GfpDialect } from '../gfp-text.js';
import { InputError } from '../input-error.js';
import { MAX_DEPTH, NestingProblem } from '../nesting.js';
import type { TraceStrings } from '../string-table.js';
import type { BatchLayout, ColumnBuffers, ColumnPlace } from './batch-layout.js';
import type { ArrowColumn, NumberColumn, StringColumn, TextColumn } from './columns.js';
import { isStringColumn } from './columns.js';
import type { RowCells } from './event-rows.js';
import {
  arrayOf,
  checkBytes,
  checkWords,
  type FastColumn,
  isAllEmpty,
  isEmpty,
  isGiven,
  lookUpBytes,
  lookUpWords,
  type NumberArray,
} from './fast-column.js';
import { FastDictionary, type TextTarget, type WordTarget } from './fast-dictionary.js';
import type { BatchHeader } from './ipc-metadata.js';
import { RULES, Rule } from './op-rules.js';
import { DEFAULT_GAP_NS, MAX_ORDER, type TraceState } from './trace-state.js';

// Plain constants, as properties are looked up anew in each row until the loop is compiled.
const { failed: FAILED, batched: BATCHED, refill: REFILL, hasPfn: HAS_PFN } = EventFlag;
const { pages: IS_PAGES, allocates: ALLOCATES, frees: FREES, needsId: NEEDS_NAME, more: NEEDS_MORE } = Rule;
const HIGH_WORD = 2 ** 32;
/** High words of times from here on are beyond 2^53. */
const MAX_HIGH = 2 ** 21;
const KNOWN_FLAGS = EventFlag.failed | EventFlag.batched | EventFlag.refill | EventFlag.hasPfn;

function wordsOf(names: readonly string[], aliases: readonly (readonly [string, number])[] = []): WordTarget {
  const numbers = new Map([...names.map((name, number) => [name, number] as const), ...aliases]);
  return { number: (word) => numbers.get(word), word: (number) => names[number] as string };
}

export class FastDecoder {
  readonly #layout: BatchLayout;
  readonly #strings: TraceStrings;
  readonly #dialect: GfpDialect;
  readonly #state: TraceState;
  readonly #dictionaries = new Map<StringColumn, FastDictionary>();
  readonly #columns = new Map<ArrowColumn, FastColumn>();
  readonly #failedArgs = new Set<number>();
  readonly #kernelGfp: number;
  /** strings of `args` that were looked at for failures */
  #args = 1;
  #indexes = new Int32Array(0);

  constructor(layout: BatchLayout, strings: TraceStrings, dialect: GfpDialect, state: TraceState) {
    this.#layout = layout;
    this.#strings = strings;
    this.#dialect = dialect;
    this.#state = state;
    this.#kernelGfp = dialect.parse('GFP_KERNEL').bits;
    for (const { name } of layout.places) {
      if (!isStringColumn(name)) continue;
      const refuse = (limit: number) => this.#refuse(name, limit);
      this.#dictionaries.set(name, new FastDictionary(this.#targetOf(name), refuse));
    }
  }

  #refuse(name: StringColumn, limit: number): never {
    throw new InputError({
      file: this.#layout.file,
      field: name,
      expectation: `has more than ${limit.toLocaleString('en-US')} values that no trace has`,
      remedy: 'is this the right column?',
    });
  }

  #targetOf(name: StringColumn): WordTarget | TextTarget {
    const { ids, memcgs, sites, caches, args } = this.#strings;
    switch (name) {
      case 'op':
        return wordsOf(OP_NAMES);
      case 'ctx':
        return wordsOf(CTX_NAMES, [['irq', CTX_NAMES.indexOf('hardirq')]]);
      case 'at':
        return wordsOf(LOCK_POINTS);
      case 'gfp':
        return {
          number: (word) => {
            const { bits, unknown } = this.#dialect.parse(word);
            return unknown.length === 0 ? bits : undefined;
          },
          word: (bits) => this.#dialect.format(bits),
        };
      case 'id':
        return { table: ids, empty: NONE_U32 };
      case 'memcg':
        return { table: memcgs, empty: 0, root: '/' };
      case 'site':
        return { table: sites, empty: 0 };
      case 'cache':
        return { table: caches, empty: 0 };
      case 'arg':
        return { table: args, empty: 0 };
    }
  }

  /** Takes a dictionary batch over. @throws InputError  if it is damaged or a string table is full */
  setDictionary(id: number, isDelta: boolean, batch: BatchHeader, body: Uint8Array): void {
    for (const { name, field } of this.#layout.places) {
      if (field.dictionary?.id !== id || !isStringColumn(name)) continue;
      const dictionary = this.#dictionaries.get(name) as FastDictionary;
      if (!isDelta) dictionary.clear();
      dictionary.add(this.#layout.values(field, batch, body));
    }
    const { args } = this.#strings;
    for (; this.#args < args.size; this.#args++)
      if (saysFailed(args.get(this.#args))) this.#failedArgs.add(this.#args);
  }

  /** Looks at a record batch, whose body stays as it is until the next. @throws InputError  if it is damaged */
  open(batch: BatchHeader, body: Uint8Array): void {
    this.#layout.checkRecords(batch);
    this.#columns.clear();
    for (const place of this.#layout.places) {
      this.#columns.set(place.name, this.#column(place, this.#layout.column(place, batch, body)));
    }
  }

  #column(place: ColumnPlace, buffers: ColumnBuffers): FastColumn {
    const { rows, nulls, validity } = buffers;
    const { name, field } = place;
    const type = field.dictionary?.index ?? field.type;
    const values = arrayOf(buffers.data[0] as Uint8Array, type.bits, type.signed);
    const dictionary = isStringColumn(name) ? this.#dictionaries.get(name) : undefined;
    const allNull = nulls === rows && isAllEmpty(validity, rows);
    return { rows, nulls, validity, isEmpty: allNull, values, dictionary };
  }

  /** The cells of the batch at hand, for the decoder that goes row by row. */
  readonly cells: RowCells = {
    number: (name, row) => {
      const column = this.#columns.get(name);
      if (column === undefined || !isGiven(column, row)) return undefined;
      const { values } = column;
      if (name !== 'ts') return values[row] as number;
      return (
        (BigInt.asIntN(32, BigInt(values[2 * row + 1] as number)) << 32n) | BigInt(values[2 * row] as number)
      );
    },
    text: (name, row) => {
      const column = this.#columns.get(name);
      if (column === undefined || !isGiven(column, row)) return undefined;
      const dictionary = column.dictionary as FastDictionary;
      const index = column.values[row] as number;
      if (index < 0 || index >= dictionary.count) return { index, entries: dictionary.count };
      return dictionary.text(index);
    },
  };

  /**
   * Appends the events of rows from..to to `out`, which has room.
   *
   * @returns how many rows it took; fewer than there are if the next one may be wrong
   */
  decode(from: number, to: number, out: EventBatch): number {
    const at = out.length;
    if (!this.#plainColumns(from, to, out, at)) return 0;
    const taken = this.#follow(from, to, out, at);
    out.length = at + taken;
    return taken;
  }

  /** Columns whose cells can be checked by themselves. @returns whether all are right */
  #plainColumns(from: number, to: number, out: EventBatch, at: number): boolean {
    const end = at + to - from;
    const { op, gfp, order } = out;
    if (!this.#words('op', from, to, op, at, -1)) return false;
    if (!this.#times(from, to, out.ts, at)) return false;
    if (!this.#numbers('cpu', from, to, out.cpu, at, 0, MAX_CPU)) return false;
    if (!this.#words('ctx', from, to, out.ctx, at, 0)) return false;
    if (!this.#numbers('order', from, to, order, at, NO_ORDER, MAX_ORDER)) return false;
    if (!this.#words('gfp', from, to, gfp, at, 0)) return false;
    if (!this.#nodes(from, to, out.node, at)) return false;
    if (!this.#numbers('pfn', from, to, out.pfn, at, NONE_U32, MAX_PFN)) return false;
    if (!this.#numbers('size', from, to, out.size, at, 0, NONE_U32)) return false;
    if (!this.#numbers('depth', from, to, out.depth, at, 0, MAX_DEPTH)) return false;
    if (!this.#words('at', from, to, out.at, at, 0)) return false;
    if (!this.#words('cache', from, to, out.cache, at, 0)) return false;
    if (!this.#words('memcg', from, to, out.memcg, at, 0)) return false;
    if (!this.#words('site', from, to, out.site, at, 0)) return false;
    if (!this.#words('arg', from, to, out.arg, at, 0)) return false;
    if (!this.#words('id', from, to, out.id, at, NONE_U32)) return false;
    if (!this.#numbers('pid', from, to, out.pid, at, NONE_U32, NONE_U32)) return false;
    if (!this.#numbers('flags', from, to, out.flags, at, 0, KNOWN_FLAGS)) return false;
    this.#defaults(from, to, out, at);
    if (!this.#numbers('migratetype', from, to, out.migratetype, at, 0xff, MIGRATE_TYPES - 1)) return false;
    const { migratetype } = out;
    const types = this.#columns.get('migratetype');
    if (types !== undefined && types.nulls === 0) return true;
    for (let i = at; i < end; i++) {
      if (migratetype[i] === 0xff)
        migratetype[i] = ASKS_MEMORY[op[i] as number] === 1 ? ((gfp[i] as number) >> 3) & 3 : 0;
    }
    return true;
  }

  /** What empty cells mean where that depends on the op. */
  #defaults(from: number, to: number, out: EventBatch, at: number): void {
    const { op, gfp, order } = out;
    const rows = to - from;
    const masks = this.#columns.get('gfp');
    for (let i = 0; i < rows; i++) {
      const kind = op[at + i] as number;
      if (order[at + i] === NO_ORDER && FREES_PAGES[kind] !== 1) order[at + i] = 0;
      if (ASKS_MEMORY[kind] === 1 && isEmpty(masks, from + i)) gfp[at + i] = this.#kernelGfp;
    }
  }

  #times(from: number, to: number, out: Float64Array, at: number): boolean {
    const column = this.#columns.get('ts');
    let last = this.#state.lastTs;
    if (column === undefined) {
      for (let i = at; i < at + to - from; i++) out[i] = last += DEFAULT_GAP_NS;
      return last <= Number.MAX_SAFE_INTEGER;
    }
    const words = column.values as Uint32Array;
    const hasEmpty = column.nulls > 0;
    for (let row = from, i = at; row < to; row++, i++) {
      if (hasEmpty && !isGiven(column, row)) {
        out[i] = last += DEFAULT_GAP_NS;
        continue;
      }
      const high = words[2 * row + 1] as number;
      const ts = high * HIGH_WORD + (words[2 * row] as number);
      if (high >= MAX_HIGH || ts < last) return false;
      out[i] = last = ts;
    }
    return last <= Number.MAX_SAFE_INTEGER;
  }

  /** Copies a column of numbers, `empty` where a cell is. @returns whether all numbers are at most `max` */
  #numbers(
    name: NumberColumn,
    from: number,
    to: number,
    out: Uint8Array | Uint16Array | Uint32Array,
    at: number,
    empty: number,
    max: number,
  ): boolean {
    const column = this.#columns.get(name);
    const end = at + to - from;
    if (column === undefined || column.isEmpty) {
      out.fill(empty, at, end);
      return true;
    }
    out.set(column.values.subarray(from, to), at);
    return out instanceof Uint8Array
      ? checkBytes(column, from, out, at, end, empty, max)
      : checkWords(column, from, out, at, end, empty, max);
  }

  #nodes(from: number, to: number, out: Int16Array, at: number): boolean {
    const column = this.#columns.get('node');
    const end = at + to - from;
    if (column === undefined || column.isEmpty) {
      out.fill(-1, at, end);
      return true;
    }
    out.set(column.values.subarray(from, to), at);
    for (let row = from, i = at; row < to; row++, i++) {
      if (!isGiven(column, row)) out[i] = -1;
      else if ((out[i] as number) < -1 || (out[i] as number) > MAX_NODE) return false;
    }
    return true;
  }

  /**
   * Numbers of a column of strings, `empty` where a cell is.
   *
   * @param empty  -1 if no cell may be empty
   * @returns whether all cells are right and none of them is odd
   */
  #words(
    name: StringColumn | TextColumn,
    from: number,
    to: number,
    out: Uint8Array | Uint32Array,
    at: number,
    empty: number,
  ): boolean {
    const column = this.#columns.get(name);
    if (column === undefined || column.isEmpty) {
      if (empty < 0) return false;
      out.fill(empty, at, at + to - from);
      return true;
    }
    if (empty < 0 && column.nulls > 0) return false;
    const dictionary = column.dictionary as FastDictionary;
    if (dictionary.odd.size > 0 && this.#usesOdd(column, from, to, dictionary.odd)) return false;
    const indexes = this.#indexesOf(column.values, from, to);
    return out instanceof Uint8Array
      ? lookUpBytes(column, from, indexes, dictionary, out, at, empty)
      : lookUpWords(column, from, indexes, dictionary, out, at, empty);
  }

  #usesOdd(column: FastColumn, from: number, to: number, odd: ReadonlyMap<number, unknown>): boolean {
    for (let row = from; row < to; row++)
      if (isGiven(column, row) && odd.has(column.values[row] as number)) return true;
    return false;
  }

  /** Indices as 32-bit numbers, so that the loops over them see one kind of array only. */
  #indexesOf(values: NumberArray, from: number, to: number): Int32Array {
    if (values instanceof Int32Array) return values.subarray(from, to);
    if (this.#indexes.length < to - from) this.#indexes = new Int32Array(to - from);
    this.#indexes.set(values.subarray(from, to));
    return this.#indexes.subarray(0, to - from);
  }

  /** What rows have to do with each other and columns with each other. @returns how many rows are right */
  #follow(from: number, to: number, out: EventBatch, at: number): number {
    const state = this.#state;
    const { nesting, freedPages, freedObjects } = state;
    const { op, cpu, ctx, depth, pfn, arg, flags, id, order, ts } = out;
    const rules = RULES;
    const failedArgs = this.#failedArgs.size > 0 ? this.#failedArgs : undefined;
    const end = at + to - from;
    // Number of row i in the trace.
    const line = state.rows + 1 - at;
    let i = at;
    for (; i < end; i++) {
      const rule = rules[op[i] as number] as number;
      const nested = depth[i] as number;
      const processor = cpu[i] as number;
      if (nested !== 0 && nesting.check(processor, nested, ctx[i] as number) !== NestingProblem.none) break;
      const hasPfn = pfn[i] !== NONE_U32;
      const name = id[i] as number;
      const given = flags[i] as number;
      let failed = (given & FAILED) !== 0;
      if (failedArgs?.has(arg[i] as number)) failed = true;
      if ((rule & NEEDS_MORE) !== 0 && this.#isIncomplete(out, i, from + i - at)) break;
      if (hasPfn) {
        if (failed) break;
      } else if (!failed) {
        if (name === NONE_U32) {
          if ((rule & NEEDS_NAME) !== 0) break;
        } else if ((rule & ALLOCATES) !== 0) {
          ((rule & IS_PAGES) !== 0 ? freedPages : freedObjects).allocated(name, order[i] as number);
        } else if ((rule & FREES) !== 0) {
          const freed = (rule & IS_PAGES) !== 0 ? freedPages : freedObjects;
          if (freed.freed(name, order[i] as number, line + i) !== 0) break;
        }
      }
      flags[i] = (given & (BATCHED | REFILL)) | (failed ? FAILED : 0) | (hasPfn ? HAS_PFN : 0);
      nesting.follow(processor, nested, ctx[i] as number);
    }
    if (i > at) state.lastTs = ts[i - 1] as number;
    state.rows += i - at;
    return i - at;
  }

  /** Whether a row lacks what its op cannot do without; `row` is its number in the batch being read. */
  #isIncomplete(out: EventBatch, i: number, row: number): boolean {
    const op = out.op[i] as number;
    const hasSize = out.size[i] !== 0 || !isEmpty(this.#columns.get('size'), row);
    if (NEEDS_SIZE[op] === 1 && !hasSize) return true;
    if (out.cache[i] === 0 && (NEEDS_CACHE[op] === 1 || (NEEDS_CACHE_OR_SIZE[op] === 1 && !hasSize)))
      return true;
    // The root cgroup has number 0 too; the decoder that goes row by row tells them apart.
    return NEEDS_MEMCG[op] === 1 && out.memcg[i] === 0;
  }
}
