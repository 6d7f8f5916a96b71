import { describe, expect, test } from 'vitest';
import { FreedIds } from '../../../src/trace/csv/freed-ids.js';
import { type CsvOptions, CsvReader } from '../../../src/trace/csv/reader.js';
import { EventFlag } from '../../../src/trace/event-batch.js';
import { InputError, InputErrors } from '../../../src/trace/input-error.js';
import { DEFAULT_LIMITS } from '../../../src/trace/limits.js';
import { errorOf, eventsOf, inputOf } from '../helpers.js';

async function read(text: string | Uint8Array, options: CsvOptions = {}, size?: number) {
  const reader = new CsvReader(await inputOf(text, 'trace.csv', size), options);
  const events = await eventsOf(reader);
  return { events, report: reader.report() };
}

const message = async (text: string | Uint8Array, options?: CsvOptions) =>
  (await errorOf(read(text, options))).message;

test('columns by name, in any order, with their defaults', async () => {
  const { events, report } = await read('id,op\na17,alloc\na17,free\n');
  expect(events).toEqual([
    {
      ts: 0,
      cpu: 0,
      ctx: 'task',
      op: 'alloc',
      order: 0,
      gfp: 0xcc0,
      id: 'a17',
      pfn: undefined,
      migratetype: 0,
      flags: 0,
      size: 0,
      node: -1,
      cache: '',
      memcg: '',
      site: '',
      arg: '',
      depth: 0,
      at: 0,
      pid: undefined,
    },
    expect.objectContaining({ ts: 1000, op: 'free', order: undefined, gfp: 0, id: 'a17' }),
  ]);
  expect(report).toEqual({
    columns: ['id', 'op'],
    lines: 3,
    rows: 2,
    emitted: 2,
    by_op: { alloc: 1, free: 1 },
    by_ctx: { task: 2, softirq: 0, hardirq: 0, nmi: 0 },
    cpus: [0],
    first_ts: 0,
    last_ts: 1000,
    invalid: 0,
    invalid_examples: [],
  });
});

test('every column', async () => {
  const { events } = await read(
    'ts,cpu,ctx,op,id,order,gfp,node,pfn,memcg,site,cache,size,depth,at,arg\n' +
      '5000,3,irq,alloc,p,9,GFP_HIGHUSER_MOVABLE|__GFP_COMP,1,0x1A2b,/a/b,"mm/x.c:1 f, g",,,,,\n' +
      '5000,3,nmi,kmalloc_nolock,q,,0x2820,-1,,/,f,,96,1,cpu_slab,"a=1;b=""2"""\n' +
      ',3,task,cache_alloc,r,,none,,4096,,,dentry,,,,\n',
  );
  expect(events).toMatchObject([
    {
      ts: 5000,
      cpu: 3,
      ctx: 'hardirq',
      op: 'alloc',
      order: 9,
      gfp: 0x140cca,
      node: 1,
      pfn: 0x1a2b,
      migratetype: 1,
      memcg: '/a/b',
      site: 'mm/x.c:1 f, g',
      flags: EventFlag.hasPfn,
    },
    { ctx: 'nmi', op: 'kmalloc_nolock', gfp: 0x2820, size: 96, depth: 1, at: 1, memcg: '', arg: 'a=1;b="2"' },
    { ts: 6000, op: 'cache_alloc', gfp: 0, cache: 'dentry', pfn: 4096 },
  ]);
});

test('comments, blank lines, CRLF, mixed line ends, a BOM, no end to the last line', async () => {
  const rows = '# made by hand\nop,id,order\r\n\r\n#x,"y\nalloc,a,1\r\nalloc,#b,2\nfree,a,';
  for (const size of [1, 3, undefined]) {
    const { events } = await read(`\ufeff${rows}`, {}, size);
    expect(events.map(({ op, id, order }) => [op, id, order])).toEqual([
      ['alloc', 'a', 1],
      ['alloc', '#b', 2],
      ['free', 'a', undefined],
    ]);
  }
});

test('gfp words mean what the chosen kernel means', async () => {
  const text = 'op,id,gfp\nalloc,a,GFP_ATOMIC\n';
  expect((await read(text)).events[0]?.gfp).toBe(0x820);
  expect((await read(text, { kernel: '6.1' })).events[0]?.gfp).toBe(0xa20);
});

test('a recorded failure names no object', async () => {
  const { events } = await read('op,order,arg\nalloc,9,failed=1\n');
  expect(events).toMatchObject([{ flags: EventFlag.failed, id: undefined, pfn: undefined }]);
});

test('__proto__ is a name like any other', async () => {
  const { events } = await read(
    'op,id,cache,memcg,site,arg\ncache_alloc,__proto__,__proto__,/__proto__,__proto__,__proto__=1\n' +
      'cache_free,__proto__,constructor,,toString,\n',
  );
  expect(events).toMatchObject([
    { id: '__proto__', cache: '__proto__', memcg: '/__proto__', site: '__proto__', arg: '__proto__=1' },
    { id: '__proto__', cache: 'constructor', site: 'toString' },
  ]);
});

describe('the header', () => {
  test.each([
    ['ts,opp\n', 'trace.csv:1:4  header "opp" is not a column of a trace; did you mean op?'],
    ['op,id,op\n', 'trace.csv:1:7  header "op" stands twice in the header; remove one of the columns'],
    ['ts,id\n', 'trace.csv:1  header has no column op; the first row names the columns, op is required'],
    [
      '__proto__,op\n',
      'trace.csv:1:1  header "__proto__" is not a column of a trace; columns are ts, cpu, ctx, op, id, order, gfp, node, pfn, memcg, site, cache, size, depth, at, arg',
    ],
    ['', 'trace.csv  is empty; the first row names the columns'],
    ['# only a comment\n', 'trace.csv  is empty; the first row names the columns'],
    ['op, id\n', 'trace.csv:1:4  header " id" is not a column of a trace; did you mean id?'],
  ])('%j', async (text, expected) => {
    expect(await message(text)).toBe(expected);
  });
});

describe('one line says what is wrong with a row', () => {
  const header = 'ts,cpu,ctx,op,id,order,gfp,node,pfn,size,depth,at,arg,site\n';
  test.each([
    [
      '0,0,task,alloc,a,0,GFP_KERNEl,,,,,,,',
      '2:20  gfp "GFP_KERNEl" is not a gfp flag; did you mean GFP_KERNEL?',
    ],
    [
      '0,0,task,alloc,a,0,GFP_KERNEL|__GFP_ZER0,,,,,,,',
      '2:20  gfp "GFP_KERNEL|__GFP_ZER0" has no gfp flag in "__GFP_ZER0"; did you mean __GFP_ZERO?',
    ],
    ['0,0,task,aloc,a,0,,,,,,,,', '2:10  op "aloc" is not an op; did you mean alloc?'],
    [
      '0,0,task,__proto__,a,0,,,,,,,,',
      '2:10  op "__proto__" is not an op; give alloc, free, contig_alloc, mark or another op of the trace CSV',
    ],
    [
      '0,0,task,obs_drain,a,0,,,,,,,,',
      '2:10  op "obs_drain" is not an op; give alloc, free, contig_alloc, mark or another op of the trace CSV',
    ],
    ['0,0,task,,a,0,,,,,,,,', '2:10  op is empty; every row needs an op'],
    ['0,0,tsk,alloc,a,0,,,,,,,,', '2:5  ctx "tsk" is not a context; give task, softirq, hardirq or nmi'],
    ['0,0,task,alloc,a,11,,,,,,,,', '2:18  order "11" is not a page order; give 0 to 10'],
    ['0,0,task,alloc,a,+1,,,,,,,,', '2:18  order "+1" is not a page order; give 0 to 10'],
    ['0,0,task,alloc,a, 1,,,,,,,,', '2:18  order " 1" is not a page order; give 0 to 10'],
    ['0,0,task,alloc,a,0x1,,,,,,,,', '2:18  order "0x1" is not a page order; give 0 to 10'],
    ['1.5,0,task,alloc,a,0,,,,,,,,', '2:1  ts "1.5" is not a time; give whole nanoseconds'],
    ['1e3,0,task,alloc,a,0,,,,,,,,', '2:1  ts "1e3" is not a time; give whole nanoseconds'],
    ['0,8192,task,alloc,a,0,,,,,,,,', '2:3  cpu "8192" is not a CPU number; give 0 to 8191'],
    [
      '0,0,task,alloc,a,0,,-2,,,,,,',
      '2:21  node "-2" is not a node; give 0 to 1023, or -1 for the local one',
    ],
    [
      '0,0,task,alloc,a,0,,,0xffffffff,,,,,',
      '2:22  pfn "0xffffffff" is not a page frame number; give hex (0x…) or decimal up to 0xfffffffe',
    ],
    [
      '0,0,task,alloc,a,0,,,beef,,,,,',
      '2:22  pfn "beef" is not a page frame number; give hex (0x…) or decimal up to 0xfffffffe',
    ],
    ['0,0,task,alloc,,0,,,,,,,,', '2:16  id is missing: alloc names an object; give an id or a pfn'],
    ['0,0,task,kmalloc,a,0,,,,,,,,', '2:25  size is missing: kmalloc asks for bytes; give the size'],
    ['0,0,task,alloc,a,0,,,,,1,zoen,,', '2:26  at "zoen" is not a lock point; did you mean zone?'],
    [
      '0,0,task,alloc,a,0,,,,,2,zone,,',
      '2:24  depth "2" interrupts nothing: the last row of CPU 0 has depth 0; put the interrupted row first',
    ],
    ['0,0,task,alloc,a,0,,,,,4,,,', '2:24  depth "4" is not a nesting depth; give 0 to 3'],
    [
      '0,0,task,alloc,a,0,,,1,,,,failed=1,',
      '2:22  pfn "1" is given for an allocation that failed (arg failed=1); leave one out',
    ],
    [
      '0,0,task,alloc,a,0,,,,,,,,a\u001b[2Jb',
      '2:27  site "a\\x1b[2Jb" holds a control character or bytes that are not UTF-8; remove it',
    ],
    ['0,0,task,alloc', '2  has 4 cells, the header has 14; give every column, empty for its default'],
    ['0,0,task,alloc,a,0,,,,,,,,f,g', '2  has 15 cells, the header has 14; quote cells that hold a comma'],
    [
      '0,0,task,alloc,a,0,,,,,,,,"x"y',
      '2  has text behind a closing quote; double the quotes inside a quoted field',
    ],
    ['0,0,task,alloc,a,0,,,,,,,,x"y"', '2  has a quote inside an unquoted field; quote the whole field'],
    ['0,0,task,alloc,a,0,,,,,,,,"x', '2  has a quoted field that never ends; close the quote'],
  ])('%j', async (row, expected) => {
    expect(await message(`${header}${row}\n`)).toBe(`trace.csv:${expected}`);
  });

  test('time that runs backwards', async () => {
    expect(await message('ts,op,id\n5,alloc,a\n4,free,a\n')).toBe(
      'trace.csv:3:1  ts "4" is before the row above (5); sort the rows by ts',
    );
  });

  test('what cgroups and caches are named', async () => {
    expect(await message('op,memcg\nmemcg_create,\n')).toBe(
      "trace.csv:2:14  memcg is missing: memcg_create names a cgroup; give the cgroup's path",
    );
    expect(await message('op,id\ncache_alloc,a\n')).toBe(
      "trace.csv:2  cache is missing: cache_alloc names a cache; give the cache's name, or the size where it is not known",
    );
  });

  test('the column counts quoted cells before it, the line counts lines inside cells', async () => {
    expect(await message('site,op,id,order\n"f, ""g""",alloc,a,0\n"f, ""g""",alloc,b,x\n')).toBe(
      'trace.csv:3:20  order "x" is not a page order; give 0 to 10',
    );
    expect(await message('site,op,id\n"a\nb",alloc,a\n')).toContain(
      'trace.csv:2:1  site "a\\nb" holds a control',
    );
  });

  test('bytes that are not UTF-8, UTF-16, and NUL', async () => {
    const bad = Buffer.concat([Buffer.from('op,id\nalloc,'), Buffer.of(0xff, 0xfe), Buffer.from('\n')]);
    expect(await message(bad)).toContain('trace.csv:2:7  id "��" holds a control character');
    expect(await message(Buffer.from('\ufeffop,id\n', 'utf16le'))).toBe(
      'trace.csv  is encoded in UTF-16; save it as UTF-8',
    );
    expect(await message('op,id\nalloc,a\0b\n')).toContain('"a\\x00b" holds a control character');
    expect(await message('op,id\nalloc,a\rfree,b\n')).toContain('trace.csv:');
  });

  test('a quote that is never closed does not fill the memory', async () => {
    const limits = { ...DEFAULT_LIMITS, record_bytes: 1000 };
    expect(await message(`op,id\nalloc,"${'x'.repeat(300_000)}`, { limits })).toBe(
      'trace.csv:2  has a row longer than 1,000 bytes; is a quote not closed? if the row is right, raise --max-record',
    );
  });
});

describe('more than one mistake', () => {
  const text = 'op,id,order\nalloc,a,x\nalloc,b,0\nfre,b,\nalloc,c,99\n';

  test('the first one is thrown by itself', async () => {
    expect(await errorOf(read(text))).toBeInstanceOf(InputError);
  });

  test('up to N are collected', async () => {
    const all = (await errorOf(read(text, { maxErrors: 10 }))) as InputErrors;
    expect(all).toBeInstanceOf(InputErrors);
    expect(all.complete).toBe(true);
    expect(all.errors.map((error) => error.line)).toEqual([2, 4, 5]);
    const two = (await errorOf(read(text, { maxErrors: 2 }))) as InputErrors;
    expect(two.complete).toBe(false);
    expect(two.message.split('\n')).toEqual([
      'trace.csv:2:9  order "x" is not a page order; give 0 to 10',
      'trace.csv:4:1  op "fre" is not an op; did you mean free?',
    ]);
  });

  test('a file broken midway tells what it had before', async () => {
    const error = (await errorOf(read(`${text}alloc,"x`, { maxErrors: 10 }))) as InputErrors;
    expect(error.errors.map((one) => one.line)).toEqual([2, 4, 5, 6]);
  });

  test('invalid rows can be left out, and are counted', async () => {
    const { events, report } = await read(text, { skipInvalid: true });
    expect(events.map((event) => event.id)).toEqual(['b']);
    expect(report).toMatchObject({ rows: 4, emitted: 1, invalid: 3 });
    expect(report.invalid_examples).toHaveLength(3);
  });
});

test('batches are full and hold every row once', async () => {
  const rows = Array.from({ length: 1000 }, (_, i) => `alloc,a${i}\n`).join('');
  const { events } = await read(`op,id\n${rows}`, { batchEvents: 64 }, 777);
  expect(events.map((event) => event.id)).toEqual(Array.from({ length: 1000 }, (_, i) => `a${i}`));
});

describe('an object freed twice', () => {
  const freed = (first: number) => `id "a" is freed twice, first in line ${first}; allocate it again before`;

  test('is told with both lines', async () => {
    expect(await message('op,id\nalloc,a\nfree,a\nalloc,b\nfree,a\n')).toContain(
      `trace.csv:5:6  ${freed(3)}`,
    );
    expect(await message('op,id,size\nkmalloc,a,8\nkfree,a,\nkfree,a,\n')).toContain(
      `trace.csv:4:7  ${freed(3)}`,
    );
  });

  test('can be left out, and the first free stays the one that is named', async () => {
    const text = 'op,id\nalloc,a\nfree,a\nfree,a\nfree,a\nalloc,a\nfree,a\n';
    const { events, report } = await read(text, { skipInvalid: true });
    expect(events.map(({ op }) => op)).toEqual(['alloc', 'free', 'alloc', 'free']);
    expect(report.invalid_examples).toEqual([4, 5].map(() => expect.stringContaining(freed(3))));
  });

  test.each([
    ['an id used again', 'op,id\nalloc,a\nfree,a\nalloc,a\nfree,a\n'],
    ['pages and objects of one name', 'op,id,size\nalloc,a,\nkmalloc,a,8\nfree,a,\nkfree,a,\n'],
    ['parts of a split block', 'op,id,order\nalloc,a,1\nfree,a,0\nfree,a,0\n'],
    ['what was in use before the trace', 'op,id\nfree,a\nfree,a\n'],
    ['a recorded PFN, which may come free unseen', 'op,id,pfn\nalloc,a,7\nfree,a,7\nfree,a,7\n'],
    [
      'an object at an address, whose bulk allocation has no event',
      'op,id,size\nkmalloc,0x8a,8\nkfree,0x8a,\nkfree,0x8a,\n',
    ],
    ['an allocation that failed', 'op,id,arg\nalloc,a,failed=1\nfree,a,\nfree,a,\n'],
  ])('is not: %s', async (_, text) => {
    const { report } = await read(text);
    expect(report.invalid).toBe(0);
  });
});

test('lines of objects freed stay known beyond what 32 bits hold of them', () => {
  const ids = new FreedIds();
  ids.allocated(1, 0);
  ids.allocated(2, 3);
  expect(ids.freed(1, 0, 7)).toBe(0);
  expect(ids.freed(2, 3, 2 ** 40)).toBe(0);
  expect([ids.freed(1, 0, 2 ** 41), ids.freed(2, 3, 2 ** 41)]).toEqual([7, 2 ** 40]);
  ids.allocated(9000, 1);
  expect([ids.freed(9000, 1, 2 ** 41), ids.freed(9000, 1, 1), ids.freed(1, 0, 1)]).toEqual([0, 2 ** 41, 7]);
});
