/**
 * The zod schema of a policy file, generated from the knob table: a new knob needs no line here.
 *
 * Loaded only when a file is read or a schema printed; presets and `--set` do not need it.
 */
import { z } from 'zod';
import { KNOB_NAMES, type KnobName } from '../mm/policy.js';
import { KNOB_TABLE } from './knob-text.js';
import { TEXT_LAYOUTS } from './policy-presets.js';

function knobSchema(name: KnobName): z.ZodType {
  const knob = KNOB_TABLE[name];
  const schema = () => {
    switch (knob.type) {
      case 'number':
        return z.int().min(knob.min).max(knob.max);
      case 'boolean':
        return z.boolean();
      case 'enum':
        return z.enum(knob.values as readonly [string, ...string[]]);
      case 'numbers':
        return z.array(z.int().min(0)).length(knob.length);
    }
  };
  const unit = knob.unit === '' ? '' : ` [${knob.unit}]`;
  return schema().describe(`${knob.doc}${unit} (${knob.spec})`);
}

/** Knobs by dotted name. Nested groups are flattened before this is asked. */
export const knobsSchema = z.strictObject(
  Object.fromEntries(KNOB_NAMES.map((name) => [name, knobSchema(name).optional()])),
);

/** The frame of a policy file; its knobs are checked by `knobsSchema` once they are flat. */
export const policyFileSchema = z.strictObject({
  name: z.string().min(1).max(100).optional(),
  extends: z.string().min(1).max(1000).optional(),
  description: z.string().max(1000).optional(),
  text_layout: z.enum(TEXT_LAYOUTS).optional(),
  knobs: z.record(z.string(), z.unknown()).optional(),
});

export const POLICY_FILE_KEYS: readonly string[] = Object.keys(policyFileSchema.shape);
