/**
 * Arrow's messages as bytes: what the writer puts into a stream or a file, and what the strict reader hands over to the
 * reference implementation. The counterpart of ipc-metadata.ts.
 */
import { FlatBufferBuilder, type Place } from './flatbuffer-builder.js';
import { type ArrowField, type ArrowType, MessageKind, TypeNumber } from './ipc-metadata.js';

const METADATA_V5 = 4;
/** Begins every message; the length of its metadata follows. */
const CONTINUATION = 0xffff_ffff;
const ALIGNMENT = 8;

export const FILE_MAGIC: Uint8Array = Buffer.from('ARROW1');
/** The end of the messages. */
export const END_OF_STREAM: Uint8Array = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/** `bytes` rounded up to whole words of 8. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** A schema's column: what it is, and whether cells may be empty. */
export type EncodedField = Pick<ArrowField, 'name' | 'type' | 'dictionary'> & { readonly nullable: boolean };

/** Rows of a record batch or values of a dictionary, as their buffers. */
export interface BatchParts {
  readonly rows: number;
  /** for each column its rows and how many of them are null */
  readonly nodes: readonly (readonly [rows: number, nulls: number])[];
  readonly buffers: readonly Uint8Array[];
  readonly variadic?: readonly number[];
}

/** Where a message stands in a file. */
export interface Block {
  readonly offset: number;
  readonly metadata_bytes: number;
  readonly body_bytes: number;
}

function typeTable(builder: FlatBufferBuilder, type: ArrowType): Place {
  switch (type.number) {
    case TypeNumber.int:
      return builder.table([(b) => b.int32(type.bits), type.signed ? (b) => b.int8(1) : undefined]);
    case TypeNumber.float:
      return builder.table([(b) => b.int16(Math.log2(type.bits / 16))]);
    case TypeNumber.timestamp:
      return builder.table([(b) => b.int16(type.unit)]);
    default:
      return builder.table([]);
  }
}

function fieldTable(builder: FlatBufferBuilder, field: EncodedField): Place {
  const name = builder.text(field.name);
  const type = typeTable(builder, field.type);
  const children = builder.tables([]);
  const { dictionary } = field;
  let encoding: Place | undefined;
  if (dictionary !== undefined) {
    const index = typeTable(builder, dictionary.index);
    encoding = builder.table([(b) => b.int64(dictionary.id), (b) => b.offset(index)]);
  }
  return builder.table([
    (b) => b.offset(name),
    field.nullable ? (b) => b.int8(1) : undefined,
    (b) => b.int8(field.type.number),
    (b) => b.offset(type),
    encoding === undefined ? undefined : (b) => b.offset(encoding),
    (b) => b.offset(children),
  ]);
}

function schemaTable(
  builder: FlatBufferBuilder,
  fields: readonly EncodedField[],
  metadata: ReadonlyMap<string, string>,
): Place {
  const list = builder.tables(fields.map((field) => fieldTable(builder, field)));
  const pairs = builder.tables(
    [...metadata].map(([key, value]) => {
      const places = [builder.text(key), builder.text(value)] as const;
      return builder.table(places.map((place) => (b) => b.offset(place)));
    }),
  );
  return builder.table([undefined, (b) => b.offset(list), (b) => b.offset(pairs)]);
}

/** The message around a header: prefix and metadata, padded, so that the body behind it is aligned. */
function encapsulate(builder: FlatBufferBuilder, kind: number, header: Place, bodyBytes: number): Uint8Array {
  const message = builder.finish(
    builder.table([
      (b) => b.int16(METADATA_V5),
      (b) => b.int8(kind),
      (b) => b.offset(header),
      (b) => b.int64(bodyBytes),
    ]),
  );
  const bytes = new Uint8Array(8 + padded(message.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, CONTINUATION, true);
  view.setInt32(4, padded(message.length), true);
  bytes.set(message, 8);
  return bytes;
}

export function encodeSchema(
  fields: readonly EncodedField[],
  metadata: ReadonlyMap<string, string>,
): Uint8Array {
  const builder = new FlatBufferBuilder();
  return encapsulate(builder, MessageKind.schema, schemaTable(builder, fields, metadata), 0);
}

function batchTable(builder: FlatBufferBuilder, parts: BatchParts): Place {
  const regions: number[] = [];
  let offset = 0;
  for (const buffer of parts.buffers) {
    regions.push(offset, buffer.length);
    offset += padded(buffer.length);
  }
  const buffers = builder.structs(regions, parts.buffers.length);
  const nodes = builder.structs(parts.nodes.flat(), parts.nodes.length);
  const { variadic } = parts;
  const counts =
    variadic === undefined || variadic.length === 0 ? undefined : builder.structs(variadic, variadic.length);
  return builder.table([
    (b) => b.int64(parts.rows),
    (b) => b.offset(nodes),
    (b) => b.offset(buffers),
    undefined,
    counts === undefined ? undefined : (b) => b.offset(counts),
  ]);
}

/** Metadata and body in one piece. */
function withBody(metadata: Uint8Array, buffers: readonly Uint8Array[], bodyBytes: number): Uint8Array {
  const bytes = new Uint8Array(metadata.length + bodyBytes);
  bytes.set(metadata);
  let at = metadata.length;
  for (const buffer of buffers) {
    bytes.set(buffer, at);
    at += padded(buffer.length);
  }
  return bytes;
}

function bodyBytesOf(parts: BatchParts): number {
  return parts.buffers.reduce((sum, buffer) => sum + padded(buffer.length), 0);
}

/** A message, and how much of it is metadata. */
export interface EncodedMessage {
  readonly bytes: Uint8Array;
  readonly metadata_bytes: number;
}

export function encodeRecordBatch(parts: BatchParts): EncodedMessage {
  const builder = new FlatBufferBuilder();
  const bodyBytes = bodyBytesOf(parts);
  const metadata = encapsulate(builder, MessageKind.record_batch, batchTable(builder, parts), bodyBytes);
  return { bytes: withBody(metadata, parts.buffers, bodyBytes), metadata_bytes: metadata.length };
}

/** @param isDelta  the values stand behind those that the dictionary has already, instead of in their place */
export function encodeDictionary(id: number, parts: BatchParts, isDelta = false): EncodedMessage {
  const builder = new FlatBufferBuilder();
  const bodyBytes = bodyBytesOf(parts);
  const data = batchTable(builder, parts);
  const header = builder.table([
    (b) => b.int64(id),
    (b) => b.offset(data),
    isDelta ? (b) => b.int8(1) : undefined,
  ]);
  const metadata = encapsulate(builder, MessageKind.dictionary_batch, header, bodyBytes);
  return { bytes: withBody(metadata, parts.buffers, bodyBytes), metadata_bytes: metadata.length };
}

/** What stands behind the messages of a file: where each of them is, the length of that, and the magic. */
export function encodeFooter(
  fields: readonly EncodedField[],
  metadata: ReadonlyMap<string, string>,
  dictionaries: readonly Block[],
  records: readonly Block[],
): Uint8Array {
  const builder = new FlatBufferBuilder();
  // A block is two 64-bit numbers around a 32-bit one with four bytes of padding: three 64-bit numbers.
  const blocks = (list: readonly Block[]) =>
    builder.structs(
      list.flatMap((block) => [block.offset, block.metadata_bytes, block.body_bytes]),
      list.length,
    );
  const recordBlocks = blocks(records);
  const dictionaryBlocks = blocks(dictionaries);
  const schema = schemaTable(builder, fields, metadata);
  const footer = builder.finish(
    builder.table([
      (b) => b.int16(METADATA_V5),
      (b) => b.offset(schema),
      (b) => b.offset(dictionaryBlocks),
      (b) => b.offset(recordBlocks),
    ]),
  );
  const bytes = new Uint8Array(footer.length + 4 + FILE_MAGIC.length);
  bytes.set(footer);
  new DataView(bytes.buffer).setInt32(footer.length, footer.length, true);
  bytes.set(FILE_MAGIC, footer.length + 4);
  return bytes;
}
