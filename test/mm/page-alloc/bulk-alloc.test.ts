/** The bulk allocator. model: page-allocator 4.10, 10a.4 */
import { describe, expect, it } from 'vitest';
import { GFP_ACCOUNT_BIT, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { allocPagesBulk } from '../../../src/mm/page-alloc/bulk-alloc.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { ZONE_RECLAIM_ACTIVE } from '../../../src/mm/page-alloc/zone.js';
import { NO_PFN, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES, type PolicyName } from '../policies.js';
import { BASE, blockMachine, booted, trueFree } from './setup-support.js';

function empty(slots: number): number[] {
  return new Array<number>(slots).fill(NO_PFN);
}

function ready(policy: PolicyName) {
  const { mm, zone } = blockMachine(policy, 64);
  const pcp = zone.pcps[0]!;
  Object.assign(pcp, { batch: 15, high: 500, high_min: 500, high_max: 500 });
  return { mm, zone, pcp };
}

describe.each(POLICY_NAMES)('bulk, %s', (policy) => {
  it('takes the heads of the list, with ordinary refills, and does not end a free streak', () => {
    const { mm, zone, pcp } = ready(policy);
    Object.assign(pcp, { free_factor: 3, free_count: 60 });
    const slots = empty(20);
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, -1, slots)).toBe(20);
    expect(slots).toEqual(Array.from({ length: 20 }, (_, i) => slots[0]! + i));
    // 6.1 refills 15 twice, 6.7+ 15 and then 30
    expect([pcp.count, zone.pgalloc]).toEqual([policy === 'mainline-6.1' ? 10 : 25, 20]);
    expect([pcp.free_factor, pcp.free_count]).toEqual([3, 60]);
    validate(mm, { movable_known: true });
  });

  it('skips slots that are filled already', () => {
    const { mm } = ready(policy);
    const slots = [7, NO_PFN, 8, NO_PFN, NO_PFN, 9];
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, -1, slots)).toBe(6);
    expect(slots.filter((pfn) => pfn === NO_PFN)).toEqual([]);
    expect([slots[0], slots[2], slots[5]]).toEqual([7, 8, 9]);
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, -1, slots)).toBe(6);
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, -1, [])).toBe(0);
  });

  it('one page, and accounted ones, go the ordinary way: one page a call', () => {
    const { mm, pcp } = ready(policy);
    Object.assign(pcp, { free_factor: 2, free_count: 8 });
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, -1, empty(1))).toBe(1);
    expect([pcp.free_factor, pcp.free_count]).toEqual([1, 4]);
    const slots = empty(4);
    expect(allocPagesBulk(mm, 0, GFP_KERNEL | GFP_ACCOUNT_BIT, -1, slots)).toBe(1);
    expect(slots.slice(1)).toEqual(empty(3));
    validate(mm);
  });

  it('stops where the zone has no more, and below the mark gets one page at a time', () => {
    const { mm, zone } = ready(policy);
    zone.watermark.fill(0);
    zone.watermark[1] = trueFree(zone) - 10;
    const slots = empty(10);
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, -1, slots)).toBe(1);
    const few = empty(5);
    zone.watermark[1] = 0;
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, -1, few)).toBe(5);
    validate(mm);
  });

  it('never looks at another node for more than one page', () => {
    const plans = [0, 1].map((node) => ({
      node,
      index: ZoneIndex.normal,
      start: BASE + node * 0x8000,
      spanned: 0x8000,
    }));
    const mm = booted(policy, plans);
    mm.zones[0]!.watermark.fill(0x7fff_0000);
    const slots = empty(8);
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, -1, slots)).toBe(1);
    expect(mm.zoneOf(slots[0]!)).toBe(mm.zones[1]);
    mm.zones[0]!.flags |= ZONE_RECLAIM_ACTIVE;
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, 1, empty(8))).toBe(8);
    validate(mm);
  });
});

describe('the mark of a bulk request', () => {
  it.each([
    ['mainline-6.1', 9],
    ['mainline-6.18', 9],
    ['mainline-7.2', 12],
  ] as const)('%s: of 12 slots 8 are filled; %i after one call', (policy, filled) => {
    const { mm, zone } = ready(policy);
    zone.watermark.fill(0);
    // room for 4 more pages, not for 12
    zone.watermark[1] = trueFree(zone) - 6;
    const slots = [...new Array<number>(8).fill(1), ...empty(4)];
    expect(allocPagesBulk(mm, 0, GFP_KERNEL, -1, slots)).toBe(filled);
  });
});
