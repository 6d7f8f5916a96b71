/**
 * From a preset's name or a policy file to a complete policy: parents first, then the file, then `--set`.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import { defaultPolicy, KNOB_NAMES, type KnobName, type KnobValue, type Policy } from '../mm/policy.js';
import { isFile, quoteValue, readConfig } from './config-file.js';
import { isKnobName, knobExpectation, parseKnobValue } from './knob-text.js';
import { didYouMean } from './nearest-name.js';
import { checkPolicyFile } from './policy-file.js';
import {
  DEFAULT_POLICY_NAME,
  POLICY_PRESET_NAMES,
  POLICY_PRESETS,
  type PolicyDelta,
  type TextLayout,
} from './policy-presets.js';
import { UsageError } from './usage-error.js';

export interface ResolvedPolicy {
  readonly name: string;
  readonly description: string;
  readonly policy: Policy;
  /** whose `/proc` texts results are printed in; decides nothing in the model */
  readonly text_layout: TextLayout;
  /** where each knob's value comes from: `default`, a preset, a policy file's name, or `--set` */
  readonly origin: Readonly<Record<KnobName, string>>;
  /** the `--set` texts, as given */
  readonly overrides: readonly string[];
}

interface Layer {
  readonly name: string;
  readonly description: string;
  readonly text_layout: TextLayout | undefined;
  readonly knobs: PolicyDelta;
}

/** A name with a directory or an ending of these is meant as a file. */
export function isPolicyPath(text: string): boolean {
  return /[/\\]|\.(ya?ml|json)$/i.test(text);
}

function unknownPolicy(name: string): string {
  if (isPolicyPath(name)) return `no such policy file: ${name}`;
  const known = 'all presets are listed by: spbsim policy list; a file is named by its path';
  return `unknown policy ${quoteValue(name)}${didYouMean(name, POLICY_PRESET_NAMES)} (${known})`;
}

/** Layers from the root parent to `reference`. `fail` makes the error of whoever named the reference. */
async function collectLayers(
  reference: string,
  directory: string,
  below: readonly string[],
  fail: (message: string) => Error,
): Promise<Layer[]> {
  const preset = POLICY_PRESETS.get(reference);
  const path = isAbsolute(reference) ? reference : resolve(directory, reference);
  const key = preset === undefined ? path : reference;
  if (below.includes(key)) {
    throw fail(
      `policies extend each other in a circle: ${[...below.slice(below.indexOf(key)), key].join(' -> ')}`,
    );
  }
  const chain = [...below, key];

  if (preset !== undefined) {
    const parents =
      preset.extends === undefined ? [] : await collectLayers(preset.extends, directory, chain, fail);
    return [
      ...parents,
      {
        name: reference,
        description: preset.description,
        text_layout: preset.text_layout,
        knobs: preset.knobs,
      },
    ];
  }
  if (!(await isFile(path))) throw fail(unknownPolicy(reference));

  // Messages name the file as the user did; only its parents are found relative to it.
  const document = await readConfig(below.length === 0 ? reference : path);
  const file = await checkPolicyFile(document);
  const parent = file.extends ?? DEFAULT_POLICY_NAME;
  const parents = await collectLayers(parent, dirname(path), chain, (message) =>
    document.error(['extends'], `${message}`),
  );
  return [
    ...parents,
    {
      name: file.name ?? reference,
      description: file.description ?? '',
      text_layout: file.text_layout,
      knobs: file.knobs,
    },
  ];
}

/** One `--set` text, `knob=value`. @param option  for messages */
function parseOverride(text: string, option: string): [KnobName, KnobValue] {
  const equals = text.indexOf('=');
  if (equals < 0) throw new UsageError(`${option} ${text}: expected knob=value`);
  const name = text.slice(0, equals).trim();
  if (!isKnobName(name)) {
    const hint = didYouMean(name, KNOB_NAMES) || '; all are listed by: spbsim policy show';
    throw new UsageError(`${option} ${text}: unknown knob ${quoteValue(name)}${hint}`);
  }
  const given = text.slice(equals + 1);
  const value = parseKnobValue(name, given);
  if (value === undefined) {
    throw new UsageError(`${option} ${text}: ${quoteValue(given)} is not ${knobExpectation(name)}`);
  }
  return [name, value];
}

/** Overrides that only one of several policies of a command gets. */
export interface OwnOverrides {
  /** such as --set-a */
  readonly option: string;
  readonly texts: readonly string[];
}

/**
 * Resolves a policy by preset name or file path, and applies `--set` texts in the order given, its own ones last.
 *
 * @throws UsageError       for an unknown name, a missing file, a bad override
 * @throws InputError  for a file whose contents are wrong
 */
export async function resolvePolicy(
  nameOrPath: string = DEFAULT_POLICY_NAME,
  overrides: readonly string[] = [],
  own: OwnOverrides = { option: '--set', texts: [] },
): Promise<ResolvedPolicy> {
  const layers = await collectLayers(nameOrPath, process.cwd(), [], (message) => new UsageError(message));
  const values: Record<KnobName, KnobValue> = { ...defaultPolicy() };
  const origin = Object.fromEntries(KNOB_NAMES.map((name) => [name, 'default'])) as Record<KnobName, string>;
  const apply = (name: KnobName, value: KnobValue, source: string) => {
    values[name] = value;
    origin[name] = source;
  };
  let layout: TextLayout = '6.18';
  for (const layer of layers) {
    layout = layer.text_layout ?? layout;
    for (const [name, value] of Object.entries(layer.knobs)) {
      if (value !== undefined) apply(name as KnobName, value, layer.name);
    }
  }
  for (const text of overrides) apply(...parseOverride(text, '--set'), '--set');
  for (const text of own.texts) apply(...parseOverride(text, own.option), own.option);

  const top = layers.at(-1)!;
  return {
    name: top.name,
    description: top.description,
    policy: values as unknown as Policy,
    text_layout: layout,
    origin,
    overrides: [...overrides, ...own.texts],
  };
}
