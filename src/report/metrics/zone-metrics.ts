/**
 * Metrics of free memory: how much there is, in what pieces, and how far it is of use for large requests.
 * model: page-allocator 6.1, 6.5, 6.6
 */
import { extfragIndexes, unusableIndexes } from '../fragmentation-index.js';
import type { ResultZone } from '../run-result.js';
import type { Better, LabelledValue, MetricFamily, MetricSource, Subject } from './metric.js';
import { buddyinfoOf, sum, type ZoneGroup, zoneGroups } from './zone-groups.js';

/** What the kernel's debugfs text shows of a chunk that is free: there is no index then. */
const NO_INDEX = -1000;

function perOrder(
  metric: Pick<MetricFamily, 'name' | 'unit' | 'subject' | 'better' | 'meaning' | 'kernel'>,
  of: (zones: readonly ResultZone[]) => readonly (number | null)[],
): MetricFamily {
  return {
    ...metric,
    labels: ['ZONE', 'ORDER'],
    *read({ zones }: MetricSource) {
      for (const group of zoneGroups(zones))
        for (const [order, value] of of(group.zones).entries())
          if (value !== null) yield [[group.label, order], value];
    },
  };
}

function perZone(
  name: string,
  better: Better,
  meaning: string,
  kernel: string,
  of: (zone: ResultZone) => number,
  subject: Subject = 'Memory',
): MetricFamily {
  return {
    name,
    labels: ['ZONE'],
    unit: 'pages',
    subject,
    better,
    meaning,
    kernel,
    *read({ zones }: MetricSource) {
      for (const group of zoneGroups(zones)) yield [[group.label], sum(group.zones, of)];
    },
  };
}

function* typeRows({ label, zones }: ZoneGroup, source: MetricSource): Iterable<LabelledValue> {
  for (const [row, type] of source.migratetypes.entries())
    yield [[label, type.toLowerCase()], sum(zones, (zone) => zone.pageblocks[row]!)];
}

const PAGEBLOCKS: MetricFamily = {
  name: 'pageblocks',
  labels: ['ZONE', 'TYPE'],
  unit: 'pageblocks',
  subject: 'Memory',
  better: 'neither',
  meaning: 'pageblocks marked as a migratetype',
  kernel: '/proc/pagetypeinfo',
  *read(source: MetricSource) {
    for (const group of zoneGroups(source.zones)) yield* typeRows(group, source);
  },
};

/** A share of free memory has no value where nothing is free. */
function unusable(zones: readonly ResultZone[]): (number | null)[] {
  const chunks = buddyinfoOf(zones);
  return unusableIndexes(chunks).map((index) => (chunks.some((free) => free > 0) ? index / 1000 : null));
}

export const ZONE_METRICS: readonly MetricFamily[] = [
  perOrder(
    {
      name: 'unusable_index',
      unit: '',
      subject: 'Fragmentation',
      better: 'lower',
      meaning: 'share of free memory in pieces too small for the order: 0 none, 1 all',
      kernel: '/sys/kernel/debug/extfrag/unusable_index',
    },
    unusable,
  ),
  perOrder(
    {
      name: 'extfrag_index',
      unit: '',
      subject: 'Fragmentation',
      better: 'lower',
      meaning:
        'why a request of the order would fail: near 0 memory is short, near 1 fragmented; none where it would not fail',
      kernel: '/sys/kernel/debug/extfrag/extfrag_index',
    },
    (zones) =>
      extfragIndexes(buddyinfoOf(zones)).map((index) =>
        index === NO_INDEX ? null : Math.max(0, index) / 1000,
      ),
  ),
  perOrder(
    {
      name: 'free_chunks',
      unit: 'chunks',
      subject: 'Memory',
      better: 'neither',
      meaning: 'free chunks of exactly the order, all migratetypes',
      kernel: '/proc/buddyinfo',
    },
    buddyinfoOf,
  ),
  perZone(
    'free_pages',
    'neither',
    'free pages, without those on per-CPU lists',
    '/proc/zoneinfo: pages free',
    (zone) => zone.free_pages,
  ),
  perZone('pcp_pages', 'neither', 'pages on per-CPU lists', '/proc/zoneinfo: pagesets', (zone) =>
    sum(zone.pcp, ({ count }) => count),
  ),
  perZone(
    'reserved_highatomic_pages',
    'neither',
    'pages in blocks reserved for atomic requests of high order',
    '/proc/zoneinfo: nr_reserved_highatomic',
    (zone) => zone.reserved_highatomic_pages,
  ),
  PAGEBLOCKS,
];
