/**
 * Processes that come and go: a kernel stack, page tables, anonymous memory in single and huge pages; and all of it is
 * freed when they end. How long each of them lives is a matter of chance, and another one follows at once.
 *
 * Each process has a chain of its pages. One process at a time grows or ends, in small steps, so that others get to act.
 */
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../../mm/types.js';
import type { Prng } from '../prng.js';
import type { PageRequest, TraceRows } from '../trace-rows.js';
import type { Actor, World } from '../world.js';

export interface ProcessPlan {
  /** names its stream of chance */
  readonly name: string;
  /** how many there are at a time */
  readonly count: number;
  /** anonymous memory of each, on average */
  readonly pages: number;
  /** share of that memory in huge pages */
  readonly thp: number;
  /** how a huge page is asked for */
  readonly huge: PageRequest;
  /** until all of them have started */
  readonly fill_ns: number;
  /** mean time that each lives */
  readonly lifetime_ns: number;
  /** they ask for memory of one node each, one after the other */
  readonly bound: boolean;
}

const STACK_ORDER = 2;
/** rows of one step: allocations of one that grows, frees of one that ends */
const STEP_ROWS = 64;
const EXIT_ROWS = 256;
/** between two steps of one that ends */
const EXIT_GAP_NS = 20_000;
/** a process has all of its memory after this part of the time until the next one starts or ends */
const GROWTH_PART = 0.5;
/** page-table pages that even the smallest process has: upper levels, stack, text */
const FIRST_TABLES = 4;

const Work = { none: 0, grows: 1, ends: 2 } as const;

export class Processes implements Actor {
  due_ns = 0;
  readonly objects: number;
  readonly #rows: TraceRows;
  readonly #prng: Prng;
  readonly #world: World;
  /** first page of each, 0 for one that has not started */
  readonly #chains: Uint32Array;
  #started = 0;
  #work: number = Work.none;
  #current = 0;
  #cpu = 0;
  /** huge and single pages that the current one still wants, and those that it has */
  #wantedHuge = 0;
  #wantedSmall = 0;
  #small = 0;
  #growth_ns = 0;
  #next_ns = 0;

  constructor(
    world: World,
    readonly plan: ProcessPlan,
  ) {
    this.#world = world;
    this.#rows = world.rows;
    this.#prng = world.prng(plan.name);
    this.#chains = new Uint32Array(plan.count);
    const small = plan.pages * (1 - plan.thp);
    const tables = FIRST_TABLES + plan.pages / PAGEBLOCK_PAGES;
    this.objects = Math.ceil(plan.count * (1 + small + (plan.pages * plan.thp) / PAGEBLOCK_PAGES + tables));
    if (plan.count === 0) this.due_ns = Number.POSITIVE_INFINITY;
  }

  step(): void {
    if (this.#work === Work.grows) this.#grow();
    else if (this.#work === Work.ends) this.#end();
    else this.#choose();
  }

  /** One that has not started, or else any of them, which ends. */
  #choose(): void {
    const { count, fill_ns, lifetime_ns } = this.plan;
    const isNew = this.#started < count;
    const interval_ns = isNew ? fill_ns / count : this.#prng.exponential(lifetime_ns / count);
    this.#next_ns = this.due_ns + 1 + Math.floor(interval_ns);
    this.#growth_ns = (isNew ? interval_ns : lifetime_ns / count) * GROWTH_PART;
    this.#current = isNew ? this.#started++ : this.#prng.below(count);
    this.#cpu = this.#prng.below(this.#world.scale.cpus);
    if (this.#chains[this.#current] !== 0) this.#work = Work.ends;
    else this.#fork();
  }

  #fork(): void {
    this.#rows.begin(this.due_ns, this.#cpu);
    const { requests } = this.#world;
    const node = this.#node();
    this.#keep(this.#rows.alloc(requests.stack, STACK_ORDER, node));
    for (let n = 0; n < FIRST_TABLES; n++) this.#keep(this.#rows.alloc(requests.pageTable, 0, node));
    const pages = this.plan.pages * this.#prng.between(0.5, 1.5);
    // Rounded up as often as it takes to be right on average, also for small processes.
    this.#wantedHuge = Math.floor((pages * this.plan.thp) / PAGEBLOCK_PAGES + this.#prng.between(0, 1));
    this.#wantedSmall = Math.floor(pages * (1 - this.plan.thp) + this.#prng.between(0, 1));
    this.#small = 0;
    this.#work = Work.grows;
  }

  #grow(): void {
    this.#rows.begin(this.due_ns, this.#cpu);
    let pages = 0;
    let rows = 0;
    for (; rows < STEP_ROWS && this.#wantedHuge + this.#wantedSmall > 0; rows++) pages += this.#touch();
    if (rows < STEP_ROWS) {
      this.#work = Work.none;
      this.due_ns = Math.max(this.due_ns, this.#next_ns);
    } else {
      this.due_ns += 1 + Math.floor((this.#growth_ns * pages) / this.plan.pages);
    }
  }

  /** A fault: a huge page, or a single one; and a page table where none has room. @returns pages */
  #touch(): number {
    const { requests } = this.#world;
    const node = this.#node();
    const isHuge = this.#prng.below(this.#wantedHuge + this.#wantedSmall) < this.#wantedHuge;
    // A huge page keeps a page table back for when it is split.
    if (isHuge || this.#small++ % PAGEBLOCK_PAGES === 0)
      this.#keep(this.#rows.alloc(requests.pageTable, 0, node));
    if (isHuge) {
      this.#wantedHuge--;
      this.#keep(this.#rows.alloc(this.plan.huge, PAGEBLOCK_ORDER, node));
      return PAGEBLOCK_PAGES;
    }
    this.#wantedSmall--;
    this.#keep(this.#rows.alloc(requests.anon, 0, node));
    return 1;
  }

  #end(): void {
    this.#rows.begin(this.due_ns, this.#cpu);
    this.#chains[this.#current] = this.#rows.freeChain(this.#chains[this.#current], EXIT_ROWS);
    this.due_ns += EXIT_GAP_NS;
    if (this.#chains[this.#current] === 0) this.#fork();
  }

  #node(): number {
    return this.plan.bound ? this.#world.node(this.#current) : -1;
  }

  #keep(id: number): void {
    if (id === 0) return;
    this.#rows.ids.next[id] = this.#chains[this.#current];
    this.#chains[this.#current] = id;
  }
}
