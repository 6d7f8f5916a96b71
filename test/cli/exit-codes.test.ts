import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { POLICY_PRESET_NAMES } from '../../src/config/policy-presets.js';
import { jsonSchema } from '../../src/report/json-schema.js';
import { spbsim, spbsimIntoClosedPipe } from './spbsim.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-cli-'));
  await writeFile(join(directory, 'range.yaml'), 'knobs:\n  pcp.batch_scale_max: 9\n');
  await writeFile(join(directory, 'machine.yaml'), 'memory: 4GB\n');
});

describe('0: done', () => {
  test.each([
    [['--version'], /^\d+\.\d+\.\d+\n$/],
    [['--help'], /^Examples:/],
    [['run', '--help'], /^Examples:/],
    [['policy', 'list'], /^policy +extends +knobs +description\nmainline-6.1 +mainline-6.18 +\d+ {2}/],
    [['policy', 'diff', 'mainline-6.18', 'mainline-6.18'], /decide everything alike/],
    [
      ['policy', 'diff', 'mainline-6.18', 'mainline-7.2'],
      /pcp.drain_chunks +one_call +batch +page-allocator 3.3, 10a.1\n/,
    ],
  ])('%j', async (args, stdout) => {
    expect(await spbsim(...args)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(stdout),
    });
  });

  test.each(POLICY_PRESET_NAMES)('policy show %s prints a policy file that means the same', async (name) => {
    const shown = await spbsim('policy', 'show', name, '--docs');
    expect(shown.code).toBe(0);
    const path = join(directory, `${name}.yaml`);
    await writeFile(path, shown.stdout);
    const { stdout } = await spbsim('policy', 'show', path, '--json');
    const { knobs, text_layout } = JSON.parse(stdout) as { knobs: unknown; text_layout: string };
    expect({ knobs, text_layout }).toEqual({
      knobs: parse(shown.stdout).knobs,
      text_layout: parse(shown.stdout).text_layout,
    });
    if (name.startsWith('mainline-')) expect(text_layout).toBe(name.slice(9));
    expect((await spbsim('policy', 'diff', name, path)).stdout).toContain('decide everything alike');
  });

  test.each(['result', 'verify'] as const)('schema %s', async (name) => {
    const { code, stdout } = await spbsim('schema', name);
    expect({ code, schema: JSON.parse(stdout) }).toEqual({ code: 0, schema: jsonSchema(name) });
  });

  test('schema --write-all', async () => {
    const target = join(directory, 'schema');
    expect((await spbsim('schema', '--write-all', target)).code).toBe(0);
    const text = await readFile(join(target, 'spbsim.result-1.json'), 'utf8');
    expect(JSON.parse(text)).toEqual(jsonSchema('result'));
  });

  test('a reader that leaves early is no error', async () => {
    expect(await spbsimIntoClosedPipe('schema', 'result')).toEqual({ code: 0, stderr: '' });
  });
});

describe('2: wrong usage, in one line', () => {
  test.each([
    [['run', 'x', '--polcy', 'y'], "unknown option '--polcy'; did you mean --policy?"],
    [['runn'], "unknown command 'runn'; did you mean run?"],
    [['run'], "missing required argument 'trace'"],
    [['run', 'x', '--policy', 'mainlin-7.2'], 'unknown policy "mainlin-7.2"; did you mean mainline-7.2?'],
    [['run', 'x', '--policy', 'none.yaml'], 'no such policy file: none.yaml'],
    [['run', 'x', '--set', 'pcp.bacth_scale_max=3'], 'did you mean pcp.batch_scale_max?'],
    [['run', 'x', '--set', 'pcp.batch_scale_max=9'], '"9" is not a whole number from 0 to 6 (doublings)'],
    [['run', 'x', '--memory', '4GB'], '--memory 4GB: expected a size with its unit'],
    [['run', 'x', '--memory', '64MiB', '--nodes', '8'], 'each of 8 node(s) needs at least 32 MiB'],
    [['run', 'x', '--nodes', '2'], 'add --memory'],
    [['run', 'x', '--machine', 'm.yaml', '--memory', '4GiB'], 'leave out --memory'],
    [['run', 'x', '--machine', 'none.yaml'], 'no such machine file: none.yaml'],
    [['run', 'x', '--mode', 'fre'], '--mode fre: expected free or pinned'],
    [['run', 'x', '--from', '2s', '--to', '1s'], 'nothing lies between'],
    [['run', 'x', '--series', '0s'], 'expected a time above 0'],
    [['run', 'x', '--series', '5'], '--series 5: expected a time with its unit'],
    [['run', 'x', '--max-errors', '0'], '--max-errors 0: expected a whole number of at least 1'],
    [['run', 'x', '--seed', '-1'], '--seed'],
    [['verify', 'x', '--min-agreement', '2'], '--min-agreement 2: expected 0 to 1'],
    [['verify', 'x', '--set', 'nope=1'], 'unknown knob "nope"'],
    [['import', 'x'], "required option '-o, --output <file>' not specified"],
    [
      ['import', 'x', '-o', 'x.txt'],
      '-o x.txt: expected a name ending in .csv, .arrow or .arrows (also .gz, .zst), or say --format',
    ],
    [['import', 'x', '-o', 'x.csv', '--kernel', '5.10'], '--kernel 5.10: expected 6.1 or 6.18 or 7.2'],
    [['policy', 'show', 'nope'], 'unknown policy "nope"'],
    [['policy', 'lst'], "unknown command 'lst'; did you mean list?"],
    [['schema', 'resul'], 'expected result or verify'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await spbsim(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  test('no command at all shows what there is', async () => {
    const { code, stderr } = await spbsim();
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: spbsim [options] [command]');
  });
});

describe('3: invalid files, in one line with its place', () => {
  test('policy', async () => {
    const path = join(directory, 'range.yaml');
    expect(await spbsim('run', 'x', '--policy', path)).toEqual({
      code: 3,
      stdout: '',
      stderr: `${path}:2:3  pcp.batch_scale_max: 9 is not a whole number from 0 to 6 (doublings)\n`,
    });
  });

  test('machine', async () => {
    const { code, stderr } = await spbsim('run', 'x', '--machine', join(directory, 'machine.yaml'));
    expect(code).toBe(3);
    expect(stderr).toMatch(/machine.yaml:1:1 {2}memory 4GB: expected a size with its unit.*\n$/);
  });
});

test('no colour where there is no terminal', async () => {
  expect((await spbsim('policy', 'list')).stdout).not.toContain('\u001b');
});
