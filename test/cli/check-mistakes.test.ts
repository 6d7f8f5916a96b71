/** The mistakes that a user of `spbsim check` makes first: one line each, and no file that was not there before. */
import { cp, mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { spbsimIn } from './spbsim.js';

const FILES: Record<string, string> = {
  'small.csv': 'cpu,op,id,order\n0,alloc,a,0\n1,alloc,b,3\n1,alloc,c,9\n0,free,b,\n',
  'wrong.csv': 'op,id\nalloc,a\nfre,a\n',
  'mine.yaml': 'extends: mainline-6.18\nname: mine\n',
  'same.yaml': 'extends: mainline-6.18\nname: mine\nknobs:\n  pcp.batch_scale_max: 1\n',
  'machine.yaml': 'memory: 64MiB\ncpus: 2\n',
  'machine.txt': 'memory: 64MB\n',
  'unknown-metric.yaml': 'budgets:\n  - alloc_failed == 0\n  - spb_tained <= 1\n',
  'unknown-key.yaml': 'budgts:\n  - spb_tainted <= 1\nbudgets: [spb_tainted <= 1]\n',
  'no-budgets.yaml': 'traces: [small.csv]\n',
  'wrong-entry.yaml': 'budgets:\n  - budget: spb_tainted <= 1\n    wy: x\n',
  'wrong-seeds.yaml': 'seeds: 5..1\nbudgets: [spb_tainted <= 1]\n',
  'no-yaml.yaml': 'budgets: [spb_tainted <= 1\n',
  'no-trace.yaml': 'traces: [none.csv]\nbudgets: [spb_tainted <= 1]\n',
  'twice.yaml': 'traces: [small.csv, ./small.csv]\nbudgets: [spb_tainted <= 1]\n',
  'idle.yaml': 'traces: [small.csv]\nbudgets: [{budget: spb_tainted <= 1, trace: other}]\n',
  'bad-baseline.yaml': 'schema: spbsim.baseline/1\nruns:\n  - trace: small.csv\n',
};

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-check-mistakes-'));
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(directory, name), content);
  await mkdir(join(directory, 'sub'));
  await cp(join(directory, 'small.csv'), join(directory, 'sub', 'small.csv'));
});

describe('mistakes: one line on stderr, nothing on stdout', () => {
  const BUDGET = '--fail-on|pgfree >= 0';
  test.each<[command: string, code: number, line: string]>([
    ['small.csv', 2, "nothing to check: give --budget FILE, or --fail-on 'spb_tainted <= 20'"],
    [BUDGET, 2, 'no trace to check: name one, or list traces in the budget file'],
    [`-|${BUDGET}`, 2, '-: a check replays each trace several times: give it a file'],
    [
      `small.csv|small.csv|${BUDGET}`,
      2,
      'two traces are called small.csv, and budgets could not tell them apart',
    ],
    [`small.csv|sub/small.csv|${BUDGET}`, 2, 'two traces are called small.csv'],
    ['--budget|twice.yaml', 2, 'two traces are called small.csv'],
    [`none.csv|${BUDGET}`, 3, 'none.csv  does not exist; check the path'],
    [`wrong.csv|${BUDGET}`, 3, 'wrong.csv:3:1  op "fre" is not an op; did you mean free?'],
    [`gen:slab-rap|${BUDGET}`, 2, 'there is no workload slab-rap'],
    // metrics and limits
    [
      'small.csv|--fail-on|spb_tained <= 1',
      2,
      '--fail-on "spb_tained" is no metric; did you mean spb_tainted?',
    ],
    [
      'small.csv|--fail-on|unusable_index.Normal <= 1',
      2,
      '--fail-on "unusable_index.Normal" is no metric: unusable_index is written unusable_index.ZONE.ORDER',
    ],
    ['small.csv|--fail-on|spb_tainted', 2, '--fail-on "spb_tainted" is no budget: expected METRIC <= LIMIT'],
    ['small.csv|--fail-on|spb_tainted <= 2x', 2, '--fail-on "2x" is no limit: expected 20, 0.5, 5%'],
    // policies
    [`small.csv|${BUDGET}|--policy|spb-v3`, 2, 'unknown policy "spb-v3"; did you mean spb-v2?'],
    [`small.csv|${BUDGET}|--policy|none.yaml`, 2, 'no such policy file: none.yaml'],
    [`small.csv|${BUDGET}|--policy|mine.yaml|--policy|same.yaml`, 2, 'two policies are called mine'],
    [`small.csv|${BUDGET}|--set|nope=1`, 2, '--set nope=1: unknown knob "nope"'],
    // machines and seeds
    [
      `small.csv|${BUDGET}|--machine|machine.txt`,
      3,
      'machine.txt:1:1  memory 64MB: expected a size with its unit',
    ],
    [
      `small.csv|${BUDGET}|--machine|machine.yaml|--memory|1GiB`,
      2,
      '--machine FILE says all: leave out --memory',
    ],
    [`small.csv|${BUDGET}|--seeds|1..x`, 2, '--seeds 1..x: expected seeds, such as 1..5 or 1,7'],
    // budget files
    ['small.csv|--budget|none.yaml', 2, 'no such budget file: none.yaml'],
    [
      'small.csv|--budget|unknown-metric.yaml',
      2,
      'unknown-metric.yaml:3:5  "spb_tained" is no metric; did you mean spb_tainted?',
    ],
    [
      'small.csv|--budget|unknown-key.yaml',
      3,
      'unknown-key.yaml:1:1  unknown key "budgts"; did you mean budgets?',
    ],
    [
      'small.csv|--budget|no-budgets.yaml',
      3,
      'no-budgets.yaml  is no budget file: expected a mapping with budgets',
    ],
    ['small.csv|--budget|wrong-entry.yaml', 3, 'wrong-entry.yaml:2:5  budgets.0: expected texts such as'],
    ['small.csv|--budget|wrong-seeds.yaml', 2, 'wrong-seeds.yaml: seeds 5..1: expected seeds'],
    ['small.csv|--budget|no-yaml.yaml', 3, 'no-yaml.yaml:2:1  not valid YAML or JSON: '],
    ['small.csv|--budget|small.csv', 3, 'small.csv  is no budget file: expected a mapping with budgets'],
    ['--budget|no-trace.yaml', 3, 'none.csv  does not exist; check the path'],
    ['--budget|idle.yaml', 2, 'no budget is about any of the runs: nothing would be checked'],
    // baselines
    [
      'small.csv|--fail-on|pgfree <= +2%',
      2,
      'a budget is relative to a baseline: name one with --baseline FILE',
    ],
    [
      'small.csv|--fail-on|pgfree <= +2%|--baseline|none.yaml',
      2,
      '--baseline none.yaml: there is no such baseline; write it with --update-baseline',
    ],
    [`small.csv|${BUDGET}|--baseline|bad-baseline.yaml`, 3, 'bad-baseline.yaml:3:5  runs.0.policy: '],
    [`small.csv|${BUDGET}|--update-baseline`, 2, '--update-baseline: say where with --baseline FILE'],
    [
      `small.csv|${BUDGET}|--update-baseline|--baseline|b.yaml|--set|pcp.kind=buddy`,
      2,
      '--update-baseline with --set: what --set changes would be stored as the policy itself',
    ],
    [
      `small.csv|${BUDGET}|--update-baseline|--baseline|nowhere/b.yaml`,
      3,
      'nowhere/b.yaml  is in no directory that exists; create it',
    ],
    // reporters
    [`small.csv|${BUDGET}|--reporter|junt`, 2, '--reporter: "junt" is not a reporter; did you mean junit?'],
    [`small.csv|${BUDGET}|--reporter|junit=`, 2, '--reporter: "junit=" names no file'],
    [
      `small.csv|${BUDGET}|--reporter|junit|--reporter|sarif`,
      2,
      'junit and sarif cannot share standard output',
    ],
    [`small.csv|${BUDGET}|--reporter|text|--json`, 2, 'text and json cannot share standard output'],
    [
      `small.csv|${BUDGET}|--reporter|junit=nowhere/x.xml`,
      3,
      'nowhere/x.xml  is in no directory that exists; create it',
    ],
  ])('check %s', async (command, code, line) => {
    const before = await readdir(directory);
    const result = await spbsimIn(directory, 'check', ...command.split('|'));
    expect(result.stderr.startsWith(line), result.stderr).toBe(true);
    expect(result.stderr.trimEnd()).not.toContain('\n');
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(await readdir(directory)).toEqual(before);
  });
});
