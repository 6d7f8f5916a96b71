/**
 * `spbsim diff` as a user calls it. What it says of two sides is held against what `run` and `explain` say of each alone.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import type { DiffResult } from '../../src/report/diff-result.js';
import { diffSchema } from '../../src/report/diff-schema.js';
import type { RunResult } from '../../src/report/run-result.js';
import { markdownShape } from '../report/check/readers.js';
import { type Outcome, outcomeOf, spbsim, spbsimIn } from './spbsim.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const LAUNCHER = join(repository, 'bin/spbsim.js');
const SLAB_RAMP = join(repository, 'workloads/gen/slab-ramp.csv.gz');
const BUNDLED = ['mainline-6.18', 'spb-v2', SLAB_RAMP, '--memory', '2GiB', '--cpus', '4'];
/** Small, and already different under the two. */
const WORKLOAD = 'gen:slab-ramp:memory=256MiB,cpus=2,duration=1s,events=2000';
const SMALL = ['--memory', '64MiB', '--cpus', '2'];

const ROWS = ['0,alloc,a,0', '1,alloc,b,3', '1,alloc,c,9', '0,free,b,'];
const FILES: Record<string, string | Uint8Array> = {
  'small.csv': `cpu,op,id,order\n${ROWS.join('\n')}\n`,
  'other.csv': 'op,id\nalloc,a\n',
  'wrong.csv': 'op,id\nalloc,a\nfre,a\n',
  'cut.csv.gz': gzipSync(
    `op,id\n${Array.from({ length: 5000 }, (_, i) => `alloc,a${i}`).join('\n')}\n`,
  ).subarray(0, 900),
  'small.yaml': 'memory: 64MiB\n',
  'large.yaml': 'memory: 128MiB\ncpus: 2\n',
  'policy.yaml': 'extends: mainline-6.18\nname: mine\nknobs:\n  pcp.batch_scale_max: 1\n',
  'knob.yaml': 'extends: mainline-6.18\nknobs:\n  pcp.bacth_scale_max: 1\n',
  'version.json': '{"schema": "spbsim.result/2"}\n',
  'keys.json': '{"schema": "spbsim.result/1", "x": 1}\n',
  'half.json': '{"schema": "spbsim.result/1", \n',
};

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-diff-'));
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(directory, name), content);
  const saved: [name: string, args: string[]][] = [
    ['mainline.json', ['small.csv', ...SMALL]],
    ['spb.json', ['small.csv', ...SMALL, '--policy', 'spb-v2']],
    ['other.json', ['other.csv', ...SMALL]],
  ];
  for (const [name, args] of saved)
    await writeFile(join(directory, name), (await spbsimIn(directory, 'run', ...args, '--json')).stdout);
});

function diff(...args: string[]): Promise<Outcome> {
  return spbsimIn(directory, 'diff', ...args);
}

async function diffJson(...args: string[]): Promise<DiffResult> {
  const { code, stdout, stderr } = await diff(...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return diffSchema.parse(JSON.parse(stdout));
}

async function metricsOf(...args: string[]): Promise<RunResult['metrics']> {
  const { stdout } = await spbsimIn(directory, 'run', ...args, '--json');
  return (JSON.parse(stdout) as RunResult).metrics;
}

/** One side of a comparison as metrics of a single run. */
function medians({ cases }: DiffResult, side: 'a' | 'b'): Record<string, number> {
  return Object.fromEntries(
    cases[0]!.rows.flatMap((row) => (row[side] === null ? [] : [[row.metric, row[side].median]])),
  );
}

describe('two policies on a bundled trace', () => {
  test('which is better at what, the table, the maps, and where they part: in at most 100 columns', async () => {
    const { code, stdout, stderr } = await spbsim('diff', ...BUNDLED);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^mainline-6\.18 -> spb-v2 {3}slab-ramp\.csv\.gz {3}21,219 events over 7\.91 s\n/);
    expect(stdout).toMatch(/^spb-v2 is better at {2}Superpageblocks \(2\), Fragmentation \(\d+\)/m);
    expect(stdout).toMatch(/^spb-v2 is worse at {2}.*Requests \(\d+\), Stalls \(\d+\)/m);
    expect(stdout).toMatch(/^ {2}spb_tainted +3 +1 +-2 \(-67 %\) {2}better$/m);
    expect(stdout).toMatch(/^ {2}alloc_failed +0 +\d+ +\+\d+ {2}worse$/m);
    expect(stdout).toMatch(/^ {2}0x00000000 {2}tainted {2}\S{32} {2}clean {4}\S{32}$/m);
    expect(stdout).toMatch(/^first difference: event 1 .* alloc order 4 .*\npfn 0x\w+ \/ 0x\w+\n/m);
    expect(stdout).toMatch(/^mainline-6\.18\n {2}fast path /m);
    expect(stdout).toMatch(/^spb-v2\n {2}fast path /m);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
  });

  test('the document: each side as `run` has it, and the first difference as `explain` has it', async () => {
    const [, , ...rest] = BUNDLED;
    const result = await diffJson(...BUNDLED);
    expect(medians(result, 'a')).toEqual(await metricsOf(...rest));
    expect(medians(result, 'b')).toEqual(await metricsOf(...rest, '--policy', 'spb-v2'));
    const { first_difference, same_pages, seeds } = result.cases[0]!;
    expect({ same_pages, seeds }).toEqual({ same_pages: false, seeds: [1] });
    for (const [side, policy] of [
      ['a', 'mainline-6.18'],
      ['b', 'spb-v2'],
    ] as const) {
      const event = String(first_difference!.event.number);
      const { stdout } = await spbsim('explain', ...rest, '--event', event, '--policy', policy, '--json');
      expect(first_difference![side]).toEqual(JSON.parse(stdout));
    }
    expect(first_difference!.a_pfn).not.toBe(first_difference!.b_pfn);
  });

  test('--md is headings, tables and one sentence, and no HTML', async () => {
    const { code, stdout } = await diff('mainline-6.18', 'spb-v2', WORKLOAD, '--md');
    expect(code).toBe(0);
    const shape = markdownShape(stdout);
    expect(shape.filter((line) => /^(html|image|link)/.test(line))).toEqual([]);
    expect(shape.filter((line) => line.startsWith('heading_open'))).toHaveLength(1);
    expect(shape.filter((line) => line.startsWith('table_open')).length).toBeGreaterThan(2);
    expect(stdout).toMatch(/^First difference: event \d+ \(`alloc order \d+`, CPU \d\): pfn 0x/m);
    const all = await diff('mainline-6.18', 'spb-v2', WORKLOAD, '--md', '--all');
    expect(all.stdout).toContain('| = |');
    expect(stdout).not.toContain('| = |');
  });

  test('the same command gives the same document', async () => {
    const args = ['mainline-6.18', 'spb-v2', WORKLOAD];
    expect(await diffJson(...args)).toEqual(await diffJson(...args));
  });
});

describe('what is compared', () => {
  test('--seeds: the spread over runs of each seed', async () => {
    const policies = ['mainline-6.18', 'spb-v2'];
    const result = await diffJson(...policies, WORKLOAD, '--seeds', '3,1..2');
    expect(result.cases[0]!.seeds).toEqual([3, 1, 2]);
    for (const [at, policy] of policies.entries()) {
      const runs = [];
      for (const seed of ['1', '2', '3'])
        runs.push(await metricsOf(WORKLOAD, '--policy', policy, '--seed', seed));
      for (const row of result.cases[0]!.rows) {
        const values = runs
          .flatMap((run) => (Object.hasOwn(run, row.metric) ? [run[row.metric]!] : []))
          .sort((x, y) => x - y);
        const spread = at === 0 ? row.a : row.b;
        if (values.length === 0) expect(spread).toBeNull();
        else expect(spread).toMatchObject({ min: values[0], max: values.at(-1) });
        if (values.length === 3) expect(spread!.median, row.metric).toBe(values[1]);
      }
    }
  });

  test('--seeds: where the first seed parts is explained as if it were alone', async () => {
    const args = ['mainline-6.18', 'spb-v2', WORKLOAD, '--seeds'];
    const alone = await diffJson(...args, '2');
    const first = await diffJson(...args, '2,1,3');
    expect(first.cases[0]!.first_difference).toEqual(alone.cases[0]!.first_difference);
  });

  test('several traces: a case each, and the sum of what is counted', async () => {
    const { cases, counts, notes } = await diffJson(
      ...['mainline-6.18', 'spb-v2', 'small.csv', WORKLOAD, '--seeds', '1,2'],
    );
    expect(cases.map(({ trace, seeds }) => [trace, seeds])).toEqual([
      ['small.csv', [1]],
      [WORKLOAD, [1, 2]],
    ]);
    for (const [verdict, count] of Object.entries(counts))
      expect(count).toBe(cases.reduce((sum, each) => sum + each.counts[verdict as keyof typeof counts], 0));
    expect(notes).toEqual([
      'seeds decide only what is generated (gen:NAME): recorded traces were replayed once',
    ]);
  });

  test('a policy against itself: nothing, and that is said', async () => {
    const { code, stdout } = await diff('spb-v2', 'spb-v2', 'small.csv', ...SMALL);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^spb-v2 \(A\) -> spb-v2 \(B\) {3}small\.csv {3}4 events/);
    expect(stdout).toMatch(
      /\n\nno difference: all \d+ metrics are equal, and every event was about the same page\n$/,
    );
  });

  test('policy files, and one knob of one side', async () => {
    const file = await diffJson('mainline-6.18', 'policy.yaml', 'small.csv', ...SMALL);
    expect([file.a.label, file.b.label]).toEqual(['mainline-6.18', 'mine']);
    expect(file.knobs).toEqual([{ knob: 'pcp.batch_scale_max', a: '5', b: '1' }]);
    const set = await diffJson(
      ...['mainline-6.18', 'mainline-6.18', 'small.csv', ...SMALL],
      ...['--set', 'reclaim.swap=false', '--set-b', 'pcp.batch_scale_max=1'],
    );
    expect([set.a.label, set.b.label]).toEqual(['mainline-6.18', 'mainline-6.18+pcp.batch_scale_max=1']);
    expect(set.knobs).toEqual(file.knobs);
    expect(set.a.overrides).toEqual(['reclaim.swap=false']);
    expect(set.b.overrides).toEqual(['reclaim.swap=false', 'pcp.batch_scale_max=1']);
  });

  test('machine files, under one policy', async () => {
    const result = await diffJson('small.yaml', 'large.yaml', 'small.csv', '--policy', 'spb-v2');
    expect(result).toMatchObject({
      kind: 'machines',
      a: { label: 'small.yaml', machine: 'small.yaml', policy: 'spb-v2' },
      b: { label: 'large.yaml', machine: 'large.yaml', policy: 'spb-v2' },
      knobs: [],
    });
    expect(medians(result, 'a')).toEqual(
      await metricsOf('small.csv', '--policy', 'spb-v2', '--machine', 'small.yaml'),
    );
    expect(medians(result, 'b')).toEqual(
      await metricsOf('small.csv', '--policy', 'spb-v2', '--machine', 'large.yaml'),
    );
  });

  test('saved results: the rows of a replay, and what makes them doubtful', async () => {
    const saved = await diffJson('mainline.json', 'spb.json');
    const replayed = await diffJson('mainline-6.18', 'spb-v2', 'small.csv', ...SMALL);
    expect(saved.cases[0]!.rows).toEqual(replayed.cases[0]!.rows);
    expect(saved.cases[0]!.map).toEqual(replayed.cases[0]!.map);
    expect(saved.knobs).toEqual(replayed.knobs);
    expect(saved.notes).toEqual([]);
    expect(saved.cases[0]).toMatchObject({ same_pages: null, first_difference: null });
    const others = await diff('mainline.json', 'other.json');
    expect(others.code).toBe(0);
    expect(others.stdout).toContain('mainline.json -> other.json');
    expect(others.stdout).toContain('\nnote: the two results are of different traces\n');
  });

  test.each([
    ['early: explained from what was read', 0],
    ['late: it cannot be read again for an explanation', 70_000],
  ])('standard input, where they part %s', async (_, marks) => {
    const child = spawn(
      process.execPath,
      [LAUNCHER, 'diff', 'mainline-6.18', 'spb-v2', '-', '--memory', '2GiB', '--json'],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    const rows = Array.from({ length: 200 }, (_, i) => `alloc,a${i},${i % 5},GFP_HIGHUSER_MOVABLE`);
    child.stdin.end(`op,id,order,gfp\n${'mark,,,\n'.repeat(marks)}${rows.join('\n')}\n`);
    const { code, stdout, stderr } = await outcomeOf(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { trace, events, first_difference } = diffSchema.parse(JSON.parse(stdout)).cases[0]!;
    expect({ trace, events }).toEqual({ trace: '-', events: marks + 200 });
    expect(first_difference!.event.number).toBeGreaterThanOrEqual(marks);
    expect(first_difference!.a_pfn).not.toBe(first_difference!.b_pfn);
    const explained = [first_difference!.a, first_difference!.b].map((side) => side?.event.number);
    const number = marks === 0 ? first_difference!.event.number : undefined;
    expect(explained).toEqual([number, number]);
  });

  test('--from and --to: a part of the trace, as `run` counts it', async () => {
    const part = ['--from', '1us', '--to', '2us'];
    const result = await diffJson('mainline-6.18', 'spb-v2', 'small.csv', ...SMALL, ...part);
    expect(result.cases[0]!.events).toBe(1);
    expect(medians(result, 'a')).toEqual(await metricsOf('small.csv', ...SMALL, ...part));
  });

  test('--check passes', async () => {
    expect((await diff('mainline-6.18', 'spb-v2', WORKLOAD, '--check')).code).toBe(0);
  });

  test('a trace that ends too early: what was read is compared, and exit code 3 says that it was not all', async () => {
    const { code, stdout, stderr } = await diff('mainline-6.18', 'spb-v2', 'cut.csv.gz');
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
    expect(stdout).toContain('note: cut.csv.gz  ends in the middle of its gzip data');
  });
});

describe('how much is shown', () => {
  test('--all has every metric; without it what is equal is folded and counted', async () => {
    const [all, folded] = await Promise.all([
      diff('mainline-6.18', 'spb-v2', WORKLOAD, '--all'),
      diff('mainline-6.18', 'spb-v2', WORKLOAD),
    ]);
    const { cases } = await diffJson('mainline-6.18', 'spb-v2', WORKLOAD);
    const { rows, counts } = cases[0]!;
    const rowsOf = (text: string) =>
      rows.filter(({ metric }) => new RegExp(`^  ${metric.replaceAll('.', '\\.')} `, 'm').test(text));
    expect(rowsOf(all.stdout)).toHaveLength(rows.length);
    expect(rowsOf(folded.stdout).filter(({ verdict }) => verdict === 'equal')).toEqual([]);
    expect(folded.stdout).toContain(`${counts.equal} equal`);
  });

  test('--explain tells all, --no-explain nothing of what each did', async () => {
    const none = await diff('mainline-6.18', 'spb-v2', WORKLOAD, '--no-explain');
    expect(none.stdout).toContain('first difference: event');
    expect(none.stdout).not.toContain('fast path');
    const whole = await diff('mainline-6.18', 'spb-v2', WORKLOAD, '--explain');
    expect(whole.stdout).not.toContain('more (--explain)');
    expect(whole.stdout.length).toBeGreaterThanOrEqual(none.stdout.length);
  });

  test('--map has ranges that are alike', async () => {
    const alike = ['spb-v2', 'spb-v2', WORKLOAD, '--set-b', 'pcp.batch_scale_max=1'];
    const { cases } = await diffJson(...alike);
    const { stdout } = await diff(...alike, '--map');
    expect(stdout.match(/^ {2}0x\w{8} {2}/gm)).toHaveLength(cases[0]!.map.length);
  });
});

describe('mistakes: one line on stderr, nothing on stdout, no file left behind', () => {
  test.each<[command: string, code: number, line: string]>([
    ['mainline-6.18', 2, "missing required argument 'b'"],
    ['mainline-6.18 spb-v2', 2, 'diff mainline-6.18 spb-v2: name a trace on which they are compared'],
    ['mainline-6.18 spb-v3 small.csv', 2, 'unknown policy "spb-v3"; did you mean spb-v2?'],
    ['mainline-6.18 none.yaml small.csv', 2, 'no such policy file: none.yaml'],
    [
      'mainline-6.18 knob.yaml small.csv',
      3,
      'knob.yaml:3:3  unknown knob "pcp.bacth_scale_max"; did you mean',
    ],
    ['small.csv spb-v2 small.csv', 3, 'small.csv  is not a policy: expected a mapping'],
    ['. spb-v2 small.csv', 2, 'unknown policy "."'],
    // two of a kind
    [
      'spb-v2 small.yaml small.csv',
      2,
      'spb-v2 is a policy and small.yaml a machine: compare two of the same kind',
    ],
    ['spb.json small.yaml small.csv', 2, 'spb.json is a result and small.yaml a machine: compare two'],
    ['spb.json spb-v2 small.csv', 2, 'spb.json is a result and spb-v2 a policy: compare two'],
    ['spb.json none.json', 2, 'no such policy file: none.json'],
    [
      'spb.json mainline.json small.csv',
      2,
      'spb.json and mainline.json are saved results: leave the traces out',
    ],
    [
      'spb.json mainline.json --memory 1GiB',
      2,
      'saved results are compared as they are: leave policy and machine',
    ],
    ['spb.json mainline.json --set-a pcp.kind=buddy', 2, 'saved results are compared as they are'],
    [
      'spb.json version.json',
      3,
      'version.json  is a result document of version 2, and this spbsim knows version 1',
    ],
    ['spb.json keys.json', 3, 'keys.json  is no result document: tool: '],
    ['spb.json half.json', 3, 'half.json  is no JSON: '],
    // options that say twice what A and B say
    ['mainline-6.18 spb-v2 small.csv --policy spb-v2', 2, '--policy spb-v2: A and B are the policies here'],
    ['small.yaml large.yaml small.csv --memory 1GiB', 2, '--memory: A and B are the machines here'],
    ['small.yaml large.yaml small.csv --machine small.yaml', 2, '--machine: A and B are the machines here'],
    ['small.yaml large.yaml small.csv --cpus 2', 2, '--cpus: A and B are the machines here'],
    ['mainline-6.18 spb-v2 small.csv --json --md', 2, '--json and --md: choose one'],
    ['mainline-6.18 spb-v2 small.csv --cpus 2', 2, '--nodes and --cpus describe a machine of a given size'],
    ['mainline-6.18 spb-v2 small.csv --set-b nope=1', 2, '--set-b nope=1: unknown knob "nope"'],
    ['mainline-6.18 spb-v2 small.csv --from 2s --to 1s', 2, '--from 2s --to 1s: nothing lies between'],
    // traces
    ['mainline-6.18 spb-v2 none.csv', 3, 'none.csv  does not exist; check the path'],
    ['mainline-6.18 spb-v2 small.csv none.csv', 3, 'none.csv  does not exist; check the path'],
    ['mainline-6.18 spb-v2 wrong.csv', 3, 'wrong.csv:3:1  op "fre" is not an op; did you mean free?'],
    ['mainline-6.18 spb-v2 cut.csv.gz --strict', 3, 'cut.csv.gz  ends in the middle of its gzip data'],
    ['mainline-6.18 spb-v2 - -', 2, '- stands twice among the inputs'],
    ['mainline-6.18 spb-v2 small.csv --memory 4GB', 2, '--memory 4GB: expected a size with its unit'],
    // generated workloads and seeds
    ['mainline-6.18 spb-v2 gen:', 2, 'there is no workload'],
    ['mainline-6.18 spb-v2 gen:slab-rap', 2, 'there is no workload slab-rap'],
    ['mainline-6.18 spb-v2 gen:slab-ramp:nope=1', 2, 'slab-ramp has no option nope'],
    ['mainline-6.18 spb-v2 gen:slab-ramp:memory', 2, 'gen:slab-ramp:memory: "memory": expected option=value'],
    [
      'mainline-6.18 spb-v2 gen:slab-ramp:memory=4GB',
      2,
      'gen:slab-ramp:memory=4GB: memory=4GB: expected a value',
    ],
    [
      'mainline-6.18 spb-v2 gen:slab-ramp:duration=5',
      2,
      'gen:slab-ramp:duration=5: duration=5: expected a value',
    ],
    ['mainline-6.18 spb-v2 gen:slab-ramp:cpus=-1', 2, 'gen:slab-ramp:cpus=-1: cpus=-1: expected a value'],
    ['mainline-6.18 spb-v2 gen:slab-ramp:events=9,__proto__=1', 2, 'slab-ramp has no option __proto__'],
    [`mainline-6.18 spb-v2 ${WORKLOAD} --seeds 5..1`, 2, '--seeds 5..1: expected seeds, such as 1..5 or 1,7'],
    [`mainline-6.18 spb-v2 ${WORKLOAD} --seeds x`, 2, '--seeds x: expected seeds'],
    [`mainline-6.18 spb-v2 ${WORKLOAD} --seeds 1..1001`, 2, '--seeds 1..1001: more than 1000 seeds'],
  ])('diff %s', async (command, code, line) => {
    const before = await readdir(directory);
    const result = await diff(...command.split(' '));
    expect(result.stderr.startsWith(line), result.stderr).toBe(true);
    expect(result.stderr.trimEnd()).not.toContain('\n');
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(await readdir(directory)).toEqual(before);
  });
});

test('the published schema is what `schema diff` prints', async () => {
  const { code, stdout } = await spbsim('schema', 'diff');
  expect(code).toBe(0);
  expect(JSON.parse(stdout).title ?? JSON.parse(stdout).$id).toContain('spbsim.diff/1');
  expect(await readFile(join(directory, 'small.csv'), 'utf8')).toBe(FILES['small.csv']);
});
