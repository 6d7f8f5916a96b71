/**
 * What the slab allocator asks of the rest of the machine: pages, somebody who watches its locks, work that is put off.
 */
import type { Context } from '../context.js';
import type { KmemCache } from './kmem-cache.js';

/** Where slabs get their pages from. */
export interface SlabPages {
  /**
   * 2^order pages for a slab.
   *
   * @param node preferred node, -1 for the CPU's own
   * @param noSpin the request must not wait for any lock; then `gfp` decides nothing but the node
   * @returns first PFN, or NO_PFN
   */
  allocSlabPages(cpu: number, gfp: number, order: number, node: number, noSpin: boolean): number;
  /**
   * @param cache that the slab belonged to; null for pages that were one large object
   * @param noSpin the caller must not wait for any lock
   */
  freeSlabPages(cpu: number, pfn: number, order: number, cache: KmemCache | null, noSpin?: boolean): void;
  /** node of pages that were handed out */
  nodeOf(pfn: number): number;
  /** whether the last pages handed out came from the reserves */
  readonly lastWasPfmemalloc: boolean;
}

/** Locks of the slab allocator that an interruption may find taken. `cpu_slab` is a cache's local lock, also with sheaves. */
export const SlabLock = { cpu_slab: 0, list_lock: 1, barn: 2 } as const;
export type SlabLock = (typeof SlabLock)[keyof typeof SlabLock];

/** Told of every lock that is taken and let go. */
export interface SlabLockListener {
  /** `index` is the CPU of cpu_slab, the node of list_lock and barn */
  enter(lock: SlabLock, cache: KmemCache, index: number): void;
  leave(lock: SlabLock, cache: KmemCache, index: number): void;
}

/** Where the memory of sheaves comes from: the kmalloc family. model: slub 8a.2 */
export interface SheafMemory {
  /** cache that serves so many bytes */
  cacheFor(bytes: number, gfp: number): KmemCache | null;
}

/**
 * Places where an interruption changes what follows although no lock is taken there. `alloc_fastpath` and `free_fastpath` lie
 * between the read of a CPU's freelist and the compare-and-exchange of it, `pages_obtained` before a new slab is
 * installed; the others are entries of the kernel's functions of these names. model: slub 7.2
 */
export type SlabPoint =
  | 'alloc_fastpath'
  | 'free_fastpath'
  | 'slab_alloc'
  | 'get_partial_node'
  | 'allocate_slab'
  | 'pages_obtained'
  | 'slab_free'
  | 'put_cpu_partial'
  | 'put_partials';

/** Told whenever a CPU comes to such a place. */
export interface SlabPointListener {
  reach(point: SlabPoint, cache: KmemCache, cpu: number): void;
}

/** Told when slabs come and go; what belongs to a slab besides its slots is made and undone here. */
export interface SlabObserver {
  /** the slab has its pages, none of its slots is in use */
  slabMade(cache: KmemCache, slab: number, gfp: number, cpu: number): void;
  /** before its pages go back */
  slabGone(cache: KmemCache, slab: number, cpu: number): void;
}

/** What the code that a request interrupted has locked on the CPU of the request. model: slub 3.4 */
export interface InterruptedLocks {
  /** on PREEMPT_RT, whose locks have owners: the task of the request has it */
  holds(lock: SlabLock, cache: KmemCache, index: number): boolean;
  /** PREEMPT_RT: another task, which was preempted on this CPU, has it */
  isOthers?(lock: SlabLock, cache: KmemCache, index: number): boolean;
}

/** Takes over what a request that may not wait must leave undone. model: slub 3.5 */
export interface DeferredSlabs {
  /** a cpu slab that gave way, still frozen, with its private freelist */
  deactivateLater(cache: KmemCache, cpu: number, slab: number, freelist: number): void;
  /** a new slab that no list took: not frozen, no slot in use, in no count */
  freeLater(cpu: number, slab: number): void;
  /**
   * somebody looks at this slab: frees what waits in it. Only where each slab has a list of its own. model: slub 8.3
   */
  readonly visit?: ((slab: number, cpu: number) => void) | undefined;
  /** runs what is pending on every CPU: a cache that ends waits for its objects. model: slub 4.3 */
  barrier(): void;
}

/** Charges objects to whoever allocates them, and keeps with each slab what was charged for. model: slub 2.7 */
export interface SlabCharges {
  /** the calls that follow come from this context; @returns the one before, to go back to */
  enter(context: Context): Context;
  leave(before: Context): void;
  /** @returns false: the object must not stay */
  allocated(cache: KmemCache, cpu: number, slab: number, slot: number, gfp: number): boolean;
  /** before the slot is free */
  freed(cache: KmemCache, cpu: number, slab: number, slot: number): void;
  /** the slab has its pages, none of its slots is in use */
  slabMade(cache: KmemCache, slab: number, gfp: number, cpu: number): void;
  /** before its pages go back */
  slabGone(slab: number, cpu: number): void;
}
