/** The scenarios of the slab allocator's core, by number. model: slub 9 */
import { describe, expect, test } from 'vitest';
import {
  GFP_ATOMIC,
  GFP_DIRECT_RECLAIM_BIT,
  GFP_DMA_BIT,
  GFP_KERNEL,
  GFP_KSWAPD_RECLAIM_BIT,
  GFP_NOMEMALLOC_BIT,
  GFP_NORETRY_BIT,
  GFP_NOWARN_BIT,
  GFP_RECLAIM,
  GFP_RECLAIMABLE_BIT,
  GFP_ZERO_BIT,
} from '../../../src/mm/gfp.js';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../../src/mm/page-alloc/zone-setup.js';
import { defaultPolicy } from '../../../src/mm/policy.js';
import { destroyCache } from '../../../src/mm/slab/destroy.js';
import { flushCpuSlab, shrinkCache } from '../../../src/mm/slab/flush-shrink.js';
import { KmallocCaches, kfreeLarge, kmallocLarge } from '../../../src/mm/slab/kmalloc.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { PageAllocatorPages } from '../../../src/mm/slab/page-allocator-pages.js';
import { slabAlloc } from '../../../src/mm/slab/slab-alloc.js';
import { SlabAllocator } from '../../../src/mm/slab/slab-allocator.js';
import { NO_SLAB, SLAB_FROZEN } from '../../../src/mm/slab/slab-table.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { Migratetype, NO_PFN, PAGEBLOCK_ORDER } from '../../../src/mm/types.js';
import { isForThisNode, moved, type Place, Rig } from './support.js';

const SETUP = { min_bytes: 8, hasMemcg: true };

/** Slabs of 64 slots of which one slot each is free, on the node's list in the order in which they are given back. */
function listedSlabs(rig: Rig, cache: KmemCache, count: number): Place[] {
  const firsts: Place[] = [];
  for (let i = 0; i < count; i++) {
    const [first] = rig.take(cache, cache.geometry.objects);
    firsts.push(first!);
  }
  rig.take(cache, 1);
  flushCpuSlab(rig.slabs, cache, 0);
  for (const place of firsts) rig.free(cache, place, 1);
  flushCpuSlab(rig.slabs, cache, 1);
  return firsts;
}

test('1: first fill', () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  let places: Place[] = [];
  expect(
    moved(cache, () => {
      places = rig.take(cache, 64);
    }),
  ).toEqual({ alloc_slowpath: 1, alloc_slab: 1, alloc_fastpath: 63 });
  const slab = places[0]!.slab;
  const { table } = rig.slabs;
  expect(places.map(({ slot }) => slot)).toEqual(Array.from({ length: 64 }, (_, slot) => slot));
  expect(cache.nr_slabs[0]).toBe(1);
  expect(table.inuse[slab]).toBe(64);
  expect(table.hasFlag(slab, SLAB_FROZEN)).toBe(true);
  expect(moved(cache, () => rig.take(cache, 1))).toEqual({
    alloc_slowpath: 1,
    deactivate_bypass: 1,
    alloc_slab: 1,
  });
  expect(table.hasFlag(slab, SLAB_FROZEN)).toBe(false);
  expect(cache.partial.slabs(0)).toEqual([]);
  validateSlabs(rig.slabs);
});

test('2: a request finds its bucket, or gets pages of its own', () => {
  const rig = new Rig();
  const kmalloc = new KmallocCaches(rig.slabs, SETUP);
  const names = [1, 8, 65, 97, 129, 192, 193, 256, 257, 4097, 8192].map(
    (bytes) => kmalloc.cacheFor(bytes, GFP_KERNEL)?.name,
  );
  expect(names).toEqual([
    'kmalloc-8',
    'kmalloc-8',
    'kmalloc-96',
    'kmalloc-128',
    'kmalloc-192',
    'kmalloc-192',
    'kmalloc-256',
    'kmalloc-256',
    'kmalloc-512',
    'kmalloc-8k',
    'kmalloc-8k',
  ]);
  expect(kmalloc.cacheFor(8193, GFP_KERNEL)).toBeNull();
  const pfn = kmallocLarge(rig.slabs, 0, 8193, GFP_KERNEL, -1);
  expect(rig.pages.requests.at(-1)).toMatchObject({ order: 2 });
  expect(rig.slabs.nr_slab_unreclaimable_pages[0]).toBe(4);
  kfreeLarge(rig.slabs, 0, pfn, 2);
  expect(rig.slabs.nr_slab_unreclaimable_pages[0]).toBe(0);
  expect(kmallocLarge(rig.slabs, 0, 2 ** 22 + 1, GFP_KERNEL, -1)).toBe(NO_PFN);
  validateSlabs(rig.slabs);
});

test.each([
  [4, 1024, 2, 16],
  [16, 1024, 3, 32],
  [256, 128, 1, 64],
])(
  '3: with %i CPUs a slot of %i bytes has slabs of order %i with %i objects',
  (cpus, bytes, order, objects) => {
    const { geometry } = new Rig({ cpus }).cache(bytes);
    expect([geometry.order, geometry.objects]).toEqual([order, objects]);
  },
);

test('4: no large pages: the small slab, and no reclaim for the large one', () => {
  const rig = new Rig();
  const cache = rig.cache(1024);
  rig.pages.fails = ({ order }) => order === 3;
  let place: Place | undefined;
  const counters = moved(cache, () => {
    place = rig.alloc(cache, 0, GFP_KERNEL | GFP_ZERO_BIT);
  });
  expect(counters).toEqual({ alloc_slowpath: 1, alloc_slab: 1, order_fallback: 1 });
  const { table } = rig.slabs;
  expect([table.order[place!.slab], table.objects[place!.slab]]).toEqual([0, 4]);
  const [first, second] = rig.pages.requests;
  expect(first!.gfp & GFP_RECLAIM).toBe(0);
  const quiet = GFP_NOWARN_BIT | GFP_NORETRY_BIT | GFP_NOMEMALLOC_BIT;
  expect(first!.gfp & quiet).toBe(quiet);
  expect(first!.noSpin).toBe(false);
  expect(second!.gfp & (GFP_RECLAIM | quiet | GFP_ZERO_BIT)).toBe(GFP_RECLAIM);
});

test('4: one that may not sleep keeps its wake-up of kswapd in the large attempt', () => {
  const rig = new Rig();
  rig.alloc(rig.cache(1024), 0, GFP_ATOMIC);
  const bits = GFP_DIRECT_RECLAIM_BIT | GFP_KSWAPD_RECLAIM_BIT | GFP_NOMEMALLOC_BIT;
  expect(rig.pages.requests[0]!.gfp & bits).toBe(GFP_KSWAPD_RECLAIM_BIT);
});

test('4: a fallback to the same order is counted, too', () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  rig.pages.fails = ({ gfp }) => (gfp & GFP_NORETRY_BIT) !== 0;
  expect(moved(cache, () => rig.alloc(cache))).toMatchObject({ order_fallback: 1 });
  rig.pages.fails = () => true;
  expect(moved(cache, () => expect(rig.alloc(cache, 1)).toBeUndefined())).toEqual({ alloc_slowpath: 1 });
});

describe('5: slab pages are of the type of their cache', () => {
  const spec = {
    cpu_nodes: [0],
    node_distances: [[10]],
    zones: [
      {
        node: 0,
        index: 2,
        start_pfn: 1 << 20,
        spanned_pages: 1 << 16,
        present_pages: 1 << 16,
        managed_pages: 1 << 16,
      },
    ],
    cpu_cache_bytes: 0,
    thp: true,
  } as const;

  test.each([
    ['kmalloc-rcl-64', GFP_KERNEL | GFP_RECLAIMABLE_BIT, Migratetype.reclaimable],
    ['kmalloc-64', GFP_KERNEL, Migratetype.unmovable],
    ['kmalloc-64', 0, Migratetype.unmovable],
  ] as const)('%s with gfp 0x%s', (name, gfp, type) => {
    const mm = new PageAllocator(spec, defaultPolicy());
    setUpZones(mm);
    bootFresh(mm);
    const pages = new PageAllocatorPages(mm);
    const rig = new Rig({ cpus: 1 });
    const slabs = new SlabAllocator(rig.slabs.machine, defaultPolicy(), pages);
    const cache = new KmallocCaches(slabs, SETUP).cacheFor(64, gfp)!;
    expect(cache.name).toBe(name);
    const slab = slabAlloc(slabs, cache, 0, gfp, -1);
    const pfn = slabs.table.pfn[slab]!;
    expect(mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER]).toBe(type);
    const counted =
      type === Migratetype.reclaimable ? 'nr_slab_reclaimable_pages' : 'nr_slab_unreclaimable_pages';
    expect(slabs[counted][0]).toBe(1);
  });
});

test('6: a full slab freed into elsewhere joins the chain of the CPU that frees, and stays there', () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  const places = rig.take(cache, 64);
  rig.take(cache, 1);
  expect(moved(cache, () => rig.free(cache, places[0]!, 1))).toEqual({
    free_slowpath: 1,
    cpu_partial_free: 1,
  });
  expect(cache.cpu_partial_count[1]).toBe(1);
  const rest = () => {
    for (const place of places.slice(1)) rig.free(cache, place, 1);
  };
  expect(moved(cache, rest)).toEqual({ free_slowpath: 63 });
  expect(rig.slabs.table.inuse[places[0]!.slab]).toBe(0);
  expect(cache.cpuPartial[1]).toBe(places[0]!.slab);
  validateSlabs(rig.slabs);
});

test('7: the fifth slab drains a chain of four', () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  expect(cache.cpu_partial_slabs).toBe(4);
  const firsts = Array.from({ length: 5 }, () => rig.take(cache, 64)[0]!);
  rig.take(cache, 1);
  const frees = () => {
    for (const place of firsts) rig.free(cache, place, 1);
  };
  expect(moved(cache, frees)).toEqual({
    free_slowpath: 5,
    cpu_partial_free: 5,
    cpu_partial_drain: 1,
    free_add_partial: 4,
  });
  expect([cache.nr_partial[0], cache.cpu_partial_count[1]]).toEqual([4, 1]);
  // Head of the chain first, so newest first, each to the tail.
  expect(cache.partial.slabs(0)).toEqual(
    firsts
      .slice(0, 4)
      .reverse()
      .map(({ slab }) => slab),
  );
  validateSlabs(rig.slabs);
});

test('8: a refill takes one slab and three for the chain', () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  listedSlabs(rig, cache, 9);
  expect(cache.nr_partial[0]).toBe(10);
  const order = cache.partial.slabs(0);
  let place: Place | undefined;
  expect(
    moved(cache, () => {
      place = rig.alloc(cache, 2);
    }),
  ).toEqual({ alloc_slowpath: 1, alloc_from_partial: 1, cpu_partial_node: 3 });
  expect(place!.slab).toBe(order[0]);
  expect([cache.nr_partial[0], cache.cpu_partial_count[2]]).toEqual([6, 3]);
  // The last one taken is the first to be used.
  expect(cache.cpuPartial[2]).toBe(order[3]);
  validateSlabs(rig.slabs);
});

test.each([
  [5, { free_slowpath: 1, free_remove_partial: 1, free_slab: 1 }, 4],
  [4, { free_slowpath: 1 }, 4],
])('9: with %i slabs on the list', (listed, counters, left) => {
  const rig = new Rig();
  const cache = rig.cache(64);
  const firsts = Array.from({ length: listed }, () => rig.take(cache, 64));
  rig.take(cache, 1);
  for (const [first] of firsts) rig.free(cache, first!, 1);
  flushCpuSlab(rig.slabs, cache, 1);
  expect(cache.nr_partial[0]).toBe(listed);
  const [, ...others] = firsts[0]!;
  const last = others.pop()!;
  for (const place of others) rig.free(cache, place, 1);
  expect(moved(cache, () => rig.free(cache, last, 1))).toEqual(counters);
  expect(cache.nr_partial[0]).toBe(left);
  expect(rig.pages.freed).toHaveLength(listed - left);
  validateSlabs(rig.slabs);
});

test("10: a free into another CPU's slab is found when its private list is empty", () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  const [first] = rig.take(cache, 63);
  expect(moved(cache, () => rig.free(cache, first!, 1))).toEqual({ free_slowpath: 1, free_frozen: 1 });
  expect(rig.alloc(cache)!.slot).toBe(63);
  expect(moved(cache, () => expect(rig.alloc(cache)).toEqual(first))).toEqual({
    alloc_slowpath: 1,
    alloc_refill: 1,
  });
});

test('11: a flushed slab goes to the head, with remote frees to the tail', () => {
  const rig = new Rig();
  const cache = rig.cache(64);
  listedSlabs(rig, cache, 2);
  const flushed = (cpu: number, remote: boolean) => {
    // Uses up the list first, so that the slab is a new one.
    const [first] = rig.take(cache, 200, cpu);
    const { slab } = rig.take(cache, 1, cpu)[0]!;
    if (remote) rig.free(cache, { slab, slot: 0 }, 5);
    const counters = moved(cache, () => flushCpuSlab(rig.slabs, cache, cpu));
    return { first, slab, counters };
  };
  const head = flushed(2, false);
  expect(head.counters).toMatchObject({ cpuslab_flush: 1, deactivate_to_head: 1 });
  expect(cache.partial.slabs(0)[0]).toBe(head.slab);
  const tail = flushed(3, true);
  expect(tail.counters).toMatchObject({
    cpuslab_flush: 1,
    deactivate_to_tail: 1,
    deactivate_remote_frees: 1,
  });
  expect(cache.partial.slabs(0).at(-1)).toBe(tail.slab);
  validateSlabs(rig.slabs);
});

test.each([
  [5, { cpuslab_flush: 1, deactivate_empty: 1, free_slab: 1 }, 5],
  [4, { cpuslab_flush: 1, deactivate_to_head: 1 }, 5],
])('12: flush of an empty cpu slab with %i on the list', (listed, counters, left) => {
  const rig = new Rig();
  const cache = rig.cache(64);
  const place = rig.alloc(cache, 2)!;
  // The slab that the helper fills last is listed, too.
  listedSlabs(rig, cache, listed - 1);
  expect(cache.nr_partial[0]).toBe(listed);
  rig.free(cache, place, 2);
  expect(moved(cache, () => flushCpuSlab(rig.slabs, cache, 2))).toEqual(counters);
  expect(cache.nr_partial[0]).toBe(left);
  validateSlabs(rig.slabs);
});

describe('19: a wish for another node', () => {
  test('puts the cpu slab away and is met', () => {
    const rig = new Rig({ cpus: 2, nodes: 2 });
    const cache = rig.cache(64);
    rig.alloc(cache, 0);
    let place: Place | undefined;
    const counters = moved(cache, () => {
      place = rig.alloc(cache, 0, GFP_KERNEL, 1);
    });
    expect(counters).toEqual({
      alloc_slowpath: 1,
      alloc_node_mismatch: 1,
      deactivate_to_head: 1,
      alloc_slab: 1,
    });
    expect(rig.slabs.table.node[place!.slab]).toBe(1);
    const { gfp, node } = rig.pages.requests.at(-1)!;
    expect([node, gfp & GFP_DIRECT_RECLAIM_BIT]).toEqual([1, 0]);
    expect(isForThisNode(rig.pages.requests.at(-1)!)).toBe(true);
  });

  test('is given up where that node has nothing', () => {
    const rig = new Rig({ cpus: 2, nodes: 2 });
    const cache = rig.cache(64);
    rig.pages.fails = isForThisNode;
    const place = rig.alloc(cache, 0, GFP_KERNEL, 1)!;
    expect(place).toBeDefined();
    const { gfp } = rig.pages.requests.at(-1)!;
    expect(gfp & GFP_RECLAIM).toBe(GFP_RECLAIM);
    expect(isForThisNode(rig.pages.requests.at(-1)!)).toBe(false);
  });

  test('is forgotten by a request that may not wait', () => {
    const rig = new Rig({ cpus: 2, nodes: 2 });
    const cache = rig.cache(64);
    const places = rig.take(cache, 1);
    expect(moved(cache, () => expect(rig.alloc(cache, 0, 0, 1)!.slab).toBe(places[0]!.slab))).toEqual({
      alloc_slowpath: 1,
    });
  });

  test('other nodes are looked at as often as the ratio says', () => {
    const rig = new Rig({ cpus: 2, nodes: 2 });
    const cache = rig.cache(64);
    cache.min_partial = 0;
    const places = rig.take(cache, 65, 1);
    rig.free(cache, places[0]!, 1);
    flushCpuSlab(rig.slabs, cache, 1);
    expect([...cache.nr_partial]).toEqual([0, 2]);
    rig.slabs.cycles = () => 5 * 1024 + 1001;
    expect(moved(cache, () => rig.alloc(cache, 0))).toMatchObject({ alloc_slab: 1 });
    flushCpuSlab(rig.slabs, cache, 0);
    cache.min_partial = 2;
    rig.take(cache, 63, 0);
    rig.slabs.cycles = () => 1000;
    expect(moved(cache, () => rig.alloc(cache, 0))).toMatchObject({ alloc_slab: 1 });
    cache.min_partial = 1;
    rig.take(cache, 63, 0);
    expect(moved(cache, () => rig.alloc(cache, 0))).toMatchObject({
      alloc_from_partial: 1,
      cpu_partial_node: 1,
    });
  });
});

test('39: every slot is somewhere, and a cache whose objects are all back can go', () => {
  const rig = new Rig({ cpus: 2 });
  const cache = rig.cache(256);
  const live = new Map<string, Place>();
  const key = ({ slab, slot }: Place) => `${slab}/${slot}`;
  const isLive = (slab: number, slot: number) => live.has(key({ slab, slot }));
  const places = rig.take(cache, 300);
  for (const place of places) live.set(key(place), place);
  for (const [i, place] of places.entries()) {
    if (i % 3 !== 0) continue;
    live.delete(key(place));
    rig.free(cache, place, i % 2);
    validateSlabs(rig.slabs, { isLive });
  }
  expect(destroyCache(rig.slabs, cache, 0)).toBeGreaterThan(0);
  for (const place of live.values()) rig.free(cache, place, 1);
  live.clear();
  validateSlabs(rig.slabs, { isLive });
  shrinkCache(rig.slabs, cache, 0);
  expect(destroyCache(rig.slabs, cache, 0)).toBe(0);
  expect(rig.slabs.table.count).toBe(0);
  expect(cache.cpuSlab[0]).toBe(NO_SLAB);
});

test('a request for DMA memory gets its own cache and zone', () => {
  const rig = new Rig();
  const cache = new KmallocCaches(rig.slabs, SETUP).cacheFor(40, GFP_KERNEL | GFP_DMA_BIT)!;
  expect(cache.name).toBe('dma-kmalloc-64');
  rig.alloc(cache);
  expect(rig.pages.requests[0]!.gfp & GFP_DMA_BIT).toBe(GFP_DMA_BIT);
});
