/**
 * Metrics of slab caches, of calls from any context, and of hazards. Results without a slab section have none of them.
 */
import { HAZARD_KINDS, NOLOCK_CAUSES, NOLOCK_CLASSES, NOLOCK_LOCKS } from '../slab/nolock-words.js';
import type { ResultNolock, ResultNolockRequest, ResultSlab } from '../slab/result-slab.js';
import type { Better, Label, LabelledValue, MetricFamily, MetricSource, Subject } from './metric.js';
import { sum } from './zone-groups.js';

const CONTEXTS = ['task', 'softirq', 'hardirq', 'nmi'] as const;
const NONE: ResultNolock = { requests: [], frees: [], extra_slabs: 0, stolen: [] };

type Common = Pick<MetricFamily, 'name' | 'meaning' | 'unit' | 'better' | 'kernel'>;

function common(name: string, meaning: string, better: Better, unit = '', kernel = ''): Common {
  return { name, meaning, unit, better, kernel };
}

/** @param of  null where the run has no such number */
function one(subject: Subject, shared: Common, of: (slab: ResultSlab) => number | null): MetricFamily {
  return {
    ...shared,
    subject,
    labels: [],
    *read({ slab }: MetricSource) {
      const value = slab === null || slab === undefined ? null : of(slab);
      if (value !== null) yield [[], value];
    },
  };
}

function several(
  subject: Subject,
  label: Label,
  shared: Common,
  of: (slab: ResultSlab) => Iterable<readonly [label: string, value: number]>,
): MetricFamily {
  return {
    ...shared,
    subject,
    labels: [label],
    *read({ slab }: MetricSource): Iterable<LabelledValue> {
      if (slab === null || slab === undefined) return;
      for (const [name, value] of of(slab)) yield [[name], value];
    },
  };
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((part / whole) * 1e6) / 1e6;
}

const SLAB: readonly MetricFamily[] = (
  [
    [
      common('slab_pages', 'pages of slabs and of large objects', 'lower', 'pages'),
      ({ totals }) => totals.pages,
    ],
    [
      common(
        'slab_reclaimable_pages',
        'pages of slabs that shrinkers can empty',
        'neither',
        'pages',
        '/proc/vmstat: nr_slab_reclaimable',
      ),
      ({ totals }) => totals.reclaimable_pages,
    ],
    [
      common(
        'slab_unreclaimable_pages',
        'pages of all other slabs, and of large objects',
        'lower',
        'pages',
        '/proc/vmstat: nr_slab_unreclaimable',
      ),
      ({ totals }) => totals.unreclaimable_pages,
    ],
    [
      common('slab_slabs', 'slabs', 'neither', 'slabs', '/proc/slabinfo: num_slabs'),
      ({ totals }) => totals.slabs,
    ],
    [
      common('slab_objects', 'objects that somebody has', 'neither', 'objects'),
      ({ totals }) => totals.live_objects,
    ],
    [
      common('slab_requested_bytes', 'bytes that live objects were asked for', 'neither', 'bytes'),
      ({ totals }) => totals.requested_bytes,
    ],
    [
      common('slab_waste_bytes', 'bytes of slabs and large objects that nobody asked for', 'lower', 'bytes'),
      ({ totals }) => totals.waste_bytes,
    ],
    [common('slab_allocated', 'objects handed out', 'neither', 'objects'), ({ totals }) => totals.allocated],
    [common('slab_failed', 'requests for objects that failed', 'lower'), ({ totals }) => totals.failed],
    [
      common('slab_made', 'slabs made', 'lower', 'slabs', '/sys/kernel/slab/*/alloc_slab'),
      ({ totals }) => totals.stats.alloc_slab ?? 0,
    ],
    [
      common(
        'slab_order_fallback',
        'attempts to make a slab of the least order',
        'lower',
        '',
        '/sys/kernel/slab/*/order_fallback',
      ),
      ({ totals }) => totals.stats.order_fallback ?? 0,
    ],
    [
      common('memcg_charge_refused', 'charges to memory cgroups that found no room below a limit', 'lower'),
      ({ memcgs }) => memcgs?.refused ?? 0,
    ],
    [
      common(
        'memcg_uncharged_objects',
        'objects that should have been charged to a memory cgroup and were not',
        'lower',
        'objects',
      ),
      ({ memcgs }) => (memcgs === null ? 0 : sum(Object.values(memcgs.uncharged), (count) => count)),
    ],
    [
      common('slab_fastpath_ratio', 'share of allocations that took the fast path', 'higher'),
      ({ totals: { stats } }) => {
        const fast = stats.alloc_fastpath ?? 0;
        return ratio(fast, fast + (stats.alloc_slowpath ?? 0));
      },
    ],
  ] as const satisfies readonly (readonly [Common, (slab: ResultSlab) => number | null])[]
).map(([shared, of]) => one('Slab', shared, of));

const WASTE = several(
  'Slab',
  'CAUSE',
  common('slab_waste_bytes', 'bytes of slabs that nobody asked for, by cause', 'lower', 'bytes'),
  ({ totals }) =>
    Object.entries(totals.waste).map(([part, value]) => [part.replace(/_bytes$/, ''), value] as const),
);

function count(rows: readonly { readonly count: number }[]): number {
  return sum(rows, (row) => row.count);
}

function failures(rows: readonly ResultNolockRequest[]): number {
  return count(rows.filter(({ outcome }) => outcome === 'null'));
}

/** Asking for no bytes is never refused, so it does not count as asking. */
function asked(rows: readonly ResultNolockRequest[]): number {
  return count(rows.filter(({ outcome }) => outcome !== 'zero_size'));
}

/** Where nothing was called everything is 0, so that a budget for it holds. */
function nolockOf({ nolock }: ResultSlab): ResultNolock {
  return nolock ?? NONE;
}

/** Failures among the requests of each label that has any. */
function* failuresBy(
  slab: ResultSlab,
  labels: readonly string[],
  of: (row: ResultNolockRequest) => string | null,
): Iterable<readonly [string, number]> {
  for (const label of labels) {
    const rows = nolockOf(slab).requests.filter((row) => of(row) === label);
    if (rows.length > 0) yield [label, failures(rows)];
  }
}

const FAILURES = 'requests from any context that got nothing';

const NOLOCK: readonly MetricFamily[] = [
  ...(
    [
      [
        common(
          'nolock_requests',
          'requests from any context: kmalloc_nolock and alloc_pages_nolock',
          'neither',
        ),
        (slab) => count(nolockOf(slab).requests),
      ],
      [common('nolock_failures', FAILURES, 'lower'), (slab) => failures(nolockOf(slab).requests)],
      [
        common('nolock_failure_ratio', 'share of requests from any context that got nothing', 'lower'),
        (slab) => ratio(failures(nolockOf(slab).requests), asked(nolockOf(slab).requests)),
      ],
      [
        common(
          'nolock_next_bucket',
          'requests that the next larger bucket served, as their own was busy',
          'lower',
        ),
        (slab) => count(nolockOf(slab).requests.filter(({ outcome }) => outcome === 'next_bucket')),
      ],
      [
        common(
          'nolock_extra_slabs',
          'slabs made because list_lock was taken, though the list had free slots',
          'lower',
          'slabs',
        ),
        (slab) => nolockOf(slab).extra_slabs,
      ],
      [
        common(
          'nolock_stolen_pages',
          'unmovable pages that these calls took from pageblocks of other types',
          'lower',
          'pages',
        ),
        (slab) => sum(nolockOf(slab).stolen, ({ order, count: times }) => times * 2 ** order),
      ],
      [
        common('nolock_frees', 'frees from any context: kfree_nolock and free_pages_nolock', 'neither'),
        (slab) => count(nolockOf(slab).frees),
      ],
      [
        common('nolock_frees_deferred', 'objects among them that were left to irq_work', 'lower', 'objects'),
        (slab) => count(nolockOf(slab).frees.filter(({ outcome }) => outcome === 'deferred')),
      ],
      [
        common('deferred_irq_works', 'times that irq_work was queued', 'lower'),
        ({ deferred }) => deferred.irq_works,
      ],
      [
        common('deferred_objects', 'objects that still wait to be freed', 'lower', 'objects'),
        ({ deferred }) => deferred.now.objects,
      ],
      [
        common('deferred_peak_objects', 'most objects that waited to be freed', 'lower', 'objects'),
        ({ deferred }) => deferred.peak.objects,
      ],
      [
        common('deferred_peak_slabs', 'most slabs that waited to be put away', 'lower', 'slabs'),
        ({ deferred }) => deferred.peak.slabs,
      ],
      [
        common('deferred_peak_bytes', 'most bytes of objects and slabs that waited', 'lower', 'bytes'),
        ({ deferred }) => deferred.peak.bytes,
      ],
      [
        common('zone_stack_pages', "pages that are left on zones' stacks", 'lower', 'pages'),
        ({ zone_stacks }) => sum(zone_stacks, ({ pages }) => pages),
      ],
      [
        common('zone_stack_peak_pages', "most pages on zones' stacks, each zone by itself", 'lower', 'pages'),
        ({ zone_stacks }) => sum(zone_stacks, ({ peak_pages }) => peak_pages),
      ],
    ] as const satisfies readonly (readonly [Common, (slab: ResultSlab) => number | null])[]
  ).map(([shared, of]) => one('Any context', shared, of)),
  several(
    'Any context',
    'CONTEXT',
    common('nolock_failures', `${FAILURES}, of one context`, 'lower'),
    (slab) =>
      CONTEXTS.map(
        (context) =>
          [context, failures(nolockOf(slab).requests.filter((row) => row.context === context))] as const,
      ),
  ),
  several(
    'Any context',
    'LOCK',
    common('nolock_failures_lock', `${FAILURES}, by the lock that they interrupted`, 'lower'),
    (slab) => failuresBy(slab, NOLOCK_LOCKS, ({ lock }) => lock),
  ),
  several(
    'Any context',
    'CLASS',
    common('nolock_failures_class', `${FAILURES}, by bytes of the bucket`, 'lower'),
    (slab) => failuresBy(slab, NOLOCK_CLASSES, ({ size_class }) => size_class),
  ),
  several(
    'Any context',
    'CAUSE',
    common('nolock_failures_cause', `${FAILURES}, by the reason`, 'lower'),
    (slab) => failuresBy(slab, NOLOCK_CAUSES, ({ cause }) => cause),
  ),
];

const HAZARDS: readonly MetricFamily[] = [
  one(
    'Hazards',
    common('hazards', 'what must not happen: deadlocks, misuse, leaks', 'lower'),
    ({ hazards_total }) => sum(Object.values(hazards_total), (total) => total ?? 0),
  ),
  several(
    'Hazards',
    'KIND',
    common('hazards', 'what must not happen, of one kind', 'lower'),
    ({ hazards_total }) => HAZARD_KINDS.map((kind) => [kind, hazards_total[kind] ?? 0] as const),
  ),
];

export const SLAB_METRICS: readonly MetricFamily[] = [...HAZARDS, ...SLAB, WASTE, ...NOLOCK];
