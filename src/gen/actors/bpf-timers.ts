/**
 * Timers of programs: made below the raw lock of the timer base or without it, expired in hardirq or softirq, where the
 * callback asks for an object and gives the timer's own back.
 */
import { Ctx } from '../../trace/event-batch.js';
import { LiveObjects } from '../live-objects.js';
import type { Prng } from '../prng.js';
import type { StrikePoints, Struck } from '../strike-points.js';
import type { Actor, World } from '../world.js';
import { meanGap } from './nmi-storm.js';
import type { NolockProgram } from './nolock-program.js';
import type { Interrupter } from './slab-load.js';

export interface TimerPlan {
  /** timers that are made per second */
  readonly starts_per_second: number;
  /** timers that are pending */
  readonly timers: number;
  readonly timer_bytes: number;
  /** share of them that is made with the lock of the timer base held */
  readonly locked: number;
  /** share that expires in hardirq; the others do in softirq */
  readonly hardirqs: number;
  /** share of the expiries in hardirq that comes in the middle of an operation, if one is under way in time */
  readonly inside: number;
  readonly start_ns: number;
}

export const TIMER_LOCK = 'hrtimer_bases.lock';

/** timers of one step at most */
const BURST = 8;

/** Timers that are pending, and what their callbacks do. */
class PendingTimers {
  readonly live: LiveObjects;
  /** expiries in hardirq that wait for an operation to interrupt */
  waiting = 0;

  constructor(
    readonly world: World,
    readonly callback: NolockProgram,
    plan: TimerPlan,
  ) {
    this.live = new LiveObjects(plan.timers + 2 * BURST);
  }

  expire(): void {
    this.callback.run();
    this.world.rows.kfreeNolock(this.live.takeOldest());
  }
}

/** Makes timers, and lets the oldest expire. */
class Timers implements Actor {
  due_ns: number;
  readonly objects: number;
  readonly #prng: Prng;
  readonly #gap_ns: number;

  constructor(
    readonly world: World,
    readonly plan: TimerPlan,
    readonly pending: PendingTimers,
  ) {
    this.#prng = world.prng('timers');
    this.#gap_ns = meanGap(plan.starts_per_second);
    this.objects = plan.timers;
    this.due_ns = this.#gap_ns === Number.POSITIVE_INFINITY ? this.#gap_ns : plan.start_ns;
  }

  step(): void {
    const { world, plan, pending } = this;
    const prng = this.#prng;
    const { rows } = world;
    const starts = 1 + prng.below(BURST);
    rows.begin(this.due_ns, prng.below(world.scale.cpus));
    const isLocked = prng.chance(plan.locked);
    if (isLocked) rows.lock(TIMER_LOCK);
    for (let n = 0; n < starts && !pending.live.isFull; n++) {
      const id = rows.kmallocNolock(world.byteRequests.timer, plan.timer_bytes);
      if (id !== 0) pending.live.push(id);
    }
    if (isLocked) rows.unlock(TIMER_LOCK);
    while (pending.live.count - pending.waiting > plan.timers) this.#expireNext();
    this.due_ns += 1 + prng.exponential(this.#gap_ns * starts);
  }

  #expireNext(): void {
    const { world, plan, pending } = this;
    const prng = this.#prng;
    const isHardirq = prng.chance(plan.hardirqs);
    if (isHardirq && prng.chance(plan.inside) && pending.waiting < BURST) {
      pending.waiting++;
      return;
    }
    world.rows.begin(this.due_ns, prng.below(world.scale.cpus), isHardirq ? Ctx.hardirq : Ctx.softirq);
    pending.expire();
  }
}

/** Expiries in the middle of an operation. */
class TimerInterrupts implements Interrupter {
  readonly objects: number;
  readonly #prng: Prng;

  constructor(
    readonly world: World,
    readonly pending: PendingTimers,
    readonly points: StrikePoints,
  ) {
    this.#prng = world.prng('timer interrupts');
    this.objects = pending.callback.objects;
  }

  after(struck: Struck): void {
    const { pending, world } = this;
    if (pending.waiting === 0) return;
    pending.waiting--;
    world.rows.interrupt(Ctx.hardirq, this.points.pick(struck, this.#prng));
    pending.expire();
    world.rows.resume();
  }
}

/** The timers, and the interrupter through which some of them expire. */
export function bpfTimers(
  world: World,
  plan: TimerPlan,
  callback: NolockProgram,
  points: StrikePoints,
): { readonly timers: Actor; readonly interrupts: Interrupter } {
  const pending = new PendingTimers(world, callback, plan);
  return {
    timers: new Timers(world, plan, pending),
    interrupts: new TimerInterrupts(world, pending, points),
  };
}
