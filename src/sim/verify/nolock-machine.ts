/**
 * A machine of one CPU for one row of a nolock table: the kmalloc caches, the deferred work, pages of its own in two
 * zones, and the states that a row begins with, made by ordinary operations.
 */
import { machineFromSize } from '../../config/machine-by-size.js';
import { GFP_ACCOUNT_BIT, GFP_KERNEL } from '../../mm/gfp.js';
import { allocPages } from '../../mm/page-alloc/alloc-pages.js';
import { bootFresh } from '../../mm/page-alloc/boot.js';
import { drainAllPages } from '../../mm/page-alloc/drain-all.js';
import { freePages } from '../../mm/page-alloc/free-owned.js';
import { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../mm/page-alloc/zone-setup.js';
import type { Policy } from '../../mm/policy.js';
import { putPartials, takeChain } from '../../mm/slab/cpu-partial.js';
import { DeferredWork } from '../../mm/slab/deferred.js';
import { KmallocCaches } from '../../mm/slab/kmalloc.js';
import { KMALLOC_SIZES, KmallocType, NR_KMALLOC_BUCKETS } from '../../mm/slab/kmalloc-caches.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { PageAllocatorPages } from '../../mm/slab/page-allocator-pages.js';
import { slabAlloc } from '../../mm/slab/slab-alloc.js';
import { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { slabFree, slabFreeSlow } from '../../mm/slab/slab-free.js';
import { NO_SLAB, SLAB_NODE_PARTIAL } from '../../mm/slab/slab-table.js';
import { ZONE_NAMES } from '../../mm/types.js';
import type { FreeRow, TableLock } from '../../trace/oracle/nolock-table.js';
import { heldPageLocks, heldSlabLocks } from './held-locks.js';

/** Zones DMA and DMA32, as the machines had that made the tables. */
const MEMORY_PAGES = 16_384;
const MACHINE = machineFromSize({ memory_pages: MEMORY_PAGES, nodes: 1, cpus: 1 });

export interface Slot {
  readonly slab: number;
  readonly slot: number;
}

export class NolockMachine {
  readonly mm: PageAllocator;
  readonly slabs: SlabAllocator;
  readonly kmalloc: KmallocCaches;
  readonly deferred: DeferredWork;

  constructor(policy: Policy, debugFlags: ReadonlyMap<string, number>) {
    this.mm = new PageAllocator(MACHINE, policy);
    setUpZones(this.mm);
    bootFresh(this.mm);
    this.slabs = new SlabAllocator(
      {
        present_cpus: 1,
        possible_cpus: 1,
        cache_line_bytes: 64,
        cpu_nodes: [0],
        node_order: [[0]],
        tid_step: 1,
      },
      policy,
      new PageAllocatorPages(this.mm),
    );
    this.kmalloc = new KmallocCaches(this.slabs, { min_bytes: KMALLOC_SIZES[0], hasMemcg: true }, debugFlags);
    this.deferred = new DeferredWork(this.slabs);
    this.slabs.deferred = this.deferred;
  }

  /** The cache of that name, and the next larger one of its type; undefined where there is none. */
  caches(name: string): { cache: KmemCache; next: KmemCache | undefined } | undefined {
    for (const type of [KmallocType.normal, KmallocType.cgroup])
      for (let bucket = 0; bucket < NR_KMALLOC_BUCKETS; bucket++) {
        const cache = this.kmalloc.cache(type, bucket);
        if (cache.name !== name) continue;
        return {
          cache,
          next: bucket + 1 < NR_KMALLOC_BUCKETS ? this.kmalloc.cache(type, bucket + 1) : undefined,
        };
      }
    return undefined;
  }

  take(cache: KmemCache): Slot {
    const slab = slabAlloc(this.slabs, cache, 0, GFP_KERNEL, -1);
    return { slab, slot: this.slabs.slot };
  }

  /** Slots until the slab that they come from is full. @returns the last one */
  fill(cache: KmemCache): Slot {
    let last = this.take(cache);
    for (let taken = 1; taken < this.slabs.table.objects[last.slab]!; taken++) last = this.take(cache);
    return last;
  }

  /** The only slab is the CPU's and full. */
  makeEmpty(cache: KmemCache): void {
    this.fill(cache);
  }

  makeRefill(cache: KmemCache): void {
    const { slab, slot } = this.fill(cache);
    slabFreeSlow(this.slabs, cache, 0, slab, slot, slot, 1);
  }

  /** Slabs with one free slot each, on the chain or, from there, on the node's list; then a full cpu slab. */
  makePartial(cache: KmemCache, slabs: number, isOnNode: boolean): Slot {
    const firsts: Slot[] = [];
    const lasts: Slot[] = [];
    for (let i = 0; i < slabs; i++) {
      firsts.push(this.take(cache));
      let last = firsts[i]!;
      for (let taken = 1; taken < this.slabs.table.objects[last.slab]!; taken++) last = this.take(cache);
      lasts.push(last);
    }
    if (!cache.isDebug) this.fill(cache);
    for (const { slab, slot } of lasts) slabFree(this.slabs, cache, 0, slab, slot);
    if (isOnNode && cache.cpuPartial[0] !== NO_SLAB) putPartials(this.slabs, cache, 0, takeChain(cache, 0));
    return firsts[0]!;
  }

  /** The object that a row of the table frees. */
  makeObject(cache: KmemCache, { object_in, pre }: FreeRow): Slot {
    if (object_in === 'cpu_slab') return this.take(cache);
    if (object_in === 'cpu_slab_drained') return this.fill(cache);
    if (object_in === 'cpu_partial') return this.makePartial(cache, 1, false);
    if (object_in === 'node_partial') return this.makePartial(cache, pre.nr_partial, true);
    const object = this.fill(cache);
    if (!cache.isDebug) this.fill(cache);
    return object;
  }

  /** Empties the CPU's page lists; then, if wanted, puts slab-size pages there. */
  preparePages(cache: KmemCache, isFilled: boolean): void {
    drainAllPages(this.mm);
    if (!isFilled) return;
    const { order } = cache.geometry;
    const pfn = allocPages(this.mm, 0, GFP_KERNEL, order, 0, false);
    freePages(this.mm, 0, pfn, order);
  }

  /** From now on these locks are held below whatever is called. */
  hold(locks: readonly TableLock[], cache: KmemCache, next: KmemCache | undefined): void {
    const names: ReadonlySet<string> = new Set(locks);
    this.slabs.interrupted = heldSlabLocks(names, cache, next);
    this.mm.interrupted = heldPageLocks(names, this.mm);
  }

  letGo(): void {
    this.slabs.interrupted = null;
    this.mm.interrupted = null;
  }

  isOnNodeList(slab: number): boolean {
    return this.slabs.table.hasFlag(slab, SLAB_NODE_PARTIAL);
  }

  zoneNameOf(slab: number): string {
    const pfn = this.slabs.table.pfn[slab]!;
    const zone = this.mm.zones.find((one) => pfn >= one.start_pfn && pfn < one.end_pfn);
    return zone === undefined ? 'no zone' : ZONE_NAMES[zone.index]!;
  }

  /** What accounted rows ask with. */
  static gfp(isAccounted: boolean): number {
    return isAccounted ? GFP_ACCOUNT_BIT : 0;
  }
}
