/** The periodic worker of a CPU. model: page-allocator 2.8, 3.9, 10a.1 */
import { describe, expect, it } from 'vitest';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { hasUnfoldedCounters, refreshCpuVmStats } from '../../../src/mm/page-alloc/vmstat-worker.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES, type PolicyName } from '../policies.js';
import { BASE, blockMachine, booted, takeChunk } from './setup-support.js';

/** One CPU with `single` order-0 entries and `quads` of order 2 on its movable lists. */
function listsOf(policy: PolicyName, single: number, quads: number) {
  const { mm, zone } = blockMachine(policy, 8);
  const pcp = zone.pcps[0]!;
  Object.assign(pcp, { batch: 15, high: 5000, high_min: 5000, high_max: 5000 });
  takeChunk(mm, BASE, 10, false);
  takeChunk(mm, BASE + 0x400, 10, false);
  for (let i = 0; i < single; i++) freePages(mm, 0, BASE + i, 0);
  for (let i = 0; i < quads; i++) freePages(mm, 0, BASE + 0x400 + 4 * i, 2);
  expect(pcp.count).toBe(single + 4 * quads);
  pcp.high_min = 100;
  return { mm, zone, pcp };
}

describe('decay of a tuned high mark', () => {
  it.each(['mainline-6.18', 'mainline-7.2'] as const)('an eighth at a time, %s', (policy) => {
    const { mm, pcp } = listsOf(policy, 50, 0);
    pcp.high = 801;
    expect(refreshCpuVmStats(mm, 0)).toBeGreaterThan(0);
    expect([pcp.high, pcp.count]).toEqual([701, 50]);
    pcp.high = 110;
    refreshCpuVmStats(mm, 0);
    expect([pcp.high, pcp.count]).toEqual([100, 50]);
    // at the lower limit there is nothing left to do
    expect(refreshCpuVmStats(mm, 0)).toBe(0);
  });

  it.each(['mainline-6.18', 'mainline-7.2'] as const)('never more than 32 batches at once, %s', (policy) => {
    const { mm, pcp } = listsOf(policy, 1000, 0);
    pcp.high = 300;
    refreshCpuVmStats(mm, 0);
    // 1000 - 480 is above 300 - 37
    expect([pcp.high, pcp.count]).toEqual([520, 520]);
    validate(mm);
  });

  it('6.18 drains in one call, 7.2 in chunks that overshoot each', () => {
    const counts = (['mainline-6.18', 'mainline-7.2'] as const).map((policy) => {
      const { mm, zone, pcp } = listsOf(policy, 0, 200);
      pcp.high = 100;
      const before = zone.nr_free[2]! + zone.nr_free[3]!;
      refreshCpuVmStats(mm, 0);
      expect(before).toBe(0);
      validate(mm);
      return pcp.count;
    });
    // 700 pages too many: 175 entries of four in one call; 46 chunks of 15 take 16 each, the last one of 10 takes 12
    expect(counts).toEqual([100, 800 - 46 * 16 - 12]);
  });

  it('6.1 neither lowers nor drains', () => {
    const { mm, zone } = blockMachine('mainline-6.1', 8);
    const pcp = zone.pcps[0]!;
    takeChunk(mm, BASE, 10, false);
    Object.assign(pcp, { high: 500, high_min: 100, high_max: 5000 });
    for (let i = 0; i < 200; i++) freePages(mm, 0, BASE + i, 0);
    refreshCpuVmStats(mm, 0);
    expect([pcp.high, pcp.count]).toEqual([500, 200]);
  });
});

describe.each(POLICY_NAMES)('counters, %s', (policy) => {
  it('are folded whatever their size, before anything is drained', () => {
    const { mm, zone } = blockMachine(policy, 8);
    zone.stat_threshold = 125;
    zone.postFree(0, -7);
    const folded = zone.nr_free_pages;
    expect(hasUnfoldedCounters(mm, 0)).toBe(true);
    expect(refreshCpuVmStats(mm, 0)).toBe(1);
    expect([zone.nr_free_pages, zone.pcps[0]!.nr_free_diff]).toEqual([folded - 7, 0]);
    expect(hasUnfoldedCounters(mm, 0)).toBe(false);
  });
});

describe.each(POLICY_NAMES)('lists of a remote node, %s', (policy) => {
  function remote() {
    const mm = booted(
      policy,
      [0, 1].map((node) => ({
        node,
        index: ZoneIndex.normal,
        start: BASE + node * 0x4000,
        spanned: 0x4000,
      })),
      { cpu_nodes: [0, 1] },
    );
    const zone = mm.zones[1]!;
    takeChunk(mm, BASE + 0x4000, 10, false);
    for (let i = 0; i < 40; i++) freePages(mm, 0, BASE + 0x4000 + i, 0);
    // a counter change starts the clock
    zone.postFree(0, 1);
    zone.postFree(0, -1);
    zone.pcps[0]!.nr_free_diff = 0;
    return { mm, zone, pcp: zone.pcps[0]! };
  }

  it('are drained by a batch on the third idle run after a change', () => {
    const { mm, zone, pcp } = remote();
    pcp.nr_free_diff = 2;
    zone.nr_free_pages -= 2;
    const counts = [1, 2, 3, 4].map(() => {
      refreshCpuVmStats(mm, 0);
      return pcp.count;
    });
    expect(counts).toEqual([40, 40, 40 - pcp.batch, 40 - pcp.batch]);
  });

  it('of the own node are kept, and so are untouched ones', () => {
    const { mm, pcp } = remote();
    for (let run = 0; run < 5; run++) refreshCpuVmStats(mm, 0);
    expect(pcp.count).toBe(40);
    const own = mm.zones[0]!;
    takeChunk(mm, BASE, 10, false);
    freePages(mm, 0, BASE, 0);
    own.pcps[0]!.expire = 3;
    for (let run = 0; run < 5; run++) refreshCpuVmStats(mm, 0);
    expect([own.pcps[0]!.count, own.pcps[0]!.expire]).toEqual([1, 0]);
  });
});
