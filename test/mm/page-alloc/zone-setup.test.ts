/** lowmem_reserve, counter thresholds and the grouping switch. model: page-allocator 2.5, 2.6, 2.8 */
import { describe, expect, it } from 'vitest';
import { GFP_DMA_BIT, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { ALLOC_KSWAPD, boostedMark, zoneWatermarkFast } from '../../../src/mm/page-alloc/watermark.js';
import { WMARK_LOW } from '../../../src/mm/page-alloc/zone.js';
import {
  normalThreshold,
  pressureThreshold,
  setLowmemReserve,
  setMobilityGrouping,
  setUpZones,
} from '../../../src/mm/page-alloc/zone-setup.js';
import { NO_PFN, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { BASE, booted, machine, type ZonePlan } from './setup-support.js';

const { dma, dma32, normal, movable } = ZoneIndex;
const DMA: ZonePlan = { index: dma, start: 1, spanned: 4095, present: 3998, managed: 3840 };
const DMA32: ZonePlan = {
  index: dma32,
  start: 0x1000,
  spanned: 1_044_480,
  present: 782_336,
  managed: 772_917,
};

function reserves(mm: PageAllocator): number[][] {
  return mm.zones.map((zone) => [...zone.lowmem_reserve]);
}

describe('lowmem_reserve', () => {
  it('2.5 live: managed 3840/772917/1310720', () => {
    const mm = machine('mainline-6.18', [DMA, DMA32, { index: normal, start: BASE, spanned: 1_310_720 }]);
    setLowmemReserve(mm);
    expect(reserves(mm)).toEqual([
      [0, 3019, 8139, 8139, 8139],
      [0, 0, 5120, 5120, 5120],
      [0, 0, 0, 0, 0],
    ]);
  });

  it('recording fs-churn: managed 3840/772917/1409024', () => {
    const mm = machine('mainline-6.18', [DMA, DMA32, { index: normal, start: BASE, spanned: 1_409_024 }]);
    setLowmemReserve(mm);
    expect(reserves(mm).slice(0, 2)).toEqual([
      [0, 3019, 8523, 8523, 8523],
      [0, 0, 5504, 5504, 5504],
    ]);
  });

  it('7.2.12, run numa2: each node for itself', () => {
    const mm = machine('mainline-7.2', [
      DMA,
      { index: dma32, start: 0x1000, spanned: 61_440, managed: 49_261 },
      { node: 1, index: dma32, start: 0x1_0000, spanned: 65_501, managed: 64_419 },
    ]);
    setLowmemReserve(mm);
    expect(reserves(mm)).toEqual([
      [0, 192, 192, 192, 192],
      [0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0],
    ]);
  });

  it('a Movable zone is protected from nobody but protects Normal; ratio 0 and empty zones reserve nothing', () => {
    const plans = [
      { index: normal, start: BASE, spanned: 64_000 },
      { index: movable, start: 0x20_0000, spanned: 32_000 },
    ];
    const mm = machine('mainline-6.18', plans);
    setLowmemReserve(mm);
    expect(reserves(mm)).toEqual([
      [0, 0, 0, 1000, 1000],
      [0, 0, 0, 0, 0],
    ]);
    const off = machine('mainline-6.18', plans, {
      knobs: { 'watermark.lowmem_reserve_ratio': [256, 256, 0, 0, 0] },
    });
    setLowmemReserve(off);
    expect(reserves(off)[0]).toEqual([0, 0, 0, 0, 0]);
    const empty = machine('mainline-6.18', [{ index: normal, start: BASE, spanned: 0 }, plans[1]!]);
    setLowmemReserve(empty);
    expect(reserves(empty)[0]).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('35 dma protection', () => {
  const plans = [DMA, DMA32, { index: normal, start: BASE, spanned: 1_310_720 }];

  it.each(POLICY_NAMES)('a request that may use Normal never gets a page of zone DMA, %s', (policy) => {
    const mm = booted(policy, plans);
    const zone = mm.zones[0]!;
    expect([boostedMark(zone, WMARK_LOW), zone.lowmem_reserve[normal]]).toEqual([38, 8139]);
    expect(zone.nr_free_pages).toBe(3840);
    const passes = () =>
      zoneWatermarkFast(zone, mm.rules, 0, boostedMark(zone, WMARK_LOW), normal, ALLOC_KSWAPD, GFP_KERNEL);
    expect(passes()).toBe(false);
    zone.nr_free_pages = 38 + 8139;
    expect(passes()).toBe(false);
    zone.nr_free_pages++;
    expect(passes()).toBe(true);
  });

  it.each(POLICY_NAMES)('the walk stops above it, %s', (policy) => {
    const mm = booted(policy, [DMA, { index: normal, start: BASE, spanned: 1_310_720 }]);
    const upper = mm.zones[1]!;
    for (const pfn of upper.listPfns(10, 1)) {
      upper.remove(pfn, 10, 1);
      upper.postFree(0, -1024);
    }
    expect(allocPages(mm, 0, GFP_KERNEL, 0, -1, false)).toBe(NO_PFN);
    expect(allocPages(mm, 0, GFP_KERNEL | GFP_DMA_BIT, 0, -1, false)).toBeLessThan(0x1000);
  });
});

describe('stat threshold', () => {
  it.each([
    ['recording fs-churn, DMA', 3840, 2, 4],
    ['recording fs-churn, DMA32', 772_917, 2, 24],
    ['recording fs-churn, Normal', 1_409_024, 2, 28],
    ['6.1.192 run mem, DMA', 3840, 1, 2],
    ['6.1.192 run mem, DMA32', 113_261, 1, 6],
    ['7.2.12 run numa2, node 1', 64_419, 1, 4],
    ['7.2.12 run boot', 242_364, 1, 8],
    ['7.2.12 run fork-smp2', 242_301, 2, 16],
    ['many CPUs, 1 TiB', 1 << 28, 256, 125],
  ] as const)('2.8 %s', (_, managed, cpus, threshold) => {
    const mm = machine('mainline-6.18', [{ index: normal, start: BASE, spanned: managed }]);
    expect(normalThreshold(mm.zones[0]!, cpus)).toBe(threshold);
  });

  it('2.8 under pressure all CPUs together hide less than the way from low to min', () => {
    const { zones } = booted('mainline-6.18', [{ index: normal, start: BASE, spanned: 1 << 18 }]);
    const zone = zones[0]!;
    zone.watermark.set([1000, 1100]);
    expect([1, 4, 64, 200].map((cpus) => pressureThreshold(zone, cpus))).toEqual([100, 25, 1, 1]);
    zone.watermark.set([1000, 9000]);
    expect(pressureThreshold(zone, 2)).toBe(125);
  });
});

describe('mobility grouping', () => {
  it.each([
    ['mainline-6.1', 2559, false],
    ['mainline-6.1', 2560, true],
    ['mainline-6.18', 2560, true],
    ['mainline-7.2', 3071, false],
    ['mainline-7.2', 3072, true],
  ] as const)('2.6 %s with %i pages: %s', (policy, pages, grouping) => {
    const mm = machine(policy, [{ index: normal, start: BASE, spanned: pages }]);
    setMobilityGrouping(mm);
    expect(mm.grouping).toBe(grouping);
  });

  it('2.6 can be forced either way; the sizes themselves do not care', () => {
    const plans = [{ index: normal, start: BASE, spanned: 4096 }];
    const off = booted('mainline-6.18', plans, { knobs: { 'mobility.grouping': 'off' } });
    expect(off.grouping).toBe(false);
    expect(off.zones[0]!.listPfns(10, 0)).toHaveLength(4);
    const on = machine('mainline-7.2', [{ index: normal, start: BASE, spanned: 512 }], {
      knobs: { 'mobility.grouping': 'on' },
    });
    setUpZones(on);
    expect(on.grouping).toBe(true);
  });
});
