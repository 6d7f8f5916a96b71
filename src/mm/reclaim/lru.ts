/**
 * The pages that reclaim may take and compaction may move, coldest first.
 *
 *     sentinel -> coldest -> ... -> hottest -> sentinel          one list per zone and kind (file, anon)
 *
 * The kernel keeps an active and an inactive list per node and memory cgroup and finds out by page-table bits who is
 * cold. A trace does not show those bits, so here a page is as cold as it is old: it joins at the hot end when it is
 * handed out, and a `reference` event moves it there again. Lists are per zone, because a request for a low zone can
 * only use that zone's pages; the kernel skips the others on the node's list, with the same result.
 *
 * File or anonymous cannot be read off a request for certain. The rule: GFP_HIGHUSER_MOVABLE with FS and HIGHMEM, not
 * for writing and not readahead (NORETRY without NOMEMALLOC) is anonymous memory, everything else is page cache. A page-cache
 * read without readahead on a filesystem that allows FS therefore counts as anonymous; the knob reclaim.lru_kind overrides it.
 *
 * The links use `next` and `prev` of the pages themselves, which are free while a page is allocated: no page costs
 * memory beyond two bits. Runs that only follow a recording leave the lists off (`mm.lru` is null); other runs build them
 * when they first reclaim or compact (page-ages.ts).
 * model: gfp C12
 */
import { GFP_FS_BIT, GFP_HIGHMEM_BIT, GFP_NOMEMALLOC_BIT, GFP_NORETRY_BIT, GFP_WRITE_BIT } from '../gfp.js';
import { InvariantError } from '../invariant.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { PageKind, type PageMap } from '../page-alloc/page-map.js';
import { HEADS_PER_ZONE, type Zone } from '../page-alloc/zone.js';
import type { StateIo } from '../state-io.js';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { PageAges } from './page-ages.js';

export const LRU_FILE = 0;
export const LRU_ANON = 1;
const NR_LRU_LISTS = 2;
/** sentinel heads that a zone needs behind those of its free lists */
export const LRU_HEADS_PER_ZONE = NR_LRU_LISTS;

/** What kind of page a request becomes. */
export function lruKindOf(gfp: number): number {
  if ((gfp & (GFP_FS_BIT | GFP_HIGHMEM_BIT)) !== (GFP_FS_BIT | GFP_HIGHMEM_BIT)) return LRU_FILE;
  if (gfp & GFP_WRITE_BIT) return LRU_FILE;
  return (gfp & (GFP_NORETRY_BIT | GFP_NOMEMALLOC_BIT)) === GFP_NORETRY_BIT ? LRU_FILE : LRU_ANON;
}

export class LruLists {
  readonly #pages: PageMap;
  readonly #headBase: number;
  /** pages by zone * 2 + kind */
  readonly #size: Float64Array;
  /** one bit per node: it is on a list */
  readonly #linked: Uint8Array;
  /** one bit per node: the list is that of anonymous pages */
  readonly #anon: Uint8Array;
  readonly #fixedKind: number;

  constructor(mm: PageAllocator) {
    this.#pages = mm.pages;
    this.#headBase = mm.pages.headBase + mm.zones.length * HEADS_PER_ZONE;
    this.#size = new Float64Array(mm.zones.length * NR_LRU_LISTS);
    this.#linked = new Uint8Array(Math.ceil(mm.pages.headBase / 8));
    this.#anon = new Uint8Array(this.#linked.length);
    this.#fixedKind = fixedKind(mm);
  }

  serialize(io: StateIo): void {
    io.array('size', this.#size);
    io.array('linked', this.#linked);
    io.array('anon', this.#anon);
  }

  pagesOf(zone: Zone, kind: number): number {
    return this.#size[zone.number * NR_LRU_LISTS + kind]!;
  }

  filePages(zone: Zone): number {
    return this.pagesOf(zone, LRU_FILE);
  }

  anonPages(zone: Zone): number {
    return this.pagesOf(zone, LRU_ANON);
  }

  isAnon(pfn: number, order: number): boolean {
    const node = this.#pages.node(pfn, order);
    return (this.#anon[node >>> 3]! & (1 << (node & 7))) !== 0;
  }

  /** Coldest page of a list, or -1. */
  coldest(zone: Zone, kind: number): number {
    const node = this.#pages.next[this.#head(zone, kind)]!;
    return node >= this.#pages.headBase ? -1 : this.#pages.pfn(node);
  }

  /** Order of a page that is on a list. */
  orderOf(pfn: number): number {
    const { state, blockBase } = this.#pages;
    const large = state[blockBase + (pfn >>> PAGEBLOCK_ORDER)]!;
    if ((pfn & (PAGEBLOCK_PAGES - 1)) === 0 && large >> 4 === PageKind.lru) return large & 15;
    return state[pfn]! & 15;
  }

  /** Pages of a request join at the hot end of the list that their gfp flags say. */
  add(zone: Zone, pfn: number, order: number, gfp: number): void {
    this.addKind(zone, pfn, order, lruKindOf(gfp));
  }

  addKind(zone: Zone, pfn: number, order: number, wanted: number): void {
    const kind = this.#fixedKind < 0 ? wanted : this.#fixedKind;
    const hottest = this.#pages.prev[this.#head(zone, kind)]!;
    this.#link(zone, this.#pages.node(pfn, order), order, kind, hottest);
  }

  /** @returns the kind of the list that the page was on, or -1 if it was on none */
  remove(zone: Zone, pfn: number, order: number): number {
    const node = this.#pages.node(pfn, order);
    const bit = 1 << (node & 7);
    if ((this.#linked[node >>> 3]! & bit) === 0) return -1;
    this.#linked[node >>> 3]! &= ~bit;
    const { next, prev } = this.#pages;
    next[prev[node]!] = next[node]!;
    prev[next[node]!] = prev[node]!;
    const kind = this.#anon[node >>> 3]! & bit ? LRU_ANON : LRU_FILE;
    this.#size[zone.number * NR_LRU_LISTS + kind]! -= 1 << order;
    return kind;
  }

  /** A page was used, or reclaim looked at it and had to keep it: it is the hottest now. */
  touch(zone: Zone, pfn: number, order: number): void {
    const kind = this.remove(zone, pfn, order);
    if (kind >= 0) this.addKind(zone, pfn, order, kind);
  }

  /** Pieces of an allocation that was cut take its place, in ascending order. */
  split(zone: Zone, head: number, order: number, pieceOrder: number): void {
    let after = this.#pages.prev[this.#pages.node(head, order)]!;
    const kind = this.remove(zone, head, order);
    if (kind < 0) return;
    for (let pfn = head; pfn < head + (1 << order); pfn += 1 << pieceOrder) {
      const node = this.#pages.node(pfn, pieceOrder);
      this.#link(zone, node, pieceOrder, kind, after);
      after = node;
    }
  }

  /** PFNs of one list, coldest first. */
  pfns(zone: Zone, kind: number): number[] {
    const pfns: number[] = [];
    const { next, headBase } = this.#pages;
    for (let node = next[this.#head(zone, kind)]!; node < headBase; node = next[node]!)
      pfns.push(this.#pages.pfn(node));
    return pfns;
  }

  /** Recounts the lists and compares. Throws where they do not hold exactly the LRU pages of the zone. */
  validate(zone: Zone): void {
    for (const kind of [LRU_FILE, LRU_ANON]) {
      let counted = 0;
      const { next, headBase, state } = this.#pages;
      for (let node = next[this.#head(zone, kind)]!; node < headBase; node = next[node]!) {
        if (state[node]! >> 4 !== PageKind.lru)
          throw new InvariantError(
            `pfn 0x${this.#pages.pfn(node).toString(16)} is on the LRU but not an LRU page`,
          );
        counted += 1 << (state[node]! & 15);
      }
      if (counted !== this.pagesOf(zone, kind))
        throw new InvariantError(
          `zone ${zone.number}: ${counted} pages on an LRU list of ${this.pagesOf(zone, kind)}`,
        );
    }
  }

  #head(zone: Zone, kind: number): number {
    return this.#headBase + zone.number * NR_LRU_LISTS + kind;
  }

  #link(zone: Zone, node: number, order: number, kind: number, after: number): void {
    const { next, prev } = this.#pages;
    const before = next[after]!;
    next[node] = before;
    prev[node] = after;
    prev[before] = node;
    next[after] = node;
    const bit = 1 << (node & 7);
    this.#linked[node >>> 3]! |= bit;
    if (kind === LRU_ANON) this.#anon[node >>> 3]! |= bit;
    else this.#anon[node >>> 3]! &= ~bit;
    this.#size[zone.number * NR_LRU_LISTS + kind]! += 1 << order;
  }
}

/**
 * Turns reclaim and compaction on. The lists are built when they are first needed; until then only ages are kept. Movable
 * pages already handed out are the coldest, in PFN order, and count as anonymous.
 */
export function enableLru(mm: PageAllocator): void {
  if (!mm.reclaims) mm.ages = new PageAges(mm.pages);
}

/** Kind of all pages where the policy fixes it, else -1. */
function fixedKind(mm: PageAllocator): number {
  const kind = mm.policy['reclaim.lru_kind'];
  if (kind === 'by_gfp') return -1;
  return kind === 'anon' ? LRU_ANON : LRU_FILE;
}

/** Builds the lists from the ages of the pages. */
export function buildLru(mm: PageAllocator, ages: PageAges): LruLists {
  const lru = new LruLists(mm);
  const { pages } = mm;
  const nodes: number[] = [];
  eachLruNode(mm, (node) => nodes.push(node));
  nodes.sort((a, b) => ages.ageOf(a) - ages.ageOf(b) || pages.pfn(a) - pages.pfn(b));
  for (const node of nodes) {
    const pfn = pages.pfn(node);
    lru.addKind(mm.zoneOf(pfn), pfn, pages.state[node]! & 15, kindOf(ages, node));
  }
  return lru;
}

/** Pages of one zone by kind, without building the lists. */
export function countLruPages(mm: PageAllocator, ages: PageAges, zone: Zone): Uint32Array {
  const counted = new Uint32Array(NR_LRU_LISTS);
  const fixed = fixedKind(mm);
  const { state } = mm.pages;
  const isAlone = mm.zones.every(
    (other) => other === zone || other.end_pfn <= zone.start_pfn || other.start_pfn >= zone.end_pfn,
  );
  eachLruNode(
    mm,
    (node) => {
      // Zones of other nodes may lie between the parts of this one.
      if (!isAlone && mm.findZone(mm.pages.pfn(node)) !== zone) return;
      counted[fixed < 0 ? kindOf(ages, node) : fixed]! += 1 << (state[node]! & 15);
    },
    zone.start_pfn,
    zone.end_pfn,
  );
  return counted;
}

function kindOf(ages: PageAges, node: number): number {
  return ages.isUnknown(node) ? LRU_ANON : ages.kindOf(node);
}

/** Visits every movable page in use in a range of PFNs, in their order; only blocks that have any are looked at. */
function eachLruNode(
  mm: PageAllocator,
  visit: (node: number) => void,
  from_pfn = 0,
  to_pfn: number = mm.pages.end_pfn,
): void {
  const { state, blockMovable, blockBase } = mm.pages;
  const endBlock = Math.ceil(to_pfn / PAGEBLOCK_PAGES);
  for (let block = from_pfn >>> PAGEBLOCK_ORDER; block < endBlock; block++) {
    if (blockMovable[block] === 0) continue;
    const start = block << PAGEBLOCK_ORDER;
    if (start >= from_pfn && state[blockBase + block]! >> 4 === PageKind.lru) visit(blockBase + block);
    const end = Math.min(start + PAGEBLOCK_PAGES, to_pfn);
    for (let pfn = Math.max(start, from_pfn); pfn < end; pfn++)
      if (state[pfn]! >> 4 === PageKind.lru) visit(pfn);
  }
}
