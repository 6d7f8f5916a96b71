import { describe, expect, test } from 'vitest';
import { isKnobName, isKnobValue, KNOB_TABLE } from '../../src/config/knob-text.js';
import { POLICY_PRESET_NAMES, POLICY_PRESETS } from '../../src/config/policy-presets.js';
import { knobsSchema } from '../../src/config/policy-schema.js';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { defaultPolicy, KNOB_NAMES } from '../../src/mm/policy.js';

describe('the knob table', () => {
  test.each(KNOB_NAMES)('%s is documented, and its default is a value it takes', (name) => {
    const knob = KNOB_TABLE[name];
    expect(name).toMatch(/^[a-z_]+\.[a-z0-9_]+$/);
    expect(knob.doc.length).toBeGreaterThan(0);
    expect(knob.spec).toMatch(/^(page-allocator|gfp|slub|slab-caches|spb) /);
    if (knob.type === 'number' || knob.type === 'numbers') expect(knob.unit).not.toBe('');
    expect(isKnobValue(name, knob.default)).toBe(true);
  });

  test('the schema has every knob, with its documentation', () => {
    expect(Object.keys(knobsSchema.shape)).toEqual([...KNOB_NAMES]);
    expect(knobsSchema.safeParse(defaultPolicy()).success).toBe(true);
  });
});

describe('presets', () => {
  test.each(POLICY_PRESET_NAMES)('%s sets known knobs to values that they take', async (name) => {
    const preset = POLICY_PRESETS.get(name)!;
    for (const [knob, value] of Object.entries(preset.knobs)) {
      expect(isKnobName(knob) && isKnobValue(knob, value), `${knob} = ${value}`).toBe(true);
    }
    expect(knobsSchema.safeParse((await resolvePolicy(name)).policy).success).toBe(true);
  });

  test.each(POLICY_PRESET_NAMES)('%s repeats nothing that its parent already says', async (name) => {
    const preset = POLICY_PRESETS.get(name)!;
    const parent =
      preset.extends === undefined ? defaultPolicy() : (await resolvePolicy(preset.extends)).policy;
    for (const [knob, value] of Object.entries(preset.knobs)) {
      expect(value, knob).not.toEqual(parent[knob as keyof typeof parent]);
    }
  });

  test('mainline-6.18 is the defaults', async () => {
    const { policy, origin, text_layout } = await resolvePolicy('mainline-6.18');
    expect(policy).toEqual(defaultPolicy());
    expect(new Set(Object.values(origin))).toEqual(new Set(['default']));
    expect(text_layout).toBe('6.18');
  });

  test('each kernel prints its own layout, and only 7.2 has a CMA row', async () => {
    expect((await resolvePolicy('mainline-6.1')).text_layout).toBe('6.1');
    expect((await resolvePolicy('mainline-7.2')).text_layout).toBe('7.2');
    expect((await resolvePolicy('mainline-6.1')).policy['cma.compiled']).toBe(false);
    expect((await resolvePolicy('mainline-7.2')).policy['cma.compiled']).toBe(true);
  });
});
