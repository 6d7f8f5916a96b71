/**
 * One zone: its span, marks, counters, free lists' lengths and per-CPU lists.
 *
 * The lists themselves live in the PageMap; this file owns their counters and is the only one to link and unlink. Where
 * the zone has superpageblocks each of them has lists of its own, and the zone's hold only pages that no superpageblock
 * covers; the zone's counters are then sums over all.
 * model: page-allocator 2, 3.6; spb 2.3
 */
import type { ZoneSpec } from '../machine-spec.js';
import type { Superpageblocks } from '../spb/superpageblocks.js';
import { arrays, flags, numbers, type StateIo } from '../state-io.js';
import { MAX_NR_ZONES, MIGRATE_TYPES, Migratetype, NR_PAGE_ORDERS, type ZoneIndex } from '../types.js';
import { PageKind, type PageMap } from './page-map.js';
import { PerCpuPages } from './per-cpu-pages.js';
import { TrylockFreePages } from './trylock-free-pages.js';

export const HEADS_PER_ZONE = NR_PAGE_ORDERS * MIGRATE_TYPES;

/** Zone flags; the bit values are the kernel's. */
export const ZONE_BOOSTED_WATERMARK = 1;
export const ZONE_RECLAIM_ACTIVE = 2;
export const ZONE_BELOW_HIGH = 4;

export const WMARK_MIN = 0;
export const WMARK_LOW = 1;
export const WMARK_HIGH = 2;
export const WMARK_PROMO = 3;

export class Zone {
  readonly node: number;
  readonly index: ZoneIndex;
  start_pfn: number;
  spanned_pages: number;
  present_pages: number;
  managed_pages: number;
  /** another zone shares one of this zone's pageblocks, so a merge has to look twice */
  straddled = false;

  /** ALLOC_NOFRAGMENT where requests that prefer this zone avoid mixing types, else 0; owned by page-allocator */
  nofragment_flag = 0;

  /** min, low, high, promo without boost */
  readonly watermark = new Int32Array(4);
  watermark_boost = 0;
  readonly lowmem_reserve = new Int32Array(MAX_NR_ZONES);
  flags = 0;

  /** NR_FREE_PAGES as watermark tests read it: without what CPUs have not yet folded in */
  nr_free_pages = 0;
  stat_threshold = 0;
  nr_reserved_highatomic = 0;
  nr_free_highatomic = 0;
  nr_free_cma = 0;
  nr_isolated_blocks = 0;

  /** chunks by order, over all types */
  readonly nr_free = new Int32Array(NR_PAGE_ORDERS);
  /** chunks by order * MIGRATE_TYPES + type */
  readonly listLength = new Int32Array(HEADS_PER_ZONE);
  /** by type: bit o is set while the list of order o holds a chunk */
  readonly listMask = new Int32Array(MIGRATE_TYPES);
  readonly pcps: PerCpuPages[];
  readonly headBase: number;
  /** the zone's superpageblocks, where the policy has them; owned by page-allocator */
  spb: Superpageblocks | null = null;

  /** freed from contexts that got no lock; in no count. model: page-allocator 3.10 */
  readonly trylock_free_pages = new TrylockFreePages();

  /** pages given out, as pgalloc_<zone> counts them */
  pgalloc = 0;

  constructor(
    /** position in the machine's list of zones */
    readonly number: number,
    spec: ZoneSpec,
    readonly pages: PageMap,
    nr_cpus: number,
  ) {
    this.node = spec.node;
    this.index = spec.index;
    this.start_pfn = spec.start_pfn;
    this.spanned_pages = spec.spanned_pages;
    this.present_pages = spec.present_pages;
    this.managed_pages = spec.managed_pages;
    this.headBase = pages.headBase + number * HEADS_PER_ZONE;
    this.pcps = Array.from({ length: nr_cpus }, () => new PerCpuPages());
  }

  /** All but its superpageblocks, which are made anew where their number has changed. */
  serialize(io: StateIo): void {
    numbers<Zone>(io, this, [
      'start_pfn',
      'spanned_pages',
      'present_pages',
      'managed_pages',
      'nofragment_flag',
    ]);
    flags<Zone>(io, this, ['straddled']);
    numbers<Zone>(io, this, ['watermark_boost', 'flags', 'nr_free_pages', 'stat_threshold', 'pgalloc']);
    numbers<Zone>(io, this, [
      'nr_reserved_highatomic',
      'nr_free_highatomic',
      'nr_free_cma',
      'nr_isolated_blocks',
    ]);
    arrays<Zone>(io, this, ['watermark', 'lowmem_reserve', 'nr_free', 'listLength', 'listMask']);
    for (const pcp of this.pcps) io.part('pcp', pcp);
    io.part('trylock_free_pages', this.trylock_free_pages);
  }

  /** Pages that a watermark test may have to leave out of its count, at most. */
  get nr_set_aside(): number {
    return this.nr_free_highatomic + this.nr_reserved_highatomic + this.nr_free_cma;
  }

  get end_pfn(): number {
    return this.start_pfn + this.spanned_pages;
  }

  spans(pfn: number): boolean {
    return pfn >= this.start_pfn && pfn < this.start_pfn + this.spanned_pages;
  }

  /** First chunk of one of the zone's own lists as a node, or the list's own sentinel when it is empty. */
  firstNode(order: number, migratetype: number): number {
    return this.pages.next[this.headBase + order * MIGRATE_TYPES + migratetype]!;
  }

  /** First PFN of some chunk of this order and type, or -1; of several superpageblocks the fullest one's. */
  firstChunk(order: number, migratetype: number): number {
    const found = this.spb?.firstChunk(order, migratetype) ?? -1;
    if (found >= 0) return found;
    const node = this.firstNode(order, migratetype);
    return this.isSentinel(node) ? -1 : this.pages.pfn(node);
  }

  isSentinel(node: number): boolean {
    return node >= this.pages.headBase;
  }

  addHead(pfn: number, order: number, migratetype: number): void {
    const { next, prev } = this.pages;
    const base = this.spb === null ? this.headBase : this.spb.headsOf(pfn);
    const head = base + order * MIGRATE_TYPES + migratetype;
    const node = this.pages.node(pfn, order);
    const first = next[head]!;
    next[node] = first;
    prev[node] = head;
    prev[first] = node;
    next[head] = node;
    this.#entered(node, order, migratetype);
  }

  addTail(pfn: number, order: number, migratetype: number): void {
    const { next, prev } = this.pages;
    const base = this.spb === null ? this.headBase : this.spb.headsOf(pfn);
    const head = base + order * MIGRATE_TYPES + migratetype;
    const node = this.pages.node(pfn, order);
    const last = prev[head]!;
    next[node] = head;
    prev[node] = last;
    next[last] = node;
    prev[head] = node;
    this.#entered(node, order, migratetype);
  }

  #entered(node: number, order: number, migratetype: number): void {
    this.pages.state[node] = ((PageKind.buddy + migratetype) << 4) | order;
    this.nr_free[order]!++;
    const list = order * MIGRATE_TYPES + migratetype;
    if (this.listLength[list]!++ === 0) this.listMask[migratetype]! |= 1 << order;
    if (migratetype >= Migratetype.highatomic) this.#countSpecial(migratetype, 1 << order);
    if (this.spb !== null) this.spb.entered(this.pages.pfn(node), order, migratetype);
  }

  /** Unlinks a chunk from its list; its pages are then of kind `used`. */
  remove(pfn: number, order: number, migratetype: number): void {
    this.#removeNode(this.pages.node(pfn, order), order, migratetype);
  }

  /** Unlinks and returns the head of one of the zone's own lists that is known not to be empty. */
  takeFirst(order: number, migratetype: number): number {
    const node = this.firstNode(order, migratetype);
    this.#removeNode(node, order, migratetype);
    return this.pages.pfn(node);
  }

  #removeNode(node: number, order: number, migratetype: number): void {
    const { next, prev } = this.pages;
    const before = prev[node]!;
    const after = next[node]!;
    next[before] = after;
    prev[after] = before;
    this.pages.state[node] = 0;
    this.nr_free[order]!--;
    const list = order * MIGRATE_TYPES + migratetype;
    if (--this.listLength[list]! === 0) this.listMask[migratetype]! &= ~(1 << order);
    if (migratetype >= Migratetype.highatomic) this.#countSpecial(migratetype, -(1 << order));
    if (this.spb !== null) this.spb.left(this.pages.pfn(node), order, migratetype);
  }

  #countSpecial(migratetype: number, pages: number): void {
    if (migratetype === Migratetype.highatomic) this.nr_free_highatomic += pages;
    else if (migratetype === Migratetype.cma) this.nr_free_cma += pages;
  }

  /** Sentinels of one kind of list: the zone's own, then those of its superpageblocks by address. */
  listHeads(order: number, migratetype: number): number[] {
    const list = order * MIGRATE_TYPES + migratetype;
    return [this.headBase + list, ...(this.spb?.allHeads(list) ?? [])];
  }

  /** Chunks of one list, head first; superpageblocks one behind the other. */
  listPfns(order: number, migratetype: number): number[] {
    const pfns: number[] = [];
    for (const head of this.listHeads(order, migratetype))
      for (let node = this.pages.next[head]!; node !== head; node = this.pages.next[node]!)
        pfns.push(this.pages.pfn(node));
    return pfns;
  }

  /**
   * Posts a change of NR_FREE_PAGES on a CPU: it reaches the zone's counter only when the CPU's sum exceeds the
   * threshold, and then the whole sum does. model: page-allocator 2.8
   */
  postFree(cpu: number, pages: number): void {
    const pcp = this.pcps[cpu]!;
    const diff = pcp.nr_free_diff + pages;
    if (diff > this.stat_threshold || diff < -this.stat_threshold) {
      this.nr_free_pages += diff;
      pcp.nr_free_diff = 0;
    } else {
      pcp.nr_free_diff = diff;
    }
  }

  /** Free pages as a reader of the folded counter sees them; never negative. */
  get folded_free_pages(): number {
    return Math.max(this.nr_free_pages, 0);
  }
}
