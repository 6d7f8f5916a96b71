/** Allocation of ranges by PFN. model: page-allocator 4.10, 10a.3 */
import { describe, expect, it } from 'vitest';
import { GFP_KERNEL } from '../../../src/mm/gfp.js';
import {
  allocContigPages,
  allocContigRange,
  freeContigRange,
} from '../../../src/mm/page-alloc/contig-alloc.js';
import { drainAllPages } from '../../../src/mm/page-alloc/drain-all.js';
import { freePages, ownerOf } from '../../../src/mm/page-alloc/free-owned.js';
import { unknownPagesAreMovable } from '../../../src/mm/page-alloc/page-span.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { NO_PFN, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import {
  BASE,
  blockLetters,
  blockMachine,
  booted,
  freeLists,
  makeDirect,
  takeChunk,
  trueFree,
} from './setup-support.js';

const BLOCK = 0x200;

describe.each(POLICY_NAMES)('a range of free pages, %s', (policy) => {
  //   [....|xxxxxxxxxxxxxxxxxx|....]
  it('comes out exactly, and what stuck out of its chunks is free again', () => {
    const { mm, zone } = blockMachine(policy, 8);
    const free = trueFree(zone);
    const pgalloc = zone.pgalloc;
    expect(allocContigRange(mm, 0, BASE + 0x155, 0x456)).toBe('allocated');
    validate(mm, { movable_known: true, strict_pageblocks: true });
    expect([trueFree(zone), zone.pgalloc, zone.nr_isolated_blocks]).toEqual([free - 0x456, pgalloc, 0]);
    for (const [pfn, isFree] of [
      [0x154, true],
      [0x155, false],
      [0x5aa, false],
      [0x5ab, true],
    ] as const)
      expect(mm.pages.buddyHead(BASE + pfn) >= 0).toBe(isFree);
    expect(blockLetters(mm, 8)).toBe('MMMMMMMM');
    freeContigRange(mm, 0, BASE + 0x155, 0x456);
    drainAllPages(mm);
    validate(mm, { movable_known: true, strict_pageblocks: true });
    expect(trueFree(zone)).toBe(free);
    expect(zone.nr_free[10]).toBe(4);
  });

  it('can be freed in pieces of any shape', () => {
    const { mm, zone } = blockMachine(policy, 4);
    makeDirect(zone);
    allocContigRange(mm, 0, BASE, 4 * BLOCK);
    expect(trueFree(zone)).toBe(0);
    freePages(mm, 0, BASE + 3, 0);
    freePages(mm, 0, BASE + 0x400, 9);
    expect(ownerOf(mm, BASE + 2)).not.toBeNull();
    expect(ownerOf(mm, BASE + 0x600)).not.toBeNull();
    expect(freeLists(zone)).toEqual({ 'o0 M': 'B+0x3', 'o9 M': 'B+0x400' });
    validate(mm);
  });
});

describe.each(POLICY_NAMES)('a range with pages in use, %s', (policy) => {
  it('movable ones move out of it, last first, and their owner is told', () => {
    const { mm, zone } = blockMachine(policy, 16);
    const moves: string[] = [];
    mm.onMigrate = (from, to, order) => {
      expect(to < BASE || to >= BASE + BLOCK).toBe(true);
      expect(ownerOf(mm, to)).toMatchObject({ head: to, order });
      moves.push(`${(from - BASE).toString(16)}/${order}`);
    };
    takeChunk(mm, BASE, 10, true);
    for (const [offset, order] of [
      [0x80, 7],
      [0x100, 8],
      [0x8, 3],
      [0x2, 1],
    ] as const)
      freePages(mm, 0, BASE + offset, order);
    drainAllPages(mm);
    const free = trueFree(zone);
    const movable = mm.pages.blockMovable.reduce((sum, pages) => sum + pages, 0);
    expect(allocContigRange(mm, 0, BASE, BLOCK)).toBe('allocated');
    // batches end with the page that makes them 32 pages or more
    expect(moves.slice(0, 7)).toEqual(['28/3', '20/3', '18/3', '10/3', '6/1', '4/1', '0/1']);
    expect(moves.slice(-2)).toEqual(['78/3', '70/3']);
    validate(mm, { movable_known: true });
    drainAllPages(mm);
    expect(trueFree(zone)).toBe(free - BLOCK);
    expect(mm.pages.blockMovable[BASE >>> 9]).toBe(0);
    expect(mm.pages.blockMovable.reduce((sum, pages) => sum + pages, 0)).toBe(movable);
    expect(mm.events.pgmigrate_success).toBe(BLOCK - 0x80 - 0x100 - 8 - 2);
    freeContigRange(mm, 0, BASE, BLOCK);
    validate(mm, { movable_known: true });
  });

  it('a large page moves as one', () => {
    const { mm, zone } = blockMachine(policy, 16);
    takeChunk(mm, BASE, 10, true);
    freePages(mm, 0, BASE + BLOCK, 9);
    const moves: number[][] = [];
    mm.onMigrate = (from, to, order) => moves.push([from, to, order]);
    expect(allocContigRange(mm, 0, BASE + 0x10, 4)).toBe('allocated');
    expect(moves).toEqual([[BASE, expect.any(Number), 9]]);
    expect(mm.pages.buddyHead(BASE)).toBe(BASE);
    validate(mm, { movable_known: true });
    expect(zone.nr_isolated_blocks).toBe(0);
  });

  it('an unmovable one in the range is refused, beside it is none of its business', () => {
    const { mm, zone } = blockMachine(policy, 8);
    makeDirect(zone);
    takeChunk(mm, BASE, 10, false);
    freePages(mm, 0, BASE, 8);
    freePages(mm, 0, BASE + BLOCK, 9);
    const free = trueFree(zone);
    expect(allocContigRange(mm, 0, BASE, BLOCK)).toBe('unmovable');
    expect([trueFree(zone), blockLetters(mm, 8)]).toEqual([free, 'MMMMMMMM']);
    expect(allocContigRange(mm, 0, BASE, 0x100)).toBe('allocated');
    expect(trueFree(zone)).toBe(free - 0x100);
    validate(mm, { movable_known: true });
  });

  it.each([
    [false, 10],
    [true, 0],
  ])('nowhere to move to: everything stays, isolation ends (split_large %s)', (splits, order) => {
    const { mm, zone } = blockMachine(policy, 2, { knobs: { 'migration.split_large': splits } });
    makeDirect(zone);
    takeChunk(mm, BASE, 10, true);
    // an allocation over the end of the range is not even tried
    expect(allocContigRange(mm, 0, BASE, BLOCK)).toBe('unmovable');
    expect(allocContigRange(mm, 0, BASE, 2 * BLOCK)).toBe('no_target');
    expect([blockLetters(mm, 2), zone.nr_isolated_blocks]).toEqual(['MM', 0]);
    // what had no place as a whole was split for another try, and is still all there
    expect(ownerOf(mm, BASE + 1023)).toMatchObject({ head: splits ? BASE + 1023 : BASE, order });
    expect(mm.events.pgmigrate_fail).toBeGreaterThan(0);
    validate(mm, { movable_known: true });
  });

  it('pages of unknown history move one by one where their block has movable ones only', () => {
    const { mm, zone } = blockMachine(policy, 8);
    takeChunk(mm, BASE, 10, false);
    freePages(mm, 0, BASE + BLOCK, 9);
    // as after loading a start state: 512 pages in use, 512 of them movable, and no more is known
    mm.pages.state[mm.pages.node(BASE, 9)] = 0;
    expect(unknownPagesAreMovable(mm, BASE >>> 9)).toBe(false);
    expect(allocContigRange(mm, 0, BASE, BLOCK)).toBe('unmovable');
    mm.pages.blockMovable[BASE >>> 9] = BLOCK;
    expect(unknownPagesAreMovable(mm, BASE >>> 9)).toBe(true);
    const moved = new Set<number>();
    mm.onMigrate = (from, _to, order) => {
      expect(order).toBe(0);
      moved.add(from);
    };
    expect(allocContigRange(mm, 0, BASE, BLOCK)).toBe('allocated');
    expect(moved.size).toBe(BLOCK);
    expect(zone.nr_isolated_blocks).toBe(0);
    validate(mm, { movable_known: true });
  });
});

describe('the search for a range', () => {
  it.each(POLICY_NAMES)('takes the first aligned range without obstacles, %s', (policy) => {
    const { mm } = blockMachine(policy, 16);
    takeChunk(mm, BASE, 10, false);
    takeChunk(mm, BASE + 0x400, 10, true);
    // the kernel's own pages at B, movable ones from B+0x400 on
    expect(allocContigPages(mm, 0, GFP_KERNEL, 0x400, -1)).toBe(BASE + 0x400);
    expect(allocContigPages(mm, 0, GFP_KERNEL, 0x800, -1)).toBe(BASE + 0x800);
    expect(allocContigPages(mm, 0, GFP_KERNEL, 0x2000, -1)).toBe(NO_PFN);
    validate(mm, { movable_known: true });
  });

  it('1 GiB at once', () => {
    const mm = booted('mainline-6.18', [{ index: ZoneIndex.normal, start: BASE - 0x800, spanned: 0x8_2000 }]);
    expect(allocContigPages(mm, 0, GFP_KERNEL, 1 << 18, -1)).toBe(BASE);
    expect(trueFree(mm.zones[0]!)).toBe(0x8_2000 - (1 << 18));
    validate(mm, { movable_known: true });
  });

  it('a node without such a range hands over to the next', () => {
    const plans = [0, 1].map((node) => ({
      node,
      index: ZoneIndex.normal,
      start: BASE + node * 0x2000,
      spanned: 0x2000,
    }));
    const mm = booted('mainline-6.18', plans, { cpu_nodes: [0, 1] });
    for (let pfn = BASE; pfn < BASE + 0x2000; pfn += 0x400) takeChunk(mm, pfn, 10, false);
    expect(allocContigPages(mm, 0, GFP_KERNEL, 0x400, -1)).toBe(BASE + 0x2000);
  });

  it('ranges that are no memory, empty, or of two zones are refused', () => {
    const { mm } = blockMachine('mainline-6.18', 4);
    expect(allocContigRange(mm, 0, BASE - 1, 2)).toBe('no_such_range');
    expect(allocContigRange(mm, 0, BASE + 0x700, 0x200)).toBe('no_such_range');
    expect(allocContigRange(mm, 0, BASE, 0)).toBe('no_such_range');
    const far = booted('mainline-6.18', [
      { index: ZoneIndex.normal, start: BASE, spanned: 0x1000, present: 0x800, managed: 0x800 },
    ]);
    expect(allocContigRange(far, 0, BASE + 0x600, 0x400)).toBe('no_such_range');
  });
});

it.each(POLICY_NAMES)('the surplus of a range is counted as freed, %s', (policy) => {
  const { mm, zone } = blockMachine(policy, 4);
  expect(allocContigRange(mm, 0, BASE, 3)).toBe('allocated');
  expect(mm.pgfree).toBe(BLOCK - 3);
  expect(freeLists(zone)).toMatchObject({ 'o0 M': 'B+0x3', 'o2 M': 'B+0x4' });
  validate(mm, { movable_known: true, strict_pageblocks: true });
});
