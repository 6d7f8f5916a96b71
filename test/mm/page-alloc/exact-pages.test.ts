/** Allocations of any number of pages. model: page-allocator 4.10; scenario 41 */
import { describe, expect, it } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { allocPagesExact, freePagesExact } from '../../../src/mm/page-alloc/exact-pages.js';
import { freePages, ownerOf } from '../../../src/mm/page-alloc/free-owned.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { NO_PFN } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { BASE, blockMachine, freeLists, makeDirect, takeChunk, trueFree } from './setup-support.js';

const GFP_MOVABLE_KERNEL = GFP_HIGHUSER_MOVABLE & ~0x2;

describe.each(POLICY_NAMES)('41 exact alloc, %s', (policy) => {
  /** Nothing free but the given order-3 chunks. */
  function only(...offsets: number[]) {
    const { mm, zone } = blockMachine(policy, 2);
    makeDirect(zone);
    takeChunk(mm, BASE, 10, false);
    for (const offset of offsets) freePages(mm, 0, BASE + offset, 3);
    mm.pgfree = 0;
    return { mm, zone };
  }

  //   [ P P+1 P+2 P+3 P+4 | P+5 | P+6 P+7 ]
  it('five pages of an order 3: the rest comes back, merged, past the per-CPU list', () => {
    const { mm, zone } = only(0x40);
    zone.pcps[0]!.batch = 15;
    expect(allocPagesExact(mm, 0, GFP_MOVABLE_KERNEL, 5, -1)).toBe(BASE + 0x40);
    expect(freeLists(zone)).toEqual({ 'o0 M': 'B+0x45', 'o1 M': 'B+0x46' });
    expect([zone.pcps[0]!.count, mm.pgfree, trueFree(zone)]).toEqual([0, 3, 3]);
    expect(ownerOf(mm, BASE + 0x44)).toMatchObject({ head: BASE + 0x44, order: 0 });
    expect(ownerOf(mm, BASE + 0x45)).toBeNull();
    validate(mm);
    freePagesExact(mm, 0, BASE + 0x40, 5);
    zone.pcps[0]!.batch = 1;
    freePages(mm, 0, BASE + 0x200, 0);
    validate(mm);
  });

  it('the surplus goes to the tails', () => {
    const { mm, zone } = only(0x40, 0x80);
    freePages(mm, 0, BASE + 0x101, 0);
    allocPagesExact(mm, 0, GFP_MOVABLE_KERNEL, 7, -1);
    expect(freeLists(zone)).toMatchObject({ 'o0 M': expect.stringMatching(/^B\+0x101 B\+0x[48]7$/) });
    validate(mm);
  });

  it.each([
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 2],
    [8, 3],
  ])('%i pages come from order %i', (pages, order) => {
    const { mm, zone } = only(0x40);
    const first = allocPagesExact(mm, 0, GFP_MOVABLE_KERNEL, pages, -1);
    expect(first).toBe(BASE + 0x40);
    expect(mm.pgfree).toBe((1 << order) - pages);
    expect(trueFree(zone)).toBe(8 - pages);
    freePagesExact(mm, 0, first, pages);
    expect(freeLists(zone)).toEqual({ 'o3 M': 'B+0x40' });
    validate(mm);
  });

  it('fails without a trace', () => {
    const { mm, zone } = only();
    expect(allocPagesExact(mm, 0, GFP_KERNEL, 5, -1)).toBe(NO_PFN);
    expect(trueFree(zone)).toBe(0);
  });
});
