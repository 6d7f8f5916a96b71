/** What docs/gate.md and workloads/ci tell people to copy works as it stands. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readBudgetFile } from '../../src/sim/check/budget-file.js';
import { spbsim } from '../cli/spbsim.js';

interface Workflow {
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: { readonly gate: { readonly steps: readonly { readonly run?: string }[] } };
}

test('the budget file of the page is one', async () => {
  const page = await readFile('docs/gate.md', 'utf8');
  const yaml = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? '';
  const path = join(await mkdtemp(join(tmpdir(), 'spbsim-gate-')), 'budget.yaml');
  await writeFile(path, yaml);
  const { budgets, traces, policies, seeds } = await readBudgetFile(path);
  expect(budgets.map(({ text }) => text)).toEqual(['spb_tainted <= 20', 'unusable_index.Normal.9 <= +2%']);
  expect(traces.map(({ name }) => name)).toEqual([undefined, undefined, 'ramp']);
  expect(policies).toHaveLength(2);
  expect(seeds).toBe('1..3');
});

test('the workflow is YAML, and the check that it runs writes every report that it hands on', async () => {
  const workflow = parse(await readFile('workloads/ci/allocator-gate.yml', 'utf8')) as Workflow;
  const script = workflow.jobs.gate.steps.map(({ run }) => run ?? '').join('\n');
  const command = /^\s*spbsim (check .*)$/m.exec(script)?.[1] ?? '';
  const directory = await mkdtemp(join(tmpdir(), 'spbsim-gate-'));
  const words = command
    .replaceAll('"$BUDGET"', 'workloads/ci/budget.yaml')
    .replaceAll('"$GITHUB_STEP_SUMMARY"', join(directory, 'summary.md'))
    .replaceAll('=out/', `=${directory}/`)
    .split(' ');
  const { code, stdout, stderr } = await spbsim(...words, '--policy', 'spb-v2');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('passed');
  for (const file of ['summary.md', 'junit.xml', 'spbsim.sarif', 'check.json'])
    expect((await readFile(join(directory, file), 'utf8')).length, file).toBeGreaterThan(100);
  expect(script).toContain('npm install --global "$SPBSIM"');
  expect(Object.keys(workflow.env)).toEqual(['SPBSIM', 'BUDGET']);
});
