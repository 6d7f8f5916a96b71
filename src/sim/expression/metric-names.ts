/** Names of metrics as an expression has them: a side, a dot, and a name of the catalogue. */
import { didYouMean } from '../../config/nearest-name.js';
import { familyOf, METRIC_FAMILIES } from '../../report/metrics/catalogue.js';
import { familyKey, type Label } from '../../report/metrics/metric.js';
import { type MetricRef, SIDES } from './expression.js';

const NAMES = [...new Set(METRIC_FAMILIES.map(({ name }) => name))];

const EXAMPLES: Readonly<Record<Label, string>> = {
  ZONE: 'Normal',
  ORDER: '9',
  TYPE: 'movable',
  NOTE: 'unknown_frees',
  REASON: 'other',
  KIND: 'deadlock',
  CONTEXT: 'nmi',
  LOCK: 'cpu_slab',
  CLASS: '64',
  CAUSE: 'no_pages',
};

/** Labels are texts of a machine: `Normal`, `node1:Normal`, `9`. */
const LABEL = /^[A-Za-z0-9_:]+$/;

/** The metric that a name means, or what is wrong with it. */
export function metricNamed(text: string): MetricRef | { readonly problem: string } {
  const dot = text.indexOf('.');
  const side = SIDES.find((each) => each === text.slice(0, dot));
  if (side === undefined) return { problem: whichSide(text) };
  const name = text.slice(dot + 1);
  const problem = problemOf(name, side);
  return problem === undefined ? { side, name } : { problem };
}

function whichSide(text: string): string {
  const known = NAMES.includes(text.split('.')[0] as string)
    ? ''
    : didYouMean(text.split('.')[0] as string, NAMES);
  return `of which policy? write a.${text} or b.${text}${known}`;
}

function problemOf(name: string, side: string): string | undefined {
  const [family = '', ...labels] = name.split('.');
  if (familyOf(name) !== undefined && labels.every((label) => LABEL.test(label))) return undefined;
  const shapes = METRIC_FAMILIES.filter((candidate) => candidate.name === family);
  if (shapes.length === 0)
    return `there is no metric ${family === '' ? 'without a name' : family}${didYouMean(family, NAMES) || '; all are listed by: spbsim metrics'}`;
  const forms = shapes.map((shape) => {
    const example = [shape.name, ...shape.labels.map((label) => EXAMPLES[label])].join('.');
    return `${side}.${familyKey(shape)}${shape.labels.length === 0 ? '' : `, such as ${side}.${example}`}`;
  });
  return `this is not how ${family} is written: ${forms.join('; or ')}`;
}
