/** The state of superpageblocks under random operations, for every preset and shape of machine. */
import { describe, expect, test } from 'vitest';
import { POLICY_PRESET_NAMES } from '../../../src/config/policy-presets.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { policyNamed } from '../policies.js';
import { oddMachine, RandomRun } from './random-operations.js';

const OPERATIONS = 100_000;
const EVERY = 5_000;

const presets = POLICY_PRESET_NAMES.filter((name) => name.startsWith('spb-'));

describe.each([1, 2, 4])('on %i nodes with odd edges', (nodes) => {
  test.each(presets)('%s: what is kept is what is found', (name) => {
    const run = new RandomRun(oddMachine(nodes), policyNamed(name), 0x5eed + nodes);
    for (let i = 1; i <= OPERATIONS; i++) {
      run.step();
      if (i % EVERY === 0) validate(run.mm);
    }
    run.time.advance(60_000_000_000);
    validate(run.mm);
    expect(run.mm.spb!.stats.fall_throughs_with_buddy).toBe(0);
  });
});
