/**
 * The metrics of a run as a section of documents: a flat map from name to number, whose JSON schema lists the catalogue.
 */
import { z } from 'zod';
import { METRIC_FAMILIES } from './catalogue.js';
import { familyKey, type Label, type MetricFamily } from './metric.js';

const LABEL_PATTERNS: Record<Label, string> = {
  ZONE: '(?:node[0-9]+:)?[A-Za-z0-9]+',
  ORDER: '[0-9]+',
  TYPE: '[a-z]+',
  NOTE: '[a-z_]+',
  REASON: '[A-Za-z_0-9]+',
  KIND: '[a-z_]+',
  CONTEXT: '[a-z]+',
  LOCK: '[a-z_]+',
  CLASS: '[a-z0-9]+',
  CAUSE: '[a-z_]+',
};

function describe(family: MetricFamily): Record<string, unknown> {
  const unit = family.unit === '' ? '' : ` (${family.unit})`;
  const better = family.better === 'neither' ? '' : `; ${family.better} is better`;
  return {
    type: 'number',
    minimum: 0,
    title: familyKey(family),
    description: `${family.meaning}${unit}${better}`,
  };
}

function pattern({ name, labels }: MetricFamily): string {
  return `^${[name, ...labels.map((label) => LABEL_PATTERNS[label])].join('\\.')}$`;
}

const plain = METRIC_FAMILIES.filter(({ labels }) => labels.length === 0);
const labelled = METRIC_FAMILIES.filter(({ labels }) => labels.length > 0);

/** Names to numbers; what each means is in the schema, and in `spbsim metrics`. */
export const metricsSchema = z.record(z.string(), z.number()).meta({
  description: 'every figure of the catalogue that the run has, by the name that budgets and diffs use',
  properties: Object.fromEntries(plain.map((family) => [family.name, describe(family)])),
  patternProperties: Object.fromEntries(labelled.map((family) => [pattern(family), describe(family)])),
  additionalProperties: false,
});
