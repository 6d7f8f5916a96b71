/**
 * The catalogue of metrics: the one table from which tables, budgets, directions of goodness, the JSON schema, the docs page
 * and `spbsim metrics` come.
 */
import { familyKey, type MetricFamily, type MetricSource, SUBJECTS } from './metric.js';
import { REQUEST_METRICS } from './request-metrics.js';
import { SLAB_METRICS } from './slab-metrics.js';
import { SPB_METRICS } from './spb-metrics.js';
import { VMSTAT_METRICS } from './vmstat-metrics.js';
import { ZONE_METRICS } from './zone-metrics.js';

const UNORDERED: readonly MetricFamily[] = [
  ...SPB_METRICS,
  ...ZONE_METRICS,
  ...REQUEST_METRICS,
  ...SLAB_METRICS,
  ...VMSTAT_METRICS,
];

/** All families, subject by subject. */
export const METRIC_FAMILIES: readonly MetricFamily[] = SUBJECTS.flatMap((subject) =>
  UNORDERED.filter((family) => family.subject === subject),
);

const BY_SHAPE: ReadonlyMap<string, MetricFamily> = new Map(
  METRIC_FAMILIES.map((family) => [`${family.name}/${family.labels.length}`, family]),
);

export const METRIC_KEYS: readonly string[] = METRIC_FAMILIES.map(familyKey);

/** The family that a metric's name belongs to; undefined for a name that no run can have. */
export function familyOf(metric: string): MetricFamily | undefined {
  const [name, ...labels] = metric.split('.');
  return BY_SHAPE.get(`${name}/${labels.length}`);
}

/** All metrics of a run, by name, in the catalogue's order. */
export function metricsOf(source: MetricSource): Map<string, number> {
  const values = new Map<string, number>();
  for (const family of METRIC_FAMILIES) readFamily(family, source, values);
  return values;
}

/** The members of some families only: reading `source` may cost more than a look at a field. */
export function metricsOfFamilies(
  families: Iterable<MetricFamily>,
  source: MetricSource,
): Map<string, number> {
  const values = new Map<string, number>();
  for (const family of families) readFamily(family, source, values);
  return values;
}

function readFamily(family: MetricFamily, source: MetricSource, values: Map<string, number>): void {
  for (const [labels, value] of family.read(source)) values.set([family.name, ...labels].join('.'), value);
}
