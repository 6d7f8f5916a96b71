import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { detectFormat, openTrace } from '../../src/trace/source.js';
import { dataPath, errorOf, eventsOf } from './helpers.js';

test.each([
  ['ts,cpu,op\n', 'csv'],
  ['\ufeffop,id\r\nalloc,a\r\n', 'csv'],
  ['# a comment\n\n"op","id"\n', 'csv'],
  ['op\ntick\n', 'csv'],
  ['# tracer: nop\n#\n', 'tracefs'],
  ['CPU:1 [LOST 3 EVENTS]\n', 'tracefs'],
  ['          stress-4211    [002] d..2.   812.104233: kfree: x\n', 'tracefs'],
  ['          stress-4211    [002]    812.104233: kfree: x\n', 'tracefs'],
  ['cpus=4\n          stress-4211  [002]   812.104236: mm_page_alloc:        page=0\n', 'tracefs'],
  ['{"t":"run","mix":"x"}\n', 'oracle'],
  ['{"t":"state","when":"before"}\n', 'oracle'],
  ['          stress  4211 [002]   812.104236:             kmem:mm_page_alloc: page=0\n', 'perf'],
  ['\u0017\u0008\u0044tracing6\0', 'trace.dat'],
  ['Dear reader, this is a letter.\n', undefined],
  ['', undefined],
])('%j is %s', (text, format) => {
  expect(detectFormat(Buffer.from(text))).toBe(format);
});

async function withFile<T>(content: string | Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'spbsim-'));
  try {
    const path = join(directory, 'input');
    await writeFile(path, content);
    return await use(path);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('a recording is opened with the words of its kernel', async () => {
  const opened = await openTrace(dataPath('recording'));
  expect(opened).toMatchObject({ format: 'tracefs', kernel: '6.18', recording: { name: 'recording' } });
  expect((await eventsOf(opened.source)).length).toBeGreaterThan(100);
  const report = opened.report();
  expect(report.format === 'tracefs' && report.tracefs.events).toBe(200);
});

test('packed files of every form', async () => {
  await withFile(gzipSync('op,id\nalloc,a\n'), async (path) => {
    const opened = await openTrace(path);
    expect(await eventsOf(opened.source)).toMatchObject([{ op: 'alloc', id: 'a' }]);
    expect(opened.report()).toMatchObject({ format: 'csv', csv: { emitted: 1 } });
  });
  const trace = await openTrace(dataPath('tracefs-6.18-blocks.txt.xz'));
  expect((await eventsOf(trace.source)).length).toBeGreaterThan(300);
  const run = await openTrace(dataPath('oracle-6.1.jsonl.xz'));
  expect(await eventsOf(run.source)).toHaveLength(1947 + 1916);
  expect(run.report()).toMatchObject({ format: 'oracle', oracle: { allocs: 1947 } });
});

test('errors of the reader come from the source', async () => {
  await withFile('op,id\naloc,a\n', async (path) => {
    const { source } = await openTrace(path);
    expect((await errorOf(eventsOf(source))).message).toBe(
      `${path}:2:1  op "aloc" is not an op; did you mean alloc?`,
    );
  });
});

test.each([
  [
    'Dear reader,\n',
    'is no trace; give a trace CSV, the text of the tracefs file `trace`, or a recording directory',
  ],
  ['', 'is empty; check how it was made'],
  [
    '          stress  4211 [002]   812.104236: kmem:kfree: x\n',
    'is text of perf script, which is not yet supported; record with tracefs, it also knows the context of every event',
  ],
  [
    '\u0017\u0008\u0044tracing6\0',
    'is a trace-cmd file, which is not yet supported; give the output of `trace-cmd report` for it',
  ],
])('%j', async (text, expected) => {
  await withFile(text, async (path) => {
    expect((await errorOf(openTrace(path))).message).toBe(`${path}  ${expected}`);
  });
});

test('an archive that is cut in its header says that, not that it is empty', async () => {
  await withFile(gzipSync('op,id\n').subarray(0, 10), async (path) => {
    expect((await errorOf(openTrace(path))).message).toContain('ends in the middle of its gzip data');
  });
});
