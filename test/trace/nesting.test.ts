/** Rows that interrupt others, from the file to what a replay is given: what is refused, what comes through, what is left. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { importTrace, type OutputFormat } from '../../src/sim/import-trace.js';
import { inputsRead } from '../../src/sim/replay-session.js';
import { ArrowReader } from '../../src/trace/arrow/reader.js';
import { ArrowWriter } from '../../src/trace/arrow/writer.js';
import { CsvReader } from '../../src/trace/csv/reader.js';
import { EventBatch, type EventSource, LOCK_POINTS, Op } from '../../src/trace/event-batch.js';
import { EventFilter, type EventSelection } from '../../src/trace/filter/event-filter.js';
import { createTraceStrings } from '../../src/trace/string-table.js';
import { openTraceSet } from '../../src/trace/trace-set.js';
import { errorOf, eventsOf, inputOf } from './helpers.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-nesting-'));
});

const HEADER = 'cpu,ctx,op,depth,at,arg\n';

/** Rows of `cpu ctx depth`, as a CSV whose marks have their number as a name. */
function csvOf(rows: readonly string[]): string {
  const lines = rows.map((row, i) => {
    const [cpu, ctx, depth] = row.split(' ');
    return `${cpu},${ctx},mark,${depth},${depth === '0' ? '' : 'list_lock'},m${i}\n`;
  });
  return HEADER + lines.join('');
}

/** The same rows as Arrow, with or without its fast way. */
async function arrowOf(rows: readonly string[], cellByCell: boolean): Promise<ArrowReader> {
  const batch = new EventBatch(createTraceStrings(), 16);
  rows.forEach((row, i) => {
    const [cpu, ctx, depth] = row.split(' ');
    batch.cpu[i] = Number(cpu);
    batch.ctx[i] = ['task', 'softirq', 'hardirq', 'nmi'].indexOf(ctx!);
    batch.op[i] = Op.mark;
    batch.depth[i] = Number(depth);
  });
  batch.length = rows.length;
  async function* once() {
    yield batch;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of new ArrowWriter({ format: 'stream' }).chunks(once())) chunks.push(chunk.slice());
  return new ArrowReader(await inputOf(Buffer.concat(chunks), 'trace.arrows'), { cellByCell });
}

describe('what is refused, in CSV and in Arrow, by each way of reading', () => {
  const TOO_DEEP = 'is not a nesting depth; give 0 to 3';
  test.each<[string, readonly string[], number, string]>([
    ['nothing above', ['0 task 0', '1 nmi 1', '0 task 2'], 3, 'depth "2" interrupts nothing: the last row'],
    [
      'a lower context',
      ['0 hardirq 0', '0 softirq 1'],
      2,
      'ctx "softirq" cannot interrupt hardirq, the context of the row that it nests in (depth 0); give hardirq or a context above it, or depth 0',
    ],
    [
      'a lower context than that of the row just below, not of the row above',
      ['0 task 0', '0 softirq 1', '0 nmi 2', '0 hardirq 1', '0 softirq 2'],
      5,
      'ctx "softirq" cannot interrupt hardirq',
    ],
    ['depth 4', ['0 task 0', '0 task 1', '0 task 2', '0 task 3', '0 task 4'], 5, TOO_DEEP],
  ])('%s', async (_, rows, line, message) => {
    for (const scanner of [true, false]) {
      const error = await errorOf(eventsOf(new CsvReader(await inputOf(csvOf(rows)), { scanner })));
      expect(error.message).toContain(message);
      expect(error.message).toMatch(new RegExp(`^trace\\.csv:${line + 1}[: ]`));
    }
    for (const cellByCell of [true, false]) {
      const error = await errorOf(eventsOf(await arrowOf(rows, cellByCell)));
      expect(error.message).toContain(message.replace(/^depth "(\d)"/, 'depth "$1"'));
      expect(error.message).toMatch(new RegExp(`^trace\\.arrows:${line}[: ]`));
    }
  });

  test.each([
    ['each context once', ['0 task 0', '0 softirq 1', '0 hardirq 2', '0 nmi 3', '0 task 0']],
    ['calls from the same context', ['0 nmi 0', '0 nmi 1', '0 nmi 2', '0 nmi 1']],
    ['other CPUs between', ['0 task 0', '1 hardirq 0', '0 softirq 1', '1 nmi 1', '0 nmi 2']],
  ])('%s is not', async (_, rows) => {
    const depths = rows.map((row) => Number(row.split(' ')[2]));
    for (const source of [
      new CsvReader(await inputOf(csvOf(rows))),
      await arrowOf(rows, true),
      await arrowOf(rows, false),
    ])
      expect((await eventsOf(source as EventSource)).map(({ depth }) => depth)).toEqual(depths);
  });
});

/** Every slab operation with all that it may say, and every lock point. */
const SLAB_TRACE = [
  'ts,cpu,ctx,op,id,gfp,node,memcg,site,cache,size,depth,at,arg',
  '1000,0,task,cache_create,,,,,,so-96,96,,,align=32;flags=SLAB_ACCOUNT',
  '2000,0,task,cache_alloc,c1,GFP_KERNEL,1,/app,f,so-96,96,,,',
  '3000,0,task,kmalloc,k1,GFP_KERNEL_ACCOUNT,0,/app/a,f,,200,,,',
  '3000,1,task,kmalloc,k9,GFP_KERNEL,,,,,8,,,',
  '3500,0,nmi,kmalloc_nolock,n1,__GFP_ZERO|__GFP_ACCOUNT,1,/app,prog,,96,1,cpu_slab,tag=1',
  ...LOCK_POINTS.slice(1).map((at, i) => `4000,0,nmi,kmalloc_nolock,p${i},none,,,prog,,64,1,${at},`),
  '5000,0,nmi,kfree_nolock,n1,,,,,,,1,,',
  '6000,0,task,kfree,k1,,,,,,,,,',
  '6000,0,softirq,cache_free,c1,,,,,so-96,,1,list_lock,',
  '6000,0,hardirq,kfree_nolock,p0,,,,,,,2,fastpath,',
  '7000,0,task,cache_destroy,,,,,,so-96,,,,',
  '',
].join('\n');

describe('import', () => {
  test('keeps every column of slab operations, byte by byte, through CSV and both forms of Arrow', async () => {
    let from = join(directory, 'slab.csv');
    await writeFile(from, SLAB_TRACE);
    const steps: readonly [string, OutputFormat][] = [
      ['a.arrow', 'arrow-file'],
      ['b.arrows', 'arrow-stream'],
      ['c.csv', 'csv'],
      ['d.csv', 'csv'],
    ];
    for (const [name, format] of steps) {
      const output = join(directory, name);
      const request = { inputs: [from], output, format, open: {}, anonymise: false, formula_safe: true };
      const { events } = await importTrace(request);
      expect(events).toBe(SLAB_TRACE.split('\n').length - 2);
      from = output;
    }
    expect(await readFile(join(directory, 'c.csv'), 'utf8')).toBe(SLAB_TRACE);
    expect(await readFile(from, 'utf8')).toBe(SLAB_TRACE);
  });

  test('leaves nested rows where they stand, and a replay gets them beside what they interrupt', async () => {
    const path = join(directory, 'apart.csv');
    const rows = ['0 task 0', '1 task 0', '0 nmi 1', '1 softirq 1', '0 nmi 1'];
    await writeFile(path, csvOf(rows));
    const names = async (ungrouped: boolean) => {
      const { source } = await openTraceSet({ inputs: [path], ungrouped });
      return (await eventsOf(source)).map(({ arg }) => arg);
    };
    expect(await names(true)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
    expect(await names(false)).toEqual(['m0', 'm2', 'm4', 'm1', 'm3']);
  });
});

test('rows that interrupt nothing any more are counted in a note, the rows of other traces among them', async () => {
  const [one, two] = [join(directory, 'one.csv'), join(directory, 'two.csv')];
  const header = `ts,${HEADER}`;
  await writeFile(one, `${header}1000,0,task,mark,,,a\n3000,0,softirq,mark,1,zone,b\n`);
  await writeFile(two, `${header}2000,0,nmi,mark,,,c\n4000,0,nmi,mark,1,any,d\n`);
  const set = await openTraceSet({ inputs: [one, two] });
  const seen = (await eventsOf(set.source)).map(({ arg, depth, at }) => `${arg} ${depth} ${at}`);
  // b would interrupt c, which is an NMI; d then interrupts b.
  expect(seen).toEqual(['a 0 0', 'c 0 0', 'b 0 0', 'd 1 0']);
  expect(set.report().nested_alone).toBe(1);
  expect(inputsRead(set.report()).notes).toMatchObject([{ name: 'nested_alone', count: 1 }]);
});

describe('a selection', () => {
  async function kept(selection: EventSelection) {
    const rows = ['0 task 0', '0 softirq 1', '0 hardirq 2', '0 nmi 3', '1 nmi 0', '0 hardirq 1', '0 task 0'];
    const text = `ts,${csvOf(rows)
      .split('\n')
      .slice(1, -1)
      .reduce(
        (lines, line, i) => `${lines}${i},${line.replace('mark', i % 2 === 0 ? 'mark' : 'tick')}\n`,
        HEADER,
      )}`;
    const source = new EventFilter(new CsvReader(await inputOf(text)), selection);
    return (await eventsOf(source)).map(({ arg, depth, at }) => `${arg} ${depth} ${at}`);
  }

  test('leaves no row nested in a row that is gone', async () => {
    expect(await kept({})).toEqual(['m0 0 0', 'm1 1 2', 'm2 2 2', 'm3 3 2', 'm4 0 0', 'm5 1 2', 'm6 0 0']);
    // m2 and m5 interrupt m0 now, at no point that would be known.
    expect(await kept({ ops: new Set([Op.mark]) })).toEqual(['m0 0 0', 'm2 1 0', 'm4 0 0', 'm6 0 0']);
    expect(await kept({ ops: new Set([Op.tick]) })).toEqual(['m1 0 0', 'm3 1 0', 'm5 0 0']);
    expect(await kept({ from_ns: 2 })).toEqual(['m2 0 0', 'm3 1 2', 'm4 0 0', 'm5 0 0', 'm6 0 0']);
  });
});

test('the example of the documentation is read and grouped as it is explained', async () => {
  const docs = await readFile(new URL('../../docs/formats-csv.md', import.meta.url), 'utf8');
  const path = join(directory, 'example.csv');
  await writeFile(path, /## Nested rows[\s\S]*?```csv\n([^`]+)```/.exec(docs)![1]!);
  const { source, report } = await openTraceSet({ inputs: [path] });
  expect((await eventsOf(source)).map(({ id, depth, ts }) => `${id} ${depth} ${ts}`)).toEqual([
    'a 0 1000',
    'c 1 1300',
    'c 1 1400',
    'b 0 1400',
    'a 0 1500',
    'd 1 1600',
    'e 2 1700',
  ]);
  expect(report().nested_alone).toBe(0);
  for (const point of LOCK_POINTS) expect(docs).toContain(`\`${point}\``);
});
