/**
 * The end of a cache.
 * model: slub 2.6b, 8a.7
 */
import { discardSlab } from './discard-slab.js';
import { flushAllCpus } from './flush-shrink.js';
import type { KmemCache } from './kmem-cache.js';
import { removePartial } from './node-partial-list.js';
import { endSheaves, shrinkBarns } from './sheaves/sheaf-flush.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SlabLock } from './slab-interfaces.js';
import { NO_SLAB } from './slab-table.js';

/**
 * Gives back all slabs that hold nothing. Objects that wait to be freed are waited for. model: slub 4.3
 *
 * @returns slabs left: objects remain in them, and the cache cannot go
 */
export function destroyCache(slabs: SlabAllocator, cache: KmemCache, cpu: number): number {
  slabs.deferred?.barrier();
  flushAllCpus(slabs, cache);
  shrinkBarns(slabs, cache, cpu);
  let left = 0;
  for (let node = 0; node < cache.nodes; node++) {
    const empty: number[] = [];
    slabs.lock(SlabLock.list_lock, cache, node);
    for (let slab = cache.partial.head[node]!; slab !== NO_SLAB; ) {
      const next = slabs.table.next[slab]!;
      if (slabs.table.inuse[slab] === 0) {
        removePartial(slabs, cache, node, slab);
        empty.push(slab);
      }
      slab = next;
    }
    slabs.unlock(SlabLock.list_lock, cache, node);
    for (let i = empty.length - 1; i >= 0; i--) discardSlab(slabs, cache, cpu, empty[i]!);
    left += cache.nr_slabs[node]!;
  }
  if (left === 0) endSheaves(slabs, cache, cpu);
  return left;
}
