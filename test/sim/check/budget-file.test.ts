/** Budget files: what may stand in them, and every mistake with its place. */
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readBudgetFile } from '../../../src/sim/check/budget-file.js';
import { errorOf } from '../../trace/helpers.js';
import { fileOf } from '../support.js';

async function read(text: string) {
  return readBudgetFile(await fileOf('budget.yaml', text));
}

test('everything that it may say; paths are relative to it', async () => {
  const file = await read(
    [
      'baseline: base.yaml',
      'policies: [spb-v2, sub/mine.yaml, other.yaml]',
      'set: [pcp.batch_scale_max=1]',
      'seeds: 1..3',
      'memory: 2GiB',
      'nodes: 1',
      'cpus: 4',
      'traces:',
      '  - a.csv',
      '  - gen:slab-ramp:memory=1GiB',
      '  - {trace: ../b.csv, name: b, machine: m.yaml}',
      'budgets:',
      '  - spb_tainted <= 20',
      '  - {budget: max(pgfree) <= +2%, trace: "a*", policy: spb-v2, seed: 2, why: because}',
      '',
    ].join('\n'),
  );
  const directory = dirname(file.path);
  expect(file).toMatchObject({
    baseline: join(directory, 'base.yaml'),
    policies: ['spb-v2', join(directory, 'sub/mine.yaml'), join(directory, 'other.yaml')],
    set: ['pcp.batch_scale_max=1'],
    seeds: '1..3',
    memory: '2GiB',
    nodes: 1,
    cpus: 4,
    machine: undefined,
  });
  expect(file.traces).toEqual([
    { trace: join(directory, 'a.csv'), name: undefined },
    { trace: 'gen:slab-ramp:memory=1GiB', name: undefined },
    expect.objectContaining({
      trace: join(directory, '../b.csv'),
      name: 'b',
      machine: join(directory, 'm.yaml'),
    }),
  ]);
  expect(file.budgets).toMatchObject([
    { text: 'spb_tainted <= 20', place: { line: 13, column: 5 }, trace: undefined, why: null },
    {
      metric: 'pgfree',
      over_seeds: 'max',
      limit: { kind: 'share', value: 0.02 },
      place: { file: file.path, line: 14, column: 6 },
      trace: 'a*',
      policy: 'spb-v2',
      seed: 2,
      why: 'because',
    },
  ]);
});

test('JSON is YAML, and a lone seed is a text like 1..5', async () => {
  const file = await read('{"seeds": 7, "budgets": ["pgfree >= 0"]}');
  expect(file.seeds).toBe('7');
  expect(file.budgets).toHaveLength(1);
});

test('anchors and aliases', async () => {
  const file = await read(
    'budgets:\n  - &one {budget: pgfree >= 0, why: &why "x"}\n  - *one\n  - {budget: spb_tainted <= 1, why: *why}\n',
  );
  expect(file.budgets.map(({ metric, why }) => [metric, why])).toEqual([
    ['pgfree', 'x'],
    ['pgfree', 'x'],
    ['spb_tainted', 'x'],
  ]);
});

const BUDGETS = 'budgets: [pgfree >= 0]\n';

describe('mistakes', () => {
  test.each<[name: string, text: string, error: 'InputError' | 'UsageError', told: string]>([
    [
      'no file of that kind',
      'memory: 4GiB\n',
      'InputError',
      '  is no budget file: expected a mapping with budgets',
    ],
    ['a list', '- pgfree >= 0\n', 'InputError', '  is no budget file'],
    ['nothing', '', 'InputError', '  is no budget file'],
    ['a text', 'pgfree >= 0\n', 'InputError', '  is no budget file'],
    ['no YAML', 'budgets: [\n', 'InputError', ':2:1  not valid YAML or JSON'],
    ['a tab', 'budgets:\n\t- a\n', 'InputError', ':2:1  not valid YAML or JSON'],
    ['a key twice', `${BUDGETS}${BUDGETS}`, 'InputError', ':2:1  not valid YAML or JSON'],
    [
      'an unknown key',
      `${BUDGETS}polices: [a]\n`,
      'InputError',
      ':2:1  unknown key "polices"; did you mean policies?',
    ],
    ['__proto__', `${BUDGETS}__proto__: {policies: [a]}\n`, 'InputError', ':2:1  unknown key "__proto__"'],
    ['constructor', `${BUDGETS}constructor: 1\n`, 'InputError', ':2:1  unknown key "constructor"'],
    [
      '__proto__ in an entry',
      'budgets:\n  - {budget: pgfree >= 0, __proto__: {why: x}}\n',
      'InputError',
      ':2:5  budgets.0: expected texts',
    ],
    [
      '__proto__ in a trace',
      `${BUDGETS}traces:\n  - {trace: a, __proto__: {name: x}}\n`,
      'InputError',
      ':3:5  traces.0: expected paths',
    ],
    ['an alias without anchor', 'budgets: [*a]\n', 'InputError', '  not valid YAML: Unresolved alias'],
    [
      'aliases that multiply',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nd: [${'*c,'.repeat(9)}]\n${BUDGETS}`,
      'InputError',
      '  not valid YAML: ',
    ],
    ['an anchor inside itself', 'budgets: &a [*a]\n', 'InputError', ':1:'],
    ['no budget at all', 'budgets: []\n', 'InputError', ':1:1  budgets: expected texts'],
    ['budgets that are no list', 'budgets: pgfree >= 0\n', 'InputError', ':1:1  budgets: expected texts'],
    [
      'a number for a budget',
      'budgets:\n  - pgfree >= 0\n  - 7\n',
      'InputError',
      ':3:5  budgets.1: expected texts',
    ],
    [
      'an unknown key in an entry',
      'budgets:\n  - {budget: pgfree >= 0, wy: x}\n',
      'InputError',
      ':2:5  budgets.0: expected texts',
    ],
    [
      'a seed below 0',
      'budgets:\n  - {budget: pgfree >= 0, seed: -1}\n',
      'InputError',
      ':2:27  budgets.0.seed: expected texts',
    ],
    ['a number for a trace', `${BUDGETS}traces: [7]\n`, 'InputError', ':2:10  traces.0: expected paths'],
    ['no policies', `${BUDGETS}policies: []\n`, 'InputError', ':2:1  policies: expected names'],
    ['a number for a knob', `${BUDGETS}set: [1]\n`, 'InputError', ':2:7  set.0: expected texts such as'],
    ['no CPUs', `${BUDGETS}cpus: 0\n`, 'InputError', ':2:1  cpus: expected a whole number of at least 1'],
    ['half a node', `${BUDGETS}nodes: 0.5\n`, 'InputError', ':2:1  nodes: expected a whole number'],
    ['a list of seeds', `${BUDGETS}seeds: [1, 2]\n`, 'InputError', ':2:1  seeds: expected a seed, or a text'],
    ['a number for a size', `${BUDGETS}memory: 4\n`, 'InputError', ':2:1  memory: expected a text'],
    ['an empty path', `${BUDGETS}baseline: ""\n`, 'InputError', ':2:1  baseline: expected a text'],
    [
      'an unknown metric',
      'budgets:\n  - pgfree >= 0\n  - pgfre >= 0\n',
      'UsageError',
      ':3:5  "pgfre" is no metric; did you mean pgfree?',
    ],
    [
      'one in an entry',
      'budgets:\n  - why: x\n    budget: pgfre >= 0\n',
      'UsageError',
      ':3:5  "pgfre" is no metric',
    ],
    [
      'no budget as text',
      'budgets: ["pgfree"]\n',
      'UsageError',
      ':1:11  "pgfree" is no budget: expected METRIC <= LIMIT',
    ],
    ['no limit', 'budgets: ["pgfree >= many"]\n', 'UsageError', ':1:11  "many" is no limit'],
  ])('%s', async (_, text, name, told) => {
    const path = await fileOf('budget.yaml', text);
    const error = await errorOf(readBudgetFile(path));
    expect(error.name).toBe(name);
    expect(error.message.startsWith(path + told), error.message).toBe(true);
    expect(error.message).not.toContain('\n');
    expect(error.message.length).toBeLessThan(900 + path.length);
  });

  test('a missing file, and a directory', async () => {
    for (const path of ['none.yaml', '.']) {
      const error = await errorOf(readBudgetFile(path));
      expect({ name: error.name, message: error.message }).toEqual({
        name: 'UsageError',
        message: `no such budget file: ${path}`,
      });
    }
  });

  test('a file of more than 4 MiB is not parsed; one of nearly that is', async () => {
    const long = await errorOf(read(`${BUDGETS}#${'x'.repeat(4 << 20)}\n`));
    expect(long.name).toBe('InputError');
    expect(long.message).toContain('a configuration file has at most 4194304');
    const file = await read(`${BUDGETS}#${'x'.repeat((4 << 20) - 100)}\n`);
    expect(file.budgets).toHaveLength(1);
    const name = await errorOf(read(`${BUDGETS}"${'y'.repeat(1000)}": 1\n`));
    expect(name.message).toContain('unknown key "y');
    expect(name.message.length).toBeLessThan(1000);
  });

  test('keys that look like a prototype change nothing for other objects', async () => {
    await errorOf(read(`${BUDGETS}__proto__: {polluted: 1}\n`));
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
