/** Sizes of the per-CPU lists, against kernels' own numbers. model: page-allocator 3.3, 3.3a */
import { describe, expect, it } from 'vitest';
import { disablePcps, enablePcps, pcpBatch } from '../../../src/mm/page-alloc/pcp-setup.js';
import { PCPF_FREE_HIGH_BATCH, type PerCpuPages } from '../../../src/mm/page-alloc/per-cpu-pages.js';
import { setUpZones } from '../../../src/mm/page-alloc/zone-setup.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import type { PolicyName } from '../policies.js';
import { BASE, type MachineOptions, machine } from './setup-support.js';

const { dma, dma32, normal } = ZoneIndex;

/** The first CPU's lists in each zone of a machine of one node. */
function lists(policy: PolicyName, managed: readonly number[], options: MachineOptions = {}): PerCpuPages[] {
  const [first, second, third] = managed;
  const plans = [{ index: dma, start: 1, spanned: 4095, present: 3998, managed: first! }];
  const mm = machine(
    policy,
    [
      ...plans,
      ...(second === undefined ? [] : [{ index: dma32, start: 0x1000, spanned: second }]),
      ...(third === undefined ? [] : [{ index: normal, start: BASE, spanned: third }]),
    ],
    options,
  );
  setUpZones(mm);
  return mm.zones.map((zone) => zone.pcps[0]!);
}

describe('batch', () => {
  it.each([
    [3840, 1],
    [49_261, 15],
    [64_420, 15],
    [1 << 16, 15],
    [113_533, 31],
    [126_277, 31],
    [242_031, 63],
    [1 << 18, 63],
    [1 << 26, 63],
    [0, 1],
  ])('3.3a of %i managed pages is %i', (managed, batch) => {
    expect(pcpBatch(managed)).toBe(batch);
  });
});

describe('limits of high', () => {
  it('3.3a live: managed 3840/772917/1310720, two CPUs', () => {
    const [first, , third] = lists('mainline-6.18', [3840, 772_917, 1_310_720], { cpu_nodes: [0, 0] });
    expect([first!.high_min, first!.high_max]).toEqual([19, 240]);
    expect([third!.high_min, third!.high_max]).toEqual([6630, 81_920]);
    expect(third!.high).toBe(0);
  });

  it('recording fs-churn: managed 3840/772917/1409024, two CPUs', () => {
    const found = lists('mainline-6.18', [3840, 772_917, 1_409_024], { cpu_nodes: [0, 0] });
    expect(found.map((pcp) => [pcp.batch, pcp.high_min, pcp.high_max])).toEqual([
      [1, 18, 240],
      [63, 3733, 48_307],
      [63, 6806, 88_064],
    ]);
  });

  // `managed` was 239360 when the marks were set: eight times 7.2's high_max of both CPUs. It has grown since.
  it('6.1.192, run fork-smp2: one mark, half of low for each of two CPUs', () => {
    const found = lists('mainline-6.1', [3840, 239_360], { cpu_nodes: [0, 0] });
    expect(found.map((pcp) => [pcp.batch, pcp.high, pcp.high_min, pcp.high_max])).toEqual([
      [1, 110, 110, 110],
      [63, 6928, 6928, 6928],
    ]);
  });

  it('7.2.12, run fork-smp2: limits of a tuned mark', () => {
    const found = lists('mainline-7.2', [3840, 239_360], { cpu_nodes: [0, 0] });
    expect(found.map((pcp) => [pcp.batch, pcp.high_min, pcp.high_max])).toEqual([
      [1, 110, 240],
      [63, 6928, 14_960],
    ]);
  });

  it('7.2.12, run numa2: the CPU of node 0 counts for node 1 too, which has none', () => {
    const mm = machine(
      'mainline-7.2',
      [
        { index: dma, start: 1, spanned: 4095, present: 3998, managed: 3840 },
        { index: dma32, start: 0x1000, spanned: 46_976 },
        { node: 1, index: dma32, start: 0x1_0000, spanned: 63_752 },
      ],
      { thp: false },
    );
    setUpZones(mm);
    expect(mm.zones.map(({ pcps: [pcp] }) => [pcp!.batch, pcp!.high_min, pcp!.high_max])).toEqual([
      [1, 27, 480],
      [15, 346, 5872],
      [15, 470, 7969],
    ]);
  });

  it.each([
    ['mainline-6.1', 772_917 / 9],
    ['mainline-6.18', 772_917 / 9],
  ] as const)('a fraction fixes both limits, %s', (policy, share) => {
    const [, second] = lists(policy, [3840, 772_917], { knobs: { 'pcp.high_fraction': 9 } });
    expect([second!.high_min, second!.high_max]).toEqual([Math.trunc(share), Math.trunc(share)]);
    expect(second!.high).toBe(policy === 'mainline-6.1' ? Math.trunc(share) : 0);
  });

  it('is at least four batches', () => {
    const cpu_nodes = new Array<number>(4096).fill(0);
    const [, second] = lists('mainline-6.18', [3840, 772_917], { cpu_nodes });
    expect([second!.high_min, second!.high_max]).toEqual([252, 252]);
  });

  it('a node without CPUs shares with all CPUs, others with their own', () => {
    const plans = [0, 1, 2].map((node) => ({
      node,
      index: normal,
      start: BASE + node * 0x10_0000,
      spanned: 1 << 20,
    }));
    const mm = machine('mainline-6.18', plans, { cpu_nodes: [0, 0, 0, 1] });
    setUpZones(mm);
    expect(mm.zones.map((zone) => zone.pcps[0]!.high_max)).toEqual([
      Math.trunc((1 << 17) / 3),
      1 << 17,
      1 << 15,
    ]);
  });
});

describe('FREE_HIGH_BATCH', () => {
  // 3 * 63 = 189 pages
  it.each([
    ['mainline-6.18', 190, PCPF_FREE_HIGH_BATCH],
    ['mainline-6.18', 189, 0],
    ['mainline-7.2', 190, PCPF_FREE_HIGH_BATCH],
    ['mainline-6.1', 190, 0],
  ] as const)('%s with a cache of %i pages', (policy, pages, flag) => {
    const [, second] = lists(policy, [3840, 772_917], { cache_bytes: pages * 4096 + 4095 });
    expect(second!.flags & PCPF_FREE_HIGH_BATCH).toBe(flag);
  });
});

describe('switching lists off', () => {
  it.each(['mainline-6.1', 'mainline-6.18'] as const)(
    'and on again leaves the sizes as they were, %s',
    (policy) => {
      const mm = machine(policy, [{ index: normal, start: BASE, spanned: 1 << 20 }]);
      setUpZones(mm);
      const zone = mm.zones[0]!;
      const pcp = zone.pcps[0]!;
      const before = { ...pcp };
      const sizes = disablePcps(mm, zone);
      expect([pcp.batch, pcp.high_min, pcp.high_max]).toEqual([1, 0, 0]);
      enablePcps(mm, zone, sizes);
      expect({ ...pcp }).toEqual(before);
    },
  );
});
