/**
 * Strikes of `--inject`: at each point of its name an operation strikes with its probability, by chance from the seed.
 * What it gets it holds; beyond its number the oldest goes back.
 */

import { Prng } from '../../gen/prng.js';
import { Context } from '../../mm/context.js';
import { GFP_ACCOUNT_BIT, GFP_ATOMIC, GFP_KERNEL } from '../../mm/gfp.js';
import type { CpuContexts } from '../../mm/interruption/cpu-contexts.js';
import type { KernelCall } from '../../mm/interruption/hazard.js';
import { allocPages } from '../../mm/page-alloc/alloc-pages.js';
import { freePages } from '../../mm/page-alloc/free-owned.js';
import { allocObject, freeObject } from '../../mm/slab/object-calls.js';
import { NO_SLAB } from '../../mm/slab/slab-table.js';
import type { StateIo } from '../../mm/state-io.js';
import { NO_PFN } from '../../mm/types.js';
import type { SlabReplay } from '../slab/slab-replay.js';
import type { InjectedOp, InjectSpec } from './inject-spec.js';
import { type AnyPoint, isFastpath, strikesAt } from './op-calls.js';

const ALLOC_CALLS: Readonly<Record<InjectedOp, KernelCall>> = {
  kmalloc_nolock: 'kmalloc_nolock',
  kmalloc: 'kmalloc',
  alloc_nolock: 'alloc_pages_nolock',
  alloc: 'alloc_pages',
};
const FREE_CALLS: Readonly<Record<InjectedOp, KernelCall>> = {
  kmalloc_nolock: 'kfree_nolock',
  kmalloc: 'kfree',
  alloc_nolock: 'free_pages_nolock',
  alloc: 'free_pages',
};
const CHANCES = 2 ** 32;
/** Contexts on one CPU: an NMI can come into a program that runs in a hardirq, and no further. */
const MAX_DEPTH = 6;

/** Strikes of one kind within a row. A fast path that is struck begins again, and is struck again: p=1 would never end. */
const MAX_FASTPATH_STRIKES = 8;
const MAX_STRIKES = 4096;

/** One `--inject`, with what it holds: a ring of slab and slot, or of first page. */
class Injection {
  readonly slabs: Int32Array;
  readonly slots: Uint16Array;
  first = 0;
  held = 0;
  /** strikes within the row that is replayed, and those of them on fast paths */
  strikes = 0;
  fastpath_strikes = 0;

  constructor(
    readonly spec: InjectSpec,
    readonly prng: Prng,
  ) {
    this.slabs = new Int32Array(spec.live + 1);
    this.slots = new Uint16Array(spec.live + 1);
  }

  serialize(io: StateIo): void {
    io.array('slabs', this.slabs);
    io.array('slots', this.slots);
    this.first = io.whole('first', this.first, 0, this.slabs.length);
    this.held = io.whole('held', this.held, 0, this.slabs.length);
    this.prng.restore(io.list('prng', this.prng.state()));
  }
}

export class Injector {
  readonly #slab: SlabReplay;
  readonly #injections: readonly Injection[];

  constructor(slab: SlabReplay, specs: readonly InjectSpec[], seed: number) {
    this.#slab = slab;
    this.#injections = specs.map((spec, i) => new Injection(spec, new Prng(seed, `inject ${i}`)));
  }

  serialize(io: StateIo): void {
    for (const injection of this.#injections) io.part('injection', injection);
  }

  /** A row of the trace is through. */
  afterRow(): void {
    for (const injection of this.#injections) {
      injection.strikes = 0;
      injection.fastpath_strikes = 0;
    }
  }

  strike(point: AnyPoint, cpu: number, contexts: CpuContexts): void {
    const onFastpath = isFastpath(point);
    for (const injection of this.#injections) {
      const { spec } = injection;
      if (!strikesAt(spec.point, point) || (spec.cpu >= 0 && spec.cpu !== cpu)) continue;
      if (injection.strikes >= MAX_STRIKES) continue;
      if (onFastpath && injection.fastpath_strikes >= MAX_FASTPATH_STRIKES) continue;
      const context = contextToStrikeIn(spec.context, cpu, contexts);
      if (context < 0) continue;
      if (spec.probability < 1 && injection.prng.next() >= spec.probability * CHANCES) continue;
      injection.strikes++;
      if (onFastpath) injection.fastpath_strikes++;
      this.#run(injection, cpu, context as Context, contexts);
    }
  }

  #run(injection: Injection, cpu: number, context: Context, contexts: CpuContexts): void {
    const { op } = injection.spec;
    contexts.run(cpu, context, ALLOC_CALLS[op], () => this.#alloc(injection, cpu, context));
    if (injection.held > injection.spec.live)
      contexts.run(cpu, context, FREE_CALLS[op], () => this.#freeOldest(injection, cpu, context));
  }

  #alloc(injection: Injection, cpu: number, context: Context): void {
    const { spec, slabs, slots } = injection;
    const { machine, nolock } = this.#slab;
    const account = spec.isAccounted ? GFP_ACCOUNT_BIT : 0;
    let got = NO_SLAB;
    let slot = 0;
    if (spec.op === 'alloc_nolock') {
      const pfn = nolock.allocPages(cpu, spec.size, -1, spec.isAccounted, context);
      got = pfn === NO_PFN ? NO_SLAB : pfn;
    } else if (spec.op === 'alloc') {
      const pfn = allocPages(machine.mm, cpu, gfpFor(context) | account, spec.size, -1, false);
      got = pfn === NO_PFN ? NO_SLAB : pfn;
    } else if (spec.op === 'kmalloc_nolock') {
      got = nolock.kmalloc(cpu, spec.size, account, -1, context);
      slot = machine.slabs.slot;
    } else {
      const gfp = gfpFor(context) | account;
      const cache = spec.size === 0 ? null : machine.kmalloc.cacheFor(spec.size, gfp);
      if (cache !== null) got = allocObject(machine.slabs, cache, cpu, gfp, -1, context);
      slot = machine.slabs.slot;
    }
    if (got < 0) return;
    const at = (injection.first + injection.held) % slabs.length;
    slabs[at] = got;
    slots[at] = slot;
    injection.held++;
  }

  #freeOldest(injection: Injection, cpu: number, context: Context): void {
    const { machine, nolock } = this.#slab;
    const at = injection.first;
    const slab = injection.slabs[at]!;
    const slot = injection.slots[at]!;
    injection.first = (at + 1) % injection.slabs.length;
    injection.held--;
    const { op, size } = injection.spec;
    if (op === 'alloc_nolock') nolock.freePages(cpu, slab, size, context);
    else if (op === 'alloc') freePages(machine.mm, cpu, slab, size);
    else if (op === 'kmalloc_nolock') {
      nolock.kfree(cpu, slab, slot, context);
      this.#slab.noteBacklog(this.#slab.irqs.now_ns);
    } else
      freeObject(machine.slabs, machine.slabs.caches[machine.slabs.table.cache[slab]!]!, cpu, slab, slot);
  }
}

function gfpFor(context: Context): number {
  return context === Context.task ? GFP_KERNEL : GFP_ATOMIC;
}

/** Of a task: a direct call, in whichever context it is made. -1 where it cannot come. model: slub 7.1 */
function contextToStrikeIn(context: Context, cpu: number, contexts: CpuContexts): number {
  if (contexts.depthOf(cpu) >= MAX_DEPTH) return -1;
  const below = contexts.contextOf(cpu);
  // A program that a call of a program sets off is not run again.
  if (context === Context.task) return contexts.depthOf(cpu) > 1 ? -1 : below;
  if (context <= below) return -1;
  return context !== Context.nmi && contexts.areInterruptsOff(cpu) ? -1 : context;
}
