/**
 * The words and figures that all reporters of `spbsim check` share, so that a failure reads the same wherever it is met.
 */
import type { CheckItem, CheckResult } from '../check-result.js';
import { plural, thousands } from '../quantities.js';
import { SHOWN, shown } from './outside-text.js';

/** `FAILED 2 of 31 budgets`, `passed 31 budgets` */
export function verdictWords(result: CheckResult): string {
  const { items, failed } = result.counts;
  const budgets = plural(items, 'budget');
  return result.verdict === 'failed' ? `FAILED ${thousands(failed)} of ${budgets}` : `passed ${budgets}`;
}

export function hasFailed(item: CheckItem): boolean {
  return item.status !== 'within';
}

export function statusWords(item: CheckItem): string {
  return item.status.replace('_', ' ');
}

/** `seed 3`, `median of seeds` */
export function seedWords(item: CheckItem): string {
  if (item.seed !== null) return `seed ${item.seed}`;
  return item.over_seeds === 'each' ? 'all seeds' : `${item.over_seeds} of seeds`;
}

/** `ci/budget.yaml:14`; empty for a limit of the command line */
export function placeWords({ place }: CheckItem): string {
  return place === null ? '' : `${shown(place.file, SHOWN.path)}:${place.line}`;
}

const MAX_DIGITS = 12;

/** From here on a double has no room for digits behind the point that could matter. */
const NO_FRACTION = 1e12;

function grouped(value: number, digits: number): string {
  if (Math.abs(value) >= NO_FRACTION) return thousands(value);
  const [whole = '0', fraction = ''] = Math.abs(value).toFixed(digits).split('.');
  const rest = fraction.replace(/0+$/, '');
  const text = thousands(Number(whole)) + (rest === '' ? '' : `.${rest}`);
  return value < 0 ? `-${text}` : text;
}

/**
 * Numbers to be compared by eye, with as few digits as keep those apart that differ: 20.0004 beside a limit of 20 must
 * not read as 20, and a small number must not read as 0.
 */
export function numberTexts(values: readonly number[]): string[] {
  if (values.every(Number.isInteger)) return values.map(thousands);
  const different = new Set([...values, 0]).size;
  for (let digits = 3; digits <= MAX_DIGITS; digits++) {
    const texts = [...values, 0].map((value) => grouped(value, digits));
    if (new Set(texts).size === different) return texts.slice(0, -1);
  }
  return values.map(String);
}

/** 204.9 -> `205 %`, 3.21 -> `3.2 %` */
function percentText(share: number): string {
  const percent = Math.abs(share * 100);
  if (percent >= 10) return `${thousands(percent)} %`;
  return `${percent >= 0.1 || percent === 0 ? Number(percent.toFixed(1)) : Number(percent.toPrecision(1))} %`;
}

function isNumber(value: number | null): value is number {
  return value !== null;
}

export interface Figures {
  readonly value: string;
  readonly limit: string;
  readonly baseline: string;
}

/** The numbers of an item, empty where there is none. */
export function figuresOf(item: CheckItem): Figures {
  const texts = numberTexts([item.value, item.limit, item.baseline].filter(isNumber));
  const next = (value: number | null) => (value === null ? '' : texts.shift()!);
  return { value: next(item.value), limit: next(item.limit), baseline: next(item.baseline) };
}

/** Subtracting decimal fractions leaves dust far behind the digits that mean anything. */
function difference(a: number, b: number): number {
  return Number((a - b).toPrecision(MAX_DIGITS));
}

function distanceText(value: number, limit: number): string {
  const distance = Math.abs(difference(value, limit));
  const [text] = numberTexts([distance]);
  return limit === 0 ? text! : `${text} (${percentText(distance / limit)})`;
}

/** `over by 41 (205 %)`; empty without both numbers */
export function excessWords(item: CheckItem): string {
  const { value, limit } = item;
  if (value === null || limit === null || !hasFailed(item)) return '';
  if (value === limit) return 'only equal';
  const how = item.operator === '==' ? 'off' : value > limit ? 'over' : 'short';
  return `${how} by ${distanceText(value, limit)}`;
}

/** What is left until the limit: `6 (30 %)`; empty where a limit has no distance. */
export function marginWords({ value, limit, operator }: CheckItem): string {
  return value === null || limit === null || operator === '==' ? '' : distanceText(value, limit);
}

/** `+40 %` since the baseline */
export function changeWords({ value, baseline }: CheckItem): string {
  if (value === null || baseline === null) return '';
  const change = difference(value, baseline);
  const sign = change > 0 ? '+' : change < 0 ? '-' : '';
  if (baseline === 0) return sign + numberTexts([Math.abs(change)])[0]!;
  return sign + percentText(change / baseline);
}

function valueWords(item: CheckItem): string {
  if (item.value === null) return 'the run has no such number';
  const unit = shown(item.unit);
  return `value ${figuresOf(item).value}${unit === '' ? '' : ` ${unit}`}`;
}

/**
 * What was measured and what was allowed, part by part: `value 61`, `limit 20`, `over by 41 (205 %)`. Against a baseline
 * the change is told instead: two shares side by side are taken for one another.
 */
export function factWords(item: CheckItem): string[] {
  const { limit, baseline } = figuresOf(item);
  const change = changeWords(item);
  return [
    valueWords(item),
    limit === '' ? '' : `limit ${limit}`,
    item.status === 'no_baseline' ? 'not in the baseline' : '',
    baseline === '' ? '' : `baseline ${baseline}${change === '' ? '' : `, ${change}`}`,
    baseline === '' ? excessWords(item) : '',
  ].filter((text) => text !== '');
}

/** One sentence: `spb_tainted: value 61, limit 20, over by 41 (205 %)`. */
export function headline(item: CheckItem): string {
  return `${shown(item.metric)}: ${factWords(item).join(', ')}`;
}

/** Where it was measured: `on workloads/fs-churn`, `policy spb-v2`, `seed 1`. */
export function subjectWords(item: CheckItem): string[] {
  return [`on ${shown(item.trace)}`, `policy ${shown(item.policy)}`, seedWords(item)];
}

/** All that is known of an item, a line each, for bodies of messages. Every line begins with a word of ours. */
export function detailLines(item: CheckItem): string[] {
  return [
    `budget: ${shown(item.budget)}`,
    `result: ${headline(item)}`,
    `where: ${subjectWords(item).join(', ')}`,
    ...(item.place === null ? [] : [`written at: ${placeWords(item)}`]),
    ...(item.why === null ? [] : [`why: ${shown(item.why, SHOWN.sentence)}`]),
    `meaning: ${shown(item.meaning, SHOWN.sentence)}`,
    `see: ${shown(item.see, SHOWN.command)}`,
  ];
}

/** Items of one trace and policy, in the order of the document. */
export function groupedItems(items: readonly CheckItem[]): CheckItem[][] {
  const groups = new Map<string, CheckItem[]>();
  for (const item of items) {
    const key = JSON.stringify([item.trace, item.policy]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
