/** Inputs made to cost memory or time, or to confuse: each is refused in one line. */
import { expect, test } from 'vitest';
import { TRACE_FIELDS } from '../../../src/trace/arrow/columns.js';
import { FlatBufferBuilder } from '../../../src/trace/arrow/flatbuffer-builder.js';
import {
  END_OF_STREAM,
  encodeDictionary,
  encodeRecordBatch,
  encodeSchema,
} from '../../../src/trace/arrow/ipc-encode.js';
import { ArrowReader } from '../../../src/trace/arrow/reader.js';
import { detectFormat } from '../../../src/trace/detect-format.js';
import { InputError } from '../../../src/trace/input-error.js';
import { DEFAULT_LIMITS } from '../../../src/trace/limits.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';
import { fc } from '../properties.js';
import { batchOf, eventSeed, outcomeOf, written } from './support.js';

const NO_METADATA: ReadonlyMap<string, string> = new Map();
const UTF8 = { number: 5, bits: 0, signed: true, unit: 0 };
const NULL = { number: 1, bits: 0, signed: true, unit: 0 };
const schema = encodeSchema(TRACE_FIELDS, NO_METADATA);

/** Replaces the first 64-bit number of this value in a message by another one. */
function patched(message: Uint8Array, from: bigint, to: bigint): Buffer {
  const bytes = Buffer.from(message);
  for (let at = 8; at + 8 <= bytes.length; at += 8) {
    if (bytes.readBigInt64LE(at) !== from) continue;
    bytes.writeBigInt64LE(to, at);
    return bytes;
  }
  throw new Error(`the message has no number ${from}`);
}

/** A message of lengths only. */
function prefix(length: number): Buffer {
  const bytes = Buffer.alloc(8, 0xff);
  bytes.writeUInt32LE(length, 4);
  return bytes;
}

const MARKED_ROWS = 12_345;

/** A batch of one column, op, whose rows and body length are easily found. */
function opBatch(): { schema: Uint8Array; records: Uint8Array } {
  const fields = [{ name: 'op', nullable: true, type: UTF8, dictionary: undefined }];
  const parts = {
    rows: MARKED_ROWS,
    nodes: [[MARKED_ROWS, 0] as const],
    buffers: [new Uint8Array(0), new Uint8Array((MARKED_ROWS + 1) * 4), new Uint8Array(0)],
  };
  return { schema: encodeSchema(fields, NO_METADATA), records: encodeRecordBatch(parts).bytes };
}

function deepSchema(depth: number, width: number): Uint8Array {
  // Every struct has `width` children, which are all the same table: a few bytes that spell width^depth columns.
  const builder = new FlatBufferBuilder();
  const name = builder.text('op');
  const type = builder.table([]);
  let field = builder.table([(b) => b.offset(name), undefined, (b) => b.int8(1), (b) => b.offset(type)]);
  for (let level = 0; level < depth; level++) {
    const children = builder.tables(Array<number>(width).fill(field));
    field = builder.table([
      (b) => b.offset(name),
      undefined,
      (b) => b.int8(13),
      (b) => b.offset(type),
      undefined,
      (b) => b.offset(children),
    ]);
  }
  const fields = builder.tables([field]);
  const header = builder.table([undefined, (b) => b.offset(fields)]);
  const message = builder.finish(
    builder.table([(b) => b.int16(4), (b) => b.int8(1), (b) => b.offset(header)]),
  );
  return Buffer.concat([prefix(message.length), message]);
}

const cases: readonly (readonly [name: string, bytes: Uint8Array, message: string])[] = [
  ['nothing', new Uint8Array(0), 'ends before its first message'],
  ['a magic alone', Buffer.from('ARROW1\0\0'), 'ends before its first message'],
  ['half a magic', Buffer.from('ARROW'), 'ends before its first message'],
  ['another magic', Buffer.from('ARROWS\0\0........'), 'its magic is wrong'],
  ['metadata of 4 GiB', prefix(0xffff_fff0), 'has metadata of more than'],
  ['metadata of 16 MiB that never comes', prefix(1 << 24), 'ends in the middle of a message'],
  ['metadata of zeros', Buffer.concat([prefix(64), Buffer.alloc(64)]), 'an offset leads nowhere'],
  ['metadata of ones', Buffer.concat([prefix(64), Buffer.alloc(64, 0xff)]), 'an offset leads outside'],
  [
    'a table that is its own vtable',
    Buffer.concat([prefix(8), Buffer.from([4, 0, 0, 0, 0, 0, 0, 0])]),
    'a table is too short',
  ],
  ['an end at once', END_OF_STREAM, 'ends before its schema'],
  ['two schemas', Buffer.concat([schema, schema]), 'it has two schemas'],
  ['rows without a schema', opBatch().records, 'its first message is no schema'],
  ['columns in columns in columns', deepSchema(40, 2), 'there are too many columns'],
  ['four columns to the sixteenth', deepSchema(16, 4), 'there are too many columns'],
  [
    'data behind the end',
    Buffer.concat([schema, END_OF_STREAM, Buffer.from('x')]),
    'has other data behind its Arrow stream',
  ],
  [
    'a body of 2^62 bytes',
    Buffer.concat([opBatch().schema, patched(opBatch().records, 49_384n, 2n ** 62n)]),
    'a number is out of range',
  ],
  [
    'a body of 2^41 bytes',
    Buffer.concat([opBatch().schema, patched(opBatch().records, 49_384n, 2n ** 41n)]),
    'a',
  ],
  [
    'rows below nothing',
    Buffer.concat([opBatch().schema, patched(opBatch().records, BigInt(MARKED_ROWS), -1n)]),
    'negative',
  ],
  [
    '2^40 rows',
    Buffer.concat([opBatch().schema, patched(opBatch().records, BigInt(MARKED_ROWS), 2n ** 40n)]),
    'number of rows',
  ],
  [
    '2^40 rows of nothing',
    Buffer.concat([
      encodeSchema([{ name: 'op', nullable: true, type: NULL, dictionary: undefined }], NO_METADATA),
      encodeRecordBatch({ rows: 2 ** 40, nodes: [[2 ** 40, 0]], buffers: [] }).bytes,
    ]),
    'op is empty',
  ],
  [
    'more nulls than rows',
    Buffer.concat([
      schema,
      encodeRecordBatch({ rows: 1, nodes: TRACE_FIELDS.map(() => [1, 2] as const), buffers: [] }).bytes,
    ]),
    'a column has more nulls than rows',
  ],
  [
    'a batch without columns',
    Buffer.concat([schema, encodeRecordBatch({ rows: 1, nodes: [], buffers: [] }).bytes]),
    'a batch has other columns than the schema',
  ],
  [
    'rows shorter than they say',
    Buffer.concat([
      schema,
      encodeRecordBatch({
        rows: 1000,
        nodes: TRACE_FIELDS.map(() => [1000, 0] as const),
        buffers: TRACE_FIELDS.flatMap(() => [new Uint8Array(0), new Uint8Array(8)]),
      }).bytes,
    ]),
    'a column is shorter than its batch',
  ],
  [
    'a dictionary whose texts lie outside',
    Buffer.concat([
      schema,
      encodeDictionary(3, {
        rows: 1,
        nodes: [[1, 0]],
        buffers: [new Uint8Array(0), new Uint8Array(Int32Array.of(0, 1 << 30).buffer), new Uint8Array(8)],
      }).bytes,
    ]),
    'a text lies outside its column',
  ],
  [
    'a dictionary whose texts go backwards',
    Buffer.concat([
      schema,
      encodeDictionary(3, {
        rows: 2,
        nodes: [[2, 0]],
        buffers: [new Uint8Array(0), new Uint8Array(Int32Array.of(4, 2, 8).buffer), new Uint8Array(8)],
      }).bytes,
    ]),
    'a text lies outside its column',
  ],
  [
    'another version',
    encodeSchema(TRACE_FIELDS, new Map([['spbsim.trace', '2']])),
    'spbsim.trace "2" is not a version',
  ],
  [
    'an unknown kernel',
    encodeSchema(TRACE_FIELDS, new Map([['spbsim.kernel', '__proto__']])),
    'is not a kernel whose gfp words are known',
  ],
  [
    'a column twice',
    encodeSchema([...TRACE_FIELDS, TRACE_FIELDS[0]!], NO_METADATA),
    'schema "ts" stands twice',
  ],
  [
    'no column op',
    encodeSchema(
      TRACE_FIELDS.filter(({ name }) => name !== 'op'),
      NO_METADATA,
    ),
    'has no column op',
  ],
];

test.each(cases)('%s', async (_, bytes, message) => {
  const { thrown, error } = await outcomeOf(bytes);
  expect(thrown).toBeInstanceOf(InputError);
  expect(error).toContain(message);
  expect(error).not.toContain('\n');
});

test('a length makes no memory before its bytes are there', async () => {
  const reader = (bytes: Uint8Array) => outcomeOf(bytes);
  const records = patched(opBatch().records, 49_384n, 2n ** 30n);
  const before = process.memoryUsage().arrayBuffers;
  const { error } = await reader(Buffer.concat([opBatch().schema, records]));
  expect(error).toContain('ends in the middle of a batch');
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 << 20);
});

test('distinct strings are bounded by the limits, with the flag in the message', async () => {
  const seeds = fc.sample(eventSeed, { numRuns: 3000, seed: 6 }).map((seed, i) => ({ ...seed, id: i }));
  const bytes = await written(batchOf(seeds), { format: 'file' });
  const limits = { ...DEFAULT_LIMITS, strings: 100 };
  expect((await outcomeOf(bytes, { limits })).error).toContain('raise --max-strings if that is right');
  const small = { ...DEFAULT_LIMITS, string_bytes: 100 };
  expect((await outcomeOf(bytes, { limits: small })).error).toContain('--max-string-bytes');
});

test('two inputs may share their strings', async () => {
  const strings = createTraceStrings();
  const seeds = fc.sample(eventSeed, { numRuns: 2000, seed: 7 });
  const bytes = await written(batchOf(seeds), { format: 'file' });
  const alone = await outcomeOf(bytes);
  await outcomeOf(await written(batchOf(seeds.slice(0, 900).reverse()), { format: 'file' }), { strings });
  expect((await outcomeOf(bytes, { strings })).events).toEqual(alone.events);
});

test('Arrow is told by its first bytes', async () => {
  expect(detectFormat(await written(batchOf([]), { format: 'file' })).format).toBe('arrow-file');
  expect(detectFormat(await written(batchOf([]), { format: 'stream' })).format).toBe('arrow-stream');
  expect(detectFormat(Buffer.from('ts,cpu,op\n')).format ?? 'none').not.toContain('arrow');
  expect(detectFormat(Buffer.alloc(8, 0xff)).format ?? 'none').not.toContain('arrow');
  expect(detectFormat(Buffer.from('ARROW')).format ?? 'none').not.toContain('arrow');
});

test('can be read once', async () => {
  const bytes = await written(batchOf([]), { format: 'file' });
  async function* chunks() {
    yield bytes;
  }
  const reader = new ArrowReader({ name: 'x', compression: 'none', chunks: chunks() });
  for await (const _ of reader.batches()) expect.unreachable();
  await expect(reader.batches().next()).rejects.toThrow('a trace can be read once');
});
