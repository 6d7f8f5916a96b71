/**
 * Recomputes the allocator's state from its lists and compares it with what is kept beside them.
 *
 *     (a) a page is in one place only: a free chunk, a per-CPU list entry, an allocation
 *     (b) a chunk is aligned to its size and lies in one zone
 *     (c) no two free buddies stand unmerged
 *     (d) the free chunks are as many pages as NR_FREE_PAGES and the CPUs' parts of it say; isolated ones do not count
 *     (e) a per-CPU count is that of its entries
 *     (f) a chunk is on the list of its block's type, where the policy keeps both in step
 *
 * and every counter that the lists could be counted for. Reads one byte per page of memory that belongs to a zone.
 * model: page-allocator 9 (invariants)
 */
import { InvariantError } from '../invariant.js';
import { validateSuperpageblocks } from '../spb/validate-spb.js';
import {
  MIGRATE_PCPTYPES,
  MIGRATE_TYPES,
  MIGRATETYPE_NAMES,
  Migratetype,
  NR_PAGE_ORDERS,
  PAGEBLOCK_ORDER,
  PAGEBLOCK_PAGES,
  ZONE_NAMES,
} from '../types.js';
import { isFreeBuddy } from './buddy.js';
import type { PageAllocator } from './page-allocator.js';
import { isBuddy, isPcp, NO_ZONE, PageKind, type PageMap } from './page-map.js';
import { NR_PCP_LISTS, pcpListIndex, pcpListOrder } from './per-cpu-pages.js';
import type { Zone } from './zone.js';

export interface ValidateOptions {
  /** every movable page in use was handed out by the model, so that the counts per pageblock can be recounted */
  readonly movable_known?: boolean;
  /**
   * Also two free pageblocks of types that merge must not stand side by side. A reserve that was given back leaves such
   * pairs, on a real kernel too.
   */
  readonly strict_pageblocks?: boolean;
}

/** Throws an InvariantError that names the first thing found to be wrong. */
export function validate(mm: PageAllocator, options: ValidateOptions = {}): void {
  new Validator(mm, options).run();
}

function hex(pfn: number): string {
  return `0x${pfn.toString(16)}`;
}

function fail(text: string): never {
  throw new InvariantError(text);
}

function describe(pages: PageMap, node: number): string {
  const state = pages.state[node]!;
  const kind = state >> 4;
  const where = `pfn ${hex(pages.pfn(node))} order ${state & 15}`;
  if (isBuddy(state)) return `${where}, free ${MIGRATETYPE_NAMES[kind - PageKind.buddy]}`;
  if (isPcp(state)) return `${where}, on a per-CPU list`;
  return `${where}, ${kind === PageKind.parked ? 'parked' : 'allocated'}`;
}

class Validator {
  readonly #mm: PageAllocator;
  readonly #pages: PageMap;
  readonly #options: ValidateOptions;
  /** a bit per page that belongs to something below pageblock order */
  readonly #small: Uint32Array;
  /** by pageblock: 0 nothing found, 1 part of something of at least pageblock order, 2 holds smaller things */
  readonly #block: Uint8Array;
  /** a bit per list node that a list holds */
  readonly #listed: Uint32Array;
  readonly #movable: Uint32Array;
  readonly #typesAgree: boolean;

  constructor(mm: PageAllocator, options: ValidateOptions) {
    this.#mm = mm;
    this.#pages = mm.pages;
    this.#options = options;
    this.#small = new Uint32Array(mm.pages.end_pfn >>> 5);
    this.#block = new Uint8Array(mm.pages.nr_pageblocks);
    this.#listed = new Uint32Array((mm.pages.headBase >>> 5) + 1);
    this.#movable = new Uint32Array(mm.pages.nr_pageblocks);
    const { drain_by_block_type, merge_retypes, steal_fallback } = mm.rules;
    this.#typesAgree = drain_by_block_type && merge_retypes && !steal_fallback;
  }

  run(): void {
    for (const zone of this.#mm.zones) {
      this.#checkFreeLists(zone);
      zone.pcps.forEach((_, cpu) => {
        this.#checkPcp(zone, cpu);
      });
      this.#checkBlocks(zone);
      this.#checkStranded(zone);
      this.#mm.lruLists?.validate(zone);
      validateSuperpageblocks(this.#mm, zone);
    }
    this.#checkStates();
    if (this.#options.movable_known) this.#checkMovable();
  }

  #checkFreeLists(zone: Zone): void {
    const nrFree = new Int32Array(NR_PAGE_ORDERS);
    const perType = new Array<number>(MIGRATE_TYPES).fill(0);
    for (let type = 0; type < MIGRATE_TYPES; type++) {
      let mask = 0;
      for (let order = 0; order < NR_PAGE_ORDERS; order++) {
        const chunks = this.#checkFreeList(zone, order, type);
        nrFree[order]! += chunks;
        perType[type]! += chunks << order;
        if (chunks > 0) mask |= 1 << order;
      }
      this.#compare(zone, `listMask of ${MIGRATETYPE_NAMES[type]}`, zone.listMask[type]!, mask);
    }
    nrFree.forEach((chunks, order) => {
      this.#compare(zone, `nr_free of order ${order}`, zone.nr_free[order]!, chunks);
    });
    this.#compare(zone, 'nr_free_highatomic', zone.nr_free_highatomic, perType[Migratetype.highatomic]!);
    this.#compare(zone, 'nr_free_cma', zone.nr_free_cma, perType[Migratetype.cma]!);
    const free = perType.reduce((sum, pages) => sum + pages, 0) - perType[Migratetype.isolate]!;
    const diffs = zone.pcps.reduce((sum, pcp) => sum + pcp.nr_free_diff, 0);
    this.#compare(zone, 'nr_free_pages with the parts of all CPUs', zone.nr_free_pages + diffs, free);
  }

  /** @returns chunks on the list */
  #checkFreeList(zone: Zone, order: number, type: number): number {
    const name = `free list order ${order} ${MIGRATETYPE_NAMES[type]}`;
    const length = zone.listLength[order * MIGRATE_TYPES + type]!;
    let chunks = 0;
    for (const head of zone.listHeads(order, type))
      chunks += this.#checkChain(zone, head, order, type, name, length - chunks);
    this.#compare(zone, `length of ${name}`, length, chunks);
    return chunks;
  }

  /** One of the lists that a zone has for an order and a type. @returns chunks on it */
  #checkChain(zone: Zone, head: number, order: number, type: number, name: string, length: number): number {
    const { next, prev, state } = this.#pages;
    let chunks = 0;
    let before = head;
    let node = next[head]!;
    for (; !zone.isSentinel(node); node = next[node]!) {
      const pfn = this.#pages.pfn(node);
      if (prev[node] !== before) fail(`${nameOf(zone)}: ${name}: pfn ${hex(pfn)} does not point back`);
      if (state[node] !== (((PageKind.buddy + type) << 4) | order))
        fail(`${nameOf(zone)}: ${name} holds ${describe(this.#pages, node)}`);
      if (++chunks > length) fail(`${nameOf(zone)}: ${name} holds more chunks than were counted`);
      this.#checkChunk(zone, pfn, order, type);
      this.#listed[node >>> 5]! |= 1 << (node & 31);
      this.#occupy(pfn, order, node);
      before = node;
    }
    if (node !== head || prev[head] !== before) fail(`${nameOf(zone)}: ${name} is not closed`);
    return chunks;
  }

  #checkChunk(zone: Zone, pfn: number, order: number, type: number): void {
    const { blockType, blockZone } = this.#pages;
    const what = `free chunk ${hex(pfn)} order ${order} ${MIGRATETYPE_NAMES[type]}`;
    this.#checkPlace(zone, pfn, order, what);
    const buddy = pfn ^ (1 << order);
    if (order < NR_PAGE_ORDERS - 1 && pfn < buddy && isFreeBuddy(zone, buddy, order)) {
      const other = this.#pages.listType(buddy, order);
      if (order < PAGEBLOCK_ORDER || (this.#options.strict_pageblocks && mayMerge(type, other)))
        fail(`${nameOf(zone)}: ${what} and its free buddy ${hex(buddy)} are not merged`);
    }
    if (!this.#typesAgree) return;
    const last = (pfn + (1 << order) - 1) >>> PAGEBLOCK_ORDER;
    for (let block = pfn >>> PAGEBLOCK_ORDER; block <= last; block++)
      if (blockZone[block] === zone.number && blockType[block] !== type)
        fail(`${nameOf(zone)}: ${what} lies in a block of type ${MIGRATETYPE_NAMES[blockType[block]!]}`);
  }

  #checkPlace(zone: Zone, pfn: number, order: number, what: string): void {
    if ((pfn & ((1 << order) - 1)) !== 0) fail(`${nameOf(zone)}: ${what} is not aligned`);
    if (this.#mm.findZone(pfn) !== zone || this.#mm.findZone(pfn + (1 << order) - 1) !== zone)
      fail(`${nameOf(zone)}: ${what} is not wholly in the zone`);
  }

  #checkPcp(zone: Zone, cpu: number): void {
    const pcp = zone.pcps[cpu]!;
    let pages = 0;
    for (let index = 0; index < NR_PCP_LISTS; index++) {
      const list = pcp.lists[index]!;
      const order = pcpListOrder(index);
      for (let i = 0; i < list.length; i++) this.#checkPcpEntry(zone, cpu, list.at(i), order, index);
      pages += list.length << order;
    }
    this.#compare(zone, `count of CPU ${cpu}`, pcp.count, pages);
  }

  #checkPcpEntry(zone: Zone, cpu: number, pfn: number, order: number, index: number): void {
    const node = this.#pages.node(pfn, order);
    const state = this.#pages.state[node]!;
    if (!isPcp(state) || (state & 15) !== order)
      fail(`${nameOf(zone)}: list ${index} of CPU ${cpu} holds ${describe(this.#pages, node)}`);
    this.#checkPlace(zone, pfn, order, `entry ${hex(pfn)} order ${order} of CPU ${cpu}`);
    const type = (state >> 4) - PageKind.pcp;
    // Order 9 has one list for two types, and a page of a reserved block may have been listed before the block was.
    if (order < PAGEBLOCK_ORDER && type < MIGRATE_PCPTYPES && pcpListIndex(order, type) !== index)
      fail(
        `${nameOf(zone)}: pfn ${hex(pfn)} of type ${MIGRATETYPE_NAMES[type]} is on list ${index} of CPU ${cpu}`,
      );
    this.#listed[node >>> 5]! |= 1 << (node & 31);
    this.#occupy(pfn, order, node);
  }

  /** Pages that wait for the zone's lock are in no count and on no list but this one. */
  #checkStranded(zone: Zone): void {
    const stack = zone.trylock_free_pages;
    let pages = 0;
    for (let at = 0; at < stack.length; at++) {
      const pfn = stack.pfnAt(at);
      const order = stack.orderAt(at);
      const node = this.#pages.node(pfn, order);
      if (this.#pages.state[node] !== ((PageKind.parked << 4) | order))
        fail(`${nameOf(zone)}: trylock_free_pages holds ${describe(this.#pages, node)}`);
      if (this.#listed[node >>> 5]! & (1 << (node & 31)))
        fail(`${nameOf(zone)}: trylock_free_pages holds pfn ${hex(pfn)} twice`);
      this.#listed[node >>> 5]! |= 1 << (node & 31);
      this.#checkPlace(zone, pfn, order, `stranded page ${hex(pfn)} order ${order}`);
      pages += 1 << order;
    }
    this.#compare(zone, 'stranded_pages', stack.stranded_pages, pages);
  }

  #checkBlocks(zone: Zone): void {
    const { blockType, blockZone, nr_pageblocks } = this.#pages;
    let isolated = 0;
    for (let block = 0; block < nr_pageblocks; block++)
      if (blockType[block] === Migratetype.isolate && blockZone[block] === zone.number) isolated++;
    this.#compare(zone, 'nr_isolated_blocks', zone.nr_isolated_blocks, isolated);
  }

  /** Everything that a page's own state says is checked against what the lists have shown. */
  #checkStates(): void {
    const { blockBase, blockZone, nr_pageblocks, state } = this.#pages;
    const words = new Uint32Array(state.buffer, state.byteOffset, this.#pages.end_pfn >>> 2);
    for (let block = 0; block < nr_pageblocks; block++) {
      if (blockZone[block] === NO_ZONE) continue;
      if (state[blockBase + block] !== 0) this.#checkState(blockBase + block);
      const first = (block << PAGEBLOCK_ORDER) >>> 2;
      for (let word = first; word < first + PAGEBLOCK_PAGES / 4; word++) {
        if (words[word] === 0) continue;
        for (let node = word << 2; node < (word + 1) << 2; node++)
          if (state[node] !== 0) this.#checkState(node);
      }
    }
  }

  #checkState(node: number): void {
    const { pages } = this.#mm;
    const state = pages.state[node]!;
    const order = state & 15;
    const isListed = (this.#listed[node >>> 5]! >>> (node & 31)) & 1;
    if (isBuddy(state) || isPcp(state)) {
      if (!isListed) fail(`${describe(pages, node)}: but no list holds it`);
      return;
    }
    const pfn = pages.pfn(node);
    if (pages.node(pfn, order) !== node || (pfn & ((1 << order) - 1)) !== 0)
      fail(`${describe(pages, node)}: not aligned`);
    this.#occupy(pfn, order, node);
    if (state >> 4 === PageKind.lru) this.#countMovable(pfn, order);
  }

  #countMovable(pfn: number, order: number): void {
    const first = pfn >>> PAGEBLOCK_ORDER;
    const blocks = order > PAGEBLOCK_ORDER ? 1 << (order - PAGEBLOCK_ORDER) : 1;
    for (let block = first; block < first + blocks; block++)
      this.#movable[block]! += Math.min(1 << order, PAGEBLOCK_PAGES);
  }

  #checkMovable(): void {
    const { blockMovable } = this.#pages;
    this.#movable.forEach((pages, block) => {
      if (blockMovable[block] !== pages)
        fail(
          `pageblock ${hex(block << PAGEBLOCK_ORDER)}: ${blockMovable[block]} movable pages in use counted, ${pages} found`,
        );
    });
  }

  /** Notes that pages belong to one thing; throws where they belong to another already. */
  #occupy(pfn: number, order: number, node: number): void {
    const first = pfn >>> PAGEBLOCK_ORDER;
    if (order >= PAGEBLOCK_ORDER) {
      for (let block = first; block < first + (1 << (order - PAGEBLOCK_ORDER)); block++) {
        if (this.#block[block] !== 0) this.#overlap(pfn, order, node);
        this.#block[block] = 1;
      }
      return;
    }
    if (this.#block[first] === 1) this.#overlap(pfn, order, node);
    this.#block[first] = 2;
    const width = Math.min(1 << order, 32);
    const bits = width === 32 ? -1 : ((1 << width) - 1) << (pfn & 31);
    for (let word = pfn >>> 5; word < (pfn + (1 << order) + 31) >>> 5; word++) {
      if (this.#small[word]! & bits) this.#overlap(pfn, order, node);
      this.#small[word]! |= bits;
    }
  }

  #overlap(pfn: number, order: number, node: number): never {
    const { pages } = this.#mm;
    const end = pfn + (1 << order);
    let other = '';
    for (let page = pfn; page < end && other === ''; page++)
      for (let size = 0; size < NR_PAGE_ORDERS && other === ''; size++) {
        const candidate = pages.node(page & -(1 << size), size);
        const state = pages.state[candidate]!;
        if (candidate !== node && state !== 0 && (state & 15) === size) other = describe(pages, candidate);
      }
    return fail(`pages in two places: ${describe(pages, node)}; ${other === '' ? 'listed twice' : other}`);
  }

  #compare(zone: Zone, name: string, kept: number, found: number): void {
    if (kept !== found) fail(`${nameOf(zone)}: ${name} is ${kept}, but ${found} were found`);
  }
}

function nameOf(zone: Zone): string {
  return `node ${zone.node} zone ${ZONE_NAMES[zone.index]}`;
}

/** Free pageblocks of these types merge. Two isolated ones are put side by side as they are. */
function mayMerge(a: number, b: number): boolean {
  return a < MIGRATE_PCPTYPES && b < MIGRATE_PCPTYPES;
}
