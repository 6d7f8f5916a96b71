/**
 * Texts of strangers, in every field of a trace and every name that a user may give, on their way to the terminal, a CI
 * log, annotations, JUnit, SARIF, Markdown and JSON: they arrive as text and do nothing.
 *
 * Commands run in this process, in a directory of their own, so that names stand in the output as they are.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import { checkSchema } from '../../src/report/check-schema.js';
import { diffSchema } from '../../src/report/diff-schema.js';
import {
  assertJunit,
  markdownShape,
  sarifErrors,
  UNPRINTABLE,
  workflowCommands,
} from '../report/check/readers.js';
import { HOSTILE_TEXTS } from '../report/check/sample-check.js';
import { runIn } from './bad-input.js';

/** What a file name may be: no slash, no NUL, and not too long. */
function fileName(text: string): string {
  return text.replace(/[/\0\ud800-\udfff]/g, '_').slice(0, 60) || '_';
}

const MEBIBYTE = 'x'.repeat(1 << 20);
/** One of each kind that has done harm; file names are made of them. */
const NAMES = [
  '::error file=a,line=1::x',
  '\n::error::x',
  '##[error]x',
  '\u001b[31mred\u001b[0m\u001b]0;title\u0007\u009b2J',
  ']]><failure/>',
  '<script>alert(1)</script>',
  '</details><img src=x onerror=alert(1)>',
  'a\r\nb\u0085c\u2028d',
  '\u202egnp\u2066x\u200f\u061c\ufeff',
  '`|`\\|``',
  '[x](javascript:alert(1)) ![x](http://example.com/x.png)',
  '%0A::error::x @everyone',
];

let root: string;
let stdout = '';
let stderr = '';
const home = process.cwd();

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'spbsim-ci-'));
});
beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk, encodingOrDone, done) => {
    stdout += Buffer.from(chunk as string).toString();
    const finished = typeof encodingOrDone === 'function' ? encodingOrDone : done;
    finished?.();
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    stderr += Buffer.from(chunk as string).toString();
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  process.chdir(home);
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs a command and checks what every output must be; commands to a runner are the caller's to look at. */
async function output(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  stdout = '';
  stderr = '';
  process.exitCode = undefined;
  await main(['node', 'spbsim', ...args]);
  const code = Number(process.exitCode ?? 0);
  const what = JSON.stringify(args).slice(0, 300);
  expect([0, 1, 2, 3], `${what}: ${stderr.slice(0, 500)}`).toContain(code);
  expect(UNPRINTABLE.exec(stdout)?.[0], what).toBeUndefined();
  expect(UNPRINTABLE.exec(stderr)?.[0], what).toBeUndefined();
  expect(workflowCommands(stderr), what).toEqual([]);
  if (!args.includes('github')) expect(workflowCommands(stdout), what).toEqual([]);
  return { code, stdout, stderr };
}

function assertMarkdown(text: string): void {
  const nodes = markdownShape(text).filter((line) => /^(html|image|link)/.test(line));
  const ours = /^html_block (<details><summary>[\w ,]+<\/summary>|<\/details>)\n$/;
  expect(nodes.filter((line) => !ours.test(line))).toEqual([]);
}

const MACHINE = ['--memory', '64MiB', '--cpus', '2'];
const SIDES = ['mainline-6.18', 'spb-v2'];
/** Two budgets that hold and one that fails. */
const FAIL_ON = ['pgfree >= 0', 'free_chunks.*.0 >= 0', 'nr_free_pages <= 7'].flatMap((text) => [
  '--fail-on',
  text,
]);

/** All reports of a check, one by one on standard output, each read by the reader that it is for. */
async function assertReports(...args: string[]): Promise<void> {
  for (const all of [[], ['--all']]) {
    const { code } = await output('check', ...args, ...all);
    expect(code).toBe(1);
  }
  const github = await output('check', ...args, '--reporter', 'text', '--reporter', 'github');
  const failed = checkSchema.parse(JSON.parse((await output('check', ...args, '--json')).stdout)).counts
    .failed;
  const commands = workflowCommands(github.stdout).map(({ name }) => name);
  expect(commands.filter((name) => name !== 'notice')).toEqual(Array(failed).fill('error'));
  assertJunit((await output('check', ...args, '--reporter', 'junit')).stdout);
  expect(sarifErrors(JSON.parse((await output('check', ...args, '--reporter', 'sarif')).stdout))).toEqual([]);
  assertMarkdown((await output('check', ...args, '--reporter', 'markdown')).stdout);
}

/** A comparison in all its forms. */
async function assertDiff(...args: string[]): Promise<void> {
  for (const form of [['--all', '--map'], ['--explain']])
    expect((await output('diff', ...args, ...form)).code).toBe(0);
  assertMarkdown((await output('diff', ...args, '--md', '--all')).stdout);
  diffSchema.parse(JSON.parse((await output('diff', ...args, '--json')).stdout));
}

async function inDirectory(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  const directory = join(root, name);
  await mkdir(directory);
  process.chdir(directory);
  for (const [file, content] of Object.entries(files)) await writeFile(file, content);
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

const COLUMNS = 'cpu,op,id,order,gfp,memcg,site,cache,size,arg';

/** Rows whose every text is hostile: pages, slab objects, cgroups and marks. */
function rowsOf(texts: readonly string[]): string[] {
  return texts.flatMap((text, at) => {
    const [id, name] = [quoted(`${text}~${at}`), quoted(text)];
    // What a kernel would not have as a path is a mistake of its own: test/sim/slab/memcg-directory.test.ts.
    const other = quoted(`/${text.replaceAll('/', '|').slice(0, 100)}~`);
    return [
      `0,alloc,${id},3,GFP_HIGHUSER_MOVABLE,${other},${name},${name},,`,
      `1,alloc,${quoted(`k~${text}~${at}`)},0,GFP_KERNEL,${other},${name},${name},,`,
      `0,cache_alloc,${quoted(`s~${text}~${at}`)},,GFP_KERNEL,${other},${name},${quoted(`c~${text}`)},64,`,
      `0,mark,,,,,,,,${name}`,
      `1,free,${id},,,,,,,`,
    ];
  });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** A text that a cell may hold: the reader refuses control characters, so they are tested as mistakes. */
const isCell = (text: string) => text !== '' && !UNPRINTABLE.test(text) && !CONTROL.test(text);

describe('fields of a trace', () => {
  const valid = HOSTILE_TEXTS.filter(isCell);

  test('every valid one at once: run, explain, diff and check', async () => {
    expect(valid.length).toBeGreaterThan(40);
    await inDirectory('fields', { 'trace.csv': `${COLUMNS}\n${rowsOf(valid).join('\n')}\n` });
    for (const form of [[], ['--map', '--proc'], ['--json']])
      expect((await output('run', 'trace.csv', ...MACHINE, ...form)).code).toBe(0);
    expect((await output('info', 'trace.csv')).code).toBe(0);
    await assertDiff(...SIDES, 'trace.csv', ...MACHINE);
    await assertReports('trace.csv', ...MACHINE, ...FAIL_ON);
  });

  test('each as the event that is explained, and as the first that differs', async () => {
    await inDirectory('explained', {});
    for (const text of valid) {
      const row = `0,alloc,${quoted(`${text}~`)},4,GFP_HIGHUSER_MOVABLE,${quoted(`/${text}`)},${quoted(text)},,,`;
      await writeFile('one.csv', `${COLUMNS}\n${row}\n`);
      const { code, stdout: explained } = await output(
        'explain',
        'one.csv',
        '--event',
        '0',
        '--memory',
        '2GiB',
      );
      expect(code, stderr).toBe(0);
      expect(explained).toContain('alloc order 4');
      await output('explain', 'one.csv', '--id', `${text}~`, '--json');
      await output('explain', 'one.csv', '--id', `${text}?`);
      const diff = await output('diff', ...SIDES, 'one.csv', '--memory', '2GiB');
      expect(diff.stdout).toContain('first difference: event 0');
      assertMarkdown((await output('diff', ...SIDES, 'one.csv', '--memory', '2GiB', '--md')).stdout);
    }
  });

  test('those that no cell may hold are refused in each field, or left out and quoted', async () => {
    await inDirectory('refused', {});
    const bad = [...HOSTILE_TEXTS.filter((text) => text !== '' && !isCell(text)), MEBIBYTE];
    expect(bad.length).toBeGreaterThan(8);
    for (const text of bad)
      for (const [at, column] of ['id', 'memcg', 'site', 'cache', 'arg'].entries()) {
        const row = `0,alloc,${['a', '/', 's', 'c', ''].map((cell, i) => (i === at ? quoted(text) : cell)).join()}`;
        await writeFile('bad.csv', `cpu,op,id,memcg,site,cache,arg\n${row}\n0,alloc,ok,/,,,\n`);
        const { code, stderr: told } = await output('run', 'bad.csv', ...MACHINE);
        if (CONTROL.test(text) || text === MEBIBYTE) expect({ code, column }).toEqual({ code: 3, column });
        expect(told.length).toBeLessThan(1000);
        await output('run', 'bad.csv', ...MACHINE, '--skip-invalid', '--verbose');
        await output('diff', ...SIDES, 'bad.csv', ...MACHINE, '--skip-invalid');
        await output('check', 'bad.csv', ...MACHINE, ...FAIL_ON);
      }
  });

  test('task names and lines of a tracefs text', async () => {
    const line = (comm: string) =>
      `${comm.padStart(16)}-695     [000] .....  3279.813330: mm_page_alloc: page=00000000b1076c45 pfn=0x143e29 order=0 migratetype=0 gfp_flags=GFP_KERNEL`;
    const lines = HOSTILE_TEXTS.flatMap((text) => [line(text), text, `${text}-1 [000] 1.0: x: ${text}`]);
    await inDirectory('tracefs', { 'trace.txt': `# tracer: nop\n#\n${line('x')}\n${lines.join('\n')}\n` });
    expect((await output('run', 'trace.txt', ...MACHINE, '--verbose')).code).toBe(0);
    await output('run', 'trace.txt', ...MACHINE, '--json');
    await output('run', 'trace.txt', ...MACHINE, '--strict');
    await assertDiff(...SIDES, 'trace.txt', ...MACHINE);
    await assertReports('trace.txt', ...MACHINE, ...FAIL_ON);
  });
});

describe.each(NAMES.map((text, at) => [JSON.stringify(text), text, at] as const))(
  'named %s',
  (_, text, at) => {
    const name = fileName(text);
    const trace = `${name}.csv`;
    const policy = `${name}.policy.yaml`;
    const machine = `${name}.machine.yaml`;

    beforeEach(async () => {
      process.chdir(root);
      await rm(join(root, `name${at}`), { recursive: true, force: true });
      const yaml = JSON.stringify(text);
      await inDirectory(`name${at}`, {
        [trace]: 'cpu,op,id,order\n0,alloc,a,0\n1,alloc,b,3\n0,free,b,\n',
        [`wrong ${name}.csv`]: 'op,id\nalloc,a\nfre,a\n',
        [`${name}.wrong.csv`]: 'op,id\nalloc,a\nfre,a\n',
        [policy]: `extends: spb-v2\nname: ${yaml}\ndescription: ${yaml}\n`,
        [`${name}.wrong.yaml`]: `extends: spb-v2\nknobs: {${yaml}: 1}\n`,
        [machine]: 'memory: 64MiB\ncpus: 2\n',
        [`${name}.wrong-machine.yaml`]: `memory: 64MiB\n${yaml}: 1\n`,
        [`${name}.budget.yaml`]: [
          `baseline: ${JSON.stringify(`${name}.baseline.yaml`)}`,
          `policies: [${JSON.stringify(`./${policy}`)}]`,
          `machine: ${JSON.stringify(machine)}`,
          `traces: [{trace: ${JSON.stringify(trace)}, name: ${yaml}}]`,
          'budgets:',
          '  - pgfree >= 0',
          `  - {budget: nr_free_pages <= 7, why: ${yaml}}`,
          `  - {budget: oom_kill <= baseline, why: ${yaml}}`,
          `  - {budget: alloc_failed == 0, trace: ${yaml}, policy: ${yaml}}`,
          `  - {budget: alloc_failed == 1, trace: ${JSON.stringify(`${text}?`)}}`,
          '',
        ].join('\n'),
        [`${name}.wrong-budget.yaml`]: `budgets: [${yaml}]\n`,
        [`${name}.wrong-key.yaml`]: `budgets: [pgfree >= 0]\n${yaml}: 1\n`,
      });
    });

    test('trace, policy and machine: run, explain, diff', async () => {
      const options = ['--policy', policy, '--machine', machine];
      for (const form of [[], ['--json'], ['--map', '--verbose']])
        expect((await output('run', trace, ...options, ...form)).code).toBe(0);
      await output('explain', trace, '--event', '1', ...options);
      await output('explain', trace, '--event', '1', ...options, '--json');
      await output('policy', 'show', policy);
      await assertDiff('mainline-6.18', policy, trace, '--machine', machine);
      await assertDiff(policy, policy, trace, '--machine', machine, '--set-b', 'pcp.batch_scale_max=1');
      await assertDiff(machine, machine, trace, '--policy', policy);
      const saved = `${name}.json`;
      await writeFile(saved, (await output('run', trace, ...options, '--json')).stdout);
      await assertDiff(saved, saved);
    });

    test('a saved result whose every name was changed by a stranger', async () => {
      const { stdout: json } = await output('run', trace, '--policy', policy, '--machine', machine, '--json');
      const result = JSON.parse(json);
      result.policy.name = text;
      result.policy.overrides = [text];
      result.policy.knobs = { ...result.policy.knobs, [text]: text };
      result.machine.origin = text;
      result.metrics = { ...result.metrics, [`unusable_index.${text}.9`]: 1, [text]: 1 };
      for (const zone of result.zones) zone.name = text;
      result.inputs[0].path = text;
      await writeFile('stranger.json', JSON.stringify(result));
      await writeFile('ours.json', json);
      const { code, stderr: told } = await output('diff', 'ours.json', 'stranger.json');
      expect(code, told).toBe(0);
      await assertDiff('ours.json', 'stranger.json');
    });

    test('budget, baseline, reasons and names in them: check with every reporter', async () => {
      const budget = `${name}.budget.yaml`;
      const update = await output('check', '--budget', budget, '--update-baseline');
      expect(update).toMatchObject({ code: 1, stderr: expect.stringContaining('4 values written') });
      await assertReports('--budget', budget);
      const stored = await readFile(`${name}.baseline.yaml`, 'utf8');
      expect(UNPRINTABLE.exec(stored)?.[0]).toBeUndefined();
      const again = await output('check', '--budget', budget, '--update-baseline');
      expect(again.stderr).toContain('nothing changed');
      await assertReports(trace, '--policy', policy, '--machine', machine, ...FAIL_ON);
      await output(
        'check',
        '--budget',
        budget,
        '--reporter',
        `junit=${name}.xml`,
        '--reporter',
        `sarif=${name}.sarif`,
      );
      assertJunit(await readFile(`${name}.xml`, 'utf8'));
      expect(sarifErrors(JSON.parse(await readFile(`${name}.sarif`, 'utf8')))).toEqual([]);
    });

    test('mistakes that quote it', async () => {
      for (const args of [
        ['run', `${name}.wrong.csv`],
        ['run', name],
        ['run', trace, '--policy', `${name}.wrong.yaml`],
        ['run', trace, '--machine', `${name}.wrong-machine.yaml`],
        ['diff', text, 'spb-v2', trace],
        ['diff', 'spb-v2', 'spb-v2', trace, '--set-a', text],
        ['diff', trace, 'spb-v2', trace],
        ['diff', 'spb-v2', machine, trace],
        ['diff', 'spb-v2', 'mainline-6.18', `gen:${text}`],
        ['diff', 'spb-v2', 'mainline-6.18', `gen:slab-ramp:${text}`],
        ['diff', 'spb-v2', 'mainline-6.18', trace, '--seeds', text],
        ['check', trace, '--fail-on', text],
        ['check', trace, '--fail-on', `${text} <= 1`],
        ['check', trace, '--fail-on', `pgfree <= ${text}`],
        ['check', trace, '--fail-on', 'pgfree <= +1', '--baseline', name],
        ['check', trace, '--budget', `${name}.wrong-budget.yaml`],
        ['check', trace, '--budget', `${name}.wrong-key.yaml`],
        ['check', trace, '--budget', name],
        ['check', trace, trace, '--fail-on', 'pgfree >= 0'],
        ['check', trace, '--fail-on', 'pgfree >= 0', '--reporter', text],
        ['check', trace, '--fail-on', 'pgfree >= 0', '--reporter', `junit=${name}/x`],
        ['metrics', '--grep', text],
        ['schema', text],
        [text],
      ]) {
        const { code, stderr: told } = await output(...args);
        expect(code, told).toBeGreaterThan(0);
      }
    });
  },
);

describe('a mebibyte', () => {
  test('as a name or a reason: short outputs, and little memory', async () => {
    const directory = join(root, 'mebibyte');
    await mkdir(directory);
    const name = JSON.stringify(`::error::${MEBIBYTE}`);
    await writeFile(join(directory, 'trace.csv'), `op,id\nalloc,a\n`);
    await writeFile(join(directory, 'policy.yaml'), 'extends: spb-v2\nname: "::error::x"\n');
    await writeFile(join(directory, 'long.yaml'), `extends: spb-v2\nname: ${name}\n`);
    const refused = await runIn(directory, 'diff spb-v2 long.yaml trace.csv');
    expect(refused).toMatchObject({ code: 3, stdout: '' });
    expect(refused.stderr.length).toBeLessThan(1000);
    const budgets = Array.from({ length: 2 }, () => `  - {budget: nr_free_pages <= 7, why: ${name}}\n`).join(
      '',
    );
    const traces = `[{trace: trace.csv, name: ${name}}]`;
    await writeFile(
      join(directory, 'budget.yaml'),
      `traces: ${traces}\nmemory: 64MiB\nbudgets:\n${budgets}  - nr_free_pages <= 7\n`,
    );
    for (const command of [
      'run trace.csv --memory 64MiB --policy policy.yaml --json',
      'diff mainline-6.18 policy.yaml trace.csv --memory 64MiB',
      'diff policy.yaml mainline-6.18 trace.csv --memory 64MiB --md',
      ...['text', 'github', 'junit', 'sarif', 'markdown'].map(
        (reporter) => `check --budget budget.yaml --reporter ${reporter}`,
      ),
    ]) {
      const outcome = await runIn(directory, command);
      expect([0, 1], outcome.stderr.slice(0, 300)).toContain(outcome.code);
      expect(outcome.peak_mb, command).toBeLessThan(400);
      if (!command.startsWith('run')) expect(outcome.stdout.length, command).toBeLessThan(100_000);
      const commands = workflowCommands(outcome.stdout);
      expect(commands.length, command).toBe(command.endsWith('github') ? 3 : 0);
    }
  });
});
