/**
 * The model against scripted runs of real kernels, in which every PFN and every free list, in list order, is known.
 *
 * Each run gives the kernel's state, a list of allocations and frees with what came of each, and the state at five
 * points on the way. The data and how it was made: workloads/oracle-tools.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { expectFullAgreement, verify } from './agreement.js';
import { BUNDLED, KERNELS, NEEDS_REFERENCE, REFERENCE, scriptedRuns } from './material.js';

describe('the model does what the kernel did, PFN by PFN and list by list, in', () => {
  const runs = scriptedRuns(BUNDLED);

  test.each(runs.map((run) => [run.name, run] as const))('%s', async (_name, run) => {
    expectFullAgreement(run, await verify(run.path));
  });

  test('five small runs and at least one long one of each kernel', () => {
    for (const kernel of KERNELS) {
      const names = runs.filter((run) => run.kernel === kernel).map((run) => run.name);
      expect(names.filter((name) => name.includes('/oracle-micro/'))).toHaveLength(5);
      expect(names.filter((name) => !name.includes('/oracle-micro/')).length).toBeGreaterThanOrEqual(1);
    }
  });
});

describe.skipIf(REFERENCE === undefined)(`and in every other scripted run ${NEEDS_REFERENCE}`, () => {
  const bundled = new Set(scriptedRuns(BUNDLED).map((run) => run.name));
  const runs = scriptedRuns(join(REFERENCE ?? '', 'oracle')).filter((run) => !bundled.has(run.name));

  test('of which there are some', () => {
    expect(runs).not.toEqual([]);
  });

  test.each(runs.map((run) => [run.name, run] as const))('%s', async (_name, run) => {
    expectFullAgreement(run, await verify(run.path));
  });
});
