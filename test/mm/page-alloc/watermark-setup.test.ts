/** min_free_kbytes and the marks, against kernels' own numbers. model: page-allocator 2.4; gfp C9 */
import { describe, expect, it } from 'vitest';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import {
  defaultMinFreeKbytes,
  isqrt,
  setUpWatermarks,
  setWatermarks,
  thpMinFreeKbytes,
} from '../../../src/mm/page-alloc/watermark-setup.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { BASE, machine, type ZonePlan } from './setup-support.js';

const { dma, dma32, normal, movable } = ZoneIndex;

const DMA: ZonePlan = { index: dma, start: 1, spanned: 4095, present: 3998, managed: 3840 };

function dma32Of(managed: number, present = managed): ZonePlan {
  return { index: dma32, start: 0x1000, spanned: present, present, managed };
}
function normalOf(managed: number): ZonePlan {
  return { index: normal, start: BASE, spanned: managed };
}

function marks(mm: PageAllocator): number[][] {
  return mm.zones.map((zone) => [...zone.watermark]);
}

describe('isqrt', () => {
  it.each([
    [0, 0],
    [1, 1],
    [3, 1],
    [4, 2],
    [2 ** 52 - 1, 2 ** 26 - 1],
    [2 ** 52, 2 ** 26],
    [(2 ** 26 - 1) ** 2 - 1, 2 ** 26 - 2],
  ])('of %i is %i', (value, root) => {
    expect(isqrt(value)).toBe(root);
  });
});

describe('min_free_kbytes of one zone', () => {
  const MIB = 256;
  it.each([
    ['256 MiB', 256, 2048, [512, 640, 768]],
    ['1 GiB', 1024, 4096, [1024, 1286, 1548]],
    ['4 GiB', 4096, 8192, [2048, 3096, 4144]],
    ['16 GiB', 16_384, 16_384, [4096, 8290, 12_484]],
    ['64 GiB', 65_536, 32_768, [8192, 24_969, 41_746]],
    ['256 GiB', 262_144, 65_536, [16_384, 83_492, 150_600]],
  ] as const)('C9 table: %s', (_, mebibytes, kbytes, [min, low, high]) => {
    const mm = machine('mainline-6.18', [normalOf(mebibytes * MIB)], { thp: false });
    expect(setUpWatermarks(mm)).toBe(kbytes);
    expect(marks(mm)).toEqual([[min, low, high, high + (low - min)]]);
  });

  it('is never below 128, nor above 262144', () => {
    expect(defaultMinFreeKbytes(machine('mainline-6.18', [normalOf(64)]))).toBe(128);
    expect(defaultMinFreeKbytes(machine('mainline-6.18', [normalOf(0x7000_0000)]))).toBe(262_144);
  });

  it('a value of the user stands, whatever khugepaged wants', () => {
    const mm = machine('mainline-6.18', [normalOf(1 << 20)], {
      knobs: { 'watermark.min_free_kbytes': 1000 },
    });
    expect(setUpWatermarks(mm)).toBe(1000);
    expect(marks(mm)[0]![0]).toBe(250);
  });

  it('products beyond 2^53 stay exact', () => {
    const managed = 0x7000_0001;
    const mm = machine('mainline-6.18', [normalOf(managed)]);
    setWatermarks(mm, 0x4000_0000);
    expect(mm.zones[0]!.watermark[0]).toBe(0x1000_0000);
  });
});

describe('marks of live kernels', () => {
  const PAGES_MIN_OF_3_ZONES = 67_584;
  it.each(POLICY_NAMES)('2.4 live check: managed 3840/772917/1310720, %s', (policy) => {
    const mm = machine(policy, [DMA, dma32Of(772_917), normalOf(1_310_720)]);
    expect(setUpWatermarks(mm)).toBe(PAGES_MIN_OF_3_ZONES);
    expect(marks(mm)).toEqual([
      [31, 38, 45, 52],
      [6255, 7818, 9381, 10_944],
      [10_608, 13_260, 15_912, 18_564],
    ]);
  });

  it('recording fs-churn: managed 3840/772917/1409024', () => {
    const mm = machine('mainline-6.18', [DMA, dma32Of(772_917), normalOf(1_409_024)]);
    setUpWatermarks(mm);
    expect(marks(mm)).toEqual([
      [29, 36, 43, 50],
      [5974, 7467, 8960, 10_453],
      [10_891, 13_613, 16_335, 19_057],
    ]);
  });

  // Two zones: khugepaged wants 11264 pages, and gets a twentieth of what lies above the marks that it finds. Those are
  // known from runs without THP on the same machine.
  it.each([
    ['6.1.192, run mem', 'mainline-6.1', 113_261, [5613, 7016, 8419, 9822]],
    ['6.18.15, run mem', 'mainline-6.18', 113_880, [5644, 7055, 8466, 9877]],
    ['7.2.12, run mem', 'mainline-7.2', 113_533, [5627, 7033, 8439, 9845]],
  ] as const)('%s: the cap of one twentieth', (_, policy, managed, second) => {
    const mm = machine(policy, [DMA, dma32Of(managed)]);
    mm.zones[0]!.watermark.set([22, 27, 32]);
    mm.zones[1]!.watermark.set([653, 816, 979]);
    setWatermarks(mm, thpMinFreeKbytes(mm));
    expect(marks(mm)).toEqual([[190, 237, 284, 331], second]);
  });

  it('7.2.12, run fork-smp2: two zones below the cap', () => {
    // `managed` when the marks were set: eight times high_max of both CPUs
    const mm = machine('mainline-7.2', [DMA, dma32Of(239_360)]);
    expect(setUpWatermarks(mm)).toBe(11_264 * 4);
    expect(marks(mm)).toEqual([
      [177, 221, 265, 309],
      [11_086, 13_857, 16_628, 19_399],
    ]);
  });

  it('7.2.12, run numa2: without THP, two nodes share one min_free_kbytes', () => {
    // again `managed` when the marks were set: eight times high_max
    const plans = [
      DMA,
      dma32Of(46_976),
      { node: 1, index: dma32, start: 65_536, spanned: 65_501, managed: 63_752 },
    ];
    const mm = machine('mainline-7.2', plans, { thp: false });
    expect(setUpWatermarks(mm)).toBe(2707);
    expect(marks(mm)).toEqual([
      [22, 27, 32, 37],
      [277, 346, 415, 484],
      [376, 470, 564, 658],
    ]);
  });

  it('khugepaged counts the populated zones below Movable', () => {
    const three = machine('mainline-6.18', [DMA, dma32Of(772_917), normalOf(1_310_720)]);
    expect(thpMinFreeKbytes(three)).toBe(PAGES_MIN_OF_3_ZONES);
    const withMovable = machine('mainline-6.18', [
      normalOf(1_310_720),
      { index: movable, start: 0x40_0000, spanned: 100_000 },
      { index: dma, start: 0x1000, spanned: 0 },
    ]);
    expect(thpMinFreeKbytes(withMovable)).toBe(PAGES_MIN_OF_3_ZONES / 3);
  });
});

describe('ZONE_MOVABLE', () => {
  const plans = [normalOf(1 << 18), { index: movable, start: 0x20_0000, spanned: 1 << 18 }] as const;

  it('takes its share of min_free_kbytes in 6.1', () => {
    const mm = machine('mainline-6.1', plans);
    setWatermarks(mm, 8192);
    expect(marks(mm)).toEqual([
      [1024, 1286, 1548, 1810],
      [1024, 1286, 1548, 1810],
    ]);
  });

  it.each([
    ['a thousandth', 100_000, 97],
    ['at most 128', 1 << 18, 128],
    ['at least 32', 1024, 32],
    ['also when empty', 0, 32],
  ] as const)('has a small mark of its own since: %s', (_, pages, min) => {
    const mm = machine('mainline-6.18', [plans[0], { ...plans[1], spanned: pages }]);
    setWatermarks(mm, 4096);
    expect(mm.zones[0]!.watermark[0]).toBe(1024);
    expect(mm.zones[1]!.watermark[0]).toBe(min);
    // The gap is still that of the share it would have.
    const share = Math.trunc((1024 * pages) / (1 << 18));
    const gap = Math.max(Math.trunc(share / 4), Math.trunc(pages / 1000));
    expect(mm.zones[1]!.watermark[1]).toBe(min + gap);
  });
});

describe('recomputing', () => {
  it('starts from the marks in force, and ends a boost', () => {
    const mm = machine('mainline-6.18', [normalOf(1 << 20)], { thp: false });
    const fresh = setUpWatermarks(mm);
    mm.zones[0]!.watermark_boost = 512;
    const again = setUpWatermarks(mm);
    expect(again).toBeLessThan(fresh);
    expect(mm.zones[0]!.watermark_boost).toBe(0);
  });
});
