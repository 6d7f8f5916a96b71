import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openTrace } from '../../src/trace/source.js';
import { dataPath, errorOf, eventsOf } from './helpers.js';

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
  expect(opened).toMatchObject({
    format: 'tracefs',
    kernel: { generation: '6.18', how: 'recorded' },
    recording: { name: 'recording' },
  });
  expect((await eventsOf(opened.source)).length).toBeGreaterThan(100);
  const report = opened.report();
  expect(report.format === 'text' && report.text.events).toBe(200);
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
    'is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  ],
  ['', 'is empty; check how it was made'],
  ['PERFILE2\0\0\0\0', 'is binary data of perf record; give the text that `perf script` makes of it'],
  [
    '\u0017\u0008\u0044tracing6\0',
    'is binary data of trace-cmd; give the text that `trace-cmd report` makes of it',
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
