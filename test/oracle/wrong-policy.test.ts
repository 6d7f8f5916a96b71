/**
 * The other half of the proof: under the rules of another kernel, or with one knob changed, the same runs must not
 * agree. Each case runs in a process of its own, as a user would start it.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { VerifyResult } from '../../src/report/verify-result.js';
import { type Outcome, spbsim } from '../cli/spbsim.js';
import { BUNDLED, KERNELS, type Kernel, POLICY_OF_KERNEL } from './material.js';

/** Dense in fallbacks, so that no rule of one can stay unused. */
const FALLBACKS = 'oracle-micro/high_order_steal-3.jsonl.xz';

function verifyUnder(kernel: Kernel, run: string, ...options: string[]): Promise<Outcome> {
  return spbsim('verify', join(BUNDLED, kernel, run), ...options);
}

describe('a run of one kernel does not agree with the rules of another:', () => {
  const pairs = KERNELS.flatMap((kernel) =>
    KERNELS.filter((other) => other !== kernel).map((other) => [kernel, POLICY_OF_KERNEL[other]] as const),
  );

  test.each(pairs)('%s under %s', async (kernel, policy) => {
    const { code, stdout } = await verifyUnder(kernel, FALLBACKS, '--policy', policy, '--json');
    expect(code).toBe(1);
    const result = JSON.parse(stdout) as VerifyResult;
    expect(result.agreement).toBeLessThan(0.95);
    const first = result.first_divergence!;
    expect(first.index).toBeLessThan(result.operations);
    expect(first.kernel).not.toBe(first.model);
    // What the model did instead, then the state of each zone at that point.
    expect(first.context[0]).toMatch(/^the model did: /);
    expect(first.context[1]).toMatch(/^node 0 DMA: pcp count \d+ high \d+ batch \d+, nr_free_pages \d+/);
  });
});

describe('one changed knob is found:', () => {
  test.each([
    ['7.2.12', 'pcp.batch_scale_max=4'],
    ['7.2.12', 'pcp.drain_type=cached'],
    ['7.2.12', 'zonelist.below_high=false'],
    ['6.18.2', 'pcp.batch_scale_max=4'],
    ['6.18.2', 'fallback.rule=steal'],
    ['6.18.2', 'watermark.boost_factor=0'],
    ['6.1.192', 'fallback.rule=claim'],
    ['6.1.192', 'pcp.drain_type=pageblock'],
    ['6.1.192', 'pcp.tuning=auto_high'],
  ] as const)('%s with %s', async (kernel, knob) => {
    const { code, stdout } = await verifyUnder(kernel, FALLBACKS, '--set', knob);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}first {11}op [\d,]+ {2}alloc order \d+ .* kernel .*, model /m);
    expect(stdout).toMatch(/^model differs from the kernel: policy mainline-[\d.]+ --set /m);
  });
});

test('the default is judged strictly, --min-agreement by its own measure', async () => {
  const strict = await verifyUnder('7.2.12', FALLBACKS, '--set', 'pcp.batch_scale_max=4');
  const lenient = await verifyUnder(
    '7.2.12',
    FALLBACKS,
    '--set',
    'pcp.batch_scale_max=4',
    '--min-agreement',
    '10%',
  );
  expect([strict.code, lenient.code]).toEqual([1, 0]);
});
