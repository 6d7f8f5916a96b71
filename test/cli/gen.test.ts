/** `spbsim gen` as a user calls it. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import { createProgram } from '../../src/cli/program.js';
import { generate, WORKLOADS } from '../../src/gen/generate.js';
import { openTrace } from '../../src/trace/source.js';
import { eventsOf } from '../trace/helpers.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-gen-'));
});

let stdout = '';
let stderr = '';
beforeEach(() => {
  stdout = '';
  stderr = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk, encodingOrDone, done) => {
    stdout += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const finished = typeof encodingOrDone === 'function' ? encodingOrDone : done;
    finished?.();
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    stderr += chunk;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function spbsim(...args: string[]): Promise<number> {
  process.exitCode = undefined;
  await main(['node', 'spbsim', ...args]);
  return Number(process.exitCode ?? 0);
}

const TINY = ['--memory', '256MiB', '--cpus', '2', '--duration', '1s', '--events', '2000'];
const TINY_OPTIONS = { memory_pages: 1 << 16, cpus: 2, duration_ns: 1e9, events: 2000 };

test('without a name: all workloads, what they assume, and their options', async () => {
  expect(await spbsim('gen')).toBe(0);
  for (const [name, workload] of WORKLOADS) {
    expect(stdout).toContain(`${name}   ${workload.summary}`);
    expect(stdout).toContain(`--memory ${workload.defaults.memory} --nodes `);
    for (const [option, spec] of Object.entries(workload.options))
      expect(stdout).toMatch(new RegExp(`^ {4}${option} +${spec.default} {2}`, 'm'));
  }
  for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(110);
  expect(stderr).toBe('');
});

test('--help begins with examples whose options exist', async () => {
  await spbsim('gen', '--help');
  expect(stdout.startsWith('Examples:\n  spbsim gen ')).toBe(true);
  for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
  const gen = createProgram().commands.find((command) => command.name() === 'gen')!;
  const examples = stdout.slice(0, stdout.indexOf('\nUsage:'));
  for (const [, workload] of examples.matchAll(/spbsim gen ([a-z][\w-]*)/g))
    expect([...WORKLOADS.keys()]).toContain(workload);
  for (const [, option] of examples.matchAll(/spbsim gen[^|\n]* (--?[a-z]+)/g))
    expect(gen.options.some(({ short, long }) => short === option || long === option)).toBe(true);
  for (const option of gen.options) expect(option.description, option.flags).not.toBe('');
});

describe('a trace', () => {
  test('is CSV on stdout, with a summary on stderr', async () => {
    expect(await spbsim('gen', 'slab-ramp', ...TINY)).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toBe('ts,cpu,ctx,op,id,order,gfp,node,site,arg');
    expect(lines).toHaveLength(2001);
    expect(lines[1]).toMatch(/^\d+,0,task,mark,,,,,,fill$/);
    expect(stderr).toMatch(
      /^slab-ramp seed 1 -> - {3}2,000 events over .* {3}for 256 MiB, 1 node, 2 CPUs\n$/,
    );
  });

  test.each(['x.csv', 'x.csv.gz', 'x.csv.zst', 'x.arrow', 'x.arrows', 'x.arrows.gz'])(
    'goes to %s, and is the one that generate() gives',
    async (name) => {
      const path = join(directory, name);
      const set = ['--set', 'net=30000', '--set', 'net = 20000', '--seed', '5', '--nodes', '2'];
      expect(await spbsim('gen', 'steady-server', ...TINY, ...set, '-o', path)).toBe(0);
      expect(stdout).toBe('');
      const { source } = await openTrace(path);
      const expected = generate('steady-server', {
        ...TINY_OPTIONS,
        seed: 5,
        nodes: 2,
        set: { net: 20_000 },
      });
      expect(await eventsOf(source)).toEqual(await eventsOf(expected));
    },
  );

  test('is the same bytes each time', async () => {
    const [a, b] = ['a.csv.gz', 'b.csv.gz'].map((name) => join(directory, name));
    for (const path of [a, b]) await spbsim('gen', 'net-softirq', ...TINY, '-o', path);
    expect(gunzipSync(await readFile(a)).equals(gunzipSync(await readFile(b)))).toBe(true);
  });
});

describe('mistakes end with 2 and a line that says what to do', () => {
  test.each([
    ['slab-rmap', [], 'there is no workload slab-rmap; did you mean slab-ramp?\n'],
    ['slab-ramp', ['--set', 'chrun=1%'], 'slab-ramp has no option chrun; did you mean churn?\n'],
    ['slab-ramp', ['--set', 'churn'], '--set churn: expected option=value, such as --set used=110%\n'],
    ['slab-ramp', ['--set', 'thp=x'], 'thp=x: expected a share from 0% to 100%, such as 97%\n'],
    [
      'slab-ramp',
      ['--memory', '4'],
      '--memory 4: expected a size with its unit, such as 512MiB, 4GiB or 1TiB\n',
    ],
    [
      'slab-ramp',
      ['--duration', '4'],
      '--duration 4: expected a time with its unit, such as 1.5s, 200ms or 1000ns\n',
    ],
    ['slab-ramp', ['--cpus', '0'], '--cpus 0: expected a whole number of at least 1\n'],
    [
      'slab-ramp',
      ['-o', 'x.txt'],
      '-o x.txt: expected a name ending in .csv, .arrow or .arrows (also .gz, .zst), or say --format\n',
    ],
  ])('%s %j', async (name, options, message) => {
    expect(await spbsim('gen', name, ...options)).toBe(2);
    expect(stderr).toBe(message);
    expect(stdout).toBe('');
  });

  test('a file that cannot be written ends with 3', async () => {
    expect(await spbsim('gen', 'slab-ramp', ...TINY, '-o', join(directory, 'no/where.csv'))).toBe(3);
    expect(stderr).toContain('where.csv');
  });
});
