import { expect } from 'vitest';
import { LineBlocks, withoutMark } from '../../../src/trace/csv/line-blocks.js';
import { drain, inputOf } from '../helpers.js';
import { fc, test } from '../properties.js';

test('blocks are whole lines, the rest is what stands behind them, no byte is lost', () => {
  const chunk = fc.array(fc.constantFrom(0x61, 0x62, 0x0a), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(chunk), (chunks) => {
      const blocks = new LineBlocks();
      const all: number[] = [];
      for (const bytes of chunks) {
        for (const block of blocks.add(Buffer.from(bytes))) {
          expect(block.at(-1)).toBe(0x0a);
          all.push(...block);
        }
        expect(blocks.rest.includes(0x0a)).toBe(false);
        expect(blocks.restBytes).toBe(blocks.rest.length);
      }
      expect([...all, ...blocks.rest]).toEqual(chunks.flat());
    }),
  );
});

test('a line of many chunks is put together', () => {
  const blocks = new LineBlocks();
  for (let i = 0; i < 10_000; i++) expect([...blocks.add(Buffer.from('ab'))]).toEqual([]);
  const lines: string[] = [];
  for (const line of blocks.add(Buffer.from('\nc'))) lines.push(Buffer.from(line).toString());
  expect(lines).toEqual([`${'ab'.repeat(10_000)}\n`]);
  expect(blocks.restBytes).toBe(1);
});

test.each([1, 2, 3, 100])('byte order marks, in chunks of %i', async (size) => {
  const read = async (bytes: Uint8Array) => drain(withoutMark(await inputOf(bytes, 'x.csv', size)));
  expect((await read(Buffer.from('\ufeffop\n'))).bytes.toString()).toBe('op\n');
  expect((await read(Buffer.from('\ufeff\ufeffop'))).bytes.toString()).toBe('\ufeffop');
  expect((await read(Buffer.from('o'))).bytes.toString()).toBe('o');
  for (const marked of [Buffer.from('\ufeffop', 'utf16le'), Buffer.of(0xfe, 0xff), Buffer.of(0xff, 0xfe)])
    expect((await read(marked)).error).toMatchObject({
      message: 'x.csv  is encoded in UTF-16; save it as UTF-8',
    });
});
