/**
 * Budget files, YAML or JSON: what must hold, of which traces, under which policies. Paths in it are relative to it.
 */
import { dirname, isAbsolute, join } from 'node:path';
import type { z } from 'zod';
import {
  type ConfigDocument,
  isFile,
  isPlainObject,
  quoteValue,
  readConfig,
} from '../../config/config-file.js';
import { didYouMean } from '../../config/nearest-name.js';
import { isPolicyPath } from '../../config/resolve-policy.js';
import { UsageError } from '../../config/usage-error.js';
import { InputError } from '../../trace/input-error.js';
import { isGenerated } from '../generated-name.js';
import type { budgetFileSchema } from './budget-schema.js';
import { type BudgetLimit, LimitProblem, parseBudgetLimit } from './limit.js';

type BudgetDocument = z.infer<typeof budgetFileSchema>;

/** Options of a machine as on the command line; `machine` is a path that can be opened as it is. */
export interface MachineKeys {
  readonly machine?: string | undefined;
  readonly memory?: string | undefined;
  readonly nodes?: number | undefined;
  readonly cpus?: number | undefined;
  readonly build?: string | undefined;
}

export interface BudgetTrace extends MachineKeys {
  /** a path that can be opened as it is, or gen:NAME */
  readonly trace: string;
  readonly name: string | undefined;
}

export interface Budget extends BudgetLimit {
  readonly place: { readonly file: string; readonly line: number; readonly column: number } | null;
  /** patterns of names, `*` for any part; undefined: all */
  readonly trace: string | undefined;
  readonly policy: string | undefined;
  readonly seed: number | undefined;
  readonly why: string | null;
}

export interface BudgetFile extends MachineKeys {
  readonly path: string;
  /** a path that can be opened as it is */
  readonly baseline: string | undefined;
  readonly policies: readonly string[];
  readonly set: readonly string[];
  readonly seeds: string | undefined;
  readonly traces: readonly BudgetTrace[];
  readonly budgets: readonly Budget[];
}

/** @throws UsageError for a missing file or an unknown metric; InputError for what else is wrong in it */
export async function readBudgetFile(path: string): Promise<BudgetFile> {
  if (!(await isFile(path))) throw new UsageError(`no such budget file: ${path}`);
  const document = await readConfig(path);
  const value = await checked(document);
  const resolved = (name: string) =>
    isAbsolute(name) || isGenerated(name) ? name : join(dirname(path), name);
  const machineOf = ({ machine, memory, nodes, cpus, build }: MachineKeys): MachineKeys => ({
    machine: machine === undefined ? undefined : resolved(machine),
    memory,
    nodes,
    cpus,
    build,
  });
  return {
    path,
    ...machineOf(value),
    baseline: value.baseline === undefined ? undefined : resolved(value.baseline),
    // A preset's name is no path; a file of policies is named by one.
    policies: (value.policies ?? []).map((name) => (isPolicyPath(name) ? resolved(name) : name)),
    set: value.set ?? [],
    seeds: value.seeds === undefined ? undefined : String(value.seeds),
    traces: (value.traces ?? []).map((entry) =>
      typeof entry === 'string'
        ? { trace: resolved(entry), name: undefined }
        : { trace: resolved(entry.trace), name: entry.name, ...machineOf(entry) },
    ),
    budgets: value.budgets.map((entry, at) => budgetOf(document, entry, at)),
  };
}

async function checked(document: ConfigDocument): Promise<BudgetDocument> {
  const { BUDGET_FILE_KEYS, budgetFileSchema } = await import('./budget-schema.js');
  const { value } = document;
  if (!isPlainObject(value) || !Object.hasOwn(value, 'budgets'))
    throw document.error(
      [],
      'is no budget file: expected a mapping with budgets, and traces and policies for them',
    );
  for (const key of Object.keys(value))
    if (!BUDGET_FILE_KEYS.includes(key))
      throw document.error([key], `unknown key ${quoteValue(key)}${didYouMean(key, BUDGET_FILE_KEYS)}`);
  const result = budgetFileSchema.safeParse(value);
  if (result.success) return result.data;
  const keys = result.error.issues[0]!.path as (string | number)[];
  throw document.error(keys, `${keys.join('.')}: ${expectationAt(keys)}`);
}

/** What should stand there: the schema's own words are about types. */
function expectationAt(keys: readonly (string | number)[]): string {
  switch (keys[0]) {
    case 'budgets':
      return 'expected texts such as "spb_tainted <= 20", or budget with trace, policy, seed and why';
    case 'traces':
      return 'expected paths, or trace with name, memory, nodes, cpus, build or machine';
    case 'policies':
      return 'expected names of presets or policy files';
    case 'set':
      return 'expected texts such as pcp.batch_scale_max=4';
    case 'seeds':
      return 'expected a seed, or a text such as 1..5';
    case 'nodes':
    case 'cpus':
      return 'expected a whole number of at least 1';
    default:
      return 'expected a text';
  }
}

function budgetOf(document: ConfigDocument, entry: BudgetDocument['budgets'][number], at: number): Budget {
  const isText = typeof entry === 'string';
  const keys = isText ? ['budgets', at] : ['budgets', at, 'budget'];
  const { line = 0, column = 0 } = document.error(keys, '');
  const place = { file: document.path, line, column };
  const { budget, trace, policy, seed, why } = isText
    ? { budget: entry, trace: undefined, policy: undefined, seed: undefined, why: undefined }
    : entry;
  try {
    return { ...parseBudgetLimit(budget), place, trace, policy, seed, why: why ?? null };
  } catch (error) {
    if (!(error instanceof LimitProblem)) throw error;
    // A gate that names what does not exist is used wrongly, wherever the name stands.
    const told = new InputError({ file: document.path, line, column, expectation: error.message });
    throw new UsageError(told.message);
  }
}

/** A budget of the command line, about every run. @throws UsageError */
export function inlineBudget(text: string, option: string): Budget {
  try {
    return {
      ...parseBudgetLimit(text),
      place: null,
      trace: undefined,
      policy: undefined,
      seed: undefined,
      why: null,
    };
  } catch (error) {
    if (error instanceof LimitProblem) throw new UsageError(`${option} ${error.message}`);
    throw error;
  }
}

/** Whether a name fits a pattern, in which `*` stands for any characters. */
export function fitsPattern(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === name;
  const [first = '', ...rest] = parts;
  const last = rest.pop() ?? '';
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last))
    return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > name.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}
