/** How much a zone may keep for atomic high-order requests, and how far it can be boosted. model: page-allocator 2.7, 4.8 */
import { describe, expect, it } from 'vitest';
import { reserveHighatomic } from '../../../src/mm/page-alloc/highatomic.js';
import { boostWatermark } from '../../../src/mm/page-alloc/watermark.js';
import { WMARK_HIGH } from '../../../src/mm/page-alloc/zone.js';
import { PAGEBLOCK_PAGES, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { BASE, machine } from './setup-support.js';

describe('36 highatomic limits', () => {
  it.each([
    ['mainline-6.1', 1_310_720, 27],
    ['mainline-6.18', 1_310_720, 26],
    ['mainline-7.2', 1_310_720, 26],
    ['mainline-6.1', 3840, 2],
    ['mainline-6.18', 3840, 0],
    ['mainline-7.2', 3840, 0],
    // one percent must reach a block before anything is reserved
    ['mainline-6.18', 51_199, 0],
    ['mainline-6.18', 51_200, 1],
  ] as const)('%s, managed %i: %i blocks', (policy, managed, blocks) => {
    const spanned = 32 * PAGEBLOCK_PAGES;
    const mm = machine(policy, [{ index: ZoneIndex.normal, start: BASE, spanned, managed }]);
    const zone = mm.zones[0]!;
    for (let pfn = BASE; pfn < BASE + spanned; pfn += PAGEBLOCK_PAGES) reserveHighatomic(mm, zone, 0, pfn, 1);
    expect(zone.nr_reserved_highatomic).toBe(blocks * PAGEBLOCK_PAGES);
  });
});

describe.each(POLICY_NAMES)('37 boost cap, %s', (policy) => {
  function zoneWith(high: number, managed: number, factor = 15_000) {
    const mm = machine(policy, [{ index: ZoneIndex.normal, start: BASE, spanned: managed }], {
      knobs: { 'watermark.boost_factor': factor },
    });
    const zone = mm.zones[0]!;
    zone.watermark[WMARK_HIGH] = high;
    return { zone, boost: () => boostWatermark(zone, mm.rules, PAGEBLOCK_PAGES) };
  }

  it('high 15912: steps of a block up to 23868', () => {
    const { zone, boost } = zoneWith(15_912, 1_310_720);
    const steps: number[] = [];
    while (zone.watermark_boost < 23_868) {
      expect(boost()).toBe(true);
      steps.push(zone.watermark_boost);
    }
    expect(steps.length).toBe(47);
    expect(steps.slice(0, 3)).toEqual([512, 1024, 1536]);
    expect(steps.slice(-2)).toEqual([23_552, 23_868]);
    expect(boost()).toBe(true);
    expect(zone.watermark_boost).toBe(23_868);
  });

  it('16 GiB: the 37th event reaches the cap of 18726', () => {
    const { zone, boost } = zoneWith(12_484, 4_194_304);
    for (let event = 1; event < 37; event++) boost();
    expect(zone.watermark_boost).toBe(36 * 512);
    boost();
    expect(zone.watermark_boost).toBe(18_726);
  });

  it('a small high mark still allows one block; none at all without a mark, a factor or memory', () => {
    const small = zoneWith(10, 1_310_720);
    small.boost();
    small.boost();
    expect(small.zone.watermark_boost).toBe(512);
    expect(zoneWith(0, 1_310_720).boost()).toBe(false);
    expect(zoneWith(15_912, 1_310_720, 0).boost()).toBe(false);
    expect(zoneWith(15_912, 2047).boost()).toBe(false);
    expect(zoneWith(15_912, 2048).boost()).toBe(true);
  });
});
