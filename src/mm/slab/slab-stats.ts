/**
 * The counters of a cache, by the kernel's names and in the order of its directory in sysfs. Those of sheaves stay 0 where
 * caches have cpu slabs, and those of cpu slabs and chains where they have sheaves.
 * model: slub 2.2, 8a.9
 */
export const SLAB_STAT_NAMES = [
  'alloc_fastpath',
  'alloc_slowpath',
  'free_fastpath',
  'free_slowpath',
  'free_frozen',
  'free_add_partial',
  'free_remove_partial',
  'alloc_from_partial',
  'alloc_slab',
  'alloc_refill',
  'alloc_node_mismatch',
  'free_slab',
  'cpuslab_flush',
  'deactivate_full',
  'deactivate_empty',
  'deactivate_to_head',
  'deactivate_to_tail',
  'deactivate_remote_frees',
  'deactivate_bypass',
  'order_fallback',
  'cmpxchg_double_cpu_fail',
  'cmpxchg_double_fail',
  'cpu_partial_alloc',
  'cpu_partial_free',
  'cpu_partial_node',
  'cpu_partial_drain',
  'sheaf_flush',
  'sheaf_refill',
  'sheaf_alloc',
  'sheaf_free',
  'barn_get',
  'barn_get_fail',
  'barn_put',
  'barn_put_fail',
] as const;

export type SlabStatName = (typeof SLAB_STAT_NAMES)[number];

export const NR_SLAB_STATS = SLAB_STAT_NAMES.length;

/** Index of each counter. */
export const SlabStat = Object.fromEntries(SLAB_STAT_NAMES.map((name, index) => [name, index])) as {
  readonly [K in SlabStatName]: number;
};
