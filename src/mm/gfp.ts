/**
 * gfp flags: what a request may do and where its page may come from.
 *
 * Bit positions are those of 6.3 and later; readers translate older layouts (6.1's `__GFP_ATOMIC` keeps its bit 0x200,
 * which newer kernels leave unused).
 * model: page-allocator 1, 2.2; gfp A1, A2, A4
 */
import { type Migratetype, ZoneIndex } from './types.js';

export const GFP_DMA_BIT = 0x1;
export const GFP_HIGHMEM_BIT = 0x2;
export const GFP_DMA32_BIT = 0x4;
export const GFP_MOVABLE_BIT = 0x8;
export const GFP_RECLAIMABLE_BIT = 0x10;
export const GFP_HIGH_BIT = 0x20;
export const GFP_IO_BIT = 0x40;
export const GFP_FS_BIT = 0x80;
export const GFP_ZERO_BIT = 0x100;
/** 6.1 only */
export const GFP_ATOMIC_BIT = 0x200;
export const GFP_DIRECT_RECLAIM_BIT = 0x400;
export const GFP_KSWAPD_RECLAIM_BIT = 0x800;
export const GFP_WRITE_BIT = 0x1000;
export const GFP_NOWARN_BIT = 0x2000;
export const GFP_RETRY_MAYFAIL_BIT = 0x4000;
export const GFP_NOFAIL_BIT = 0x8000;
export const GFP_NORETRY_BIT = 0x1_0000;
export const GFP_MEMALLOC_BIT = 0x2_0000;
export const GFP_COMP_BIT = 0x4_0000;
export const GFP_NOMEMALLOC_BIT = 0x8_0000;
export const GFP_HARDWALL_BIT = 0x10_0000;
export const GFP_THISNODE_BIT = 0x20_0000;
export const GFP_ACCOUNT_BIT = 0x40_0000;
export const GFP_ZEROTAGS_BIT = 0x80_0000;
/** a request on behalf of the slab allocator itself, which must not lead to another one */
export const GFP_NO_OBJ_EXT_BIT = 0x100_0000;

export const GFP_RECLAIM = GFP_DIRECT_RECLAIM_BIT | GFP_KSWAPD_RECLAIM_BIT;
export const GFP_KERNEL = GFP_RECLAIM | GFP_IO_BIT | GFP_FS_BIT;
export const GFP_USER = GFP_KERNEL | GFP_HARDWALL_BIT;
export const GFP_HIGHUSER = GFP_USER | GFP_HIGHMEM_BIT;
export const GFP_HIGHUSER_MOVABLE = GFP_HIGHUSER | GFP_MOVABLE_BIT;
export const GFP_ATOMIC = GFP_HIGH_BIT | GFP_KSWAPD_RECLAIM_BIT;
/** what alloc_pages_nolock() asks with; model: page-allocator 4.10 */
export const GFP_NOLOCK = GFP_NOWARN_BIT | GFP_ZERO_BIT | GFP_NOMEMALLOC_BIT | GFP_COMP_BIT;

/** The request's type while mobility grouping is on; both mobility bits give 3, as in the kernel. */
export function gfpMigratetype(gfp: number): Migratetype {
  return ((gfp & (GFP_MOVABLE_BIT | GFP_RECLAIMABLE_BIT)) >> 3) as Migratetype;
}

/** Highest zone for the low four gfp bits, -1 for combinations that the kernel refuses. */
const ZONE_TABLE: readonly number[] = Array.from({ length: 16 }, (_, bits) => {
  const zoneBits = bits & (GFP_DMA_BIT | GFP_HIGHMEM_BIT | GFP_DMA32_BIT);
  if (zoneBits === GFP_DMA_BIT) return ZoneIndex.dma;
  if (zoneBits === GFP_DMA32_BIT) return ZoneIndex.dma32;
  if (zoneBits === GFP_HIGHMEM_BIT) return bits & GFP_MOVABLE_BIT ? ZoneIndex.movable : ZoneIndex.normal;
  return zoneBits === 0 ? ZoneIndex.normal : -1;
});

/** Index of the highest zone the request may use; also the column of lowmem_reserve. -1: no legal combination. */
export function gfpZone(gfp: number): number {
  return ZONE_TABLE[gfp & 0xf] as number;
}
