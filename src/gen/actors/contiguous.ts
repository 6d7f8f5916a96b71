/**
 * Asks for large contiguous ranges, such as 1 GiB pages: one after the other, each kept for a while or for good.
 */
import type { Prng } from '../prng.js';
import type { Actor, World } from '../world.js';

export interface ContiguousPlan {
  readonly pages: number;
  readonly start_ns: number;
  readonly interval_ns: number;
  /** infinite: never given back */
  readonly hold_ns: number;
  /** requests in all */
  readonly count: number;
  /** ranges that are held at a time at most; the oldest makes room for the next */
  readonly most: number;
}

export class ContiguousDemand implements Actor {
  due_ns: number;
  readonly objects: number;
  readonly #world: World;
  readonly #prng: Prng;
  /** held ranges, oldest first, and when they are due to be freed */
  readonly #held: { readonly id: number; readonly end_ns: number }[] = [];
  #asked = 0;
  #next_ns: number;

  constructor(
    world: World,
    readonly plan: ContiguousPlan,
  ) {
    this.#world = world;
    this.#prng = world.prng('contiguous');
    this.#next_ns = plan.count > 0 ? plan.start_ns : Number.POSITIVE_INFINITY;
    this.due_ns = this.#next_ns;
    this.objects = Math.min(plan.most, plan.count);
  }

  step(): void {
    const { rows, scale } = this.#world;
    rows.begin(this.due_ns, this.#prng.below(scale.cpus));
    if (this.due_ns >= this.#freeDue()) this.#giveBack();
    else this.#ask();
    this.due_ns = Math.min(this.#next_ns, this.#freeDue());
  }

  /** When the oldest range is due to be freed. */
  #freeDue(): number {
    return this.#held[0]?.end_ns ?? Number.POSITIVE_INFINITY;
  }

  #ask(): void {
    const { plan } = this;
    if (this.#held.length >= plan.most) this.#giveBack();
    const id = this.#world.rows.contigAlloc(plan.pages, this.#world.node(this.#asked++));
    if (id !== 0) this.#held.push({ id, end_ns: this.due_ns + plan.hold_ns });
    this.#next_ns = this.#asked < plan.count ? this.due_ns + plan.interval_ns : Number.POSITIVE_INFINITY;
  }

  #giveBack(): void {
    const oldest = this.#held.shift();
    if (oldest !== undefined) this.#world.rows.contigFree(oldest.id);
  }
}
