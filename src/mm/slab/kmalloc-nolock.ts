/**
 * kmalloc_nolock(): an object from any context, whatever the interrupted code holds, or none. It never waits; where the
 * local lock of the right cache is taken, the next larger cache serves.
 *
 * What is held stands in `interrupted` of the slab allocator, and of the page allocator below.
 * model: slub 3
 */
import { Context } from '../context.js';
import { GFP_NOMEMALLOC_BIT, GFP_NOWARN_BIT } from '../gfp.js';
import type { KmallocCaches } from './kmalloc.js';
import type { KmemCache } from './kmem-cache.js';
import { chargeOrFree } from './object-calls.js';
import { slabAlloc } from './slab-alloc.js';
import type { SlabAllocator } from './slab-allocator.js';
import { CMPXCHG_DOUBLE } from './slab-flags.js';
import { SlabLock } from './slab-interfaces.js';
import { NO_SLAB, NO_SLOT } from './slab-table.js';

/** A request of no bytes got the pointer that stands for it. */
export const ZERO_SIZE = -2;
/** The local lock is taken: another cache may do. */
const BUSY = -3;

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
  let wanted = bytes;
  for (let attempt = 0; attempt < 2; attempt++) {
    const cache = kmalloc.cacheFor(wanted, gfp);
    if (cache === null || !canServe(cache)) break;
    const slab = allocUnlessBusy(slabs, cache, cpu, flags, node, context === Context.nmi);
    if (slab === NO_SLAB) return NO_SLAB;
    if (slab !== BUSY) return chargeOrFree(slabs, cache, cpu, slab, flags);
    wanted = cache.geometry.object_size_bytes + 1;
  }
  slabs.slot = NO_SLOT;
  return NO_SLAB;
}

/** Freelist and counters change in one step, or, in debug caches, under a lock that can be tried. model: slub 3.3 */
function canServe({ geometry, isDebug }: KmemCache): boolean {
  return isDebug || (geometry.flags & CMPXCHG_DOUBLE) !== 0;
}

/** model: slub 3.2 */
function allocUnlessBusy(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
  isNmi: boolean,
): number {
  const isHeld = slabs.isHeldBelow(SlabLock.cpu_slab, cache, cpu);
  if (isHeld && (isNmi || !hasPrivateSlot(slabs, cache, cpu, node))) return BUSY;
  return slabAlloc(slabs, cache, cpu, gfp, node);
}

/** The lockless path will do. */
function hasPrivateSlot({ table }: SlabAllocator, cache: KmemCache, cpu: number, node: number): boolean {
  if (cache.freelist[cpu] === NO_SLOT) return false;
  return node < 0 || table.node[cache.cpuSlab[cpu]!] === node;
}
