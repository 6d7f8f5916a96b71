/**
 * Compares each drain of a per-CPU list with what the model would have drained.
 *
 * Three things drain lists in a recording: a free that overflows them; the vmstat worker, which lets the high mark decay
 * once a second; and whoever empties them for reclaim, compaction or isolation. The first is predicted from the free, the
 * second from the worker's clock, whose phase is taken from the worker's own drains in the trace; that the third happens is
 * not predicted, only what it drains. What is drained is predicted page by page from the tails of the lists.
 * model: page-allocator 3.2-3.4, 3.9, 8.11
 */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { drainSizeAfterFree } from '../../mm/page-alloc/pcp-tuning.js';
import { NR_PCP_LISTS, type PerCpuPages, pcpListOrder } from '../../mm/page-alloc/per-cpu-pages.js';
import type { PcpPlace } from '../../mm/page-alloc/take-pfn.js';
import { boostedMark, zoneWatermarkOk } from '../../mm/page-alloc/watermark.js';
import { WMARK_HIGH, ZONE_BELOW_HIGH, ZONE_RECLAIM_ACTIVE, type Zone } from '../../mm/page-alloc/zone.js';
import { ZoneIndex } from '../../mm/types.js';
import { type BurstMiss, type BurstTally, emptyTally, MAX_MISSES } from './burst-log.js';
import type { StartKnowledge } from './start-knowledge.js';

interface Drain {
  readonly zone: Zone;
  readonly cause: 'free' | 'worker' | 'all' | 'none';
  readonly expected: number;
  readonly start: number;
  readonly event: number;
  readonly ts_ns: number;
  /** of the free that is expected to cause it */
  readonly pid: number;
  /** pages still to come, and what is left of the current chunk where the policy drains in chunks */
  left: number;
  chunkLeft: number;
  index: number;
  drained: number;
  known: boolean;
  wrong: string;
}

const CAUSES = {
  free: 'by a free',
  worker: 'by the vmstat worker',
  all: 'of all lists',
  none: 'by a free',
} as const;

export class DrainPredictor {
  readonly tally: BurstTally = emptyTally();
  /** the part of the tally that the vmstat worker caused */
  readonly workerTally: BurstTally = emptyTally();
  readonly misses: BurstMiss[] = [];
  readonly #open: (Drain | undefined)[] = [];
  /** pending worker drains by CPU */
  readonly #due: Drain[][] = [];
  readonly #ticks: { times: readonly number[]; next: number }[] = [];
  #event = 0;
  #ts = 0;
  #pid = 0;

  constructor(
    readonly mm: PageAllocator,
    readonly knowledge: StartKnowledge,
  ) {}

  at(event: number, ts: number, pid: number): void {
    this.#event = event;
    this.#ts = ts;
    this.#pid = pid;
  }

  /** Times at which the vmstat worker of a CPU runs. */
  setTicks(cpu: number, times: readonly number[]): void {
    this.#ticks[cpu] = { times, next: 0 };
  }

  /** Runs the worker's ticks up to `ts`. */
  advance(cpu: number, ts: number): void {
    const ticks = this.#ticks[cpu];
    if (ticks === undefined || ticks.next >= ticks.times.length || ticks.times[ticks.next]! > ts) return;
    ticks.next++;
    this.close(cpu);
    this.#due[cpu] = [];
    for (const zone of this.mm.zones) {
      const pages = this.#decay(zone, cpu);
      if (pages > 0) this.#due[cpu]!.push(this.#drain(zone, cpu, 'worker', pages, 0));
    }
  }

  /** Lowers the high mark as the worker does. @returns pages above it */
  #decay(zone: Zone, cpu: number): number {
    if (!this.mm.policy['vmstat.decay_high']) return 0;
    const pcp = zone.pcps[cpu]!;
    if (pcp.high > pcp.high_min) {
      const slow = pcp.high - (pcp.high >> 3);
      pcp.high = Math.max(pcp.count - (pcp.batch << this.mm.rules.pcp_batch_scale_max), slow, pcp.high_min);
    }
    return pcp.count - pcp.high;
  }

  #drain(zone: Zone, cpu: number, cause: Drain['cause'], pages: number, start: number): Drain {
    const left = Math.min(pages, zone.pcps[cpu]!.count);
    return {
      zone,
      cause,
      expected: pages,
      start,
      event: this.#event,
      ts_ns: this.#ts,
      pid: this.#pid,
      left,
      chunkLeft: this.mm.rules.drain_in_batches ? Math.min(left, zone.pcps[cpu]!.batch) : left,
      index: start,
      drained: 0,
      known: true,
      wrong: '',
    };
  }

  /** Bookkeeping of a free that has been pushed; opens the drain that the model expects of it. */
  afterFree(zone: Zone, cpu: number, order: number, index: number): void {
    const pages = drainSizeAfterFree(this.mm.rules, zone.pcps[cpu]!, zone, order);
    this.#open[cpu] = this.#drain(zone, cpu, pages > 0 ? 'free' : 'none', pages, index);
  }

  /** One chunk is drained; `place` is where the model has it, null if on no per-CPU list. */
  step(zone: Zone, cpu: number, pfn: number, order: number, place: PcpPlace | null): void {
    const drain = this.#current(zone, cpu);
    if (drain.drained === 0 && drain.cause === 'none' && drain.expected === 0)
      drain.wrong = 'the model expects no drain';
    drain.drained += 1 << order;
    const at = this.#advanceWalk(drain, cpu);
    const list = at < 0 ? undefined : zone.pcps[cpu]!.lists[at];
    if (at >= 0 && !this.knowledge.isListKnown(zone, cpu, at)) drain.known = false;
    const expected = list === undefined ? -1 : list.at(list.length - 1);
    if (expected !== pfn && drain.wrong === '') {
      const where =
        place === null ? 'on no list' : `entry ${place.position} of list ${place.index} of CPU ${place.cpu}`;
      drain.wrong = `0x${pfn.toString(16)} drained (in the model: ${where}), the model would drain ${
        expected < 0 ? 'nothing more' : `0x${expected.toString(16)} of list ${at}`
      }`;
    }
    if (place !== null && !this.knowledge.isListKnown(zone, place.cpu, place.index)) drain.known = false;
    drain.left -= 1 << order;
    drain.chunkLeft -= 1 << order;
    if (this.mm.rules.drain_in_batches && drain.chunkLeft < 0) {
      // Chunks are nominal: what one overshot is not taken off the next. model: page-allocator 10a.1
      drain.left -= drain.chunkLeft;
      drain.chunkLeft = 0;
    }
  }

  #current(zone: Zone, cpu: number): Drain {
    const open = this.#open[cpu];
    const sameTask = open !== undefined && open.pid === this.#pid;
    const workerRanAgain = open !== undefined && open.cause === 'worker' && open.left <= 0;
    if (open !== undefined && open.zone === zone && sameTask && !workerRanAgain) return open;
    this.close(cpu);
    const due = this.#due[cpu]?.find((drain) => drain.zone === zone);
    if (due !== undefined) this.#due[cpu] = this.#due[cpu]!.filter((drain) => drain !== due);
    const drain = due === undefined ? this.#unannounced(zone, cpu) : { ...due, pid: this.#pid };
    this.#open[cpu] = drain;
    return drain;
  }

  /**
   * A drain that is not due and that no free of this task causes: the worker once more, since its phase comes from the
   * trace anyway; or, if that would drain nothing, somebody empties the lists (compaction, reclaim, isolation).
   */
  #unannounced(zone: Zone, cpu: number): Drain {
    const excess = this.#decay(zone, cpu);
    if (excess > 0) return this.#drain(zone, cpu, 'worker', excess, 0);
    return this.#drain(zone, cpu, 'all', zone.pcps[cpu]!.count, 0);
  }

  /** The list that the drain has reached, -1 when it should have ended. */
  #advanceWalk(drain: Drain, cpu: number): number {
    const pcp = drain.zone.pcps[cpu]!;
    if (drain.chunkLeft <= 0 && this.mm.rules.drain_in_batches) {
      drain.chunkLeft = Math.min(drain.left, pcp.batch);
      drain.index = drain.start;
    }
    if (drain.chunkLeft <= 0) return -1;
    for (let looked = 0; looked < NR_PCP_LISTS; looked++) {
      if (pcp.lists[drain.index]!.length > 0) return drain.index;
      drain.index = drain.index + 1 === NR_PCP_LISTS ? 0 : drain.index + 1;
    }
    return -1;
  }

  /** Another event of the CPU: whatever was drained is all. */
  close(cpu: number): void {
    const drain = this.#open[cpu];
    if (drain === undefined) return;
    this.#open[cpu] = undefined;
    if (drain.drained === 0 && drain.expected === 0) return;
    this.#settle(drain, cpu);
  }

  closeAll(): void {
    for (let cpu = 0; cpu < this.#open.length; cpu++) this.close(cpu);
  }

  #settle(drain: Drain, cpu: number): void {
    const overshoot = (1 << pcpListOrder(NR_PCP_LISTS - 1)) - 1;
    const rightSize =
      drain.expected > 0 &&
      drain.drained >= drain.expected &&
      drain.left <= 0 &&
      drain.drained - drain.expected <= overshoot;
    if (!rightSize) this.#resynchronise(drain, cpu);
    if (drain.cause !== 'worker' && drain.cause !== 'all' && drain.drained > 0)
      this.#clearBelowHigh(drain.zone);
    if (drain.drained === 0) {
      this.tally.expected_not_seen++;
      if (drain.cause === 'worker') this.workerTally.expected_not_seen++;
      return;
    }
    this.#count(drain, cpu, drain.known, rightSize);
  }

  /** An overflow drain looks whether the zone is above its high mark again. model: page-allocator 3.3, step 7 */
  #clearBelowHigh(zone: Zone): void {
    if (
      zone.flags & ZONE_BELOW_HIGH &&
      zoneWatermarkOk(zone, this.mm.rules, 0, boostedMark(zone, WMARK_HIGH), ZoneIndex.movable, 0)
    )
      zone.flags &= ~ZONE_BELOW_HIGH;
  }

  #count(drain: Drain, cpu: number, known: boolean, rightSize: boolean): void {
    const tallies = drain.cause === 'worker' ? [this.tally, this.workerTally] : [this.tally];
    for (const tally of tallies) {
      tally.observed++;
      if (rightSize) tally.observed_size_predicted++;
      if (!known) continue;
      tally.known++;
      if (!rightSize) continue;
      tally.size_predicted++;
      if (drain.wrong === '') tally.pfn_predicted++;
    }
    if (!known || (rightSize && drain.wrong === '') || this.misses.length >= MAX_MISSES) return;
    const size = rightSize ? '' : `${drain.drained} pages, the model would drain ${drain.expected}; `;
    const pcp = drain.zone.pcps[cpu]!;
    const marks = `count ${pcp.count + drain.drained}, high ${pcp.high} of ${pcp.high_min}..${pcp.high_max}, flags ${drain.zone.flags}`;
    const text = `drain ${CAUSES[drain.cause]}: ${size}${drain.wrong} (${marks})`;
    this.misses.push({ kind: 'drain', event: drain.event, ts_ns: drain.ts_ns, cpu, text });
  }

  /**
   * The kernel drained where the model would not, or the reverse: the limit at which it drains is another.
   *
   * While kswapd runs that is four batches, which no page event tells; a drain at that count shows it, and a free without
   * one shows that it is over. Else the high mark was elsewhere, and the count bounds it.
   */
  #resynchronise(drain: Drain, cpu: number): void {
    const { zone } = drain;
    const pcp = zone.pcps[cpu]!;
    if (!this.mm.rules.tuned_high && drain.cause !== 'all') {
      this.#resynchroniseFixed(drain, pcp);
      return;
    }
    const before = pcp.count + drain.drained;
    const reclaimLimit = Math.min(pcp.batch << 2, pcp.high);
    if (drain.drained === 0) {
      if (zone.flags & ZONE_RECLAIM_ACTIVE) zone.flags &= ~ZONE_RECLAIM_ACTIVE;
      else pcp.high = Math.max(pcp.high, Math.min(pcp.count + 1, pcp.high_max));
    } else if (drain.cause === 'none' || drain.expected === 0) {
      if (drain.cause === 'none' && before < pcp.high && before >= reclaimLimit && before < pcp.high_min)
        zone.flags |= ZONE_RECLAIM_ACTIVE;
      else pcp.high = Math.max(pcp.high_min, Math.min(pcp.high, before));
    }
    if (drain.cause === 'free' && drain.drained > pcp.batch) pcp.free_count = drain.drained;
  }

  /**
   * Where the high mark is fixed: either kswapd runs, and four batches are the limit, or the count was off because pages
   * have left the lists without an event. While kswapd runs a drain is at most three batches, which no doubling gives.
   */
  #resynchroniseFixed(drain: Drain, pcp: PerCpuPages): void {
    const { zone } = drain;
    const reclaimLimit = Math.min(pcp.batch << 2, pcp.high);
    const reclaimMost = reclaimLimit - pcp.batch;
    const isActive = (zone.flags & ZONE_RECLAIM_ACTIVE) !== 0;
    const before = pcp.count + drain.drained;
    if (drain.drained === 0) {
      // First the count is doubted, then that kswapd still runs.
      if (!isActive) pcp.count = Math.min(pcp.count, pcp.high) - pcp.batch;
      else if (pcp.count > reclaimLimit) pcp.count = pcp.batch;
      else {
        zone.flags &= ~ZONE_RECLAIM_ACTIVE;
        pcp.count = Math.min(listedPages(pcp), pcp.high - 1);
      }
      return;
    }
    if (drain.expected >= before) {
      // All lists were emptied, so what the model still has on them is gone.
      pcp.count = 0;
      return;
    }
    const farBelow = drain.expected === 0 && before < pcp.high - 2 * pcp.batch;
    if (drain.drained === reclaimMost || (farBelow && drain.drained < reclaimMost)) {
      zone.flags |= ZONE_RECLAIM_ACTIVE;
      pcp.count = Math.max(reclaimLimit - drain.drained, listedPages(pcp));
    } else if (drain.expected === 0) pcp.count += (isActive ? reclaimLimit : pcp.high) - before;
    const doublings = Math.round(Math.log2(Math.max(1, drain.drained / pcp.batch)));
    pcp.free_factor = Math.min(doublings + 1, this.mm.rules.pcp_batch_scale_max);
  }
}

function listedPages(pcp: PerCpuPages): number {
  return pcp.lists.reduce((pages, list, index) => pages + (list.length << pcpListOrder(index)), 0);
}
