/** Superpageblocks of zones that grow and shrink. model: spb 2.1, 2.6, 4.7; 8, scenario 38 */
import { describe, expect, test } from 'vitest';
import { GFP_HIGHUSER_MOVABLE } from '../../../src/mm/gfp.js';
import { allocContigPages, freeContigRange } from '../../../src/mm/page-alloc/contig-alloc.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { offlinePages, onlinePages } from '../../../src/mm/page-alloc/hotplug.js';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { rmqueue } from '../../../src/mm/page-alloc/rmqueue.js';
import { takeFromChunk } from '../../../src/mm/page-alloc/take-pfn.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import { offerToDefrag, queueSpbEvacuate } from '../../../src/mm/spb/node-work.js';
import { OUTCOME_NAMES, PLACE_EMPTY, PLACE_ISOLATED } from '../../../src/mm/spb/spb-types.js';
import { MIGRATE_TYPES, NR_PAGE_ORDERS, ZoneIndex } from '../../../src/mm/types.js';
import {
  bootedMachine,
  movable,
  SPB_BLOCKS,
  SPB_PAGES,
  scenarioPolicy,
  unmovable,
} from './background-support.js';

const SECOND = 1_000_000_000;
const GIB = SPB_PAGES;

function online(mm: PageAllocator, zone: Zone, from: number, size: number): void {
  expect(onlinePages(mm, 0, zone, from * GIB, size * GIB)).toBe('online');
  validate(mm, { movable_known: true });
}

function offline(mm: PageAllocator, zone: Zone, from: number, size: number): void {
  expect(offlinePages(mm, 0, zone, from * GIB, size * GIB)).toBe('offline');
  validate(mm, { movable_known: true });
}

/** Takes pages out of whatever chunk they are in. */
function useAt(mm: PageAllocator, pfn: number, order: number, type: number): void {
  const zone = mm.zoneOf(pfn);
  const head = mm.pages.buddyHead(pfn);
  takeFromChunk(zone, 0, pfn, order, head, mm.pages.buddyOrder(head));
  zone.spb?.took(pfn, order, type);
  markAllocated(mm, pfn, order, type === movable);
}

/** Everything that a superpageblock is: found by its address, whatever its index. */
function stateAt(zone: Zone, gib: number) {
  const spbs = zone.spb!;
  const spb = spbs.indexOf(gib * GIB);
  const lists: Record<string, readonly number[]> = {};
  for (let order = 0; order < NR_PAGE_ORDERS; order++)
    for (let type = 0; type < MIGRATE_TYPES; type++) {
      const pfns = zone.listPfns(order, type).filter((pfn) => spbs.indexOf(pfn) === spb);
      if (pfns.length > 0) lists[`${order}/${type}`] = pfns;
    }
  return {
    total: spbs.total_pageblocks[spb],
    reserved: spbs.nr_reserved[spb],
    free: spbs.nr_free[spb],
    unmovable: spbs.nr_unmovable[spb],
    movable: spbs.nr_movable[spb],
    reclaimable: spbs.nr_reclaimable[spb],
    free_pages: spbs.nr_free_pages[spb],
    contig: spbs.contig_allocated[spb],
    no_progress: spbs.defrag_last_no_progress_ns[spb],
    place: spbs.place[spb],
    lists,
  };
}

/** Addresses of superpageblocks in GiB, list by list, oldest first. */
function inOrder(zone: Zone): number[] {
  return zone.spb!.inListOrder().map((spb) => zone.spb!.start_pfn(spb) / GIB);
}

describe.each(['lists', 'bitmap'] as const)('38. H1 hotplug, %s', (selector) => {
  const knobs = { 'spb.selector': selector };

  test('38. H1 hotplug: 3 GiB added to an empty zone: valid lists, 3 SPBs, node initialised, defrag works', () => {
    // Node 1 has no memory yet, and its queue could not be made at boot.
    const policy = { ...scenarioPolicy(knobs), 'spb.wq_fails': true };
    const { mm, time, zone } = bootedMachine(
      [
        { from: 1, size: 0.25 },
        { node: 1, from: 2, size: 0 },
      ],
      {},
      policy,
    );
    expect([zone.spb, mm.spb!.nodes[1]]).toEqual([null, null]);
    policy['spb.wq_fails'] = false;
    online(mm, zone, 2, 3);
    const spbs = zone.spb!;
    expect([spbs.base, spbs.nr_superpageblocks, spbs.place_length[PLACE_EMPTY]]).toEqual([2, 3, 3]);
    expect([...spbs.nr_free, ...spbs.nr_free_pages]).toEqual([512, 512, 512, GIB, GIB, GIB]);
    expect([...spbs.nr_reserved]).toEqual([0, 0, 0]);
    expect(
      zone.listLength.every((length, list) => length === (list === 10 * MIGRATE_TYPES + movable ? 768 : 0)),
    ).toBe(true);
    expect(zone.firstNode(10, movable)).toBeGreaterThanOrEqual(mm.pages.headBase);
    expect(mm.spb!.nodes[1]).not.toBeNull();

    // Fill the first one with movable pages but for a page of the kernel's, then ask for another.
    useAt(mm, 2 * GIB, 0, unmovable);
    for (let pfn = 2 * GIB + 512; pfn < 3 * GIB; pfn += 512) useAt(mm, pfn, 9, movable);
    validate(mm, { movable_known: true });
    expect(rmqueue(mm, zone, 1, 0, unmovable, 0)).toBe(2 * GIB + 1);
    time.advance(SECOND);
    validate(mm, { movable_known: true });
    expect([mm.spb!.stats.defrag_runs, spbs.nr_free[0]]).toEqual([1, 17]);
    expect(mm.spb!.stats.spb_slab_shrink_ran).toBe(1);
  });

  /** A zone of 3 GiB: tainted, clean with a held GiB behind it, after a defrag run without progress. */
  function grown(from: number) {
    const made = bootedMachine([{ from, size: 3 }], knobs);
    const { mm, zone } = made;
    useAt(mm, from * GIB + 512 * 7 + 8, 3, unmovable);
    useAt(mm, (from + 1) * GIB + 512 * 9, 9, movable);
    useAt(mm, (from + 1) * GIB + 512 * 12 + 100, 0, movable);
    expect(allocContigPages(mm, 0, GFP_HIGHUSER_MOVABLE, GIB, -1)).toBe((from + 2) * GIB);
    zone.spb!.defrag_last_no_progress_ns[0] = 12_345;
    validate(mm, { movable_known: true });
    return made;
  }

  test('38. H1 hotplug: growth at the end leaves old SPBs as they are', () => {
    const { mm, zone } = grown(1);
    const before = [1, 2, 3].map((gib) => stateAt(zone, gib));
    const order = inOrder(zone);
    online(mm, zone, 4, 2.5);
    expect([zone.spb!.base, zone.spb!.nr_superpageblocks]).toEqual([1, 6]);
    expect([1, 2, 3].map((gib) => stateAt(zone, gib))).toEqual(before);
    expect([4, 5, 6].map((gib) => stateAt(zone, gib).total)).toEqual([512, 512, 256]);
    expect(zone.spb!.place_length[PLACE_EMPTY]).toBe(3);
    expect(inOrder(zone).filter((gib) => gib < 4)).toEqual(order);
    expect(zone.spb!.reserve(zone.spb!.indexOf(6 * GIB))).toBe(8);
  });

  test('38. H1 hotplug: at the front it shifts indices, not contents', () => {
    const { mm, zone } = grown(4);
    const before = [4, 5, 6].map((gib) => stateAt(zone, gib));
    const order = inOrder(zone);
    online(mm, zone, 2, 2);
    expect([zone.spb!.base, zone.spb!.nr_superpageblocks]).toEqual([2, 5]);
    expect(zone.spb!.indexOf(4 * GIB)).toBe(2);
    expect([4, 5, 6].map((gib) => stateAt(zone, gib))).toEqual(before);
    expect(inOrder(zone).filter((gib) => gib >= 4)).toEqual(order);
    // What was held before can be given back.
    expect(zone.spb!.place[4]).toBe(PLACE_ISOLATED);
    freeContigRange(mm, 0, 6 * GIB, GIB);
    validate(mm, { movable_known: true });
    expect(zone.spb!.place[4]).toBe(PLACE_EMPTY);
  });

  test('38. H1 hotplug: ZONE_DEVICE has none', () => {
    const { mm, zone } = bootedMachine(
      [
        { from: 1, size: 1 },
        { index: ZoneIndex.device, from: 2, size: 1 },
      ],
      knobs,
    );
    expect([mm.zones[0]!.spb?.nr_superpageblocks, zone.spb]).toEqual([1, null]);
    online(mm, zone, 3, 1);
    expect(zone.spb).toBeNull();
    expect(rmqueue(mm, zone, 0, 0, movable, 0)).toBeGreaterThan(0);
  });

  test('what has come is the newest of its list', () => {
    const { mm, zone } = bootedMachine([{ from: 3, size: 2 }], knobs);
    online(mm, zone, 5, 1);
    online(mm, zone, 1, 2);
    expect(inOrder(zone)).toEqual([3, 4, 5, 1, 2]);
    expect(rmqueue(mm, zone, 0, 0, movable, 0)).toBe(3 * GIB);
  });

  test('a clipped one is filled up, at either end; its reserve follows', () => {
    const { mm, zone } = bootedMachine([{ from: 2.5, size: 1.25 }], knobs);
    useAt(mm, 2.5 * GIB + 512, 9, unmovable);
    const reserves = () => [2, 3].map((gib) => zone.spb!.reserve(zone.spb!.indexOf(gib * GIB)));
    expect([...zone.spb!.total_pageblocks, ...reserves()]).toEqual([256, 384, 8, 12]);
    const before = stateAt(zone, 2);
    online(mm, zone, 3.75, 0.25);
    expect([...zone.spb!.total_pageblocks, ...reserves()]).toEqual([256, 512, 8, 16]);
    expect(zone.spb!.nr_free[1]).toBe(512);
    expect(stateAt(zone, 2)).toEqual(before);
    online(mm, zone, 2, 0.5);
    expect([...zone.spb!.total_pageblocks, ...reserves()]).toEqual([512, 512, 16, 16]);
    expect(stateAt(zone, 2)).toMatchObject({ free: 511, unmovable: 1, movable: 0, free_pages: GIB - 512 });
  });

  test('a gap between old and new memory is reserved until memory comes', () => {
    const { mm, zone } = bootedMachine([{ from: 1, size: 1 }], knobs);
    online(mm, zone, 3, 1);
    expect([...zone.spb!.nr_reserved]).toEqual([0, 512, 0]);
    expect(zone.spb!.place[1]).not.toBe(PLACE_EMPTY);
    online(mm, zone, 2, 1);
    expect([...zone.spb!.nr_reserved]).toEqual([0, 0, 0]);
    expect(zone.spb!.place_length[PLACE_EMPTY]).toBe(3);
  });

  test.each([
    ['raised', 500],
    ['queued', 5_000],
    ['begun', 11_000],
  ])('work in flight for the zone is dropped (%s), and can be triggered again', (_, ns) => {
    const { mm, time, zone } = bootedMachine([{ from: 3, size: 2 }], knobs);
    useAt(mm, 3 * GIB, 0, unmovable);
    for (let pfn = 3 * GIB + 512; pfn < 4 * GIB; pfn += 512) useAt(mm, pfn, 9, movable);
    const { stats } = mm.spb!;
    const work = mm.spb!.nodes[0]!;
    // The defrag work comes from the list update that its last free block has caused.
    queueSpbEvacuate(mm, zone, 3, unmovable);
    queueSpbEvacuate(mm, zone, 4, unmovable);
    time.advance(ns);
    const begun = stats.defrag_runs;
    expect([begun, stats.evac_calls]).toEqual([ns === 11_000 ? 1 : 0, 0]);
    expect([work.backlog, work.free_descriptors, zone.spb!.defrag_pending[0]]).toEqual([3, 62, 1]);
    online(mm, zone, 2, 1);
    expect([work.backlog, work.free_descriptors]).toEqual([0, 64]);
    expect([...zone.spb!.defrag_pending]).toEqual([0, 0, 0]);
    time.advance(SECOND);
    expect([stats.evac_calls, stats.defrag_runs]).toEqual([0, begun]);
    while (zone.spb!.nr_free[1]! > 10) rmqueue(mm, zone, 0, 9, unmovable, 0);
    offerToDefrag(mm, zone, 1);
    expect([...zone.spb!.defrag_pending]).toEqual([0, 1, 0]);
    time.advance(SECOND);
    expect([stats.defrag_runs, zone.spb!.nr_free[1]]).toEqual([begun + 1, 17]);
    validate(mm, { movable_known: true });
  });

  test('another zone of the node keeps its work', () => {
    const { mm, time } = bootedMachine(
      [
        { from: 1, size: 1 },
        { index: ZoneIndex.movable, from: 3, size: 1 },
      ],
      knobs,
    );
    const [normal, upper] = [mm.zones[0]!, mm.zones[1]!];
    queueSpbEvacuate(mm, normal, 3, unmovable);
    online(mm, upper, 4, 1);
    time.advance(SECOND);
    expect(mm.spb!.stats.evac_calls).toBe(1);
  });
});

describe('memory that goes', () => {
  test('a superpageblock that loses its memory is no candidate for anything, until it comes back', () => {
    const { mm, zone } = bootedMachine([{ from: 1, size: 3 }]);
    offline(mm, zone, 2, 1);
    expect([...zone.spb!.nr_reserved]).toEqual([0, 512, 0]);
    expect([zone.spb!.place_length[PLACE_EMPTY], zone.spb!.usable(1), zone.spb!.nr_free_pages[1]]).toEqual([
      2, 0, 0,
    ]);
    const got = [0, 1, 2].map(() => allocContigPages(mm, 0, GFP_HIGHUSER_MOVABLE, GIB, -1));
    expect(got).toEqual([GIB, 3 * GIB, -1]);
    validate(mm, { movable_known: true });
    online(mm, zone, 2, 1);
    expect(allocContigPages(mm, 0, GFP_HIGHUSER_MOVABLE, GIB, -1)).toBe(2 * GIB);
  });

  test('a part of one: its total stays at the edge of the zone, counts as reserved inside', () => {
    const { mm, zone } = bootedMachine([{ from: 1, size: 2 }]);
    offline(mm, zone, 1.25, 0.25);
    expect([zone.spb!.total_pageblocks[0], zone.spb!.nr_reserved[0], zone.spb!.nr_free[0]]).toEqual([
      512, 128, 384,
    ]);
    expect(zone.spb!.place[0]).toBe(PLACE_EMPTY);
    offline(mm, zone, 2.5, 0.5);
    expect([zone.spb!.total_pageblocks[1], zone.spb!.nr_reserved[1], zone.spb!.nr_free[1]]).toEqual([
      256, 0, 256,
    ]);
    expect(zone.spb!.reserve(1)).toBe(8);
  });

  test('movable pages move away first, to other superpageblocks', () => {
    const { mm, zone } = bootedMachine([{ from: 1, size: 2 }]);
    for (let block = 0; block < 20; block++) useAt(mm, 2 * GIB + block * 512, 9, movable);
    offline(mm, zone, 2, 1);
    expect([zone.spb!.nr_movable[0], zone.spb!.nr_movable[1], zone.spb!.total_pageblocks[1]]).toEqual([
      20, 0, 0,
    ]);
  });
});

describe('spb.hotplug_coverage_fails', () => {
  const knobs = { 'spb.hotplug_coverage_fails': true };

  test.each([
    ['behind', 3, 1],
    ['before', 0.5, 0.5],
  ])('memory %s the array stands on the zone its own lists', (_, from, size) => {
    const { mm, zone } = bootedMachine([{ from: 1, size: 2 }], knobs);
    online(mm, zone, from, size);
    expect([zone.spb!.base, zone.spb!.nr_superpageblocks]).toEqual([1, 2]);
    expect(zone.spb!.indexOf(from * GIB)).toBe(-1);
    const spbPages = zone.spb!.nr_free_pages.reduce((sum, pages) => sum + pages, 0);
    expect([spbPages, zone.managed_pages]).toEqual([2 * GIB, (2 + size) * GIB]);

    // Requests find it when no superpageblock has anything: outcome ZONE_FALLBACK.
    for (let pfn = GIB; pfn < 3 * GIB; pfn += 1024) useAt(mm, pfn, 10, movable);
    for (const type of [movable, unmovable]) {
      const { outcomes } = mm.spb!.stats;
      const index = (OUTCOME_NAMES.indexOf('ZONE_FALLBACK') * NR_PAGE_ORDERS + 3) * MIGRATE_TYPES + type;
      const pfn = rmqueue(mm, zone, 0, 3, type, type === movable ? 0x100 : 0);
      expect(outcomes[index]).toBe(type === movable ? 1 : 0);
      if (type === unmovable) {
        // The zone's lists are searched for the own type only, and then nothing is left but the fallbacks.
        expect(pfn).toBe(-1);
        continue;
      }
      expect(Math.floor(pfn / GIB)).toBe(Math.floor(from));
      markAllocated(mm, pfn, 3, true);
      freePages(mm, 0, pfn, 3);
    }
    validate(mm, { movable_known: true });
  });

  test('memory inside the array is covered as ever, coming or going', () => {
    // The last 1 GiB range has a quarter so far.
    const { mm, zone } = bootedMachine([{ from: 1, size: 1.25 }], knobs);
    online(mm, zone, 2.25, 0.5);
    expect([zone.spb!.total_pageblocks[1], zone.spb!.nr_free[1]]).toEqual([384, 384]);
    offline(mm, zone, 2.5, 0.25);
    expect([zone.spb!.total_pageblocks[1], zone.spb!.nr_free[1]]).toEqual([256, 256]);
    expect(zone.spb!.place_length[PLACE_EMPTY]).toBe(2);
    expect(zone.spb!.nr_superpageblocks * SPB_BLOCKS).toBe(1024);
  });

  test('memory that begins inside the array and goes beyond is covered as far as the array goes', () => {
    const { mm, zone } = bootedMachine([{ from: 1, size: 1.25 }], knobs);
    online(mm, zone, 2.25, 1.25);
    expect([zone.spb!.total_pageblocks[1], zone.spb!.nr_free[1], zone.spb!.nr_superpageblocks]).toEqual([
      512, 512, 2,
    ]);
    expect(zone.listLength[10 * MIGRATE_TYPES + movable]).toBe((2.5 * GIB) / 1024);
  });
});
