/** Random operations on several CPUs, nodes and kinds of caches: the model against the naive one, lists and all. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GFP_ATOMIC, GFP_KERNEL, GFP_NORETRY_BIT, GFP_THISNODE_BIT } from '../../../src/mm/gfp.js';
import { ObjectArray, slabAllocBulk, slabFreeBulk } from '../../../src/mm/slab/bulk.js';
import { flushCpuSlab, shrinkCache } from '../../../src/mm/slab/flush-shrink.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { SLAB_DEBUG_FZPU, SLAB_RED_ZONE } from '../../../src/mm/slab/slab-flags.js';
import { SLAB_STAT_NAMES } from '../../../src/mm/slab/slab-stats.js';
import { NO_SLAB } from '../../../src/mm/slab/slab-table.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { NaiveCache, type NaivePlace } from './naive-slab.js';
import { type Place, Rig } from './support.js';

const CPUS = 3;
const CPU_NODES = [0, 0, 1] as const;
const NODES = 2;
const GFPS = [GFP_KERNEL, GFP_ATOMIC, 0] as const;
const MAX_STEPS = 1_000;
const STEPS = 100_000;
const RUNS = 230;
const CHECK_INTERVAL = 100;

/** Whether the n-th attempt fails: a mixing of its number and the run's seed, so that both models see the same. */
function attemptFails(seed: number, attempt: number, percent: number): boolean {
  let x = Math.imul(attempt ^ seed, 0x9e37_79b1);
  x ^= x >>> 15;
  x = Math.imul(x, 0x85eb_ca6b);
  return ((x ^ (x >>> 13)) >>> 0) % 100 < percent;
}

interface Pair {
  readonly cache: KmemCache;
  readonly naive: NaiveCache;
  readonly live: { readonly place: Place; readonly naive: NaivePlace }[];
}

/** As `expect` says it, but without its cost while nothing differs. */
function same(model: string, naive: string | undefined): void {
  if (model !== naive) expect(model).toBe(naive);
}

/** Both models side by side. */
class Duel {
  readonly rig: Rig;
  readonly pairs: Pair[];
  readonly #freed: number[] = [];
  readonly #objects = new ObjectArray(64);
  #attempts = 0;
  readonly #pfns: number[] = [];

  constructor(seed: number, percent: number, hasChains: boolean) {
    this.rig = new Rig({ cpus: CPUS, nodes: NODES, policy: { 'slab.cpu_partial': hasChains } });
    const { pages, slabs } = this.rig;
    pages.fails = () => attemptFails(seed, this.#attempts++, percent);
    // The naive model's attempts are answered with what the model's were, in order: asked otherwise, it fails to match.
    const answered: string[] = [];
    const real = pages.allocSlabPages.bind(pages);
    pages.allocSlabPages = (cpu, gfp, order, node, noSpin) => {
      const pfn = real(cpu, gfp, order, node, noSpin);
      const thisNode = !noSpin && (gfp & GFP_THISNODE_BIT) !== 0;
      answered.push([cpu, order, node, (gfp & GFP_NORETRY_BIT) !== 0, thisNode].join());
      this.#pfns.push(pfn);
      return pfn;
    };
    const naivePages = {
      alloc: (cpu: number, order: number, node: number, isFirst: boolean, thisNode: boolean) => {
        same([cpu, order, node, isFirst, thisNode].join(), answered.shift());
        return this.#pfns.shift()!;
      },
      free: (pfn: number) => this.#freed.push(pfn),
      nodeOf: (pfn: number) => pages.nodeOf(pfn),
    };
    const kinds = [
      { bytes: 700, flags: 0 },
      { bytes: 2048, flags: 0 },
      { bytes: 256, flags: SLAB_DEBUG_FZPU },
      { bytes: 512, flags: SLAB_RED_ZONE },
    ];
    this.pairs = kinds.map(({ bytes, flags }) => {
      const cache = this.rig.cache(bytes, { flags });
      const { geometry } = cache;
      // The list is short, so that its limits are met often.
      cache.min_partial = 2;
      const naive = new NaiveCache(
        {
          order: geometry.order,
          min_order: geometry.min_order,
          size: geometry.size_bytes,
          min_partial: 2,
          cpu_partial_slabs: geometry.cpu_partial_slabs,
          isDebug: flags !== 0,
          hasChains: flags === 0 && hasChains,
        },
        slabs.machine.cpu_nodes,
        NODES,
        naivePages,
      );
      return { cache, naive, live: [] };
    });
  }

  step([kind, which, cpu, a, b]: readonly [number, number, number, number, number]): void {
    const pair = this.pairs[which]!;
    const gfp = GFPS[a % GFPS.length]!;
    if (kind < 45) this.#alloc(pair, cpu, gfp, kind < 6 ? b % NODES : -1);
    else if (kind < 80) this.#free(pair, cpu, a);
    else if (kind < 87) this.#allocBulk(pair, cpu, gfp, 1 + (b % 40));
    else if (kind < 97) this.#freeBulk(pair, cpu, a, 1 + (b % 30));
    else if (kind < 99) {
      flushCpuSlab(this.rig.slabs, pair.cache, cpu);
      pair.naive.flush(cpu);
    } else {
      shrinkCache(this.rig.slabs, pair.cache, cpu);
      pair.naive.shrink();
    }
    same(this.#freed.join(), this.rig.pages.freed.map(({ pfn }) => pfn).join());
    this.#freed.length = 0;
    this.rig.pages.freed.length = 0;
  }

  #alloc(pair: Pair, cpu: number, gfp: number, node: number): void {
    const place = this.rig.alloc(pair.cache, cpu, gfp, node);
    const naive = pair.naive.alloc(cpu, gfp, node);
    this.#handOut(pair, place === undefined ? [] : [place], naive === null ? [] : [naive]);
  }

  #allocBulk(pair: Pair, cpu: number, gfp: number, count: number): void {
    const got = slabAllocBulk(this.rig.slabs, pair.cache, cpu, gfp, count, this.#objects);
    const { slab, slot } = this.#objects;
    const places = Array.from({ length: got }, (_, i) => ({ slab: slab[i]!, slot: slot[i]! }));
    this.#handOut(pair, places, pair.naive.allocBulk(cpu, gfp, count));
  }

  #handOut({ live }: Pair, places: readonly Place[], naive: readonly NaivePlace[]): void {
    const { table } = this.rig.slabs;
    same(
      places.map(({ slab, slot }) => [table.pfn[slab], slot]).join(),
      naive.map(([slab, slot]) => [slab.pfn, slot]).join(),
    );
    for (const [i, place] of places.entries()) {
      live.push({ place, naive: naive[i]! });
    }
  }

  #free({ cache, naive, live }: Pair, cpu: number, choice: number): void {
    if (live.length === 0) return;
    const [object] = live.splice(choice % live.length, 1);
    this.rig.free(cache, object!.place, cpu);
    naive.free(cpu, object!.naive[0], [object!.naive[1]]);
  }

  #freeBulk({ cache, naive, live }: Pair, cpu: number, choice: number, count: number): void {
    const objects = live.splice(choice % (live.length + 1), count);
    this.#objects.reserve(objects.length);
    for (const [i, { place }] of objects.entries()) {
      this.#objects.slab[i] = place.slab;
      this.#objects.slot[i] = place.slot;
    }
    slabFreeBulk(this.rig.slabs, cache, cpu, this.#objects, objects.length);
    naive.freeBulk(
      cpu,
      objects.map((object) => object.naive),
      true,
    );
  }

  compare(): void {
    const { slabs } = this.rig;
    const { table } = slabs;
    const live = new Set(
      this.pairs.flatMap((pair) => pair.live.map(({ place }) => place.slab * 0x1_0000 + place.slot)),
    );
    validateSlabs(slabs, { isLive: (slab, slot) => live.has(slab * 0x1_0000 + slot) });
    const pfns = (list: readonly number[]) => list.map((slab) => table.pfn[slab]);
    for (const { cache, naive } of this.pairs) {
      const counters = Object.fromEntries(
        SLAB_STAT_NAMES.map((name) => [name, naive.counters.get(name) ?? 0]),
      );
      expect(cache.totals()).toEqual(counters);
      for (let node = 0; node < NODES; node++) {
        expect(pfns(cache.partial.slabs(node))).toEqual(naive.lists[node]!.map(({ pfn }) => pfn));
        for (const slab of cache.partial.slabs(node))
          expect(table.slotsFrom(slab, table.freelist[slab]!)).toEqual(
            naive.lists[node]!.find(({ pfn }) => pfn === table.pfn[slab])!.free,
          );
      }
      for (const [cpu, own] of naive.cpus.entries()) {
        const slab = cache.cpuSlab[cpu]!;
        expect(slab === NO_SLAB ? null : table.pfn[slab]).toBe(own.slab?.pfn ?? null);
        expect(slab === NO_SLAB ? [] : table.slotsFrom(slab, cache.freelist[cpu]!)).toEqual(own.free);
        expect(cache.cpu_partial_count[cpu]).toBe(own.chain.length);
      }
    }
  }
}

const step = fc.tuple(fc.nat(99), fc.nat(3), fc.nat(CPUS - 1), fc.nat(0xffff), fc.nat(0xffff));

test(`${STEPS} random operations on ${CPUS} CPUs of ${NODES} nodes do what the naive model does`, () => {
  expect(new Rig({ cpus: CPUS, nodes: NODES }).slabs.machine.cpu_nodes).toEqual(CPU_NODES);
  let steps_done = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: MAX_STEPS, size: 'max' }),
      fc.nat(),
      fc.constantFrom(0, 5, 60),
      fc.constantFrom(true, true, false),
      (steps, seed, percent, hasChains) => {
        const duel = new Duel(seed, percent, hasChains);
        for (const [i, one] of steps.entries()) {
          duel.step(one);
          steps_done++;
          if (i % CHECK_INTERVAL === CHECK_INTERVAL - 1) duel.compare();
        }
        duel.compare();
      },
    ),
    { numRuns: RUNS, seed: 6_18 },
  );
  expect(steps_done).toBeGreaterThan(STEPS);
});
