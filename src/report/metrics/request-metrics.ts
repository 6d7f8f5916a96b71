/** Metrics of what the trace asked for and what became of it. */
import type { ResultAllocationCount } from '../run-result.js';
import type { LabelledValue, MetricFamily, MetricSource } from './metric.js';
import { sum } from './zone-groups.js';

/** Sums of one column of the allocations by what a key says of each row, in the order in which keys appear. */
function* grouped<K extends string | number>(
  rows: readonly ResultAllocationCount[],
  key: (row: ResultAllocationCount) => K,
  column: 'ok' | 'failed',
): Iterable<LabelledValue> {
  const totals = new Map<K, number>();
  for (const row of rows) totals.set(key(row), (totals.get(key(row)) ?? 0) + row[column]);
  for (const [label, total] of [...totals].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
    yield [[label], total];
}

function allocations(column: 'ok' | 'failed'): MetricFamily[] {
  const served = column === 'ok';
  const name = served ? 'alloc_ok' : 'alloc_failed';
  const what = served ? 'requests for pages that were served' : 'requests for pages that failed';
  const common = { unit: '', subject: 'Requests', better: served ? 'higher' : 'lower', kernel: '' } as const;
  return [
    {
      ...common,
      name,
      labels: [],
      meaning: what,
      *read({ allocations: rows }: MetricSource) {
        yield [[], sum(rows, (row) => row[column])];
      },
    },
    {
      ...common,
      name,
      labels: ['ORDER'],
      meaning: `${what}, of one order`,
      read: ({ allocations: rows }: MetricSource) => grouped(rows, ({ order }) => order, column),
    },
    {
      ...common,
      name: `${name}_type`,
      labels: ['TYPE'],
      meaning: `${what}, of one migratetype`,
      read: ({ allocations: rows }: MetricSource) => grouped(rows, ({ migratetype }) => migratetype, column),
    },
  ];
}

function total(name: string, meaning: string, of: (source: MetricSource) => number): MetricFamily {
  return {
    name,
    labels: [],
    unit: '',
    subject: 'Replay',
    better: 'neither',
    meaning,
    kernel: '',
    *read(source: MetricSource) {
      yield [[], of(source)];
    },
  };
}

const NOTES: MetricFamily = {
  name: 'notes',
  labels: ['NOTE'],
  unit: '',
  subject: 'Replay',
  better: 'neither',
  meaning: 'events that were no plain allocation or free, by the name under which a run counts them',
  kernel: '',
  *read({ notes }: MetricSource) {
    for (const { name, count } of notes) yield [[name], count];
  },
};

export const REQUEST_METRICS: readonly MetricFamily[] = [
  ...allocations('failed'),
  ...allocations('ok'),
  total('events', 'events that were replayed', ({ span }) => span.events),
  total('events_failed', 'events that could not be done, such as allocations that failed', ({ events }) =>
    sum(events, ({ outcome, count }) => (outcome === 'failed' ? count : 0)),
  ),
  total('events_not_replayed', 'events that the model passed over; `notes` says why', ({ events }) =>
    sum(events, ({ outcome, count }) => (outcome === 'not_replayed' ? count : 0)),
  ),
  NOTES,
];
