/**
 * Reads Arrow IPC, stream or file, from its start to its end: what spbsim wrote, and what other tools wrote with the same
 * column names. docs/formats-arrow.md says which types they may have.
 *
 * Two ways lead to the same events. Columns of the writer's own types are mapped straight into event columns; all others
 * go through the reference implementation, cell by cell. Which way is told by the schema, before the first row. Memory is
 * bounded by batches and by the limits on strings.
 */
import type { ByteInput } from '../bytes/open-input.js';
import { BATCH_EVENTS, EventBatch, type EventSource } from '../event-batch.js';
import { type GfpDialect, gfpDialect } from '../gfp-text.js';
import { InputError } from '../input-error.js';
import { KERNEL_GENERATIONS, type KernelGeneration } from '../kernel-generation.js';
import { DEFAULT_LIMITS, type TraceLimits } from '../limits.js';
import type { ReaderOptions } from '../reader-options.js';
import { createTraceStrings, type TraceStrings } from '../string-table.js';
import { BatchLayout } from './batch-layout.js';
import { MetadataKey } from './columns.js';
import { dictionariesFirst } from './dictionaries-first.js';
import type { EventRows } from './event-rows.js';
import { FastDecoder } from './fast-decoder.js';
import { Codec } from './ipc-metadata.js';
import { type ArrowMessage, MessageStream } from './message-stream.js';
import { TraceState } from './trace-state.js';

export interface ArrowReaderOptions extends ReaderOptions {
  /** go cell by cell also where the fast way would do; for comparing the two */
  readonly cellByCell?: boolean | undefined;
}

export interface ArrowReport {
  /** rows read */
  readonly rows: number;
  readonly emitted: number;
  /** names of the input's columns, those that are none of a trace included */
  readonly columns: readonly string[];
  /** columns of the CSV that the trace comes from, if the input says so */
  readonly csv_columns: readonly string[] | undefined;
  /** generation whose gfp words the input says it uses */
  readonly kernel: KernelGeneration | undefined;
}

/** An EventSource over Arrow IPC. `report()` is complete when batches() has ended. */
export class ArrowReader implements EventSource {
  readonly strings: TraceStrings;
  readonly #input: ByteInput;
  readonly #options: ArrowReaderOptions;
  readonly #limits: TraceLimits;
  readonly #capacity: number;
  #emitted = 0;
  readonly #state: TraceState;
  #layout: BatchLayout | undefined;
  #kernel: KernelGeneration | undefined;
  #rows: EventRows | undefined;
  #started = false;

  constructor(input: ByteInput, options: ArrowReaderOptions = {}) {
    this.#input = input;
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.strings = options.strings ?? createTraceStrings(this.#limits, input.name);
    this.#state = new TraceState(this.strings.ids);
    this.#capacity = options.batchEvents ?? BATCH_EVENTS;
  }

  /**
   * The events in the order of the rows. Can be called once.
   *
   * @throws InputError  the first mistake; `line` is the number of its row
   */
  async *batches(): AsyncGenerator<EventBatch> {
    if (this.#started) throw new Error('a trace can be read once');
    this.#started = true;
    const stream = new MessageStream(this.#input);
    const messages = stream.messages();
    try {
      const first = await messages.next();
      if (first.done === true) throw stream.cut('before its schema');
      const { header } = first.value;
      if (header.kind !== 'schema') return stream.damaged('its first message is no schema');
      const layout = new BatchLayout(header.schema, this.#input.name, stream.damaged);
      this.#layout = layout;
      this.#kernel = this.#kernelOf(layout);
      const dialect = gfpDialect(this.#kernel ?? this.#options.kernel ?? '6.18');
      const ordered = stream.isFile ? dictionariesFirst(messages, layout) : messages;
      const rest = this.#unpacked(ordered, stream);
      const isFast = layout.isOwn && this.#options.cellByCell !== true;
      yield* isFast ? this.#fast(layout, dialect, rest) : this.#strict(layout, dialect, rest);
      // Our writer says where a stream ends, others may just stop.
      if (!stream.isEnded && layout.schema.metadata.has(MetadataKey.trace))
        throw stream.cut('without saying so');
    } finally {
      await messages.return(undefined);
    }
  }

  /** What was read so far, as plain data. */
  report(): ArrowReport {
    const schema = this.#layout?.schema;
    return {
      rows: this.#state.rows,
      emitted: this.#emitted,
      columns: schema?.fields.map((field) => field.name) ?? [],
      csv_columns: schema?.metadata.get(MetadataKey.columns)?.split(','),
      kernel: this.#kernel,
    };
  }

  #kernelOf(layout: BatchLayout): KernelGeneration | undefined {
    const value = layout.schema.metadata.get(MetadataKey.kernel);
    if (value === undefined) return undefined;
    const kernel = KERNEL_GENERATIONS.find((generation) => generation === value);
    if (kernel !== undefined) return kernel;
    throw new InputError({
      file: this.#input.name,
      field: MetadataKey.kernel,
      value,
      expectation: 'is not a kernel whose gfp words are known',
      remedy: `give ${KERNEL_GENERATIONS.join(', ')}`,
    });
  }

  /** Dictionaries and record batches, none of them compressed. */
  async *#unpacked(
    messages: AsyncIterable<ArrowMessage>,
    stream: MessageStream,
  ): AsyncGenerator<ArrowMessage> {
    for await (const message of messages) {
      const { header } = message;
      if (header.kind === 'schema') return stream.damaged('it has two schemas');
      if (header.batch.codec === Codec.none) {
        yield message;
        continue;
      }
      const { unpackBatch } = await import('./unpack-batch.js');
      const { batch, body } = await unpackBatch(
        header.batch,
        message.body,
        this.#limits,
        this.#input.name,
        stream.damaged,
      );
      yield { header: { ...header, batch }, body };
    }
  }

  async #eventRows(dialect: GfpDialect): Promise<EventRows> {
    if (this.#rows === undefined) {
      const { EventRows } = await import('./event-rows.js');
      this.#rows = new EventRows(this.#input.name, this.strings, dialect, this.#state);
    }
    return this.#rows;
  }

  /** Counts a batch that is complete. */
  #counted(batch: EventBatch): EventBatch {
    this.#emitted += batch.length;
    return batch;
  }

  async *#fast(
    layout: BatchLayout,
    dialect: GfpDialect,
    messages: AsyncIterable<ArrowMessage>,
  ): AsyncGenerator<EventBatch> {
    const decoder = new FastDecoder(layout, this.strings, dialect, this.#state);
    const out = new EventBatch(this.strings, this.#capacity);
    for await (const { header, body } of messages) {
      if (header.kind === 'dictionary') decoder.setDictionary(header.id, header.is_delta, header.batch, body);
      if (header.kind !== 'records') continue;
      decoder.open(header.batch, body);
      for (let from = 0; from < header.batch.rows; from += this.#capacity) {
        const to = Math.min(header.batch.rows, from + this.#capacity);
        out.length = 0;
        const taken = decoder.decode(from, to, out);
        if (taken < to - from) {
          const rows = await this.#eventRows(dialect);
          for (let row = from + taken; row < to; row++) rows.append(decoder.cells, row, out);
        }
        yield this.#counted(out);
      }
    }
  }

  async *#strict(
    layout: BatchLayout,
    dialect: GfpDialect,
    messages: AsyncIterable<ArrowMessage>,
  ): AsyncGenerator<EventBatch> {
    const [{ strictBatches }, rows] = await Promise.all([
      import('./strict-cells.js'),
      this.#eventRows(dialect),
    ]);
    const out = new EventBatch(this.strings, this.#capacity);
    for await (const batch of strictBatches(layout, messages)) {
      for (let from = 0; from < batch.rows; from += this.#capacity) {
        const to = Math.min(batch.rows, from + this.#capacity);
        out.length = 0;
        for (let row = from; row < to; row++) rows.append(batch.cells, row, out);
        yield this.#counted(out);
      }
    }
  }
}
