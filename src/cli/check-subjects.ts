/** What a check replays: the traces and policies of the command line, or else those of the budget file. */
import { basename, resolve } from 'node:path';
import { DEFAULT_POLICY_NAME } from '../config/policy-presets.js';
import { resolvePolicy } from '../config/resolve-policy.js';
import { UsageError } from '../config/usage-error.js';
import type { BudgetFile, BudgetTrace, MachineKeys } from '../sim/check/budget-file.js';
import type { CheckPolicy, CheckTrace } from '../sim/check/run-check.js';
import { isGenerated } from '../sim/generated-name.js';
import { chooseMachine } from './machine-options.js';

export interface SubjectOptions {
  readonly policy: readonly string[];
  readonly set: readonly string[];
  readonly machine?: string;
  readonly memory?: string;
  readonly nodes?: number;
  readonly cpus?: number;
  readonly build?: string;
}

function samePath(a: string, b: string): boolean {
  return a === b || (!isGenerated(a) && !isGenerated(b) && resolve(a) === resolve(b));
}

function nameOf({ trace, name }: BudgetTrace): string {
  if (name !== undefined) return name;
  return isGenerated(trace) ? trace : basename(trace) || trace;
}

/** @throws UsageError, InputError */
export async function checkTraces(
  given: readonly string[],
  file: BudgetFile | undefined,
  options: SubjectOptions,
): Promise<CheckTrace[]> {
  const listed = file?.traces ?? [];
  const entries =
    given.length === 0
      ? listed
      : given.map(
          (trace) => listed.find((entry) => samePath(entry.trace, trace)) ?? { trace, name: undefined },
        );
  if (entries.length === 0)
    throw new UsageError('no trace to check: name one, or list traces in the budget file');
  const traces: CheckTrace[] = [];
  for (const entry of entries) traces.push(await checkTrace(entry, file, options));
  const names = traces.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new UsageError(
      `two traces are called ${twice}, and budgets could not tell them apart: give them names in the budget file (trace:, name:)`,
    );
  return traces;
}

const MACHINE_KEYS = ['machine', 'memory', 'nodes', 'cpus', 'build'] as const;

function saysMachine(keys: MachineKeys): boolean {
  return MACHINE_KEYS.some((key) => keys[key] !== undefined);
}

/** The command line says what machine it is, else the trace's entry, else the whole budget file. */
async function checkTrace(
  entry: BudgetTrace,
  file: BudgetFile | undefined,
  options: SubjectOptions,
): Promise<CheckTrace> {
  const said: MachineKeys = saysMachine(options) ? options : saysMachine(entry) ? entry : (file ?? {});
  const given = Object.fromEntries(
    MACHINE_KEYS.flatMap((key) => (said[key] === undefined ? [] : [[key, said[key]]])),
  ) as MachineKeys;
  const { machine, machineOrigin, build } = await chooseMachine(given);
  return {
    trace: entry.trace,
    name: nameOf(entry),
    machine,
    build,
    machineOrigin: given.machine === undefined ? machineOrigin : basename(given.machine),
    machineWords: Object.entries(given).flatMap(([key, value]) => [`--${key}`, String(value)]),
  };
}

/** @throws UsageError, InputError */
export async function checkPolicies(
  file: BudgetFile | undefined,
  options: SubjectOptions,
): Promise<CheckPolicy[]> {
  const listed = file?.policies.length ? file.policies : [DEFAULT_POLICY_NAME];
  const references = options.policy.length > 0 ? options.policy : listed;
  const set = [...(file?.set ?? []), ...options.set];
  const policies: CheckPolicy[] = [];
  for (const reference of references) {
    const policy = await resolvePolicy(reference, set);
    policies.push({
      name: policy.name,
      policy,
      overrides: options.set,
      words: ['--policy', reference, ...set.flatMap((text) => ['--set', text])],
    });
  }
  const names = policies.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new UsageError(
      `two policies are called ${twice}: name each once, or give one of the files another name (name:)`,
    );
  return policies;
}
