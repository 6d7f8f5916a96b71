/**
 * Writes events as Arrow IPC, for pandas, Polars, DuckDB and for spbsim itself. docs/formats-arrow.md is the description.
 *
 * Memory is bounded by batches in both formats, and no message is a delta of a dictionary, which several readers refuse:
 *
 * - A stream replaces a dictionary when a batch has strings that the last one lacks.
 * - A file may have one dictionary per column only, and whoever reads it from its start needs that before the rows. So
 *   the rows wait in a spool until all strings are known: in memory, or in a temporary file when they are many.
 */
import { BATCH_EVENTS, EventBatch } from '../event-batch.js';
import type { KernelGeneration } from '../kernel-generation.js';
import { createTraceStrings } from '../string-table.js';
import { ColumnWriters } from './column-writers.js';
import { type ArrowColumn, MetadataKey, TRACE_VERSION, traceFields } from './columns.js';
import {
  type Block,
  END_OF_STREAM,
  type EncodedField,
  type EncodedMessage,
  encodeFooter,
  encodeRecordBatch,
  encodeSchema,
  FILE_MAGIC,
  padded,
} from './ipc-encode.js';
import { Spool } from './spool.js';

export type ArrowFormat = 'file' | 'stream';

export interface ArrowWriterOptions {
  readonly format: ArrowFormat;
  /** in whose words gfp is written; the file says so. 6.18 by default */
  readonly kernel?: KernelGeneration | undefined;
  /** columns of the CSV that the trace comes from, if it does: the others are not written */
  readonly columns?: readonly string[] | undefined;
  /** rows of a record batch; tests make it small */
  readonly batchRows?: number | undefined;
  /** bytes of a file's rows that are kept in memory before a temporary file takes them */
  readonly spoolBytes?: number | undefined;
}

export interface ArrowWriteReport {
  rows: number;
  /** record batches */
  batches: number;
  /** texts in which control characters were replaced by escapes, or that were cut, as readers refuse them */
  escaped: number;
}

/** Entries up to which a stream's dictionary is extended by telling all of it again. */
const STREAM_DICTIONARY = 4096;

/** Writes one trace. `report` is complete when chunks() has ended. */
export class ArrowWriter {
  readonly report: ArrowWriteReport = { rows: 0, batches: 0, escaped: 0 };
  readonly #options: ArrowWriterOptions;
  readonly #kernel: KernelGeneration;
  readonly #metadata: ReadonlyMap<string, string>;
  readonly #fields: readonly EncodedField[];

  constructor(options: ArrowWriterOptions) {
    this.#options = options;
    this.#kernel = options.kernel ?? '6.18';
    const metadata = new Map<string, string>([
      [MetadataKey.trace, TRACE_VERSION],
      [MetadataKey.kernel, this.#kernel],
    ]);
    if (options.columns !== undefined) metadata.set(MetadataKey.columns, options.columns.join(','));
    this.#metadata = metadata;
    this.#fields = traceFields(options.columns);
  }

  /**
   * The bytes of the stream or file.
   *
   * @throws InputError  if a file's rows do not fit the temporary directory
   */
  chunks(batches: AsyncIterable<EventBatch>): AsyncGenerator<Uint8Array> {
    return this.#options.format === 'file' ? this.#file(batches) : this.#stream(batches);
  }

  #columns(strings: EventBatch['strings']): ColumnWriters {
    const limit = this.#options.format === 'file' ? Number.POSITIVE_INFINITY : STREAM_DICTIONARY;
    const names = this.#fields.map(({ name }) => name as ArrowColumn);
    return new ColumnWriters(names, strings, this.#kernel, limit);
  }

  /** The same events in batches that are full: filters leave small ones, and each record batch has its overhead. */
  async *#full(batches: AsyncIterable<EventBatch>): AsyncGenerator<EventBatch> {
    const capacity = this.#options.batchRows ?? BATCH_EVENTS;
    let full: EventBatch | undefined;
    for await (const batch of batches) {
      full ??= new EventBatch(batch.strings, capacity);
      if (full.strings !== batch.strings) throw new Error('one trace has one set of strings');
      for (let from = 0; from < batch.length; ) {
        const to = Math.min(batch.length, from + capacity - full.length);
        full.copyRows(batch, from, to, full.length);
        full.length += to - from;
        from = to;
        if (full.length === capacity) {
          yield full;
          full.length = 0;
        }
      }
    }
    if (full !== undefined && full.length > 0) yield full;
  }

  #records(columns: ColumnWriters, batch: EventBatch): EncodedMessage {
    this.report.rows += batch.length;
    this.report.batches++;
    return encodeRecordBatch(columns.records(batch));
  }

  async *#stream(batches: AsyncIterable<EventBatch>): AsyncGenerator<Uint8Array> {
    yield encodeSchema(this.#fields, this.#metadata);
    let columns: ColumnWriters | undefined;
    for await (const batch of this.#full(batches)) {
      columns ??= this.#columns(batch.strings);
      const records = this.#records(columns, batch);
      for (const dictionary of columns.dictionaries()) yield dictionary.bytes;
      yield records.bytes;
    }
    this.report.escaped = columns?.escaped ?? 0;
    yield END_OF_STREAM;
  }

  async *#file(batches: AsyncIterable<EventBatch>): AsyncGenerator<Uint8Array> {
    const spool = new Spool(this.#options.spoolBytes);
    try {
      let columns: ColumnWriters | undefined;
      const records: Block[] = [];
      for await (const batch of this.#full(batches)) {
        columns ??= this.#columns(batch.strings);
        const message = this.#records(columns, batch);
        records.push(blockOf(message, spool.bytes));
        await spool.append(message.bytes);
      }
      // Readers want every dictionary, also when there is no row.
      columns ??= this.#columns(createTraceStrings());
      this.report.escaped = columns.escaped;

      const magic = new Uint8Array(padded(FILE_MAGIC.length));
      magic.set(FILE_MAGIC);
      yield magic;
      const schema = encodeSchema(this.#fields, this.#metadata);
      yield schema;
      let at = magic.length + schema.length;
      const dictionaries: Block[] = [];
      for (const message of columns.dictionaries()) {
        dictionaries.push(blockOf(message, at));
        at += message.bytes.length;
        yield message.bytes;
      }
      yield* spool.read();
      yield END_OF_STREAM;
      const placed = records.map((block) => ({ ...block, offset: block.offset + at }));
      yield encodeFooter(this.#fields, this.#metadata, dictionaries, placed);
    } finally {
      await spool.close();
    }
  }
}

function blockOf(message: EncodedMessage, offset: number): Block {
  const { bytes, metadata_bytes } = message;
  return { offset, metadata_bytes, body_bytes: bytes.length - metadata_bytes };
}

/** The bytes of one trace, for those who need no report. */
export function arrowChunks(
  batches: AsyncIterable<EventBatch>,
  options: ArrowWriterOptions,
): AsyncGenerator<Uint8Array> {
  return new ArrowWriter(options).chunks(batches);
}
