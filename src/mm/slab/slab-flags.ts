/**
 * Flags of a slab cache, at the bit positions of 6.18, and the groups of them that decide something here.
 * model: slub 1.2, 1.4, 2.1
 */
export const SLAB_CONSISTENCY_CHECKS = 1 << 0;
export const SLAB_RED_ZONE = 1 << 1;
export const SLAB_POISON = 1 << 2;
/** a cache of the kmalloc family */
export const SLAB_KMALLOC = 1 << 3;
export const SLAB_HWCACHE_ALIGN = 1 << 4;
export const SLAB_CACHE_DMA = 1 << 5;
export const SLAB_CACHE_DMA32 = 1 << 6;
export const SLAB_STORE_USER = 1 << 7;
export const SLAB_PANIC = 1 << 8;
export const SLAB_TYPESAFE_BY_RCU = 1 << 9;
export const SLAB_TRACE = 1 << 10;
/** of the debugging tools themselves */
export const SLAB_NOLEAKTRACE = 1 << 11;
export const SLAB_NO_MERGE = 1 << 12;
export const SLAB_ACCOUNT = 1 << 13;
/** the boot line does not debug it */
export const SLAB_NO_USER_FLAGS = 1 << 14;
export const SLAB_RECLAIM_ACCOUNT = 1 << 15;
/** bootstrap caches, and those that must not allocate while they serve: `SLAB_NO_OBJ_EXT` and `SLAB_NOLEAKTRACE` */
export const SLAB_NO_SHEAVES = 1 << 18;
/** the cache really poisons: POISON, and neither a constructor nor readers that may still look */
export const OBJECT_POISON = 1 << 16;
/** freelist and counters change together without a lock */
export const CMPXCHG_DOUBLE = 1 << 17;

/** Groups of flags that decide about merging. model: slab-caches 1.1, 1.2 */
export const SLAB_NEVER_MERGE =
  SLAB_RED_ZONE |
  SLAB_POISON |
  SLAB_STORE_USER |
  SLAB_TRACE |
  SLAB_TYPESAFE_BY_RCU |
  SLAB_NOLEAKTRACE |
  SLAB_NO_MERGE;
export const SLAB_MERGE_SAME = SLAB_RECLAIM_ACCOUNT | SLAB_CACHE_DMA | SLAB_CACHE_DMA32 | SLAB_ACCOUNT;

/** `slab_debug=FZPU` */
export const SLAB_DEBUG_FZPU = SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER;

/** Debugging that must see freelist and counters under a lock. */
export const SLAB_NO_CMPXCHG = SLAB_CONSISTENCY_CHECKS | SLAB_STORE_USER | SLAB_TRACE;

/** Debugging that takes room beside each object. */
export const SLAB_DEBUG_METADATA = SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER;

const DEBUG_FLAGS = SLAB_DEBUG_FZPU | SLAB_TRACE;

/** Whether every allocation and free is looked at, so that there is no per-CPU shortcut. */
export function isDebugCache(flags: number): boolean {
  return (flags & DEBUG_FLAGS) !== 0;
}
