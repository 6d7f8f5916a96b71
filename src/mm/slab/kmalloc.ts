/**
 * The kmalloc family of one machine, and requests that are too large for it.
 * model: slub 1.1, 1.2
 */
import { GFP_COMP_BIT } from '../gfp.js';
import { MAX_PAGE_ORDER, NO_PFN } from '../types.js';
import type { RecordedShape } from './geometry.js';
import {
  bucketExists,
  KMALLOC_MAX_CACHE_BYTES,
  type KmallocSetup,
  KmallocType,
  kmallocBucket,
  kmallocCacheSpec,
  kmallocType,
  largeKmallocOrder,
  NR_KMALLOC_BUCKETS,
  NR_KMALLOC_TYPES,
} from './kmalloc-caches.js';
import type { KmemCache } from './kmem-cache.js';
import type { SlabAllocator } from './slab-allocator.js';

export class KmallocCaches {
  /** type × NR_KMALLOC_BUCKETS + bucket; buckets that the machine does not have stand for their successors */
  readonly #caches: KmemCache[] = [];

  /**
   * @param debugFlags slab_debug= flags of the caches that they name
   * @param shapes what a kernel said of caches, by name; model: slab-caches 3.3
   */
  constructor(
    readonly slabs: SlabAllocator,
    readonly setup: KmallocSetup,
    debugFlags: ReadonlyMap<string, number> = new Map(),
    shapes: ReadonlyMap<string, RecordedShape> = new Map(),
  ) {
    for (let type = 0; type < NR_KMALLOC_TYPES; type++)
      this.#createType(type as KmallocType, debugFlags, shapes);
    slabs.sheafMemory = this;
  }

  #createType(
    type: KmallocType,
    debugFlags: ReadonlyMap<string, number>,
    shapes: ReadonlyMap<string, RecordedShape>,
  ): void {
    const { slabs, setup } = this;
    const at = type * NR_KMALLOC_BUCKETS;
    const isShared =
      (type === KmallocType.cgroup && !setup.hasMemcg) ||
      (type === KmallocType.reclaim && slabs.build.slub_tiny);
    if (isShared) {
      for (let bucket = 0; bucket < NR_KMALLOC_BUCKETS; bucket++)
        this.#caches[at + bucket] = this.#caches[bucket]!;
      return;
    }
    for (let bucket = NR_KMALLOC_BUCKETS - 1; bucket >= 0; bucket--) {
      if (!bucketExists(bucket, setup.min_bytes)) {
        this.#caches[at + bucket] = this.#caches[at + bucket + 1]!;
        continue;
      }
      const spec = kmallocCacheSpec(type, bucket, setup, slabs.policy);
      const debug = debugFlags.get(spec.name) ?? 0;
      const recorded_shape = shapes.get(spec.name);
      this.#caches[at + bucket] = slabs.createCache({
        ...spec,
        flags: spec.flags | debug,
        ...(recorded_shape === undefined ? {} : { recorded_shape }),
      });
    }
  }

  cache(type: KmallocType, bucket: number): KmemCache {
    return this.#caches[type * NR_KMALLOC_BUCKETS + bucket]!;
  }

  /** Cache that serves so many bytes, at least one; null where they need pages of their own. */
  cacheFor(bytes: number, gfp: number): KmemCache | null {
    if (bytes > KMALLOC_MAX_CACHE_BYTES) return null;
    return this.cache(kmallocType(gfp), kmallocBucket(bytes));
  }
}

/** Pages for a request above the largest bucket. @returns first PFN, or NO_PFN */
export function kmallocLarge(
  slabs: SlabAllocator,
  cpu: number,
  bytes: number,
  gfp: number,
  node: number,
): number {
  const order = largeKmallocOrder(bytes);
  if (order > MAX_PAGE_ORDER) return NO_PFN;
  const pfn = slabs.pages.allocSlabPages(cpu, gfp | GFP_COMP_BIT, order, node, false);
  if (pfn !== NO_PFN) slabs.accountLarge(slabs.pages.nodeOf(pfn), 2 ** order);
  return pfn;
}

export function kfreeLarge(slabs: SlabAllocator, cpu: number, pfn: number, order: number): void {
  slabs.accountLarge(slabs.pages.nodeOf(pfn), -(2 ** order));
  slabs.pages.freeSlabPages(cpu, pfn, order, null);
}
