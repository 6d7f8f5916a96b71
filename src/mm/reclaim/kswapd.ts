/**
 * kswapd: one per node, reclaims until the node is balanced, then naps, then sleeps.
 *
 *     asleep --wake--> running --balanced--> nap (100 ms) --still balanced--> asleep
 *                       ^  |  not balanced     |  woken, or no longer balanced
 *                       +--+-------------------+
 *
 * Nothing here knows the time. The simulation starts a run kswapd.wake_latency_ns after `wakeKswapd`, ends it when its
 * cost has passed (until then the zones count as being reclaimed), and ends the nap when that has passed.
 * model: gfp C10; page-allocator 4.9, 2.7, 10a.6
 */
import { GFP_KERNEL } from '../gfp.js';
import { isBalanced } from '../page-alloc/kswapd-wake.js';
import type { NodeState, PageAllocator } from '../page-alloc/page-allocator.js';
import { boostedMark } from '../page-alloc/watermark.js';
import { WMARK_HIGH, ZONE_RECLAIM_ACTIVE } from '../page-alloc/zone.js';
import { MAX_RECLAIM_RETRIES, PAGEBLOCK_ORDER, SWAP_CLUSTER_MAX } from '../types.js';
import { compactGap } from './compaction-suitable.js';
import { wakeKcompactd } from './kcompactd.js';
import { relaxThresholds, tightenThresholds } from './kswapd-threshold.js';
import { DEF_PRIORITY, type ReclaimControl, shrinkNode } from './shrink-node.js';

/** Length of the nap before kswapd goes to sleep. */
export const KSWAPD_NAP_NS = 100_000_000;

export interface KswapdRun {
  readonly reclaimed: number;
  readonly scanned: number;
  /** simulated time that the run takes */
  readonly cost_ns: number;
  /** order that it was still reclaiming for at the end */
  readonly order: number;
}

/** What kswapd does after a run or a nap. */
export type KswapdNext = 'run' | 'nap' | 'sleep';

/** What a run must remember until its end. */
export interface KswapdRunState {
  readonly alloc_order: number;
  readonly reclaim_order: number;
  readonly highest_zone: number;
  /** boost of each zone when the run began */
  readonly boosts: readonly number[];
}

/** How long after a wake-up kswapd starts to run. */
export function kswapdWakeLatencyNs(mm: PageAllocator): number {
  return mm.policy['kswapd.wake_latency_ns'];
}

/** The CPU that a node's kernel threads run on here: the node's first one. */
export function kernelThreadCpu(mm: PageAllocator, node: NodeState): number {
  return Math.max(0, mm.spec.cpu_nodes.indexOf(node.node));
}

/** One run with its end: for callers that give it no duration. */
export function runKswapd(
  mm: PageAllocator,
  node: NodeState,
  cpu?: number,
): KswapdRun & { next: KswapdNext } {
  const run = startKswapdRun(mm, node, cpu);
  return { ...run, next: endKswapdRun(mm, node) };
}

/** Takes what was asked for since the last run, and balances the node. */
export function startKswapdRun(
  mm: PageAllocator,
  node: NodeState,
  cpu: number = kernelThreadCpu(mm, node),
): KswapdRun {
  tightenThresholds(mm, node);
  node.kswapd_awake = true;
  const order = node.kswapd_order;
  const highestZone = node.kswapd_highest_zone;
  node.kswapd_order = 0;
  node.kswapd_highest_zone = 0;
  const boosts = node.zones.map((zone) => (zone.index <= highestZone ? zone.watermark_boost : 0));
  const before = mm.events.spbsim_kswapd_ns;
  mm.events.pageoutrun++;
  const control = balance(mm, node, order, highestZone, cpu, sum(boosts));
  node.kswapd_run = {
    alloc_order: order,
    reclaim_order: control.order,
    highest_zone: highestZone,
    boosts,
  };
  return {
    reclaimed: control.nr_reclaimed,
    scanned: control.nr_scanned,
    cost_ns: mm.events.spbsim_kswapd_ns - before,
    order: control.order,
  };
}

/**
 * Ends a run: the zones are no longer being reclaimed, the boosts that it saw are paid off, and if the node is
 * balanced now (or hopeless) kswapd lies down for a nap and leaves the rest to kcompactd.
 */
export function endKswapdRun(mm: PageAllocator, node: NodeState): KswapdNext {
  const run = node.kswapd_run;
  if (run === null) return 'sleep';
  node.kswapd_run = null;
  for (const zone of node.zones) if (zone.index <= run.highest_zone) zone.flags &= ~ZONE_RECLAIM_ACTIVE;
  if (sum(run.boosts) > 0) {
    node.zones.forEach((zone, index) => {
      zone.watermark_boost -= Math.min(zone.watermark_boost, run.boosts[index]!);
    });
    wakeKcompactd(mm, node, PAGEBLOCK_ORDER, run.highest_zone);
  }
  // An order that was given up on the way is kcompactd's now. Otherwise only what was asked for since then counts.
  const gaveUp = run.reclaim_order < run.alloc_order;
  const order = gaveUp ? run.reclaim_order : node.kswapd_order;
  const highestZone = gaveUp ? run.highest_zone : node.kswapd_highest_zone || run.highest_zone;
  if (!maySleep(mm, node, order, highestZone)) return goOn(mm, node, highestZone);
  for (const zone of node.zones) mm.compaction.resetSkips(zone);
  wakeKcompactd(mm, node, gaveUp ? run.alloc_order : order, highestZone);
  node.kswapd_awake = false;
  node.kswapd_nap_order = order;
  node.kswapd_nap_zone = highestZone;
  return 'nap';
}

/** Ends a nap that nobody interrupted; one that was (kswapd_nap_order is -1) has ended by itself. */
export function endKswapdNap(mm: PageAllocator, node: NodeState): KswapdNext {
  const order = node.kswapd_nap_order;
  if (order < 0) return node.kswapd_awake ? 'run' : 'sleep';
  node.kswapd_nap_order = -1;
  if (maySleep(mm, node, order, node.kswapd_nap_zone)) {
    relaxThresholds(node);
    return 'sleep';
  }
  return goOn(mm, node, node.kswapd_nap_zone);
}

/** No sleep yet: the next run is for the order asked for meanwhile, in the same zones if none were named. */
function goOn(mm: PageAllocator, node: NodeState, highestZone: number): KswapdNext {
  mm.events.kswapd_high_wmark_hit_quickly++;
  node.kswapd_awake = true;
  node.kswapd_highest_zone ||= highestZone;
  return 'run';
}

function maySleep(mm: PageAllocator, node: NodeState, order: number, highestZone: number): boolean {
  return node.kswapd_failures >= MAX_RECLAIM_RETRIES || isBalanced(mm, node, order, highestZone);
}

/** The balance loop: looks harder each time, until the node is balanced and the boost is worked off. */
function balance(
  mm: PageAllocator,
  node: NodeState,
  order: number,
  highestZone: number,
  cpu: number,
  boosted: number,
): ReclaimControl {
  const control: ReclaimControl = {
    actor: 'kswapd',
    cpu,
    gfp: GFP_KERNEL,
    order,
    highestZone,
    priority: DEF_PRIORITY,
    may_swap: true,
    nr_to_reclaim: 0,
    nr_reclaimed: 0,
    nr_scanned: 0,
  };
  for (const zone of node.zones) if (zone.index <= highestZone) zone.flags |= ZONE_RECLAIM_ACTIVE;
  let boostLeft = boosted;
  let scanned = 0;
  while (control.priority >= 1) {
    const balanced = isBalanced(mm, node, control.order, highestZone);
    // Real shortage comes before the boost: begin anew without it.
    if (!balanced && boostLeft > 0) {
      boostLeft = 0;
      control.priority = DEF_PRIORITY;
      continue;
    }
    if (balanced && boostLeft === 0) return withScans(control, scanned);
    // A boost is worked off gently: not below priority 10, and nothing is swapped out for it.
    let lookHarder = !(boostLeft > 0 && control.priority === DEF_PRIORITY - 2);
    control.may_swap = boostLeft === 0;
    const before = control.nr_reclaimed;
    control.nr_scanned = 0;
    control.nr_to_reclaim = targetOf(node, highestZone);
    shrinkNode(mm, node, control);
    scanned += control.nr_scanned;
    const reclaimed = control.nr_reclaimed - before;
    if (control.order > 0 && control.nr_reclaimed >= compactGap(mm, control.order)) control.order = 0;
    if (Math.max(control.nr_scanned, reclaimed) >= control.nr_to_reclaim) lookHarder = false;
    boostLeft -= Math.min(boostLeft, reclaimed);
    if (boostLeft > 0 && reclaimed === 0) break;
    if (lookHarder || reclaimed === 0) control.priority--;
  }
  if (control.nr_reclaimed === 0 && (boosted === 0 || mm.policy['reclaim.boost_run_failures']))
    node.kswapd_failures++;
  return withScans(control, scanned);
}

function withScans(control: ReclaimControl, scanned: number): ReclaimControl {
  control.nr_scanned = scanned;
  return control;
}

/** What one pass is after. */
function targetOf(node: NodeState, highestZone: number): number {
  let pages = 0;
  for (const zone of node.zones)
    if (zone.index <= highestZone && zone.managed_pages > 0)
      pages += Math.max(boostedMark(zone, WMARK_HIGH), SWAP_CLUSTER_MAX);
  return pages;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
