/**
 * Programs attached to functions that the allocators call with a lock held: each call of such a function runs one, as a
 * part of the operation and in its context. An NMI may strike the program in turn.
 */
import { Ctx } from '../../trace/event-batch.js';
import type { Prng } from '../prng.js';
import type { StrikePoints, Struck } from '../strike-points.js';
import type { World } from '../world.js';
import type { NolockProgram } from './nolock-program.js';
import type { Interrupter } from './slab-load.js';

export interface KprobePlan {
  /** share of the operations that come through a function with a program */
  readonly fires: number;
  /** share of the runs that an NMI strikes */
  readonly nmis: number;
  readonly start_ns: number;
}

export class Kprobes implements Interrupter {
  readonly objects: number;
  readonly #prng: Prng;

  constructor(
    readonly world: World,
    readonly plan: KprobePlan,
    readonly program: NolockProgram,
    readonly ofNmi: NolockProgram,
    readonly points: StrikePoints,
  ) {
    this.#prng = world.prng('kprobes');
    this.objects = program.objects + ofNmi.objects;
  }

  after(struck: Struck, ctx: Ctx): void {
    const { rows } = this.world;
    const prng = this.#prng;
    if (rows.now_ns < this.plan.start_ns || !prng.chance(this.plan.fires)) return;
    rows.interrupt(ctx, this.points.pick(struck, prng));
    if (this.program.run() && prng.chance(this.plan.nmis)) {
      rows.interrupt(Ctx.nmi, this.points.pick('slab', prng));
      this.ofNmi.run();
      rows.resume();
    }
    rows.resume();
  }
}
