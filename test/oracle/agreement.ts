/** What the tests of this directory ask of a verification. */
import { expect } from 'vitest';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import type { VerifyBursts, VerifyOrderError, VerifyResult } from '../../src/report/verify-result.js';
import { verifyInput } from '../../src/sim/verify/verify-input.js';
import { POLICY_OF_KERNEL, type ScriptedRun } from './material.js';

/** Verifies under the policy of the kernel that made the input, or under another. */
export async function verify(input: string, policy?: string): Promise<VerifyResult> {
  return verifyInput({
    input,
    policy: policy === undefined ? undefined : await resolvePolicy(policy, []),
    overrides: [],
    check: false,
  });
}

/** Nothing may differ: no PFN, no failure, no list, no counter, no tracepoint. */
export function expectFullAgreement(run: ScriptedRun, result: VerifyResult): void {
  expect(result.first_divergence).toBeNull();
  expect(result.checkpoints.flatMap((checkpoint) => checkpoint.differences)).toEqual([]);
  expect(result).toMatchObject({
    agreement: 1,
    matched: result.compared,
    failures: { matched: result.failures.kernel },
    policy: { name: POLICY_OF_KERNEL[run.kernel] },
  });
  for (const { compared, equal } of result.checkpoints) expect(equal).toBe(compared);

  // That nothing differed must not come from nothing having been compared.
  expect(result.compared).toBeGreaterThan(1000);
  const names = result.checkpoints.map((checkpoint) => checkpoint.name);
  expect(names.filter((name) => name !== 'counts')).toEqual([
    'ckpt1',
    'ckpt2',
    'ckpt3',
    'final',
    'after_freeall',
    ...(run.hasEvents ? ['tracepoints'] : []),
  ]);
  expect(names).toContain('counts');
  for (const { compared } of result.checkpoints) expect(compared).toBeGreaterThan(0);
}

/** Share of the bursts on lists of known content that were predicted in size and in every PFN; 1 where there are none. */
export function predictedBursts(bursts: VerifyBursts): number {
  return bursts.known === 0 ? 1 : bursts.pfn_predicted / bursts.known;
}

/** Pages by which the predicted table is off, every order counted, as a share of the pages that are really free. */
export function buddyinfoError(orders: readonly VerifyOrderError[]): number {
  let off = 0;
  let free = 0;
  for (const { predicted, real, order } of orders) {
    off += Math.abs(predicted - real) * 2 ** order;
    free += real * 2 ** order;
  }
  return off / free;
}
