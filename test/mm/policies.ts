/** The presets as plain policies, for tests of the model: no files are read. */
import { POLICY_PRESETS } from '../../src/config/policy-presets.js';
import { defaultPolicy, type Policy } from '../../src/mm/policy.js';

export const POLICY_NAMES = ['mainline-6.1', 'mainline-6.18', 'mainline-7.2'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/** Presets whose per-CPU lists tune their high mark and whose lists always agree with the block types. */
export const CLAIM_POLICY_NAMES = ['mainline-6.18', 'mainline-7.2'] as const satisfies readonly PolicyName[];

/** A preset with its parents' knobs, and with changes of its own where a test needs them. */
export function policyNamed(name: string, changes: Partial<Policy> = {}): Policy {
  const preset = POLICY_PRESETS.get(name);
  if (preset === undefined) throw new RangeError(`no preset ${name}`);
  const parent = preset.extends === undefined ? defaultPolicy() : policyNamed(preset.extends);
  return { ...parent, ...preset.knobs, ...changes };
}
