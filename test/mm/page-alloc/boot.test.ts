/** A machine that has just been started. model: page-allocator 2.1, 3.6; scenario 11 */
import { describe, expect, it } from 'vitest';
import { alignedOrder } from '../../../src/mm/page-alloc/aligned-order.js';
import { bootFresh, managedRange } from '../../../src/mm/page-alloc/boot.js';
import { freeOnePage } from '../../../src/mm/page-alloc/buddy.js';
import { exactState } from '../../../src/mm/page-alloc/exact-state.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import {
  BASE,
  booted,
  freeLists,
  machine,
  makeDirect,
  takeChunk,
  trueFree,
  type ZonePlan,
} from './setup-support.js';

const { dma, dma32, normal, movable } = ZoneIndex;

/** Odd edges everywhere; pages of two zones share a pageblock at 0x1234 and at 0x9f01. */
const ODD_ZONES: readonly ZonePlan[] = [
  { index: dma, start: 1, spanned: 0x1233, present: 0x1200, managed: 0x10ff },
  { index: dma32, start: 0x1234, spanned: 0x8ccd, present: 0x7a01, managed: 0x7555 },
  { index: normal, start: 0x9f01, spanned: 0x7777, present: 0x7777, managed: 0x7776 },
  { index: movable, start: 0x1_1678, spanned: 0x2345 },
];

/** Releases the zones page by page as the merge loop of a free would, and each zone's pages one at a time. */
function releaseByFrees(mm: PageAllocator, onePage: boolean): void {
  for (const zone of mm.zones) {
    const { start, end } = managedRange(zone);
    for (let pfn = start; pfn < end; ) {
      const order = onePage ? 0 : alignedOrder(pfn, end - pfn);
      freeOnePage(mm, zone, 0, pfn, order, 1, true);
      pfn += 1 << order;
    }
  }
}

describe('a fresh boot', () => {
  it.each(POLICY_NAMES)('is what releasing the chunks with merging gives, %s', (policy) => {
    const direct = booted(policy, ODD_ZONES);
    const merged = machine(policy, ODD_ZONES);
    releaseByFrees(merged, false);
    const expected = exactState(merged).zones.map((zone) => zone.free);
    expect(exactState(direct).zones.map((zone) => zone.free)).toEqual(expected);
    validate(direct, { movable_known: true, strict_pageblocks: true });
    validate(merged, { movable_known: true, strict_pageblocks: true });
  });

  it('is also what releasing single pages gives, list order included', () => {
    const merged = machine('mainline-6.18', ODD_ZONES);
    releaseByFrees(merged, true);
    expect(exactState(booted('mainline-6.18', ODD_ZONES)).zones.map((zone) => zone.free)).toEqual(
      exactState(merged).zones.map((zone) => zone.free),
    );
  });

  it.each(POLICY_NAMES)('frees exactly the managed pages, PFN 0 never, %s', (policy) => {
    const mm = booted(policy, ODD_ZONES);
    for (const zone of mm.zones) expect(trueFree(zone)).toBe(zone.managed_pages);
    expect(mm.pages.buddyHead(0)).toBe(-1);
    expect(mm.pgfree).toBe(0);
  });

  it('order-10 chunks stand in ascending order, all blocks are Movable', () => {
    const mm = booted('mainline-6.18', [{ index: normal, start: BASE, spanned: 0x1400 + 3 }]);
    expect(freeLists(mm.zones[0]!)).toEqual({
      'o0 M': 'B+0x1402',
      'o1 M': 'B+0x1400',
      'o10 M': 'B B+0x400 B+0x800 B+0xc00 B+0x1000',
    });
  });

  //   zone DMA   [ 1 .. 0xff: BIOS, hole, the kernel's ][ 0x100 .. 0xfff managed ]
  it('zone DMA of a PC: all that is managed lies above 1 MiB', () => {
    const mm = booted('mainline-6.18', [
      { index: dma, start: 1, spanned: 4095, present: 3998, managed: 3840 },
    ]);
    expect(managedRange(mm.zones[0]!)).toEqual({ start: 0x100, end: 0x1000 });
    expect(mm.zones[0]!.listPfns(8, 1)).toEqual([0x100]);
    expect(mm.zones[0]!.listPfns(9, 1)).toEqual([0x200]);
    expect(mm.zones[0]!.listPfns(10, 1)).toEqual([0x400, 0x800, 0xc00]);
  });

  it('the hole of another zone lies at its end, and its blocks belong to nobody', () => {
    const plan = { index: normal, start: BASE, spanned: 0x2000, present: 0x1100, managed: 0x1000 };
    const mm = booted('mainline-6.18', [plan]);
    expect(managedRange(mm.zones[0]!)).toEqual({ start: BASE + 0x100, end: BASE + 0x1100 });
    expect(mm.findZone(BASE + 0x11ff)).toBe(mm.zones[0]);
    expect(mm.findZone(BASE + 0x1200)).toBeUndefined();
    expect(mm.findZone(BASE + 0x1fff)).toBeUndefined();
  });

  it.each([
    ['more managed than present', { index: normal, start: BASE, spanned: 100, present: 50, managed: 51 }],
    ['more present than spanned', { index: normal, start: BASE, spanned: 100, present: 101, managed: 1 }],
    ['PFN 0', { index: dma, start: 0, spanned: 4096 }],
  ] as const)('refuses a zone with %s', (_, plan) => {
    expect(() => bootFresh(machine('mainline-6.18', [plan]))).toThrow(/managed|present|pfn 0/);
  });

  it('costs a large machine nothing per page', () => {
    const pages = 1 << 26;
    const before = process.memoryUsage().rss;
    const started = performance.now();
    const mm = booted('mainline-6.18', [{ index: normal, start: BASE, spanned: pages }]);
    expect(mm.zones[0]!.nr_free[10]).toBe(pages >>> 10);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(process.memoryUsage().rss - before).toBeLessThan(128 << 20);
  });
});

describe('11 zone edge', () => {
  //   ... 0xfff | 0x1000 ...      and      ... 0xfffff | 0x100000 ...
  it.each(POLICY_NAMES)('pages of two zones never merge, %s', (policy) => {
    const mm = booted(policy, [
      { index: dma, start: 1, spanned: 0xfff },
      { index: dma32, start: 0x1000, spanned: 0xff000 },
      { index: normal, start: BASE, spanned: 0x8000 },
    ]);
    for (const zone of mm.zones) makeDirect(zone);
    for (const [below, above] of [
      [0xc00, 0x1000],
      [0xf_fc00, 0x10_0000],
    ] as const) {
      takeChunk(mm, below, 10, false);
      takeChunk(mm, above, 10, false);
      freePages(mm, 0, below, 10);
      freePages(mm, 0, above, 10);
      expect([mm.pages.buddyOrder(below), mm.pages.buddyOrder(above)]).toEqual([10, 10]);
    }
    validate(mm, { strict_pageblocks: true });
  });

  //   one pageblock:   [ zone A ...... 0x1233 | 0x1234 zone B ... ]
  it.each(POLICY_NAMES)('not even inside one pageblock, %s', (policy) => {
    const mm = booted(policy, ODD_ZONES);
    for (const zone of mm.zones) makeDirect(zone);
    const [low, high] = [mm.zones[0]!, mm.zones[1]!];
    expect([mm.zoneOf(0x1233), mm.zoneOf(0x1234)]).toEqual([low, high]);
    expect(mm.pages.buddyHead(0x1233)).toBe(0x1230);
    freePages(mm, 0, 0x1234, 0);
    freePages(mm, 0, 0x1235, 0);
    expect(mm.pages.buddyOrder(0x1234)).toBe(1);
    expect([...high.listPfns(1, 1)]).toContain(0x1234);
    freePages(mm, 0, 0x1236, 1);
    // Both halves of what would be an order 3.
    expect([mm.pages.buddyOrder(0x1230), mm.pages.buddyOrder(0x1234)]).toEqual([2, 2]);
    validate(mm);
  });
});
