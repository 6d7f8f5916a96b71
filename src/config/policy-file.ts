/**
 * Policy files: a name, a parent and the knobs in which they differ.
 *
 * Knobs may be written with dotted names or in nested groups; both forms may be mixed, but no knob set twice.
 */
import { KNOB_NAMES } from '../mm/policy.js';
import { type ConfigDocument, isPlainObject, quoteValue } from './config-file.js';
import { isKnobName, knobExpectation } from './knob-text.js';
import { didYouMean } from './nearest-name.js';
import type { PolicyDelta, TextLayout } from './policy-presets.js';

export interface PolicyFile {
  readonly name?: string | undefined;
  readonly extends?: string | undefined;
  readonly description?: string | undefined;
  readonly text_layout?: TextLayout | undefined;
  readonly knobs: PolicyDelta;
}

interface FlatKnob {
  readonly value: unknown;
  /** keys that lead to it in the file */
  readonly keys: readonly string[];
}

const GROUP_PREFIXES: ReadonlySet<string> = new Set(
  KNOB_NAMES.flatMap((name) => {
    const parts = name.split('.');
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'));
  }),
);

function flattenKnobs(document: ConfigDocument, knobs: Record<string, unknown>): Map<string, FlatKnob> {
  const flat = new Map<string, FlatKnob>();
  const walk = (group: Record<string, unknown>, prefix: string, above: readonly string[]) => {
    for (const [key, value] of Object.entries(group)) {
      const name = prefix + key;
      const keys = [...above, key];
      if (isKnobName(name)) {
        if (flat.has(name)) throw document.error(keys, `knob ${name} is set twice`);
        flat.set(name, { value, keys });
      } else if (GROUP_PREFIXES.has(name) && isPlainObject(value)) {
        walk(value, `${name}.`, keys);
      } else if (GROUP_PREFIXES.has(name)) {
        throw document.error(keys, `${name} is a group of knobs, not ${quoteValue(value)}`);
      } else {
        throw document.error(keys, `unknown knob ${quoteValue(name)}${didYouMean(name, KNOB_NAMES)}`);
      }
    }
  };
  walk(knobs, '', ['knobs']);
  return flat;
}

/** Checks a parsed policy file. Throws a one-line InputError for the first thing that is wrong. */
export async function checkPolicyFile(document: ConfigDocument): Promise<PolicyFile> {
  const { POLICY_FILE_KEYS, knobsSchema, policyFileSchema } = await import('./policy-schema.js');
  const { value } = document;
  if (!isPlainObject(value)) {
    throw document.error([], `is not a policy: expected a mapping with ${POLICY_FILE_KEYS.join(', ')}`);
  }
  for (const key of Object.keys(value)) {
    if (POLICY_FILE_KEYS.includes(key)) continue;
    const misplaced = isKnobName(key) || GROUP_PREFIXES.has(key);
    const remedy = misplaced ? '; knobs stand under "knobs:"' : didYouMean(key, POLICY_FILE_KEYS);
    throw document.error([key], `unknown key ${quoteValue(key)}${remedy}`);
  }
  // `knobs:` with nothing under it is YAML's null.
  const frame = policyFileSchema.safeParse({ ...value, knobs: value.knobs ?? {} });
  if (!frame.success) {
    const [issue] = frame.error.issues;
    const keys = issue!.path as string[];
    throw document.error(keys, `${keys.join('.')}: ${issue!.message}`);
  }

  // As they stand in the file: the schema's copy has lost keys such as __proto__.
  const flat = flattenKnobs(document, isPlainObject(value.knobs) ? value.knobs : {});
  const checked = knobsSchema.safeParse(
    Object.fromEntries([...flat].map(([name, knob]) => [name, knob.value])),
  );
  if (!checked.success) {
    const name = String(checked.error.issues[0]!.path[0]);
    const knob = flat.get(name);
    if (knob === undefined || !isKnobName(name)) throw checked.error;
    throw document.error(knob.keys, `${name}: ${quoteValue(knob.value)} is not ${knobExpectation(name)}`);
  }
  return { ...frame.data, knobs: checked.data as PolicyDelta };
}
