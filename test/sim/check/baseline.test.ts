/** Baselines: what is written is what is read, whatever the names, and the text depends on what it says alone. */
import { readFile } from 'node:fs/promises';
import { describe, expect } from 'vitest';
import { parse } from 'yaml';
import { METRIC_FAMILIES } from '../../../src/report/metrics/catalogue.js';
import {
  Baseline,
  type BaselineRun,
  baselineText,
  readBaseline,
  writeBaseline,
} from '../../../src/sim/check/baseline-file.js';
import { HOSTILE_TEXTS } from '../../report/check/sample-check.js';
import { errorOf } from '../../trace/helpers.js';
import { fc, test } from '../../trace/properties.js';
import { fileOf } from '../support.js';

const name = fc
  .oneof(
    fc.string({ minLength: 1 }),
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom(...HOSTILE_TEXTS),
  )
  .filter((text) => text !== '');
const words = fc.constantFrom(
  'true',
  'no',
  'null',
  '~',
  '1',
  '1e3',
  '0x1f',
  '-',
  '- a',
  'a: b',
  '# a',
  '*a',
  '&a',
  '!a',
  '2024-01-01',
);
const metric = fc
  .tuple(fc.constantFrom(...METRIC_FAMILIES), name)
  .map(([family, label]) => [family.name, ...family.labels.map(() => label)].join('.'));
const run: fc.Arbitrary<BaselineRun> = fc.record({
  trace: fc.oneof(name, words),
  policy: fc.oneof(name, words),
  seed: fc.nat(),
  machine: fc.oneof(name, fc.constant('')),
  input_sha256: fc.array(fc.oneof(fc.constant(''), fc.constant('ab'.repeat(32)), words), { maxLength: 3 }),
  metrics: fc.dictionary(
    metric,
    fc.oneof(fc.nat(), fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 })),
    { maxKeys: 6, noNullPrototype: true },
  ),
});
const runs = fc.uniqueArray(run, {
  selector: ({ trace, policy, seed }) => JSON.stringify([trace, policy, seed]),
  maxLength: 5,
});

const key = ({ trace, policy, seed }: BaselineRun) => JSON.stringify([trace, policy, seed]);

test('what is written is read again, and the text is the same whatever the order', async () => {
  await fc.assert(
    fc.asyncProperty(runs, async (all) => {
      const text = baselineText(new Baseline(all));
      const read = await readBaseline(await fileOf('baseline.yaml', text));
      expect(read.runs.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))).toEqual(
        all.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
      );
      expect(baselineText(new Baseline(all.toReversed()))).toBe(text);
      expect(baselineText(read)).toBe(text);
      // Whoever reviews it must see what there is.
      expect(text).not.toMatch(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]|(?!\n)\p{Cc}/u);
    }),
    { numRuns: 300 },
  );
});

const MEASURED: BaselineRun = {
  trace: 'b',
  policy: 'p',
  seed: 2,
  machine: '--memory 1GiB',
  input_sha256: ['ab'],
  metrics: { pgfree: 7, spb_tainted: 3, 'unusable_index.Normal.9': 0.25, 'unusable_index.Normal.10': 0.5 },
};

test('runs in order of their names, metrics in the order of the catalogue, a number in each line', () => {
  const others = [
    { ...MEASURED, trace: 'c', metrics: {} },
    { ...MEASURED, seed: 1, metrics: {} },
    { ...MEASURED, policy: 'a', metrics: {} },
  ];
  const text = baselineText(new Baseline([...others, MEASURED]));
  expect(
    parse(text).runs.map(({ trace, policy, seed }: BaselineRun) => `${trace} ${policy} ${seed}`),
  ).toEqual(['b a 2', 'b p 1', 'b p 2', 'c p 2']);
  expect(baselineText(new Baseline([MEASURED]))).toBe(
    [
      '# Written by spbsim check --update-baseline; limits such as <= +2% are relative to it.',
      'schema: spbsim.baseline/1',
      'runs:',
      '  - trace: b',
      '    policy: p',
      '    seed: 2',
      '    machine: "--memory 1GiB"',
      '    input_sha256: [ab]',
      '    metrics:',
      '      spb_tainted: 3',
      '      unusable_index.Normal.10: 0.5',
      '      unusable_index.Normal.9: 0.25',
      '      pgfree: 7',
      '',
    ].join('\n'),
  );
});

test('with what is measured anew: replaced by its names, and nothing else changes', () => {
  fc.assert(
    fc.property(runs, runs, (old, fresh) => {
      const updated = new Baseline(old).with(fresh);
      const keys = new Set([...old, ...fresh].map(key));
      expect(updated.runs.length).toBe(keys.size);
      for (const measured of fresh) expect(updated.find(measured)).toEqual(measured);
      const kept = old.filter((stored) => !fresh.some((measured) => key(measured) === key(stored)));
      for (const stored of kept) expect(updated.find(stored)).toEqual(stored);
    }),
  );
});

test('the bundled one is as the program would write it', async () => {
  const path = new URL('../../../workloads/ci/baseline.yaml', import.meta.url).pathname;
  const text = await readFile(path, 'utf8');
  expect(baselineText(await readBaseline(path))).toBe(text);
});

describe('files', () => {
  test('a missing one is empty, and written it is there', async () => {
    const path = (await fileOf('x', '')).replace(/x$/, 'new.yaml');
    expect((await readBaseline(path)).runs).toEqual([]);
    await writeBaseline(path, new Baseline([MEASURED]));
    expect((await readBaseline(path)).runs).toEqual([MEASURED]);
  });

  test.each([
    ['schema: spbsim.baseline/2\nruns: []\n', ':1:1  schema: '],
    ['schema: spbsim.baseline/1\n', '  runs: '],
    ['schema: spbsim.baseline/1\nruns: []\nmore: 1\n', '  "'],
    ['schema: spbsim.baseline/1\nruns:\n  - trace: a\n    seed: one\n', ':3:5  runs.0.policy: '],
    ['[]\n', '  "'],
    ['', '  "'],
    ['runs: [\n', ':2:1  not valid YAML'],
  ])('%j is none', async (text, place) => {
    const path = await fileOf('bad-baseline.yaml', text);
    const error = await errorOf(readBaseline(path));
    expect(error.name).toBe('InputError');
    expect(error.message.startsWith(path + place), error.message).toBe(true);
  });
});
