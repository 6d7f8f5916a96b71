/** Random operations on caches with sheaves: the model against the naive one, contents, lists, counters and all. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GFP_ATOMIC, GFP_KERNEL, GFP_NORETRY_BIT, GFP_THISNODE_BIT } from '../../../src/mm/gfp.js';
import { slabAllocBulk, slabFreeBulk } from '../../../src/mm/slab/bulk.js';
import { flushCpuSlab, shrinkCache } from '../../../src/mm/slab/flush-shrink.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { ObjectArray } from '../../../src/mm/slab/object-array.js';
import { type CacheSheaves, NO_SHEAF } from '../../../src/mm/slab/sheaves/cache-sheaves.js';
import { freesFromAnywhere } from '../../../src/mm/slab/sheaves/sheaf-free.js';
import { SLAB_DEBUG_FZPU, SLAB_KMALLOC } from '../../../src/mm/slab/slab-flags.js';
import { slabFreeSlow } from '../../../src/mm/slab/slab-free.js';
import { SlabLock } from '../../../src/mm/slab/slab-interfaces.js';
import { SLAB_STAT_NAMES } from '../../../src/mm/slab/slab-stats.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { type NaiveHeld, type NaivePlace, type NaiveSheaf, NaiveSheafCache } from './naive-sheaves.js';
import { type Place, Rig } from './support.js';

const CPUS = 3;
const NODES = 2;
const MAX_STEPS = 1_000;
const STEPS = 100_000;
const RUNS = 230;
const CHECK_INTERVAL = 50;
const BARN_LIMIT = 2;

/** Whether the n-th attempt fails: a mixing of its number and the run's seed, so that both models see the same. */
function attemptFails(seed: number, attempt: number, percent: number): boolean {
  let x = Math.imul(attempt ^ seed, 0x9e37_79b1);
  x ^= x >>> 15;
  x = Math.imul(x, 0x85eb_ca6b);
  return ((x ^ (x >>> 13)) >>> 0) % 100 < percent;
}

interface Pair {
  readonly cache: KmemCache;
  readonly naive: NaiveSheafCache;
  readonly live: { readonly place: Place; readonly naive: NaivePlace }[];
}

/** As `expect` says it, but without its cost while nothing differs. */
function same(model: string, naive: string): void {
  if (model !== naive) expect(model).toBe(naive);
}

const FREE: NaiveHeld = { local: false, list: [], barn: [] };
const KINDS = [
  { bytes: 700, flags: 0 },
  { bytes: 2048, flags: 0 },
  { bytes: 256, flags: SLAB_DEBUG_FZPU },
  { bytes: 512, flags: SLAB_KMALLOC },
] as const;

class Duel {
  readonly rig: Rig;
  readonly pairs: Pair[];
  readonly #freed: number[] = [];
  readonly #objects = new ObjectArray(64);
  readonly #asked: string[] = [];
  readonly #pfns: number[] = [];
  #attempts = 0;

  constructor(seed: number, percent: number, hasMemory: boolean, capacities: readonly number[]) {
    const policy = {
      'slab.kind': 'sheaves',
      'slab.sheaf_capacity': capacities,
      'slab.sheaf_header_bytes': 16,
      'slab.barn_full_sheaves': BARN_LIMIT,
    } as const;
    this.rig = new Rig({ cpus: CPUS, nodes: NODES, policy });
    const { pages, slabs } = this.rig;
    pages.fails = () => attemptFails(seed, this.#attempts++, percent);
    const real = pages.allocSlabPages.bind(pages);
    pages.allocSlabPages = (cpu, gfp, order, node, noSpin) => {
      const pfn = real(cpu, gfp, order, node, noSpin);
      const thisNode = !noSpin && (gfp & GFP_THISNODE_BIT) !== 0;
      this.#asked.push([cpu, order, node, (gfp & GFP_NORETRY_BIT) !== 0, thisNode].join());
      this.#pfns.push(pfn);
      return pfn;
    };
    this.pairs = KINDS.map(({ bytes, flags }) => this.#pair(bytes, flags));
    const home = this.pairs.at(-1)!;
    if (!hasMemory) return;
    slabs.sheafMemory = { cacheFor: () => home.cache };
    for (const { naive } of this.pairs) naive.home = home.naive;
  }

  #pair(bytes: number, flags: number): Pair {
    const { pages, slabs } = this.rig;
    const cache = this.rig.cache(bytes, { flags });
    // The list is short, so that its limits are met often.
    cache.min_partial = 2;
    const naivePages = {
      alloc: (cpu: number, order: number, node: number, isFirst: boolean, thisNode: boolean) => {
        same(this.#asked.shift() ?? 'nothing', [cpu, order, node, isFirst, thisNode].join());
        return this.#pfns.shift()!;
      },
      free: (pfn: number) => this.#freed.push(pfn),
      nodeOf: (pfn: number) => pages.nodeOf(pfn),
    };
    const { order, min_order, size_bytes } = cache.geometry;
    const spec = {
      order,
      min_order,
      size: size_bytes,
      min_partial: 2,
      capacity: cache.sheaves?.capacity ?? 0,
      isDebug: flags === SLAB_DEBUG_FZPU,
      isKmalloc: flags === SLAB_KMALLOC,
      barnLimit: BARN_LIMIT,
    };
    return { cache, naive: new NaiveSheafCache(spec, slabs.machine.cpu_nodes, NODES, naivePages), live: [] };
  }

  step([kind, which, cpu, a, b]: readonly [number, number, number, number, number]): void {
    const pair = this.pairs[which]!;
    const gfp = a % 2 === 0 ? GFP_KERNEL : GFP_ATOMIC;
    if (kind < 30) this.#alloc(pair, cpu, gfp, kind < 5 ? b % NODES : -1);
    else if (kind < 36) this.#nolock(pair, cpu, a, () => this.#alloc(pair, cpu, 0, b % 4 === 0 ? 1 : -1));
    else if (kind < 62) this.#free(pair, cpu, a);
    else if (kind < 68) this.#nolock(pair, cpu, a, () => this.#freeNolock(pair, cpu, b));
    else if (kind < 80) this.#allocBulk(pair, cpu, gfp, 1 + (b % 40));
    else if (kind < 93) this.#freeBulk(pair, cpu, a, 1 + (b % 45));
    else if (kind < 96) this.#heldLocal(pair, cpu, () => this.#alloc(pair, cpu, gfp, -1));
    else if (kind < 98) this.#heldLocal(pair, cpu, () => this.#free(pair, cpu, b));
    else if (kind < 99) {
      flushCpuSlab(this.rig.slabs, pair.cache, cpu);
      pair.naive.flush(cpu);
    } else if (b % 4 === 0) {
      shrinkCache(this.rig.slabs, pair.cache, cpu);
      pair.naive.shrink(cpu);
    }
    same(this.rig.pages.freed.map(({ pfn }) => pfn).join(), this.#freed.join());
    this.#freed.length = 0;
    this.rig.pages.freed.length = 0;
    same(this.#asked.join(), '');
  }

  #with(pair: Pair, held: NaiveHeld, run: () => void): void {
    pair.naive.held = held;
    this.rig.slabs.interrupted = {
      holds: (lock, cache, index) => {
        if (cache !== pair.cache) return false;
        if (lock === SlabLock.cpu_slab) return held.local;
        return (lock === SlabLock.barn ? held.barn : held.list)[index] === true;
      },
    };
    run();
    pair.naive.held = FREE;
    this.rig.slabs.interrupted = null;
  }

  /** A request from any context, below some of the locks. */
  #nolock(pair: Pair, _cpu: number, a: number, run: () => void): void {
    const bit = (n: number) => ((a >> n) & 1) === 1;
    this.#with(pair, { local: bit(0) && bit(5), list: [bit(1), bit(2)], barn: [bit(3), bit(4)] }, run);
  }

  /** An interrupt that struck its CPU's local lock: it may wait, but not for that. */
  #heldLocal(pair: Pair, _cpu: number, run: () => void): void {
    this.#with(pair, { local: true, list: [], barn: [] }, run);
  }

  #alloc(pair: Pair, cpu: number, gfp: number, node: number): void {
    const place = this.rig.alloc(pair.cache, cpu, gfp, node);
    const naive = pair.naive.alloc(cpu, { waits: gfp !== 0, isForSheaf: false }, node);
    this.#handOut(pair, place === undefined ? [] : [place], naive === null ? [] : [naive]);
  }

  #allocBulk(pair: Pair, cpu: number, gfp: number, count: number): void {
    const got = slabAllocBulk(this.rig.slabs, pair.cache, cpu, gfp, count, this.#objects);
    const { slab, slot } = this.#objects;
    const places = Array.from({ length: got }, (_, i) => ({ slab: slab[i]!, slot: slot[i]! }));
    this.#handOut(pair, places, pair.naive.allocBulk(cpu, { waits: true, isForSheaf: false }, count));
  }

  #handOut({ live }: Pair, places: readonly Place[], naive: readonly NaivePlace[]): void {
    const { table } = this.rig.slabs;
    same(
      places.map(({ slab, slot }) => [table.pfn[slab], slot]).join(),
      naive.map(([slab, slot]) => [slab.pfn, slot]).join(),
    );
    for (const [i, place] of places.entries()) live.push({ place, naive: naive[i]! });
  }

  #free({ cache, naive, live }: Pair, cpu: number, choice: number): void {
    const [object] = live.splice(choice % Math.max(live.length, 1), 1);
    if (object === undefined) return;
    this.rig.free(cache, object.place, cpu);
    naive.free(cpu, ...object.naive);
  }

  /** What the sheaves do not take is freed as the deferred work does it. */
  #freeNolock({ cache, naive, live }: Pair, cpu: number, choice: number): void {
    const [object] = live.splice(choice % Math.max(live.length, 1), 1);
    if (object === undefined) return;
    const { slab, slot } = object.place;
    const { slabs } = this.rig;
    const isTaken = freesFromAnywhere(slabs, cache, cpu, slab, slot);
    same(String(isTaken), String(naive.pushes(cpu, ...object.naive, false)));
    if (isTaken) return;
    slabFreeSlow(slabs, cache, cpu, slab, slot, slot, 1);
    naive.freeDeferred(...object.naive);
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
    );
  }

  compare(): void {
    const { table } = this.rig.slabs;
    const key = ([slab, slot]: NaivePlace) => `${slab.pfn} ${slot}`;
    const homes = this.pairs.flatMap(({ naive }) =>
      sheavesOf(naive).flatMap(({ home }) => (home === null ? [] : [home])),
    );
    const live = new Set(
      [...homes, ...this.pairs.flatMap((pair) => pair.live.map((object) => object.naive))].map(key),
    );
    validateSlabs(this.rig.slabs, { isLive: (slab, slot) => live.has(`${table.pfn[slab]} ${slot}`) });
    for (const { cache, naive } of this.pairs) {
      const counters = Object.fromEntries(
        SLAB_STAT_NAMES.map((name) => [name, naive.counters.get(name) ?? 0]),
      );
      expect(cache.totals()).toEqual(counters);
      for (let node = 0; node < NODES; node++) {
        const lists = cache.partial
          .slabs(node)
          .map((slab) => [table.pfn[slab], table.slotsFrom(slab, table.freelist[slab]!)]);
        expect(lists).toEqual(naive.lists[node]!.map(({ pfn, free }) => [pfn, free]));
      }
      if (cache.sheaves !== null) this.#compareSheaves(cache.sheaves, naive);
    }
  }

  #compareSheaves(sheaves: CacheSheaves, naive: NaiveSheafCache): void {
    const { table } = this.rig.slabs;
    const model = (sheaf: number) =>
      sheaf === NO_SHEAF
        ? null
        : Array.from({ length: sheaves.size[sheaf]! }, (_, i) => {
            const at = sheaves.base(sheaf) + i;
            return `${table.pfn[sheaves.objects.slab[at]!]} ${sheaves.objects.slot[at]}`;
          });
    const plain = (sheaf: NaiveSheaf | null) =>
      sheaf === null ? null : sheaf.objects.map(([slab, slot]) => `${slab.pfn} ${slot}`);
    expect(Array.from(sheaves.main, model)).toEqual(naive.main.map(plain));
    expect(Array.from(sheaves.spare, model)).toEqual(naive.spare.map(plain));
    for (const [node, barn] of naive.barns.entries()) {
      expect(barnList(sheaves, sheaves.fullHead[node]!).map(model)).toEqual(barn.full.map(plain));
      expect(barnList(sheaves, sheaves.emptyHead[node]!).map(model)).toEqual(barn.empty.map(plain));
    }
  }
}

function barnList(sheaves: CacheSheaves, head: number): number[] {
  const list: number[] = [];
  for (let sheaf = head; sheaf !== NO_SHEAF; sheaf = sheaves.next[sheaf]!) list.push(sheaf);
  return list;
}

function sheavesOf({ main, spare, barns }: NaiveSheafCache): NaiveSheaf[] {
  const inBarns = barns.flatMap(({ full, empty }) => [...full, ...empty]);
  return [...main, ...spare.filter((sheaf) => sheaf !== null), ...inBarns];
}

const step = fc.tuple(fc.nat(99), fc.nat(3), fc.nat(CPUS - 1), fc.nat(0xffff), fc.nat(0xffff));

test(`${STEPS} random operations on ${CPUS} CPUs of ${NODES} nodes do what the naive model does`, () => {
  let steps_done = 0;
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: MAX_STEPS, size: 'max' }),
      fc.nat(),
      fc.constantFrom(0, 5, 60),
      fc.boolean(),
      // Sheaves that are often full, and some that are flushed in more than one batch.
      fc.constantFrom([8, 6, 3, 2], [8, 6, 3, 2], [60, 40, 3, 2]),
      (steps, seed, percent, hasMemory, capacities) => {
        const duel = new Duel(seed, percent, hasMemory, capacities);
        for (const [i, one] of steps.entries()) {
          duel.step(one);
          steps_done++;
          if (i % CHECK_INTERVAL === CHECK_INTERVAL - 1) duel.compare();
        }
        duel.compare();
        for (const { cache } of duel.pairs)
          for (const [name, count] of Object.entries(cache.totals()))
            seen.set(name, (seen.get(name) ?? 0) + count);
      },
    ),
    { numRuns: RUNS, seed: 7_2 },
  );
  expect(steps_done).toBeGreaterThan(STEPS);
  // What sheaves can do was done, and nothing that only cpu slabs do.
  const silent = [...seen].filter(([, count]) => count === 0).map(([name]) => name);
  expect(silent).toEqual(SLAB_STAT_NAMES.filter((name) => ONLY_CPU_SLABS.test(name)));
});

const ONLY_CPU_SLABS =
  /^(free_frozen|alloc_from_partial|alloc_refill|cpuslab_flush|deactivate_.*|cmpxchg_.*|cpu_partial_.*)$/;
