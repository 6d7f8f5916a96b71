/** `spbsim bisect` as a user runs it: what it says of what it finds, of what it does not find, and of mistakes. */
import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { bisectSchema } from '../../src/report/bisect-schema.js';
import { outcomeOf, spbsim, spbsimIn, start } from './spbsim.js';

const FIRST_STEPS = fileURLToPath(new URL('../../workloads/csv/first-steps.csv', import.meta.url));
const SLAB_RAMP = fileURLToPath(new URL('../../workloads/gen/slab-ramp.csv.gz', import.meta.url));
const RECORDING = fileURLToPath(new URL('../trace/data/recording', import.meta.url));
const POLICIES = ['mainline-6.18', 'spb-v2'];
const MACHINE = ['--memory', '1GiB', '--cpus', '2'];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-bisect-'));
});

function bisect(trace: string, until: string, ...args: string[]) {
  return spbsim('bisect', trace, ...POLICIES, '--until', until, ...args);
}

test('what is found: figures, the event, and commands that show why', async () => {
  const { code, stdout, stderr } = await bisect(
    FIRST_STEPS,
    'a.alloc_ok.3 >= 1 && b.alloc_failed == 0',
    ...MACHINE,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe(`a.alloc_ok.3 >= 1 && b.alloc_failed == 0 holds after 5 of 14 events (t = 4.0 us)
first-steps.csv   A: mainline-6.18   B: spb-v2   machine: --memory 1GiB --cpus 2
start state: fresh

                A before  A after  B before  B after
  alloc_ok.3                    1                  1
  alloc_failed         0        0         0        0

  event       #4   at 4.0 us   CPU 0, task   alloc order 3   GFP_KERNEL|__GFP_RECLAIMABLE
              id inodes
  looked      after every event
  why         spbsim explain ${FIRST_STEPS} --event 4 --policy mainline-6.18 --memory 1GiB --cpus 2
              spbsim explain ${FIRST_STEPS} --event 4 --policy spb-v2 --memory 1GiB --cpus 2
`);
  const [, ...command] = /why +(spbsim .*)/.exec(stdout)![1]!.split(' ');
  const explained = await spbsim(...command);
  expect(explained).toMatchObject({ code: 0, stderr: '' });
  expect(explained.stdout).toMatch(/^#4 /);
});

test('commands that can be pasted, with what was set on each side', async () => {
  const odd = join(directory, "it's a trace.csv");
  await writeFile(odd, 'op,id,order\nalloc,x,0\n');
  const { stdout } = await bisect(
    odd,
    'a.events > 0',
    ...MACHINE,
    ...['--set', 'pcp.batch_scale_max=3', '--set-b', 'spb.wq_shared=false'],
  );
  const quoted = `'${odd.replace("'", "'\\''")}'`;
  expect(stdout).toContain(
    `why         spbsim explain ${quoted} --event 0 --policy mainline-6.18 --set pcp.batch_scale_max=3 --memory 1GiB --cpus 2\n`,
  );
  expect(stdout).toContain(
    `spbsim explain ${quoted} --event 0 --policy spb-v2 --set pcp.batch_scale_max=3 --set spb.wq_shared=false --memory`,
  );
  expect(stdout).toContain('B: spb-v2 --set pcp.batch_scale_max=3 --set spb.wq_shared=false');
});

test('what never holds: exit code 1, and the figures at the end', async () => {
  const { code, stdout, stderr } = await bisect(
    FIRST_STEPS,
    'a.spb_evacuations > 5 || b.alloc_failed>7',
    ...MACHINE,
  );
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(stdout).toMatch(/^a\.spb_evacuations > 5 \|\| b\.alloc_failed>7 never holds in 14 events\n/);
  expect(stdout).toMatch(/^ +A at the end +B at the end\n {2}spb_evacuations +\d\n {2}alloc_failed +0 +0$/m);
  expect(stdout).toMatch(
    /^ {2}no value +a\.spb_evacuations: no run here has it, and every comparison with it is false$/m,
  );
  expect(stdout).not.toContain('spbsim explain');
});

test('what holds from the start', async () => {
  const { code, stdout } = await bisect(FIRST_STEPS, 'a.spb_tainted == 0', ...MACHINE);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^a\.spb_tainted == 0 holds before the first of 14 events\n/);
  expect(stdout).toMatch(/^ +A at the start +B at the start\n {2}spb_tainted +0 +0$/m);
});

test('--json prints the document and nothing else', async () => {
  const { code, stdout, stderr } = await bisect(FIRST_STEPS, 'a.pgfree > 0', ...MACHINE, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(bisectSchema.parse(JSON.parse(stdout))).toMatchObject({
    schema: 'spbsim.bisect/1',
    inputs: [FIRST_STEPS],
    until: 'a.pgfree > 0',
    a: { policy: 'mainline-6.18', overrides: [] },
    events: 14,
    found: { events: 7, event: { number: 6, op: 'free', id: 'packet', gfp: null } },
    metrics: [{ name: 'pgfree', a: { before: 0, after: 1 }, b: { before: 0, after: 1 } }],
    looks: [{ every: 1, from: 0, to: 14 }],
  });
});

test('--reduce writes a trace that shows the same', async () => {
  const until = 'a.pageblocks.DMA32.reclaimable >= 1 && b.alloc_ok.2 >= 1';
  const machine = ['--memory', '2GiB', '--cpus', '4'];
  const small = join(directory, 'small.csv.gz');
  const { code, stdout } = await bisect(SLAB_RAMP, until, ...machine, '--reduce', small);
  expect(code).toBe(0);
  const told =
    /^ {2}reduced +([\d,]+) events? of ([\d,]+) objects?, written to (\S+); [\d,]+ replays?;/m.exec(
      stdout.replace(/\n {14}/g, ' '),
    );
  expect(told?.[3]).toBe(small);
  const again = await bisect(small, until, ...machine, '--json');
  const result = bisectSchema.parse(JSON.parse(again.stdout));
  expect(result.events).toBe(Number(told?.[1]?.replace(',', '')));
  expect(result.found?.events).toBe(result.events);
});

test('a recording, from its own start', async () => {
  const { code, stdout } = await bisect(RECORDING, 'a.alloc_ok >= 10');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^a\.alloc_ok >= 10 holds after \d+ of 144 events /);
  expect(stdout).toContain('machine: recording/before   start state: kpageflags');
});

test('standard input can be read, and is not named in commands', async () => {
  const child = start(['bisect', '-', ...POLICIES, '--until', 'a.events > 1', ...MACHINE]);
  // Its standard input is empty: that is an input error, and no hang.
  expect(await outcomeOf(child)).toMatchObject({ code: 3, stdout: '' });
});

test('a trace that ends too early: what was read, and exit code 3', async () => {
  const cut = join(directory, 'cut.csv');
  await writeFile(cut, 'op,id,order\nalloc,x,0\nalloc,y,0\nalloc,"z');
  const { code, stdout, stderr } = await bisect(cut, 'a.alloc_ok > 1', ...MACHINE);
  expect(code).toBe(3);
  expect(stderr).toMatch(/cut\.csv:4.*; the result is of what was read\n$/);
  expect(stdout).toMatch(/^a\.alloc_ok > 1 holds after 2 of 2 events/);
});

test('an interrupt ends it', async () => {
  const child = start([
    'bisect',
    'gen:slab-ramp:memory=16GiB',
    ...POLICIES,
    '--until',
    'a.events < 0',
    '--exhaustive',
  ]);
  const outcome = outcomeOf(child);
  await sleep(2500);
  child.kill('SIGINT');
  expect(await outcome).toMatchObject({ code: 130, stdout: '', stderr: 'interrupted\n' });
});

describe('mistakes', () => {
  test.each<[string, string[], RegExp]>([
    ['no expression', [FIRST_STEPS, ...POLICIES], /required option '--until <expr>' not specified/],
    [
      'no side',
      [FIRST_STEPS, ...POLICIES, '--until', 'spb_tainted > 3'],
      /^--until, character 1: of which policy\? write a\.spb_tainted or b\.spb_tainted\n {2}spb_tainted > 3\n {2}\^\n$/,
    ],
    [
      'unknown metric',
      [FIRST_STEPS, ...POLICIES, '--until', '1 < a.spb_taintd'],
      /character 5: there is no metric spb_taintd; did you mean spb_tainted\?\n {2}1 < a\.spb_taintd\n {6}\^\n$/,
    ],
    [
      'no comparison',
      [FIRST_STEPS, ...POLICIES, '--until', 'a.spb_tainted'],
      /this is a number: compare it with something/,
    ],
    [
      'the policies first',
      [...POLICIES, FIRST_STEPS, '--until', 'a.events > 1'],
      /^mainline-6\.18 is a policy: the trace comes first, as in spbsim bisect TRACE mainline-6\.18 spb-v2\n$/,
    ],
    [
      'unknown policy',
      [FIRST_STEPS, 'mainline-6.18', 'spb-v3', '--until', 'a.events > 1'],
      /^unknown policy "?spb-v3"?; did you mean/,
    ],
    [
      'unknown knob',
      [FIRST_STEPS, ...POLICIES, '--until', 'a.events > 1', '--set-b', 'spb.x=1'],
      /spb\.x=1: unknown knob/,
    ],
    [
      'not a CSV',
      [FIRST_STEPS, ...POLICIES, '--until', 'a.events > 1', '--reduce', 'small.arrow'],
      /^--reduce small\.arrow: expected a name ending in \.csv, \.csv\.gz or \.csv\.zst\n$/,
    ],
    [
      'a recording to reduce',
      [RECORDING, ...POLICIES, '--until', 'a.events > 1', '--reduce', 'small.csv'],
      /^--reduce small\.csv: a trace CSV has no start state/,
    ],
    ['two traces', [FIRST_STEPS, ...POLICIES, FIRST_STEPS, '--until', 'a.events > 1'], /too many arguments/],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await spbsim('bisect', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  test('no such trace; nowhere to write', async () => {
    expect(await bisect('missing.csv', 'a.events > 0')).toMatchObject({ code: 3, stdout: '' });
    const nowhere = join(directory, 'no', 'such', 'small.csv');
    const { code, stdout, stderr } = await bisect(
      FIRST_STEPS,
      'a.pgfree > 0',
      ...MACHINE,
      '--reduce',
      nowhere,
    );
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/small\.csv {2}is in no directory that exists/);
  });

  test('hostile texts in the trace and in the expression do nothing to the terminal', async () => {
    const hostile = join(directory, '\u001b[31mred.csv');
    await writeFile(hostile, 'op,id,order,site\nalloc,"\u202ex",0,"]]>::error::\u009b2J"\n');
    for (const until of ['a.events > 0', 'a.events > \u001b[2J0']) {
      const { stdout, stderr } = await bisect(hostile, until, ...MACHINE);
      const text = stdout + stderr;
      expect(text).not.toContain('\u202e');
      expect(text.replaceAll('\n', '')).toBe(stripVTControlCharacters(text).replaceAll(/[\p{Cc}]/gu, ''));
    }
  });
});

test('files appear where the command runs, and only when they are complete', async () => {
  const { code } = await spbsimIn(
    directory,
    ...['bisect', FIRST_STEPS, ...POLICIES, '--until', 'a.pgfree > 0', ...MACHINE, '--reduce', 'here.csv'],
  );
  expect(code).toBe(0);
  expect((await stat(join(directory, 'here.csv'))).isFile()).toBe(true);
  expect(await readFile(join(directory, 'here.csv'), 'utf8')).toMatch(
    /^# reduced by spbsim bisect .*\n# a: .*\n# nothing can be left out.*\nts,cpu,ctx,op,id,order,gfp\n5000,1,softirq,alloc,packet,0,GFP_ATOMIC\n6000,1,task,free,packet,,\n$/,
  );
});

test('the help starts with examples, tells the language and lists the exit codes', async () => {
  const { code, stdout } = await spbsim('bisect', '--help');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Examples:\n {2}spbsim bisect /);
  expect(stdout).toContain('a.METRIC, b.METRIC');
  expect(stdout).toContain('130  interrupted');
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
});

test('the schema of the document is printed', async () => {
  const { code, stdout } = await spbsim('schema', 'bisect');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ title: 'spbsim.bisect/1' });
});
