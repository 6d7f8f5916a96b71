/** The LRU model, direct reclaim, page cache and swap, counters. model: gfp C11, C12; page-allocator 6.4 */
import { describe, expect, test } from 'vitest';
import {
  GFP_FS_BIT,
  GFP_HIGHUSER_MOVABLE,
  GFP_IO_BIT,
  GFP_KERNEL,
  GFP_MOVABLE_BIT,
  GFP_NORETRY_BIT,
  GFP_NOWARN_BIT,
  GFP_USER,
  GFP_WRITE_BIT,
} from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freePages, splitOwned } from '../../../src/mm/page-alloc/free-owned.js';
import { PageKind } from '../../../src/mm/page-alloc/page-map.js';
import { dropPageCache } from '../../../src/mm/reclaim/drop-caches.js';
import { enableLru, LRU_ANON, LRU_FILE, lruKindOf } from '../../../src/mm/reclaim/lru.js';
import { NO_PFN } from '../../../src/mm/types.js';
import { directStallNs, vmstatCounters } from '../../../src/mm/vmstat.js';
import { POLICY_NAMES } from '../policies.js';
import { B, Machine } from './support.js';

const CACHE = 'LLLLLLLL|LLLLLLLL';
const ANON = 'AAAAAAAA|AAAAAAAA';

test('what a request becomes, by its flags', () => {
  expect(lruKindOf(GFP_HIGHUSER_MOVABLE)).toBe(LRU_ANON);
  expect(lruKindOf(GFP_HIGHUSER_MOVABLE | GFP_WRITE_BIT)).toBe(LRU_FILE);
  expect(lruKindOf(GFP_HIGHUSER_MOVABLE & ~GFP_FS_BIT)).toBe(LRU_FILE);
  expect(lruKindOf(GFP_USER | GFP_MOVABLE_BIT)).toBe(LRU_FILE);
  expect(lruKindOf(GFP_HIGHUSER_MOVABLE | GFP_NORETRY_BIT | GFP_NOWARN_BIT)).toBe(LRU_FILE);
});

test('pages enter hot, leave when freed, and split in place', () => {
  const machine = new Machine('mainline-6.18', '........|........');
  const { mm, zone } = machine;
  const [a, b, c] = [0, 2, 0].map((order) => machine.alloc(GFP_HIGHUSER_MOVABLE, order, true)) as [
    number,
    number,
    number,
  ];
  expect(mm.lru!.pfns(zone, LRU_ANON)).toEqual([a, b, c]);
  splitOwned(mm, b, 2, 0, PageKind.lru);
  machine.validate();
  expect(mm.lru!.pfns(zone, LRU_ANON)).toEqual([a, b, b + 1, b + 2, b + 3, c]);
  freePages(mm, 0, b + 1, 0);
  mm.lru!.touch(zone, a, 0);
  machine.validate();
  expect(mm.lru!.pfns(zone, LRU_ANON)).toEqual([b, b + 2, b + 3, c, a]);
  expect(mm.lru!.anonPages(zone)).toBe(5);
});

test('enabled late, the lists take the pages that are already out', () => {
  const machine = new Machine('mainline-6.18', 'LUL.....|........', { lru: false });
  expect(allocPages(machine.mm, 0, GFP_HIGHUSER_MOVABLE, 9, -1, true)).toBe(B + 512);
  enableLru(machine.mm);
  machine.validate();
  expect(machine.mm.lru!.anonPages(machine.zone)).toBe(128 + 512);
});

test('without the lists nothing is reclaimed or moved', () => {
  const machine = new Machine('mainline-6.18', CACHE, { lru: false });
  expect(machine.alloc(GFP_KERNEL)).toBe(NO_PFN);
  expect(machine.mm.events.allocstall_normal).toBe(0);
  expect(machine.picture()).toBe('LLLLLLLL|LLLLLLLL'.replaceAll('L', 'L'));
});

describe.each(POLICY_NAMES)('%s', (policy) => {
  test('reclaim goes on until the request succeeds, however often it is repeated', () => {
    const machine = new Machine(policy, CACHE);
    const lost = new Set<number>();
    machine.mm.onReclaim = (pfn) => lost.add(pfn);
    for (let i = 0; i < 1000; i++) expect(machine.allocUnchecked(GFP_KERNEL)).toBeGreaterThan(0);
    machine.validate();
    expect(lost.size).toBe(machine.mm.events.pgsteal_direct);
    expect(machine.mm.events.oom_kill).toBe(0);
    expect(directStallNs(machine.mm)).toBe(lost.size * 1000);
    // 16 pages more are the min mark's and some still on their way.
    while (machine.allocUnchecked(GFP_KERNEL) > 0);
    expect(machine.mm.events.oom_kill).toBe(1);
    expect(machine.mm.lru!.filePages(machine.zone)).toBe(0);
  });

  test('anonymous pages go only to swap, and swap needs IO', () => {
    const without = new Machine(policy, ANON);
    expect(without.alloc(GFP_KERNEL)).toBe(NO_PFN);
    const swap = { 'reclaim.swap': true };
    const machine = new Machine(policy, ANON, { knobs: swap });
    expect(machine.alloc((GFP_KERNEL & ~(GFP_IO_BIT | GFP_FS_BIT)) | GFP_NORETRY_BIT)).toBe(NO_PFN);
    expect(machine.alloc(GFP_KERNEL)).toBeGreaterThan(0);
    expect(machine.mm.events.pgsteal_anon).toBe(machine.mm.events.pgsteal_direct);
  });

  test('swappiness 0 keeps anonymous pages, 200 keeps page cache', () => {
    const stolen = (swappiness: number) => {
      const machine = new Machine(policy, 'LALALALA|LALALALA', {
        knobs: { 'reclaim.swap': true, 'reclaim.swappiness': swappiness },
      });
      for (let i = 0; i < 100; i++) machine.allocUnchecked(GFP_KERNEL);
      const { pgsteal_anon, pgsteal_file } = machine.mm.events;
      return [pgsteal_anon > 0, pgsteal_file > 0];
    };
    expect(stolen(0)).toEqual([false, true]);
    expect(stolen(60)).toEqual([true, true]);
    expect(stolen(200)).toEqual([true, false]);
  });

  test('a share of the pages may be beyond reach: they are looked at, kept and counted', () => {
    const machine = new Machine(policy, CACHE, { knobs: { 'reclaim.reclaimable_percent': 25 } });
    while (machine.allocUnchecked(GFP_KERNEL) > 0);
    machine.validate();
    const { pgscan_direct, pgsteal_direct } = machine.mm.events;
    expect(pgsteal_direct).toBeGreaterThan(1024 * 0.2);
    expect(pgsteal_direct).toBeLessThan(1024 * 0.3);
    expect(pgscan_direct).toBeGreaterThan(pgsteal_direct * 3);
  });

  test('dropping caches takes page cache and leaves the rest', () => {
    const machine = new Machine(policy, 'LLAALLUU|LLLLLLLL');
    expect(dropPageCache(machine.mm, 0)).toBe(12 * 64);
    machine.validate();
    expect(machine.picture()).toBe('..AA..UU|........');
    expect(machine.mm.events.drop_pagecache).toBe(1);
  });

  test('a shrinker is called after the lists, and its pages count', () => {
    const machine = new Machine(policy, 'UUUUUUUU|UUUUUUUU');
    const calls: number[] = [];
    const shrinkers = {
      nr_memcgs: 1,
      scanned_objects: 0,
      freed_pages: 0,
      shrinkSlab(_: number, node: number, _memcg: number, priority: number) {
        calls.push(priority);
        if (priority > 9) return 0;
        machine.freeCell(B + 64 * (calls.length - 4));
        shrinkers.freed_pages += node === 0 ? 64 : 0;
        return 1;
      },
    };
    machine.mm.shrinkers = shrinkers;
    expect(machine.alloc(GFP_KERNEL)).toBe(B);
    expect(calls).toEqual([12, 11, 10, 9]);
  });

  test('the same input gives the same state', () => {
    const run = () => {
      const machine = new Machine(policy, 'L.L.L.L.|LALALALA|L.L.L.L.|A.A.A.A.', {
        knobs: { 'reclaim.swap': true },
      });
      for (let i = 0; i < 300; i++)
        machine.allocUnchecked(i % 3 === 0 ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE, i % 5);
      return machine.picture() + JSON.stringify(machine.mm.events);
    };
    expect(run()).toBe(run());
  });
});

test('counters have the kernel names and order', () => {
  const machine = new Machine('mainline-6.18', 'LLLLLLLL|........');
  machine.alloc(GFP_KERNEL);
  const names = vmstatCounters(machine.mm).map(([name]) => name);
  expect(names.slice(0, 7)).toEqual([
    'nr_free_pages',
    'nr_free_pages_blocks',
    'nr_zone_inactive_anon',
    'nr_zone_inactive_file',
    'nr_free_cma',
    'nr_inactive_anon',
    'nr_inactive_file',
  ]);
  expect(names.indexOf('pgfree')).toBeLessThan(names.indexOf('pgsteal_kswapd'));
  expect(new Set(names).size).toBe(names.length);
  const counters = new Map(vmstatCounters(machine.mm));
  expect(counters.get('nr_zone_inactive_file')).toBe(512);
  expect(counters.get('pgalloc_normal')).toBe(1);
});
