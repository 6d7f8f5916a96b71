import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { formatKnobValue, isKnobValue, KNOB_TABLE, parseKnobValue } from '../../src/config/knob-text.js';
import { knobsSchema } from '../../src/config/policy-schema.js';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { KNOB_NAMES, type KnobValue } from '../../src/mm/policy.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-policy-'));
});

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

describe('--set', () => {
  test('sets a knob of each type and says where it came from', async () => {
    const { policy, origin, overrides } = await resolvePolicy('mainline-6.18', [
      'pcp.batch_scale_max=4',
      'compaction.enabled=off',
      'fallback.rule=steal',
      'watermark.lowmem_reserve_ratio=256,256,32,0,0',
      'watermark.boost_factor=20_000',
    ]);
    expect(policy['pcp.batch_scale_max']).toBe(4);
    expect(policy['compaction.enabled']).toBe(false);
    expect(policy['fallback.rule']).toBe('steal');
    expect(policy['watermark.lowmem_reserve_ratio']).toEqual([256, 256, 32, 0, 0]);
    expect(policy['watermark.boost_factor']).toBe(20_000);
    expect(origin['pcp.batch_scale_max']).toBe('--set');
    expect(origin['pcp.tuning']).toBe('default');
    expect(overrides).toHaveLength(5);
  });

  test('the last of two wins', async () => {
    const { policy } = await resolvePolicy('mainline-6.18', [
      'pcp.batch_scale_max=1',
      'pcp.batch_scale_max=2',
    ]);
    expect(policy['pcp.batch_scale_max']).toBe(2);
  });

  test.each([
    ['pcp.bacth_scale_max=4', /unknown knob "pcp.bacth_scale_max"; did you mean pcp.batch_scale_max\?/],
    ['batch_scale_max=4', /did you mean pcp.batch_scale_max\?/],
    ['zzz=4', /unknown knob "zzz"; all are listed by: spbsim policy show/],
    ['__proto__=4', /unknown knob/],
    ['pcp.batch_scale_max', /expected knob=value/],
    ['pcp.batch_scale_max=7', /"7" is not a whole number from 0 to 6 \(doublings\)/],
    ['pcp.batch_scale_max=2.5', /"2.5" is not a whole number from 0 to 6/],
    ['pcp.batch_scale_max=', /"" is not a whole number/],
    ['compaction.enabled=maybe', /"maybe" is not true or false/],
    ['fallback.rule=stael', /"stael" is not one of steal, claim/],
    ['watermark.lowmem_reserve_ratio=1,2', /is not 5 whole numbers of at least 0 \(1\/pages\)/],
  ])('%s is refused in one line', async (text, message) => {
    const error = await resolvePolicy('mainline-6.18', [text]).catch((caught: unknown) => caught as Error);
    expect(error).toMatchObject({ name: 'UsageError', message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain('\n');
  });

  test.each(KNOB_NAMES)('%s: what is printed can be given back', (name) => {
    const knob = KNOB_TABLE[name];
    const valuesOf = () => {
      switch (knob.type) {
        case 'number':
          return fc.integer({ min: knob.min, max: Math.min(knob.max, Number.MAX_SAFE_INTEGER) });
        case 'boolean':
          return fc.boolean();
        case 'enum':
          return fc.constantFrom(...knob.values);
        case 'numbers':
          return fc.array(fc.nat(), { minLength: knob.length, maxLength: knob.length });
      }
    };
    fc.assert(
      fc.property(valuesOf() as fc.Arbitrary<KnobValue>, (value) => {
        expect(parseKnobValue(name, formatKnobValue(value))).toEqual(value);
      }),
    );
  });

  test('--set and the schema of files agree on what a value is', () => {
    const value = fc.oneof(
      fc.integer({ min: -2, max: 20 }),
      fc.double(),
      fc.boolean(),
      fc.constantFrom('steal', 'claim', 'auto', 'on', '4'),
      fc.array(fc.integer({ min: -1, max: 300 }), { minLength: 4, maxLength: 6 }),
      fc.constant(null),
    );
    fc.assert(
      fc.property(fc.constantFrom(...KNOB_NAMES), value, (name, candidate) => {
        expect(knobsSchema.safeParse({ [name]: candidate }).success).toBe(isKnobValue(name, candidate));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('names', () => {
  test('an unknown preset names the nearest one', async () => {
    await expect(resolvePolicy('mainlin-6.18')).rejects.toMatchObject({
      name: 'UsageError',
      message: expect.stringContaining('unknown policy "mainlin-6.18"; did you mean mainline-6.18?'),
    });
  });

  test('a missing file is a wrong call, not a wrong file', async () => {
    await expect(resolvePolicy('no/such.yaml')).rejects.toMatchObject({
      name: 'UsageError',
      message: 'no such policy file: no/such.yaml',
    });
  });

  test('names of inherited properties are no presets', async () => {
    await expect(resolvePolicy('constructor')).rejects.toMatchObject({ name: 'UsageError' });
  });
});

describe('policy files', () => {
  test('dotted names and nested groups mean the same, in YAML and JSON', async () => {
    const texts: readonly (readonly [string, string])[] = [
      ['dotted.yaml', 'knobs:\n  pcp.batch_scale_max: 4\n  pcp.tuning: free_factor\n'],
      ['nested.yaml', 'knobs:\n  pcp:\n    batch_scale_max: 4\n    tuning: free_factor\n'],
      ['mixed.yaml', 'knobs:\n  pcp.batch_scale_max: 4\n  pcp: {tuning: free_factor}\n'],
      ['policy.json', '{\n\t"knobs": {"pcp": {"batch_scale_max": 4, "tuning": "free_factor"}}\n}'],
    ];
    const resolved = await Promise.all(
      texts.map(async ([name, text]) => resolvePolicy(await file(name, text))),
    );
    for (const { policy } of resolved) expect(policy).toEqual(resolved[0]!.policy);
    expect(resolved[0]!.policy['pcp.batch_scale_max']).toBe(4);
  });

  test('a file extends a preset, another file extends that one', async () => {
    await file('base.yaml', 'name: base\nextends: mainline-6.1\nknobs: {pcp.batch_scale_max: 4}\n');
    const path = await file('child.yaml', 'name: child\ndescription: a test\nextends: ./base.yaml\nknobs:\n');
    const { name, description, policy, origin, text_layout } = await resolvePolicy(path, [
      'compaction.enabled=false',
    ]);
    expect({ name, description, text_layout }).toEqual({
      name: 'child',
      description: 'a test',
      text_layout: '6.1',
    });
    expect(policy['fallback.rule']).toBe('steal');
    expect(origin['fallback.rule']).toBe('mainline-6.1');
    expect(origin['pcp.batch_scale_max']).toBe('base');
    expect(origin['compaction.enabled']).toBe('--set');
  });

  test('a file without a parent stands on the defaults, and is named by its path', async () => {
    const path = await file('plain.yaml', 'knobs: {}\n');
    const { name, policy } = await resolvePolicy(path);
    expect(name).toBe(path);
    expect(policy).toEqual((await resolvePolicy('mainline-6.18')).policy);
  });

  test('a circle of parents is named', async () => {
    await file('a.yaml', 'extends: ./b.yaml\n');
    await file('b.yaml', 'extends: ./a.yaml\n');
    await expect(resolvePolicy(join(directory, 'a.yaml'))).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringMatching(
        /b\.yaml:1:1 {2}policies extend each other in a circle: .*a\.yaml -> .*b\.yaml -> .*a\.yaml/,
      ),
    });
  });

  test.each([
    [
      'unknown knob',
      'knobs:\n  pcp:\n    bacth_scale_max: 4\n',
      /:3:5 {2}unknown knob "pcp.bacth_scale_max"; did you mean pcp.batch_scale_max\?/,
    ],
    [
      'range',
      'knobs:\n  pcp.batch_scale_max: 9\n',
      /:2:3 {2}pcp.batch_scale_max: 9 is not a whole number from 0 to 6 \(doublings\)/,
    ],
    [
      'type',
      'knobs:\n  pcp.batch_scale_max: "4"\n',
      /:2:3 {2}pcp.batch_scale_max: "4" is not a whole number/,
    ],
    [
      'twice',
      'knobs:\n  pcp.batch_scale_max: 4\n  pcp:\n    batch_scale_max: 5\n',
      /:4:5 {2}knob pcp.batch_scale_max is set twice/,
    ],
    ['group', 'knobs:\n  pcp: 4\n', /:2:3 {2}pcp is a group of knobs, not 4/],
    ['top level', 'nmae: x\n', /:1:1 {2}unknown key "nmae"; did you mean name\?/],
    ['misplaced knob', 'pcp.batch_scale_max: 4\n', /knobs stand under "knobs:"/],
    ['prototype', '{"__proto__": {"name": "x"}, "knobs": {"__proto__": 1}}', /unknown key "__proto__"/],
    ['no mapping', '- 1\n', /is not a policy: expected a mapping with name, extends, description/],
    ['empty', '', /is not a policy/],
    ['syntax', 'knobs: [1\nname: x\n', /:\d+:\d+ {2}not valid YAML or JSON/],
    ['unknown parent', 'extends: mainline-9.9\n', /:1:1 {2}unknown policy "mainline-9.9"/],
    ['missing parent', 'extends: ./none.yaml\n', /:1:1 {2}no such policy file: \.\/none\.yaml/],
  ])('%s: one line with its place', async (name, text, message) => {
    const path = await file(`${name.replace(' ', '-')}-wrong.yaml`, text);
    const error = await resolvePolicy(path).catch((caught: unknown) => caught as Error);
    expect(error).toMatchObject({ name: 'InputError', message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain('\n');
  });

  test('aliases that multiply are refused', async () => {
    const rows = Array.from(
      { length: 9 },
      (_, i) => `x${i + 1}: &x${i + 1} [${Array(9).fill(`*x${i}`).join(', ')}]`,
    );
    const path = await file('bomb.yaml', `x0: &x0 [1]\n${rows.join('\n')}\n`);
    await expect(resolvePolicy(path)).rejects.toMatchObject({ name: 'InputError' });
  });
});
