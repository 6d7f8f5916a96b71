/**
 * What one run of a program does that may run anywhere: it allocates a few objects with kmalloc_nolock(), and gives the
 * oldest of its objects back with kfree_nolock() when it has enough of them.
 */
import { LiveObjects } from '../live-objects.js';
import type { Prng } from '../prng.js';
import type { ByteRequest } from '../trace-rows.js';
import type { World } from '../world.js';

export interface ProgramPlan {
  /** of its stream of chance */
  readonly name: string;
  readonly request: ByteRequest;
  /** bytes of an object, evenly in between */
  readonly size_from: number;
  readonly size_to: number;
  /** objects of one run at most */
  readonly allocs: number;
  /** objects that all runs together keep */
  readonly keep: number;
}

/** Objects of one run at most: rows of a step are bounded. */
export const MAX_RUN_ALLOCS = 8;

export class NolockProgram {
  readonly objects: number;
  readonly #prng: Prng;
  readonly #live: LiveObjects;

  constructor(
    readonly world: World,
    readonly plan: ProgramPlan,
  ) {
    this.#prng = world.prng(plan.name);
    this.objects = plan.keep + plan.allocs;
    this.#live = new LiveObjects(this.objects);
  }

  /** Writes a run in the context at hand, at most 2 * allocs rows. @returns whether anything was written */
  run(): boolean {
    const { plan, world } = this;
    const { length } = world.rows.batch;
    const prng = this.#prng;
    const size_from = Math.min(plan.size_from, plan.size_to);
    const sizes = Math.max(plan.size_from, plan.size_to) - size_from + 1;
    for (let n = 1 + prng.below(plan.allocs); n > 0; n--) {
      const id = world.rows.kmallocNolock(plan.request, size_from + prng.below(sizes));
      if (id !== 0) this.#live.push(id);
    }
    while (this.#live.count > plan.keep) world.rows.kfreeNolock(this.#live.takeOldest());
    return world.rows.batch.length > length;
  }
}
