/**
 * The kmalloc family: which cache serves a request, and what each is created with.
 * model: slub 1.1-1.3
 */
import { GFP_ACCOUNT_BIT, GFP_DMA_BIT, GFP_RECLAIMABLE_BIT } from '../gfp.js';
import type { Policy } from '../policy.js';
import { PAGE_BYTES } from '../types.js';
import { type CacheSpec, orderOfBytes } from './geometry.js';
import {
  SLAB_ACCOUNT,
  SLAB_CACHE_DMA,
  SLAB_KMALLOC,
  SLAB_NO_MERGE,
  SLAB_RECLAIM_ACCOUNT,
} from './slab-flags.js';

/** Object sizes of the buckets, ascending. */
export const KMALLOC_SIZES = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192] as const;
export const NR_KMALLOC_BUCKETS = KMALLOC_SIZES.length;
/** Larger requests get pages of their own. */
export const KMALLOC_MAX_CACHE_BYTES = 2 * PAGE_BYTES;

export const KmallocType = { normal: 0, dma: 1, reclaim: 2, cgroup: 3 } as const;
export type KmallocType = (typeof KmallocType)[keyof typeof KmallocType];
export const NR_KMALLOC_TYPES = 4;

const NAME_PREFIXES = ['kmalloc-', 'dma-kmalloc-', 'kmalloc-rcl-', 'kmalloc-cg-'] as const;
const TYPE_FLAGS = [0, SLAB_CACHE_DMA, SLAB_RECLAIM_ACCOUNT, SLAB_ACCOUNT] as const;

/** What the machine's build and boot line leave of the family. */
export interface KmallocSetup {
  /** smallest bucket; 64 and more on machines whose DMA needs that alignment. 8 by default */
  readonly min_bytes: number;
  /** without it accounted requests share the plain caches */
  readonly hasMemcg: boolean;
}

/** Kind of cache for these request flags. model: slub 1.2 */
export function kmallocType(gfp: number): KmallocType {
  if (gfp & GFP_DMA_BIT) return KmallocType.dma;
  if (gfp & GFP_RECLAIMABLE_BIT) return KmallocType.reclaim;
  return gfp & GFP_ACCOUNT_BIT ? KmallocType.cgroup : KmallocType.normal;
}

/** Bucket by (size − 1) / 8 for requests up to 192 bytes. */
const SMALL_BUCKETS = Uint8Array.from({ length: 24 }, (_, step) =>
  KMALLOC_SIZES.findIndex((bytes) => bytes >= (step + 1) * 8),
);

/** Buckets that a minimum size leaves; requests for the others go to the next larger one. */
export function bucketExists(bucket: number, min_bytes: number): boolean {
  const bytes = KMALLOC_SIZES[bucket]!;
  if (bytes < min_bytes) return false;
  if (bytes === 96) return min_bytes < 64;
  return bytes !== 192 || min_bytes < 128;
}

/** Index into KMALLOC_SIZES for 1..8192 bytes. model: slub 1.1 */
export function kmallocBucket(bytes: number, min_bytes = 8): number {
  let bucket =
    bytes <= 192 ? SMALL_BUCKETS[(bytes - 1) >>> 3]! : 32 - Math.clz32(bytes - 1) - 8 + FIRST_LARGE_BUCKET;
  while (!bucketExists(bucket, min_bytes)) bucket++;
  return bucket;
}

/** the bucket of 256 bytes, whose size − 1 has 8 bits */
const FIRST_LARGE_BUCKET = KMALLOC_SIZES.indexOf(256);

/** Order of the pages that a request above KMALLOC_MAX_CACHE_BYTES gets. */
export function largeKmallocOrder(bytes: number): number {
  return orderOfBytes(bytes);
}

export function kmallocCacheName(type: KmallocType, bucket: number): string {
  const bytes = KMALLOC_SIZES[bucket]!;
  return `${NAME_PREFIXES[type]}${bytes >= 1024 ? `${bytes / 1024}k` : bytes}`;
}

/** model: slub 1.3 */
export function kmallocAlignment(bytes: number, min_bytes: number, policy: Policy): number {
  const divisor = bytes & -bytes;
  if (policy['slab.kmalloc_align'] === 'largest_divisor' || divisor === bytes)
    return Math.max(min_bytes, divisor);
  return min_bytes;
}

/** What one cache of the family is created with. */
export function kmallocCacheSpec(
  type: KmallocType,
  bucket: number,
  setup: KmallocSetup,
  policy: Policy,
): CacheSpec {
  const bytes = KMALLOC_SIZES[bucket]!;
  // Accounted and unaccounted objects must not share slabs.
  const merging = type === KmallocType.normal && setup.hasMemcg ? SLAB_NO_MERGE : 0;
  return {
    name: kmallocCacheName(type, bucket),
    object_size_bytes: bytes,
    align_bytes: kmallocAlignment(bytes, setup.min_bytes, policy),
    flags: SLAB_KMALLOC | TYPE_FLAGS[type] | merging,
    hasConstructor: false,
  };
}
