/**
 * Per-page and per-pageblock state of the whole machine, in typed arrays.
 *
 * Entries are indexed by *list node*: a chunk or allocation below pageblock order is named by its first PFN, a larger one by
 * `blockBase + pageblock`. So a machine of large free chunks touches a few words per pageblock and nothing per page; the
 * arrays are zero until used, and untouched parts of them take no memory. Sentinel heads of all free lists stand behind
 * the nodes in the same arrays.
 */
import { InvariantError } from '../invariant.js';
import { arrays, type StateIo } from '../state-io.js';
import { Migratetype, PAGEBLOCK_ORDER } from '../types.js';

/** High half of a page state; the low half is the order. */
export const PageKind = {
  /** in use since before the trace, interior of a chunk, a hole: nothing is known of it here */
  used: 0,
  /** 1 + migratetype: free, on the buddy list of that type */
  buddy: 1,
  /** handed out by the model */
  allocated: 7,
  /** handed out by the model and movable: on the LRU, so it can be migrated or reclaimed */
  lru: 8,
  /** free but on no list: waits on a private list (compaction targets, the nolock stack) */
  parked: 9,
  /** 10 + migratetype: on a per-CPU list; the type is that of its block when it was freed */
  pcp: 10,
} as const;

export const NO_ZONE = 255;
/** marks a pageblock in which two zones meet */
export const STRADDLED = 254;

/** set in a block's owner while the block is on its CPU's list of blocks with free chunks */
export const OWNER_LISTED = 0x8000;
const OWNER_CPU = 0x7fff;

export class PageMap {
  /** PFNs run from 0 to this, exclusive; a multiple of two pageblocks, so that every buddy has a node */
  readonly end_pfn: number;
  readonly nr_pageblocks: number;
  readonly blockBase: number;
  readonly headBase: number;
  readonly next: Int32Array;
  readonly prev: Int32Array;
  /** PageKind << 4 | order, by node */
  readonly state: Uint8Array;
  /** migratetype by pageblock */
  readonly blockType: Uint8Array;
  /** zone number by pageblock */
  readonly blockZone: Uint8Array;
  /** in-use pages that are movable, by pageblock; what a fallback counts before it claims a block */
  readonly blockMovable: Uint16Array;
  /** PB_has_* and PB_all_free by pageblock, where the policy has superpageblocks. model: spb 2.4 */
  readonly blockBits: Uint8Array;
  /** CPU + 1 by pageblock, where CPUs own pageblocks, and OWNER_LISTED; 0 is unowned. model: spb 3.9 */
  readonly blockOwner: Uint16Array;

  constructor(end_pfn: number, nr_heads: number) {
    const pair = 2 << PAGEBLOCK_ORDER;
    this.end_pfn = Math.ceil(end_pfn / pair) * pair;
    this.nr_pageblocks = this.end_pfn >>> PAGEBLOCK_ORDER;
    this.blockBase = this.end_pfn;
    this.headBase = this.blockBase + this.nr_pageblocks;
    const nodes = this.headBase + nr_heads;
    if (nodes > 0x7fff_ffff) throw new RangeError(`${end_pfn} PFNs are more than the model can hold`);
    this.next = new Int32Array(nodes);
    this.prev = new Int32Array(nodes);
    this.state = new Uint8Array(nodes);
    this.blockType = new Uint8Array(this.nr_pageblocks).fill(Migratetype.movable);
    this.blockZone = new Uint8Array(this.nr_pageblocks).fill(NO_ZONE);
    this.blockMovable = new Uint16Array(this.nr_pageblocks);
    this.blockBits = new Uint8Array(this.nr_pageblocks);
    this.blockOwner = new Uint16Array(this.nr_pageblocks);
    for (let head = this.headBase; head < nodes; head++) {
      this.next[head] = head;
      this.prev[head] = head;
    }
  }

  serialize(io: StateIo): void {
    arrays<PageMap>(io, this, ['next', 'prev', 'state']);
    arrays<PageMap>(io, this, ['blockType', 'blockZone', 'blockMovable', 'blockBits', 'blockOwner']);
  }

  /** List node of a chunk or allocation. */
  node(pfn: number, order: number): number {
    return order >= PAGEBLOCK_ORDER ? this.blockBase + (pfn >>> PAGEBLOCK_ORDER) : pfn;
  }

  /** First PFN of a list node. */
  pfn(node: number): number {
    return node >= this.blockBase ? (node - this.blockBase) << PAGEBLOCK_ORDER : node;
  }

  kind(pfn: number, order: number): number {
    return this.state[this.node(pfn, order)]! >> 4;
  }

  /** CPU that owns the pageblock of a page, or the given one where nobody does. */
  ownerCpu(pfn: number, cpu: number): number {
    const owner = this.blockOwner[pfn >>> PAGEBLOCK_ORDER]! & OWNER_CPU;
    return owner === 0 ? cpu : owner - 1;
  }

  /** Order of the free buddy chunk that starts at `pfn`, or -1. */
  buddyOrder(pfn: number): number {
    if ((pfn & ((1 << PAGEBLOCK_ORDER) - 1)) === 0) {
      const large = this.state[this.blockBase + (pfn >>> PAGEBLOCK_ORDER)]!;
      if (isBuddy(large)) return large & 15;
    }
    const state = this.state[pfn]!;
    return isBuddy(state) ? state & 15 : -1;
  }

  /** First PFN of the free buddy chunk that contains `pfn`, or -1. */
  buddyHead(pfn: number): number {
    for (let order = 0; order <= 10; order++) {
      const head = pfn & ~((1 << order) - 1);
      const state = this.state[this.node(head, order)]!;
      if (isBuddy(state) && (state & 15) === order) return head;
    }
    return -1;
  }

  /** Migratetype of the list that a buddy chunk is on. */
  listType(pfn: number, order: number): number {
    const kind = this.kind(pfn, order);
    if (kind < PageKind.buddy || kind >= PageKind.allocated)
      throw new InvariantError(`pfn 0x${pfn.toString(16)} order ${order} is on no buddy list`);
    return kind - PageKind.buddy;
  }
}

/** True for states of the kinds buddy .. buddy + 5. */
export function isBuddy(state: number): boolean {
  return (state - 0x10) >>> 0 < 0x60;
}

export function isPcp(state: number): boolean {
  return state >= PageKind.pcp << 4;
}
