import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openInput, peekInput, readWholeInput } from '../../../src/trace/bytes/open-input.js';
import { dataPath, drain, errorOf, inputOf } from '../helpers.js';

const packed = readFileSync(dataPath('tracefs-6.18-blocks.txt.xz'));
const text = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `line ${i} ${i * 7919}\n`).join(''));
const gzipped = gzipSync(text);

async function unpack(bytes: Uint8Array, size?: number) {
  const input = await inputOf(bytes, 'x', size);
  return { compression: input.compression, ...(await drain(input.chunks)) };
}

describe('gzip', () => {
  test.each([1000, 7, undefined])('in pieces of %s', async (size) => {
    expect(await unpack(gzipped, size)).toEqual({ compression: 'gzip', bytes: text, error: undefined });
  });

  test('several members, and padding behind them', async () => {
    const both = Buffer.concat([gzipped, gzipped, Buffer.alloc(512)]);
    const { bytes, error } = await unpack(both);
    expect(error).toBeUndefined();
    expect(bytes.length).toBe(2 * text.length);
  });

  test('cut data is delivered as far as it goes, then told', async () => {
    const { bytes, error } = await unpack(gzipped.subarray(0, gzipped.length >> 1), 4096);
    expect((error as Error).message).toBe('x  ends in the middle of its gzip data; copy or record it again');
    expect(bytes.length).toBeGreaterThan(text.length / 4);
    expect(text.subarray(0, bytes.length).equals(bytes)).toBe(true);
  });

  test('damage and trailing data are told', async () => {
    const damaged = Buffer.from(gzipped);
    damaged[damaged.length - 6] = damaged[damaged.length - 6]! ^ 1;
    expect(((await unpack(damaged)).error as Error).message).toBe(
      'x  holds damaged gzip data (incorrect data check); check it with gzip -t',
    );
    const { bytes, error } = await unpack(Buffer.concat([gzipped, Buffer.alloc(3), Buffer.from('rest')]));
    expect(bytes.equals(text)).toBe(true);
    expect((error as Error).message).toBe('x  has other data behind its gzip data; cut it off');
    const garbage = await unpack(Buffer.concat([gzipped, Buffer.from('rest')]), 1000);
    expect((garbage.error as Error).message).toBe('x  has other data behind its gzip data; cut it off');
  });
});

describe('xz', () => {
  const plain = readFileSync(dataPath('recording/trace.gz'));

  test.each([100, 4096, undefined])('a file of several blocks, in pieces of %s', async (size) => {
    const { compression, bytes, error } = await unpack(packed, size);
    expect({ compression, error }).toEqual({ compression: 'xz', error: undefined });
    expect(bytes.toString().split('\n')).toHaveLength(613);
    // The recording's trace is the beginning of the same one.
    expect(bytes.subarray(0, 10_000).equals(gunzipSync(plain).subarray(0, 10_000))).toBe(true);
  });

  test.each([1, 100, 4096, undefined])('several streams behind each other, in pieces of %s', async (size) => {
    const once = (await unpack(packed)).bytes;
    const { bytes, error } = await unpack(Buffer.concat([packed, packed, Buffer.alloc(8), packed]), size);
    expect(error).toBeUndefined();
    expect(bytes.equals(Buffer.concat([once, once, once]))).toBe(true);
  });

  test('cut data is delivered as far as it goes, then told', async () => {
    const once = (await unpack(packed)).bytes;
    const { bytes, error } = await unpack(packed.subarray(0, packed.length >> 1));
    expect((error as Error).message).toBe('x  ends in the middle of its xz data; copy or record it again');
    expect(bytes.length).toBeGreaterThan(once.length / 4);
    expect(once.subarray(0, bytes.length).equals(bytes)).toBe(true);
    expect(((await unpack(packed.subarray(0, 6))).error as Error).message).toContain('ends in the middle');
  });

  test('damage and trailing data are told', async () => {
    const damaged = Buffer.from(packed);
    damaged.fill(0x55, 300, 400);
    expect(((await unpack(damaged)).error as Error).message).toBe(
      'x  holds damaged xz data; check it with xz -t, or unpack it and give the unpacked file',
    );
    const { error } = await unpack(Buffer.concat([packed, Buffer.from('this is no xz stream')]));
    expect((error as Error).message).toBe('x  has other data behind its xz data; cut it off');
  });

  test('two files can be read by turns', async () => {
    const one = (await inputOf(packed, 'one')).chunks[Symbol.asyncIterator]();
    const two = (await inputOf(packed, 'two')).chunks[Symbol.asyncIterator]();
    for (let i = 0; i < 2; i++) {
      expect((await one.next()).done).toBe(false);
      expect((await two.next()).done).toBe(false);
    }
    await one.return?.();
    await two.return?.();
  });
});

test('zstd is named, with a way around', async () => {
  const error = await errorOf(inputOf(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0), 'x.zst'));
  expect(error.message).toBe(
    'x.zst  is zstd-compressed, which is not yet supported; unpack it with zstd -dc and give - to read standard input',
  );
});

test('short and empty inputs are plain', async () => {
  expect(await unpack(Buffer.from('a'))).toEqual({
    compression: 'none',
    bytes: Buffer.from('a'),
    error: undefined,
  });
  expect((await unpack(Buffer.alloc(0))).bytes.length).toBe(0);
});

test('a file that does not exist is an error of the input', async () => {
  expect((await errorOf(openInput('/no/such/file'))).message).toBe(
    '/no/such/file  does not exist; check the path',
  );
  expect((await errorOf(openInput(dataPath('recording')))).message).toContain('is a directory');
});

test('looking at the beginning takes nothing away', async () => {
  const { head, input } = await peekInput(await inputOf(gzipped, 'x', 1000), 100);
  expect(head.length).toBeGreaterThanOrEqual(100);
  expect((await drain(input.chunks)).bytes.equals(text)).toBe(true);
});

test('small files are read whole, packed or not', async () => {
  expect((await readWholeInput(dataPath('recording/after/zoneinfo.gz'))).toString()).toMatch(
    /^Node 0, zone {6}DMA\n/,
  );
  const error = await errorOf(readWholeInput(dataPath('tracefs-6.1-mem.txt'), 1000));
  expect(error.message).toContain('is larger than 1000 bytes, which no such file is');
});
