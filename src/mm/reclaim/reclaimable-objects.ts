/**
 * Reclaimable slab pages, as far as a trace of pages shows them: each page of a RECLAIMABLE request is a slab of objects
 * that came into use together and are freed together, oldest page first.
 *
 * One cache per node and one memory cgroup. Its scan follows do_shrink_slab(): a share of the objects by priority, in
 * batches, and what is too little for a batch is put off to the next call. A page goes back to the allocator with its last
 * object. A share of the pages can hold an object that is in use: those are looked at and stay.
 *
 * The links use `next` and `prev` of the pages themselves, which are free while a page is allocated.
 * model: spb 4.6
 */
import { freePages } from '../page-alloc/free-owned.js';
import type { PageAllocator, Shrinkers } from '../page-alloc/page-allocator.js';
import type { PageMap } from '../page-alloc/page-map.js';
import { numbers, type StateIo } from '../state-io.js';
import { kernelThreadCpu } from './kswapd.js';

export class ReclaimableObjects implements Shrinkers {
  readonly nr_memcgs = 1;
  scanned_objects = 0;
  freed_pages = 0;
  readonly #mm: PageAllocator;
  readonly #pages: PageMap;
  /** sentinel of each node's list, oldest page first */
  readonly #heads: number;
  /** a bit per list node: it is on a list */
  readonly #linked: Uint8Array;
  readonly #nr_pages: Float64Array;
  /** objects of each node's oldest page that are gone already */
  readonly #gone: Float64Array;
  readonly #deferred: Float64Array;

  /** @param heads first of as many sentinels as the machine has nodes */
  constructor(mm: PageAllocator, heads: number) {
    this.#mm = mm;
    this.#pages = mm.pages;
    this.#heads = heads;
    this.#linked = new Uint8Array((mm.pages.headBase >>> 3) + 1);
    this.#nr_pages = new Float64Array(mm.nodes.length);
    this.#gone = new Float64Array(mm.nodes.length);
    this.#deferred = new Float64Array(mm.nodes.length);
  }

  serialize(io: StateIo): void {
    numbers<ReclaimableObjects>(io, this, ['scanned_objects', 'freed_pages']);
    io.array('linked', this.#linked);
    io.array('nr_pages', this.#nr_pages);
    io.array('gone', this.#gone);
    io.array('deferred', this.#deferred);
  }

  /** Slab pages of a node that could be freed. */
  pagesOf(node: number): number {
    return this.#nr_pages[node]!;
  }

  add(pfn: number, order: number): void {
    const { next, prev } = this.#pages;
    const entry = this.#pages.node(pfn, order);
    const node = this.#mm.zoneOf(pfn).node;
    const head = this.#heads + node;
    const youngest = prev[head]!;
    next[youngest] = entry;
    prev[entry] = youngest;
    next[entry] = head;
    prev[head] = entry;
    this.#linked[entry >>> 3]! |= 1 << (entry & 7);
    this.#nr_pages[node]! += 1 << order;
  }

  /** Nothing to do for pages that are no slab. */
  remove(pfn: number, order: number): void {
    const entry = this.#pages.node(pfn, order);
    const bit = 1 << (entry & 7);
    if ((this.#linked[entry >>> 3]! & bit) === 0) return;
    const { next, prev } = this.#pages;
    const node = this.#mm.zoneOf(pfn).node;
    if (next[this.#heads + node] === entry) this.#gone[node] = 0;
    this.#linked[entry >>> 3]! &= ~bit;
    next[prev[entry]!] = next[entry]!;
    prev[next[entry]!] = prev[entry]!;
    this.#nr_pages[node]! -= 1 << order;
  }

  /** do_shrink_slab() for the cache of a node. @returns objects freed */
  shrinkSlab(_gfp: number, node: number, _memcg: number, priority: number): number {
    const { policy } = this.#mm;
    const batch = policy['shrinker.batch'];
    const freeable = this.#freeable(node);
    if (freeable === 0) return 0;
    const deferred = this.#deferred[node]!;
    const delta = Math.floor((Math.floor(freeable / 2 ** priority) * 4) / policy['shrinker.seeks']);
    let total = Math.min(Math.floor(deferred / 2 ** priority) + delta, 2 * freeable);
    let freed = 0;
    let scanned = 0;
    while (total >= batch || (total > 0 && total >= freeable)) {
      const most = Math.min(batch, total);
      freed += this.#scan(node, most);
      total -= most;
      scanned += most;
    }
    this.#deferred[node] = Math.min(Math.max(deferred + delta - scanned, 0), 2 * freeable);
    this.scanned_objects += scanned;
    return freed;
  }

  #freeable(node: number): number {
    return this.#nr_pages[node]! * this.#mm.policy['shrinker.objects_per_page'] - this.#gone[node]!;
  }

  /** Looks at objects from the oldest page on. @returns objects freed */
  #scan(node: number, objects: number): number {
    const mm = this.#mm;
    const perPage = mm.policy['shrinker.objects_per_page'];
    const head = this.#heads + node;
    let left = objects;
    let freed = 0;
    while (left > 0) {
      const entry = this.#pages.next[head]!;
      if (entry === head) break;
      const pfn = this.#pages.pfn(entry);
      const order = this.#pages.state[entry]! & 15;
      const here = (perPage << order) - this.#gone[node]!;
      if (this.#isPinned(pfn)) {
        left -= here;
        this.remove(pfn, order);
        this.add(pfn, order);
        continue;
      }
      const now = Math.min(left, here);
      left -= now;
      freed += now;
      if (now < here) this.#gone[node]! += now;
      else this.#freePage(node, pfn, order);
    }
    return freed;
  }

  #freePage(node: number, pfn: number, order: number): void {
    const mm = this.#mm;
    this.freed_pages += 1 << order;
    mm.onReclaim?.(pfn, order);
    freePages(mm, kernelThreadCpu(mm, mm.nodes[node]!), pfn, order);
  }

  /** Which pages hold an object in use depends on their PFN alone. */
  #isPinned(pfn: number): boolean {
    const permille = this.#mm.policy['shrinker.pinned_permille'];
    return permille > 0 && (Math.imul(pfn, 0xc2b2_ae35) >>> 0) % 1_000 < permille;
  }
}
