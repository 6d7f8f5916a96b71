/**
 * A pool of pages that follows a target: slab caches, buffers, whatever the kernel keeps for itself. What is given back
 * is any of them, as the last object of a slab is freed at random; and some is exchanged all the time.
 *
 *     [live, in no order | ids that were freed: nothing]      a page is taken out by moving the last one to its place
 */
import { Ctx } from '../../trace/event-batch.js';
import type { PageMix } from '../page-mix.js';
import type { Prng } from '../prng.js';
import type { TraceRows } from '../trace-rows.js';
import type { Actor, World } from '../world.js';

export interface PagePoolPlan {
  /** names its stream of chance */
  readonly name: string;
  readonly mix: PageMix;
  /** pages that are missing at a time; negative if there are too many */
  readonly missing: (now_ns: number) => number;
  /** share of the pool that is exchanged per minute */
  readonly turnover: number;
  /** most pages that it is meant to have */
  readonly most_pages: number;
  readonly tick_ns: number;
}

/** rows of one tick */
const TICK_EVENTS = 512;
/** a tick that had more to do than that goes on after this part of a tick */
const REST_OF_TICK = 1 / 32;
/** fewer than these pages too many are left alone */
const SLACK_PAGES = 32;
/** part of the frees that RCU callbacks do, in softirq */
const FREES_BY_RCU = 0.25;
const FIRST_CAPACITY = 1 << 10;
const MINUTE_NS = 60e9;

export class PagePool implements Actor {
  due_ns = 0;
  readonly objects: number;
  readonly #rows: TraceRows;
  readonly #prng: Prng;
  readonly #cpus: number;
  #ids = new Uint32Array(FIRST_CAPACITY);
  #live = 0;
  #pages = 0;
  /** pages that are due for an exchange */
  #credit = 0;
  #last_ns = 0;
  #budget = 0;

  constructor(
    world: World,
    readonly plan: PagePoolPlan,
  ) {
    this.#rows = world.rows;
    this.#prng = world.prng(plan.name);
    this.#cpus = world.scale.cpus;
    this.objects = Math.ceil(plan.most_pages / plan.mix.mean_pages);
  }

  get pages(): number {
    return this.#pages;
  }

  step(): void {
    const { plan } = this;
    this.#budget = TICK_EVENTS;
    this.#rows.begin(this.due_ns, this.#prng.below(this.#cpus));
    let missing = plan.missing(this.due_ns);
    while (missing > 0 && this.#budget > 0) missing -= this.#alloc();
    if (missing < -SLACK_PAGES) this.#shrink(-missing);
    this.#credit += (this.#pages * plan.turnover * (this.due_ns - this.#last_ns)) / MINUTE_NS;
    this.#last_ns = this.due_ns;
    while (this.#credit > 0 && this.#budget > 0 && this.#live > 0) {
      this.#credit -= this.#freeAny();
      this.#alloc();
    }
    const part = this.#budget > 0 ? 1 : REST_OF_TICK;
    this.due_ns += 1 + Math.floor(plan.tick_ns * part * this.#prng.between(0.5, 1.5));
  }

  #shrink(pages: number): void {
    if (this.#prng.chance(FREES_BY_RCU)) this.#rows.enter(Ctx.softirq);
    for (let left = pages; left > 0 && this.#budget > 0 && this.#live > 0; ) left -= this.#freeAny();
    this.#rows.enter(Ctx.task);
  }

  /** @returns pages allocated */
  #alloc(): number {
    const { mix } = this.plan;
    this.#budget--;
    const kind = mix.pick(this.#prng);
    const order = mix.orders[kind];
    const id = this.#rows.alloc(mix.requests[kind], order);
    if (id === 0) return 0;
    if (this.#live === this.#ids.length) this.#grow();
    this.#ids[this.#live++] = id;
    this.#pages += 1 << order;
    return 1 << order;
  }

  /** @returns pages freed */
  #freeAny(): number {
    this.#budget--;
    const at = this.#prng.below(this.#live);
    const id = this.#ids[at];
    this.#ids[at] = this.#ids[--this.#live];
    const pages = 1 << this.#rows.ids.orderOf(id);
    this.#rows.free(id);
    this.#pages -= pages;
    return pages;
  }

  #grow(): void {
    const ids = new Uint32Array(this.#ids.length * 2);
    ids.set(this.#ids);
    this.#ids = ids;
  }
}
