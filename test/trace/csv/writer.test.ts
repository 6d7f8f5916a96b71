import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { openInput } from '../../../src/trace/bytes/open-input.js';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import { CsvWriter, writeCsv } from '../../../src/trace/csv/writer.js';
import {
  CTX_NAMES,
  EventBatch,
  EventFlag,
  FIRST_OBSERVATION,
  NO_ORDER,
  NONE_U32,
  Op,
} from '../../../src/trace/event-batch.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';
import { TracefsReader } from '../../../src/trace/text/reader.js';
import { dataPath, errorOf, inputOf } from '../helpers.js';
import { fc, test } from '../properties.js';

async function rewrite(text: string): Promise<string> {
  const writer = new CsvWriter();
  let written = writer.header();
  for await (const batch of new CsvReader(await inputOf(text)).batches()) written += writer.rows(batch);
  return written;
}

const words = fc.string({
  unit: fc.constantFrom('a', 'ü', '🙂', ',', '"', ' ', ';', '=', '-', '|', '#', "'"),
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
    nested: fc.boolean(),
    at: fc.nat(6),
    failed: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 30 }), async (events) => {
      const strings = createTraceStrings();
      const batch = new EventBatch(strings, 32);
      let ts = 0;
      for (const one of events) {
        const n = batch.length++;
        ts += one.gap;
        const failed = one.failed && one.op === Op.alloc;
        const isFree = one.op === Op.free || one.op === Op.free_nolock || one.op === Op.contig_free;
        batch.ts[n] = ts;
        batch.cpu[n] = one.cpu;
        batch.ctx[n] = one.ctx;
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
        batch.depth[n] = one.nested ? 1 : 0;
        batch.at[n] = one.nested ? one.at : 0;
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
  const reader = new TracefsReader(await openInput(dataPath('tracefs-6.1-mem.txt')), { kernel: '6.1' });
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

test('control characters are escaped and counted, formulas stay unless asked for', () => {
  const strings = createTraceStrings();
  const batch = new EventBatch(strings, 4);
  for (const text of ['a\u001b[2J\nb', '=cmd()|x']) {
    const n = batch.length++;
    batch.op[n] = Op.mark;
    batch.id[n] = NONE_U32;
    batch.pfn[n] = NONE_U32;
    batch.node[n] = -1;
    batch.arg[n] = strings.args.intern(text);
  }
  const plain = new CsvWriter();
  expect(plain.rows(batch)).toBe(
    '0,0,task,mark,,,,,,,,,,,,a\\x1b[2J\\x0ab\n0,0,task,mark,,,,,,,,,,,,=cmd()|x\n',
  );
  expect(plain.report.escaped).toBe(1);
  expect(new CsvWriter({ spreadsheetSafe: true }).rows(batch)).toContain(",'=cmd()|x\n");
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
