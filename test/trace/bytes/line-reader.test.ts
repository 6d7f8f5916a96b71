import { expect } from 'vitest';
import { LineSplitter, readLines } from '../../../src/trace/bytes/line-reader.js';
import { errorOf, pieces } from '../helpers.js';
import { fc, test } from '../properties.js';
import { inSizes } from './packers.js';

async function linesOf(text: string, size?: number, max?: number): Promise<string[]> {
  const all: string[] = [];
  for await (const block of readLines(pieces(Buffer.from(text), size), 'x.txt', max)) all.push(...block);
  return all;
}

test('LF, CRLF and a last line without an end', async () => {
  expect(await linesOf('a\nb\r\n\nc')).toEqual(['a', 'b', '', 'c']);
  expect(await linesOf('a\n')).toEqual(['a']);
  expect(await linesOf('')).toEqual([]);
});

test('chunk borders do not show', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'ü', '🙂', '"', ' ') })),
      fc.constantFrom('\n', '\r\n'),
      fc.integer({ min: 1, max: 7 }),
      async (lines, end, size) => {
        expect(await linesOf(lines.map((line) => line + end).join(''), size)).toEqual(lines);
      },
    ),
  );
});

test('a line without an end does not fill the memory', async () => {
  const error = await errorOf(linesOf(`ok\n${'x'.repeat(5000)}`, 100, 1000));
  expect(error.message).toBe('x.txt:2  is longer than 1000 bytes; raise --max-line if this is a text file');
  expect((await errorOf(linesOf(`${'x'.repeat(5000)}\n`, undefined, 1000))).message).toBe(
    'x.txt:1  is longer than 1000 bytes; raise --max-line if this is a text file',
  );
});

/** What a splitter delivers, with the numbers that it gives the lines. */
function split(bytes: Uint8Array, sizes: readonly number[], max?: number) {
  const lines: string[] = [];
  const numbers: number[] = [];
  const splitter = new LineSplitter(
    'x',
    (chunk, start, end) => {
      lines.push(Buffer.from(chunk.subarray(start, end)).toString('latin1'));
      numbers.push(splitter.lines);
    },
    max,
  );
  let error: unknown;
  let isCut = false;
  try {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length] as number;
      // The memory is used again, as a reader may do.
      const chunk = bytes.slice(at, at + size);
      splitter.push(chunk);
      chunk.fill(0x2a);
      at += size;
    }
    isCut = splitter.finish();
  } catch (thrown) {
    error = thrown;
  }
  return { lines, numbers, isCut, error };
}

test('lines are what a naive model says, in any chunks', () => {
  const byte = fc.constantFrom(0, 9, 10, 10, 13, 13, 32, 65, 0x80, 0xff);
  fc.assert(
    fc.property(
      fc.array(byte, { maxLength: 200 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
      (all, sizes) => {
        const bytes = Uint8Array.from(all);
        const text = Buffer.from(bytes).toString('latin1');
        const model = text.split('\n');
        const last = model.pop() as string;
        if (last !== '') model.push(last);
        const { lines, numbers, isCut, error } = split(bytes, sizes);
        expect(error).toBeUndefined();
        expect(lines).toEqual(model.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)));
        expect(numbers).toEqual(model.map((_, i) => i + 1));
        expect(isCut).toBe(last !== '');
      },
    ),
    { numRuns: 1000 },
  );
});

test('long lines over many chunks stay whole', () => {
  const lines = Array.from({ length: 30 }, (_, i) => `${i} `.repeat(i * 300));
  for (const size of [100, 1500, 4096]) {
    const { lines: seen, isCut } = split(Buffer.from(lines.join('\n')), [size]);
    expect(seen).toEqual(lines);
    expect(isCut).toBe(true);
  }
});

test('the longest line allowed is taken, one byte more is not, wherever it is cut', () => {
  for (const sizes of [[1], [7], [64], [1000]]) {
    for (const before of [0, 1, 5]) {
      const head = 'a\n'.repeat(before);
      const fits = split(Buffer.from(`${head}${'x'.repeat(100)}\nz`), sizes, 100);
      expect(fits.error).toBeUndefined();
      expect(fits.lines.length).toBe(before + 2);
      for (const end of ['\nz', '']) {
        const long = split(Buffer.from(`${head}${'x'.repeat(101)}${end}`), sizes, 100);
        expect(long.lines.length).toBe(before);
        expect(long.error).toMatchObject({ line: before + 1, isCut: false });
      }
    }
  }
});

test('lines before one that is too long are delivered', async () => {
  const seen: string[] = [];
  const reading = async () => {
    for await (const block of readLines(inSizes(Buffer.from(`a\nb\n${'x'.repeat(99)}\n`), [1000]), 'x', 50))
      seen.push(...block);
  };
  expect((await errorOf(reading())).message).toContain('x:3  is longer than 50 bytes');
  expect(seen).toEqual(['a', 'b']);
});
