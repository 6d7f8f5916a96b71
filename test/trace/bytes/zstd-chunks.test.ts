/** What is peculiar to zstd: windows, skippable frames, dictionaries, checksums, and large distances. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openChunks } from '../../../src/trace/bytes/open-input.js';
import { frameHeaderBytes, parseFrameHeader } from '../../../src/trace/bytes/zstd-frame.js';
import type { InputError } from '../../../src/trace/input-error.js';
import { DEFAULT_LIMITS } from '../../../src/trace/limits.js';
import { drain, inputOf, pieces } from '../helpers.js';
import { filter, HAS_ZSTD, hasProgram, noise, skippable } from './packers.js';

/** A frame of one plain block, with the window descriptor `window`. */
function frame(content: string, window = 0): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE((content.length << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, window), block, Buffer.from(content)]);
}

async function unpack(bytes: Uint8Array, size?: number) {
  const input = await inputOf(bytes, 'x.zst', size);
  const { bytes: unpacked, error } = await drain(input.chunks);
  return { compression: input.compression, text: unpacked.toString(), message: (error as Error)?.message };
}

test.each([1, 3, 1000])('skippable frames may stand anywhere, in pieces of %i', async (size) => {
  const all = [
    skippable(0),
    frame('one '),
    skippable(200_000, 15),
    skippable(3, 7),
    frame('two'),
    skippable(9),
  ];
  const expected = { compression: 'zstd', text: 'one two', message: undefined };
  expect(await unpack(Buffer.concat(all), size === 1 ? 100 : size)).toEqual(expected);
  expect(await unpack(Buffer.concat(all.slice(4)), size)).toEqual({ ...expected, text: 'two' });
  const cut = await unpack(Buffer.concat([frame('one'), skippable(100).subarray(0, 50)]), size);
  expect(cut.text).toBe('one');
  expect(cut.message).toContain('ends in the middle of its zstd data');
});

test('a window that asks for too much memory is refused before it is taken', async () => {
  const log = (bits: number, eighths = 0) => ((bits - 10) << 3) | eighths;
  expect(await unpack(frame('a', log(27)))).toMatchObject({ text: 'a', message: undefined });
  expect((await unpack(Buffer.concat([frame('first '), frame('a', log(27, 1))]))).text).toBe('first ');
  expect((await unpack(frame('a', log(27, 1)))).message).toBe(
    'x.zst  needs a window of 144 MiB to unpack, more than 128 MiB; unpack it with zstd -d --long=28 and give the unpacked file',
  );
  expect((await unpack(frame('a', log(31)))).message).toContain('zstd -d --long=31');
  expect((await unpack(frame('a', log(41, 7)))).message).toBe(
    'x.zst  holds damaged zstd data; check it with zstd -t',
  );
});

test('a frame that needs a dictionary says so', async () => {
  const packed = Buffer.concat([
    Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0x22, 0x34, 0x12, 0x01),
    frame('a').subarray(6),
  ]);
  expect((await unpack(packed)).message).toBe(
    'x.zst  needs the zstd dictionary 4660; unpack it with zstd -d -D and the dictionary, and give the unpacked file',
  );
});

test('frame headers of every form are as long as they are', () => {
  for (let descriptor = 0; descriptor < 256; descriptor++) {
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, ...Array(13).fill(1)]);
    const header = parseFrameHeader(head);
    const sizeBytes = header.bytes - 5 - (descriptor & 0x20 ? 0 : 1) - [0, 1, 2, 4][descriptor & 3]!;
    expect([0, 1, 2, 4, 8]).toContain(sizeBytes);
    expect(frameHeaderBytes(head)).toBe(header.bytes);
    expect(header.dictionary).toBe([0, 1, 0x101, 0x1010101][descriptor & 3]);
    expect(header.content_bytes).toBe(
      new Map([
        [0, undefined],
        [1, 1],
        [2, 0x101 + 256],
        [4, 0x1010101],
        [8, Number(0x101010101010101n)],
      ]).get(sizeBytes),
    );
  }
});

test('a wrong content size, a wrong kind of block and a block too long are damage', async () => {
  const damage = 'x.zst  holds damaged zstd data; check it with zstd -t';
  const sized = (size: number) =>
    Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, size), frame('four').subarray(6)]);
  expect(await unpack(sized(4))).toMatchObject({ text: 'four', message: undefined });
  expect((await unpack(sized(5))).message).toBe(damage);
  // The last block is empty: what lacks shows in the sum only.
  const sum = (size: number) => {
    const packed = Buffer.concat([sized(size), Buffer.of(1, 0, 0)]);
    packed.writeUInt8(packed.readUInt8(6) & ~1, 6);
    return packed;
  };
  expect(await unpack(sum(4))).toMatchObject({ text: 'four', message: undefined });
  expect(await unpack(sum(5))).toMatchObject({ text: 'four', message: damage });
  const block = (word: number) => {
    const bytes = Buffer.alloc(300_000);
    frame('', 0x50).copy(bytes);
    bytes.writeUIntLE(word, 6, 3);
    return bytes;
  };
  expect((await unpack(block((1 << 3) | (3 << 1) | 1))).message).toBe(damage);
  expect((await unpack(block((200_000 << 3) | 1))).message).toBe(damage);
  expect((await unpack(block((200_000 << 3) | (1 << 1) | 1))).message).toBe(damage);
});

test('an empty last block, and a frame of nothing', async () => {
  const empty = frame('');
  expect(await unpack(empty)).toEqual({ compression: 'zstd', text: '', message: undefined });
  expect((await unpack(Buffer.concat([empty, frame('x'), empty]))).text).toBe('x');
});

describe.skipIf(!HAS_ZSTD)('the zstd program', () => {
  test('a wrong checksum is told, after what it belongs to', async () => {
    for (const content of [Buffer.from('some text'), noise(300_000), Buffer.alloc(0)]) {
      const packed = filter('zstd', ['-q', '-c'], content);
      packed[packed.length - 1] = (packed[packed.length - 1] as number) ^ 1;
      // What follows is not looked at: the frame before it cannot be trusted.
      for (const behind of [Buffer.alloc(0), frame('next')]) {
        const { bytes, error } = await drain((await inputOf(Buffer.concat([packed, behind]), 'x')).chunks);
        expect((error as InputError).message).toBe('x  holds damaged zstd data; check it with zstd -t');
        expect(bytes.equals(content)).toBe(true);
      }
    }
  });

  test('repetitions from a hundred megabytes back', async () => {
    const head = noise(80_000);
    const content = Buffer.concat([head, Buffer.alloc(110 << 20), head]);
    const packed = filter('zstd', ['-q', '-c', '--long=27'], content);
    // The second copy was found, or this shows nothing.
    expect(packed.length).toBeLessThan(1.5 * head.length);
    const limits = { ...DEFAULT_LIMITS, inflation_ratio: Number.POSITIVE_INFINITY };
    const hash = createHash('sha256');
    for await (const chunk of (await openChunks(pieces(packed, 1 << 20), 'x', limits)).chunks)
      hash.update(chunk);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
  });

  test.each([
    ['--ultra', '-22'],
    ['--long=27', '-3'],
    ['--long', '-T2', '-B512K'],
    ['--stream-size=3000000'],
  ])('%s %s', async (...options) => {
    const content = Buffer.concat([
      noise(1_000_000),
      Buffer.alloc(1_000_000, 'kmalloc kfree '),
      noise(1_000_000),
    ]);
    const packed = filter('zstd', ['-qc', ...options], content);
    const { bytes, error } = await drain((await inputOf(packed, 'x', 30_000)).chunks);
    expect(error).toBeUndefined();
    expect(bytes.equals(content)).toBe(true);
  });

  test('as much of a cut file as the program gives', async () => {
    const content = noise(900_000);
    const packed = filter('zstd', ['-q', '-c'], content);
    for (const part of [0.3, 0.6, 0.99]) {
      const cut = packed.subarray(0, Math.floor(packed.length * part));
      let theirs: Buffer = Buffer.alloc(0);
      try {
        filter('zstd', ['-q', '-dc'], cut);
      } catch (error) {
        theirs = (error as { stdout: Buffer }).stdout;
      }
      const { bytes } = await drain((await inputOf(cut, 'x', 5000)).chunks);
      expect(bytes.length).toBeGreaterThan(0);
      expect(bytes.length).toBeGreaterThanOrEqual(theirs.length);
      expect(content.subarray(0, bytes.length).equals(bytes)).toBe(true);
    }
  });

  test.skipIf(!hasProgram('pzstd'))('frames of the parallel packer', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'zstd-'));
    try {
      const content = Buffer.concat([noise(5 << 20), Buffer.alloc(5 << 20, 'trace ')]);
      writeFileSync(join(directory, 'a'), content);
      const packed = filter('pzstd', ['-q', '-c', '-p', '2', join(directory, 'a')], Buffer.alloc(0));
      expect(packed.readUInt32LE()).toBe(0x184d2a50);
      const { bytes, error } = await drain((await inputOf(packed, 'x', 100_000)).chunks);
      expect(error).toBeUndefined();
      expect(bytes.equals(content)).toBe(true);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
