/**
 * What is said of calls from any context, in the words of the result document: the position of a word in its list is its
 * number where calls are counted.
 * model: slub 3.2, 3.4, 4.2
 */
import { KMALLOC_SIZES } from '../../mm/slab/kmalloc-caches.js';

/** What the code that a call interrupted had locked. Beside list_lock and obj_stock nothing else is held. */
export const NOLOCK_LOCKS = [
  'none',
  /** between the read and the compare-and-exchange of a lockless path */
  'fastpath',
  'cpu_slab',
  /** of the bucket, and of the one after it */
  'cpu_slab_next',
  'list_lock',
  'pcp',
  'zone',
  'memcg_stock',
  'obj_stock',
  'several',
] as const;
export type NolockLock = (typeof NOLOCK_LOCKS)[number];

/** Buckets by the bytes of their objects, and what is in none. */
export const NOLOCK_CLASSES = [
  ...KMALLOC_SIZES.map(String),
  /** above the largest bucket */
  'large',
  /** alloc_pages_nolock and free_pages_nolock */
  'pages',
] as const;
export const LARGE_CLASS = KMALLOC_SIZES.length;
export const PAGES_CLASS = LARGE_CLASS + 1;

/** How a request ended. */
export const NOLOCK_OUTCOMES = [
  /** from the private freelist; of pages, from the per-CPU list */
  'fast',
  /** from a slab that was there already; of pages, from the buddy lists */
  'slow',
  /** from the cache after the right one, whose local lock was taken */
  'next_bucket',
  'new_slab',
  /** no bytes were asked for, and the pointer that stands for none was the answer */
  'zero_size',
  'null',
] as const;
export type NolockOutcome = (typeof NOLOCK_OUTCOMES)[number];

/** Why a request got nothing. */
export const NOLOCK_CAUSES = [
  'too_large',
  /** the local lock is taken, and there is no larger bucket, or none is tried */
  'busy',
  /** it is taken, and so is that of the next bucket */
  'busy_twice',
  'no_pages',
  /** a new slab found list_lock taken: of a debug cache, or of any on a kernel with sheaves */
  'no_list_lock',
  'charge_refused',
  /** the kernel was built, or the machine made, so that these calls fail */
  'build',
  /** the context is not allowed to ask: hardirq and NMI of real-time kernels, an order that is not allowed */
  'context',
] as const;
export type NolockCause = (typeof NOLOCK_CAUSES)[number];

/** How an object or a page went back. */
export const NOLOCK_FREE_OUTCOMES = ['fast', 'deferred', 'slow', 'zone_stack', 'leaked'] as const;
export type NolockFreeOutcome = (typeof NOLOCK_FREE_OUTCOMES)[number];

/** What must not happen, or only by a mistake of the caller. */
export const HAZARD_KINDS = [
  /** code waits for a lock that the code below it on the same CPU has */
  'deadlock',
  /** a call from a context that may not make it */
  'misuse',
  /** a context that cannot have interrupted the one below it */
  'order',
  /** the kernel would warn */
  'warning',
  /** memory that nothing will ever free */
  'leak',
  /** an allocation that repeats without end */
  'loop',
  /** a counter that no longer says what is there */
  'drift',
  /** one slot or page in two hands */
  'double_use',
] as const;
export type HazardKind = (typeof HAZARD_KINDS)[number];
