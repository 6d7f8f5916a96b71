/**
 * Slab events of a trace, replayed in the model's slab allocator: who asks for an object of which cache and gives it back.
 * Where it lies, and which pages that takes, is the model's own.
 * model: slub 1.1, 2.3, 2.6, 3, 4
 */

import type { Context } from '../../mm/context.js';
import { GFP_ACCOUNT_BIT, GFP_ZERO_BIT } from '../../mm/gfp.js';
import { kfreeNolockLarge, noteMixedFree } from '../../mm/slab/kfree-nolock.js';
import { kfreeLarge, kmallocLarge } from '../../mm/slab/kmalloc.js';
import { largeKmallocOrder } from '../../mm/slab/kmalloc-caches.js';
import { ZERO_SIZE } from '../../mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { allocObject, freeObject } from '../../mm/slab/object-calls.js';
import { NO_SLAB, NO_SLOT } from '../../mm/slab/slab-table.js';
import type { StateIo } from '../../mm/state-io.js';
import { NO_PFN } from '../../mm/types.js';
import { type EventBatch, EventFlag, NONE_U32, Op } from '../../trace/event-batch.js';
import type { Notes } from '../notes.js';
import type { RareOutcome } from '../rare-ops.js';
import type { SlabStart } from '../start-state/slab-start.js';
import type { StartObjects } from '../start-state/start-objects.js';
import type { CacheDirectory } from './cache-directory.js';
import type { MemcgDirectory } from './memcg-directory.js';
import type { NolockCalls } from './nolock-calls.js';
import { NO_CACHE } from './object-ledger.js';
import type { SlabObservations } from './observations.js';
import type { SlabMachine } from './slab-machine.js';
import { NoSlot, SlabObjects } from './slab-objects.js';

/** Who takes note of the calls. */
export interface Observing {
  readonly nolock: NolockCalls;
  readonly observations: SlabObservations;
  readonly memcgs: MemcgDirectory;
}

const NOLOCK_FLAGS = GFP_ACCOUNT_BIT | GFP_ZERO_BIT;

export class SlabOps {
  readonly names: CacheDirectory;
  readonly objects = new SlabObjects();
  /** what large requests get is told by page events of their own: the trace is of a real kernel */
  pagesAreRecorded = false;
  readonly #machine: SlabMachine;
  readonly #start: StartObjects;
  readonly #nolock: NolockCalls;
  readonly #observed: SlabObservations;
  readonly #memcgs: MemcgDirectory;
  /** slot of the object that is being freed */
  #slot = NO_SLOT;

  constructor(
    { machine, names, objects }: SlabStart,
    { nolock, observations, memcgs }: Observing,
    readonly notes: Notes,
  ) {
    this.#machine = machine;
    this.names = names;
    this.#nolock = nolock;
    this.#observed = observations;
    this.#memcgs = memcgs;
    this.#start = objects;
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
        return this.#free(batch, i, cpu);
      case Op.kfree_nolock:
        return this.#freeNolock(batch, i, cpu);
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
    return this.#alloc(batch, i, cpu, node, cache);
  }

  #kmallocLarge(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    const id = batch.id[i]!;
    if (this.pagesAreRecorded) return this.#gotNothing(id);
    const bytes = batch.size[i]!;
    const pfn = kmallocLarge(this.#machine.slabs, cpu, bytes, batch.gfp[i]!, node);
    const context = batch.ctx[i]! as Context;
    if (pfn === NO_PFN) return this.#gotNone(batch, i, NO_CACHE);
    const order = largeKmallocOrder(bytes);
    if (!this.#paysFor(batch, i, cpu, pfn, order)) return this.#gotNone(batch, i, NO_CACHE);
    this.#observed.objects.noteLargeAllocated(pfn, bytes, context);
    if (id !== NONE_U32) this.objects.setLarge(id, { pfn, order });
    return 'ok';
  }

  /** A large object is charged by its pages. @returns false if it had to go back */
  #paysFor(batch: EventBatch, i: number, cpu: number, pfn: number, order: number): boolean {
    const gfp = batch.gfp[i]!;
    if ((gfp & GFP_ACCOUNT_BIT) === 0) return true;
    if (this.#memcgs.chargePages(cpu, pfn, order, gfp, batch.ctx[i]! as Context)) return true;
    kfreeLarge(this.#machine.slabs, cpu, pfn, order);
    return false;
  }

  #cacheAlloc(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    if (!this.#begin(batch, i, cpu)) return 'failed';
    const cache = this.names.ofRequest(batch, i);
    if (cache === null) return 'not_modelled';
    return this.#alloc(batch, i, cpu, node, cache);
  }

  #alloc(batch: EventBatch, i: number, cpu: number, node: number, cache: KmemCache): RareOutcome {
    const context = batch.ctx[i]! as Context;
    const slab = allocObject(this.#machine.slabs, cache, cpu, batch.gfp[i]!, node, context);
    return this.#got(batch, i, slab, cache.number);
  }

  #kmallocNolock(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    if (!this.#begin(batch, i, cpu)) return 'failed';
    const bytes = batch.size[i]!;
    // It takes no other flags; a row without any means GFP_KERNEL, which would wait for locks. model: slub 3.2
    const gfp = batch.gfp[i]! & NOLOCK_FLAGS;
    const slab = this.#nolock.kmalloc(cpu, bytes, gfp, node, batch.ctx[i]! as Context);
    if (slab === ZERO_SIZE) return this.#gotNothing(batch.id[i]!);
    const cache = this.#machine.kmalloc.cacheFor(bytes, gfp);
    return this.#got(batch, i, slab, cache?.number ?? NO_CACHE);
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
      this.#freeNamed(id, cpu, batch.ctx[i]! as Context);
    }
    return true;
  }

  #got(batch: EventBatch, i: number, slab: number, cache: number): RareOutcome {
    if (slab === NO_SLAB) return this.#gotNone(batch, i, cache);
    const id = batch.id[i]!;
    const { slot } = this.#machine.slabs;
    const { objects } = this.#observed;
    const site = objects.sites.numberOf(batch.strings.sites, batch.site[i]!);
    objects.noteAllocated(slab, slot, batch.size[i]!, batch.ctx[i]! as Context, site);
    if (id !== NONE_U32) this.objects.set(id, slab, slot, batch.op[i] === Op.kmalloc_nolock);
    return 'ok';
  }

  #gotNone(batch: EventBatch, i: number, cache: number): RareOutcome {
    const id = batch.id[i]!;
    const { objects } = this.#observed;
    const site = objects.sites.numberOf(batch.strings.sites, batch.site[i]!);
    objects.noteFailed(cache, batch.ctx[i]! as Context, site);
    this.notes.add('model_failures');
    if (id !== NONE_U32) this.objects.mark(id, NoSlot.failed);
    return 'failed';
  }

  #gotNothing(id: number): RareOutcome {
    if (id !== NONE_U32) this.objects.mark(id, NoSlot.nothing);
    return 'ok';
  }

  #free(batch: EventBatch, i: number, cpu: number): RareOutcome {
    const slab = this.#takeSlot(batch, i, cpu);
    if (slab < 0) return slab === NO_SLAB ? 'failed' : 'ok';
    this.#giveBack(slab, cpu, batch.ctx[i]! as Context);
    return 'ok';
  }

  #freeNolock(batch: EventBatch, i: number, cpu: number): RareOutcome {
    const slab = this.#takeSlot(batch, i, cpu);
    if (slab < 0) return slab === NO_SLAB ? 'failed' : 'ok';
    const context = batch.ctx[i]! as Context;
    this.#observed.objects.noteFreed(slab, this.#slot, context);
    this.#nolock.kfree(cpu, slab, this.#slot, context);
    return 'ok';
  }

  #freeNamed(id: number, cpu: number, context: Context): void {
    const slab = this.#takeNamed(id, cpu, context, this.objects.isMadeByNolock(id));
    if (slab >= 0) this.#giveBack(slab, cpu, context);
  }

  #giveBack(slab: number, cpu: number, context: Context): void {
    const { slabs } = this.#machine;
    this.#observed.objects.noteFreed(slab, this.#slot, context);
    freeObject(slabs, slabs.caches[slabs.table.cache[slab]!]!, cpu, slab, this.#slot);
  }

  /** Slab of the object that an event frees, its slot in `#slot`; NO_SLAB for none; DONE if nothing is left to do. */
  #takeSlot(batch: EventBatch, i: number, cpu: number): number {
    const id = batch.id[i]!;
    const found = id === NONE_U32 ? NoSlot.unknown : this.objects.get(id);
    if (found !== NoSlot.unknown && found !== NoSlot.freed && found !== NoSlot.failed)
      return this.#takeNamed(id, cpu, batch.ctx[i]! as Context, batch.op[i] === Op.kfree_nolock);
    if (found === NoSlot.failed) {
      this.notes.add('frees_of_failed');
      return NO_SLAB;
    }
    return this.#takeFromStart(batch, i);
  }

  /** An object that was there before the trace: which one nobody knows. model: slab-caches 5.4 */
  #takeFromStart(batch: EventBatch, i: number): number {
    const start = this.#start;
    const isNamed = batch.op[i] === Op.cache_free;
    const cache = isNamed ? this.names.ofFree(batch, i) : undefined;
    let slab = NO_SLAB;
    if (cache !== undefined) slab = start.takeUnknown(cache);
    else if (!isNamed) slab = start.takeUnknownKmalloc();
    this.#slot = start.slot;
    this.notes.add(slab === NO_SLAB ? 'unknown_slab_frees' : 'slab_frees_from_before_trace');
    return slab;
  }

  /** The same of an id that names something. */
  #takeNamed(id: number, cpu: number, context: Context, freedByNolock: boolean): number {
    const found = this.objects.get(id);
    if (found === NoSlot.large) {
      const { pfn, order } = this.objects.takeLarge(id);
      if (freedByNolock) {
        kfreeNolockLarge(this.#machine.slabs, order);
        return DONE;
      }
      this.#observed.objects.noteLargeFreed(pfn, context);
      this.#memcgs.unchargePages(cpu, pfn, order);
      kfreeLarge(this.#machine.slabs, cpu, pfn, order);
      return DONE;
    }
    this.objects.mark(id, NoSlot.freed);
    if (found === NoSlot.nothing) return DONE;
    this.#slot = this.objects.slotOf(id);
    noteMixedFree(this.#machine.slabs, this.objects.isMadeByNolock(id), freedByNolock);
    return found - 1;
  }
}

const DONE = -2;
