import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { afterAll, describe, expect, test } from 'vitest';
import { openInput, peekInput, readWholeInput } from '../../../src/trace/bytes/open-input.js';
import { dataPath, drain, errorOf, inputOf } from '../helpers.js';
import { hasProgram, noise } from './packers.js';

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

test('short and empty inputs are plain', async () => {
  expect(await unpack(Buffer.from('a'))).toEqual({
    compression: 'none',
    bytes: Buffer.from('a'),
    error: undefined,
  });
  expect((await unpack(Buffer.alloc(0))).bytes.length).toBe(0);
});

describe('what cannot be read', () => {
  const directory = mkdtempSync(join(tmpdir(), 'input-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  test('a file that does not exist, a directory, a path through a file, a NUL', async () => {
    const told = async (path: string) => (await errorOf(openInput(path))).message;
    expect(await told('/no/such/file')).toBe('/no/such/file  does not exist; check the path');
    expect(await told(directory)).toBe(`${directory}  is a directory; give a file`);
    const file = dataPath('tracefs-6.1-mem.txt');
    expect(await told(join(file, 'x'))).toBe(
      `${file}/x  is below something that is no directory; check the path`,
    );
    expect(await told('a\0b')).toBe('a\\x00b  holds a NUL byte, which no path does');
    expect(await told('x'.repeat(300))).toContain('cannot be read (ENAMETOOLONG)');
  });

  test.skipIf(process.getuid?.() === 0)('a file without permission', async () => {
    const path = join(directory, 'secret');
    writeFileSync(path, 'x', { mode: 0 });
    expect((await errorOf(openInput(path))).message).toContain('may not be read');
  });

  test.skipIf(!existsSync('/proc/self/mem'))('a file whose reading fails', async () => {
    expect((await errorOf(openInput('/proc/self/mem'))).message).toBe('/proc/self/mem  cannot be read (EIO)');
  });

  test('a file that shrinks while it is read ends where it ends', async () => {
    const path = join(directory, 'shrinking');
    writeFileSync(path, Buffer.alloc(8 << 20, 'a'));
    let bytes = 0;
    for await (const chunk of (await openInput(path)).chunks) {
      bytes += chunk.length;
      truncateSync(path, 1000);
    }
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(8 << 20);

    // The same, packed: it is cut.
    writeFileSync(path, gzipSync(noise(8 << 20)));
    const taken = [];
    const error = await errorOf(
      (async () => {
        for await (const chunk of (await openInput(path)).chunks) {
          taken.push(chunk);
          truncateSync(path, 1000);
        }
      })(),
    );
    expect(error).toMatchObject({ isCut: true });
    expect(taken.length).toBeGreaterThan(0);
  });

  test.skipIf(!hasProgram('mkfifo'))('a FIFO is read like a file', async () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    const [whole] = await Promise.all([readWholeInput(path), writeFile(path, gzipped)]);
    expect(whole.equals(text)).toBe(true);
  });
});

test.each([
  ['a FIFO', 'pipe'],
  ['a file', 'file'],
  ['a directory', 'directory'],
  ['nothing', 'closed'],
])('standard input is %s', async (_, kind) => {
  const module = fileURLToPath(new URL('../../../src/trace/bytes/open-input.ts', import.meta.url));
  const directory = mkdtempSync(join(tmpdir(), 'stdin-'));
  try {
    const bundle = await rolldown({ input: module, platform: 'node', logLevel: 'silent' });
    await bundle.write({ dir: directory, format: 'esm', entryFileNames: 'open-input.mjs' });
    await bundle.close();
    const reader = join(directory, 'reader.mjs');
    writeFileSync(
      reader,
      `import { openInput } from './open-input.mjs';
       let bytes = 0;
       try { for await (const chunk of (await openInput('-')).chunks) bytes += chunk.length; }
       catch (error) { console.log(error.message); }
       console.log(bytes);`,
    );
    const file = join(directory, 'in.gz');
    writeFileSync(file, gzipped);
    const run = new Map([
      ['pipe', 'cat "$2" | "$0" "$1"'],
      ['file', '"$0" "$1" < "$2"'],
      ['directory', '"$0" "$1" < /'],
      ['closed', '"$0" "$1" <&-'],
    ]).get(kind) as string;
    const output = execFileSync('sh', ['-c', run, process.execPath, reader, file], { encoding: 'utf8' });
    const expected = new Map([
      ['directory', '-  is a directory; give a file\n0\n'],
      ['closed', '0\n'],
    ]).get(kind);
    expect(output).toBe(expected ?? `${text.length}\n`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the first bytes of a packing alone are cut, those of a text are text', async () => {
  for (const head of [[0x1f], [0x1f, 0x8b], [0xfd], [0xfd, 0x37, 0x7a, 0x58, 0x5a], [0x28, 0xb5]]) {
    const { bytes, error } = await unpack(Uint8Array.from(head));
    expect(error).toMatchObject({ isCut: true });
    expect(bytes.length).toBe(0);
  }
  for (const head of ['(', 'P', 'P*', 'P*M', '7zXZ']) {
    expect(await unpack(Buffer.from(head))).toMatchObject({ compression: 'none', error: undefined });
  }
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

test('the digest is that of the bytes as stored, and of all of them or none', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'spbsim-')), 'packed.gz');
  const stored = gzipSync('op,id\nalloc,a\n');
  await writeFile(path, stored);
  const whole = await openInput(path);
  expect(whole.digest()).toEqual({ sha256: '', bytes: 0 });
  for await (const _ of whole.chunks);
  expect(whole.digest()).toEqual({
    sha256: createHash('sha256').update(stored).digest('hex'),
    bytes: stored.length,
  });
});
