import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect } from 'vitest';
import { openInput } from '../../../src/trace/bytes/open-input.js';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import { CsvWriter, writeCsv } from '../../../src/trace/csv/writer.js';
import {
  CTX_NAMES,
  EventBatch,
  EventFlag,
  FIRST_OBSERVATION,
  LOCK_POINTS,
  NO_ORDER,
  NONE_U32,
  Op,
} from '../../../src/trace/event-batch.js';
import { MAX_DEPTH, Nesting } from '../../../src/trace/nesting.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';
import { TextReader } from '../../../src/trace/text/reader.js';
import { dataPath, errorOf, eventsOf, inputOf } from '../helpers.js';
import { fc, test } from '../properties.js';

async function rewrite(text: string): Promise<string> {
  const writer = new CsvWriter();
  let written = writer.header();
  for await (const batch of new CsvReader(await inputOf(text)).batches()) written += writer.rows(batch);
  return written;
}

const words = fc.string({
  unit: fc.constantFrom('a', 'ü', '🙂', ',', '"', ' ', ';', '=', '-', '|', '#', "'", '\t'),
  minLength: 1,
});

test('what was written is read and written again byte by byte', async () => {
  const event = fc.record({
    gap: fc.integer({ min: 0, max: 1_000_000 }),
    cpu: fc.integer({ min: 0, max: 3 }),
    ctx: fc.nat(CTX_NAMES.length - 1),
    op: fc.nat(FIRST_OBSERVATION - 1),
    order: fc.integer({ min: 0, max: 11 }),
    gfp: fc.integer({ min: 0, max: 0x1ff_ffff }),
    id: fc.option(words),
    pfn: fc.option(fc.integer({ min: 0, max: 0xffff_fffe })),
    size: fc.integer({ min: 0, max: 0xffff_ffff }),
    node: fc.integer({ min: -1, max: 3 }),
    cache: words,
    memcg: words,
    site: words,
    arg: words,
    depth: fc.nat(MAX_DEPTH),
    at: fc.nat(LOCK_POINTS.length - 1),
    failed: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 30 }), async (events) => {
      const strings = createTraceStrings();
      const batch = new EventBatch(strings, 32);
      const nesting = new Nesting(4);
      let ts = 0;
      for (const one of events) {
        const n = batch.length++;
        ts += one.gap;
        const failed = one.failed && one.op === Op.alloc;
        const isFree = one.op === Op.free || one.op === Op.free_nolock || one.op === Op.contig_free;
        batch.ts[n] = ts;
        batch.cpu[n] = one.cpu;
        const depth = Math.min(one.depth, nesting.depthOf(one.cpu) + 1);
        batch.ctx[n] = depth === 0 ? one.ctx : Math.max(one.ctx, nesting.contextBelow(one.cpu, depth));
        nesting.follow(one.cpu, depth, batch.ctx[n]);
        batch.op[n] = one.op;
        batch.order[n] = one.order === 11 ? (isFree ? NO_ORDER : 0) : one.order;
        batch.gfp[n] = one.gfp;
        batch.id[n] =
          one.id === null && (one.pfn !== null || failed) ? NONE_U32 : strings.ids.intern(one.id ?? 'x');
        batch.pfn[n] = failed ? NONE_U32 : (one.pfn ?? NONE_U32);
        batch.flags[n] = failed ? EventFlag.failed : 0;
        batch.size[n] = one.size;
        batch.node[n] = one.node;
        batch.cache[n] = strings.caches.intern(one.cache);
        batch.memcg[n] = strings.memcgs.intern(one.memcg);
        batch.site[n] = strings.sites.intern(one.site);
        batch.arg[n] = strings.args.intern(one.arg);
        batch.depth[n] = depth;
        batch.at[n] = depth > 0 ? one.at : 0;
      }
      const writer = new CsvWriter();
      const text = writer.header() + writer.rows(batch);
      expect(await rewrite(text)).toBe(text);
    }),
  );
});

test('defaults are empty cells, in the documented order', async () => {
  expect(await rewrite('id,op\na,alloc\na,free\n')).toBe(
    'ts,cpu,ctx,op,id,order,gfp,node,pfn,memcg,site,cache,size,depth,at,arg\n' +
      '0,0,task,alloc,a,0,GFP_KERNEL,,,,,,,,,\n' +
      '1000,0,task,free,a,,,,,,,,,,,\n',
  );
});

test('a trace of a kernel becomes CSV; what CSV cannot say is counted', async () => {
  const reader = new TextReader(await openInput(dataPath('tracefs-6.1-mem.txt')), { kernel: '6.1' });
  const writer = new CsvWriter({ kernel: '6.1' });
  let text = writer.header();
  for await (const batch of reader.batches()) text += writer.rows(batch);
  expect(text).toMatch(/,alloc,,9,GFP_TRANSHUGE[^,]*,,,,,,,,,failed=1\n/);
  const kinds = new Map(reader.report().by_kind.map((kind) => [kind.name, kind.events]));
  expect(writer.report.left_out).toEqual({
    obs_refill: kinds.get('mm_page_alloc_zone_locked'),
    obs_drain: kinds.get('mm_page_pcpu_drain'),
    obs_extfrag: kinds.get('mm_page_alloc_extfrag'),
  });
  const back = new CsvWriter({ kernel: '6.1' });
  let again = back.header();
  for await (const batch of new CsvReader(await inputOf(text), { kernel: '6.1' }).batches())
    again += back.rows(batch);
  expect(again).toBe(text);
});

function marksOf(...texts: readonly string[]): EventBatch {
  const strings = createTraceStrings();
  const batch = new EventBatch(strings, texts.length);
  for (const text of texts) {
    const n = batch.length++;
    batch.op[n] = Op.mark;
    batch.id[n] = NONE_U32;
    batch.pfn[n] = NONE_U32;
    batch.node[n] = -1;
    batch.arg[n] = strings.args.intern(text);
  }
  return batch;
}

const OP_ARG = ['op', 'arg'] as const;

test('control characters are escaped and counted', () => {
  const writer = new CsvWriter({ columns: OP_ARG });
  expect(writer.rows(marksOf('a\u001b[2J\nb', '\rc', 'a\tb', 'ü'))).toBe(
    'mark,a\\x1b[2J\\x0ab\nmark,\\x0dc\nmark,a\tb\nmark,ü\n',
  );
  expect(writer.report.escaped).toBe(2);
});

describe('formulas', () => {
  const formulas = ['=cmd()|x', '+1', '-1', '@a', '\tb', "'", "''", "'=1", "'a", 'a=1', '=1,"2"', '#a', '1'];

  test('get an apostrophe that the reader takes off again', async () => {
    const text = new CsvWriter({ columns: OP_ARG }).rows(marksOf(...formulas));
    expect(text.split('\n')).toEqual([
      "mark,'=cmd()|x",
      "mark,'+1",
      "mark,'-1",
      "mark,'@a",
      "mark,'\tb",
      "mark,''",
      "mark,'''",
      "mark,''=1",
      "mark,''a",
      'mark,a=1',
      `mark,"'=1,""2"""`,
      'mark,"#a"',
      'mark,1',
      '',
    ]);
    const source = new CsvReader(await inputOf(`op,arg\n${text}`));
    expect((await eventsOf(source)).map(({ arg }) => arg)).toEqual(formulas);
  });

  test('stay as they are if asked for, and are read back the same', async () => {
    const text = new CsvWriter({ columns: OP_ARG, formulaSafe: false }).rows(marksOf(...formulas));
    expect(text.split('\n').slice(0, 9)).toEqual([
      'mark,=cmd()|x',
      'mark,+1',
      'mark,-1',
      'mark,@a',
      'mark,\tb',
      "mark,'",
      "mark,'''",
      "mark,''=1",
      "mark,'a",
    ]);
    const source = new CsvReader(await inputOf(`op,arg\n${text}`));
    expect((await eventsOf(source)).map(({ arg }) => arg)).toEqual(formulas);
  });

  test('no cell of another column is touched', async () => {
    const text = await rewrite('op,id,node,pfn\nalloc,-a,-1,7\n');
    expect(text).toContain("\n0,0,task,alloc,'-a,0,GFP_KERNEL,,0x7,");
  });
});

test('the columns asked for, in their order', async () => {
  const writer = new CsvWriter({ columns: ['id', 'op', 'ts'] });
  const source = new CsvReader(await inputOf('op,id,gfp\nalloc,#7,0x0\nfree,#7,\n'));
  let text = writer.header();
  for await (const batch of source.batches()) text += writer.rows(batch);
  expect(text).toBe('id,op,ts\n"#7",alloc,0\n"#7",free,1000\n');
  const back = await eventsOf(new CsvReader(await inputOf(text)));
  expect(back.map(({ id }) => id)).toEqual(['#7', '#7']);
  expect(() => new CsvWriter({ columns: ['id'] })).toThrow('op is one of them');
  expect(() => new CsvWriter({ columns: ['op', 'id', 'op'] })).toThrow('each of its columns once');
});

test('an object of a cache without a name keeps its size, be it 0', async () => {
  const text = 'op,id,size\ncache_alloc,a,0\ncache_alloc,b,64\ncache_free,a,\n';
  const writer = new CsvWriter({ columns: ['op', 'id', 'size'] });
  let written = writer.header();
  for await (const batch of new CsvReader(await inputOf(text)).batches()) written += writer.rows(batch);
  expect(written).toBe(text);
});

test('numbers are written as String() does', () => {
  const batch = marksOf(...Array.from({ length: 300 }, () => ''));
  const times = [
    0,
    9,
    10,
    999_999_999,
    1e9,
    1_000_000_001,
    1e15,
    Number.MAX_SAFE_INTEGER,
    2 ** 53,
    1e21,
    1.5,
  ];
  const pfns = [0, 15, 16, 0xabc, 0x8000_0000, 0xffff_fffe];
  for (let i = 0; i < 300; i++) {
    batch.ts[i] = i < times.length ? times[i]! : Math.floor(1.13 ** i);
    batch.pfn[i] = i < pfns.length ? pfns[i]! : i * 0x123_4567;
    batch.size[i] = i * 0x234_5678;
  }
  const expected = Array.from(
    { length: 300 },
    (_, i) =>
      `${batch.ts[i]},mark,0x${batch.pfn[i]!.toString(16)},${batch.size[i] === 0 ? '' : batch.size[i]}\n`,
  );
  const writer = new CsvWriter({ columns: ['ts', 'op', 'pfn', 'size'] });
  expect(writer.rows(batch)).toBe(expected.join(''));
});

test('files, packed by their name', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'spbsim-'));
  try {
    const text = 'op,id\nalloc,a\n';
    const plain = join(directory, 'x.csv');
    const packed = join(directory, 'x.csv.gz');
    for (const path of [plain, packed]) await writeCsv(new CsvReader(await inputOf(text)).batches(), path);
    expect(gunzipSync(await readFile(packed)).equals(await readFile(plain))).toBe(true);
    expect(await readFile(plain, 'utf8')).toBe(await rewrite(text));
    const nowhere = join(directory, 'no', 'x.csv');
    const error = await errorOf(writeCsv(new CsvReader(await inputOf(text)).batches(), nowhere));
    expect(error.message).toBe(`${nowhere}  is in no directory that exists; create it`);
  } finally {
    await rm(directory, { recursive: true });
  }
});
