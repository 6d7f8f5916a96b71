/** Odd, cut and hostile bytes: each has one answer, the scanner or the strict way, in chunks of any size. */
import { describe, expect, test } from 'vitest';
import { openChunks } from '../../../src/trace/bytes/open-input.js';
import { type CsvOptions, CsvReader } from '../../../src/trace/csv/reader.js';
import { InputError, type InputErrors } from '../../../src/trace/input-error.js';
import { DEFAULT_LIMITS } from '../../../src/trace/limits.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';
import { errorOf, eventsOf, inputOf } from '../helpers.js';

interface Answer {
  /** ids of the events */
  readonly ids: readonly (string | undefined)[];
  readonly error: Error | undefined;
  readonly reader: CsvReader;
}

async function answerOf(content: string | Uint8Array, options: CsvOptions, size?: number): Promise<Answer> {
  const reader = new CsvReader(await inputOf(content, 'x.csv', size), options);
  const ids: (string | undefined)[] = [];
  try {
    for await (const batch of reader.batches())
      for (let i = 0; i < batch.length; i++) ids.push(reader.strings.ids.get(batch.id[i]!));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { ids, error, reader };
  }
  return { ids, error: undefined, reader };
}

/** The answer, which must be the same both ways and in chunks of any size. */
async function answer(content: string | Uint8Array, options: CsvOptions = {}): Promise<Answer> {
  const first = await answerOf(content, options);
  for (const scanner of [true, false]) {
    for (const size of [undefined, 1, 7]) {
      const other = await answerOf(content, { ...options, scanner }, size);
      expect(other.ids).toEqual(first.ids);
      expect(other.error).toEqual(first.error);
      expect(other.reader.report()).toEqual(first.reader.report());
    }
  }
  return first;
}

describe('files that are read', () => {
  test.each([
    ['LF', 'op,id\nalloc,a\nalloc,b\n'],
    ['CRLF', 'op,id\r\nalloc,a\r\nalloc,b\r\n'],
    ['both', 'op,id\nalloc,a\r\nalloc,b\n'],
    ['no end of the last line', 'op,id\nalloc,a\nalloc,b'],
    ['half a CRLF at the end', 'op,id\r\nalloc,a\r\nalloc,b\r'],
    ['a byte order mark', '\ufeffop,id\nalloc,a\nalloc,b\n'],
    ['empty lines', '\n\nop,id\n\r\n\nalloc,a\n\n\r\nalloc,b\n\n\r\n'],
    ['comments', '# x\nop,id\n#alloc,c\nalloc,a\n#"\n#\0\r#\r\nalloc,b\n#'],
    ['quotes where none are needed', '"op","id"\n"alloc","a"\nalloc,"b"\n'],
  ])('%s', async (_, content) => {
    const { ids, error } = await answer(content);
    expect({ ids, error }).toEqual({ ids: ['a', 'b'], error: undefined });
  });

  test('a header alone is an empty trace', async () => {
    for (const content of ['op', 'op,id', 'op,id\n', 'op,id\r', 'op\r\n']) {
      const { ids, error } = await answer(content);
      expect({ ids, error }).toEqual({ ids: [], error: undefined });
    }
  });
});

describe('files that are refused', () => {
  const LINE_ENDS = 'has lines that end in CR alone; convert them, with tr "\\r" "\\n" for example';
  test.each<readonly [name: string, content: string | Uint8Array, message: string]>([
    ['empty', '', 'x.csv  is empty; the first row names the columns'],
    ['a mark alone', '\ufeff', 'x.csv  is empty; the first row names the columns'],
    ['empty lines alone', '\n\r\n', 'x.csv  is empty; the first row names the columns'],
    ['CR alone', 'op,id\ralloc,a\rfree,a\r', `x.csv:1  ${LINE_ENDS}`],
    ['CR alone, no end of the last line', 'op,id\ralloc,a', `x.csv:1  ${LINE_ENDS}`],
    ['CR alone, a comment first', '# x\rop,id\ralloc,a\r', `x.csv:1  ${LINE_ENDS}`],
    [
      'CR alone, more than a row may have',
      `op,id\r${'alloc,a\rfree,a\r'.repeat(20_000)}`,
      `x.csv:1  ${LINE_ENDS}`,
    ],
    [
      'a CR in a row',
      'op,id\nalloc,a\rb\n',
      'x.csv:2:7  id "a\\rb" holds a control character or bytes that are not UTF-8; remove it',
    ],
    [
      'NUL',
      'op,id\nalloc,a\0\n',
      'x.csv:2:7  id "a\\x00" holds a control character or bytes that are not UTF-8; remove it',
    ],
    [
      'bytes that are not UTF-8',
      Buffer.from('op,id\nalloc,\xff\n', 'latin1'),
      'x.csv:2:7  id "�" holds a control character or bytes that are not UTF-8; remove it',
    ],
    ['UTF-16', Buffer.from('\ufeffop\n', 'utf16le'), 'x.csv  is encoded in UTF-16; save it as UTF-8'],
    [
      'a comma too many',
      'op,id\nalloc,a,\n',
      'x.csv:2  has 3 cells, the header has 2; quote cells that hold a comma',
    ],
    [
      'a comma too many in the header',
      'op,id,\nalloc,a,\n',
      `x.csv:1:7  header "" is not a column of a trace; columns are ts, cpu, ctx, op, id, order, gfp, node, pfn, memcg, site, cache, size, depth, at, arg`,
    ],
    [
      'a column twice',
      'op,id,id\n',
      'x.csv:1:7  header "id" stands twice in the header; remove one of the columns',
    ],
    [
      'a column of another world',
      'op,__proto__\n',
      `x.csv:1:4  header "__proto__" is not a column of a trace; columns are ts, cpu, ctx, op, id, order, gfp, node, pfn, memcg, site, cache, size, depth, at, arg`,
    ],
    [
      'a line end in a text',
      'op,id\nalloc,"a\r\nb"\n',
      'x.csv:2:7  id "a\\r\\nb" holds a control character or bytes that are not UTF-8; remove it',
    ],
    [
      'an escape sequence',
      'op,id\nalloc,a\u001b[2J\n',
      'x.csv:2:7  id "a\\x1b[2J" holds a control character or bytes that are not UTF-8; remove it',
    ],
    [
      'a text that is too long',
      `op,id\nalloc,${'a'.repeat(4097)}\n`,
      `x.csv:2:7  id "${'a'.repeat(59)}…" is longer than 4096 characters; remove it`,
    ],
    [
      'a quote that is not closed, and lines behind it',
      'op,id\nalloc,"a\nalloc,b\n',
      'x.csv:2  has a quoted field that never ends; close the quote',
    ],
  ])('%s', async (_, content, message) => {
    const { error } = await answer(content);
    expect(error?.message).toBe(message);
    expect((error as InputError).isCut).toBe(false);
  });

  test('lines are counted by their ends, whatever stands in quotes and comments', async () => {
    const content = 'site,op,id\r\n#"\r\n"x\r\ny\r\nz",mark,\r\n\r\n,alloc,\n';
    const { reader } = await answer(content, { skipInvalid: true });
    expect(reader.report().invalid_examples).toEqual([
      expect.stringContaining('x.csv:3:1  site "x\\r\\ny\\r\\nz" holds'),
      expect.stringContaining('x.csv:7:8  id is missing'),
    ]);
    expect(reader.report().lines).toBe(7);
  });
});

describe('a file that is cut in the middle of a row', () => {
  const rows = 'op,id\nalloc,a\nalloc,b\n';
  test.each(['alloc', 'al', '"', '"alloc', 'alloc,"', 'alloc,"c', 'alloc,"c""'])('%j', async (last) => {
    const { ids, error } = await answer(rows + last, { batchEvents: 1 });
    expect(ids).toEqual(['a', 'b']);
    expect(error?.message).toBe('x.csv:4  ends in the middle of a row; all rows before it were read');
    expect((error as InputError).isCut).toBe(true);
  });

  test('leaves the row out if invalid rows are left out', async () => {
    for (const last of ['alloc', 'alloc,"c']) {
      const { ids, error, reader } = await answer(rows + last, { skipInvalid: true });
      expect({ ids, error }).toEqual({ ids: ['a', 'b'], error: undefined });
      expect(reader.report()).toMatchObject({ rows: 3, emitted: 2, invalid: 1, lines: 4 });
    }
  });

  test('tells the mistakes before it, too', async () => {
    const { ids, error } = await answer('op,id\nalloc,a\nalloc,\nalloc', { maxErrors: 10 });
    expect(ids).toEqual(['a']);
    expect((error as InputErrors).errors.map(({ line, isCut }) => [line, isCut])).toEqual([
      [3, false],
      [4, true],
    ]);
  });

  test('an input that ends early by itself delivers what came, too', async () => {
    async function* broken() {
      yield Buffer.from('op,id\nalloc,a\nalloc,b\nall');
      throw new InputError({ file: 'x.csv', expectation: 'ends early', isCut: true });
    }
    const reader = new CsvReader({ name: 'x.csv', compression: 'none', chunks: broken() });
    const ids: string[] = [];
    const reading = async () => {
      for await (const batch of reader.batches())
        for (let i = 0; i < batch.length; i++) ids.push(reader.strings.ids.get(batch.id[i]!));
    };
    expect((await errorOf(reading())).message).toBe('x.csv  ends early');
    expect(ids).toEqual(['a', 'b']);
  });
});

describe('limits', () => {
  const limits = { ...DEFAULT_LIMITS, record_bytes: 20 };
  const TOO_LONG =
    'has a row longer than 20 bytes; is a quote not closed? if the row is right, raise --max-record';

  test.each([
    ['a long text', `op,id\nalloc,${'a'.repeat(15)}\n`, 2],
    ['commas', `op,id\nmark,\n${','.repeat(1000)}\n`, 3],
    ['a comment', `op,id\n# ${'a'.repeat(19)}\n`, 2],
    ['the header', `${'op,id,'.repeat(10)}\n`, 1],
    ['quotes over lines', `op,id\nalloc,"${'a\n'.repeat(10)}"\n`, 2],
    ['no end of the line', `op,id\nalloc,${'a'.repeat(15)}`, 2],
  ])('%s', async (_, content, line) => {
    expect((await answer(content, { limits })).error?.message).toBe(`x.csv:${line}  ${TOO_LONG}`);
  });

  test('a row may have as many bytes, the line end not counted', async () => {
    for (const end of ['\n', '\r\n', '']) {
      const { ids } = await answer(`op,id\nalloc,${'a'.repeat(14)}${end}`, { limits });
      expect(ids).toEqual(['a'.repeat(14)]);
    }
  });

  test.each(['"', ',', '#', 'a', '\n'])('%j without end is not read to its end', async (piece) => {
    let chunks = 0;
    async function* endless() {
      yield Buffer.from('op,id\nalloc,"');
      for (; chunks < 1000; chunks++) yield Buffer.alloc(1 << 16, piece);
    }
    const reader = new CsvReader(await openChunks(endless(), 'x.csv'));
    expect((await errorOf(eventsOf(reader))).message).toMatch(/^x\.csv:\d+ {2}has /);
    expect(chunks).toBeLessThan(5);
  });

  test('distinct strings', async () => {
    const content = 'op,id\nalloc,a\nalloc,b\nalloc,c\nalloc,d\n';
    const { error } = await answer(content, { limits: { ...DEFAULT_LIMITS, strings: 3 } });
    expect(error?.message).toBe('x.csv  has more than 3 different ids; raise --max-strings if that is right');
  });
});

test('readers that share their strings know what failed', async () => {
  const strings = createTraceStrings();
  for (let i = 0; i < 2; i++) {
    for (const scanner of [true, false]) {
      const input = await inputOf('op,arg\nalloc,failed=1\n');
      expect(await eventsOf(new CsvReader(input, { strings, scanner }))).toMatchObject([{ flags: 1 }]);
    }
  }
  // What another format has interned is not taken for checked.
  strings.sites.intern('a\u0007');
  const input = await inputOf('op,site\nmark,a\u0007\n');
  expect((await errorOf(eventsOf(new CsvReader(input, { strings })))).message).toContain('control character');
});

test('objects of caches without a name', async () => {
  const { ids } = await answer('op,id,cache,size\ncache_alloc,a,,64\ncache_free,a,,\ncache_alloc,b,x,\n');
  expect(ids).toEqual(['a', 'a', 'b']);
  for (const op of ['cache_create', 'cache_destroy']) {
    const { error } = await answer(`op,size,cache\n${op},64,\n`);
    expect(error?.message).toContain(`cache is missing: ${op} names a cache; give the cache's name`);
  }
});
