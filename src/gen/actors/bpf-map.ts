/**
 * A hash map of programs whose elements are allocated when they are stored: one half of the CPUs stores, the other half
 * deletes, and from time to time the halves change their parts.
 */
import { Ctx } from '../../trace/event-batch.js';
import { LiveObjects } from '../live-objects.js';
import type { Prng } from '../prng.js';
import type { Actor, World } from '../world.js';
import { meanGap } from './nmi-storm.js';

export interface MapPlan {
  readonly updates_per_second: number;
  /** elements that it holds; deletions keep it near that */
  readonly entries: number;
  readonly element_bytes: number;
  /** share of the updates that replace an element: the old one is freed at once, where the new one was made */
  readonly replaces: number;
  /** share of the bursts in softirq; the others are in task context */
  readonly softirqs: number;
  /** time between two changes of parts */
  readonly swap_ns: number;
}

/** Operations of a burst at most. */
const BURST = 64;

/** The half of the CPUs that stores, or the other one. One CPU does both. */
function cpuOf(world: World, prng: Prng, isStoring: boolean, swap_ns: number, now_ns: number): number {
  const { cpus } = world.scale;
  const half = Math.ceil(cpus / 2);
  const isFirst = (Math.floor(now_ns / swap_ns) % 2 === 0) === isStoring;
  if (cpus === 1) return 0;
  return isFirst ? prng.below(half) : half + prng.below(cpus - half);
}

class Updaters implements Actor {
  due_ns: number;
  readonly objects: number;
  readonly #prng: Prng;
  readonly #gap_ns: number;

  constructor(
    readonly world: World,
    readonly plan: MapPlan,
    readonly elements: LiveObjects,
  ) {
    this.#prng = world.prng('map updates');
    this.#gap_ns = meanGap(plan.updates_per_second);
    this.objects = plan.entries;
    this.due_ns = this.#gap_ns === Number.POSITIVE_INFINITY ? this.#gap_ns : 0;
  }

  step(): void {
    const { world, plan, elements } = this;
    const { rows, byteRequests } = world;
    const prng = this.#prng;
    const ctx = prng.chance(plan.softirqs) ? Ctx.softirq : Ctx.task;
    rows.begin(this.due_ns, cpuOf(world, prng, true, plan.swap_ns, this.due_ns), ctx);
    const updates = 1 + prng.below(BURST);
    for (let n = 0; n < updates; n++) {
      const isReplacing = elements.count > 0 && prng.chance(plan.replaces);
      // A map that is full refuses new elements.
      if (elements.isFull && !isReplacing) continue;
      const old = isReplacing ? elements.takeAny(prng) : 0;
      const id = rows.kmallocNolock(byteRequests.element, plan.element_bytes);
      if (id !== 0) elements.push(id);
      if (old !== 0) rows.kfreeNolock(old);
    }
    this.due_ns += 1 + prng.exponential(this.#gap_ns * updates);
  }
}

class Deleters implements Actor {
  due_ns: number;
  readonly objects = 0;
  readonly #prng: Prng;
  readonly #gap_ns: number;

  constructor(
    readonly world: World,
    readonly plan: MapPlan,
    readonly elements: LiveObjects,
  ) {
    this.#prng = world.prng('map deletions');
    this.#gap_ns = meanGap(plan.updates_per_second) * BURST;
    this.due_ns = this.#gap_ns === Number.POSITIVE_INFINITY ? this.#gap_ns : 0;
  }

  step(): void {
    const { world, plan, elements } = this;
    const prng = this.#prng;
    const ctx = prng.chance(plan.softirqs) ? Ctx.softirq : Ctx.task;
    world.rows.begin(this.due_ns, cpuOf(world, prng, false, plan.swap_ns, this.due_ns), ctx);
    for (let n = 4 * BURST; n > 0 && elements.count > plan.entries; n--)
      world.rows.kfreeNolock(elements.takeAny(prng));
    this.due_ns += 1 + prng.exponential(this.#gap_ns);
  }
}

export function bpfMap(world: World, plan: MapPlan): readonly Actor[] {
  // Some more than it holds on average: those that wait to be deleted.
  const elements = new LiveObjects(plan.entries + Math.floor(plan.entries / 8) + 4 * BURST);
  return [new Updaters(world, plan, elements), new Deleters(world, plan, elements)];
}
