/**
 * Slab calls that interrupt one another at random points and depths: no slot is handed out twice, none is lost, and no call
 * from any context waits for what it interrupted. Scenarios 39 and 40.
 * model: slub 7
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import { GFP_ATOMIC } from '../../../src/mm/gfp.js';
import type { CpuContexts } from '../../../src/mm/interruption/cpu-contexts.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { ObjectArray, slabAllocBulk, slabFreeBulk } from '../../../src/mm/slab/bulk.js';
import { flushCpuSlab } from '../../../src/mm/slab/flush-shrink.js';
import { kfreeNolock } from '../../../src/mm/slab/kfree-nolock.js';
import { kmallocNolock } from '../../../src/mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { allocObject, freeObject } from '../../../src/mm/slab/object-calls.js';
import { SLAB_DEBUG_FZPU } from '../../../src/mm/slab/slab-flags.js';
import { SlabStat } from '../../../src/mm/slab/slab-stats.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { Chance, Ledger, NestingMachine, strikeAtRandom } from './support.js';

const CPUS = 3;
/** 2k slabs are few objects of many pages, so all paths are come to often; 32 is debugged. */
const SIZES = [32, 64, 96, 512, 2048, 4096, 8192] as const;
const VALIDATE_EVERY = 100;
const BULK = 9;

interface Place {
  readonly slab: number;
  readonly slot: number;
}

/** One stream of calls on a machine of its own. */
class Stream {
  readonly machine: NestingMachine;
  readonly contexts: CpuContexts;
  readonly held = new Ledger<Place>(({ slab, slot }) => `${slab} ${slot}`);
  readonly heldNolock = new Ledger<Place>(({ slab, slot }) => `${slab} ${slot}`);
  /** freed, but not yet; by CPU */
  readonly waiting = Array.from({ length: CPUS }, () => new Set<string>());
  readonly cache: KmemCache;
  calls = 0;
  nested = 0;
  #chance = new Chance(1);
  #steps = 0;
  #lastFreed = -1;

  /** @param allowsMisuse calls that wait for locks may strike anywhere */
  constructor(
    readonly allowsMisuse: boolean,
    hasCpuPartial: boolean,
  ) {
    this.machine = new NestingMachine({
      cpus: CPUS,
      memory_pages: 8192,
      debug: new Map([['kmalloc-32', SLAB_DEBUG_FZPU]]),
      policy: { 'slab.cpu_partial': hasCpuPartial },
    });
    this.contexts = this.machine.contexts;
    const { slabs, deferred } = this.machine;
    this.cache = slabs.createCache({
      name: 'own',
      object_size_bytes: 1000,
      align_bytes: 0,
      flags: 0,
      hasConstructor: false,
    });
    this.contexts.irqWork = {
      isPending: (cpu) => deferred.isPending(cpu),
      run: (cpu) => {
        this.waiting[cpu]!.clear();
        deferred.run(cpu);
      },
    };
    const strikes = (cpu: number, context: Context, isDirect: boolean) => {
      this.nested++;
      const mayWait = this.allowsMisuse || (!isDirect && context !== Context.nmi);
      this.#call(cpu, context, mayWait);
    };
    strikeAtRandom(this.contexts, () => this.#chance, 6, strikes);
  }

  step(seed: number): void {
    this.#chance = new Chance(seed);
    const cpu = this.#chance.below(CPUS);
    if (this.#chance.below(20) === 0) this.contexts.setInterrupts(cpu, this.#chance.below(3) > 0);
    this.#call(cpu, Context.task, true);
    if (++this.#steps % VALIDATE_EVERY === 0) this.check();
  }

  #call(cpu: number, context: Context, mayWait: boolean): void {
    this.calls++;
    const what = this.#chance.below(mayWait ? 12 : 5);
    if (what < 3) this.#allocNolock(cpu, context);
    else if (what < 5) this.#freeNolock(cpu, context);
    else if (what < 8) this.#alloc(cpu, context);
    else if (what < 10) this.#free(cpu, context);
    else if (what === 10) this.#bulk(cpu, context);
    else this.#flush(cpu, context);
  }

  #size(): number {
    return SIZES[this.#chance.below(SIZES.length)]!;
  }

  #allocNolock(cpu: number, context: Context): void {
    const { kmalloc, slabs } = this.machine;
    const size = this.#size();
    this.contexts.run(cpu, context, 'kmalloc_nolock', () => {
      const deadlocks = this.contexts.nr_deadlocks;
      const slab = kmallocNolock(kmalloc, cpu, size, 0, -1, context);
      if (!this.allowsMisuse) expect(this.contexts.nr_deadlocks).toBe(deadlocks);
      if (slab >= 0) this.heldNolock.add({ slab, slot: slabs.slot });
    });
  }

  #freeNolock(cpu: number, context: Context): void {
    if (this.heldNolock.size === 0) return;
    const { slab, slot } = this.heldNolock.take(this.#chance.below(this.heldNolock.size));
    this.contexts.run(cpu, context, 'kfree_nolock', () => {
      if (!kfreeNolock(this.machine.deferred, cpu, slab, slot, context))
        this.waiting[cpu]!.add(`${slab} ${slot}`);
    });
  }

  #alloc(cpu: number, context: Context): void {
    const { kmalloc, slabs } = this.machine;
    const cache = this.#chance.below(6) === 0 ? this.cache : kmalloc.cacheFor(this.#size(), GFP_ATOMIC)!;
    this.contexts.run(cpu, context, 'kmalloc', () => {
      const slab = allocObject(slabs, cache, cpu, GFP_ATOMIC, -1);
      if (slab >= 0) this.held.add({ slab, slot: slabs.slot });
    });
  }

  #free(cpu: number, context: Context): void {
    if (this.held.size === 0) return;
    // Often into the slab that the free below is about to push to.
    const near = this.#chance.below(2) === 0 ? this.held.find(({ slab }) => slab === this.#lastFreed) : -1;
    const { slab, slot } = this.held.take(near >= 0 ? near : this.#chance.below(this.held.size));
    this.#lastFreed = slab;
    this.contexts.run(cpu, context, 'kfree', () =>
      freeObject(this.machine.slabs, this.#cacheOf(slab), cpu, slab, slot),
    );
  }

  #bulk(cpu: number, context: Context): void {
    const { slabs, kmalloc } = this.machine;
    const cache = kmalloc.cacheFor(SIZES[1 + this.#chance.below(SIZES.length - 1)]!, GFP_ATOMIC)!;
    const objects = new ObjectArray(BULK);
    this.contexts.run(cpu, context, 'kmem_cache_alloc_bulk', () => {
      const got = slabAllocBulk(slabs, cache, cpu, GFP_ATOMIC, BULK, objects);
      for (let i = 0; i < got; i++) this.held.add({ slab: objects.slab[i]!, slot: objects.slot[i]! });
    });
    const first = this.held.size === 0 ? null : this.held.take(this.#chance.below(this.held.size));
    if (first === null) return;
    const from = this.#cacheOf(first.slab);
    let count = 0;
    objects.slab[count] = first.slab;
    objects.slot[count++] = first.slot;
    for (let at = this.held.size - 1; at >= 0 && at > this.held.size - 40 && count < BULK; at--) {
      const place = this.held.take(at);
      if (this.#cacheOf(place.slab) === from) {
        objects.slab[count] = place.slab;
        objects.slot[count++] = place.slot;
      } else this.held.add(place);
    }
    this.contexts.run(cpu, context, 'kmem_cache_free_bulk', () =>
      slabFreeBulk(slabs, from, cpu, objects, count),
    );
  }

  #flush(cpu: number, context: Context): void {
    const cache = this.machine.kmalloc.cacheFor(this.#size(), 0)!;
    this.contexts.run(cpu, context, 'other', () => flushCpuSlab(this.machine.slabs, cache, cpu));
  }

  #cacheOf(slab: number): KmemCache {
    const { caches, table } = this.machine.slabs;
    return caches[table.cache[slab]!]!;
  }

  check(): void {
    const { slabs, deferred, mm } = this.machine;
    let live = 0;
    validateSlabs(slabs, {
      deferred: deferred.waitingSlabs(),
      isLive: (slab, slot) => {
        const place = { slab, slot };
        const isLive =
          this.held.has(place) ||
          this.heldNolock.has(place) ||
          this.waiting.some((places) => places.has(`${slab} ${slot}`));
        if (isLive) live++;
        return isLive;
      },
    });
    // Nothing is held of a slab that is gone.
    const waiting = this.waiting.reduce((sum, places) => sum + places.size, 0);
    expect(live).toBe(this.held.size + this.heldNolock.size + waiting);
    validate(mm, { movable_known: true });
  }

  /** Gives everything back: then no slab is left but what caches keep. */
  finish(): void {
    const { contexts, machine } = this;
    contexts.strike = null;
    for (let cpu = 0; cpu < CPUS; cpu++) contexts.setInterrupts(cpu, true);
    this.check();
    while (this.held.size > 0) this.#free(0, Context.task);
    while (this.heldNolock.size > 0) this.#freeNolock(0, Context.task);
    expect(this.waiting.map((places) => places.size)).toEqual(this.waiting.map(() => 0));
    for (const cache of machine.slabs.caches)
      for (let cpu = 0; cpu < CPUS; cpu++) flushCpuSlab(machine.slabs, cache, cpu);
    for (const cache of machine.slabs.caches)
      expect(cache.nr_slabs[0]).toBeLessThanOrEqual(cache.min_partial);
    this.check();
  }
}

interface Totals {
  calls: number;
  nested: number;
  restarts: number;
  flushes: number;
}

function runStreams(allowsMisuse: boolean, numRuns: number, after: (stream: Stream) => void): Totals {
  const totals: Totals = { calls: 0, nested: 0, restarts: 0, flushes: 0 };
  const seeds = fc.array(fc.nat({ max: 2 ** 30 }), { minLength: 300, maxLength: 1500, size: 'max' });
  fc.assert(
    fc.property(seeds, (steps) => {
      const stream = new Stream(allowsMisuse, steps.length % 3 > 0);
      for (const seed of steps) stream.step(seed);
      stream.finish();
      after(stream);
      totals.calls += stream.calls;
      totals.nested += stream.nested;
      for (const cache of stream.machine.slabs.caches) {
        totals.restarts += cache.total(SlabStat.cmpxchg_double_cpu_fail);
        totals.flushes += cache.total(SlabStat.cpuslab_flush);
      }
    }),
    { numRuns, seed: 20 },
  );
  return totals;
}

describe('calls of slabs that interrupt one another', () => {
  test('39, 40: 100000 of them lose no slot and hand out none twice, and none waits for what it interrupted', () => {
    const totals = runStreams(false, 110, ({ contexts }) => {
      expect(contexts.hazards).toEqual([]);
      expect(contexts.nr_hazards).toBe(0);
    });
    expect(totals.calls).toBeGreaterThan(100_000);
    // The stream comes to what it is about.
    expect(totals.nested).toBeGreaterThan(20_000);
    expect(totals.restarts).toBeGreaterThan(200);
    expect(totals.flushes).toBeGreaterThan(500);
  }, 240_000);

  test('calls that would wait for ever are noted, and nothing is lost either', () => {
    let hazards = 0;
    let deadlocks = 0;
    runStreams(true, 10, ({ contexts }) => {
      hazards += contexts.nr_hazards;
      deadlocks += contexts.nr_deadlocks;
      expect(contexts.hazards.length).toBeLessThanOrEqual(100);
    });
    expect(hazards).toBeGreaterThan(100);
    expect(deadlocks).toBeGreaterThan(20);
  }, 240_000);
});
