/**
 * Columns of events as the buffers of an Arrow record batch.
 *
 * What an event does not say is an empty cell (null), so that other tools tell "no size" from a size of 0. Reading the
 * cells gives the same event again.
 */
import { ASKS_MEMORY, NEEDS_CACHE_OR_SIZE, NEEDS_MEMCG, NEEDS_SIZE } from '../csv/columns.js';
import { CTX_NAMES, type EventBatch, LOCK_POINTS, NO_ORDER, NONE_U32, OP_NAMES } from '../event-batch.js';
import { gfpDialect } from '../gfp-text.js';
import type { KernelGeneration } from '../kernel-generation.js';
import type { TraceStrings } from '../string-table.js';
import { ARROW_COLUMNS, type ArrowColumn, isStringColumn, TEXT_COLUMNS, type TextColumn } from './columns.js';
import { DictionaryWriter, tableDictionary } from './dictionary-writer.js';
import type { BatchParts, EncodedMessage } from './ipc-encode.js';

const HIGH_WORD = 2 ** 32;
const NO_BYTES = new Uint8Array(0);

/** The buffers of one column, and how many of its cells are empty. */
interface ColumnParts {
  readonly nulls: number;
  readonly validity: Uint8Array;
  readonly data: Uint8Array;
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Bits that are 1 where a cell is given. */
class Validity {
  readonly #bits: Uint8Array;
  #nulls = 0;

  constructor(rows: number) {
    this.#bits = new Uint8Array((rows + 7) >> 3).fill(0xff);
  }

  clear(row: number): void {
    (this.#bits[row >> 3] as number) &= ~(1 << (row & 7));
    this.#nulls++;
  }

  parts(data: ArrayBufferView): ColumnParts {
    return {
      nulls: this.#nulls,
      validity: this.#nulls === 0 ? NO_BYTES : this.#bits,
      data: bytesOf(data),
    };
  }
}

/** Numbers as they are; `none` stands for an empty cell. */
function numbers(column: Uint32Array | Uint8Array, rows: number, none: number): ColumnParts {
  const validity = new Validity(rows);
  for (let i = 0; i < rows; i++) if (column[i] === none) validity.clear(i);
  return validity.parts(column.subarray(0, rows));
}

function plain(
  column: ArrayBufferView & { subarray(from: number, to: number): ArrayBufferView },
  rows: number,
) {
  return { nulls: 0, validity: NO_BYTES, data: bytesOf(column.subarray(0, rows)) };
}

/** Nanoseconds as 64-bit integers. */
function times(ts: Float64Array, rows: number): ColumnParts {
  const words = new Uint32Array(rows * 2);
  for (let i = 0; i < rows; i++) {
    const time = ts[i] as number;
    words[2 * i] = time % HIGH_WORD;
    words[2 * i + 1] = time / HIGH_WORD;
  }
  return { nulls: 0, validity: NO_BYTES, data: bytesOf(words) };
}

function sizes(batch: EventBatch): ColumnParts {
  const { op, size, length } = batch;
  const validity = new Validity(length);
  for (let i = 0; i < length; i++) {
    const kind = op[i] as number;
    const isNeeded = NEEDS_SIZE[kind] === 1 || NEEDS_CACHE_OR_SIZE[kind] === 1;
    if (size[i] === 0 && !isNeeded) validity.clear(i);
  }
  return validity.parts(size.subarray(0, length));
}

/** A dictionary of all of a column's words, in the order of their numbers. */
function wordDictionary(id: number, words: readonly string[]): DictionaryWriter {
  const dictionary = new DictionaryWriter(id, (number) => words[number] as string, Number.POSITIVE_INFINITY);
  for (let number = 0; number < words.length; number++) dictionary.index(number);
  return dictionary;
}

/** Makes record batches of event batches, and keeps the dictionaries that they refer to. */
export class ColumnWriters {
  readonly #strings: TraceStrings;
  readonly #dictionaries = new Map<ArrowColumn, DictionaryWriter>();
  /** number of each gfp mask in `#masks` */
  readonly #maskNumbers = new Map<number, number>();
  readonly #masks: number[] = [];

  /**
   * @param names  columns to write
   * @param limit  entries beyond which a dictionary is started anew
   */
  constructor(
    readonly names: readonly ArrowColumn[],
    strings: TraceStrings,
    kernel: KernelGeneration,
    limit: number,
  ) {
    this.#strings = strings;
    const dialect = gfpDialect(kernel);
    const add = (column: ArrowColumn, make: (id: number) => DictionaryWriter) =>
      this.#dictionaries.set(column, make(ARROW_COLUMNS.indexOf(column)));
    add('op', (id) => wordDictionary(id, OP_NAMES));
    add('ctx', (id) => wordDictionary(id, CTX_NAMES));
    add('at', (id) => wordDictionary(id, LOCK_POINTS));
    add('gfp', (id) => new DictionaryWriter(id, (n) => dialect.format(this.#masks[n] as number), limit));
    add('id', (id) => tableDictionary(id, strings.ids, limit));
    add('site', (id) => tableDictionary(id, strings.sites, limit));
    add('cache', (id) => tableDictionary(id, strings.caches, limit));
    add('arg', (id) => tableDictionary(id, strings.args, limit));
    // The root cgroup has number 0 and no text of its own; ops that need a path name it.
    add('memcg', (id) => new DictionaryWriter(id, (n) => (n === 0 ? '/' : strings.memcgs.get(n)), limit));
  }

  /** Texts that were changed because readers would refuse them. */
  get escaped(): number {
    return TEXT_COLUMNS.reduce((sum, column) => sum + this.#dictionary(column).escaped, 0);
  }

  #dictionary(column: ArrowColumn): DictionaryWriter {
    return this.#dictionaries.get(column) as DictionaryWriter;
  }

  /** The record batch of `batch`. Asks for dictionaries(): readers need them first. */
  records(batch: EventBatch): BatchParts {
    if (batch.strings !== this.#strings) throw new Error('one trace has one set of strings');
    for (const dictionary of this.#dictionaries.values()) dictionary.startBatch();
    const columns = this.names.map((name) => this.#column(name, batch));
    return {
      rows: batch.length,
      nodes: columns.map(({ nulls }) => [batch.length, nulls] as const),
      buffers: columns.flatMap(({ validity, data }) => [validity, data]),
    };
  }

  /** The dictionaries that changed since they were last asked for. */
  *dictionaries(): Generator<EncodedMessage> {
    for (const name of this.names) {
      if (!isStringColumn(name)) continue;
      const message = this.#dictionary(name).message();
      if (message !== undefined) yield message;
    }
  }

  #column(name: ArrowColumn, batch: EventBatch): ColumnParts {
    const rows = batch.length;
    switch (name) {
      case 'ts':
        return times(batch.ts, rows);
      case 'size':
        return sizes(batch);
      case 'order':
        return numbers(batch.order, rows, NO_ORDER);
      case 'pfn':
      case 'pid':
        return numbers(batch[name], rows, NONE_U32);
      case 'op':
      case 'ctx':
        return plain(batch[name], rows);
      case 'at':
        // Its words are numbered as in the event model; the first one, anywhere, is what an empty cell means.
        return numbers(batch.at, rows, 0);
      case 'gfp':
        return this.#gfp(batch);
      case 'memcg':
        return this.#memcg(batch);
      case 'id':
      case 'site':
      case 'cache':
      case 'arg':
        return this.#texts(name, batch[name], rows);
      default:
        return plain(batch[name], rows);
    }
  }

  #texts(name: TextColumn, column: Uint32Array, rows: number): ColumnParts {
    const dictionary = this.#dictionary(name);
    const indexes = new Int32Array(rows);
    const validity = new Validity(rows);
    for (let i = 0; i < rows; i++) {
      const number = column[i] as number;
      if (number === 0 || number === NONE_U32) validity.clear(i);
      else indexes[i] = dictionary.index(number);
    }
    return validity.parts(indexes);
  }

  #memcg(batch: EventBatch): ColumnParts {
    const { op, memcg, length } = batch;
    const dictionary = this.#dictionary('memcg');
    const indexes = new Int32Array(length);
    const validity = new Validity(length);
    for (let i = 0; i < length; i++) {
      const number = memcg[i] as number;
      if (number === 0 && NEEDS_MEMCG[op[i] as number] !== 1) validity.clear(i);
      else indexes[i] = dictionary.index(number);
    }
    return validity.parts(indexes);
  }

  #gfp(batch: EventBatch): ColumnParts {
    const { op, gfp, length } = batch;
    const dictionary = this.#dictionary('gfp');
    const indexes = new Int32Array(length);
    const validity = new Validity(length);
    for (let i = 0; i < length; i++) {
      const bits = gfp[i] as number;
      if (bits === 0 && ASKS_MEMORY[op[i] as number] !== 1) {
        validity.clear(i);
        continue;
      }
      let number = this.#maskNumbers.get(bits);
      if (number === undefined) {
        number = this.#masks.push(bits) - 1;
        this.#maskNumbers.set(bits, number);
      }
      indexes[i] = dictionary.index(number);
    }
    return validity.parts(indexes);
  }
}
