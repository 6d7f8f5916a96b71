/**
 * One trace through every format: what is written reads back the same, byte for byte where it is text, and replays to the
 * same result, also when it was made anonymous.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunResult } from '../../src/report/run-result.js';
import { outcomeOf, spbsimIn } from './spbsim.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-formats-'));
});

async function spbsim(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await spbsimIn(directory, ...args);
  expect({ code, args }, stderr).toEqual({ code: 0, args });
  return stdout;
}

/** What a replay makes of a trace, without what tells the inputs apart. */
async function replayed(input: string, ...options: string[]) {
  const result = JSON.parse(
    await spbsim('run', input, '--json', '--memory', '512MiB', ...options),
  ) as RunResult;
  const { performance, inputs, machine, notes, ...rest } = result;
  return { ...rest, notes: notes.map(({ name, count }) => [name, count]) };
}

const bytes = (name: string) => readFile(join(directory, name));

/** What a count of all events decides: the span, the notes, and the metrics that repeat both. */
/** Call sites have other names then, and with them another order where they are alike. */
function withoutSites(result: object): object {
  const { slab } = result as { slab?: { sites: { rows: { site: string }[] } } | null };
  if (slab === null || slab === undefined) return result;
  const rows = slab.sites.rows.map(({ site: _, ...counts }) => JSON.stringify(counts)).sort();
  return { ...result, slab: { ...slab, sites: { ...slab.sites, rows } } };
}

function withoutEventCounts(result: Pick<RunResult, 'metrics'>): object {
  const metrics = Object.entries(result.metrics).filter(([name]) => !/^(events|notes\..*)$/.test(name));
  return { ...result, span: null, notes: null, metrics: Object.fromEntries(metrics) };
}

describe.each([
  ['tracefs text of 7.2', 'test/trace/data/tracefs-7.2-nmi.txt', '7.2'],
  ['tracefs text of 6.1', 'test/trace/data/tracefs-6.1-mem.txt', '6.1'],
  ['a trace-cmd report', 'test/trace/data/trace-cmd-6.1.txt', '6.1'],
  ['perf script', 'test/trace/data/perf-6.18.txt', '6.18'],
  ['latency format', 'test/trace/data/latency-6.18.txt', '6.18'],
  ['a recording', 'test/trace/data/recording', '6.18'],
  ['CSV', 'workloads/csv/fragmentation.csv', '6.18'],
])('%s', (_, path, kernel) => {
  const input = join(repository, path);

  test('CSV -> Arrow -> CSV is byte-equal, as file, stream, packed and through a pipe', async () => {
    await spbsim('import', input, '-o', 'a.csv', '--kernel', kernel);
    for (const form of ['b.arrow', 'b.arrows', 'b.arrow.zst', 'b.csv.gz', 'b.csv.zst']) {
      await spbsim('import', 'a.csv', '-o', form, '--kernel', kernel);
      await spbsim('import', form, '-o', 'c.csv', '--kernel', kernel);
      expect((await bytes('c.csv')).equals(await bytes('a.csv')), form).toBe(true);
    }
    const { stdout } = await run(
      'sh',
      [
        '-c',
        `"$0" "$1" import a.csv -o - --format arrows --kernel ${kernel} | "$0" "$1" import - -o - --kernel ${kernel}`,
        process.execPath,
        join(repository, 'bin/spbsim.js'),
      ],
      { cwd: directory, maxBuffer: 1 << 28 },
    );
    expect(Buffer.from(stdout).equals(await bytes('a.csv'))).toBe(true);
  });

  test('replays to the same result from CSV, from Arrow, and without names', async () => {
    await spbsim('import', input, '-o', 'r.csv', '--kernel', kernel);
    await spbsim('import', 'r.csv', '-o', 'r.arrow', '--kernel', kernel);
    await spbsim('import', 'r.csv', '-o', 'anonymous.csv', '--anonymise', '--kernel', kernel);
    await spbsim('import', input, '-o', 'anonymous.arrow', '--anonymise', '--kernel', kernel);
    const plain = await replayed('r.csv', '--kernel', kernel);
    expect(await replayed('r.arrow', '--kernel', kernel)).toEqual(plain);
    expect(withoutSites(await replayed('anonymous.csv', '--kernel', kernel))).toEqual(withoutSites(plain));
    const anonymous = await replayed('anonymous.arrow', '--kernel', kernel);
    // Arrow keeps what the kernel did by itself, which CSV has no place for.
    expect(withoutSites(withoutEventCounts(anonymous))).toEqual(withoutSites(withoutEventCounts(plain)));
  });
});

test('a CSV keeps its own columns, in its own order', async () => {
  const text =
    'op,id,ts,gfp,order\nalloc,a17,5,GFP_ATOMIC|__GFP_COMP,3\nfree,a17,9,,3\nalloc,"=1+1",10,GFP_KERNEL,0\n';
  await writeFile(join(directory, 'own.csv'), text.replace('"=1+1"', "'=1+1"));
  await spbsim('import', 'own.csv', '-o', 'own.arrow');
  await spbsim('import', 'own.arrow', '-o', 'own-back.csv');
  expect((await bytes('own-back.csv')).toString()).toBe((await bytes('own.csv')).toString());
});

describe('a large trace', () => {
  const trace = join(repository, 'workloads/fs-churn/trace.gz');

  test('decoded in a thread of its own gives what it gives through a pipe', async () => {
    await copyFile(trace, join(directory, 'large.gz'));
    const threaded = await replayed('large.gz');
    const { spawn } = await import('node:child_process');
    const child = spawn(
      process.execPath,
      [join(repository, 'bin/spbsim.js'), 'run', '-', '--json', '--memory', '512MiB'],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    child.stdin.end(gunzipSync(await readFile(trace)));
    const piped = JSON.parse((await outcomeOf(child)).stdout) as RunResult;
    expect({ zones: piped.zones, vmstat: piped.vmstat, span: piped.span }).toEqual({
      zones: threaded.zones,
      vmstat: threaded.vmstat,
      span: threaded.span,
    });
  });

  test('whose reading fails in that thread fails as anywhere else', async () => {
    const rows = Array.from({ length: 150_000 }, (_, i) => `alloc,a${i}`);
    await writeFile(join(directory, 'bad.csv'), `op,id\n${rows.join('\n')}\nfre,a1\n`);
    const { code, stdout, stderr } = await spbsimIn(directory, 'run', 'bad.csv');
    expect({ code, stdout, stderr }).toEqual({
      code: 3,
      stdout: '',
      stderr: 'bad.csv:150002:1  op "fre" is not an op; did you mean free?\n',
    });
  });
});

test('merging the parts of a trace gives the trace', async () => {
  const input = join(repository, 'test/trace/data/tracefs-7.2-nmi.txt');
  await spbsim('import', input, '-o', 'whole.csv', '--kernel', '7.2');
  const [head = '', ...rows] = (await bytes('whole.csv')).toString().trimEnd().split('\n');
  // Rows of one time keep the order of their inputs, so they stay together.
  const time = (row: string) => row.slice(0, row.indexOf(','));
  const times = [...new Set(rows.map(time))];
  for (const part of [0, 1, 2]) {
    const own = rows.filter((row) => times.indexOf(time(row)) % 3 === part);
    await writeFile(join(directory, `part${part}.csv`), `${[head, ...own].join('\n')}\n`);
  }
  await spbsim('import', 'part1.csv', 'part0.csv', 'part2.csv', '-o', 'merged.csv', '--kernel', '7.2');
  expect((await bytes('merged.csv')).toString()).toBe((await bytes('whole.csv')).toString());
});

test('info says the same of a trace in every format', async () => {
  const input = join(repository, 'test/trace/data/tracefs-7.2-nmi.txt');
  await spbsim('import', input, '-o', 'info.arrow', '--kernel', '7.2');
  const [text, arrow] = await Promise.all(
    [input, 'info.arrow'].map(async (path) => {
      const { inputs, ...rest } = JSON.parse(await spbsim('info', path, '--json', '--kernel', '7.2'));
      return rest;
    }),
  );
  expect(arrow).toEqual(text);
});
