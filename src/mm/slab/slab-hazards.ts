/**
 * What a kernel would have suffered from here, by kind: the model counts it and goes on.
 * model: slub 3.6, 4.1, 8.1
 */
import type { StateIo } from '../state-io.js';

export const SLAB_HAZARD_NAMES = [
  /** kfree_nolock() of an object with pages of its own: it warns the first time, and they are lost */
  'large_kfree_nolock',
  /** kfree_nolock() of an object that kmalloc() made */
  'kfree_nolock_of_kmalloc',
  /** kfree() of an object that kmalloc_nolock() made */
  'kfree_of_kmalloc_nolock',
  /** PREEMPT_RT: a lock that may sleep, from where nothing may */
  'rt_sleeping_lock',
  /** one processor: a trylock got a lock that the interrupted code holds */
  'up_trylock',
  /** a debug cache makes slab after slab because it gets its list_lock never */
  'debug_loop',
] as const;

export type SlabHazardName = (typeof SLAB_HAZARD_NAMES)[number];

/** Index of each kind. */
export const SlabHazard = Object.fromEntries(SLAB_HAZARD_NAMES.map((name, index) => [name, index])) as {
  readonly [K in SlabHazardName]: number;
};

export class SlabHazards {
  readonly counts = new Float64Array(SLAB_HAZARD_NAMES.length);
  /** pages that nobody can give back any more */
  leaked_pages = 0;

  note(hazard: number): void {
    this.counts[hazard] = this.counts[hazard]! + 1;
  }

  count(name: SlabHazardName): number {
    return this.counts[SlabHazard[name]]!;
  }

  /** Warnings in the kernel's log: it warns of a lost large object once. */
  get warnings(): number {
    return this.count('large_kfree_nolock') > 0 ? 1 : 0;
  }

  serialize(io: StateIo): void {
    io.array('counts', this.counts);
    this.leaked_pages = io.number('leaked_pages', this.leaked_pages);
  }
}
