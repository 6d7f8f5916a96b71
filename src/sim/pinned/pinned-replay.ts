/**
 * Pinned replay: the recorded kernel decides every PFN, the model follows and says where it would have done otherwise.
 *
 * The trace tells when a page leaves the buddy lists (refill), is handed out (alloc), comes back (free) and returns to
 * the buddy lists (drain). The model's lists are moved in the same way, so at each step they show what the model would
 * have chosen next: that is compared with what the kernel did. A page that the model holds to be in use cannot be handed
 * out; if the trace does so, that is an illegal PFN.
 * model: page-allocator 8
 */
import { GFP_MOVABLE_BIT, gfpMigratetype, gfpZone } from '../../mm/gfp.js';
import { freeOnePage, freeToBuddy, setBlockTypes } from '../../mm/page-alloc/buddy.js';
import { releaseOwner } from '../../mm/page-alloc/free-owned.js';
import { addMovable, markAllocated } from '../../mm/page-alloc/in-use.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { isBuddy, isPcp, PageKind } from '../../mm/page-alloc/page-map.js';
import { blockStart, moveFreePages, zoneSpansBlock } from '../../mm/page-alloc/pageblock.js';
import { noteAllocation } from '../../mm/page-alloc/pcp-tuning.js';
import { pcpAllowedOrder, pcpListIndex } from '../../mm/page-alloc/per-cpu-pages.js';
import { findOnPcp, takeFromChunk, takeFromPcp } from '../../mm/page-alloc/take-pfn.js';
import { boostedMark, zoneWatermarkFast } from '../../mm/page-alloc/watermark.js';
import { WMARK_HIGH, ZONE_BELOW_HIGH, type Zone } from '../../mm/page-alloc/zone.js';
import { MAX_PAGE_ORDER, MIGRATE_PCPTYPES, Migratetype, PAGEBLOCK_ORDER } from '../../mm/types.js';
import { type EventBatch, EventFlag, NO_ORDER, Op } from '../../trace/event-batch.js';
import type { Notes } from '../notes.js';
import { isSlabOp } from '../slab/slab-requests.js';
import { Outcome, type Tallies } from '../tallies.js';
import { DrainPredictor } from './drain-predictor.js';
import { learnBlockType } from './learn-block-type.js';
import { PageTaker } from './page-taker.js';
import { RefillPredictor } from './refill-predictor.js';
import type { StartKnowledge } from './start-knowledge.js';

/** Outcome of an allocation's PFN. */
export interface Legality {
  allocations: number;
  legal: number;
  /** the PFN was at the head of the list that the model would have popped */
  popped_as_predicted: number;
  /** allocations from lists whose content was known */
  pops_known: number;
}

/** An illegal PFN, for the report. */
export interface IllegalPfn {
  readonly event: number;
  readonly ts_ns: number;
  readonly pfn: number;
  readonly order: number;
  readonly cpu: number;
}

const MAX_ILLEGAL = 20;

export class PinnedReplay {
  readonly legality: Legality = { allocations: 0, legal: 0, popped_as_predicted: 0, pops_known: 0 };
  readonly illegal: IllegalPfn[] = [];
  readonly refills: RefillPredictor;
  readonly drains: DrainPredictor;
  readonly taker: PageTaker;
  /** events replayed so far; the number of the current one */
  event = 0;
  /** called at marks of the trace, before the mark takes effect */
  onMark: ((name: string) => void) | null = null;

  constructor(
    readonly mm: PageAllocator,
    readonly knowledge: StartKnowledge,
    readonly notes: Notes,
    readonly tallies: Tallies | null = null,
  ) {
    this.refills = new RefillPredictor(mm, knowledge);
    this.drains = new DrainPredictor(mm, knowledge);
    this.taker = new PageTaker(mm, knowledge, notes);
  }

  replay(batch: EventBatch, from = 0, to = batch.length): void {
    for (let i = from; i < to; i++) {
      this.#replayEvent(batch, i);
      this.event++;
    }
  }

  finish(): void {
    this.drains.closeAll();
    this.refills.closeAll();
  }

  #replayEvent(batch: EventBatch, i: number): void {
    const op = batch.op[i]!;
    const ts = batch.ts[i]!;
    if (op === Op.mark) {
      this.onMark?.(batch.strings.args.get(batch.arg[i]!));
      return;
    }
    if (op === Op.obs_lost) {
      this.notes.add('lost_event_gaps');
      return;
    }
    if (op > Op.free && op < Op.obs_refill) {
      this.notes.add(isSlabOp(op) ? 'slab_events_unpinned' : 'not_modelled');
      this.tallies?.event(op, batch.ctx[i]!, Outcome.not_replayed);
      return;
    }
    this.#tally(batch, i, op);
    const cpu = this.#cpu(batch.cpu[i]!);
    this.drains.advance(cpu, ts);
    if (batch.flags[i]! & EventFlag.failed) {
      this.notes.add('recorded_failures');
      return;
    }
    const pfn = batch.pfn[i]!;
    const zone = this.mm.findZone(pfn);
    const order = batch.order[i]!;
    if (zone === undefined || !isChunkOf(zone, pfn, order === NO_ORDER ? 0 : order)) {
      this.notes.add('pages_outside_machine');
      return;
    }
    this.refills.at(this.event, ts);
    this.drains.at(this.event, ts, batch.pid[i]!);
    switch (op) {
      case Op.alloc:
        this.#alloc(zone, cpu, pfn, order, batch.gfp[i]!, ts);
        break;
      case Op.free:
        this.#free(zone, cpu, pfn, order);
        break;
      case Op.obs_refill:
        this.drains.close(cpu);
        this.#leaveBuddy(
          zone,
          cpu,
          pfn,
          order,
          this.#typeOf(pfn, batch.migratetype[i]!),
          (batch.flags[i]! & EventFlag.refill) !== 0,
        );
        break;
      case Op.obs_drain:
        this.refills.close(cpu);
        this.#drain(zone, cpu, pfn, order, this.#typeOf(pfn, batch.migratetype[i]!));
        break;
      case Op.obs_extfrag:
        this.drains.close(cpu);
        this.#fallback(zone, cpu, pfn, order, this.#typeOf(pfn, batch.migratetype[i]!), batch.size[i]!);
        break;
    }
  }

  #tally(batch: EventBatch, i: number, op: number): void {
    if (this.tallies === null || op >= Op.obs_refill) return;
    const failed = (batch.flags[i]! & EventFlag.failed) !== 0;
    this.tallies.event(op, batch.ctx[i]!, failed ? Outcome.failed : Outcome.ok);
    if (op === Op.alloc)
      this.tallies.allocation(gfpMigratetype(batch.gfp[i]!), batch.ctx[i]!, batch.order[i]!, failed ? 1 : 0);
  }

  /** The type of an observed list. What is no list that pages are taken from is taken for that of the page's block. */
  #typeOf(pfn: number, migratetype: number): number {
    if (migratetype < Migratetype.isolate) return migratetype;
    this.notes.add('unknown_types');
    return this.mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER]!;
  }

  #cpu(cpu: number): number {
    if (cpu < this.mm.nr_cpus) return cpu;
    this.notes.add('cpus_outside_machine');
    return 0;
  }

  /** mm_page_alloc_zone_locked: a chunk leaves the buddy lists, for a per-CPU list or for the caller. */
  #leaveBuddy(
    zone: Zone,
    cpu: number,
    pfn: number,
    order: number,
    migratetype: number,
    refill: boolean,
  ): void {
    learnBlockType(this.mm, this.notes, zone, cpu, pfn, migratetype);
    const chunk = this.mm.pages.buddyHead(pfn);
    this.refills.step(zone, cpu, pfn, order, migratetype, refill, chunk);
    if (chunk < 0) {
      if (!this.taker.fromElsewhere(zone, cpu, pfn, order)) this.notes.add('silent_frees', 1 << order);
    } else {
      takeFromChunk(zone, cpu, pfn, order, chunk, this.mm.pages.buddyOrder(chunk));
      this.knowledge.forget(pfn, order);
    }
    if (refill) this.#appendToPcp(zone, cpu, pfn, order, migratetype);
    else this.mm.pages.state[this.mm.pages.node(pfn, order)] = (PageKind.parked << 4) | order;
  }

  #appendToPcp(zone: Zone, cpu: number, pfn: number, order: number, migratetype: number): void {
    const pcp = zone.pcps[cpu]!;
    pcp.lists[pcpListIndex(order, migratetype)]!.pushTail(pfn);
    pcp.count += 1 << order;
    this.mm.pages.state[this.mm.pages.node(pfn, order)] = ((PageKind.pcp + migratetype) << 4) | order;
  }

  #alloc(zone: Zone, cpu: number, pfn: number, order: number, gfp: number, ts: number): void {
    this.drains.close(cpu);
    const { pages } = this.mm;
    this.legality.allocations++;
    this.#noteBelowHigh(zone, order, gfp);
    let legal = true;
    const node = pages.node(pfn, order);
    const state = pages.state[node]!;
    if (state === ((PageKind.parked << 4) | order)) {
      pages.state[node] = 0;
      this.refills.close(cpu);
    } else if (pcpAllowedOrder(order)) {
      legal = this.#popPcp(
        zone,
        cpu,
        pfn,
        order,
        this.mm.grouping ? gfpMigratetype(gfp) : Migratetype.unmovable,
      );
    } else {
      this.refills.close(cpu);
      legal = this.taker.unannounced(zone, cpu, pfn, order);
    }
    if (legal) {
      this.legality.legal++;
    } else {
      this.notes.add('implied_frees');
      if (this.illegal.length < MAX_ILLEGAL)
        this.illegal.push({ event: this.event, ts_ns: ts, pfn, order, cpu });
    }
    zone.pgalloc += 1 << order;
    markAllocated(this.mm, pfn, order, (gfp & GFP_MOVABLE_BIT) !== 0);
  }

  /** Every request that meets a zone below its high mark says so, and stops the growth of per-CPU lists there. */
  #noteBelowHigh(zone: Zone, order: number, gfp: number): void {
    const { rules } = this.mm;
    if (!rules.below_high || zone.flags & ZONE_BELOW_HIGH) return;
    if (!zoneWatermarkFast(zone, rules, order, boostedMark(zone, WMARK_HIGH), gfpZone(gfp), 0, gfp))
      zone.flags |= ZONE_BELOW_HIGH;
  }

  /** Hands out a page that should stand on this CPU's list. @returns whether it was free anywhere */
  #popPcp(zone: Zone, cpu: number, pfn: number, order: number, migratetype: number): boolean {
    const pcp = zone.pcps[cpu]!;
    const end = this.refills.closeWithAlloc(zone, cpu, order);
    if (end === 'none') noteAllocation(pcp);
    if (end === 'direct') {
      const place = findOnPcp(zone, pfn, order, cpu);
      if (place === null) return this.taker.unannounced(zone, cpu, pfn, order);
      takeFromPcp(zone, place);
      return true;
    }
    if (migratetype < MIGRATE_PCPTYPES) {
      const index = pcpListIndex(order, migratetype);
      const list = pcp.lists[index]!;
      const known = this.knowledge.isListKnown(zone, cpu, index);
      if (known) this.legality.pops_known++;
      if (list.length > 0 && list.at(0) === pfn) {
        list.popHead();
        pcp.count -= 1 << order;
        this.mm.pages.state[this.mm.pages.node(pfn, order)] = 0;
        if (known) this.legality.popped_as_predicted++;
        return true;
      }
    }
    return (
      this.taker.misplaced(zone, cpu, pfn, order, migratetype) ||
      this.taker.unannounced(zone, cpu, pfn, order)
    );
  }

  #free(zone: Zone, cpu: number, pfn: number, recordedOrder: number): void {
    this.drains.close(cpu);
    this.refills.close(cpu);
    const { pages } = this.mm;
    const order = recordedOrder === NO_ORDER ? 0 : recordedOrder;
    if (recordedOrder === NO_ORDER) this.notes.add('frees_without_order');
    const node = pages.node(pfn, order);
    const state = pages.state[node]!;
    const kind = state >> 4;
    if ((kind === PageKind.allocated || kind === PageKind.lru) && (state & 15) === order) {
      pages.state[node] = 0;
      if (kind === PageKind.lru) addMovable(this.mm, pfn, order, -1);
    } else if (isBuddy(state) || isPcp(state) || kind === PageKind.parked || pages.buddyHead(pfn) >= 0) {
      this.notes.add('untraced_allocations');
      this.taker.fromElsewhere(zone, cpu, pfn, order);
      releaseOwner(this.mm, pfn, order);
    } else {
      this.#freeOddShape(zone, cpu, pfn, order);
    }
    this.#putBack(zone, cpu, pfn, order);
  }

  #freeOddShape(zone: Zone, cpu: number, pfn: number, order: number): void {
    const { pages } = this.mm;
    for (let page = pfn; page < pfn + (1 << order); page++) {
      if (pages.buddyHead(page) < 0) continue;
      this.notes.add('untraced_allocations');
      this.taker.freePage(zone, cpu, page);
    }
    releaseOwner(this.mm, pfn, order);
  }

  #putBack(zone: Zone, cpu: number, pfn: number, order: number): void {
    const { pages } = this.mm;
    const blockType = pages.blockType[pfn >>> PAGEBLOCK_ORDER]!;
    this.mm.pgfree += 1 << order;
    if (!pcpAllowedOrder(order) || blockType === Migratetype.isolate) {
      freeToBuddy(this.mm, zone, cpu, pfn, order);
      this.knowledge.forgetChunkOf(pfn);
      return;
    }
    const pcp = zone.pcps[cpu]!;
    pcp.alloc_factor >>= 1;
    pages.state[pages.node(pfn, order)] = ((PageKind.pcp + blockType) << 4) | order;
    const index = pcpListIndex(order, blockType < MIGRATE_PCPTYPES ? blockType : Migratetype.movable);
    pcp.lists[index]!.pushHead(pfn);
    pcp.count += 1 << order;
    this.drains.afterFree(zone, cpu, order, index);
  }

  /** mm_page_pcpu_drain: a chunk goes from a per-CPU list to the buddy lists. */
  #drain(zone: Zone, cpu: number, pfn: number, order: number, migratetype: number): void {
    // The list was chosen when the page was freed, by a type that the model may have held wrong.
    const place = findOnPcp(zone, pfn, order, cpu);
    this.drains.step(zone, cpu, pfn, order, place);
    if (place !== null) {
      // Drains take the tail: what the model has behind it has left without an event.
      const list = zone.pcps[place.cpu]!.lists[place.index]!;
      while (list.length - 1 > place.position) this.taker.park(zone, place.cpu, place.index, list.length - 1);
      takeFromPcp(zone, place);
    } else if (!this.taker.pagesSingly(zone, cpu, pfn, order)) {
      // Was never seen to come free: it was on the list from before the trace, or its free is missing.
      this.notes.add('silent_frees', 1 << order);
    }
    learnBlockType(this.mm, this.notes, zone, cpu, pfn, migratetype);
    freeOnePage(this.mm, zone, cpu, pfn, order, migratetype);
    this.knowledge.forgetChunkOf(pfn);
  }

  /** mm_page_alloc_extfrag: in 6.18 the page has left (claim) or leaves now (steal); in 6.1 it only changes lists. */
  #fallback(zone: Zone, cpu: number, pfn: number, order: number, migratetype: number, packed: number): void {
    const { pages, rules } = this.mm;
    const fallbackOrder = Math.min(packed & 0xff, MAX_PAGE_ORDER);
    const changesOwner = packed >>> 16 !== 0;
    if (rules.steal_fallback) {
      this.#moveForSteal(zone, cpu, pfn, fallbackOrder, migratetype, changesOwner);
      return;
    }
    const chunk = pages.buddyHead(pfn);
    if (chunk < 0) return;
    const chunkOrder = pages.buddyOrder(chunk);
    if (fallbackOrder >= PAGEBLOCK_ORDER) {
      const old = pages.listType(chunk, chunkOrder);
      zone.remove(chunk, chunkOrder, old);
      zone.addHead(chunk, chunkOrder, migratetype);
      setBlockTypes(zone, chunk, chunkOrder, migratetype);
    }
    this.refills.fallbackStep(zone, cpu, order, migratetype);
    takeFromChunk(zone, cpu, pfn, order, chunk, chunkOrder);
    this.knowledge.forget(pfn, order);
    if (pcpAllowedOrder(order)) this.#appendToPcp(zone, cpu, pfn, order, migratetype);
    else pages.state[pages.node(pfn, order)] = (PageKind.parked << 4) | order;
  }

  #moveForSteal(
    zone: Zone,
    cpu: number,
    pfn: number,
    chunkOrder: number,
    migratetype: number,
    changesOwner: boolean,
  ): void {
    const { pages } = this.mm;
    const chunk = pages.buddyHead(pfn);
    if (chunk < 0) return;
    if (chunkOrder < PAGEBLOCK_ORDER && changesOwner && zoneSpansBlock(zone, pfn)) {
      moveFreePages(this.mm, zone, cpu, blockStart(pfn), migratetype);
    } else {
      const order = pages.buddyOrder(chunk);
      zone.remove(chunk, order, pages.listType(chunk, order));
      zone.addTail(chunk, order, migratetype);
    }
    // A chunk of several blocks changes all of them; within a block it is the block.
    if (changesOwner) setBlockTypes(zone, pfn, chunkOrder, migratetype);
  }
}

/** Whether 2^order pages from `pfn` on are a block that the zone's allocator could hand out. */
function isChunkOf(zone: Zone, pfn: number, order: number): boolean {
  const pages = 2 ** order;
  return pfn % pages === 0 && pfn + pages <= zone.end_pfn;
}
