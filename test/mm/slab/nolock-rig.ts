/** A machine with kmalloc caches, deferred work, and code below that holds locks, for tests of calls from any context. */
import { Context } from '../../../src/mm/context.js';
import { GFP_KERNEL } from '../../../src/mm/gfp.js';
import { DeferredWork } from '../../../src/mm/slab/deferred.js';
import { kfreeNolock } from '../../../src/mm/slab/kfree-nolock.js';
import { KmallocCaches } from '../../../src/mm/slab/kmalloc.js';
import { kmallocNolock, ZERO_SIZE } from '../../../src/mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { SlabLock } from '../../../src/mm/slab/slab-interfaces.js';
import { NO_SLAB } from '../../../src/mm/slab/slab-table.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { type Place, Rig, type RigOptions } from './support.js';

export class NolockRig extends Rig {
  readonly kmalloc: KmallocCaches;
  readonly deferred = new DeferredWork(this.slabs);
  /** `LL NAME` and `list NAME` of the code below; on PREEMPT_RT of the task itself */
  readonly held = new Set<string>();
  /** names of caches whose local lock another task has */
  readonly heldByOthers = new Set<string>();

  constructor(options?: RigOptions, debug?: ReadonlyMap<string, number>) {
    super(options);
    this.kmalloc = new KmallocCaches(this.slabs, { min_bytes: 8, hasMemcg: false }, debug);
    this.slabs.deferred = this.deferred;
    this.slabs.interrupted = {
      holds: (lock, cache) => this.held.has(`${lock === SlabLock.cpu_slab ? 'LL' : 'list'} ${cache.name}`),
      isOthers: (_lock, cache) => this.heldByOthers.has(cache.name),
    };
  }

  named(bytes: number): KmemCache {
    return this.kmalloc.cacheFor(bytes, GFP_KERNEL)!;
  }

  /** Name of the cache that served, or the answer that is none. */
  nolock(bytes: number, isNmi = true, node = -1): string | null | typeof ZERO_SIZE {
    return this.nolockFrom(isNmi ? Context.nmi : Context.task, bytes, node);
  }

  nolockFrom(context: Context, bytes: number, node = -1): string | null | typeof ZERO_SIZE {
    const slab = kmallocNolock(this.kmalloc, 0, bytes, 0, node, context);
    if (slab === NO_SLAB) return null;
    return slab === ZERO_SIZE ? ZERO_SIZE : this.slabs.caches[this.slabs.table.cache[slab]!]!.name;
  }

  kfree(place: Place, isNmi = false): boolean {
    return this.kfreeFrom(isNmi ? Context.nmi : Context.task, place);
  }

  kfreeFrom(context: Context, { slab, slot }: Place): boolean {
    return kfreeNolock(this.deferred, 0, slab, slot, context);
  }

  validate(): void {
    validateSlabs(this.slabs, { deferred: this.deferred.waitingSlabs() });
  }
}
