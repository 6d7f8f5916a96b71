/**
 * Where the columns of a trace stand in the batches of one Arrow input, and their buffers in each batch.
 *
 * Everything that either way of decoding relies on is checked here: that a batch has the columns of its schema, that every
 * column has the batch's rows, and that its buffers are as long as its rows need.
 */
import { InputError } from '../input-error.js';
import { nearestName } from '../nearest-name.js';
import {
  ARROW_COLUMNS,
  type ArrowColumn,
  isOwnType,
  isStringColumn,
  MetadataKey,
  TRACE_VERSION,
} from './columns.js';
import type { Fail } from './flatbuffer.js';
import {
  type ArrowField,
  type ArrowSchema,
  type BatchHeader,
  buffersOfType,
  TYPE_NAMES,
  TypeNumber,
} from './ipc-metadata.js';

/** A column of the trace in the schema at hand. */
export interface ColumnPlace {
  readonly name: ArrowColumn;
  readonly field: ArrowField;
  /** its first node, buffer and count of views among those of a batch */
  readonly node: number;
  readonly buffer: number;
  readonly view: number;
}

/** One column's share of a batch's body. */
export interface ColumnBuffers {
  readonly rows: number;
  readonly nulls: number;
  /** bits that are 1 where a cell is given; empty without empty cells */
  readonly validity: Uint8Array;
  /** what stands behind the validity: data, or offsets and data, or views and their data */
  readonly data: readonly Uint8Array[];
}

/**
 * Types that any column may have: tools make numbers of ids that look like them, and floats of cells that are all empty.
 */
const SUPPORTED: ReadonlySet<number> = new Set([
  TypeNumber.null,
  TypeNumber.int,
  TypeNumber.float,
  TypeNumber.utf8,
  TypeNumber.large_utf8,
  TypeNumber.utf8_view,
]);

function isSupported(name: ArrowColumn, field: ArrowField): boolean {
  const { number } = field.type;
  if (!isStringColumn(name) && field.dictionary !== undefined) return false;
  return SUPPORTED.has(number) || (name === 'ts' && number === TypeNumber.timestamp);
}

function isAlwaysEmpty(field: ArrowField): boolean {
  return field.dictionary !== undefined && field.type.number === TypeNumber.null;
}

/** A schema as far as it is a trace. */
export class BatchLayout {
  readonly places: readonly ColumnPlace[];
  /** every column has the writer's own type, so that the fast decoder can read it */
  readonly isOwn: boolean;
  readonly #nodes: number;
  readonly #buffers: number;
  readonly #views: number;

  /**
   * @throws InputError  if a column of a trace stands twice or has a type that it cannot have, or op is missing
   */
  constructor(
    readonly schema: ArrowSchema,
    readonly file: string,
    readonly fail: Fail,
  ) {
    const version = schema.metadata.get(MetadataKey.trace);
    if (version !== undefined && version !== TRACE_VERSION) {
      this.#refuse(
        MetadataKey.trace,
        version,
        'is not a version of a trace that is known',
        `give ${TRACE_VERSION}`,
      );
    }
    const places = new Map<ArrowColumn, ColumnPlace>();
    const seen = new Set<ArrowColumn>();
    let node = 0;
    let buffer = 0;
    let view = 0;
    for (const field of schema.fields) {
      const name = ARROW_COLUMNS.find((column) => column === field.name);
      if (name !== undefined) {
        if (seen.has(name)) this.#refuse('schema', name, 'stands twice', 'remove one of the columns');
        if (!isSupported(name, field)) this.#refuseType(name, field);
        seen.add(name);
        // pandas makes a dictionary of nothing of words that were all empty.
        if (!isAlwaysEmpty(field)) places.set(name, { name, field, node, buffer, view });
      }
      node += field.nodes;
      buffer += field.buffers;
      view += field.views;
    }
    if (!places.has('op')) {
      const names = schema.fields.map((field) => field.name);
      const nearest = nearestName('op', names);
      this.#refuse(
        'schema',
        undefined,
        'has no column op',
        nearest === undefined ? 'columns are named as in the trace CSV' : `is ${nearest} meant?`,
      );
    }
    this.places = [...places.values()];
    this.isOwn = this.places.every(({ name, field }) => isOwnType(name, field.type, field.dictionary?.index));
    this.#nodes = node;
    this.#buffers = buffer;
    this.#views = view;
  }

  #refuse(field: string, value: string | undefined, expectation: string, remedy: string): never {
    throw new InputError({ file: this.file, field, value, expectation, remedy });
  }

  #refuseType(name: ArrowColumn, field: ArrowField): never {
    const type = TYPE_NAMES[field.type.number] as string;
    this.#refuse(
      name,
      field.dictionary === undefined ? type : `dictionary of ${type}`,
      'is no type for this column',
      isStringColumn(name) ? 'give utf8, plain or dictionary-encoded' : 'give integers',
    );
  }

  /** Refuses a record batch that does not have the schema's columns. */
  checkRecords(batch: BatchHeader): void {
    const views = batch.variadic.reduce((sum, count) => sum + this.#count(count), 0);
    if (batch.nodes.length !== 2 * this.#nodes || batch.variadic.length !== this.#views)
      this.fail('a batch has other columns than the schema');
    if (batch.buffers.length !== 2 * (this.#buffers + views))
      this.fail('a batch has another number of buffers');
  }

  #count(value: number): number {
    if (value < 0) this.fail('a batch has a negative number of buffers');
    return value;
  }

  /** A column's buffers in a record batch that was checked. */
  column(place: ColumnPlace, batch: BatchHeader, body: Uint8Array): ColumnBuffers {
    let first = place.buffer;
    for (let view = 0; view < place.view; view++) first += batch.variadic[view] as number;
    const count =
      place.field.buffers + (place.field.views === 0 ? 0 : (batch.variadic[place.view] as number));
    const type = place.field.dictionary?.index ?? place.field.type;
    if (batch.nodes[2 * place.node] !== batch.rows)
      this.fail('a column has another number of rows than its batch');
    return this.#buffersOf(type, place.node, first, count, batch, body);
  }

  /** The values of a dictionary for columns of `field`'s kind. */
  values(field: ArrowField, batch: BatchHeader, body: Uint8Array): ColumnBuffers {
    const isView = field.type.number === TypeNumber.utf8_view;
    const views = isView ? this.#count(batch.variadic[0] ?? 0) : 0;
    const count = buffersOfType(field.type) + views;
    if (batch.nodes.length !== 2 || batch.buffers.length !== 2 * count || batch.nodes[0] !== batch.rows)
      this.fail('a dictionary has another number of columns or rows than it says');
    return this.#buffersOf(field.type, 0, 0, count, batch, body);
  }

  #buffersOf(
    type: ArrowField['type'],
    node: number,
    first: number,
    count: number,
    batch: BatchHeader,
    body: Uint8Array,
  ): ColumnBuffers {
    const rows = batch.rows;
    const nulls = type.number === TypeNumber.null ? rows : (batch.nodes[2 * node + 1] as number);
    const slices: Uint8Array[] = [];
    for (let i = first; i < first + count; i++) {
      const offset = batch.buffers[2 * i] as number;
      slices.push(body.subarray(offset, offset + (batch.buffers[2 * i + 1] as number)));
    }
    const validity = slices[0] ?? new Uint8Array(0);
    const data = slices.slice(1);
    if (type.number !== TypeNumber.null && nulls > 0 && validity.length * 8 < rows)
      this.fail('a column has empty cells and does not say which');
    this.#checkData(type, rows, data);
    return { rows, nulls, validity, data };
  }

  /** Refuses a column whose buffers are shorter than its rows need, or whose texts lie outside. */
  #checkData(type: ArrowField['type'], rows: number, data: readonly Uint8Array[]): void {
    const need = (index: number, bytes: number): Uint8Array => {
      const buffer = data[index] as Uint8Array;
      return buffer.length < bytes ? this.fail('a column is shorter than its batch') : buffer;
    };
    switch (type.number) {
      case TypeNumber.null:
        return;
      case TypeNumber.int:
      case TypeNumber.float:
        need(0, (rows * type.bits) / 8);
        return;
      case TypeNumber.timestamp:
        need(0, rows * 8);
        return;
      case TypeNumber.utf8:
      case TypeNumber.large_utf8: {
        if (rows === 0) return;
        const width = type.number === TypeNumber.utf8 ? 4 : 8;
        this.#checkOffsets(need(0, (rows + 1) * width), rows, width, (data[1] as Uint8Array).length);
        return;
      }
      default:
        this.#checkViews(need(0, rows * 16), rows, data.slice(1));
    }
  }

  #checkOffsets(offsets: Uint8Array, rows: number, width: number, bytes: number): void {
    const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.byteLength);
    let before = 0;
    for (let i = 0; i <= rows; i++) {
      const end = width === 4 ? view.getInt32(4 * i, true) : Number(view.getBigInt64(8 * i, true));
      if (end < before || end > bytes) this.fail('a text lies outside its column');
      before = end;
    }
  }

  /** Views of up to 12 bytes hold their text; longer ones say where it stands. */
  #checkViews(views: Uint8Array, rows: number, buffers: readonly Uint8Array[]): void {
    const view = new DataView(views.buffer, views.byteOffset, views.byteLength);
    for (let at = 0; at < rows * 16; at += 16) {
      const length = view.getInt32(at, true);
      if (length >= 0 && length <= 12) continue;
      const buffer = buffers[view.getInt32(at + 8, true)];
      const offset = view.getInt32(at + 12, true);
      if (length < 0 || offset < 0 || buffer === undefined || offset + length > buffer.length)
        this.fail('a text lies outside its column');
    }
  }
}
