import { expect } from 'vitest';
import { readLines } from '../../../src/trace/bytes/line-reader.js';
import { errorOf, pieces } from '../helpers.js';
import { fc, test } from '../properties.js';

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
  expect(error.message).toBe('x.txt:2  is longer than 1000 bytes; is this a text file?');
  expect((await errorOf(linesOf(`${'x'.repeat(5000)}\n`, undefined, 1000))).message).toBe(
    'x.txt:1  is longer than 1000 bytes; is this a text file?',
  );
});
