/**
 * Slab events of a trace, replayed in the model's slab allocator: who asks for an object of which cache and gives it back.
 * Where it lies, and which pages that takes, is the model's own.
 * model: slub 1.1, 2.3, 2.6, 3, 4
 */

import type { Context } from '../../mm/context.js';
import { kfreeNolock } from '../../mm/slab/kfree-nolock.js';
import { kfreeLarge, kmallocLarge } from '../../mm/slab/kmalloc.js';
import { largeKmallocOrder } from '../../mm/slab/kmalloc-caches.js';
import { kmallocNolock, ZERO_SIZE } from '../../mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { allocObject, freeObject } from '../../mm/slab/object-calls.js';
import { NO_SLAB } from '../../mm/slab/slab-table.js';
import type { StateIo } from '../../mm/state-io.js';
import { NO_PFN } from '../../mm/types.js';
import { type EventBatch, EventFlag, NONE_U32, Op } from '../../trace/event-batch.js';
import type { Notes } from '../notes.js';
import type { RareOutcome } from '../rare-ops.js';
import type { SlabMachine } from './slab-machine.js';
import { NoSlot, SlabObjects } from './slab-objects.js';

/** Which caches a trace's names stand for. */
export interface CacheNames {
  /** of a request for an object of a named cache; null where it cannot have one */
  ofRequest(batch: EventBatch, i: number): KmemCache | null;
  create(batch: EventBatch, i: number): RareOutcome;
  destroy(batch: EventBatch, i: number, cpu: number): RareOutcome;
}

export class SlabOps {
  readonly objects = new SlabObjects();
  /** what large requests get is told by page events of their own: the trace is of a real kernel */
  pagesAreRecorded = false;
  readonly #machine: SlabMachine;

  constructor(
    machine: SlabMachine,
    readonly names: CacheNames,
    readonly notes: Notes,
  ) {
    this.#machine = machine;
  }

  serialize(io: StateIo): void {
    this.pagesAreRecorded = io.flag('pages_are_recorded', this.pagesAreRecorded);
    io.part('objects', this.objects);
  }

  /** @param cpu that of the event, or the one that stands in for it; @param node likewise */
  replay(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    switch (batch.op[i]) {
      case Op.kmalloc:
        return this.#kmalloc(batch, i, cpu, node);
      case Op.cache_alloc:
        return this.#cacheAlloc(batch, i, cpu, node);
      case Op.kmalloc_nolock:
        return this.#kmallocNolock(batch, i, cpu, node);
      case Op.kfree:
      case Op.cache_free:
        return this.#free(batch.id[i]!, cpu);
      case Op.kfree_nolock:
        return this.#freeNolock(batch.id[i]!, cpu, batch.ctx[i]! as Context);
      case Op.cache_create:
        return this.names.create(batch, i);
      case Op.cache_destroy:
        return this.names.destroy(batch, i, cpu);
      default:
        return 'not_modelled';
    }
  }

  #kmalloc(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    const bytes = batch.size[i]!;
    const gfp = batch.gfp[i]!;
    if (!this.#begin(batch, i, cpu)) return 'failed';
    if (bytes === 0) return this.#gotNothing(batch.id[i]!);
    const cache = this.#machine.kmalloc.cacheFor(bytes, gfp);
    if (cache === null) return this.#kmallocLarge(batch, i, cpu, node);
    return this.#got(batch.id[i]!, allocObject(this.#machine.slabs, cache, cpu, gfp, node));
  }

  #kmallocLarge(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    const id = batch.id[i]!;
    if (this.pagesAreRecorded) return this.#gotNothing(id);
    const bytes = batch.size[i]!;
    const pfn = kmallocLarge(this.#machine.slabs, cpu, bytes, batch.gfp[i]!, node);
    if (pfn === NO_PFN) return this.#gotNone(id);
    if (id !== NONE_U32) this.objects.setLarge(id, { pfn, order: largeKmallocOrder(bytes) });
    return 'ok';
  }

  #cacheAlloc(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    if (!this.#begin(batch, i, cpu)) return 'failed';
    const cache = this.names.ofRequest(batch, i);
    if (cache === null) return 'not_modelled';
    return this.#got(batch.id[i]!, allocObject(this.#machine.slabs, cache, cpu, batch.gfp[i]!, node));
  }

  #kmallocNolock(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    if (!this.#begin(batch, i, cpu)) return 'failed';
    const { kmalloc } = this.#machine;
    const context = batch.ctx[i]! as Context;
    const slab = kmallocNolock(kmalloc, cpu, batch.size[i]!, batch.gfp[i]!, node, context);
    return slab === ZERO_SIZE ? this.#gotNothing(batch.id[i]!) : this.#got(batch.id[i]!, slab);
  }

  /** @returns false for a request that the recorded kernel could not serve: nobody would give back what it got here */
  #begin(batch: EventBatch, i: number, cpu: number): boolean {
    if (batch.flags[i]! & EventFlag.failed) {
      this.notes.add('recorded_failures');
      return false;
    }
    const id = batch.id[i]!;
    const before = id === NONE_U32 ? NoSlot.unknown : this.objects.get(id);
    if (before > 0 || before === NoSlot.large) {
      this.notes.add('implied_slab_frees');
      this.#free(id, cpu);
    }
    return true;
  }

  #got(id: number, slab: number): RareOutcome {
    if (slab === NO_SLAB) return this.#gotNone(id);
    if (id !== NONE_U32) this.objects.set(id, slab, this.#machine.slabs.slot);
    return 'ok';
  }

  #gotNone(id: number): RareOutcome {
    this.notes.add('model_failures');
    if (id !== NONE_U32) this.objects.mark(id, NoSlot.failed);
    return 'failed';
  }

  #gotNothing(id: number): RareOutcome {
    if (id !== NONE_U32) this.objects.mark(id, NoSlot.nothing);
    return 'ok';
  }

  #free(id: number, cpu: number): RareOutcome {
    const slab = this.#takeSlot(id, cpu);
    if (slab < 0) return slab === NO_SLAB ? 'failed' : 'ok';
    const { slabs } = this.#machine;
    freeObject(slabs, slabs.caches[slabs.table.cache[slab]!]!, cpu, slab, this.objects.slotOf(id));
    return 'ok';
  }

  #freeNolock(id: number, cpu: number, context: Context): RareOutcome {
    const slab = this.#takeSlot(id, cpu);
    if (slab < 0) return slab === NO_SLAB ? 'failed' : 'ok';
    kfreeNolock(this.#machine.deferred, cpu, slab, this.objects.slotOf(id), context);
    return 'ok';
  }

  /** Slab of the object that an id names, and names no more; NO_SLAB for none; DONE if nothing is left to do. */
  #takeSlot(id: number, cpu: number): number {
    const found = id === NONE_U32 ? NoSlot.unknown : this.objects.get(id);
    if (found > 0) {
      this.objects.mark(id, NoSlot.freed);
      return found - 1;
    }
    if (found === NoSlot.large) {
      const { pfn, order } = this.objects.takeLarge(id);
      kfreeLarge(this.#machine.slabs, cpu, pfn, order);
      return DONE;
    }
    if (found === NoSlot.nothing) {
      this.objects.mark(id, NoSlot.freed);
      return DONE;
    }
    this.notes.add(found === NoSlot.failed ? 'frees_of_failed' : 'unknown_slab_frees');
    return NO_SLAB;
  }
}

const DONE = -2;
