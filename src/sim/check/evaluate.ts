/** Budgets held against what was measured. No IO: runs and a baseline in, items of the check document out. */
import type { CheckItem } from '../../report/check-result.js';
import type { Baseline, BaselineRun } from './baseline-file.js';
import { type Budget, fitsPattern } from './budget-file.js';
import { isWithin, limitCovers, limitValue } from './limit.js';

export interface MeasuredRun extends BaselineRun {
  /** command that shows the run, without what is particular to a budget */
  readonly command: string;
  /** the policy's name, and what was changed of it for this check */
  readonly policy_label: string;
  readonly span_events: number;
}

/** What is missing is worse than anything that was measured. */
const MISSING_EXCESS = Number.MAX_SAFE_INTEGER;

/** All items in the order of the budgets, then of the runs. */
export function evaluateBudgets(
  budgets: readonly Budget[],
  runs: readonly MeasuredRun[],
  baseline: Baseline,
): CheckItem[] {
  return budgets.flatMap((budget) => {
    const covered = runs.filter((run) => covers(budget, run));
    if (budget.over_seeds === 'each') return covered.flatMap((run) => itemsOf(budget, [run], baseline));
    return groupsOf(covered).flatMap((group) => itemsOf(budget, group, baseline));
  });
}

export function covers({ trace, policy, seed }: Budget, run: BaselineRun): boolean {
  return (
    (trace === undefined || fitsPattern(trace, run.trace)) &&
    (policy === undefined || fitsPattern(policy, run.policy)) &&
    (seed === undefined || seed === run.seed)
  );
}

/** Runs that differ in their seed alone. */
function groupsOf(runs: readonly MeasuredRun[]): MeasuredRun[][] {
  const groups = new Map<string, MeasuredRun[]>();
  for (const run of runs) {
    const key = JSON.stringify([run.trace, run.policy]);
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()];
}

/** One item for each metric that the budget names; a pattern names those that a run or its baseline has. */
function itemsOf(budget: Budget, runs: readonly MeasuredRun[], baseline: Baseline): CheckItem[] {
  if (!budget.metric.includes('*')) return [itemOf(budget, budget.metric, runs, baseline)];
  const stored = runs.map((run) => comparable(run, baseline)?.metrics ?? {});
  const names = [...runs.map(({ metrics }) => metrics), ...stored].flatMap((metrics) => Object.keys(metrics));
  return [...new Set(names)]
    .filter((name) => limitCovers(budget, name))
    .map((name) => itemOf(budget, name, runs, baseline));
}

/** The baseline of a run, if it is of the same bytes on the same machine. */
export function comparable(run: BaselineRun, baseline: Baseline): BaselineRun | undefined {
  const stored = baseline.find(run);
  if (stored === undefined || stored.machine !== run.machine) return undefined;
  const same =
    stored.input_sha256.length === run.input_sha256.length &&
    stored.input_sha256.every((digest, at) => digest === run.input_sha256[at]);
  return same ? stored : undefined;
}

function measuredOf(
  metrics: Readonly<Record<string, number>> | undefined,
  metric: string,
): number | undefined {
  return metrics !== undefined && Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
}

/** One value of several seeds; none if a seed has none. */
function overSeeds(values: readonly (number | undefined)[], how: Budget['over_seeds']): number | undefined {
  if (values.includes(undefined)) return undefined;
  const sorted = (values as number[]).toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (how === 'max') return sorted[sorted.length - 1];
  if (how === 'median' && sorted.length % 2 === 0) return (sorted[middle - 1]! + sorted[middle]!) / 2;
  return sorted[how === 'median' ? middle : 0];
}

function itemOf(budget: Budget, metric: string, runs: readonly MeasuredRun[], baseline: Baseline): CheckItem {
  const run = runs[0]!;
  const { family, over_seeds, operator } = budget;
  const value = overSeeds(
    runs.map(({ metrics }) => measuredOf(metrics, metric)),
    over_seeds,
  );
  const isRelative = budget.limit.kind !== 'absolute';
  const stored = isRelative
    ? overSeeds(
        runs.map((each) => measuredOf(comparable(each, baseline)?.metrics, metric)),
        over_seeds,
      )
    : undefined;
  const limit = limitValue(budget, stored);
  const status =
    value === undefined
      ? 'no_value'
      : limit === null
        ? 'no_baseline'
        : isWithin(value, operator, limit)
          ? 'within'
          : 'exceeded';
  return {
    budget: budget.text,
    place: budget.place,
    why: budget.why,
    metric,
    subject: family.subject,
    unit: family.unit,
    meaning: family.meaning,
    better: family.better,
    trace: run.trace,
    policy: run.policy_label,
    seed: over_seeds === 'each' ? run.seed : null,
    over_seeds,
    operator,
    value: value ?? null,
    limit,
    baseline: stored ?? null,
    status,
    excess: excessOf(status, value, limit),
    see: `${run.command}${seeOption(family.subject)}`,
  };
}

function excessOf(status: CheckItem['status'], value: number | undefined, limit: number | null): number {
  if (status === 'within') return 0;
  if (status !== 'exceeded' || value === undefined || limit === null) return MISSING_EXCESS;
  // What may not happen at all, and happens: as many times over as it happens.
  return Math.abs(value - limit) / Math.max(Math.abs(limit), 1e-3);
}

function seeOption(subject: string): string {
  if (subject === 'Superpageblocks' || subject === 'Fragmentation') return ' --map';
  return subject === 'Superpageblock work' ? ' --verbose' : '';
}

/** What failed first, the worst first; the rest in its order. */
export function worstFirst(items: readonly CheckItem[]): CheckItem[] {
  return items
    .map((item, at) => ({ item, at }))
    .sort((a, b) => b.item.excess - a.item.excess || a.at - b.at)
    .map(({ item }) => item);
}
