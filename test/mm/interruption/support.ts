/** A machine whose calls are interrupted by others, at random points and depths, with somebody who notes who holds what. */
import { expect } from 'vitest';
import { machineFromSize } from '../../../src/config/machine-by-size.js';
import { Context } from '../../../src/mm/context.js';
import { CpuContexts } from '../../../src/mm/interruption/cpu-contexts.js';
import { DEFAULT_BUILD, type MachineBuild } from '../../../src/mm/machine-build.js';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../../src/mm/page-alloc/zone-setup.js';
import { defaultPolicy, type Policy } from '../../../src/mm/policy.js';
import { DeferredWork } from '../../../src/mm/slab/deferred.js';
import { KmallocCaches } from '../../../src/mm/slab/kmalloc.js';
import { PageAllocatorPages } from '../../../src/mm/slab/page-allocator-pages.js';
import { SlabAllocator } from '../../../src/mm/slab/slab-allocator.js';

/** Small numbers from a seed; the same ones each time. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 2654435761) + 12345) >>> 0;
  }

  below(end: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * end);
  }
}

export interface MachineOptions {
  readonly cpus?: number;
  readonly memory_pages?: number;
  readonly debug?: ReadonlyMap<string, number>;
  readonly policy?: Partial<Policy>;
  readonly build?: MachineBuild;
}

/** Both allocators with contexts that listen to them. */
export class NestingMachine {
  readonly mm: PageAllocator;
  readonly slabs: SlabAllocator;
  readonly kmalloc: KmallocCaches;
  readonly deferred: DeferredWork;
  readonly contexts: CpuContexts;

  constructor({ cpus = 1, memory_pages = 16_384, debug = new Map(), ...options }: MachineOptions = {}) {
    const policy = { ...defaultPolicy(), ...options.policy };
    const { build = DEFAULT_BUILD } = options;
    this.mm = new PageAllocator({ ...machineFromSize({ memory_pages, nodes: 1, cpus }), build }, policy);
    setUpZones(this.mm);
    bootFresh(this.mm);
    this.slabs = new SlabAllocator(
      {
        present_cpus: cpus,
        possible_cpus: cpus,
        cache_line_bytes: 64,
        cpu_nodes: Array.from({ length: cpus }, () => 0),
        node_order: [[0]],
        tid_step: 4,
        build,
      },
      policy,
      new PageAllocatorPages(this.mm),
    );
    this.kmalloc = new KmallocCaches(this.slabs, { min_bytes: 8, hasMemcg: false }, debug);
    this.deferred = new DeferredWork(this.slabs);
    this.slabs.deferred = this.deferred;
    this.contexts = new CpuContexts(cpus);
    this.contexts.irqWork = this.deferred;
    this.contexts.attach(this.slabs, this.mm);
  }
}

/** Deepest stack of contexts that a strike adds to. */
const MAX_DEPTH = 5;

/** Contexts that may come on top of what a CPU does: higher ones, and direct calls in the same one. */
export function contextsAbove(contexts: CpuContexts, cpu: number): Context[] {
  const below = contexts.contextOf(cpu);
  const all = [Context.softirq, Context.hardirq, Context.nmi] as const;
  const canInterrupt = (context: Context) => context === Context.nmi || !contexts.areInterruptsOff(cpu);
  return [below, ...all.filter((context) => context > below && canInterrupt(context))];
}

/**
 * Lets `call` strike at some of the points that calls come to.
 *
 * @param isDirect the strike is a call in the context that it interrupts, which may hold anything
 */
export function strikeAtRandom(
  contexts: CpuContexts,
  chance: () => Chance,
  oneIn: number,
  call: (cpu: number, context: Context, isDirect: boolean) => void,
): void {
  contexts.strike = (_point, _where, cpu) => {
    const random = chance();
    if (contexts.depthOf(cpu) >= MAX_DEPTH || random.below(oneIn * 2 ** contexts.depthOf(cpu)) > 0) return;
    // Now and then another CPU does something meanwhile.
    if (contexts.nr_cpus > 1 && random.below(8) === 0) {
      const other = (cpu + 1 + random.below(contexts.nr_cpus - 1)) % contexts.nr_cpus;
      if (contexts.depthOf(other) === 0) call(other, Context.task, false);
      return;
    }
    const choices = contextsAbove(contexts, cpu);
    const chosen = random.below(choices.length);
    call(cpu, choices[chosen]!, chosen === 0);
  };
}

/** Things that are handed out, each at most once at a time. */
export class Ledger<T> {
  readonly #held = new Map<string, T>();
  readonly #keys: string[] = [];

  constructor(readonly keyOf: (thing: T) => string) {}

  get size(): number {
    return this.#keys.length;
  }

  has(thing: T): boolean {
    return this.#held.has(this.keyOf(thing));
  }

  add(thing: T): void {
    const key = this.keyOf(thing);
    expect(this.#held.has(key), `${key} is handed out twice`).toBe(false);
    this.#held.set(key, thing);
    this.#keys.push(key);
  }

  /** Place of one that `fits`, -1 if none does. */
  find(fits: (thing: T) => boolean): number {
    return this.#keys.findIndex((key) => fits(this.#held.get(key)!));
  }

  /** Takes one away, whichever `at` says. */
  take(at: number): T {
    const key = this.#keys[at]!;
    const last = this.#keys.pop()!;
    if (at < this.#keys.length) this.#keys[at] = last;
    const thing = this.#held.get(key)!;
    this.#held.delete(key);
    return thing;
  }
}
