/**
 * Every way in which an input can be wrong, as a user meets it: the exit code, the line that says what is wrong, where,
 * and what to do, and how much memory it takes to find out. Runs the built program in processes of their own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type BadInput, MEMORY_MB, makeFiles, type Outcome, runIn } from './bad-input.js';
import { ARROW_CASES } from './cases-arrow.js';
import { CONFIG_CASES } from './cases-config.js';
import { CSV_CASES } from './cases-csv.js';
import { FILE_CASES } from './cases-files.js';
import { ORACLE_CASES } from './cases-oracle.js';
import { PACKED_CASES } from './cases-packed.js';
import { RECORDING_CASES } from './cases-recording.js';
import { TEXT_CASES } from './cases-text.js';

const CASES: ReadonlyMap<string, readonly BadInput[]> = new Map([
  ['trace CSV', CSV_CASES],
  ['trace text', TEXT_CASES],
  ['Arrow', ARROW_CASES],
  ['packed', PACKED_CASES],
  ['recordings', RECORDING_CASES],
  ['scripted runs', ORACLE_CASES],
  ['machines and policies', CONFIG_CASES],
  ['files and options', FILE_CASES],
]);

/** What may reach a terminal: text, and line ends. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

async function outcomeOf(bad: BadInput): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'spbsim-bad-'));
  try {
    await makeFiles(directory, bad.files);
    return await runIn(directory, bad.command, bad.stdin);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe.each([...CASES])('%s', { concurrent: true }, (_, cases) => {
  for (const bad of cases) {
    test.skipIf(bad.skip === true)(bad.name, async () => {
      const { code, signal, stdout, stderr, peak_mb } = await outcomeOf(bad);
      const told = stderr.replace(/\n$/, '');
      if (typeof bad.stderr === 'string') expect(told).toBe(bad.stderr);
      else expect(told).toMatch(bad.stderr);
      expect({ code, signal }).toEqual({ code: bad.code, signal: null });
      if (bad.stdout === undefined) expect(stdout).toBe('');
      else expect(stdout).toMatch(bad.stdout);
      expect(UNSAFE.exec(stdout)?.[0], 'in stdout').toBeUndefined();
      expect(UNSAFE.exec(stderr)?.[0], 'in stderr').toBeUndefined();
      expect(peak_mb).toBeLessThan(bad.memory_mb ?? MEMORY_MB);
    });
  }
});

test('there are enough of them, and each has a name of its own', () => {
  const names = [...CASES].flatMap(([kind, cases]) => cases.map(({ name }) => `${kind}: ${name}`));
  expect(names.length).toBeGreaterThanOrEqual(150);
  expect(new Set(names).size).toBe(names.length);
});
