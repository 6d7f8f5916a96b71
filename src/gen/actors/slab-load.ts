/**
 * Ordinary users of the allocators: tasks and softirqs that kmalloc and kfree objects of many sizes and single pages, on
 * all CPUs. What one has allocated another may free. Whoever interrupts is asked after each operation.
 */
import { Ctx } from '../../trace/event-batch.js';
import { LiveObjects } from '../live-objects.js';
import type { Prng } from '../prng.js';
import type { Struck } from '../strike-points.js';
import type { Actor, World } from '../world.js';

export interface Interrupter {
  /** objects that it has at the same time, at most */
  readonly objects: number;
  /** The last row may be interrupted: writes what does, at most MAX_STRIKE_ROWS rows, or nothing. */
  after(struck: Struck, ctx: Ctx): void;
}

export interface LoadPlan {
  /** operations of all CPUs together */
  readonly operations_per_second: number;
  /** objects that live, on average */
  readonly objects: number;
  /** share of the operations that are on pages */
  readonly pages: number;
  /** share of the bursts that are in softirq */
  readonly softirqs: number;
}

export const MAX_STRIKE_ROWS = 40;

/** operations of a burst at most */
const BURST = 40;
/** what is asked for, each as likely as its place is frequent */
const SIZES = [8, 32, 64, 64, 64, 96, 128, 192, 192, 256, 256, 512, 512, 1024, 2048, 4096, 8192];
/** Up to this part below a size is asked for, so that all classes are, none of them always to the last byte. */
const SLACK = 0.25;

export class SlabLoad implements Actor {
  due_ns: number;
  readonly objects: number;
  readonly #prng: Prng;
  readonly #live: LiveObjects;
  readonly #pages: LiveObjects;
  readonly #livePages: number;

  constructor(
    readonly world: World,
    readonly plan: LoadPlan,
    readonly interrupter: Interrupter,
  ) {
    this.#prng = world.prng('slab load');
    this.#livePages = Math.ceil(plan.objects * plan.pages);
    this.#live = new LiveObjects(plan.objects * 2);
    this.#pages = new LiveObjects(this.#livePages * 2);
    this.objects = plan.objects + this.#livePages + interrupter.objects;
    this.due_ns = plan.operations_per_second > 0 ? 0 : Number.POSITIVE_INFINITY;
  }

  step(): void {
    const { world, plan, interrupter } = this;
    const prng = this.#prng;
    const ctx = prng.chance(plan.softirqs) ? Ctx.softirq : Ctx.task;
    world.rows.begin(this.due_ns, prng.below(world.scale.cpus), ctx);
    const operations = 1 + prng.below(BURST);
    for (let n = 0; n < operations; n++) {
      const { length } = world.rows.batch;
      const isPage = prng.chance(plan.pages);
      if (isPage) this.#page(ctx);
      else this.#object(ctx);
      // Without a row, where there are too many objects, there is nothing to interrupt.
      if (world.rows.batch.length > length) interrupter.after(isPage ? 'page' : 'slab', ctx);
    }
    this.due_ns += 1 + prng.exponential((operations * 1e9) / plan.operations_per_second);
  }

  #object(ctx: Ctx): void {
    const { rows, byteRequests } = this.world;
    const prng = this.#prng;
    // At the wanted number of objects both are as likely.
    if (this.#live.count > 0 && prng.below(this.plan.objects * 2) < this.#live.count) {
      rows.kfree(this.#live.takeAny(prng));
      return;
    }
    const class_bytes = SIZES[prng.below(SIZES.length)];
    const bytes = class_bytes - prng.below(Math.floor(class_bytes * SLACK));
    const ofTask = prng.chance(0.2) ? byteRequests.accounted : byteRequests.task;
    const id = rows.kmalloc(ctx === Ctx.softirq ? byteRequests.softirq : ofTask, bytes);
    if (id !== 0) this.#live.push(id);
  }

  #page(ctx: Ctx): void {
    const { rows, requests } = this.world;
    const prng = this.#prng;
    if (this.#pages.count > 0 && prng.below(this.#livePages * 2) < this.#pages.count) {
      rows.free(this.#pages.takeAny(prng));
      return;
    }
    const id = rows.alloc(ctx === Ctx.softirq ? requests.receivePage : requests.pipe, 0);
    if (id !== 0) this.#pages.push(id);
  }
}
