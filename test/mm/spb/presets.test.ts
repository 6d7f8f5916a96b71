/** The knobs of superpageblocks as data: what each stands on, and what each preset changes. */
import { describe, expect, test } from 'vitest';
import { POLICY_PRESETS } from '../../../src/config/policy-presets.js';
import { KNOB_NAMES, KNOBS } from '../../../src/mm/policy.js';
import { policyNamed } from '../policies.js';

const own = KNOB_NAMES.filter((name) => /^(spb|shrinker)\./.test(name) || name === 'pcp.kind');

test.each(own)('%s says what it stands on, and where', (name) => {
  expect(KNOBS[name].doc).toMatch(/\b(ATTESTED|INFERRED|DEDUCED)\b/);
  expect(KNOBS[name].spec).toMatch(/^spb \d/);
});

describe('presets', () => {
  const differing = (a: string, b: string) => {
    const [first, second] = [policyNamed(a), policyNamed(b)];
    return KNOB_NAMES.filter((name) => JSON.stringify(first[name]) !== JSON.stringify(second[name]));
  };

  test('spb-v2 switches the series on and changes nothing else of 6.18', () => {
    expect(differing('mainline-6.18', 'spb-v2')).toEqual(['pcp.kind', 'shrinker.model', 'spb.enabled']);
  });

  test.each([
    ['spb-v2-r-a', []],
    ['spb-v2-r-b', ['spb.pass2_needs_tainted_ok']],
    ['spb-v2-r-c', ['spb.pass2_needs_tainted_ok', 'spb.pass3_nofrag_gate']],
    ['spb-v2-noshrink', ['spb.slab_shrink']],
    ['spb-v2-demand-only', ['spb.slab_shrink']],
    ['spb-v2-nodefrag', ['spb.defrag']],
    ['spb-v2-noevac', ['spb.evacuation']],
    ['spb-v2-lists', []],
    ['spb-v2-bitmap', ['spb.selector']],
  ])('%s changes %j of spb-v2', (name, knobs) => {
    expect(differing('spb-v2', name)).toEqual(knobs);
    expect(POLICY_PRESETS.get(name)?.description).not.toBe('');
  });

  test('mainline has none of it', () => {
    for (const name of ['mainline-6.1', 'mainline-6.18', 'mainline-7.2']) {
      const policy = policyNamed(name);
      expect([policy['spb.enabled'], policy['pcp.kind'], policy['shrinker.model']]).toEqual([
        false,
        'classic',
        'none',
      ]);
    }
  });
});
