/**
 * kcompactd: one per node, compacts in the background: on demand for an order that kswapd or a request could not be
 * served with, and proactively when a node's free memory has become too fragmented.
 * model: page-allocator 5 (kcompactd, proactive)
 */
import { drainAllPages } from '../page-alloc/drain-all.js';
import type { NodeState, PageAllocator } from '../page-alloc/page-allocator.js';
import { WMARK_MIN, type Zone } from '../page-alloc/zone.js';
import { MAX_NR_ZONES, Migratetype } from '../types.js';
import { type CompactGoal, WHOLE_ZONE_ORDER } from './compact-control.js';
import { type CompactRun, compactZone } from './compaction.js';
import { CompactResult, compactionNeed } from './compaction-suitable.js';
import { nodeScore, proactiveHighMark } from './proactive-score.js';

/** How often a node's score is looked at. */
export const PROACTIVE_INTERVAL_NS = 500_000_000;
/** After a run without progress it is looked at this many times more rarely, once. */
const FRUITLESS_FACTOR = 64;

export interface KcompactdRun {
  readonly migrated: number;
  /** simulated time that the run takes */
  readonly cost_ns: number;
}

/** Somebody wants chunks of this order: noted, and kcompactd is woken if a zone can be compacted for it. */
export function wakeKcompactd(mm: PageAllocator, node: NodeState, order: number, highestZone: number): void {
  if (order === 0 || !mm.policy['compaction.enabled']) return;
  node.kcompactd_order = Math.max(node.kcompactd_order, order);
  node.kcompactd_highest_zone = Math.min(node.kcompactd_highest_zone, highestZone);
  if (node.kcompactd_awake || !hasWork(mm, node)) return;
  node.kcompactd_awake = true;
  mm.background?.wakeKcompactd(node, node.kcompactd_order, node.kcompactd_highest_zone);
}

function hasWork(mm: PageAllocator, node: NodeState): boolean {
  const { kcompactd_order: order, kcompactd_highest_zone: highest } = node;
  return node.zones.some(
    (zone) =>
      zone.index <= highest &&
      compactionNeed(mm, zone, order, WMARK_MIN, highest, false) === CompactResult.continue,
  );
}

/** A demand run, after `wakeKcompactd` of the background. */
export function runKcompactd(mm: PageAllocator, node: NodeState, cpu: number): KcompactdRun {
  const { kcompactd_order: order, kcompactd_highest_zone: highest } = node;
  node.kcompactd_awake = false;
  node.kcompactd_order = 0;
  node.kcompactd_highest_zone = MAX_NR_ZONES - 1;
  mm.events.compact_daemon_wake++;
  let migrated = 0;
  let cost_ns = 0;
  if (!mm.reclaims) return { migrated, cost_ns };
  for (const zone of node.zones) {
    if (zone.index > highest || mm.compaction.isDeferred(zone, order)) continue;
    if (compactionNeed(mm, zone, order, WMARK_MIN, highest, false) !== CompactResult.continue) continue;
    const run = compactZone(mm, { ...daemonGoal(zone, cpu), order, highestZone: highest });
    if (run.result === CompactResult.success) {
      mm.compaction.resetDefer(zone, order, false);
    } else if (run.result === CompactResult.complete || run.result === CompactResult.partialSkipped) {
      // Pages on the per-CPU lists may have been in the way.
      drainAllPages(mm, zone);
      mm.compaction.defer(zone, order);
    }
    countDaemon(mm, run);
    migrated += run.migrated;
    cost_ns += run.cost_ns;
  }
  return { migrated, cost_ns };
}

/** Whether a proactive run would start now. */
export function wantsProactiveCompaction(mm: PageAllocator, node: NodeState): boolean {
  return (
    mm.reclaims &&
    mm.policy['compaction.enabled'] &&
    mm.policy['compaction.proactiveness'] > 0 &&
    !node.kswapd_awake &&
    nodeScore(node) > proactiveHighMark(mm)
  );
}

/**
 * The periodic look at a node.
 *
 * @returns what it did, and when the next look is due
 */
export function runProactiveCompaction(
  mm: PageAllocator,
  node: NodeState,
  cpu: number,
): KcompactdRun & { readonly next_ns: number } {
  if (!wantsProactiveCompaction(mm, node)) return { migrated: 0, cost_ns: 0, next_ns: PROACTIVE_INTERVAL_NS };
  const before = nodeScore(node);
  let migrated = 0;
  let cost_ns = 0;
  for (const zone of node.zones) {
    const run = compactZone(mm, {
      ...daemonGoal(zone, cpu),
      whole_zone: true,
      ignore_skip: true,
      proactive: true,
    });
    countDaemon(mm, run);
    migrated += run.migrated;
    cost_ns += run.cost_ns;
  }
  const fruitless = nodeScore(node) >= before;
  return { migrated, cost_ns, next_ns: PROACTIVE_INTERVAL_NS * (fruitless ? FRUITLESS_FACTOR : 1) };
}

/** `echo 1 > /proc/sys/vm/compact_memory`: every zone from end to end. @returns pages migrated */
export function compactMemory(mm: PageAllocator, cpu: number): number {
  if (!mm.reclaims || !mm.policy['compaction.enabled']) return 0;
  let migrated = 0;
  for (const zone of mm.zones) {
    const run = compactZone(mm, { ...daemonGoal(zone, cpu), whole_zone: true, ignore_skip: true });
    migrated += run.migrated;
  }
  return migrated;
}

function daemonGoal(zone: Zone, cpu: number): CompactGoal {
  return {
    zone,
    cpu,
    order: WHOLE_ZONE_ORDER,
    migratetype: Migratetype.unmovable,
    highestZone: MAX_NR_ZONES - 1,
    allocFlags: WMARK_MIN,
    async: false,
    direct: false,
    whole_zone: false,
    proactive: false,
    ignore_skip: false,
  };
}

function countDaemon(mm: PageAllocator, run: CompactRun): void {
  mm.events.compact_daemon_migrate_scanned += run.migrate_scanned;
  mm.events.compact_daemon_free_scanned += run.free_scanned;
  mm.events.spbsim_kcompactd_ns += run.cost_ns;
}
