/**
 * Slabs that the recorded kernel made, as its trace shows them: page allocations with a slab's flags. Which cache a slab is for
 * is told by the next slab event of the same CPU and task, because the allocation that needed the slab is reported when it
 * is done. A vector of charges is allocated in between and may need a slab of its own.
 * model: slub 2.4, 2.7
 */
import { type EventBatch, EventFlag, NONE_U32, Op } from '../../trace/event-batch.js';
import { isSlabRequest } from '../slab/slab-requests.js';

const VECTOR_SITE = /^(?:__)?alloc_slab_obj_exts\b/;

export class RecordedSlabs {
  /** slabs without a cache yet, by CPU and task */
  readonly #waiting = new Map<number, number>();

  /** @returns order of the slab that this event is about, or -1 */
  orderOf(batch: EventBatch, i: number): number {
    if (batch.op[i] !== Op.alloc || batch.flags[i]! & EventFlag.failed) return -1;
    const order = batch.order[i]!;
    return isSlabRequest(batch.gfp[i]!, order) ? order : -1;
  }

  noteMade(batch: EventBatch, i: number): void {
    const key = keyOf(batch, i);
    this.#waiting.set(key, (this.#waiting.get(key) ?? 0) + 1);
  }

  /** Slabs that an allocation of an object has needed: they are its cache's. */
  takeNeeded(batch: EventBatch, i: number): number {
    const key = keyOf(batch, i);
    const waiting = this.#waiting.get(key) ?? 0;
    if (waiting === 0) return 0;
    // The first is that of the object whose slab the vector belongs to.
    const left = VECTOR_SITE.test(batch.strings.sites.get(batch.site[i]!)) ? 1 : 0;
    if (left === 0) this.#waiting.delete(key);
    else this.#waiting.set(key, left);
    return Math.max(0, waiting - left);
  }
}

function keyOf(batch: EventBatch, i: number): number {
  const pid = batch.pid[i]!;
  return batch.cpu[i]! * 2 ** 32 + (pid === NONE_U32 ? 0 : pid);
}
