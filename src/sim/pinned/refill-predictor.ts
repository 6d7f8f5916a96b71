/**
 * Compares each refill of a per-CPU list with what the model would have taken, chunk by chunk.
 *
 * A refill is a burst of mm_page_alloc_zone_locked on one CPU, ended by the mm_page_alloc that caused it. Its size is
 * predicted when it begins; each chunk is predicted from the lists as the chunks before it left them. Where the chunk at
 * the head comes from the start state its real place is unknown: then any chunk of that start state in the same list
 * agrees, and the burst is counted as `unordered`.
 * model: page-allocator 4.5, 8.10
 */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { PageKind } from '../../mm/page-alloc/page-map.js';
import { noteAllocation, refillSize } from '../../mm/page-alloc/pcp-tuning.js';
import { type PerCpuPages, pcpAllowedOrder, pcpListIndex } from '../../mm/page-alloc/per-cpu-pages.js';
import { takeFromPcp } from '../../mm/page-alloc/take-pfn.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import { type BurstMiss, type BurstTally, emptyTally, MAX_MISSES } from './burst-log.js';
import type { StartKnowledge } from './start-knowledge.js';

/** What an allocation ended: a refill, the removal of one chunk past the per-CPU list, or nothing. */
export type RefillEnd = 'none' | 'refill' | 'direct';

interface Burst {
  readonly zone: Zone;
  readonly index: number;
  /** entries on the list when the burst began */
  readonly leftover: number;
  /** tuning state before the burst, should it prove to be no refill */
  readonly before: { readonly high: number; readonly alloc_factor: number };
  readonly order: number;
  readonly migratetype: number;
  readonly known: boolean;
  readonly expected: number;
  readonly event: number;
  readonly ts_ns: number;
  chunks: number;
  /** first chunk that differs, -1 while all agree */
  wrong: string;
  unordered: boolean;
}

export class RefillPredictor {
  readonly tally: BurstTally = emptyTally();
  readonly misses: BurstMiss[] = [];
  /** pages that a refill found on a list that must have been empty */
  untraced_takes = 0;
  /** chunks of per-CPU orders taken past the lists: the list's lock was busy, or an atomic request may not refill */
  direct_removals = 0;
  readonly #open: (Burst | undefined)[] = [];
  #event = 0;
  #ts = 0;

  constructor(
    readonly mm: PageAllocator,
    readonly knowledge: StartKnowledge,
  ) {}

  at(event: number, ts: number): void {
    this.#event = event;
    this.#ts = ts;
  }

  /**
   * One chunk leaves the buddy lists.
   *
   * @param chunk first page of the chunk that held it, -1 if the model has it elsewhere
   */
  step(
    zone: Zone,
    cpu: number,
    pfn: number,
    order: number,
    migratetype: number,
    refill: boolean,
    chunk: number,
  ): void {
    let burst = this.#open[cpu];
    if (burst !== undefined && (burst.zone !== zone || burst.order !== order)) {
      this.close(cpu);
      burst = undefined;
    }
    if (!refill || !pcpAllowedOrder(order)) {
      this.close(cpu);
      return;
    }
    burst ??= this.#begin(zone, cpu, order, migratetype);
    burst.chunks++;
    if (burst.chunks === 2) this.#emptyList(burst, cpu);
    const verdict = this.#judge(zone, pfn, order, migratetype, chunk);
    if (verdict === 'unordered') burst.unordered = true;
    else if (verdict !== 'exact' && burst.wrong === '') burst.wrong = verdict;
  }

  /** A chunk taken by fallback without passing the list of its new type. It may be the first of its burst. */
  fallbackStep(zone: Zone, cpu: number, order: number, migratetype: number): void {
    let burst = this.#open[cpu];
    if (burst !== undefined && (burst.zone !== zone || burst.order !== order)) {
      this.close(cpu);
      burst = undefined;
    }
    if (!pcpAllowedOrder(order)) return;
    burst ??= this.#begin(zone, cpu, order, migratetype);
    burst.chunks++;
    if (burst.chunks === 2) this.#emptyList(burst, cpu);
  }

  #begin(zone: Zone, cpu: number, order: number, migratetype: number): Burst {
    const pcp = zone.pcps[cpu]!;
    const index = pcpListIndex(order, migratetype);
    const known = this.knowledge.isListKnown(zone, cpu, index);
    const before = { high: pcp.high, alloc_factor: pcp.alloc_factor };
    noteAllocation(pcp);
    const expected = refillSize(this.mm.rules, pcp, zone, order);
    const burst = {
      zone,
      index,
      leftover: pcp.lists[index]!.length,
      before,
      order,
      migratetype,
      known,
      expected,
      event: this.#event,
      ts_ns: this.#ts,
      chunks: 0,
      wrong: '',
      unordered: false,
    };
    this.#open[cpu] = burst;
    return burst;
  }

  /** It is a refill, so the list was empty: what the model still has on it left without an event, or never was there. */
  #emptyList(burst: Burst, cpu: number): void {
    const { zone, index, order } = burst;
    // Other CPUs, or the refill itself, may have taken some of it since.
    const leftover = Math.min(burst.leftover, zone.pcps[cpu]!.lists[index]!.length);
    for (let entry = 0; entry < leftover; entry++) {
      const pfn = takeFromPcp(zone, { cpu, index, position: 0 });
      zone.pages.state[zone.pages.node(pfn, order)] = (PageKind.parked << 4) | order;
      this.untraced_takes += 1 << order;
    }
    this.knowledge.learnList(zone, cpu, index);
  }

  #judge(zone: Zone, pfn: number, order: number, migratetype: number, chunk: number): string {
    const orders = zone.listMask[migratetype]! >>> order;
    const hex = `0x${pfn.toString(16)}`;
    if (chunk < 0) return `${hex} is on no buddy list of the model`;
    if (orders === 0) return `${hex} taken, the model has no chunk of type ${migratetype}`;
    const chunkOrder = order + (31 - Math.clz32(orders & -orders));
    const head = zone.pages.pfn(zone.firstNode(chunkOrder, migratetype));
    if (head === chunk && head === pfn) return 'exact';
    const taken = zone.pages.buddyOrder(chunk);
    const sameList = taken === chunkOrder && zone.pages.listType(chunk, taken) === migratetype;
    if (
      sameList &&
      chunk === pfn &&
      this.knowledge.isUnordered(head, chunkOrder) &&
      this.knowledge.isUnordered(chunk, taken)
    )
      return 'unordered';
    // The head did not leave first, so its place was not what the replay took it to be.
    if (sameList) this.knowledge.unlearn(head, chunkOrder);
    return `${hex} (order-${taken} chunk) taken, the model would take 0x${head.toString(16)} (order ${chunkOrder})`;
  }

  /** The allocation that the burst served. */
  closeWithAlloc(zone: Zone, cpu: number, order: number): RefillEnd {
    const burst = this.#open[cpu];
    if (burst === undefined) return 'none';
    const matches = burst.zone === zone && burst.order === order;
    if (matches && burst.chunks === 1 && burst.expected > 1) {
      // One chunk where many were due, handed out at once: the per-CPU list was passed by. model: page-allocator 8.10
      this.#open[cpu] = undefined;
      this.direct_removals++;
      Object.assign(zone.pcps[cpu]!, burst.before);
      return 'direct';
    }
    this.close(cpu);
    return matches ? 'refill' : 'none';
  }

  close(cpu: number): void {
    const burst = this.#open[cpu];
    if (burst === undefined) return;
    this.#open[cpu] = undefined;
    if (burst.chunks === 1) this.#emptyList(burst, cpu);
    const pcp = burst.zone.pcps[cpu]!;
    this.tally.observed++;
    const rightSize = burst.chunks === burst.expected;
    if (rightSize) this.tally.observed_size_predicted++;
    else this.#resynchronise(burst, pcp);
    if (!burst.known) return;
    this.tally.known++;
    if (!rightSize) {
      this.#miss(burst, cpu, `${burst.chunks} chunks, the model would take ${burst.expected}`);
      return;
    }
    this.tally.size_predicted++;
    if (burst.wrong !== '') {
      this.#miss(burst, cpu, burst.wrong);
      return;
    }
    this.tally.pfn_predicted++;
    if (burst.unordered) this.tally.unordered++;
  }

  closeAll(): void {
    for (let cpu = 0; cpu < this.#open.length; cpu++) this.close(cpu);
  }

  /** A refill of another size shows the doubling that the start state did not tell. */
  #resynchronise(burst: Burst, pcp: PerCpuPages): void {
    if (burst.order !== 0 || !this.mm.rules.tuned_high || burst.chunks < pcp.batch) return;
    const doublings = Math.round(Math.log2(burst.chunks / pcp.batch));
    pcp.alloc_factor = Math.min(doublings + 1, this.mm.rules.pcp_batch_scale_max);
  }

  #miss(burst: Burst, cpu: number, what: string): void {
    if (this.misses.length >= MAX_MISSES) return;
    const text = `refill of order ${burst.order} type ${burst.migratetype}: ${what}`;
    this.misses.push({ kind: 'refill', event: burst.event, ts_ns: burst.ts_ns, cpu, text });
  }
}
