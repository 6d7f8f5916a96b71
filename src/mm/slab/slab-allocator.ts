/**
 * The slab allocator of one machine: its caches, the table of all slabs, and what the mechanisms beside this file share.
 *
 * A slot is named by slab and number. Where a mechanism hands one out it returns the slab and leaves the slot in
 * `slot`, so that nothing is created per object.
 */
import { GFP_RECLAIM } from '../gfp.js';
import { DEFAULT_BUILD, type MachineBuild } from '../machine-build.js';
import type { Policy } from '../policy.js';
import { arrays, numbers, type StateIo } from '../state-io.js';
import { policyOfBuild, shapeOfCache } from './build-rules.js';
import type { CacheSpec, SlabMachine } from './geometry.js';
import { KmemCache } from './kmem-cache.js';
import { CacheSheaves } from './sheaves/cache-sheaves.js';
import { sheafCapacity } from './sheaves/capacity.js';
import { parseSlabDebug, type SlabDebug } from './slab-debug.js';
import { SLAB_RECLAIM_ACCOUNT } from './slab-flags.js';
import { SlabHazard, SlabHazards } from './slab-hazards.js';
import {
  type DeferredSlabs,
  type InterruptedLocks,
  type SheafMemory,
  type SlabCharges,
  SlabLock,
  type SlabLockListener,
  type SlabObserver,
  type SlabPages,
  type SlabPoint,
  type SlabPointListener,
} from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { SlabTable } from './slab-table.js';

export interface SlabMachineSpec extends SlabMachine {
  /** node of each CPU; as many as are possible */
  readonly cpu_nodes: readonly number[];
  /** for each node those with memory, nearest first */
  readonly node_order: readonly (readonly number[])[];
  /** step of transaction numbers: CPUs of the build, rounded up to a power of two */
  readonly tid_step: number;
}

export class SlabAllocator {
  readonly table = new SlabTable();
  readonly caches: KmemCache[] = [];
  /** of the slot handed out last; NO_SLOT when none was */
  slot = 0;
  locks: SlabLockListener | null = null;
  points: SlabPointListener | null = null;
  observer: SlabObserver | null = null;
  /** what the code below the present request holds; null where it interrupted nothing */
  interrupted: InterruptedLocks | null = null;
  /** without them nothing is charged to anybody. model: slub 2.7 */
  charges: SlabCharges | null = null;
  /** without one, what must be put off is done at once */
  deferred: DeferredSlabs | null = null;
  /** stands in for the cycle counter, which decides whether other nodes' lists are looked at; model: slub 2.3 step 7 */
  cycles: () => number = () => 0;
  readonly nodes: number;
  /** CPUs keep objects in sheaves, and have no slabs of their own. model: slub 8a */
  readonly usesSheaves: boolean;
  /** without one, sheaves take no memory */
  sheafMemory: SheafMemory | null = null;
  /** pages of slabs by node, as vmstat tells them apart */
  readonly nr_slab_reclaimable_pages: Float64Array;
  readonly nr_slab_unreclaimable_pages: Float64Array;
  /** of the latter, large objects; by node */
  readonly large_pages: Float64Array;
  /** whether the hooks of a free turn a group round. model: slub 2.6a */
  readonly turnsBulkFrees: boolean;
  readonly build: MachineBuild;
  /** what the boot line debugs */
  readonly debug: SlabDebug;
  /** as far as the build leaves it */
  readonly policy: Policy;
  /** false where even the private freelist is changed under the local lock. model: slub 3.6 */
  readonly hasLocklessPath: boolean;
  readonly hazards = new SlabHazards();
  /** what runs now may sleep: interrupts and preemption are on. Only PREEMPT_RT asks. model: slub 3.6 */
  mayPreempt = true;
  /** local locks that were waited for because another task had them; PREEMPT_RT */
  rt_lock_waits = 0;

  constructor(
    readonly machine: SlabMachineSpec,
    policy: Policy,
    readonly pages: SlabPages,
  ) {
    this.nodes = machine.node_order.length;
    this.build = machine.build ?? DEFAULT_BUILD;
    this.debug = parseSlabDebug(this.build.slab_debug);
    this.policy = policyOfBuild(policy, this.build);
    this.hasLocklessPath = !this.build.preempt_rt;
    this.nr_slab_reclaimable_pages = new Float64Array(this.nodes);
    this.nr_slab_unreclaimable_pages = new Float64Array(this.nodes);
    this.large_pages = new Float64Array(this.nodes);
    this.usesSheaves = policy['slab.kind'] === 'sheaves' && !this.build.slub_tiny;
    this.turnsBulkFrees = policy['slab.bulk_free_group'] === 'turned';
  }

  /** Caches that were made on the way are made again; all else is loaded into them. */
  serialize(io: StateIo): void {
    const specs = io.plain(
      'caches',
      this.caches.map(({ spec }) => spec),
    );
    if (io.isLoading) {
      this.caches.length = Math.min(this.caches.length, specs.length);
      for (const spec of specs.slice(this.caches.length)) this.createCache(spec);
    }
    io.part('table', this.table);
    for (const cache of this.caches) io.part('cache', cache);
    arrays<SlabAllocator>(io, this, ['nr_slab_reclaimable_pages', 'nr_slab_unreclaimable_pages']);
    arrays<SlabAllocator>(io, this, ['large_pages']);
    io.part('hazards', this.hazards);
    numbers<SlabAllocator>(io, this, ['rt_lock_waits']);
  }

  /** A new cache of its own; whether it could share another's is for the caller to decide. */
  createCache(spec: CacheSpec): KmemCache {
    const { machine, policy, table, build } = this;
    const shape = shapeOfCache(spec, machine, build, this.debug, policy);
    const cache = new KmemCache(
      this.caches.length,
      shape.spec,
      shape.geometry,
      machine.cpu_nodes.length,
      this.nodes,
      table,
      policy['slab.cpu_partial'] && !this.usesSheaves,
      build.slub_tiny,
    );
    if (this.usesSheaves) this.#addSheaves(cache);
    this.caches.push(cache);
    return cache;
  }

  /** Each CPU begins with an empty sheaf, which the creator of the cache pays. model: slub 8a.2 */
  #addSheaves(cache: KmemCache): void {
    const capacity = sheafCapacity(cache.spec, cache.geometry.size_bytes, this.policy);
    if (capacity === 0) return;
    cache.sheaves = new CacheSheaves(capacity, cache.cpus, cache.nodes);
    cache.stat(0, SlabStat.sheaf_alloc, cache.cpus);
  }

  /** A node that slabs can come from: one with memory. */
  hasMemory(node: number): boolean {
    return node < this.nodes && this.machine.node_order[node]!.includes(node);
  }

  /** Node that a CPU's requests begin at: the nearest with memory. */
  localNode(cpu: number): number {
    return this.machine.node_order[this.machine.cpu_nodes[cpu]!]![0]!;
  }

  /** Pages came to a node's slabs, or left them. model: slub 2.4 */
  accountPages(cache: KmemCache, node: number, pages: number): void {
    const counts =
      cache.geometry.flags & SLAB_RECLAIM_ACCOUNT
        ? this.nr_slab_reclaimable_pages
        : this.nr_slab_unreclaimable_pages;
    counts[node] = counts[node]! + pages;
  }

  /** Large objects are counted like slabs that are never reclaimed. model: slub 1.1 */
  accountLarge(node: number, pages: number): void {
    this.large_pages[node] = this.large_pages[node]! + pages;
    this.nr_slab_unreclaimable_pages[node] = this.nr_slab_unreclaimable_pages[node]! + pages;
  }

  lock(lock: SlabLock, cache: KmemCache, index: number): void {
    if (this.locks !== null) this.locks.enter(lock, cache, index);
  }

  /** Whether the code that was interrupted has this lock. */
  isHeldBelow(lock: SlabLock, cache: KmemCache, index: number): boolean {
    return this.interrupted?.holds(lock, cache, index) ?? false;
  }

  /** Takes a lock as the request may: one that may not wait gets it only if it is free. @returns whether it has it */
  lockFor(gfp: number, lock: SlabLock, cache: KmemCache, index: number): boolean {
    if ((gfp & GFP_RECLAIM) === 0 && this.isHeldBelow(lock, cache, index)) {
      if (this.build.smp || this.build.preempt_rt) return false;
      // Without SMP a spinlock is nothing that could be found taken. model: slub 3.6
      this.hazards.note(SlabHazard.up_trylock);
    }
    this.lock(lock, cache, index);
    return true;
  }

  unlock(lock: SlabLock, cache: KmemCache, index: number): void {
    if (this.locks !== null) this.locks.leave(lock, cache, index);
  }

  /**
   * PREEMPT_RT: the local lock is one that sleeps. A request that comes this far does not own it; another task may, and
   * is waited for. model: slub 3.6
   */
  noteRtLock(cache: KmemCache, cpu: number, isAtomic: boolean): void {
    if (isAtomic || !this.mayPreempt) this.hazards.note(SlabHazard.rt_sleeping_lock);
    if (this.interrupted?.isOthers?.(SlabLock.cpu_slab, cache, cpu)) this.rt_lock_waits++;
  }

  reach(point: SlabPoint, cache: KmemCache, cpu: number): void {
    if (this.points !== null) this.points.reach(point, cache, cpu);
  }

  /**
   * The compare-and-exchange that ends a lockless fast path, with all that may strike before it. Only asked where `points`
   * are listened to.
   *
   * @returns false if a transaction of this CPU came in between: then nothing that was read before holds. model: slub 7.2
   */
  exchanges(point: SlabPoint, cache: KmemCache, cpu: number): boolean {
    const tid = cache.tid[cpu];
    this.reach(point, cache, cpu);
    if (cache.tid[cpu] === tid) return true;
    cache.stat(cpu, SlabStat.cmpxchg_double_cpu_fail);
    return false;
  }

  /** A transaction of this CPU ended: whoever read before it must begin anew. */
  nextTid(cache: KmemCache, cpu: number): void {
    cache.tid[cpu] = cache.tid[cpu]! + this.machine.tid_step;
  }
}
