/**
 * The periodic worker of one CPU: folds its parts of the counters into the zones', lets a tuned high mark sink, and
 * gives back what the CPU keeps of remote nodes and has not touched for a while.
 * model: page-allocator 2.8, 3.9
 */
import { drainInChunks, drainPcp } from './free-pages.js';
import { type PageAllocator, PageLock } from './page-allocator.js';
import type { PerCpuPages } from './per-cpu-pages.js';
import type { Zone } from './zone.js';

/** runs of the worker without a counter change after which lists of a remote node are drained */
const REMOTE_EXPIRE_TICKS = 3;

/** The worker has counters to fold: what its shepherd asks before it starts it on an idle CPU. */
export function hasUnfoldedCounters(mm: PageAllocator, cpu: number): boolean {
  return mm.zones.some((zone) => zone.pcps[cpu]!.nr_free_diff !== 0);
}

/** Folds one CPU's part of NR_FREE_PAGES into the zone. @returns whether there was anything to fold */
export function foldCounters(zone: Zone, cpu: number): boolean {
  const pcp = zone.pcps[cpu]!;
  if (pcp.nr_free_diff === 0) return false;
  zone.nr_free_pages += pcp.nr_free_diff;
  pcp.nr_free_diff = 0;
  return true;
}

/** One run of the worker on a CPU. @returns what it changed, 0 when it can go to sleep */
export function refreshCpuVmStats(mm: PageAllocator, cpu: number): number {
  const home = mm.spec.cpu_nodes[cpu]!;
  let changes = 0;
  for (const zone of mm.zones) {
    if (zone.present_pages === 0) continue;
    const pcp = zone.pcps[cpu]!;
    if (foldCounters(zone, cpu)) {
      pcp.expire = REMOTE_EXPIRE_TICKS;
      changes++;
    }
    if (mm.policy['vmstat.decay_high']) changes += decayHigh(mm, zone, cpu, pcp);
    changes += expireRemote(mm, zone, cpu, pcp, home);
  }
  return changes;
}

/** Lowers a tuned high mark by an eighth, but not so far that one run drains more than a doubled-out batch. */
function decayHigh(mm: PageAllocator, zone: Zone, cpu: number, pcp: PerCpuPages): number {
  let changes = 0;
  if (pcp.high > pcp.high_min) {
    pcp.high = Math.max(
      pcp.count - (pcp.batch << mm.rules.pcp_batch_scale_max),
      pcp.high - (pcp.high >> 3),
      pcp.high_min,
    );
    if (pcp.high > pcp.high_min) changes++;
  }
  const excess = pcp.count - pcp.high;
  if (excess > 0) {
    mm.locks?.enter(PageLock.pcp, zone, cpu);
    drainInChunks(mm, zone, cpu, excess, 0);
    mm.locks?.leave(PageLock.pcp, zone, cpu);
    changes++;
  }
  return changes;
}

function expireRemote(mm: PageAllocator, zone: Zone, cpu: number, pcp: PerCpuPages, home: number): number {
  if (pcp.expire === 0 || pcp.count === 0) return 0;
  if (zone.node === home) {
    pcp.expire = 0;
    return 0;
  }
  pcp.expire--;
  if (pcp.expire === 0) {
    mm.locks?.enter(PageLock.pcp, zone, cpu);
    drainPcp(mm, zone, cpu, Math.min(pcp.count, pcp.batch), 0);
    mm.locks?.leave(PageLock.pcp, zone, cpu);
  }
  return 1;
}
