/** Output files: packed by name, whole or not at all. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { openInput, readWholeInput } from '../../../src/trace/bytes/open-input.js';
import { writeOutput } from '../../../src/trace/bytes/output-file.js';
import { drain, errorOf, pieces } from '../helpers.js';
import { fc, test } from '../properties.js';
import { filter, HAS_ZSTD, hasProgram, inSizes, noise } from './packers.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'output-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const text = Buffer.from(Array.from({ length: 30_000 }, (_, i) => `${i * 7919},alloc,${i % 11}\n`).join(''));

describe.each(['trace.csv', 'trace.csv.gz', 'trace.csv.zst'])('%s', (name) => {
  test('comes back as it was written, however it was cut', async () => {
    const path = join(directory, name);
    let first: Buffer | undefined;
    for (const sizes of [[text.length], [1000, 7], [1 << 16]]) {
      const written = await writeOutput(path, inSizes(text, sizes));
      const file = readFileSync(path);
      expect(written).toBe(file.length);
      expect(file.equals(first ?? file)).toBe(true);
      first = file;
      expect((await readWholeInput(path)).equals(text)).toBe(true);
    }
    expect(readdirSync(directory)).toEqual([name]);
  });

  test('any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
          fc.tuple(fc.nat(3_000_000), fc.nat()).map(([n, seed]) => noise(n, seed)),
          fc.nat(6_000_000).map((n) => Buffer.alloc(n)),
        ),
        async (bytes) => {
          const path = join(directory, name);
          await writeOutput(path, pieces(bytes, 300_000));
          const { bytes: back, error } = await drain((await openInput(path)).chunks);
          expect(error).toBeUndefined();
          expect(back.equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });

  test('a failing run leaves what stood there, and nothing else', async () => {
    const path = join(directory, name);
    async function* failing() {
      yield text;
      expect(readdirSync(directory).filter((file) => file.endsWith('.tmp'))).toHaveLength(1);
      throw new Error('no more');
    }
    expect((await errorOf(writeOutput(path, failing()))).message).toBe('no more');
    expect(readdirSync(directory)).toEqual([]);
    writeFileSync(path, 'old');
    expect((await errorOf(writeOutput(path, failing()))).message).toBe('no more');
    expect(readdirSync(directory)).toEqual([name]);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });
});

test('other programs unpack it', async () => {
  const zst = join(directory, 'a.zst');
  const gz = join(directory, 'a.gz');
  for (const bytes of [text, Buffer.alloc(0), noise(3 << 20)]) {
    await writeOutput(gz, pieces(bytes));
    expect(gunzipSync(readFileSync(gz)).equals(bytes)).toBe(true);
    await writeOutput(zst, pieces(bytes));
    if (HAS_ZSTD) expect(filter('zstd', ['-q', '-dc'], readFileSync(zst)).equals(bytes)).toBe(true);
  }
});

test('an interrupted process leaves no temporary file behind', async () => {
  const path = join(directory, 'x');
  let onExit: (() => void) | undefined;
  const before = new Set(process.listeners('exit'));
  async function* leaving() {
    yield text;
    onExit = process.listeners('exit').find((listener) => !before.has(listener)) as () => void;
    onExit();
    expect(readdirSync(directory)).toEqual([]);
    throw new Error('stopped');
  }
  await errorOf(writeOutput(path, leaving()));
  expect(onExit).toBeDefined();
  expect(process.listeners('exit').length).toBe(before.size);
});

test('a link keeps pointing, and permissions stay', async () => {
  const real = join(directory, 'real');
  const link = join(directory, 'link');
  writeFileSync(real, 'old');
  chmodSync(real, 0o640);
  symlinkSync(real, link);
  await writeOutput(link, pieces(Buffer.from('new')));
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(real, 'utf8')).toBe('new');
  expect(statSync(real).mode & 0o777).toBe(0o640);
});

test('names as long as a file system allows', async () => {
  const name = `${'ü'.repeat(120)}.csv.gz`;
  await writeOutput(join(directory, name), pieces(text));
  expect(readdirSync(directory)).toEqual([name]);
});

test('two outputs of one name at a time do not disturb each other', async () => {
  const path = join(directory, 'x');
  await Promise.all([
    writeOutput(path, inSizes(text, [100_000])),
    writeOutput(path, inSizes(text, [50_000])),
  ]);
  expect(readFileSync(path).equals(text)).toBe(true);
  expect(readdirSync(directory)).toEqual(['x']);
});

test('devices are written directly', async () => {
  expect(await writeOutput('/dev/null', pieces(text))).toBe(text.length);
  expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
});

test.skipIf(!hasProgram('mkfifo'))('a FIFO is written directly', async () => {
  const path = join(directory, 'pipe.gz');
  execFileSync('mkfifo', [path]);
  const [, back] = await Promise.all([writeOutput(path, pieces(text)), readWholeInput(path)]);
  expect(back.equals(text)).toBe(true);
  expect(lstatSync(path).isFIFO()).toBe(true);
});

test.each([
  ['all of it', '"$0" "$1" | cat | wc -c', '13000000'],
  ['as much as is wanted', '"$0" "$1" | head -c 5', 'trace'],
  ['a full disk', '"$0" "$1" 2>&1 > /dev/full', '-  has no room left on its disk; make room'],
])('standard output: %s', async (_, command, expected) => {
  if (command.includes('/dev/full') && !existsSync('/dev/full')) return;
  const source = fileURLToPath(new URL('../../../src/trace/bytes/output-file.ts', import.meta.url));
  const bundle = await rolldown({ input: source, platform: 'node', logLevel: 'silent' });
  await bundle.write({ dir: directory, format: 'esm', entryFileNames: 'output-file.mjs' });
  await bundle.close();
  const writer = join(directory, 'writer.mjs');
  writeFileSync(
    writer,
    `import { writeOutput } from './output-file.mjs';
     async function* chunks() { for (let i = 0; i < 100; i++) yield Buffer.alloc(130_000, 'trace,'); }
     try { await writeOutput('-', chunks()); } catch (error) { console.error(error.message); }`,
  );
  const output = execFileSync('sh', ['-c', command, process.execPath, writer], { encoding: 'utf8' });
  expect(output.trim()).toBe(expected);
});

test('what cannot be written is told in one line', async () => {
  const told = async (path: string) => (await errorOf(writeOutput(path, pieces(text)))).message;
  mkdirSync(join(directory, 'sub'));
  writeFileSync(join(directory, 'file'), '');
  expect(await told(join(directory, 'none', 'x.csv'))).toBe(
    `${directory}/none/x.csv  is in no directory that exists; create it`,
  );
  expect(await told(join(directory, 'sub'))).toBe(`${directory}/sub  is a directory; give a file`);
  expect(await told(join(directory, 'file', 'x'))).toBe(
    `${directory}/file/x  is below something that is no directory; check the path`,
  );
  if (existsSync('/dev/full'))
    expect(await told('/dev/full')).toBe('/dev/full  has no room left on its disk; make room');
  expect(readdirSync(directory).sort()).toEqual(['file', 'sub']);
});
