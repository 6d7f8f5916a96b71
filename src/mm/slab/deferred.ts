/**
 * What requests from any context leave behind because they may not take the locks: per CPU a stack of objects to free and
 * one of slabs to put away. One piece of irq_work empties both once interrupts are on again.
 * model: slub 3.5, 4.3
 */
import { deactivateSlab } from './deactivate.js';
import { freeSlab } from './discard-slab.js';
import type { KmemCache } from './kmem-cache.js';
import type { SlabAllocator } from './slab-allocator.js';
import { slabFreeSlow } from './slab-free.js';
import type { DeferredSlabs } from './slab-interfaces.js';
import { NO_SLOT, SLAB_FROZEN } from './slab-table.js';

export interface DeferredObject {
  readonly slab: number;
  readonly slot: number;
}

export interface DeferredSlab {
  readonly slab: number;
  /** private freelist that goes back into it, NO_SLOT for none */
  readonly freelist: number;
}

export class DeferredWork implements DeferredSlabs {
  /** by CPU, newest last */
  readonly objects: readonly DeferredObject[][];
  readonly slabs: readonly DeferredSlab[][];
  /** times that irq_work was queued, all CPUs together */
  queued = 0;

  constructor(readonly allocator: SlabAllocator) {
    const { length } = allocator.machine.cpu_nodes;
    this.objects = Array.from({ length }, () => []);
    this.slabs = Array.from({ length }, () => []);
  }

  freeObjectLater(cpu: number, slab: number, slot: number): void {
    this.#noteWork(cpu);
    this.objects[cpu]!.push({ slab, slot });
  }

  deactivateLater(_cache: KmemCache, cpu: number, slab: number, freelist: number): void {
    this.#noteWork(cpu);
    this.slabs[cpu]!.push({ slab, freelist });
  }

  freeLater(cpu: number, slab: number): void {
    this.#noteWork(cpu);
    this.slabs[cpu]!.push({ slab, freelist: NO_SLOT });
  }

  /** Work that is queued stays queued until it runs: only the first entry queues it. */
  #noteWork(cpu: number): void {
    if (!this.isPending(cpu)) this.queued++;
  }

  isPending(cpu: number): boolean {
    return this.objects[cpu]!.length > 0 || this.slabs[cpu]!.length > 0;
  }

  /** The irq_work of one CPU: newest first, objects before slabs. */
  run(cpu: number): void {
    const { allocator } = this;
    const { table } = allocator;
    for (const { slab, slot } of this.objects[cpu]!.splice(0).reverse())
      slabFreeSlow(allocator, allocator.caches[table.cache[slab]!]!, cpu, slab, slot, slot, 1);
    for (const { slab, freelist } of this.slabs[cpu]!.splice(0).reverse()) {
      const cache = allocator.caches[table.cache[slab]!]!;
      if (table.hasFlag(slab, SLAB_FROZEN)) deactivateSlab(allocator, cache, cpu, slab, freelist);
      else freeSlab(allocator, cache, cpu, slab);
    }
  }

  /** Runs what is pending on every CPU, as the end of a cache must wait for. */
  barrier(): void {
    for (let cpu = 0; cpu < this.objects.length; cpu++) this.run(cpu);
  }

  /** Slabs that wait, as `validateSlabs` wants to know them. */
  waitingSlabs(): Map<number, number> {
    return new Map(this.slabs.flat().map(({ slab, freelist }) => [slab, freelist]));
  }
}
