/**
 * Budgets as text: a metric, how it is compared, and a limit.
 *
 *     spb_tainted <= 20                     absolute
 *     unusable_index.Normal.9 <= +2%        relative to the stored baseline; also +3, -0.1, or `baseline` itself
 *     spbsim_direct_compact_ns < 5ms        times have units
 *     alloc_failed.* == 0                   each member that a run has
 *     median(spb_tainted) <= 12             over the seeds, also min and max
 *
 * No metric is ever negative, so a limit with a sign is a change.
 */

import { parseDuration } from '../../config/duration.js';
import { didYouMean } from '../../config/nearest-name.js';
import { familyOf, METRIC_FAMILIES, METRIC_KEYS } from '../../report/metrics/catalogue.js';
import { familyKey, type MetricFamily } from '../../report/metrics/metric.js';
import { sanitize } from '../../trace/sanitize.js';

export const OPERATORS = ['<=', '>=', '==', '<', '>'] as const;
export type Operator = (typeof OPERATORS)[number];

export type OverSeeds = 'each' | 'min' | 'median' | 'max';

export type Limit =
  | { readonly kind: 'absolute'; readonly value: number }
  /** added to the baseline */
  | { readonly kind: 'difference'; readonly value: number }
  /** a share of the baseline, added to it */
  | { readonly kind: 'share'; readonly value: number };

export interface BudgetLimit {
  /** as written */
  readonly text: string;
  /** a name of a metric; `*` stands for any label */
  readonly metric: string;
  readonly family: MetricFamily;
  readonly over_seeds: OverSeeds;
  readonly operator: Operator;
  readonly limit: Limit;
}

/** What is wrong with a budget, to be told with its place. */
export class LimitProblem extends Error {}

const BUDGET =
  /^\s*(?:(min|median|max)\(\s*([^\s()]+)\s*\)|([^\s()<>=]+))\s*(<=|>=|==|<|>)(?!=)\s*(\S(?:.*\S)?)\s*$/;
const NUMBER = /^([+-]?)(\d+(?:_\d{3})*(?:\.\d+)?|\.\d+)(?:e(\d{1,2}))?\s*(%?)$/;
const EXAMPLE = 'expected METRIC <= LIMIT, such as spb_tainted <= 20 or unusable_index.Normal.9 <= +2%';
const LONGEST = 200;

function quote(text: string): string {
  return `"${sanitize(text, LONGEST)}"`;
}

/** @throws LimitProblem */
export function parseBudgetLimit(text: string): BudgetLimit {
  // Checked first, so that nobody waits for a regular expression.
  const match = text.length > LONGEST ? null : BUDGET.exec(text);
  if (match === null) throw new LimitProblem(`${quote(text)} is no budget: ${EXAMPLE}`);
  const [, over, within, alone, operator, limit] = match;
  const metric = (within ?? alone) as string;
  const family = knownFamily(metric);
  return {
    text: text.trim(),
    metric,
    family,
    over_seeds: (over as OverSeeds | undefined) ?? 'each',
    operator: operator as Operator,
    limit: parseLimit(limit as string, family),
  };
}

/** @throws LimitProblem that names the nearest metric */
function knownFamily(metric: string): MetricFamily {
  const family = familyOf(metric);
  if (family !== undefined) return family;
  const [name = ''] = metric.split('.');
  const ofName = METRIC_FAMILIES.filter((each) => each.name === name);
  if (ofName.length > 0) {
    const forms = ofName.map(familyKey).join(' or ');
    throw new LimitProblem(`${quote(metric)} is no metric: ${name} is written ${forms} (* stands for all)`);
  }
  const near =
    didYouMean(metric, METRIC_KEYS) ||
    didYouMean(
      name,
      METRIC_FAMILIES.map((each) => each.name),
    );
  throw new LimitProblem(`${quote(metric)} is no metric${near} (all are listed by: spbsim metrics)`);
}

/** @throws LimitProblem */
function parseLimit(text: string, { unit }: MetricFamily): Limit {
  if (text === 'baseline') return { kind: 'difference', value: 0 };
  const signed = text.startsWith('+') || text.startsWith('-');
  const sign = text.startsWith('-') ? -1 : 1;
  const time = unit === 'ns' ? parseDuration(signed ? text.slice(1) : text) : undefined;
  if (time !== undefined && /[a-z]$/.test(text))
    return { kind: signed ? 'difference' : 'absolute', value: sign * time };
  const match = NUMBER.exec(text);
  if (match === null) {
    const units = unit === 'ns' ? ', or a time such as 5ms' : '';
    throw new LimitProblem(
      `${quote(text)} is no limit: expected 20, 0.5, 5%, +2%, +3, -10% or baseline${units}`,
    );
  }
  const [, , digits, exponent = '0', percent] = match;
  const value = sign * Number(digits!.replaceAll('_', '')) * 10 ** Number(exponent);
  if (percent === '%') return { kind: signed ? 'share' : 'absolute', value: value / 100 };
  return { kind: signed ? 'difference' : 'absolute', value };
}

/** Whether a name is one that the budget is about. */
export function limitCovers({ metric }: BudgetLimit, name: string): boolean {
  const wanted = metric.split('.');
  const parts = name.split('.');
  return wanted.length === parts.length && wanted.every((part, at) => part === '*' || part === parts[at]);
}

/** The limit as a number. @param baseline  stored value; undefined where there is none */
export function limitValue({ limit }: BudgetLimit, baseline: number | undefined): number | null {
  if (limit.kind === 'absolute') return limit.value;
  if (baseline === undefined) return null;
  return limit.kind === 'difference' ? baseline + limit.value : baseline * (1 + limit.value);
}

/** Sums such as 0.1 + 0.2 must not fail a budget; a real difference is never so small. */
const ROUNDING = 1e-9;

export function isWithin(value: number, operator: Operator, limit: number): boolean {
  const slack = Math.max(Math.abs(value), Math.abs(limit)) * ROUNDING;
  switch (operator) {
    case '<=':
      return value <= limit + slack;
    case '>=':
      return value >= limit - slack;
    case '<':
      return value < limit - slack;
    case '>':
      return value > limit + slack;
    case '==':
      return Math.abs(value - limit) <= slack;
  }
}
