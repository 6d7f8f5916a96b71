/**
 * Metrics of 1 GiB ranges, by content and so for every policy, and of what the mechanisms of the series did.
 * model: spb 5.4, 6
 */
import type { ResultSpb, ResultZone, ResultZoneSpb } from '../run-result.js';
import type { Better, MetricFamily, MetricSource } from './metric.js';
import { sum, zoneGroups } from './zone-groups.js';

interface RangeMetric {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly meaning: string;
  of(zones: readonly ResultZoneSpb[]): number | null;
}

function counted(
  name: string,
  field: keyof ResultZoneSpb,
  better: Better,
  meaning: string,
  unit = '',
): RangeMetric {
  return {
    name,
    unit,
    better,
    meaning,
    of: (zones) => {
      const values = zones.map((zone) => zone[field] as number | null);
      return values.some((value) => value === null) ? null : sum(values, (value) => value as number);
    },
  };
}

const RANGE_METRICS: readonly RangeMetric[] = [
  counted('spb_total', 'total', 'neither', '1 GiB ranges, clipped ones at the edges of zones among them'),
  counted('spb_tainted', 'tainted', 'lower', '1 GiB ranges with a page in use that cannot be moved'),
  counted('spb_empty', 'empty', 'higher', '1 GiB ranges with nothing in use'),
  counted('spb_clean', 'clean', 'neither', '1 GiB ranges in use by movable pages alone'),
  counted('spb_held', 'held', 'neither', '1 GiB ranges handed out whole, as 1 GiB pages'),
  counted(
    'spb_floor',
    'floor',
    'neither',
    'tainted ranges that any policy would need: non-movable bytes / 1 GiB',
  ),
  {
    name: 'spb_taint_efficiency',
    unit: '',
    better: 'higher',
    meaning: 'spb_floor / spb_tainted: 1 is the best that any policy could do',
    of: (zones) => {
      const tainted = sum(zones, (zone) => zone.tainted);
      return tainted === 0 ? null : Math.round((sum(zones, (zone) => zone.floor) / tainted) * 1000) / 1000;
    },
  },
  counted(
    'spb_tainted_by_bits',
    'tainted_by_bits',
    'lower',
    'tainted superpageblocks as their sticky bits count',
  ),
  counted('spb_isolated', 'isolated', 'neither', 'superpageblocks taken out of steering'),
  counted(
    'spb_nonmovable_pages',
    'nonmovable_pages',
    'neither',
    'pages in use that cannot be moved',
    'pages',
  ),
  counted('gigantic_now', 'gigantic_now', 'higher', '1 GiB pages to be had without moving anything'),
  counted(
    'gigantic_after_migration',
    'gigantic_after_migration',
    'higher',
    '1 GiB pages to be had by moving movable pages: a bound',
  ),
  counted(
    'gigantic_after_reclaim',
    'gigantic_after_reclaim',
    'higher',
    '1 GiB pages to be had by reclaiming as well: a bound',
  ),
];

/** Nothing is said of superpageblocks of zones that have none. */
function spbOf(zones: readonly ResultZone[]): readonly ResultZoneSpb[] {
  return zones.map(({ superpageblocks }) => superpageblocks);
}

function rangeFamilies(metric: RangeMetric): MetricFamily[] {
  const { of, ...shared } = metric;
  const common = { ...shared, subject: 'Superpageblocks', kernel: '' } as const;
  return [
    {
      ...common,
      labels: [],
      *read({ zones }: MetricSource) {
        const value = of(spbOf(zones));
        if (value !== null) yield [[], value];
      },
    },
    {
      ...common,
      labels: ['ZONE'],
      meaning: `${metric.meaning}, of one zone`,
      *read({ zones }: MetricSource) {
        for (const group of zoneGroups(zones)) {
          const value = of(spbOf(group.zones));
          if (value !== null) yield [[group.label], value];
        }
      },
    },
  ];
}

interface WorkMetric {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly meaning: string;
  of(spb: ResultSpb): number;
}

function work(
  name: string,
  meaning: string,
  of: (spb: ResultSpb) => number,
  unit = '',
  better: Better = 'lower',
): WorkMetric {
  return { name, unit, better, meaning, of };
}

const WORK_METRICS: readonly WorkMetric[] = [
  work('spb_searches', 'searches for a superpageblock', ({ search }) => search.searches, '', 'neither'),
  work('spb_visited', 'superpageblocks looked at by searches', ({ search }) => search.visited),
  work('spb_probes', 'list heads or bitmap words read by searches', ({ search }) => search.probes),
  work(
    'spb_claims',
    'pageblocks claimed for another type',
    ({ fallback }) => fallback.claims_preferred + fallback.claims_other,
  ),
  work('spb_steals', 'pages stolen from a pageblock of another type', ({ fallback }) => fallback.steals),
  work(
    'spb_taints',
    'clean or empty superpageblocks that a request tainted',
    ({ fallback }) => fallback.taints_by_pass3 + fallback.taints_by_claim + fallback.taints_by_steal,
  ),
  work(
    'spb_nofragment_dropped',
    'requests that gave up holding out against tainting',
    ({ fallback }) => fallback.nofragment_dropped,
  ),
  work(
    'spb_reclaim_rounds',
    'rounds of reclaim while requests held out against tainting',
    ({ fallback }) => fallback.reclaim_rounds,
  ),
  work(
    'spb_evacuations',
    'evacuations of a pageblock or superpageblock asked for',
    ({ evacuation }) => evacuation.requested,
  ),
  work(
    'spb_evacuation_failed_pages',
    'pages that an evacuation could not move',
    ({ evacuation }) => evacuation.failed_pages,
    'pages',
  ),
  work('spb_defrag_runs', 'runs of the defrag worker', ({ defrag }) => defrag.runs),
  work(
    'spb_defrag_no_progress',
    'runs of the defrag worker that freed no pageblock',
    ({ defrag }) => defrag.no_progress,
  ),
  work(
    'spb_defrag_blocks_freed',
    'pageblocks that defrag made wholly free',
    ({ defrag }) => defrag.blocks_freed,
    'pageblocks',
    'higher',
  ),
  work(
    'spb_shrink_pages',
    'slab pages that came free, by the shrink worker and ordinary reclaim',
    ({ slab_shrink }) => slab_shrink.pages,
    'pages',
    'neither',
  ),
  work(
    'spb_work_busy_ns',
    'simulated time that work items of superpageblocks took',
    ({ work: { evacuate, defrag, slab_shrink } }) => evacuate.busy_ns + defrag.busy_ns + slab_shrink.busy_ns,
    'ns',
  ),
  work('contig_calls', 'requests for whole GiBs', ({ contig }) => contig.calls, '', 'neither'),
  work('contig_failed', 'requests for whole GiBs that failed', ({ contig }) => contig.failed),
  work(
    'contig_from_empty',
    'whole GiBs handed out without moving anything',
    ({ contig }) => contig.gigantic_from_empty,
    '',
    'higher',
  ),
  work(
    'contig_migrated_pages',
    'pages moved for whole GiBs',
    ({ contig }) => contig.gigantic_migrated_pages,
    'pages',
  ),
];

function workFamily({ of, ...metric }: WorkMetric): MetricFamily {
  return {
    ...metric,
    labels: [],
    subject: 'Superpageblock work',
    kernel: '',
    *read({ superpageblocks }: MetricSource) {
      if (superpageblocks !== null) yield [[], of(superpageblocks)];
    },
  };
}

const CLAIM_REFUSED: MetricFamily = {
  name: 'spb_claim_refused',
  labels: ['REASON'],
  unit: '',
  subject: 'Superpageblock work',
  better: 'neither',
  meaning: 'refusals to claim a pageblock, by reason',
  kernel: 'tracepoint spb_claim_block_refused',
  *read({ superpageblocks }: MetricSource) {
    for (const [reason, count] of Object.entries(superpageblocks?.claim_refused ?? {}))
      yield [[reason], count];
  },
};

export const SPB_METRICS: readonly MetricFamily[] = [
  ...RANGE_METRICS.flatMap(rangeFamilies),
  ...WORK_METRICS.map(workFamily),
  CLAIM_REFUSED,
];
