/**
 * Units and constants that all of the model shares.
 *
 * Branded numbers stand at module borders; inside hot loops they are plain numbers.
 * model: page-allocator 1
 */

declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]?: Name };

export type Pfn = Branded<'Pfn'>;
export type Order = Branded<'Order'>;
export type CpuId = Branded<'CpuId'>;
export type NodeId = Branded<'NodeId'>;

export const PAGE_SHIFT = 12;
export const PAGE_BYTES = 1 << PAGE_SHIFT;
export const MAX_PAGE_ORDER = 10;
export const NR_PAGE_ORDERS = MAX_PAGE_ORDER + 1;
export const PAGEBLOCK_ORDER = 9;
export const PAGEBLOCK_PAGES = 1 << PAGEBLOCK_ORDER;
export const PAGE_ALLOC_COSTLY_ORDER = 3;
export const SWAP_CLUSTER_MAX = 32;
export const MAX_RECLAIM_RETRIES = 16;
export const MAX_COMPACT_RETRIES = 16;

/** No page: what an allocation returns when it fails. */
export const NO_PFN = -1;

/**
 * Migratetypes by their number in kernels with CMA. Kernels without CMA print no CMA row and number Isolate 4; that
 * is a matter of reading and printing, not of the model.
 */
export const Migratetype = {
  unmovable: 0,
  movable: 1,
  reclaimable: 2,
  highatomic: 3,
  cma: 4,
  isolate: 5,
} as const;
export type Migratetype = (typeof Migratetype)[keyof typeof Migratetype];
export const MIGRATE_TYPES = 6;
/** Types below this one have per-CPU lists and may merge with each other. */
export const MIGRATE_PCPTYPES = 3;
export const MIGRATETYPE_NAMES: readonly string[] = [
  'Unmovable',
  'Movable',
  'Reclaimable',
  'HighAtomic',
  'CMA',
  'Isolate',
];

/** Zones by index inside a node. model: page-allocator 2.1 */
export const ZoneIndex = { dma: 0, dma32: 1, normal: 2, movable: 3, device: 4 } as const;
export type ZoneIndex = (typeof ZoneIndex)[keyof typeof ZoneIndex];
export const MAX_NR_ZONES = 5;
export const ZONE_NAMES: readonly string[] = ['DMA', 'DMA32', 'Normal', 'Movable', 'Device'];
