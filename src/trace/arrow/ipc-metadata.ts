/**
 * Arrow's metadata as plain data: what a schema, a record batch, a dictionary batch and a footer say.
 *
 * Reading is strict about everything that later code relies on: counts, offsets and lengths lie in the message's body.
 * https://arrow.apache.org/docs/format/Columnar.html, format/Message.fbs, format/Schema.fbs, format/File.fbs
 */
import { type Fail, FlatBuffer, type FlatTable } from './flatbuffer.js';

/** Numbers of the type union, for the types that a trace may have. */
export const TypeNumber = {
  null: 1,
  int: 2,
  float: 3,
  utf8: 5,
  timestamp: 10,
  large_utf8: 20,
  utf8_view: 24,
} as const;

/** Names of all types, for errors. */
export const TYPE_NAMES: readonly string[] = [
  ...['none', 'null', 'int', 'float', 'binary', 'utf8', 'bool', 'decimal', 'date', 'time', 'timestamp'],
  ...['interval', 'list', 'struct', 'union', 'fixed_size_binary', 'fixed_size_list', 'map', 'duration'],
  ...['large_binary', 'large_utf8', 'large_list', 'run_end_encoded', 'binary_view', 'utf8_view'],
  ...['list_view', 'large_list_view'],
];

/** Buffers that a column of each type has by itself, without its children; by number of the type. */
const TYPE_BUFFERS: readonly number[] = [
  0, 0, 2, 2, 3, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1, 2, 1, 2, 2, 3, 3, 2, 0, 2, 2, 3, 3,
];
const UNION = 14;
const BINARY_VIEW = 23;

/** Buffers of a column of the type, without those of views. */
export function buffersOfType(type: ArrowType): number {
  return TYPE_BUFFERS[type.number] as number;
}

export const MessageKind = { schema: 1, dictionary_batch: 2, record_batch: 3 } as const;

const METADATA_V4 = 3;
const METADATA_V5 = 4;
/** Deepest nesting of columns, and most of them, the nested ones included. */
const MAX_DEPTH = 32;
const MAX_FIELDS = 4096;

/** What a number of the type union means in detail; details that a type does not have are 0. */
export interface ArrowType {
  readonly number: number;
  /** int: bits; float: 16, 32 or 64 */
  readonly bits: number;
  readonly signed: boolean;
  /** timestamp: 0 s, 1 ms, 2 us, 3 ns */
  readonly unit: number;
}

export interface ArrowField {
  readonly name: string;
  /** of the values; for a dictionary-encoded column of the dictionary's values */
  readonly type: ArrowType;
  readonly dictionary: { readonly id: number; readonly index: ArrowType } | undefined;
  /** nodes, buffers and columns of views that it has in a record batch, nested ones included */
  readonly nodes: number;
  readonly buffers: number;
  readonly views: number;
}

export interface ArrowSchema {
  readonly fields: readonly ArrowField[];
  readonly metadata: ReadonlyMap<string, string>;
}

export const Codec = { none: -1, lz4: 0, zstd: 1 } as const;

export interface BatchHeader {
  readonly rows: number;
  /** for each column its rows and how many of them are null, alternating */
  readonly nodes: Float64Array;
  /** for each buffer its offset in the body and its length, alternating */
  readonly buffers: Float64Array;
  /** how many data buffers each column of views has */
  readonly variadic: readonly number[];
  /** of {@link Codec} */
  readonly codec: number;
}

export type MessageHeader =
  | { readonly kind: 'schema'; readonly schema: ArrowSchema; readonly body_bytes: number }
  | { readonly kind: 'records'; readonly batch: BatchHeader; readonly body_bytes: number }
  | {
      readonly kind: 'dictionary';
      readonly id: number;
      readonly is_delta: boolean;
      readonly batch: BatchHeader;
      readonly body_bytes: number;
    };

interface Budget {
  fields: number;
}

function readInt(table: FlatTable, fail: Fail): ArrowType {
  const bits = table.int32(0);
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64)
    fail('an integer has a width that there is not');
  return { number: TypeNumber.int, bits, signed: table.uint8(1) !== 0, unit: 0 };
}

function readType(field: FlatTable, number: number, fail: Fail): ArrowType {
  if (number < 1 || number >= TYPE_NAMES.length) fail('a column has a type that there is not');
  const table = field.table(3);
  if (table === undefined) return fail('a column has no type');
  if (number === TypeNumber.int) return readInt(table, fail);
  const bits = number === TypeNumber.float ? 16 << table.int16(0) : 0;
  if (number === TypeNumber.float && bits !== 16 && bits !== 32 && bits !== 64)
    fail('a float has a width that there is not');
  const unit = number === TypeNumber.timestamp ? table.int16(0) : 0;
  if (unit < 0 || unit > 3) fail('a timestamp has a unit that there is not');
  return { number, bits, signed: true, unit };
}

function readField(field: FlatTable, version: number, depth: number, budget: Budget, fail: Fail): ArrowField {
  if (depth > MAX_DEPTH || budget.fields-- <= 0) fail('there are too many columns');
  const number = field.uint8(2);
  const type = readType(field, number, fail);
  const encoding = field.table(4);
  const name = field.text(0) ?? '';
  if (encoding !== undefined) {
    const indexTable = encoding.table(1);
    const index =
      indexTable === undefined
        ? { number: TypeNumber.int, bits: 32, signed: true, unit: 0 }
        : readInt(indexTable, fail);
    return { name, type, dictionary: { id: encoding.int64(0), index }, nodes: 1, buffers: 2, views: 0 };
  }
  let nodes = 1;
  let buffers = TYPE_BUFFERS[number] as number;
  let views = number === BINARY_VIEW || number === TypeNumber.utf8_view ? 1 : 0;
  if (number === UNION) {
    const isDense = (field.table(3)?.int16(0) ?? 0) === 1;
    buffers = (isDense ? 2 : 1) + (version < METADATA_V5 ? 1 : 0);
  }
  for (const child of field.tables(5)) {
    const read = readField(child, version, depth + 1, budget, fail);
    nodes += read.nodes;
    buffers += read.buffers;
    views += read.views;
  }
  return { name, type, dictionary: undefined, nodes, buffers, views };
}

function readSchema(table: FlatTable, version: number, fail: Fail): ArrowSchema {
  if (table.int16(0) !== 0) fail('its numbers are big-endian');
  const budget: Budget = { fields: MAX_FIELDS };
  const fields: ArrowField[] = [];
  for (const field of table.tables(1)) fields.push(readField(field, version, 0, budget, fail));
  const metadata = new Map<string, string>();
  for (const pair of table.tables(2)) {
    if (budget.fields-- <= 0) fail('there are too many keys');
    metadata.set(pair.text(0) ?? '', pair.text(1) ?? '');
  }
  return { fields, metadata };
}

/** Pairs of 64-bit numbers, none of them negative. */
function readPairs(table: FlatTable, number: number, fail: Fail): Float64Array {
  const { at, length } = table.vector(number, 16);
  const pairs = new Float64Array(length * 2);
  for (let i = 0; i < pairs.length; i++) {
    const value = table.buffer.int64(at + 8 * i);
    if (value < 0) fail('a length is negative');
    pairs[i] = value;
  }
  return pairs;
}

function readBatch(table: FlatTable, bodyBytes: number, fail: Fail): BatchHeader {
  const rows = table.int64(0);
  const nodes = readPairs(table, 1, fail);
  const buffers = readPairs(table, 2, fail);
  if (rows < 0) fail('a batch has a negative number of rows');
  for (let i = 0; i < nodes.length; i += 2)
    if ((nodes[i + 1] as number) > (nodes[i] as number)) fail('a column has more nulls than rows');
  let total = 0;
  for (let i = 0; i < buffers.length; i += 2) {
    total += buffers[i + 1] as number;
    if ((buffers[i] as number) + (buffers[i + 1] as number) > bodyBytes)
      fail('a buffer ends behind its batch');
  }
  // Bytes that stand in many columns at once would cost their size again and again.
  if (total > bodyBytes) fail('buffers overlap');
  const variadic: number[] = [];
  const counts = table.vector(4, 8);
  for (let i = 0; i < counts.length; i++) variadic.push(table.buffer.int64(counts.at + 8 * i));
  const compression = table.table(3);
  const codec = compression === undefined ? Codec.none : compression.uint8(0);
  if (compression !== undefined && (codec > Codec.zstd || compression.uint8(1) !== 0))
    fail('it is compressed in a way that there is not');
  return { rows, nodes, buffers, variadic, codec };
}

/** What one encapsulated message says. Kinds that are neither schema, dictionary nor rows are refused. */
export function readMessage(bytes: Uint8Array, fail: Fail): MessageHeader {
  const message = new FlatBuffer(bytes, fail).root();
  const version = message.int16(0);
  if (version !== METADATA_V4 && version !== METADATA_V5)
    fail('it has a version before 0.8 or an unknown one');
  const body_bytes = message.int64(3);
  if (body_bytes < 0) fail('a body has a negative length');
  const kind = message.uint8(1);
  const header = message.table(2);
  if (header === undefined) return fail('a message says nothing');
  switch (kind) {
    case MessageKind.schema:
      return { kind: 'schema', schema: readSchema(header, version, fail), body_bytes };
    case MessageKind.record_batch:
      return { kind: 'records', batch: readBatch(header, body_bytes, fail), body_bytes };
    case MessageKind.dictionary_batch: {
      const data = header.table(1);
      if (data === undefined) return fail('a dictionary has no values');
      const batch = readBatch(data, body_bytes, fail);
      return { kind: 'dictionary', id: header.int64(0), is_delta: header.uint8(2) !== 0, batch, body_bytes };
    }
    default:
      return fail('a message is neither schema, dictionary nor rows');
  }
}

/** How many dictionary and record batches a file's footer lists. */
export function readFooter(bytes: Uint8Array, fail: Fail): { dictionaries: number; records: number } {
  const footer = new FlatBuffer(bytes, fail).root();
  return { dictionaries: footer.vector(2, 24).length, records: footer.vector(3, 24).length };
}
