/**
 * A first pass over a recorded trace, for what it says about the moment before its first event.
 *
 * A page whose first event is an allocation was free, one whose first event is a free was in use. Which list a free page
 * was on follows too: a page that leaves the buddy lists says so (mm_page_alloc_zone_locked), so one that is handed out
 * without that stood on the per-CPU list of that CPU, and those lists are popped at the head and drained at the tail.
 * model: page-allocator 8, 8.17
 */

import { gfpMigratetype } from '../../mm/gfp.js';
import { pcpAllowedOrder, pcpListIndex } from '../../mm/page-alloc/per-cpu-pages.js';
import { MAX_PAGE_ORDER, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../../mm/types.js';
import { type EventBatch, EventFlag, NO_ORDER, Op } from '../../trace/event-batch.js';
import { isSlabOp } from '../slab/slab-requests.js';
import { SlabinfoReadingFinder, type SlabinfoReadings } from './slabinfo-reading.js';

/** What a page's first event was. */
export const FirstEvent = { none: 0, alloc: 1, free: 2, refill: 3, drain: 4, fallback: 5 } as const;
export const FIRST_EVENT_MASK = 0x0f;
/** Set where the first event came after the start snapshot was complete: then the snapshot holds for the start, too. */
export const AFTER_SNAPSHOT = 0x10;

/** The recorder's mark behind its first snapshot. */
const SNAPSHOT_DONE = /^spbsim: workload\b/;

export const UNKNOWN_TYPE = 255;

/** Entries that a per-CPU list held at the start, as far as the trace shows them. */
export interface StartList {
  readonly cpu: number;
  readonly index: number;
  /** handed out during the trace, head first */
  readonly popped: { pfn: number; order: number }[];
  /** drained during the trace, tail first */
  readonly drained: { pfn: number; order: number }[];
}

/** What the pass has shown; plain data. */
export type ScannedTrace = Pick<
  TraceScan,
  | 'firstEvent'
  | 'blockType'
  | 'hasRefills'
  | 'hasDrains'
  | 'hasSlabEvents'
  | 'events'
  | 'first_ns'
  | 'last_ns'
  | 'workerDrains'
  | 'startLists'
  | 'slabinfoReadings'
>;

export class TraceScan {
  /** FirstEvent by PFN, with AFTER_SNAPSHOT */
  readonly firstEvent: Uint8Array;
  /** migratetype of a block as first shown by the trace, or UNKNOWN_TYPE */
  readonly blockType: Uint8Array;
  /** true if the trace holds mm_page_alloc_zone_locked events */
  hasRefills = false;
  hasDrains = false;
  hasSlabEvents = false;
  events = 0;
  first_ns = Number.NaN;
  last_ns = Number.NaN;
  /** times of drains that no free of the same task caused: the vmstat worker's, by CPU */
  readonly workerDrains = new Map<number, number[]>();
  readonly marks: { name: string; ts_ns: number }[] = [];
  readonly #slabinfo = new SlabinfoReadingFinder();
  readonly #lists = new Map<number, StartList>();
  /** FirstEvent.free where the last event of the page was its free */
  readonly #lastEvent: Uint8Array;
  #late = 0;
  readonly #lastOp: number[] = [];
  readonly #lastPid: number[] = [];
  readonly #lastRefill: number[] = [];

  constructor(readonly end_pfn: number) {
    this.firstEvent = new Uint8Array(end_pfn);
    this.#lastEvent = new Uint8Array(end_pfn);
    this.blockType = new Uint8Array(Math.ceil(end_pfn / (1 << PAGEBLOCK_ORDER))).fill(UNKNOWN_TYPE);
  }

  get startLists(): StartList[] {
    return [...this.#lists.values()];
  }

  get slabinfoReadings(): SlabinfoReadings {
    return this.#slabinfo.result();
  }

  add(batch: EventBatch): void {
    for (let i = 0; i < batch.length; i++) this.#addEvent(batch, i);
  }

  result(): ScannedTrace {
    const { firstEvent, blockType, hasRefills, hasDrains, hasSlabEvents, events } = this;
    const { workerDrains, startLists, slabinfoReadings, first_ns, last_ns } = this;
    return {
      firstEvent,
      blockType,
      hasRefills,
      hasDrains,
      hasSlabEvents,
      events,
      first_ns,
      last_ns,
      workerDrains,
      startLists,
      slabinfoReadings,
    };
  }

  #addEvent(batch: EventBatch, i: number): void {
    const op = batch.op[i]!;
    const ts = batch.ts[i]!;
    this.#slabinfo.add(batch, i, this.events);
    if (this.events++ === 0) this.first_ns = ts;
    this.last_ns = ts;
    if (op === Op.mark) {
      const name = batch.strings.args.get(batch.arg[i]!);
      this.marks.push({ name, ts_ns: ts });
      if (SNAPSHOT_DONE.test(name)) this.#late = AFTER_SNAPSHOT;
      return;
    }
    if (isSlabOp(op)) this.hasSlabEvents = true;
    if ((batch.flags[i]! & EventFlag.hasPfn) === 0 || batch.flags[i]! & EventFlag.failed) return;
    const pfn = batch.pfn[i]!;
    const order = batch.order[i] === NO_ORDER ? 0 : batch.order[i]!;
    if (pfn + (1 << order) > this.end_pfn) return;
    const cpu = batch.cpu[i]!;
    if (op === Op.alloc) {
      // A page that was freed and comes back without a refill stood on the list of its block's type.
      if (this.#lastEvent[pfn] === FirstEvent.free && pcpAllowedOrder(order))
        this.#seeListType(pfn, batch.gfp[i]!);
      if (this.#mark(pfn, order, FirstEvent.alloc) && pcpAllowedOrder(order)) {
        const migratetype = gfpMigratetype(batch.gfp[i]!);
        if (migratetype < Migratetype.highatomic) {
          this.#seeType(pfn, migratetype);
          this.#list(cpu, pcpListIndex(order, migratetype)).popped.push({ pfn, order });
        }
      }
    } else if (op === Op.free) {
      this.#mark(pfn, order, FirstEvent.free);
    } else if (op === Op.obs_refill) {
      this.hasRefills = true;
      this.#mark(pfn, order, FirstEvent.refill);
      this.#lastRefill[cpu] = pfn;
      this.#seeType(pfn, batch.migratetype[i]!);
    } else if (op === Op.obs_drain) {
      this.hasDrains = true;
      const migratetype = batch.migratetype[i]!;
      if (this.#mark(pfn, order, FirstEvent.drain) && pcpAllowedOrder(order)) {
        const listType = migratetype < Migratetype.highatomic ? migratetype : Migratetype.movable;
        this.#list(cpu, pcpListIndex(order, listType)).drained.push({ pfn, order });
      }
      this.#seeType(pfn, migratetype);
      this.#noteWorker(batch, i, cpu, ts);
    } else if (op === Op.obs_extfrag) {
      this.#mark(pfn, order, FirstEvent.fallback);
      const fallbackType = (batch.size[i]! >> 8) & 0xff;
      // A claim shows the block under its new type just before; what it was is the fallback type.
      if (this.#lastRefill[cpu] === pfn && fallbackType < Migratetype.isolate)
        this.blockType[pfn >>> PAGEBLOCK_ORDER] = fallbackType;
      else this.#seeType(pfn, fallbackType);
      // The other blocks of a larger chunk were of the same type.
      const pages = 1 << Math.min(batch.size[i]! & 0xff, MAX_PAGE_ORDER);
      for (let page = pfn + PAGEBLOCK_PAGES; page < pfn + pages; page += PAGEBLOCK_PAGES)
        this.#seeType(page, fallbackType);
    }
    this.#lastEvent[pfn] = op === Op.free ? FirstEvent.free : FirstEvent.none;
    this.#lastOp[cpu] = op;
    this.#lastPid[cpu] = batch.pid[i]!;
  }

  /** @returns true if this is the first event of the page */
  #mark(pfn: number, order: number, what: number): boolean {
    const first = this.firstEvent[pfn] === FirstEvent.none;
    for (let page = pfn; page < pfn + (1 << order); page++)
      if (this.firstEvent[page] === FirstEvent.none) this.firstEvent[page] = what | this.#late;
    return first;
  }

  /** Isolation passes, and shows nothing about what the block is. */
  #seeType(pfn: number, migratetype: number): void {
    if (migratetype >= Migratetype.isolate) return;
    const block = pfn >>> PAGEBLOCK_ORDER;
    if (this.blockType[block] === UNKNOWN_TYPE) this.blockType[block] = migratetype;
  }

  #seeListType(pfn: number, gfp: number): void {
    const migratetype = gfpMigratetype(gfp);
    if (migratetype < Migratetype.highatomic) this.#seeType(pfn, migratetype);
  }

  #list(cpu: number, index: number): StartList {
    const key = cpu * 64 + index;
    let list = this.#lists.get(key);
    if (list === undefined) {
      list = { cpu, index, popped: [], drained: [] };
      this.#lists.set(key, list);
    }
    return list;
  }

  #noteWorker(batch: EventBatch, i: number, cpu: number, ts: number): void {
    const samePid = this.#lastPid[cpu] === batch.pid[i];
    const lastOp = this.#lastOp[cpu];
    if (samePid && (lastOp === Op.free || lastOp === Op.obs_drain)) return;
    const times = this.workerDrains.get(cpu) ?? [];
    if (times.length === 0) this.workerDrains.set(cpu, times);
    times.push(ts);
  }
}
