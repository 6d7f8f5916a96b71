import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { resolvePolicy } from '../../../src/config/resolve-policy.js';
import { NO_BASELINE } from '../../../src/sim/check/baseline-file.js';
import { inlineBudget } from '../../../src/sim/check/budget-file.js';
import { type CheckTrace, runCheck } from '../../../src/sim/check/run-check.js';

function traceOf(trace: string): CheckTrace {
  return { trace, name: trace, machine: undefined, machineOrigin: undefined, machineWords: [] };
}

/** Long enough for several of the replays that must not be made any more. */
const A_WHILE_MS = 1500;

test('a trace that cannot be read ends the whole check: no other replay goes on, and none begins', async () => {
  const broken = join(await mkdtemp(join(tmpdir(), 'spbsim-stop-')), 'broken.csv');
  await writeFile(broken, 'ts,op,id\n0,alloc,a\n1,aloc,b\n');
  const others = Array.from({ length: 20 }, (_, at) =>
    traceOf(`gen:net-softirq:memory=64MiB,cpus=1,events=${200 + at}`),
  );
  let done = 0;
  const policy = await resolvePolicy('mainline-6.18', []);
  const check = runCheck({
    traces: [traceOf(broken), ...others],
    policies: [{ name: policy.name, policy, overrides: [], words: [] }],
    seeds: [1],
    budgets: [inlineBudget('alloc_failed == 0', '--fail-on')],
    budgetPath: null,
    baseline: NO_BASELINE,
    baselinePath: null,
    open: {},
    check: false,
    onProgress: () => done++,
  });
  await expect(check).rejects.toThrow(/broken\.csv:3:/);
  const before = done;
  await setTimeout(A_WHILE_MS);
  expect(done).toBe(before);
  expect(done).toBeLessThan(others.length);
});
