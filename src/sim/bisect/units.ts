/**
 * The units that a trace is reduced by: what makes sense only together is kept or left out together.
 *
 * All events of one object are a unit: its allocation and whatever frees or touches it, joined by its id or by the pages
 * that were recorded. An id or a page that is handed out again begins another object. An event that names no object is a
 * unit by itself. Observations of the recorded kernel belong to none: a trace CSV has no place for them.
 */
import { ASKS_MEMORY, FREES_OBJECT, FREES_PAGES, HAS_ORDER } from '../../trace/csv/columns.js';
import {
  type EventBatch,
  EventFlag,
  FIRST_OBSERVATION,
  NO_ORDER,
  NONE_U32,
  Op,
} from '../../trace/event-batch.js';
import type { EventLog } from './event-log.js';

/** No unit. */
const NONE = -1;

const CHUNK_SHIFT = 12;
const CHUNK = 1 << CHUNK_SHIFT;

/** Ranges are known by id, or by their first page alone. */
const RANGES: readonly number[] = [Op.contig_alloc, Op.contig_free];

/** Operations that change the model; all others are counted only. */
const REPLAYED: ReadonlySet<number> = new Set([
  Op.alloc,
  Op.free,
  Op.alloc_nolock,
  Op.free_nolock,
  Op.contig_alloc,
  Op.contig_free,
  Op.reference,
  Op.drop_caches,
  Op.mem_online,
  Op.mem_offline,
  Op.cpu_online,
  Op.cpu_offline,
]);

export interface Unit {
  /** its events name an object */
  isObject: boolean;
  /** the last of its events frees it */
  isFreed: boolean;
  /** one of its events at least changes the model */
  isReplayed: boolean;
}

export interface Units {
  /** by event: number of its unit, -1 for what belongs to none */
  readonly ofEvent: Int32Array;
  readonly units: readonly Unit[];
}

/** Units of the first `events` events, numbered in the order in which they begin. */
export function unitsOf(log: EventLog, events: number): Units {
  const joining = new Joining(events);
  let event = 0;
  for (const { batch, from, to } of log.rows(0, events))
    for (let row = from; row < to; row++) joining.add(batch, row, event++);
  return joining.units();
}

class Joining {
  /** by event, before units were found to be one */
  readonly #first: Int32Array;
  /** by unit: the one that it is part of; itself, if none */
  readonly #parents: number[] = [];
  readonly #units: Unit[] = [];
  readonly #pages = new PageUnits();
  readonly #pageIds = new Map<number, number>();
  /** a page and a slab object may share an id; a page and a range may not, say the readers */
  readonly #objectIds = new Map<number, number>();

  constructor(events: number) {
    this.#first = new Int32Array(events).fill(NONE);
  }

  add(batch: EventBatch, row: number, event: number): void {
    const op = batch.op[row]!;
    if (op >= FIRST_OBSERVATION) return;
    const unit = this.#unitOf(batch, row, op);
    this.#first[event] = unit;
    const { isReplayed } = this.#units[unit]!;
    this.#units[unit]!.isReplayed = isReplayed || REPLAYED.has(op);
    this.#units[unit]!.isFreed = FREES_PAGES[op] === 1 || FREES_OBJECT[op] === 1;
  }

  #unitOf(batch: EventBatch, row: number, op: number): number {
    const flags = batch.flags[row]!;
    const id = batch.id[row]!;
    const hasPfn = (flags & EventFlag.hasPfn) !== 0;
    // A failed allocation names nothing, whatever it says.
    if ((flags & EventFlag.failed) !== 0 || (id === NONE_U32 && !hasPfn)) return this.#newUnit(false);
    const begins = ASKS_MEMORY[op] === 1;
    const key = id === NONE_U32 ? -1 - batch.pfn[row]! : id;
    if (RANGES.includes(op)) return this.#named(this.#pageIds, key, begins);
    if (FREES_OBJECT[op] === 1 || (begins && HAS_ORDER[op] === 0))
      return this.#named(this.#objectIds, key, begins);
    return this.#pageUnit(batch, row, begins);
  }

  #named(names: Map<number, number>, key: number, begins: boolean): number {
    const known = begins ? undefined : names.get(key);
    const unit = known ?? this.#newUnit(true);
    names.set(key, unit);
    return this.#root(unit);
  }

  /** Pages may have an id, recorded pages, or both; whoever names one of them means the whole. */
  #pageUnit(batch: EventBatch, row: number, begins: boolean): number {
    const id = batch.id[row]!;
    const order = batch.order[row] === NO_ORDER ? 0 : batch.order[row]!;
    const hasPfn = (batch.flags[row]! & EventFlag.hasPfn) !== 0;
    const pages = hasPfn ? { pfn: batch.pfn[row]!, count: 1 << order } : { pfn: 0, count: 0 };
    let unit = NONE;
    if (!begins) {
      const join = (other: number) => {
        unit = unit === NONE ? this.#root(other) : this.#join(unit, other);
      };
      const named = id === NONE_U32 ? undefined : this.#pageIds.get(id);
      if (named !== undefined) join(named);
      for (let i = 0; i < pages.count; i++) {
        const there = this.#pages.get(pages.pfn + i);
        if (there !== NONE) join(there);
      }
    }
    if (unit === NONE) unit = this.#newUnit(true);
    if (id !== NONE_U32) this.#pageIds.set(id, unit);
    for (let i = 0; i < pages.count; i++) this.#pages.set(pages.pfn + i, unit);
    return unit;
  }

  #newUnit(isObject: boolean): number {
    this.#units.push({ isObject, isFreed: false, isReplayed: false });
    return this.#parents.push(this.#parents.length) - 1;
  }

  #root(unit: number): number {
    let root = unit;
    while (this.#parents[root] !== root) root = this.#parents[root]!;
    for (let at = unit; at !== root; ) {
      const next = this.#parents[at]!;
      this.#parents[at] = root;
      at = next;
    }
    return root;
  }

  /** Makes one unit of two; it has the number of the one that began first. */
  #join(one: number, other: number): number {
    const [first, second] = [this.#root(one), this.#root(other)].sort((a, b) => a - b) as [number, number];
    if (first === second) return first;
    this.#parents[second] = first;
    this.#units[first]!.isReplayed ||= this.#units[second]!.isReplayed;
    return first;
  }

  /** Numbered anew, without those that have become part of others. */
  units(): Units {
    const numbers = new Int32Array(this.#units.length).fill(NONE);
    const units: Unit[] = [];
    const ofEvent = this.#first.map((unit) => {
      if (unit === NONE) return NONE;
      const root = this.#root(unit);
      if (numbers[root] === NONE) numbers[root] = units.push(this.#units[root]!) - 1;
      return numbers[root]!;
    });
    return { ofEvent, units };
  }
}

/** Unit of each recorded page, in chunks that exist once used. */
class PageUnits {
  readonly #chunks = new Map<number, Int32Array>();

  get(pfn: number): number {
    return this.#chunks.get(pfn >>> CHUNK_SHIFT)?.[pfn & (CHUNK - 1)] ?? NONE;
  }

  set(pfn: number, unit: number): void {
    let chunk = this.#chunks.get(pfn >>> CHUNK_SHIFT);
    if (chunk === undefined) {
      chunk = new Int32Array(CHUNK).fill(NONE);
      this.#chunks.set(pfn >>> CHUNK_SHIFT, chunk);
    }
    chunk[pfn & (CHUNK - 1)] = unit;
  }
}
