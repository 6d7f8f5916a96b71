/**
 * Memory of extension vectors: plain objects of the kmalloc family, from kmalloc() or, where the request may not wait, from
 * kmalloc_nolock(); each goes back the way it came.
 * model: slub 6.2, 6.3
 */
import { Context } from '../context.js';
import { GFP_NO_OBJ_EXT_BIT } from '../gfp.js';
import { NO_PFN } from '../types.js';
import type { DeferredWork } from './deferred.js';
import { kfreeNolock } from './kfree-nolock.js';
import { type KmallocCaches, kfreeLarge, kmallocLarge } from './kmalloc.js';
import { KMALLOC_MAX_CACHE_BYTES, largeKmallocOrder } from './kmalloc-caches.js';
import { kmallocNolock } from './kmalloc-nolock.js';
import { allocObject, freeObject } from './object-calls.js';
import { NO_SLAB } from './slab-table.js';

/** No memory for a vector. */
export const NO_VECTOR_MEMORY = -1;

export interface VectorMemory {
  /** @param noSpin the request must not wait for any lock @returns a name for the memory, or NO_VECTOR_MEMORY */
  alloc(cpu: number, bytes: number, gfp: number, node: number, noSpin: boolean, context: Context): number;
  free(cpu: number, memory: number, isFromNolock: boolean): void;
}

/** Slots are below it; orders, too. */
const SLOT_RANGE = 0x1_0000;
/** Names of large vectors are from here on: PFN and order. Slabs have fewer numbers. */
const FIRST_LARGE = 2 ** 48;

export class KmallocVectorMemory implements VectorMemory {
  constructor(
    readonly kmalloc: KmallocCaches,
    readonly deferred: DeferredWork,
  ) {}

  alloc(cpu: number, bytes: number, gfp: number, node: number, noSpin: boolean, context: Context): number {
    const { slabs } = this.kmalloc;
    if (noSpin) {
      const slab = kmallocNolock(this.kmalloc, cpu, bytes, 0, node, context);
      return slab === NO_SLAB ? NO_VECTOR_MEMORY : slab * SLOT_RANGE + slabs.slot;
    }
    if (bytes > KMALLOC_MAX_CACHE_BYTES) {
      const pfn = kmallocLarge(slabs, cpu, bytes, gfp, node);
      return pfn === NO_PFN ? NO_VECTOR_MEMORY : FIRST_LARGE + pfn * SLOT_RANGE + largeKmallocOrder(bytes);
    }
    const cache = this.kmalloc.cacheFor(bytes, gfp)!;
    const slab = allocObject(slabs, cache, cpu, gfp | GFP_NO_OBJ_EXT_BIT, node, context);
    return slab === NO_SLAB ? NO_VECTOR_MEMORY : slab * SLOT_RANGE + slabs.slot;
  }

  free(cpu: number, memory: number, isFromNolock: boolean): void {
    const { slabs } = this.kmalloc;
    if (memory >= FIRST_LARGE) {
      const pages = memory - FIRST_LARGE;
      kfreeLarge(slabs, cpu, Math.floor(pages / SLOT_RANGE), pages % SLOT_RANGE);
      return;
    }
    const slab = Math.floor(memory / SLOT_RANGE);
    const slot = memory % SLOT_RANGE;
    // Slabs go where waiting is allowed, never below an NMI.
    if (isFromNolock) kfreeNolock(this.deferred, cpu, slab, slot, Context.task);
    else freeObject(slabs, slabs.caches[slabs.table.cache[slab]!]!, cpu, slab, slot);
  }
}
