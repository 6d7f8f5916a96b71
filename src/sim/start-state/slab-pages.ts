/**
 * Pages that may have been slabs when a trace began: compound pages that kpageflags shows as slabs, and which the trace does
 * not contradict. Where those do not suffice, or there is no kpageflags, pages that were in use for an unknown purpose.
 *
 * A chunk that is taken becomes an allocation of the model's, so freeing it gives back exactly its pages.
 * model: slab-caches 5.2
 */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { PageKind } from '../../mm/page-alloc/page-map.js';
import { spanAt } from '../../mm/page-alloc/page-span.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import { Migratetype, NR_PAGE_ORDERS, PAGEBLOCK_ORDER } from '../../mm/types.js';
import {
  type Kpageflags,
  PAGE_CLASS_MASK,
  PageClass,
  PageMark,
} from '../../trace/recording/snapshot/kpageflags.js';
import { AFTER_SNAPSHOT, FIRST_EVENT_MASK, FirstEvent, type ScannedTrace } from './trace-scan.js';

export interface SlabPageSources {
  readonly kpageflags: Kpageflags | undefined;
  readonly scan: Pick<ScannedTrace, 'firstEvent'> | undefined;
}

/** Chunks of one order, ascending, by the mobility of the pageblock that they lie in. */
interface Chunks {
  readonly reclaimable: number[];
  readonly other: number[];
}

const COMPOUND = PageMark.compound_head | PageMark.compound_tail;
const NO_FLAGS = new Uint8Array(0);

export class SlabPageSource {
  readonly #byOrder: Chunks[] = Array.from({ length: NR_PAGE_ORDERS }, () => ({
    reclaimable: [],
    other: [],
  }));
  readonly #classes: Uint8Array;
  readonly #firstEvent: Uint8Array;
  /** where the search for unknown pages goes on, by order */
  readonly #unknownFrom = new Float64Array(NR_PAGE_ORDERS);

  constructor(
    readonly mm: PageAllocator,
    { kpageflags, scan }: SlabPageSources,
  ) {
    this.#classes = kpageflags?.classes ?? NO_FLAGS;
    this.#firstEvent = scan?.firstEvent ?? NO_FLAGS;
    for (const zone of mm.zones) this.#findSlabs(zone);
  }

  /** Chunks that kpageflags shows, of one order. */
  shown(order: number): number {
    const { reclaimable, other } = this.#byOrder[order]!;
    return reclaimable.length + other.length;
  }

  /**
   * Takes chunks of one order for slabs that are reclaimable and for others: from pageblocks of the right mobility as far as
   * there are enough, and evenly over those there are.
   *
   * @returns first PFNs, ascending; fewer than wanted where memory has no more
   */
  take(order: number, reclaimable: number, other: number): { reclaimable: number[]; other: number[] } {
    const chunks = this.#byOrder[order]!;
    const lack = Math.max(0, reclaimable + other - this.shown(order));
    const pools = { reclaimable: chunks.reclaimable, other: [...chunks.other] };
    for (let found = 0; found < lack; found++) {
      const pfn = this.#nextUnknown(order);
      if (pfn < 0) break;
      pools.other.push(pfn);
    }
    const fromOther = spare(pools.other, other, reclaimable - pools.reclaimable.length);
    const fromReclaimable = spare(pools.reclaimable, reclaimable, other - pools.other.length);
    const taken = {
      reclaimable: [...spread(pools.reclaimable, reclaimable), ...fromOther].sort((a, b) => a - b),
      other: [...spread(pools.other, other), ...fromReclaimable].sort((a, b) => a - b),
    };
    for (const pfn of [...taken.reclaimable, ...taken.other]) this.#claim(pfn, order);
    return taken;
  }

  #claim(pfn: number, order: number): void {
    const { pages } = this.mm;
    pages.state[pages.node(pfn, order)] = (PageKind.allocated << 4) | order;
  }

  #findSlabs(zone: Zone): void {
    const classes = this.#classes;
    const end = Math.min(zone.end_pfn, classes.length);
    for (let pfn = zone.start_pfn; pfn < end; ) {
      const flags = classes[pfn]!;
      if ((flags & PAGE_CLASS_MASK) !== PageClass.slab || flags & PageMark.compound_tail) {
        pfn++;
        continue;
      }
      let last = pfn + 1;
      if (flags & PageMark.compound_head)
        while (last < end && classes[last]! & PageMark.compound_tail) last++;
      const order = Math.log2(last - pfn);
      if (Number.isInteger(order) && order < NR_PAGE_ORDERS && this.#isFit(zone, pfn, order)) {
        const chunks = this.#byOrder[order]!;
        const isReclaimable = this.mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER] === Migratetype.reclaimable;
        (isReclaimable ? chunks.reclaimable : chunks.other).push(pfn);
      }
      pfn = last;
    }
  }

  /** The next chunk of pages in use that nothing is known of. @returns -1 if there is none */
  #nextUnknown(order: number): number {
    const size = 1 << order;
    for (const zone of this.mm.zones) {
      const from = Math.max(this.#unknownFrom[order]!, zone.start_pfn);
      for (let pfn = Math.ceil(from / size) * size; pfn + size <= zone.end_pfn; pfn += size) {
        if (!this.#isUnknown(pfn, order) || !this.#isFit(zone, pfn, order)) continue;
        this.#unknownFrom[order] = pfn + size;
        return pfn;
      }
      this.#unknownFrom[order] = Math.max(this.#unknownFrom[order]!, zone.end_pfn);
    }
    return -1;
  }

  /** Kernel memory that leaves no flag, as far as flags are at hand. */
  #isUnknown(pfn: number, order: number): boolean {
    const end = Math.min(pfn + (1 << order), this.#classes.length);
    for (let page = pfn; page < end; page++) {
      const flags = this.#classes[page]!;
      if ((flags & PAGE_CLASS_MASK) !== PageClass.other || flags & COMPOUND) return false;
    }
    return true;
  }

  /** In use from the start on by nobody whom the model knows, aligned, and not freed by an event before the snapshot. */
  #isFit(zone: Zone, pfn: number, order: number): boolean {
    const end = pfn + (1 << order);
    if (pfn % (1 << order) !== 0 || end > zone.end_pfn) return false;
    for (let page = pfn; page < end; page++) {
      if (this.mm.findZone(page) !== zone || spanAt(this.mm.pages, page) !== null) return false;
      const seen = this.#firstEvent[page] ?? FirstEvent.none;
      const isLate = (seen & AFTER_SNAPSHOT) !== 0 && page < this.#classes.length;
      if ((seen & FIRST_EVENT_MASK) !== FirstEvent.none && !isLate) return false;
    }
    return true;
  }
}

/** So many of a list, evenly. */
function spread(pfns: readonly number[], wanted: number): number[] {
  const count = Math.min(wanted, pfns.length);
  return Array.from({ length: count }, (_, i) => pfns[Math.floor((i * pfns.length) / count)]!);
}

/** Takes from the end of a list what its own users leave, for others that lack some. */
function spare(pfns: number[], own: number, lack: number): number[] {
  const count = Math.max(0, Math.min(lack, pfns.length - own));
  return pfns.splice(pfns.length - count, count);
}
