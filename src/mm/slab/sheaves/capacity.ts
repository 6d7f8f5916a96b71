/**
 * How many objects a cache's sheaves hold, and how large that makes them.
 * model: slub 8a.1
 */
import type { Policy } from '../../policy.js';
import { PAGE_BYTES } from '../../types.js';
import type { CacheSpec } from '../geometry.js';
import { KMALLOC_MAX_CACHE_BYTES, KMALLOC_SIZES, kmallocBucket } from '../kmalloc-caches.js';
import { isDebugCache, SLAB_NO_SHEAVES } from '../slab-flags.js';

/** A sheaf names an object by its address. */
const POINTER_BYTES = 8;

export function sheafBytes(capacity: number, policy: Policy): number {
  return policy['slab.sheaf_header_bytes'] + capacity * POINTER_BYTES;
}

/** @returns 0 for caches that have no sheaves; what fits the largest kmalloc bucket at most */
export function sheafCapacity(spec: CacheSpec, size_bytes: number, policy: Policy): number {
  if (isDebugCache(spec.flags) || spec.flags & SLAB_NO_SHEAVES) return 0;
  const [small, middle, large, page] = policy['slab.sheaf_capacity'];
  let wish = page!;
  if (size_bytes < 256) wish = small!;
  else if (size_bytes < 1024) wish = middle!;
  else if (size_bytes < PAGE_BYTES) wish = large!;
  return Math.min(mostObjects(policy), Math.max(fillingBucket(wish, policy), spec.sheaf_capacity ?? 0));
}

function mostObjects(policy: Policy): number {
  return Math.floor((KMALLOC_MAX_CACHE_BYTES - policy['slab.sheaf_header_bytes']) / POINTER_BYTES);
}

/** What is left of the kmalloc bucket that such a sheaf takes is used, too. */
function fillingBucket(capacity: number, policy: Policy): number {
  if (capacity === 0 || capacity >= mostObjects(policy)) return capacity;
  const bytes = sheafBytes(capacity, policy);
  const room = KMALLOC_SIZES[kmallocBucket(bytes)]! - policy['slab.sheaf_header_bytes'];
  return Math.floor(room / POINTER_BYTES);
}
