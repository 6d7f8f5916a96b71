/** `spbsim check` as a user and a CI job call it: exit codes, messages, reports in files, and the baseline. */
import { cp, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { CheckResult } from '../../src/report/check-result.js';
import { checkSchema } from '../../src/report/check-schema.js';
import type { RunResult } from '../../src/report/run-result.js';
import {
  assertJunit,
  markdownShape,
  sarifErrors,
  workflowCommands,
  xmlShape,
} from '../report/check/readers.js';
import { type Outcome, spbsim, spbsimIn } from './spbsim.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const GATE = join(repository, 'workloads/ci/budget.yaml');
const SMALL = ['--memory', '64MiB', '--cpus', '2'];
const GENERATED = 'gen:slab-ramp:memory=256MiB,cpus=2,duration=1s,events=2000';

const FILES: Record<string, string> = {
  'small.csv': 'cpu,op,id,order\n0,alloc,a,0\n1,alloc,b,3\n1,alloc,c,9\n0,free,b,\n',
  'wrong.csv': 'op,id\nalloc,a\nfre,a\n',
  'same.yaml': 'extends: mainline-6.18\nname: mine\nknobs:\n  pcp.batch_scale_max: 1\n',
  'machine.yaml': 'memory: 64MiB\ncpus: 2\n',
  'no-baseline.yaml':
    'traces: [small.csv]\nmemory: 64MiB\nbaseline: none.yaml\nbudgets: [nr_free_pages >= baseline]\n',
  'full.yaml': [
    'memory: 64MiB',
    'policies: [mainline-6.18, same.yaml]',
    'traces:',
    '  - small.csv',
    '  - {trace: sub/small.csv, name: other, machine: machine.yaml}',
    'budgets:',
    '  - alloc_failed == 0',
    '  - {budget: nr_free_pages <= 5, trace: oth*, policy: mine, why: to see it fail}',
    '',
  ].join('\n'),
};

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-check-'));
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(directory, name), content);
  await mkdir(join(directory, 'sub'));
  await cp(join(directory, 'small.csv'), join(directory, 'sub', 'small.csv'));
});

function check(...args: string[]): Promise<Outcome> {
  return spbsimIn(directory, 'check', ...args);
}

async function checkJson(code: number, ...args: string[]): Promise<CheckResult> {
  const outcome = await check(...args, '--json');
  expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({ code, stderr: '' });
  return checkSchema.parse(JSON.parse(outcome.stdout));
}

async function textOf(name: string): Promise<string> {
  return readFile(join(directory, name), 'utf8');
}

describe('the bundled gate', () => {
  test.each([[[]], [['--policy', 'mainline-6.18']], [['--policy', 'spb-v2']]])(
    'passes: %j',
    async (policy) => {
      const { code, stdout, stderr } = await spbsim('check', '--budget', GATE, ...policy);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^passed \d+ budgets {3}\d runs /);
    },
  );

  test('fails with one knob worsened: what, by how much, why, and valid reports of it', async () => {
    const worse = ['--policy', 'spb-v2', '--set', 'spb.pass3_nofrag_gate=true'];
    const names = ['junit', 'sarif', 'json', 'markdown', 'github'];
    const reporters = ['text', ...names.map((name) => `${name}=gate.${name}`)];
    const options = reporters.flatMap((reporter) => ['--reporter', reporter]);
    const { code, stdout, stderr } = await check('--budget', GATE, ...worse, ...options);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^FAILED \d+ of \d+ budgets {3}\d runs /);
    expect(stdout).toMatch(
      /^exceeded +spb_tainted <= 1 +value 2 +limit 1 +over by 1 \(100 %\)\n +on .*\n +at .*budget\.yaml:\d+\n +why: /m,
    );
    expect(stdout).toContain('--set spb.pass3_nofrag_gate=true');

    const document = checkSchema.parse(JSON.parse(await textOf('gate.json')));
    const failed = document.items.filter(({ status }) => status !== 'within');
    expect(failed.length).toBe(document.counts.failed);
    expect(failed.map(({ excess }) => excess)).toEqual(
      failed.map(({ excess }) => excess).toSorted((x, y) => y - x),
    );
    const junit = await textOf('gate.junit');
    assertJunit(junit);
    expect(xmlShape(junit).filter((name) => name === 'failure')).toHaveLength(failed.length);
    const sarif = JSON.parse(await textOf('gate.sarif'));
    expect(sarifErrors(sarif)).toEqual([]);
    expect(sarif.runs[0].results).toHaveLength(failed.length);
    expect(workflowCommands(await textOf('gate.github'))).toHaveLength(failed.length);
    // What passed is folded away, in the one piece of HTML that is ours.
    expect(markdownShape(await textOf('gate.markdown')).filter((line) => /^(html|image)/.test(line))).toEqual(
      [
        expect.stringMatching(/^html_block <details><summary>\d+ within limits<\/summary>\n$/),
        'html_block </details>\n',
      ],
    );
  });

  test('what a failure says to run shows the value', async () => {
    const { items } = await checkJson(1, 'small.csv', ...SMALL, '--fail-on', 'nr_free_pages <= 7');
    const [, ...words] = items[0]!.see.split(' ');
    const { stdout } = await spbsimIn(directory, ...words, '--json');
    expect((JSON.parse(stdout) as RunResult).metrics.nr_free_pages).toBe(items[0]!.value);
  });
});

describe('what is checked', () => {
  test('traces, policies, machines and names of the budget file', async () => {
    const { runs, items, counts } = await checkJson(1, '--budget', 'full.yaml');
    expect(runs.map(({ trace, policy, machine }) => [trace, policy, machine])).toEqual([
      ['small.csv', 'mainline-6.18', '--memory 64MiB'],
      ['small.csv', 'mine', '--memory 64MiB'],
      ['other', 'mainline-6.18', 'machine.yaml'],
      ['other', 'mine', 'machine.yaml'],
    ]);
    expect(counts).toEqual({ items: 5, within: 4, failed: 1, runs: 4 });
    expect(items[0]).toMatchObject({
      trace: 'other',
      policy: 'mine',
      status: 'exceeded',
      why: 'to see it fail',
      place: { file: 'full.yaml', line: 8 },
    });
  });

  test('those of the command line instead, and budgets of both', async () => {
    const args = ['--budget', 'full.yaml', 'small.csv', '--policy', 'spb-v2', '--memory', '128MiB'];
    const { runs, items } = await checkJson(0, ...args, '--fail-on', 'pgfree >= 8');
    expect(runs.map(({ trace, policy, machine }) => [trace, policy, machine])).toEqual([
      ['small.csv', 'spb-v2', '--memory 128MiB'],
    ]);
    expect(items.map(({ budget, place }) => [budget, place?.line])).toEqual([
      ['alloc_failed == 0', 7],
      ['pgfree >= 8', undefined],
    ]);
  });

  test('values are those of `run`', async () => {
    const { items } = await checkJson(0, 'small.csv', ...SMALL, '--fail-on', 'free_chunks.*.* >= 0');
    const { stdout } = await spbsimIn(directory, 'run', 'small.csv', ...SMALL, '--json');
    const { metrics } = JSON.parse(stdout) as RunResult;
    expect(items.length).toBe(22);
    for (const { metric, value } of items) expect(value).toBe(metrics[metric]);
  });

  test('--seeds: each by itself, or one value over all', async () => {
    const budgets = [
      '--fail-on',
      'pgfree >= 0',
      '--fail-on',
      'max(pgfree) >= 0',
      '--fail-on',
      'median(pgfree) >= 0',
    ];
    const { items, runs } = await checkJson(0, GENERATED, '--seeds', '1..3', ...budgets);
    expect(runs.map(({ seed }) => seed)).toEqual([1, 2, 3]);
    expect(items.map(({ seed, over_seeds }) => [seed, over_seeds])).toEqual([
      [1, 'each'],
      [2, 'each'],
      [3, 'each'],
      [null, 'max'],
      [null, 'median'],
    ]);
    const values = items.slice(0, 3).map(({ value }) => value!);
    expect(items[3]!.value).toBe(Math.max(...values));
    expect(items[4]!.value).toBe(values.toSorted((x, y) => x - y)[1]);
    const recorded = await checkJson(0, 'small.csv', '--seeds', '1..3', '--fail-on', 'pgfree >= 0');
    expect(recorded.counts.runs).toBe(1);
    expect(recorded.notes.join()).toContain('recorded traces were replayed once');
  });
});

describe('the baseline', () => {
  const RELATIVE = [
    'small.csv',
    ...SMALL,
    '--fail-on',
    'nr_free_pages >= baseline',
    '--fail-on',
    'pgfree <= +0%',
  ];

  test('is written, told, and held to', async () => {
    const update = await check(...RELATIVE, '--baseline', 'stored.yaml', '--update-baseline');
    expect(update.code).toBe(0);
    expect(update.stderr).toMatch(
      /^stored\.yaml: 2 values written\n {2}small\.csv mainline-6\.18 seed 1 {2}\w+ {2}new -> \d+\n.*\n$/,
    );
    const text = await textOf('stored.yaml');
    expect(parse(text)).toMatchObject({
      schema: 'spbsim.baseline/1',
      runs: [{ trace: 'small.csv', policy: 'mainline-6.18', seed: 1, machine: '--memory 64MiB --cpus 2' }],
    });
    expect((await check(...RELATIVE, '--baseline', 'stored.yaml')).code).toBe(0);

    const again = await check(...RELATIVE, '--baseline', 'stored.yaml', '--update-baseline');
    expect(again.stderr).toBe('stored.yaml: nothing changed\n');
    expect(await textOf('stored.yaml')).toBe(text);

    const worse = text.replace(/(nr_free_pages: )(\d+)/, (_, name, value) => `${name}${Number(value) + 1}`);
    await writeFile(join(directory, 'stored.yaml'), worse);
    const { items } = await checkJson(1, ...RELATIVE, '--baseline', 'stored.yaml');
    expect(items[0]).toMatchObject({ metric: 'nr_free_pages', status: 'exceeded' });
    expect(items[0]!.limit).toBe(items[0]!.value! + 1);
  });

  test('keeps what was not run', async () => {
    const args = ['--baseline', 'both.yaml', '--update-baseline'];
    await check(...RELATIVE, ...args);
    const update = await check(...RELATIVE, ...args, '--policy', 'spb-v2');
    expect(update.stderr).toContain('both.yaml: 2 values written');
    const { runs } = parse(await textOf('both.yaml'));
    expect(runs.map(({ policy }: { policy: string }) => policy)).toEqual(['mainline-6.18', 'spb-v2']);
  });

  test('of another machine is none, and a note says so', async () => {
    await check(...RELATIVE, '--baseline', 'machine-64.yaml', '--update-baseline');
    const other = RELATIVE.map((word) => (word === '64MiB' ? '128MiB' : word));
    const { items, notes } = await checkJson(1, ...other, '--baseline', 'machine-64.yaml');
    expect(items.map(({ status }) => status)).toEqual(['no_baseline', 'no_baseline']);
    expect(notes).toEqual([
      'small.csv: its machine (--memory 128MiB --cpus 2) is not that of the baseline (--memory 64MiB --cpus 2); if that is meant, run with --update-baseline',
    ]);
  });

  test('that a budget file names and nobody has written yet fails the check', async () => {
    const { items } = await checkJson(1, '--budget', 'no-baseline.yaml');
    expect(items.map(({ status }) => status)).toEqual(['no_baseline']);
  });
});

describe('reports', () => {
  const FAILING = ['small.csv', ...SMALL, '--fail-on', 'nr_free_pages <= 7'];

  test('text and annotations share standard output', async () => {
    const { code, stdout } = await check(...FAILING, '--reporter', 'text', '--reporter', 'github');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAILED 1 of 1 budget /);
    expect(workflowCommands(stdout).map(({ name }) => name)).toEqual(['error']);
  });

  test('--json is the reporter of that name', async () => {
    const [json, reporter] = await Promise.all([
      check(...FAILING, '--json'),
      check(...FAILING, '--reporter', 'json'),
    ]);
    expect(json.stdout).toBe(reporter.stdout);
  });

  test('--all lists what is within its limit', async () => {
    const within = ['small.csv', ...SMALL, '--fail-on', 'pgfree == 8'];
    expect((await check(...within)).stdout).not.toMatch(/pgfree == 8/);
    expect((await check(...within, '--all')).stdout).toMatch(/^ +pgfree == 8 +seed 1 +8 +8 /m);
  });

  test('are written whole or not at all: what was there stays if the check cannot be made', async () => {
    await writeFile(join(directory, 'old.xml'), 'old report');
    await writeFile(join(directory, 'old.yaml'), 'schema: spbsim.baseline/1\nruns: []\n');
    const before = await readdir(directory);
    const reports = ['--reporter', 'junit=old.xml', '--reporter', 'sarif=new.sarif'];
    const baseline = ['--baseline', 'old.yaml', '--update-baseline'];
    const { code } = await check(
      'small.csv',
      'wrong.csv',
      '--fail-on',
      'pgfree >= +0',
      ...reports,
      ...baseline,
    );
    expect(code).toBe(3);
    expect(await textOf('old.xml')).toBe('old report');
    expect(await textOf('old.yaml')).toBe('schema: spbsim.baseline/1\nruns: []\n');
    expect(await readdir(directory)).toEqual(before);
    const good = await check('small.csv', '--fail-on', 'pgfree >= 0', ...reports);
    expect(good.code).toBe(0);
    assertJunit(await textOf('old.xml'));
    expect((await readdir(directory)).toSorted()).toEqual([...before, 'new.sarif'].toSorted());
  });
});

describe('metrics', () => {
  test('every name that it lists may be written in a budget', async () => {
    const { stdout } = await spbsim('metrics', '--json');
    const families = JSON.parse(stdout) as { key: string; name: string; labels: string[] }[];
    const budgets = families.flatMap(({ name, labels }) => [
      '--fail-on',
      `${[name, ...labels.map(() => '*')].join('.')} >= 0`,
    ]);
    const { code, stderr } = await check('small.csv', '--policy', 'spb-v2', ...SMALL, ...budgets, '--json');
    expect(stderr).toBe('');
    expect([0, 1]).toContain(code);
  });

  test('--grep finds words in names and meanings; nothing found is exit code 1', async () => {
    const found = await spbsim('metrics', '--grep', 'TAINTED superpageblocks');
    expect(found).toMatchObject({ code: 0, stderr: '' });
    expect(found.stdout).toContain('spb_tainted');
    expect(await spbsim('metrics', '--grep', 'no such words')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'no metric has "no such words" in its name or meaning\n',
    });
  });
});
