/**
 * `spbsim policy list | show | diff`: what policies there are and what they decide.
 */
import { describeKnobValue, formatKnobValue, KNOB_TABLE, knobExpectation } from '../../config/knob-text.js';
import { POLICY_PRESETS } from '../../config/policy-presets.js';
import { type ResolvedPolicy, resolvePolicy } from '../../config/resolve-policy.js';
import { KNOB_NAMES, type KnobName, type KnobValue } from '../../mm/policy.js';
import { jsonText } from '../../report/result-json.js';
import { resultPolicy } from '../../report/result-policy.js';
import { printable } from '../../report/sanitize.js';
import { terminalStyle } from '../../report/text-style.js';
import { textTable } from '../../report/text-table.js';
import { print } from '../output.js';

/** `policy list` */
export async function policyListCommand(options: { readonly json?: true }): Promise<void> {
  const presets = [...POLICY_PRESETS].map(([name, preset]) => ({
    name,
    extends: preset.extends ?? null,
    knobs_changed: Object.keys(preset.knobs).length,
    description: preset.description,
  }));
  if (options.json) return print(jsonText(presets));
  const style = await terminalStyle();
  const rows = presets.map((preset) => [
    preset.name,
    preset.extends ?? '',
    String(preset.knobs_changed),
    preset.description,
  ]);
  const head = ['policy', 'extends', 'knobs', 'description'].map(style.heading);
  const table = textTable({ head, rows, left: [0, 1, 3] });
  await print(`${table.join('\n')}\n\n${KNOB_NAMES.length} knobs in all: spbsim policy show NAME\n`);
}

/** A scalar that both YAML and a reader take for what it is. */
function yamlValue(value: KnobValue): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

/** A one-line text in quotes where YAML would misread it bare. */
function yamlText(text: string): string {
  return JSON.stringify(printable(text));
}

/** The resolved document as a policy file that stands alone: what it prints can be saved, changed and given back. */
function policyYaml(resolved: ResolvedPolicy, docs: boolean): string {
  const lines = [
    `name: ${yamlText(resolved.name)}`,
    `description: ${yamlText(resolved.description)}`,
    `text_layout: "${resolved.text_layout}"`,
    'knobs:',
  ];
  let group = '';
  for (const name of KNOB_NAMES) {
    const knob = KNOB_TABLE[name];
    const ownGroup = name.slice(0, name.indexOf('.'));
    if (docs && group !== '' && ownGroup !== group) lines.push('');
    group = ownGroup;
    if (docs) lines.push(`  # ${knob.doc} (${knob.spec})`, `  # ${knobExpectation(name)}`);
    const origin = resolved.origin[name];
    const unit = !docs && knob.unit !== '' ? knob.unit : '';
    const comment = [unit, origin === 'default' ? '' : `from ${printable(origin)}`].filter(
      (text) => text !== '',
    );
    lines.push(
      `  ${name}: ${yamlValue(resolved.policy[name])}${comment.length > 0 ? `  # ${comment.join('; ')}` : ''}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

export interface PolicyShowOptions {
  readonly json?: true;
  readonly docs?: true;
  readonly set: readonly string[];
}

/** `policy show` */
export async function policyShowCommand(name: string | undefined, options: PolicyShowOptions): Promise<void> {
  const resolved = await resolvePolicy(name, options.set);
  if (options.json) return print(jsonText({ ...resultPolicy(resolved), origin: resolved.origin }));
  await print(policyYaml(resolved, options.docs ?? false));
}

function differing(a: ResolvedPolicy, b: ResolvedPolicy): KnobName[] {
  return KNOB_NAMES.filter((name) => formatKnobValue(a.policy[name]) !== formatKnobValue(b.policy[name]));
}

/** `policy diff` */
export async function policyDiffCommand(
  first: string,
  second: string,
  options: { readonly json?: true },
): Promise<void> {
  const a = await resolvePolicy(first);
  const b = await resolvePolicy(second);
  const names = differing(a, b);
  if (options.json) {
    const rows = names.map((name) => ({
      knob: name,
      [a.name]: a.policy[name],
      [b.name]: b.policy[name],
      unit: KNOB_TABLE[name].unit,
      doc: KNOB_TABLE[name].doc,
      spec: KNOB_TABLE[name].spec,
    }));
    return print(jsonText(rows));
  }
  if (names.length === 0)
    return print(`${printable(a.name)} and ${printable(b.name)} decide everything alike\n`);
  const style = await terminalStyle();
  const rows = names.map((name) => [
    name,
    describeKnobValue(name, a.policy[name]),
    describeKnobValue(name, b.policy[name]),
    style.dim(KNOB_TABLE[name].spec),
  ]);
  const head = ['knob', printable(a.name), printable(b.name), 'see'].map(style.heading);
  const table = textTable({ head, rows, left: [0, 1, 2, 3] });
  const same = KNOB_NAMES.length - names.length;
  await print(
    `${table.join('\n')}\n\n${names.length} ${names.length === 1 ? 'knob differs' : 'knobs differ'}, ${same} are equal   (what they mean: policy show --docs)\n`,
  );
}
