/** What the A and B of a comparison are: policies, machines, or saved results, told by what they name. */
import { basename } from 'node:path';
import { isFile, isPlainObject, readConfig } from '../config/config-file.js';
import { readMachineFile } from '../config/machine-file.js';
import { POLICY_PRESETS } from '../config/policy-presets.js';
import { type ResolvedPolicy, resolvePolicy } from '../config/resolve-policy.js';
import { UsageError } from '../config/usage-error.js';
import type { DiffResult } from '../report/diff-result.js';
import type { ReplayedSide } from '../sim/diff/run-diff.js';
import { chooseMachine, type MachineOptions } from './machine-options.js';

export type SideKind = 'policy' | 'machine' | 'result';

export interface SideOptions extends MachineOptions {
  readonly setA: readonly string[];
  readonly setB: readonly string[];
}

/** Keys that only a machine file has at its top. */
const MACHINE_KEYS = ['memory', 'zones'];

/** A preset's name means the preset; of a file its contents decide. What is neither is told as a policy's mistake. */
async function sideKind(name: string): Promise<SideKind> {
  if (POLICY_PRESETS.has(name) || !(await isFile(name))) return 'policy';
  const { isSavedResult } = await import('../sim/diff/diff-saved.js');
  if (await isSavedResult(name)) return 'result';
  const { value } = await readConfig(name);
  return isPlainObject(value) && MACHINE_KEYS.some((key) => Object.hasOwn(value, key)) ? 'machine' : 'policy';
}

/** What both are. @throws UsageError if they are of two kinds, or one of them is nothing at all */
export async function kindOfBoth(a: string, b: string): Promise<SideKind> {
  const kinds = [await sideKind(a), await sideKind(b)] as const;
  if (kinds[0] === kinds[1]) return kinds[0];
  for (const [at, name] of [a, b].entries()) if (kinds[at] === 'policy') await resolvePolicy(name, []);
  throw new UsageError(`${a} is a ${kinds[0]} and ${b} a ${kinds[1]}: compare two of the same kind`);
}

function withOverrides({ name, overrides }: ResolvedPolicy): string {
  return [name, ...overrides].join('+');
}

/** Labels that tell the two apart, whatever they are called. */
function distinct(a: string, b: string): [string, string] {
  return a === b ? [`${a} (A)`, `${b} (B)`] : [a, b];
}

/** @throws UsageError, InputError */
export async function replayedSides(
  kind: 'policy' | 'machine',
  a: string,
  b: string,
  options: SideOptions,
): Promise<[ReplayedSide, ReplayedSide]> {
  return kind === 'policy' ? policySides(a, b, options) : machineSides(a, b, options);
}

async function policySides(
  a: string,
  b: string,
  options: SideOptions,
): Promise<[ReplayedSide, ReplayedSide]> {
  if (options.policy !== undefined)
    throw new UsageError(`--policy ${options.policy}: A and B are the policies here, leave it out`);
  const policyA = await resolvePolicy(a, options.set, { option: '--set-a', texts: options.setA });
  const policyB = await resolvePolicy(b, options.set, { option: '--set-b', texts: options.setB });
  const machine = await chooseMachine(options);
  const own = (policy: ResolvedPolicy) =>
    withOverrides({ ...policy, overrides: policy.overrides.slice(options.set.length) });
  const [labelA, labelB] = distinct(own(policyA), own(policyB));
  return [
    { label: labelA, policy: policyA, ...machine },
    { label: labelB, policy: policyB, ...machine },
  ];
}

async function machineSides(
  a: string,
  b: string,
  options: SideOptions,
): Promise<[ReplayedSide, ReplayedSide]> {
  for (const key of ['machine', 'memory', 'nodes', 'cpus'] as const)
    if (options[key] !== undefined)
      throw new UsageError(`--${key}: A and B are the machines here, leave it out`);
  const { build } = await chooseMachine({ build: options.build });
  const side = async (path: string, option: string, texts: readonly string[]) => ({
    policy: await resolvePolicy(options.policy, options.set, { option, texts }),
    machine: await readMachineFile(path),
    machineOrigin: path,
    build,
  });
  const [labelA, labelB] = distinct(basename(a), basename(b));
  return [
    { label: labelA, ...(await side(a, '--set-a', options.setA)) },
    { label: labelB, ...(await side(b, '--set-b', options.setB)) },
  ];
}

/** @throws InputError, UsageError */
export async function savedSides(a: string, b: string, options: SideOptions): Promise<DiffResult> {
  const { policy, machine, memory, nodes, cpus, build } = options;
  const given = [policy, machine, memory, nodes, cpus, build];
  const sets = [...options.set, ...options.setA, ...options.setB];
  if (given.some((option) => option !== undefined) || sets.length > 0)
    throw new UsageError('saved results are compared as they are: leave policy and machine options out');
  const { diffSaved, readSavedResult } = await import('../sim/diff/diff-saved.js');
  const [savedA, savedB] = [await readSavedResult(a), await readSavedResult(b)];
  const label = ({ policy }: typeof savedA.result) => [policy.name, ...policy.overrides].join('+');
  const [policyA, policyB] = [label(savedA.result), label(savedB.result)];
  const labels = policyA === policyB ? distinct(basename(a), basename(b)) : ([policyA, policyB] as const);
  return diffSaved(savedA, savedB, labels);
}
