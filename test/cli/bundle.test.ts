/**
 * The bundle that bin/spbsim.js loads: that commands load no more of it than they need, and that V8 takes the stored
 * code, without which it would work as well, only slower, and nobody would notice.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { wrap } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { afterAll, describe, expect, test } from 'vitest';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const BUNDLE = join(REPOSITORY, 'dist/bundle');
const TINY = join(REPOSITORY, 'workloads/csv/first-steps.csv');

const LOADED = '\nloaded: ';
const SHOW_LOADED = `
  const { Bundle } = require(process.argv[1]);
  const bundle = new Bundle(process.argv[2]);
  const main = bundle.load('spbsim.js').main;
  main(['node', 'spbsim', ...process.argv.slice(3)]).then(() => console.log('${LOADED.replace('\n', '\\n')}' + bundle.loaded));
`;

/** Runs a command with the files of `directory`. */
function runWith(directory: string, ...args: string[]): { output: string; loaded: string[] } {
  const loader = join(REPOSITORY, 'bin/load-bundle.js');
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['-e', SHOW_LOADED, loader, directory, ...args],
    { encoding: 'utf8' },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const [output = '', loaded = ''] = stdout.split(LOADED);
  return { output, loaded: loaded.trim().split(',') };
}

const scratch = mkdtempSync(join(tmpdir(), 'spbsim-bundle-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe('what is loaded', () => {
  test('by --help: the command line, nothing that works', () => {
    expect(runWith(BUNDLE, '--help').loaded.sort()).toEqual(['rolldown-runtime.js', 'spbsim.js', 'start.js']);
  });

  test('by a run: nothing of other commands and of files that it does not read', () => {
    const { loaded } = runWith(BUNDLE, 'run', TINY);
    expect(loaded).toContain('run.js');
    const needless = [
      'zod.js',
      'yaml.js',
      'policy-schema.js',
      'machine-schema.js',
      'verify.js',
      'proc-text.js',
    ];
    expect(loaded.filter((name) => needless.includes(name))).toEqual([]);
    expect(loaded.length).toBeLessThanOrEqual(8);
  });

  test('by run --json: no tables and no colours', () => {
    const { loaded } = runWith(BUNDLE, 'run', TINY, '--json');
    expect(loaded.filter((name) => name === 'summary.js' || name === 'chalk.js')).toEqual([]);
  });
});

describe('stored code', () => {
  const stored = readdirSync(BUNDLE).filter((name) => name.endsWith('.v8'));

  test('is there for what a run loads', () => {
    const { loaded } = runWith(BUNDLE, 'run', TINY);
    expect(stored).toEqual(expect.arrayContaining(loaded.map((name) => name.replace(/\.js$/, '.v8'))));
  });

  test.each(stored)('%s is taken by V8', (name) => {
    const source = wrap(readFileSync(join(BUNDLE, name.replace(/\.v8$/, '.js')), 'utf8'));
    const script = new Script(source, { cachedData: readFileSync(join(BUNDLE, name)) });
    expect(script.cachedDataRejected).toBe(false);
  });

  test.each(stored)('%s does not say where it was built', (name) => {
    expect(readFileSync(join(BUNDLE, name)).includes(REPOSITORY)).toBe(false);
  });

  test('can be missing or useless: the output is the same', () => {
    const copy = join(scratch, 'dist/bundle');
    cpSync(BUNDLE, copy, { recursive: true, filter: (path) => !path.endsWith('.v8') });
    copyFileSync(join(REPOSITORY, 'package.json'), join(scratch, 'package.json'));
    const command = ['policy', 'diff', 'mainline-6.1', 'mainline-7.2'];
    const asBuilt = runWith(BUNDLE, ...command).output;
    expect(asBuilt).toContain('pcp.tuning');
    expect(runWith(copy, ...command).output).toBe(asBuilt);
    for (const name of stored) writeFileSync(join(copy, name), 'not from V8');
    expect(runWith(copy, ...command).output).toBe(asBuilt);
  });

  test('of another version of a file is not used', () => {
    const copy = join(scratch, 'changed/dist/bundle');
    cpSync(BUNDLE, copy, { recursive: true, preserveTimestamps: true });
    copyFileSync(join(REPOSITORY, 'package.json'), join(scratch, 'changed/package.json'));
    const file = join(copy, 'start.js');
    // As long as before, which is all that V8 looks at.
    writeFileSync(file, readFileSync(file, 'utf8').replace('Replays kernel', 'REPLAYS KERNEL'));
    const later_s = Date.now() / 1000 + 10;
    utimesSync(file, later_s, later_s);
    expect(runWith(copy, '--help').output).toContain('REPLAYS KERNEL');
  });
});

test('the licence of every package in the bundle comes with it', () => {
  const licences = readFileSync(join(BUNDLE, 'LICENSES.txt'), 'utf8');
  const packages = ['chalk', 'cli-table3', 'commander', 'csv-parse', 'string-width', 'yaml', 'zod'];
  expect(packages.filter((name) => !new RegExp(`^${name} \\d`, 'm').test(licences))).toEqual([]);
  expect(licences).not.toMatch(/Apache/);
});
