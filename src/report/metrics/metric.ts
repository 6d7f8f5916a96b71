/**
 * What a metric is: one number of a run with a name that tables, budgets, diffs and `spbsim metrics` share.
 *
 * Metrics come in families: `unusable_index.Normal.9` is the member of `unusable_index` for a zone and an order. No metric
 * is ever negative, so that a signed limit of a budget can only mean a change.
 */
import type { RunResult } from '../run-result.js';

/** Which way is an improvement; `neither` where that depends on what somebody wants. */
export type Better = 'lower' | 'higher' | 'neither';

/** Headings that metrics stand under, in the order of tables. */
export const SUBJECTS = [
  'Superpageblocks',
  'Fragmentation',
  'Requests',
  'Stalls',
  'Superpageblock work',
  'Hazards',
  'Slab',
  'Any context',
  'Reclaim',
  'Compaction',
  'Memory',
  'Replay',
] as const;
export type Subject = (typeof SUBJECTS)[number];

/** What stands behind a dot in the name of a member. */
export type Label =
  | 'ZONE'
  | 'ORDER'
  | 'TYPE'
  | 'NOTE'
  | 'REASON'
  | 'KIND'
  | 'CONTEXT'
  | 'LOCK'
  | 'CLASS'
  | 'CAUSE';

/** The sections that metrics are read from; getters may make them on demand. */
export type MetricSource = Pick<
  RunResult,
  | 'migratetypes'
  | 'span'
  | 'events'
  | 'allocations'
  | 'notes'
  | 'vmstat'
  | 'zones'
  | 'superpageblocks'
  | 'slab'
>;

export type LabelledValue = readonly [labels: readonly (string | number)[], value: number];

export interface MetricFamily {
  readonly name: string;
  readonly labels: readonly Label[];
  /** `pages`, `ns`, ...; empty for plain counts and ratios */
  readonly unit: string;
  readonly subject: Subject;
  readonly better: Better;
  readonly meaning: string;
  /** where a kernel shows the same, empty if nowhere */
  readonly kernel: string;
  /** Its members in a run; none where the run has nothing of the kind. */
  read(source: MetricSource): Iterable<LabelledValue>;
}

/** `unusable_index.ZONE.ORDER` */
export function familyKey(family: Pick<MetricFamily, 'name' | 'labels'>): string {
  return [family.name, ...family.labels].join('.');
}
