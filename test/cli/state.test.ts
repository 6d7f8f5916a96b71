/** `run --save-state`, `--save-at` and `--load-state` as a user meets them: files, messages, exit codes. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import { openInput } from '../../src/trace/bytes/open-input.js';
import { roughTrace } from '../sim/state/support.js';

const directory = await mkdtemp(join(tmpdir(), 'spbsim-state-'));
const at = (name: string) => join(directory, name);

const WHOLE = at('whole.csv');
const FIRST = at('first.csv');
const SECOND = at('second.csv');
const EVENTS = 3_000;
const FIRST_EVENTS = 1_300;

const lines = roughTrace(EVENTS, 2, 'small').trimEnd().split('\n');
await writeFile(WHOLE, `${lines.join('\n')}\n`);
await writeFile(FIRST, `${lines.slice(0, 1 + FIRST_EVENTS).join('\n')}\n`);
await writeFile(SECOND, `${[lines[0], ...lines.slice(1 + FIRST_EVENTS)].join('\n')}\n`);

const MACHINE = ['--memory', '96MiB', '--cpus', '4', '-p', 'spb-v2'];

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function spbsim(...args: string[]): Promise<Outcome> {
  const streams = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      streams[name] += String(text);
      return true;
    });
  process.exitCode = 0;
  try {
    await main(['node', 'spbsim', ...args]);
    return { code: Number(process.exitCode ?? 0), ...streams };
  } finally {
    process.exitCode = 0;
    vi.restoreAllMocks();
  }
}

/** The result of a run that succeeds, without what the clock decides. */
async function resultOf(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await spbsim('run', ...args, '--json');
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const { performance: _, ...document } = JSON.parse(stdout);
  return JSON.stringify(document);
}

const whole = await resultOf(WHOLE, ...MACHINE);

beforeEach(() => {
  process.exitCode = 0;
});
afterEach(() => {
  process.exitCode = 0;
});

describe('a run that goes on', () => {
  test.each([
    ['event=1', 'event 1 '],
    ['event=1777', 'event 1,777 '],
    [`event=${EVENTS}`, `event ${EVENTS.toLocaleString('en-US')} `],
    ['time=100ms', 'after event '],
    ['mark=step-1', 'after event '],
  ])('is as the whole, saved at %s', async (point, told) => {
    const file = at('point.state');
    const saving = await spbsim('run', WHOLE, ...MACHINE, '--json', '--save-state', file, '--save-at', point);
    expect(saving.code).toBe(0);
    expect(saving.stderr).toContain(`saved to ${file} (`);
    expect(saving.stderr).toContain(told);
    const { performance: _, ...document } = JSON.parse(saving.stdout);
    expect(JSON.stringify(document) === whole, 'the run that was saved').toBe(true);
    const resuming = await spbsim('run', WHOLE, '--load-state', file);
    expect(resuming.stderr).toMatch(/^resumed at event [\d,]+ \(.* of the trace\) of .*whole\.csv\n$/);
    expect((await resultOf(WHOLE, '--load-state', file)) === whole, 'the run that was resumed').toBe(true);
  });

  test('from a time, from a mark: the events before are those that the option says', async () => {
    const rows = lines.slice(1).map((line) => line.split(','));
    const start = Number(rows[0]![0]);
    const before = rows.filter(([ts]) => Number(ts) < start + 100e6).length;
    const marked = rows.findIndex((cells) => cells[2] === 'mark' && cells[7] === 'step-1') + 1;
    for (const [point, events] of [
      ['time=100ms', before],
      ['mark=step-1', marked],
    ] as const) {
      const saving = ['--save-state', at('where.state'), '--save-at', point];
      const { stderr } = await spbsim('run', WHOLE, ...MACHINE, ...saving);
      expect(stderr).toContain(`after event ${events.toLocaleString('en-US')} (`);
    }
  });

  test('with what follows, is as both traces one behind the other', async () => {
    const file = at('first.state');
    const both = await resultOf(FIRST, SECOND, '--join', 'append', ...MACHINE, '--series', '1s');
    await resultOf(FIRST, ...MACHINE, '--series', '1s', '--save-state', file);
    expect((await resultOf(SECOND, '--load-state', file)) === both).toBe(true);
    const { stderr, stdout } = await spbsim('run', SECOND, '--load-state', file);
    expect(stderr).toMatch(/^\S*second\.csv follows event 1,300 \(.* of the trace\) of \S*first\.csv\n$/);
    // The state says that there is a series.
    expect(stdout).toContain('\nSeries');
  });

  test('in several steps, with each of its parts or with all of them', async () => {
    const [one, two] = [at('step-1.state'), at('step-2.state')];
    const both = await resultOf(FIRST, SECOND, '--join', 'append', ...MACHINE);
    await resultOf(FIRST, ...MACHINE, '--save-state', one);
    const saving = ['--save-state', two, '--save-at', `event=${FIRST_EVENTS + 700}`];
    expect((await resultOf(SECOND, '--load-state', one, ...saving)) === both).toBe(true);
    expect((await resultOf(SECOND, '--load-state', two)) === both, 'the last part').toBe(true);
    expect((await resultOf(FIRST, SECOND, '--load-state', two)) === both, 'all parts').toBe(true);
    const again = await spbsim('run', SECOND, '--load-state', two);
    expect(again.stderr).toMatch(/^resumed at event 2,000 /);
  });

  test('under another name is known by its bytes', async () => {
    const copy = at('copy.csv');
    await writeFile(copy, await readFile(WHOLE));
    await resultOf(WHOLE, ...MACHINE, '--save-state', at('named.state'), '--save-at', 'event=9');
    const { stderr, code } = await spbsim('run', copy, '--load-state', at('named.state'));
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^resumed at event 9 .*copy\.csv\n$/),
    });
  });

  test('of a recording begins with the recorded state, and says so', async () => {
    const recording = 'workloads/fs-churn';
    const file = at('recording.state');
    const saved = await resultOf(recording, '--save-state', file, '--save-at', 'event=60000');
    expect((await resultOf(recording, '--load-state', file)) === saved).toBe(true);
  });

  test('of a generated workload', async () => {
    const input = 'gen:slab-ramp:memory=256MiB,events=4000';
    const file = at('generated.state');
    const saved = await resultOf(
      input,
      '--seed',
      '5',
      '--memory',
      '200MiB',
      '--save-state',
      file,
      '--save-at',
      'event=1500',
    );
    expect((await resultOf(input, '--load-state', file)) === saved).toBe(true);
    const other = await spbsim('run', 'gen:net-softirq:events=1000', '--load-state', file);
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('gen:net-softirq:events=1000 cannot follow');
  });

  test('is packed as its name says, and by itself where it says nothing', async () => {
    const plain = at('plain.state');
    for (const name of ['named.state.zst', 'named.state.gz', 'plain.state'])
      await resultOf(FIRST, ...MACHINE, '--save-state', at(name));
    const packings = ['named.state.zst', 'named.state.gz', 'plain.state'].map(
      async (name) => (await openInput(at(name))).compression,
    );
    expect(await Promise.all(packings)).toEqual(['zstd', 'gzip', 'zstd']);
    const other = await resultOf(SECOND, '--load-state', plain);
    expect((await resultOf(SECOND, '--load-state', at('named.state.gz'))) === other).toBe(true);
  });

  test('is saved with the same bytes each time', async () => {
    await resultOf(FIRST, ...MACHINE, '--save-state', at('once.state'));
    await resultOf(FIRST, ...MACHINE, '--save-state', at('twice.state'));
    expect((await readFile(at('once.state'))).equals(await readFile(at('twice.state')))).toBe(true);
  });
});

describe('options that say otherwise', async () => {
  const file = at('options.state');
  await resultOf(FIRST, ...MACHINE, '--series', '1s', '--seed', '7', '--save-state', file);

  test.each([
    [['-p', 'mainline-6.18'], '--policy mainline-6.18: '],
    [['-p', 'spb-v2', '--set', 'pcp.batch_scale_max=1'], '--set: pcp.batch_scale_max is 1, but '],
    [['--set', 'spb.enabled=false'], '--set: spb.enabled is false, but true in the saved run'],
    [['--memory', '97MiB', '--cpus', '4'], '--memory 97MiB --cpus 4: zones differ'],
    [['--memory', '96MiB', '--cpus', '3'], '--memory 96MiB --cpus 3: cpu_nodes differ'],
    [['--seed', '8'], '--seed: it is 8, but 7 in the saved run'],
    [['--series', '2s'], '--series 2s: it is 2000000000, but 1000000000 in the saved run'],
    [['--from', '1s'], '--from 1s: it is 1000000000, but nothing in the saved run'],
    [['--to', '1s'], '--to 1s: it is 1000000000, but nothing in the saved run'],
    [['--mode', 'pinned'], '--mode pinned can be neither saved nor resumed'],
    [['--save-at', 'event=2000'], '--save-at event=2000: add --save-state FILE'],
    [['--save-state', at('x.state'), '--save-at', 'event=1300'], 'the saved run is past it, at event 1,300'],
    [['--save-state', at('x.state'), '--save-at', 'time=1ms'], 'the saved run is past it, at event 1,300'],
  ])('%j is wrong usage', async (options, message) => {
    const { code, stderr, stdout } = await spbsim('run', SECOND, '--load-state', file, ...options);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trimEnd()).not.toContain('\n');
    expect(existsSync(at('x.state'))).toBe(false);
  });

  test('options that say the same are fine', async () => {
    const same = [...MACHINE, '--series', '1s', '--seed', '7', '--set', 'spb.enabled=true'];
    expect(await resultOf(SECOND, '--load-state', file, ...same)).toBe(
      await resultOf(SECOND, '--load-state', file),
    );
  });

  test.each([
    'event=0',
    'event=',
    'event=1.5',
    'event=1e3',
    'time=0s',
    'time=5',
    'mark=',
    'nonsense',
    '=5',
    '',
  ])('--save-at %j is wrong usage', async (point) => {
    const { code, stderr } = await spbsim('run', FIRST, '--save-state', at('y.state'), '--save-at', point);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `--save-at ${point}: expected event=N, time=1.5s or mark=NAME\n`,
    });
  });

  test('stdout is no place for a state', async () => {
    expect((await spbsim('run', FIRST, '--save-state', '-')).code).toBe(2);
    expect((await spbsim('run', FIRST, '--save-state', at('y.state'), '--mode', 'pinned')).code).toBe(2);
  });
});

describe('what cannot be done', () => {
  test.each(['event=3001', 'time=20h', 'mark=never'])(
    '%s is not reached: exit 3, no file, the result all the same',
    async (point) => {
      const file = at('missed.state');
      const args = ['run', WHOLE, ...MACHINE, '--json', '--save-state', file, '--save-at', point];
      const { code, stderr, stdout } = await spbsim(...args);
      expect({ code, stderr }).toEqual({
        code: 3,
        stderr: `--save-at ${point}: the replay ended before it; nothing was saved\n`,
      });
      const { performance: _, ...document } = JSON.parse(stdout);
      expect(JSON.stringify(document) === whole).toBe(true);
      expect(existsSync(file)).toBe(false);
    },
  );

  test('a trace without events leaves nothing to save', async () => {
    await writeFile(at('empty.csv'), `${lines[0]}\n`);
    const { code, stderr } = await spbsim('run', at('empty.csv'), '--save-state', at('empty.state'));
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: expect.stringContaining('no event was replayed; nothing was saved'),
    });
    expect(existsSync(at('empty.state'))).toBe(false);
  });

  test('a place that is none is told before the run', async () => {
    for (const [path, why] of [
      [at('nowhere/x.state'), 'is in no directory that exists'],
      [directory, 'is a directory'],
    ] as const) {
      const { code, stderr, stdout } = await spbsim('run', WHOLE, '--save-state', path);
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(stderr).toContain(why);
    }
  });

  test('a trace that begins before the end of the saved one does not follow it', async () => {
    await resultOf(SECOND, ...MACHINE, '--save-state', at('second.state'));
    const { code, stderr, stdout } = await spbsim('run', FIRST, '--load-state', at('second.state'));
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('after the start of the saved run, which went on to');
    expect(stderr).toContain('give the inputs that the state was saved from, unchanged and in their order');
  });

  test('no temporary file is left', async () => {
    expect((await readdir(directory)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
