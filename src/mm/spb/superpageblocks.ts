/**
 * The superpageblocks of one zone: 1 GiB ranges with counters, free lists of their own, and a list that each is on.
 *
 *     |<- 1 GiB, aligned ->|
 *     [  SPB 0   |zone start ...      ][  SPB 1               ][  SPB 2 ... zone end|  ]
 *      clipped: total_pageblocks counts the zone's part only
 *
 * Every counter changes here and nowhere else: `entered` and `left` follow the free lists, `took` and `blocksFreed` the
 * contents of pageblocks, and what they change decides the list that the superpageblock is on.
 * model: spb 2
 */
import { PageKind, type PageMap, STRADDLED } from '../page-alloc/page-map.js';
import { counters, flags, type StateIo } from '../state-io.js';
import { MIGRATE_PCPTYPES, MIGRATE_TYPES, Migratetype, PAGEBLOCK_ORDER } from '../types.js';
import { SlotBitmaps } from './slot-bitmaps.js';
import type { SpbTracer } from './spb-tracer.js';
import {
  CLEAN_PLACES,
  EMPTY_PLACES,
  HAS_BIT,
  NO_PLACE,
  NR_PLACES,
  PB_ALL_FREE,
  PB_HAS_MOVABLE,
  PB_HAS_RECLAIMABLE,
  PB_HAS_UNMOVABLE,
  PLACE_EMPTY,
  PLACE_ISOLATED,
  placeOfBucket,
  SB_ALMOST_EMPTY,
  SB_CLEAN,
  SB_TAINTED,
  SPB_LISTS,
  SUPERPAGEBLOCK_ORDER,
  TAINTED_PLACES,
} from './spb-types.js';

/** What the policy says of the state itself. */
export interface SpbStateRules {
  /** lower edges of the buckets, % of usable pageblocks in use, descending */
  readonly bucket_edges: readonly number[];
  readonly reset_type_when_free: boolean;
  readonly reserve_min: number;
  readonly reserve_divisor: number;
  readonly bitmap: boolean;
}

/** the lists of tainted superpageblocks are the last ones */
const FIRST_TAINTED = placeOfBucket(SB_TAINTED, 0);
const BLOCKS_SHIFT = SUPERPAGEBLOCK_ORDER - PAGEBLOCK_ORDER;

export class Superpageblocks {
  /** number of the first 1 GiB range: superpageblock_base_pfn >>> 18 */
  readonly base: number;
  readonly nr_superpageblocks: number;
  readonly total_pageblocks: Uint16Array;
  readonly nr_reserved: Uint16Array;
  readonly nr_free: Uint16Array;
  readonly nr_unmovable: Uint16Array;
  readonly nr_movable: Uint16Array;
  readonly nr_reclaimable: Uint16Array;
  /** pages on this superpageblock's free lists, isolated ones left out */
  readonly nr_free_pages: Int32Array;
  readonly contig_allocated: Uint8Array;
  readonly defrag_last_no_progress_ns: Float64Array;
  /** its defrag work is queued or running */
  readonly defrag_pending: Uint8Array;
  /** chunks by superpageblock * SPB_LISTS + order * MIGRATE_TYPES + type */
  readonly listLength: Int32Array;
  /** by superpageblock * MIGRATE_TYPES + type: bit o is set while the list of order o holds a chunk */
  readonly listMask: Int32Array;
  readonly place: Uint8Array;
  readonly place_length = new Int32Array(NR_PLACES);
  /** superpageblocks on the lists of tainted ones */
  nr_tainted = 0;
  /** tainted superpageblocks with no more wholly free pageblocks than their reserve */
  nr_tainted_below_reserve = 0;
  readonly bitmaps: SlotBitmaps | null;
  tracer: SpbTracer | null = null;
  /** a superpageblock joined another list; the defrag worker listens */
  onListChange: ((spb: number) => void) | null = null;
  /** every page of the zone is covered: hotplug has found memory for the array. Owned by setup */
  isWhole = true;
  /** page grouping by mobility is on, so a free pageblock can be MOVABLE again */
  grouping = true;
  readonly #pages: PageMap;
  readonly #rules: SpbStateRules;
  /** first sentinel of each superpageblock's free lists */
  readonly heads: Int32Array;
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #below: Uint8Array;

  /**
   * @param heads first sentinel of each superpageblock's SPB_LISTS free lists, and behind them that of the zone's own
   */
  constructor(pages: PageMap, rules: SpbStateRules, base: number, heads: Int32Array) {
    const nr = heads.length - 1;
    this.#pages = pages;
    this.#rules = rules;
    this.base = base;
    this.nr_superpageblocks = nr;
    this.heads = heads;
    this.total_pageblocks = new Uint16Array(nr);
    this.nr_reserved = new Uint16Array(nr);
    this.nr_free = new Uint16Array(nr);
    this.nr_unmovable = new Uint16Array(nr);
    this.nr_movable = new Uint16Array(nr);
    this.nr_reclaimable = new Uint16Array(nr);
    this.nr_free_pages = new Int32Array(nr);
    this.contig_allocated = new Uint8Array(nr);
    this.defrag_last_no_progress_ns = new Float64Array(nr).fill(Number.NEGATIVE_INFINITY);
    this.defrag_pending = new Uint8Array(nr);
    this.listLength = new Int32Array(nr * SPB_LISTS);
    this.listMask = new Int32Array(nr * MIGRATE_TYPES);
    this.place = new Uint8Array(nr).fill(NO_PLACE);
    this.#next = new Int32Array(nr + NR_PLACES);
    this.#prev = new Int32Array(nr + NR_PLACES);
    for (let place = 0; place < NR_PLACES; place++) {
      this.#next[nr + place] = nr + place;
      this.#prev[nr + place] = nr + place;
    }
    this.#below = new Uint8Array(nr);
    this.bitmaps = rules.bitmap ? new SlotBitmaps(nr) : null;
  }

  /** The place and the number of the superpageblocks are those that the object was made for. */
  serialize(io: StateIo): void {
    counters(io, this, ['base', 'nr_superpageblocks']);
    flags<Superpageblocks>(io, this, ['isWhole', 'grouping']);
    io.array('next', this.#next);
    io.array('prev', this.#prev);
    io.array('below', this.#below);
    if (this.bitmaps !== null) io.part('bitmaps', this.bitmaps);
  }

  /** Superpageblock of a page of the zone, or -1 where none covers it. */
  indexOf(pfn: number): number {
    const spb = (pfn >>> SUPERPAGEBLOCK_ORDER) - this.base;
    return spb >>> 0 < this.nr_superpageblocks ? spb : -1;
  }

  start_pfn(spb: number): number {
    return (this.base + spb) << SUPERPAGEBLOCK_ORDER;
  }

  /** Pageblocks that the zone has memory in. */
  usable(spb: number): number {
    return this.total_pageblocks[spb]! - this.nr_reserved[spb]!;
  }

  /** spb_tainted_reserve(): whole pageblocks that movable requests leave to others. model: spb 0.2 */
  reserve(spb: number): number {
    const { reserve_min, reserve_divisor } = this.#rules;
    return Math.max(reserve_min, Math.trunc(this.total_pageblocks[spb]! / reserve_divisor));
  }

  isTainted(spb: number): boolean {
    return this.nr_unmovable[spb]! > 0 || this.nr_reclaimable[spb]! > 0;
  }

  /**
   * A non-movable request that must not taint finds nothing here, whatever is free: nothing is tainted and nothing is empty.
   * Nothing would be triggered either, so a search need not be made.
   */
  refusesNonMovable(migratetype: number): boolean {
    return (
      (migratetype === Migratetype.unmovable || migratetype === Migratetype.reclaimable) &&
      this.nr_tainted === 0 &&
      this.place_length[PLACE_EMPTY] === 0 &&
      this.isWhole
    );
  }

  /** Below the high water: what react looks at. model: spb 0.2, 4.4 */
  isBelowHighWater(spb: number): boolean {
    return this.nr_free_pages[spb]! < this.reserve(spb) << PAGEBLOCK_ORDER;
  }

  get nr_clean(): number {
    return CLEAN_PLACES.reduce((sum, place) => sum + this.place_length[place]!, 0);
  }

  /** First sentinel of the free lists that a page's chunks are on: its superpageblock's, or the zone's own. */
  headsOf(pfn: number): number {
    const spb = (pfn >>> SUPERPAGEBLOCK_ORDER) - this.base;
    return this.heads[spb >>> 0 < this.nr_superpageblocks ? spb : this.nr_superpageblocks]!;
  }

  allHeads(list: number): number[] {
    return Array.from(this.heads.subarray(0, this.nr_superpageblocks), (head) => head + list);
  }

  /** First PFN of a free list of a superpageblock that is known not to be empty. */
  headPfn(spb: number, order: number, migratetype: number): number {
    return this.#pages.pfn(this.#pages.next[this.heads[spb]! + order * MIGRATE_TYPES + migratetype]!);
  }

  /** A chunk of this order and type in the first superpageblock that has one: tainted, clean, then empty ones. */
  firstChunk(order: number, migratetype: number): number {
    for (const place of [...TAINTED_PLACES, ...CLEAN_PLACES, ...EMPTY_PLACES])
      for (let spb = this.first(place); spb >= 0; spb = this.after(spb))
        if ((this.listMask[spb * MIGRATE_TYPES + migratetype]! >>> order) & 1)
          return this.headPfn(spb, order, migratetype);
    return -1;
  }

  /** Oldest member of a list of superpageblocks, or -1. */
  first(place: number): number {
    const spb = this.#next[this.nr_superpageblocks + place]!;
    return spb < this.nr_superpageblocks ? spb : -1;
  }

  after(spb: number): number {
    const next = this.#next[spb]!;
    return next < this.nr_superpageblocks ? next : -1;
  }

  /** All superpageblocks that are on a list, list by list from the oldest member on. */
  inListOrder(): number[] {
    const members: number[] = [];
    for (let place = 0; place < NR_PLACES; place++)
      for (let spb = this.first(place); spb >= 0; spb = this.after(spb)) members.push(spb);
    return members;
  }

  /** A chunk was linked into a free list. */
  entered(pfn: number, order: number, migratetype: number): void {
    const spb = (pfn >>> SUPERPAGEBLOCK_ORDER) - this.base;
    if (spb >>> 0 >= this.nr_superpageblocks) return;
    const list = order * MIGRATE_TYPES + migratetype;
    if (this.listLength[spb * SPB_LISTS + list]!++ === 0) {
      this.listMask[spb * MIGRATE_TYPES + migratetype]! |= 1 << order;
      if (this.bitmaps !== null) this.bitmaps.listChanged(spb, list, true);
    }
    if (migratetype !== Migratetype.isolate) this.nr_free_pages[spb]! += 1 << order;
  }

  /** A chunk was unlinked from a free list. */
  left(pfn: number, order: number, migratetype: number): void {
    const spb = (pfn >>> SUPERPAGEBLOCK_ORDER) - this.base;
    if (spb >>> 0 >= this.nr_superpageblocks) return;
    const list = order * MIGRATE_TYPES + migratetype;
    if (--this.listLength[spb * SPB_LISTS + list]! === 0) {
      this.listMask[spb * MIGRATE_TYPES + migratetype]! &= ~(1 << order);
      if (this.bitmaps !== null) this.bitmaps.listChanged(spb, list, false);
    }
    if (migratetype !== Migratetype.isolate) this.nr_free_pages[spb]! -= 1 << order;
  }

  /**
   * Pages left the free lists to be used as a migratetype: their blocks are free no longer and hold that type.
   * model: spb 2.4 steps 1, 2, 5, 6
   */
  took(pfn: number, order: number, migratetype: number): void {
    const block = pfn >>> PAGEBLOCK_ORDER;
    const bit = HAS_BIT[migratetype]!;
    if (order <= PAGEBLOCK_ORDER) {
      if ((this.#pages.blockBits[block]! & (PB_ALL_FREE | bit)) !== bit) this.#use(block, 1, bit);
      return;
    }
    this.#use(block, 1 << (order - PAGEBLOCK_ORDER), bit);
  }

  /**
   * A page waits on a per-CPU list of this type from now on: the next request of the type may have it unseen.
   *
   * @returns the CPU whose list it is: the one that owns its block, or the one that frees it
   */
  heldAs(pfn: number, migratetype: number, cpu: number): number {
    const block = pfn >>> PAGEBLOCK_ORDER;
    const bit = HAS_BIT[migratetype]!;
    if ((this.#pages.blockBits[block]! & bit) === 0) this.#use(block, 1, bit);
    return this.#pages.ownerCpu(pfn, cpu);
  }

  #use(block: number, blocks: number, bit: number): void {
    const { blockBits, blockZone } = this.#pages;
    const spb = (block >>> BLOCKS_SHIFT) - this.base;
    const covered = spb >>> 0 < this.nr_superpageblocks;
    // A block in which two zones meet is reserved in both: neither can have it whole.
    if (blockZone[block] === STRADDLED) return;
    for (let b = block; b < block + blocks; b++) {
      const bits = blockBits[b]!;
      blockBits[b] = (bits & ~PB_ALL_FREE) | bit;
      if (!covered) continue;
      if (bits & PB_ALL_FREE) this.nr_free[spb]!--;
      if ((bits & bit) === 0 && bit !== 0) this.#countBit(spb, b, bit, 1);
    }
    if (covered) this.update(spb);
  }

  /**
   * Pageblocks became wholly free: nothing is in them any more.
   *
   * @returns the type of the list that the chunk belongs on; by default such a block is MOVABLE again
   * model: spb 2.4 steps 3, 7
   */
  blocksFreed(pfn: number, order: number, migratetype: number): number {
    const { blockBits, blockOwner, blockType } = this.#pages;
    const first = pfn >>> PAGEBLOCK_ORDER;
    const blocks = 1 << (order - PAGEBLOCK_ORDER);
    const spb = (pfn >>> SUPERPAGEBLOCK_ORDER) - this.base;
    const covered = spb >>> 0 < this.nr_superpageblocks;
    const resets =
      this.#rules.reset_type_when_free &&
      this.grouping &&
      migratetype < MIGRATE_PCPTYPES &&
      migratetype !== Migratetype.movable;
    for (let block = first; block < first + blocks; block++) {
      const bits = blockBits[block]!;
      if (resets) blockType[block] = Migratetype.movable;
      blockOwner[block] = 0;
      if (bits === PB_ALL_FREE) continue;
      blockBits[block] = PB_ALL_FREE;
      if (!covered) continue;
      for (let bit = PB_HAS_UNMOVABLE; bit <= PB_HAS_RECLAIMABLE; bit <<= 1)
        if (bits & bit) this.#countBit(spb, block, bit, -1);
      if ((bits & PB_ALL_FREE) === 0) this.nr_free[spb]!++;
    }
    if (covered) this.update(spb);
    return resets ? Migratetype.movable : migratetype;
  }

  /** superpageblock_clear_has_movable(): nothing movable is left in a block. model: spb 2.4 step 4 */
  clearHasMovable(block: number): void {
    const { blockBits } = this.#pages;
    if ((blockBits[block]! & PB_HAS_MOVABLE) === 0) return;
    blockBits[block]! &= ~PB_HAS_MOVABLE;
    const spb = (block >>> BLOCKS_SHIFT) - this.base;
    if (spb >>> 0 >= this.nr_superpageblocks) return;
    this.#countBit(spb, block, PB_HAS_MOVABLE, -1);
    this.update(spb);
  }

  #countBit(spb: number, block: number, bit: number, change: 1 | -1): void {
    const counter =
      bit === PB_HAS_UNMOVABLE
        ? this.nr_unmovable
        : bit === PB_HAS_MOVABLE
          ? this.nr_movable
          : this.nr_reclaimable;
    const before = counter[spb]!;
    counter[spb] = before + change;
    if (this.tracer !== null)
      this.tracer.pbTaint(
        block << PAGEBLOCK_ORDER,
        bit,
        change > 0,
        (change > 0 ? before : before - 1) === 0,
      );
  }

  /** The whole superpageblock was handed out by PFN, or came back. model: spb 5.1 */
  setContigAllocated(spb: number, held: boolean): void {
    this.contig_allocated[spb] = held ? 1 : 0;
    this.update(spb);
  }

  /** spb_update_list(): puts a superpageblock on the list that its counters say. model: spb 2.5 */
  update(spb: number): void {
    const tainted = this.isTainted(spb) && this.contig_allocated[spb] === 0;
    const below = tainted && this.nr_free[spb]! <= this.reserve(spb) ? 1 : 0;
    if (below !== this.#below[spb]) {
      this.#below[spb] = below;
      this.nr_tainted_below_reserve += below === 1 ? 1 : -1;
    }
    const place = this.placeNow(spb);
    if (place !== this.place[spb]) this.#move(spb, place);
  }

  /** Takes over what another array knows of a superpageblock beyond its counters: the array is being replaced. */
  adopt(spb: number, from: Superpageblocks, index: number): void {
    this.contig_allocated[spb] = from.contig_allocated[index]!;
    this.defrag_last_no_progress_ns[spb] = from.defrag_last_no_progress_ns[index]!;
  }

  /** The list that a superpageblock's counters call for. */
  placeNow(spb: number): number {
    const usable = this.usable(spb);
    // Where the zone has no memory there is nothing to steer to.
    if (this.contig_allocated[spb] !== 0 || usable === 0) return PLACE_ISOLATED;
    const tainted = this.isTainted(spb);
    const free = this.nr_free[spb]!;
    if (!tainted && free === usable && this.nr_movable[spb] === 0) return PLACE_EMPTY;
    return placeOfBucket(tainted ? SB_TAINTED : SB_CLEAN, this.#fullness(free, usable));
  }

  #fullness(free: number, usable: number): number {
    if (free === 0) return 0;
    const used = usable - free;
    const { bucket_edges } = this.#rules;
    for (let bucket = 0; bucket < bucket_edges.length; bucket++)
      if (used * 100 >= bucket_edges[bucket]! * usable) return bucket + 1;
    return SB_ALMOST_EMPTY;
  }

  #move(spb: number, place: number): void {
    const next = this.#next;
    const prev = this.#prev;
    const old = this.place[spb]!;
    const { bitmaps } = this;
    if (old !== NO_PLACE) {
      next[prev[spb]!] = next[spb]!;
      prev[next[spb]!] = prev[spb]!;
      this.place_length[old]!--;
      if (old >= FIRST_TAINTED) this.nr_tainted--;
      bitmaps?.leave(spb, old, (list) => this.listLength[spb * SPB_LISTS + list]! > 0);
    }
    const head = this.nr_superpageblocks + place;
    const last = prev[head]!;
    next[last] = spb;
    prev[spb] = last;
    next[spb] = head;
    prev[head] = spb;
    this.place[spb] = place;
    this.place_length[place]!++;
    if (place >= FIRST_TAINTED) this.nr_tainted++;
    if (bitmaps !== null) {
      if (bitmaps.isFull) this.#dealSlots();
      else bitmaps.join(spb, place, (list) => this.listLength[spb * SPB_LISTS + list]! > 0);
    }
    if (old !== NO_PLACE && this.onListChange !== null) this.onListChange(spb);
  }

  /** Deals the slots out anew, list by list in order. */
  #dealSlots(): void {
    const bitmaps = this.bitmaps!;
    bitmaps.clear();
    for (let place = 0; place < NR_PLACES; place++)
      for (let spb = this.first(place); spb >= 0; spb = this.after(spb))
        bitmaps.join(spb, place, (list) => this.listLength[spb * SPB_LISTS + list]! > 0);
  }

  /** Whether a block's own node says that it is free as a whole, alone or as part of a larger chunk. */
  isBlockFree(block: number): boolean {
    const { state, blockBase } = this.#pages;
    const here = state[blockBase + block]!;
    const pair = state[blockBase + (block & ~1)]!;
    const isFree = (value: number) => value >> 4 >= PageKind.buddy && value >> 4 < PageKind.allocated;
    return isFree(here) || (isFree(pair) && (pair & 15) > PAGEBLOCK_ORDER);
  }
}
