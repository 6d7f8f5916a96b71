/**
 * What requests from any context leave behind because they may not take the locks: per CPU a stack of objects to free and
 * one of slabs to put away. One piece of irq_work empties both once interrupts are on again.
 * model: slub 3.5, 4.3
 */
import type { StateIo } from '../state-io.js';
import { PAGE_BYTES } from '../types.js';
import { deactivateSlab } from './deactivate.js';
import { DeferredStack } from './deferred-stack.js';
import { freeSlab } from './discard-slab.js';
import type { KmemCache } from './kmem-cache.js';
import { ObjectsBySlab } from './objects-by-slab.js';
import type { SlabAllocator } from './slab-allocator.js';
import { slabFreeSlow } from './slab-free.js';
import type { DeferredSlabs } from './slab-interfaces.js';
import { NO_SLOT, SLAB_FROZEN } from './slab-table.js';

export class DeferredWork implements DeferredSlabs {
  /** by CPU */
  readonly objects: readonly DeferredStack[];
  readonly slabs: readonly DeferredStack[];
  /** times that irq_work was queued, all CPUs together */
  queued = 0;
  /** what waits now, all CPUs together: slots, slabs, and the memory of both */
  waiting_objects = 0;
  waiting_slabs = 0;
  waiting_bytes = 0;
  peak_objects = 0;
  peak_slabs = 0;
  peak_bytes = 0;
  /** told when irq_work is queued on a CPU; owned by whoever keeps the time */
  onQueued: ((cpu: number) => void) | null = null;
  /** where each slab keeps what waits in it; null where CPUs do. model: slub 8.3 */
  readonly bySlab: ObjectsBySlab | null;
  readonly visit: ((slab: number, cpu: number) => void) | undefined;
  /** what a run of the irq_work has taken and not yet done, by CPU */
  readonly #takenObjects: readonly DeferredStack[];
  readonly #takenSlabs: readonly DeferredStack[];
  readonly #isQueued: Uint8Array;

  constructor(readonly allocator: SlabAllocator) {
    const { length } = allocator.machine.cpu_nodes;
    const stacks = () => Array.from({ length }, () => new DeferredStack());
    this.objects = stacks();
    this.slabs = stacks();
    this.#takenObjects = stacks();
    this.#takenSlabs = stacks();
    this.#isQueued = new Uint8Array(length);
    this.bySlab =
      allocator.policy['slab.deferred_objects'] === 'per_slab' ? new ObjectsBySlab(allocator.table) : null;
    this.visit = this.bySlab === null ? undefined : (slab, cpu) => this.#freeOfSlab(slab, cpu);
  }

  freeObjectLater(cpu: number, slab: number, slot: number): void {
    this.waiting_objects++;
    this.waiting_bytes += this.#slotBytes(slab);
    this.#notePeaks();
    if (this.bySlab !== null) {
      this.bySlab.add(slab, slot);
      return;
    }
    const isFirst = this.objects[cpu]!.length === 0;
    this.objects[cpu]!.push(slab, slot);
    if (isFirst) this.#queue(cpu);
  }

  deactivateLater(_cache: KmemCache, cpu: number, slab: number, freelist: number): void {
    this.#putAside(cpu, slab, freelist);
  }

  freeLater(cpu: number, slab: number): void {
    this.#putAside(cpu, slab, NO_SLOT);
  }

  #putAside(cpu: number, slab: number, freelist: number): void {
    this.waiting_slabs++;
    this.waiting_bytes += this.#pageBytes(slab);
    this.#notePeaks();
    const isFirst = this.slabs[cpu]!.length === 0;
    this.slabs[cpu]!.push(slab, freelist);
    if (isFirst) this.#queue(cpu);
  }

  /** Work that is queued stays queued until it runs. The first entry of a stack queues it, also while it runs. */
  #queue(cpu: number): void {
    if (this.#isQueued[cpu] !== 0) return;
    this.#isQueued[cpu] = 1;
    this.queued++;
    this.onQueued?.(cpu);
  }

  #notePeaks(): void {
    if (this.waiting_objects > this.peak_objects) this.peak_objects = this.waiting_objects;
    if (this.waiting_slabs > this.peak_slabs) this.peak_slabs = this.waiting_slabs;
    if (this.waiting_bytes > this.peak_bytes) this.peak_bytes = this.waiting_bytes;
  }

  #cacheOf(slab: number): KmemCache {
    return this.allocator.caches[this.allocator.table.cache[slab]!]!;
  }

  #slotBytes(slab: number): number {
    return this.#cacheOf(slab).geometry.size_bytes;
  }

  #pageBytes(slab: number): number {
    return PAGE_BYTES * 2 ** this.allocator.table.order[slab]!;
  }

  isPending(cpu: number): boolean {
    return this.objects[cpu]!.length > 0 || this.slabs[cpu]!.length > 0;
  }

  /** The work of this CPU has been interrupted, and has more to do. */
  isRunning(cpu: number): boolean {
    return this.#takenObjects[cpu]!.length > 0 || this.#takenSlabs[cpu]!.length > 0;
  }

  /** The irq_work of one CPU: newest first, objects before slabs. It never interrupts itself. */
  run(cpu: number): void {
    const objects = this.#takenObjects[cpu]!;
    const slabs = this.#takenSlabs[cpu]!;
    if (this.isRunning(cpu)) return;
    this.#isQueued[cpu] = 0;
    this.objects[cpu]!.moveTo(objects);
    while (objects.length > 0) {
      objects.drop();
      this.#freeObject(cpu, objects.slabAt(objects.length), objects.slotAt(objects.length));
    }
    this.slabs[cpu]!.moveTo(slabs);
    while (slabs.length > 0) {
      slabs.drop();
      this.#putAway(cpu, slabs.slabAt(slabs.length), slabs.slotAt(slabs.length));
    }
  }

  #freeObject(cpu: number, slab: number, slot: number): void {
    this.waiting_objects--;
    this.waiting_bytes -= this.#slotBytes(slab);
    slabFreeSlow(this.allocator, this.#cacheOf(slab), cpu, slab, slot, slot, 1);
  }

  #putAway(cpu: number, slab: number, freelist: number): void {
    const { allocator } = this;
    const cache = this.#cacheOf(slab);
    this.waiting_slabs--;
    this.waiting_bytes -= this.#pageBytes(slab);
    if (!allocator.table.hasFlag(slab, SLAB_FROZEN)) freeSlab(allocator, cache, cpu, slab);
    else deactivateSlab(allocator, cache, cpu, slab, freelist);
  }

  #freeOfSlab(slab: number, cpu: number): void {
    const group = this.bySlab!.take(slab);
    if (group === null) return;
    this.waiting_objects -= group.count;
    this.waiting_bytes -= group.count * this.#slotBytes(slab);
    slabFreeSlow(this.allocator, this.#cacheOf(slab), cpu, slab, group.head, group.tail, group.count);
  }

  /** Runs what is pending on every CPU, as the end of a cache must wait for. */
  barrier(): void {
    for (let cpu = 0; cpu < this.objects.length; cpu++) this.run(cpu);
  }

  /** Slabs that wait with the private freelist of each, as `validateSlabs` wants to know them. */
  waitingSlabs(): Map<number, number> {
    const waiting = [...this.slabs, ...this.#takenSlabs].flatMap((stack) => stack.newestFirst());
    return new Map(waiting.map(({ slab, slot }) => [slab, slot]));
  }

  /** Adds the objects that wait to the counts of their caches, by number. */
  countWaitingObjects(byCache: Float64Array): void {
    const { cache } = this.allocator.table;
    for (const stack of [...this.objects, ...this.#takenObjects])
      for (let at = 0; at < stack.length; at++) byCache[cache[stack.slabAt(at)]!]!++;
    this.bySlab?.forEach((slab, count) => {
      byCache[cache[slab]!]! += count;
    });
  }

  serialize(io: StateIo): void {
    for (const stack of [...this.objects, ...this.#takenObjects]) io.part('objects', stack);
    for (const stack of [...this.slabs, ...this.#takenSlabs]) io.part('slabs', stack);
    if (this.bySlab !== null) io.part('by_slab', this.bySlab);
    io.array('is_queued', this.#isQueued);
    this.queued = io.number('queued', this.queued);
    this.waiting_objects = io.number('waiting_objects', this.waiting_objects);
    this.waiting_slabs = io.number('waiting_slabs', this.waiting_slabs);
    this.waiting_bytes = io.number('waiting_bytes', this.waiting_bytes);
    this.peak_objects = io.number('peak_objects', this.peak_objects);
    this.peak_slabs = io.number('peak_slabs', this.peak_slabs);
    this.peak_bytes = io.number('peak_bytes', this.peak_bytes);
  }
}
