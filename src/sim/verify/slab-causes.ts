/**
 * What a replay had to assume of the objects of each cache: counted from the events, each looked at before and after the
 * replay takes it.
 */
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { SLAB_KMALLOC } from '../../mm/slab/slab-flags.js';
import { type EventBatch, EventFlag, NONE_U32, Op } from '../../trace/event-batch.js';
import type { SlabReplay } from '../slab/slab-replay.js';

/** Of one cache. */
export interface CacheCauses {
  /** allocations and frees that the trace shows */
  allocated: number;
  freed: number;
  /** objects that the trace allocates again without having freed them */
  implied_frees: number;
  /** frees of objects from before the trace: which one was chosen */
  start_frees: number;
  /** frees of objects that nothing is known of */
  unknown_frees: number;
}

const ALLOCATIONS: ReadonlySet<number> = new Set([Op.kmalloc, Op.kmalloc_nolock, Op.cache_alloc]);
const FREES: ReadonlySet<number> = new Set([Op.kfree, Op.kfree_nolock, Op.cache_free]);

export function isObjectAlloc(op: number): boolean {
  return ALLOCATIONS.has(op);
}

export class SlabCauses {
  readonly #byCache = new Map<number, CacheCauses>();
  readonly #kmalloc: readonly KmemCache[];
  /** frees of pointers of which neither object nor cache is known */
  unknown_pointers = 0;

  constructor(readonly replay: SlabReplay) {
    const { caches } = replay.machine.slabs;
    this.#kmalloc = caches.filter(({ geometry }) => (geometry.flags & SLAB_KMALLOC) !== 0);
  }

  of(cache: number): CacheCauses {
    let causes = this.#byCache.get(cache);
    if (causes === undefined) {
      causes = { allocated: 0, freed: 0, implied_frees: 0, start_frees: 0, unknown_frees: 0 };
      this.#byCache.set(cache, causes);
    }
    return causes;
  }

  /** Replays a slab event, and counts what it was for its cache. @returns number of the cache, or -1 */
  around(batch: EventBatch, i: number, replayIt: () => void): number {
    const op = batch.op[i]!;
    if (ALLOCATIONS.has(op)) return this.#allocation(batch, i, replayIt);
    if (FREES.has(op)) this.#free(batch, i, replayIt);
    else replayIt();
    return -1;
  }

  #allocation(batch: EventBatch, i: number, replayIt: () => void): number {
    const before = this.#cacheOf(batch.id[i]!);
    if (before >= 0 && (batch.flags[i]! & EventFlag.failed) === 0) this.of(before).implied_frees++;
    replayIt();
    const cache = this.#cacheOf(batch.id[i]!);
    if (cache >= 0) this.of(cache).allocated++;
    return cache;
  }

  #free(batch: EventBatch, i: number, replayIt: () => void): void {
    const { names, start } = this.replay;
    const id = batch.id[i]!;
    const cache = this.#cacheOf(id);
    if (cache >= 0) this.of(cache).freed++;
    // Marks of things that are no slots are below zero; what was freed or never seen comes from the start.
    const isNamed = batch.op[i] === Op.cache_free;
    const candidates = cache >= 0 ? [] : isNamed ? [names.ofFree(batch, i)] : this.#kmalloc;
    const alive = candidates.map((each) => (each === undefined ? 0 : start.aliveIn(each)));
    const total = start.total;
    replayIt();
    if (cache >= 0) return;
    if (start.total < total) {
      const at = candidates.findIndex((each, j) => each !== undefined && start.aliveIn(each) < alive[j]!);
      const taken = this.of(candidates[at]!.number);
      taken.freed++;
      taken.start_frees++;
    } else if (isNamed && candidates[0] !== undefined) {
      const unknown = this.of(candidates[0].number);
      unknown.freed++;
      unknown.unknown_frees++;
    } else this.unknown_pointers++;
  }

  /** Cache of the slot that an id names. */
  #cacheOf(id: number): number {
    const slab = id === NONE_U32 ? 0 : this.replay.ops.objects.get(id);
    return slab > 0 ? this.replay.machine.slabs.table.cache[slab - 1]! : -1;
  }
}
