/**
 * Two runs, metric by metric: what changed, by how much, and whether that is an improvement.
 *
 * With several seeds the runs come in pairs, and a change counts as one way only if no pair goes the other way.
 */
import type { DiffCounts, DiffRow, DiffSpread, DiffVerdict } from '../diff-result.js';
import { familyOf, METRIC_FAMILIES } from '../metrics/catalogue.js';
import { familyKey, type MetricFamily, SUBJECTS } from '../metrics/metric.js';

export type Metrics = Readonly<Record<string, number>>;

/** Families that are parts of another one's sum, or too many to look at unasked. */
const DETAILS: ReadonlySet<string> = new Set(
  METRIC_FAMILIES.filter(
    ({ name, labels, better }) =>
      labels.length > 0 &&
      (better === 'neither' || METRIC_FAMILIES.some((sum) => sum.name === name && sum.labels.length === 0)),
  ).map(familyKey),
);

const SHARES: ReadonlySet<string> = new Set([
  'unusable_index',
  'extfrag_index',
  'spb_taint_efficiency',
  'slab_fastpath_ratio',
  'nolock_failure_ratio',
]);

const ORDER_OF_FAMILY: ReadonlyMap<MetricFamily, number> = new Map(
  METRIC_FAMILIES.map((family, at) => [family, at]),
);

/**
 * The rows of a comparison, by subject and then by size of the change.
 *
 * @param a, b  metrics of each seed, in the same order of seeds
 */
export function compareMetrics(a: readonly Metrics[], b: readonly Metrics[]): DiffRow[] {
  const names = new Set([...a, ...b].flatMap((metrics) => Object.keys(metrics)));
  const rows = [...names].flatMap((name) => {
    const family = familyOf(name);
    return family === undefined ? [] : [{ family, row: compareOne(name, family, a, b) }];
  });
  return rows
    .sort(
      (x, y) =>
        SUBJECTS.indexOf(x.family.subject) - SUBJECTS.indexOf(y.family.subject) ||
        sizeOf(y.row) - sizeOf(x.row) ||
        Math.abs(y.row.difference ?? 0) - Math.abs(x.row.difference ?? 0) ||
        ORDER_OF_FAMILY.get(x.family)! - ORDER_OF_FAMILY.get(y.family)! ||
        (x.row.metric < y.row.metric ? -1 : 1),
    )
    .map(({ row }) => row);
}

function compareOne(
  metric: string,
  family: MetricFamily,
  runsA: readonly Metrics[],
  runsB: readonly Metrics[],
): DiffRow {
  const valuesA = valuesOf(metric, runsA);
  const valuesB = valuesOf(metric, runsB);
  const a = spreadOf(valuesA);
  const b = spreadOf(valuesB);
  const difference = a === null || b === null ? null : b.median - a.median;
  return {
    metric,
    subject: family.subject,
    unit: family.unit,
    better: family.better,
    is_detail: DETAILS.has(familyKey(family)),
    a,
    b,
    difference,
    change: difference === null || a!.median === 0 ? null : difference / a!.median,
    verdict: verdictOf(family, valuesA, valuesB),
  };
}

function valuesOf(metric: string, runs: readonly Metrics[]): (number | undefined)[] {
  return runs.map((metrics) => (Object.hasOwn(metrics, metric) ? metrics[metric] : undefined));
}

function spreadOf(values: readonly (number | undefined)[]): DiffSpread | null {
  const sorted = values.filter((value) => value !== undefined).sort((x, y) => x - y);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min: sorted[0]!, median, max: sorted[sorted.length - 1]! };
}

function verdictOf(
  { better }: MetricFamily,
  a: readonly (number | undefined)[],
  b: readonly (number | undefined)[],
): DiffVerdict {
  const pairs = a.map((value, at) => [value, b[at]] as const);
  const both = pairs.filter(([x, y]) => x !== undefined && y !== undefined) as [number, number][];
  const hasA = a.some((value) => value !== undefined);
  const hasB = b.some((value) => value !== undefined);
  if (!hasA || !hasB) return hasA ? 'only_a' : 'only_b';
  const up = both.some(([x, y]) => y > x);
  const down = both.some(([x, y]) => y < x);
  // Seeds for which neither has a number agree; those for which one has it do not.
  const isLopsided = pairs.some(([x, y]) => (x === undefined) !== (y === undefined));
  if (!up && !down) return isLopsided ? 'unclear' : 'equal';
  if (better === 'neither') return 'changed';
  if (up && down) return 'unclear';
  return up === (better === 'higher') ? 'better' : 'worse';
}

/** From 0, no change, to 1; a number that only one side has is no change. What is a share already counts as it is. */
function sizeOf({ metric, a, b, difference }: DiffRow): number {
  if (difference === null) return 0;
  if (SHARES.has(metric.split('.', 1)[0]!) && difference !== 0) return Math.abs(difference);
  const largest = Math.max(Math.abs(a!.median), Math.abs(b!.median));
  if (largest > 0 && difference !== 0) return Math.abs(difference) / largest;
  // Medians may agree where the seeds do not.
  return a!.min === b!.min && a!.max === b!.max ? 0 : Number.MIN_VALUE;
}

export function countVerdicts(rows: readonly DiffRow[]): DiffCounts {
  const counts = { better: 0, worse: 0, unclear: 0, changed: 0, equal: 0, only_a: 0, only_b: 0 };
  for (const { verdict } of rows) counts[verdict]++;
  return counts;
}

export function addCounts(all: readonly DiffCounts[]): DiffCounts {
  const total = countVerdicts([]);
  for (const counts of all)
    for (const verdict of Object.keys(total) as DiffVerdict[]) total[verdict] += counts[verdict];
  return total;
}
