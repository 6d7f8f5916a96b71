/** The inputs of a command as one stream: joined, filtered, forgiven where they are cut. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { openTraceSet, type TraceSetRequest } from '../../src/trace/trace-set.js';
import { dataPath, errorOf, eventsOf } from './helpers.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-set-'));
});

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

async function read(request: TraceSetRequest) {
  const set = await openTraceSet(request);
  const events = await eventsOf(set.source);
  return { events, report: set.report() };
}

const line = (cpu: number, us: number, event: string) =>
  `            task-${7 + cpu}       [00${cpu}] .....     1.${String(us).padStart(6, '0')}: ${event}\n`;
const alloc = (pfn: number) =>
  `mm_page_alloc: page=0 pfn=0x${pfn.toString(16)} order=0 migratetype=0 gfp_flags=GFP_KERNEL`;
const free = (pfn: number) => `mm_page_free: page=0 pfn=0x${pfn.toString(16)} order=0`;

describe('several inputs', () => {
  test('per-CPU texts are merged by time, also with one of another format', async () => {
    const cpu0 = await file('cpu0.txt', line(0, 10, alloc(1)) + line(0, 40, free(2)));
    const cpu1 = await file('cpu1.txt.gz', gzipSync(line(1, 20, alloc(2)) + line(1, 30, free(1))));
    const marks = await file('marks.csv', 'ts,op,arg\n1000025000,mark,half\n');
    const { events, report } = await read({ inputs: [cpu0, cpu1, marks] });
    expect(events.map(({ op, cpu, pfn }) => [op, cpu, pfn])).toEqual([
      ['alloc', 0, 1],
      ['alloc', 1, 2],
      ['mark', 0, undefined],
      ['free', 1, 1],
      ['free', 0, 2],
    ]);
    expect(report.inputs.map(({ format, cut }) => [format, cut])).toEqual([
      ['tracefs', undefined],
      ['tracefs', undefined],
      ['csv', undefined],
    ]);
  });

  test('share their ids: what one allocates another frees', async () => {
    const a = await file('a.csv', 'ts,op,id\n1,alloc,x\n4,alloc,y\n');
    const b = await file('b.csv', 'ts,op,id\n2,free,x\n5,free,y\n');
    const { events, report } = await read({ inputs: [a, b] });
    expect(events.map(({ op, id }) => `${op} ${id}`)).toEqual(['alloc x', 'free x', 'alloc y', 'free y']);
    expect(report.distinct_ids).toBe(2);
  });

  test('appended ones keep their order', async () => {
    const a = await file('first.csv', 'ts,op,arg\n5,mark,a\n');
    const b = await file('second.csv', 'ts,op,arg\n1,mark,b\n');
    const { events, report } = await read({ inputs: [a, b], join: 'append' });
    expect(events.map(({ ts, arg }) => [ts, arg])).toEqual([
      [5, 'a'],
      [1005, 'b'],
    ]);
    expect(report.moved).toBe(1);
  });
});

describe('an input that ends too early', () => {
  const text = Array.from({ length: 2000 }, (_, i) => line(0, i, alloc(i + 1))).join('');

  test('gives what was read, and says so', async () => {
    const cut = await file('cut.txt.gz', gzipSync(text).subarray(0, 4000));
    const whole = await file('whole.txt', line(1, 999_999, free(1)));
    const { events, report } = await read({ inputs: [cut, whole] });
    expect(events.length).toBeGreaterThan(200);
    expect(events.at(-1)).toMatchObject({ op: 'free', cpu: 1 });
    expect(report.inputs.map((input) => input.cut)).toEqual([
      `${cut}  ends in the middle of its gzip data; copy or record it again`,
      undefined,
    ]);
  });

  test('is refused where everything must be there', async () => {
    const cut = await file('strict.txt.gz', gzipSync(text).subarray(0, 4000));
    const set = await openTraceSet({ inputs: [cut], open: { strict: true } });
    expect((await errorOf(eventsOf(set.source))).message).toContain('ends in the middle of its gzip data');
  });
});

test('a selection and pseudonyms come after the join', async () => {
  const a = await file('sa.csv', 'ts,op,id,cpu,memcg\n1,alloc,x,0,/alice\n3,free,x,1,/alice\n');
  const b = await file('sb.csv', 'ts,op,id,cpu,memcg\n2,alloc,y,1,/bob/alice\n');
  const { events, report } = await read({
    inputs: [a, b],
    selection: { cpus: new Set([1]) },
    anonymise: true,
  });
  expect(events.map(({ ts, id, memcg }) => [ts, id, memcg])).toEqual([
    [2, 'o1', '/g1/g2'],
    [3, 'o2', '/g2'],
  ]);
  expect(report.filtered).toBe(1);
});

test('the kernel of a text is guessed from its words, a recording says it, an option beats both', async () => {
  const old = dataPath('tracefs-6.1-mem.txt');
  expect((await openTraceSet({ inputs: [old] })).kernel).toMatchObject({ generation: '6.1', how: 'guessed' });
  expect((await openTraceSet({ inputs: [dataPath('recording')] })).kernel).toMatchObject({ how: 'recorded' });
  expect((await openTraceSet({ inputs: [old], open: { kernel: '7.2' } })).kernel).toMatchObject({
    generation: '7.2',
    how: 'given',
  });
});
