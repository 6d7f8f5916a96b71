/** Readers that let one piece of memory serve all chunks must not look at a chunk once the next is there. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ArrowReader } from '../../../src/trace/arrow/reader.js';
import { arrowChunks } from '../../../src/trace/arrow/writer.js';
import { type ByteInput, openInput } from '../../../src/trace/bytes/open-input.js';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import type { EventSource } from '../../../src/trace/event-batch.js';
import { TextReader } from '../../../src/trace/text/reader.js';
import { dataPath, drain, eventsOf, inputOf } from '../helpers.js';

/** Pieces of `bytes`; once the reader allows it, all in the same memory, which holds something else in between. */
async function* overwritten(
  bytes: Uint8Array,
  size: number,
  isAllowed: () => boolean,
): AsyncGenerator<Uint8Array> {
  let memory = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const length = Math.min(size, bytes.length - at);
    if (isAllowed()) memory.fill('9,alloc\n"');
    else memory = Buffer.alloc(size);
    memory.set(bytes.subarray(at, at + length));
    yield memory.subarray(0, length);
  }
}

function reused(bytes: Uint8Array, size: number): ByteInput {
  let isAllowed = false;
  const reuseMemory = () => {
    isAllowed = true;
  };
  return { name: 'x', compression: 'none', chunks: overwritten(bytes, size, () => isAllowed), reuseMemory };
}

const text = readFileSync(dataPath('tracefs-7.2-nmi.txt'));
const csv = Buffer.from(
  `op,id,site,size\n${Array.from({ length: 300 }, (_, i) => {
    const site = ['plain', '"a ""quoted"" one"', 'zwölf', '"in, quotes"'][i % 4];
    return `kmalloc,k${i},${site},${i + 1}\nkfree,k${i},${site},\n`;
  }).join('')}`,
);

async function arrow(): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const source = new TextReader(await inputOf(text));
  for await (const chunk of arrowChunks(source.batches(), { format: 'file', batchRows: 100 }))
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

const READERS: readonly (readonly [string, () => Promise<Buffer>, (input: ByteInput) => EventSource])[] = [
  ['text', async () => text, (input) => new TextReader(input)],
  ['CSV', async () => csv, (input) => new CsvReader(input)],
  ['CSV, the strict way', async () => csv, (input) => new CsvReader(input, { scanner: false })],
  ['Arrow', arrow, (input) => new ArrowReader(input)],
  ['Arrow, cell by cell', arrow, (input) => new ArrowReader(input, { cellByCell: true })],
];

describe.each(READERS)('%s', (_, bytesOf, reader) => {
  test.each([7, 64, 1000, 4096])('in chunks of %i bytes', async (size) => {
    const bytes = await bytesOf();
    const expected = await eventsOf(reader(await inputOf(bytes)));
    expect(expected.length).toBeGreaterThan(100);
    expect(await eventsOf(reader(reused(bytes, size)))).toEqual(expected);
  });
});

test('a plain file reuses its memory when the reader allows it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'spbsim-'));
  const path = join(directory, 'plain');
  writeFileSync(path, Buffer.alloc(3 << 20, 'x'));
  const memoryOf = async (allows: boolean) => {
    const input = await openInput(path);
    if (allows) input.reuseMemory?.();
    const buffers = new Set<ArrayBufferLike>();
    for await (const chunk of input.chunks) buffers.add(chunk.buffer);
    return buffers.size;
  };
  expect([await memoryOf(false), await memoryOf(true)]).toEqual([3, 1]);
});

test('a packed file keeps its memory: the unpacker holds on to what it was given', async () => {
  const path = dataPath('tracefs-6.18-blocks.txt.xz');
  const [plain, allowed] = [await openInput(path), await openInput(path)];
  allowed.reuseMemory?.();
  expect((await drain(allowed.chunks)).bytes.equals((await drain(plain.chunks)).bytes)).toBe(true);
});
