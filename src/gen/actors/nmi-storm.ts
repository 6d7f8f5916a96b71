/**
 * NMIs of a perf event that run a program: inside the operations of others, or between them.
 */
import { Ctx } from '../../trace/event-batch.js';
import type { Prng } from '../prng.js';
import type { StrikePoints, Struck } from '../strike-points.js';
import type { Actor, World } from '../world.js';
import type { NolockProgram } from './nolock-program.js';
import type { Interrupter } from './slab-load.js';

export interface StormPlan {
  /** of all CPUs together */
  readonly nmis_per_second: number;
  /** share of them that strikes inside an operation, as long as there are enough operations */
  readonly inside: number;
  readonly start_ns: number;
}

/** Mean time between events that come so many times per second. */
export function meanGap(per_second: number): number {
  return per_second > 0 ? 1e9 / per_second : Number.POSITIVE_INFINITY;
}

/** The NMIs that strike inside an operation. */
export class NmiStrikes implements Interrupter {
  readonly objects: number;
  readonly #prng: Prng;
  readonly #gap_ns: number;
  #next_ns: number;

  constructor(
    readonly world: World,
    readonly plan: StormPlan,
    readonly program: NolockProgram,
    readonly points: StrikePoints,
  ) {
    this.#prng = world.prng('strikes');
    this.objects = program.objects;
    this.#gap_ns = meanGap(plan.nmis_per_second * plan.inside);
    this.#next_ns = this.#gap_ns === Number.POSITIVE_INFINITY ? this.#gap_ns : plan.start_ns;
  }

  after(struck: Struck): void {
    const { rows } = this.world;
    if (rows.now_ns < this.#next_ns) return;
    rows.interrupt(Ctx.nmi, this.points.pick(struck, this.#prng));
    this.program.run();
    rows.resume();
    // Those that were due while nothing was under way strike the next operations, one each.
    this.#next_ns += 1 + this.#prng.exponential(this.#gap_ns);
  }
}

/** Those that strike where no operation is under way. */
export class NmisBetween implements Actor {
  due_ns: number;
  readonly objects = 0;
  readonly #prng: Prng;
  readonly #gap_ns: number;

  constructor(
    readonly world: World,
    plan: StormPlan,
    readonly program: NolockProgram,
  ) {
    this.#prng = world.prng('NMIs between');
    this.#gap_ns = meanGap(plan.nmis_per_second * (1 - plan.inside));
    this.due_ns = this.#gap_ns === Number.POSITIVE_INFINITY ? this.#gap_ns : plan.start_ns;
  }

  step(): void {
    const prng = this.#prng;
    this.world.rows.begin(this.due_ns, prng.below(this.world.scale.cpus), Ctx.nmi);
    this.program.run();
    this.due_ns += 1 + prng.exponential(this.#gap_ns);
  }
}
