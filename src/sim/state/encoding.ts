/**
 * A snapshot as bytes: the names of its entries once, then the entries, each with the number of its name and its kind.
 *
 *     array:  kind of elements | length | runs:  first index | elements | a bit per block of 512 bytes | blocks not zero
 *
 * Leaving blocks of zeros out keeps an almost empty array small before anything packs it. Numbers of elements are in the byte order
 * of the machine, which is little-endian wherever Node runs that anybody replays traces on.
 */
import type { StateArray } from '../../mm/state-io.js';
import type { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';
import { MAX_RUN, PackedArray, type Run } from './packed-array.js';
import { type Entry, PART, Plain, Snapshot, Table, type Value } from './snapshot.js';

const Kind = {
  double: 0,
  whole: 1,
  false: 2,
  true: 3,
  word: 4,
  list: 5,
  table: 6,
  array: 7,
  plain: 8,
  part: 9,
} as const;

const ARRAY_TYPES = [Uint8Array, Uint16Array, Int32Array, Uint32Array, Float64Array] as const;
const BLOCK_BYTES = 512;
const ZEROS = Buffer.alloc(BLOCK_BYTES);
const LIST_PIECE = 1 << 16;

const MAX_NAMES = 1 << 16;
const MAX_NAME_BYTES = 1 << 8;
const MAX_WORD_BYTES = 1 << 10;
/** one sample of a series: a few KB for each zone */
const MAX_PLAIN_BYTES = 1 << 26;
const MAX_LENGTH = 2 ** 32;
const MAX_ROWS = 2 ** 20;

function bytesOf(array: StateArray): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

/** Blocks of a snapshot; each is the reader's. */
export function* encodeSnapshot({ entries }: Snapshot): Generator<Uint8Array> {
  const writer = new ByteWriter();
  const names = new Map<string, number>();
  for (const { name } of entries) if (!names.has(name)) names.set(name, names.size);
  writer.whole(names.size);
  for (const name of names.keys()) writer.text(name);
  writer.whole(entries.length);
  for (const { name, value } of entries) {
    writer.whole(names.get(name)!);
    yield* encodeValue(writer, value);
    yield* writer.takeFull();
  }
  yield* writer.takeRest();
}

function* encodeValue(writer: ByteWriter, value: Value): Generator<Uint8Array> {
  if (typeof value === 'number') encodeNumber(writer, value);
  else if (typeof value === 'boolean') writer.byte(value ? Kind.true : Kind.false);
  else if (typeof value === 'string') {
    writer.byte(Kind.word);
    writer.text(value);
  } else if (value === PART) writer.byte(Kind.part);
  else if (value instanceof Float64Array) {
    writer.byte(Kind.list);
    writer.whole(value.length);
    writer.bytes(bytesOf(value));
  } else if (value instanceof Table) {
    writer.byte(Kind.table);
    writer.whole(value.rows.length);
    for (const [name, number] of value.rows) {
      writer.text(name);
      writer.double(number);
    }
  } else if (value instanceof Plain) {
    writer.byte(Kind.plain);
    writer.whole(value.values.length);
    for (const each of value.values) {
      writer.text(JSON.stringify(each));
      yield* writer.takeFull();
    }
  } else {
    writer.byte(Kind.array);
    const first = value.runs[0]?.values ?? new Uint8Array(0);
    writer.byte(ARRAY_TYPES.findIndex((type) => first instanceof type));
    writer.whole(value.length);
    writer.whole(value.runs.length);
    for (const run of value.runs) {
      encodeRun(writer, run);
      yield* writer.takeFull();
    }
  }
}

function encodeNumber(writer: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0)) {
    writer.byte(Kind.whole);
    writer.whole(value);
  } else {
    writer.byte(Kind.double);
    writer.double(value);
  }
}

/** Which blocks of so many bytes are there, as bits. */
function isThere(bits: Uint8Array, block: number): boolean {
  return ((bits[block >> 3]! >> (block & 7)) & 1) === 1;
}

function encodeRun(writer: ByteWriter, { at, values }: Run): void {
  const bytes = bytesOf(values);
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES);
  const bits = new Uint8Array(Math.ceil(blocks / 8));
  const endOf = (block: number) => Math.min((block + 1) * BLOCK_BYTES, bytes.length);
  for (let block = 0; block < blocks; block++) {
    const from = block * BLOCK_BYTES;
    if (bytes.compare(ZEROS, 0, endOf(block) - from, from, endOf(block)) !== 0)
      bits[block >> 3]! |= 1 << (block & 7);
  }
  writer.whole(at);
  writer.whole(values.length);
  writer.bytes(bits);
  for (let block = 0; block < blocks; block++)
    if (isThere(bits, block)) writer.bytes(bytes.subarray(block * BLOCK_BYTES, endOf(block)));
}

/** @throws what the reader's `fail` makes, for bytes that are no snapshot */
export async function decodeSnapshot(reader: ByteReader): Promise<Snapshot> {
  await reader.ready();
  const names: string[] = [];
  for (let left = reader.whole(MAX_NAMES); left > 0; left--) names.push(await reader.text(MAX_NAME_BYTES));
  await reader.ready();
  const entries: Entry[] = [];
  for (let left = reader.whole(MAX_LENGTH); left > 0; left--) {
    if (!reader.isReady) await reader.ready();
    const name = names[reader.whole()];
    if (name === undefined) throw reader.fail('names what it does not list');
    const value = decodeNumber(reader);
    entries.push({ name, value: value instanceof OfKind ? await decodeValue(reader, value.kind) : value });
  }
  return new Snapshot(entries);
}

/** A value that may have to be waited for. */
class OfKind {
  constructor(readonly kind: number) {}
}

/** The values of which there are many, read at once. */
function decodeNumber(reader: ByteReader): Value | OfKind {
  const kind = reader.byte();
  switch (kind) {
    case Kind.double:
      return reader.double();
    case Kind.whole:
      return reader.whole();
    case Kind.false:
      return false;
    case Kind.true:
      return true;
    case Kind.part:
      return PART;
    default:
      return new OfKind(kind);
  }
}

async function decodeValue(reader: ByteReader, kind: number): Promise<Value> {
  switch (kind) {
    case Kind.word:
      return reader.text(MAX_WORD_BYTES);
    case Kind.list:
      return decodeList(reader);
    case Kind.table:
      return decodeTable(reader);
    case Kind.array:
      return decodeArray(reader);
    case Kind.plain:
      return decodePlain(reader);
    default:
      throw reader.fail(`holds a value of kind ${kind}`);
  }
}

async function decodeList(reader: ByteReader): Promise<Float64Array> {
  await reader.ready();
  const length = reader.whole(MAX_LENGTH);
  const pieces: Buffer[] = [];
  for (let at = 0; at < length; at += LIST_PIECE)
    pieces.push(await reader.bytes(Math.min(LIST_PIECE, length - at) * Float64Array.BYTES_PER_ELEMENT));
  const list = new Float64Array(length);
  bytesOf(list).set(Buffer.concat(pieces));
  return list;
}

async function decodeTable(reader: ByteReader): Promise<Table> {
  await reader.ready();
  const rows: [string, number][] = [];
  for (let left = reader.whole(MAX_ROWS); left > 0; left--) {
    const name = await reader.text(MAX_WORD_BYTES);
    await reader.ready();
    rows.push([name, reader.double()]);
  }
  return new Table(rows);
}

async function decodePlain(reader: ByteReader): Promise<Plain> {
  await reader.ready();
  const values: unknown[] = [];
  for (let left = reader.whole(MAX_ROWS); left > 0; left--) {
    const text = await reader.text(MAX_PLAIN_BYTES);
    try {
      values.push(JSON.parse(text));
    } catch {
      throw reader.fail('holds an object that is no JSON');
    }
  }
  return new Plain(values);
}

async function decodeArray(reader: ByteReader): Promise<PackedArray> {
  await reader.ready();
  const ArrayType = ARRAY_TYPES[reader.byte()];
  if (ArrayType === undefined) throw reader.fail('holds an array of unknown elements');
  const length = reader.whole(MAX_LENGTH);
  const runs: Run[] = [];
  let end = 0;
  for (let left = reader.whole(MAX_LENGTH); left > 0; left--) {
    await reader.ready();
    const at = reader.whole(length);
    const values = new ArrayType(reader.whole(Math.min(MAX_RUN, length - at)));
    if (at < end || !PackedArray.isAligned(at, at + values.length, length) || values.length === 0)
      throw reader.fail('holds an array in disorder');
    end = at + values.length;
    await decodeRun(reader, bytesOf(values));
    runs.push({ at, values });
  }
  return new PackedArray(length, runs);
}

async function decodeRun(reader: ByteReader, bytes: Buffer): Promise<void> {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES);
  const bits = await reader.bytes(Math.ceil(blocks / 8));
  const lengthOf = (block: number) => Math.min(BLOCK_BYTES, bytes.length - block * BLOCK_BYTES);
  let length = 0;
  for (let block = 0; block < blocks; block++) if (isThere(bits, block)) length += lengthOf(block);
  const there = await reader.bytes(length);
  let at = 0;
  for (let block = 0; block < blocks; block++)
    if (isThere(bits, block)) at += there.copy(bytes, block * BLOCK_BYTES, at, at + lengthOf(block));
}
