/** Which caches a trace's names stand for. */
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import type { EventBatch } from '../../trace/event-batch.js';
import type { RareOutcome } from '../rare-ops.js';
import type { CacheNames } from './slab-ops.js';

export class CacheDirectory implements CacheNames {
  readonly #caches: (KmemCache | undefined)[] = [];

  constructor(readonly slabs: SlabAllocator) {}

  ofRequest(batch: EventBatch, i: number): KmemCache | null {
    const name = batch.cache[i]!;
    let cache = this.#caches[name];
    if (cache === undefined) {
      cache = this.slabs.createCache({
        name: batch.strings.caches.get(name),
        object_size_bytes: batch.size[i]!,
        align_bytes: 0,
        flags: 0,
        hasConstructor: false,
      });
      this.#caches[name] = cache;
    }
    return cache;
  }

  create(): RareOutcome {
    return 'not_modelled';
  }

  destroy(): RareOutcome {
    return 'not_modelled';
  }
}
