/** A few megabytes that unpack to terabytes are refused, and cost neither memory nor much time. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RATIO_FREE_BYTES } from '../../../src/trace/bytes/inflation-guard.js';
import { openChunks } from '../../../src/trace/bytes/open-input.js';
import { zstdPackedChunks } from '../../../src/trace/bytes/pack-chunks.js';
import type { InputError } from '../../../src/trace/input-error.js';
import { DEFAULT_LIMITS, type TraceLimits } from '../../../src/trace/limits.js';
import { inputOf, pieces } from '../helpers.js';
import { filter, HAS_XZ, HAS_ZSTD, joined, noise } from './packers.js';

const MEBIBYTE = 1 << 20;
const PART_BYTES = 64 * MEBIBYTE;
/** 10 GiB in all. */
const PARTS = 160;

const BOMBS: readonly { name: string; isHere: boolean; part: () => Buffer | Promise<Buffer> }[] = [
  { name: 'gzip', isHere: true, part: () => gzipSync(Buffer.alloc(PART_BYTES)) },
  { name: 'own zstd', isHere: true, part: () => joined(zstdPackedChunks(pieces(Buffer.alloc(PART_BYTES)))) },
  {
    name: 'zstd -19',
    isHere: HAS_ZSTD,
    part: () => filter('zstd', ['-qc', '-19'], Buffer.alloc(PART_BYTES)),
  },
  { name: 'xz', isHere: HAS_XZ, part: () => filter('xz', ['-c', '-0'], Buffer.alloc(PART_BYTES)) },
];
const bombs = BOMBS.filter(({ isHere }) => isHere);

async function read(chunks: AsyncIterable<Uint8Array>, stop = Number.POSITIVE_INFINITY) {
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes >= stop) break;
    }
  } catch (error) {
    return { bytes, error: error as InputError };
  }
  return { bytes, error: undefined };
}

describe.each(bombs)('$name', ({ part }) => {
  test('is refused once enough is unpacked', async () => {
    const packed = await part();
    let parts = 0;
    async function* bomb() {
      for (; parts < PARTS; parts++) yield packed;
    }
    const { bytes, error } = await read((await openChunks(bomb(), 'x')).chunks);
    expect(error?.message).toBe(
      'x  unpacks to more than 1,000 times its size; raise --max-ratio if that is right',
    );
    expect(error?.isCut).toBe(false);
    expect(bytes).toBeGreaterThanOrEqual(RATIO_FREE_BYTES);
    expect(bytes).toBeLessThan(RATIO_FREE_BYTES * 3);
    expect(parts).toBeLessThan(6);
  });

  test('is taken when the limits say so, up to their end', async () => {
    const packed = await part();
    const limits: TraceLimits = { ...DEFAULT_LIMITS, inflation_ratio: 1e9, inflated_bytes: 100 * MEBIBYTE };
    const twice = Buffer.concat([packed, packed]);
    const { bytes, error } = await read((await openChunks(pieces(twice, 5000), 'x', limits)).chunks);
    expect(error?.message).toBe(
      'x  unpacks to more than 104,857,600 bytes; raise --max-unpacked if that is right',
    );
    expect(bytes).toBeGreaterThan(99 * MEBIBYTE);
    expect(bytes).toBeLessThanOrEqual(100 * MEBIBYTE);
    const all = await openChunks(pieces(packed), 'x', { ...limits, inflated_bytes: PART_BYTES });
    expect(await read(all.chunks)).toEqual({ bytes: PART_BYTES, error: undefined });
  });

  test('is unpacked only as far as it is read', async () => {
    const packed = await part();
    let fed = 0;
    async function* counted() {
      for (let at = 0; at < packed.length; at += 16) {
        fed = at;
        yield packed.subarray(at, at + 16);
      }
    }
    const limits = { ...DEFAULT_LIMITS, inflation_ratio: 1e9 };
    const chunks = (await openChunks(counted(), 'x', limits)).chunks[Symbol.asyncIterator]();
    await chunks.next();
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(fed).toBeLessThan(packed.length / 2);
    await chunks.return?.();
  });
});

test('plain bytes have no limit, and what packs little is far from one', async () => {
  const limits = { ...DEFAULT_LIMITS, inflated_bytes: 1000 };
  const plain = noise(100_000);
  expect((await read((await openChunks(pieces(plain), 'x', limits)).chunks)).error).toBeUndefined();
  expect((await read((await inputOf(gzipSync(plain))).chunks)).bytes).toBe(plain.length);
  expect(
    (await read((await openChunks(pieces(gzipSync(plain)), 'x', limits)).chunks)).error?.message,
  ).toContain('--max-unpacked');
});

describe.skipIf(!existsSync('/proc/self/status'))('memory', () => {
  const MAX_RSS_BYTES = 200e6;
  const directory = mkdtempSync(join(tmpdir(), 'bomb-'));
  const reader = join(directory, 'reader.mjs');
  const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));

  beforeAll(async () => {
    const source = fileURLToPath(new URL('../../../src/trace/bytes/open-input.ts', import.meta.url));
    const bundle = await rolldown({ input: source, platform: 'node', logLevel: 'silent' });
    await bundle.write({ dir: join(directory, 'out'), format: 'esm', entryFileNames: 'open-input.mjs' });
    await bundle.close();
    writeFileSync(
      reader,
      `import { readFileSync } from 'node:fs';
       import { openInput } from './out/open-input.mjs';
       const [path, ratio, delay] = process.argv.slice(2);
       const limits = { inflation_ratio: Number(ratio), inflated_bytes: 2 ** 40 };
       let bytes = 0, message = '';
       try {
         for await (const chunk of (await openInput(path, limits)).chunks) {
           bytes += chunk.length;
           if (delay) await new Promise((resolve) => setTimeout(resolve, 1));
         }
       } catch (error) { message = error.message; }
       // Not getrusage(), whose peak begins with that of the process that started this one.
       const rss = Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
       console.log(JSON.stringify({ bytes, message, rss }));`,
    );
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  function child(path: string, ...args: string[]): { bytes: number; message: string; rss: number } {
    const { stdout, stderr } = spawnSync(process.execPath, [reader, path, ...args], {
      env: { ...process.env, NODE_PATH: modules, NODE_OPTIONS: '' },
      encoding: 'utf8',
    });
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as { bytes: number; message: string; rss: number };
  }

  test.each(bombs)('10 GiB in $name', async ({ name, part }) => {
    const packed = await part();
    const path = join(directory, 'bomb');
    writeFileSync(path, Buffer.concat(Array(PARTS).fill(packed)));
    const refused = child(path, '1000');
    expect(refused.message).toContain('--max-ratio');
    expect(refused.rss).toBeLessThan(MAX_RSS_BYTES);

    writeFileSync(path, Buffer.concat(Array(8).fill(packed)));
    const taken = child(path, '1e9');
    expect(taken).toMatchObject({ bytes: 8 * PART_BYTES, message: '' });
    expect(taken.rss).toBeLessThan(MAX_RSS_BYTES);

    writeFileSync(path, packed);
    const slowly = child(path, '1e9', 'slowly');
    expect(slowly).toMatchObject({ bytes: PART_BYTES, message: '' });
    expect(slowly.rss).toBeLessThan(MAX_RSS_BYTES);
    console.log(
      `${name}: peak RSS ${[refused, taken, slowly].map(({ rss }) => Math.round(rss / 1e6)).join(', ')} MB refused, taken, slowly`,
    );
  });
});
