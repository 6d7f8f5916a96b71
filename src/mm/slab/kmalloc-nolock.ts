/**
 * kmalloc_nolock(): an object from any context, whatever the interrupted code holds, or none. It never waits; where the
 * local lock of the right cache is taken, the next larger cache serves.
 *
 * What is held stands in `interrupted` of the slab allocator, and of the page allocator below.
 * model: slub 3, 8a.8
 */
import type { Context } from '../context.js';
import { GFP_NOMEMALLOC_BIT, GFP_NOWARN_BIT } from '../gfp.js';
import type { KmallocCaches } from './kmalloc.js';
import type { KmemCache } from './kmem-cache.js';
import { canServeNolock, isAtomic, isBusy, refusesContext } from './nolock-rules.js';
import { chargeOrFree } from './object-calls.js';
import { sheafAlloc } from './sheaves/sheaf-alloc.js';
import { SLAB_BUSY, slabAlloc } from './slab-alloc.js';
import type { SlabAllocator } from './slab-allocator.js';
import { NO_SLAB, NO_SLOT } from './slab-table.js';

/** A request of no bytes got the pointer that stands for it. */
export const ZERO_SIZE = -2;

/**
 * Allocates from the cache for so many bytes, or from the one after it.
 *
 * @param gfp ACCOUNT and ZERO at most
 * @param context of the caller; an NMI may have struck in the middle of a change to the private freelist
 * @returns the object's slab, its slot in `slabs.slot`; NO_SLAB for none; ZERO_SIZE
 */
export function kmallocNolock(
  kmalloc: KmallocCaches,
  cpu: number,
  bytes: number,
  gfp: number,
  node: number,
  context: Context,
): number {
  if (bytes === 0) return ZERO_SIZE;
  const { charges } = kmalloc.slabs;
  if (charges === null) return allocFromTwo(kmalloc, cpu, bytes, gfp, node, context);
  const before = charges.enter(context);
  const slab = allocFromTwo(kmalloc, cpu, bytes, gfp, node, context);
  charges.leave(before);
  return slab;
}

/** A cache that is busy passes the request on, once; one that is refused its charge does not. model: slub 3.2 */
function allocFromTwo(
  kmalloc: KmallocCaches,
  cpu: number,
  bytes: number,
  gfp: number,
  node: number,
  context: Context,
): number {
  const { slabs } = kmalloc;
  const flags = gfp | GFP_NOWARN_BIT | GFP_NOMEMALLOC_BIT;
  const retries = slabs.policy['slab.nolock_retry'];
  let wanted = refusesContext(slabs, context) ? Number.POSITIVE_INFINITY : bytes;
  for (let attempt = 0; attempt < 2; attempt++) {
    const cache = kmalloc.cacheFor(wanted, gfp);
    if (cache === null || !canServeNolock(cache)) break;
    const slab = slabs.usesSheaves
      ? sheafAlloc(slabs, cache, cpu, flags, node)
      : allocUnlessBusy(slabs, cache, cpu, flags, node, context);
    if (slab >= 0) return chargeOrFree(slabs, cache, cpu, slab, flags);
    if (retries === 'none' || (slab !== SLAB_BUSY && retries === 'busy')) break;
    wanted = cache.geometry.object_size_bytes + 1;
  }
  slabs.slot = NO_SLOT;
  return NO_SLAB;
}

/** model: slub 3.2 */
function allocUnlessBusy(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
  context: Context,
): number {
  if (isBusy(slabs, cache, cpu, context)) return SLAB_BUSY;
  if (!slabs.hasLocklessPath) slabs.noteRtLock(cache, cpu, isAtomic(context));
  return slabAlloc(slabs, cache, cpu, gfp, node);
}
