/** Isolating pageblocks and ending it. model: page-allocator 3.8, 2.8 */
import { beforeEach, describe, expect, it } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { drainAllPages } from '../../../src/mm/page-alloc/drain-all.js';
import { exactState } from '../../../src/mm/page-alloc/exact-state.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import {
  endIsolation,
  isolateBlock,
  isolateRange,
  unisolateBlock,
} from '../../../src/mm/page-alloc/isolation.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import { Migratetype, NO_PFN, ZoneIndex } from '../../../src/mm/types.js';
import { CLAIM_POLICY_NAMES, POLICY_NAMES } from '../policies.js';
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

describe.each(POLICY_NAMES)('isolation, %s', (policy) => {
  let mm: PageAllocator;
  let zone: Zone;

  beforeEach(() => {
    ({ mm, zone } = blockMachine(policy, 4));
    makeDirect(zone);
  });

  //   before  [ o10 M .......... ][ o10 M .......... ]
  //   after   [ o9 I ][ o9 M     ][ o10 M .......... ]
  it('a chunk of two blocks is split around the isolated one', () => {
    expect(isolateBlock(mm, zone, 0, BASE + 0x123)).toBe(Migratetype.movable);
    expect(freeLists(zone)).toEqual({ 'o9 M': 'B+0x200', 'o9 I': 'B', 'o10 M': 'B+0x400' });
    expect(blockLetters(mm, 4)).toBe('IMMM');
    expect([zone.nr_isolated_blocks, trueFree(zone)]).toEqual([1, 3 * BLOCK]);
    validate(mm, { strict_pageblocks: true });
  });

  it('the upper half likewise', () => {
    isolateBlock(mm, zone, 0, BASE + BLOCK);
    expect(freeLists(zone)).toEqual({ 'o9 M': 'B', 'o9 I': 'B+0x200', 'o10 M': 'B+0x400' });
    validate(mm, { strict_pageblocks: true });
  });

  it('ends with the halves merged again, at the tail', () => {
    isolateBlock(mm, zone, 0, BASE);
    unisolateBlock(mm, zone, 0, BASE, Migratetype.movable);
    expect(freeLists(zone)).toEqual({ 'o10 M': 'B+0x400 B' });
    expect([zone.nr_isolated_blocks, trueFree(zone)]).toEqual([0, 4 * BLOCK]);
    validate(mm, { strict_pageblocks: true });
  });

  it('two neighbours stay apart while isolated and merge when the second comes back', () => {
    isolateBlock(mm, zone, 0, BASE);
    isolateBlock(mm, zone, 0, BASE + BLOCK);
    expect(freeLists(zone)).toEqual({ 'o9 I': 'B B+0x200', 'o10 M': 'B+0x400' });
    validate(mm, { strict_pageblocks: true });
    unisolateBlock(mm, zone, 0, BASE, Migratetype.movable);
    expect(freeLists(zone)).toEqual({ 'o9 M': 'B', 'o9 I': 'B+0x200', 'o10 M': 'B+0x400' });
    unisolateBlock(mm, zone, 0, BASE + BLOCK, Migratetype.movable);
    expect(freeLists(zone)).toEqual({ 'o10 M': 'B+0x400 B' });
    validate(mm, { strict_pageblocks: true });
  });

  //   B   [x......x.....]   small chunks move to the tails in ascending order
  it('small chunks move as they are, and what is freed meanwhile joins them', () => {
    takeChunk(mm, BASE, 10, false);
    for (const offset of [0x40, 0x10, 0x300, 0x80]) freePages(mm, 0, BASE + offset, 3);
    const free = trueFree(zone);
    isolateBlock(mm, zone, 0, BASE);
    expect(freeLists(zone)).toMatchObject({ 'o3 M': 'B+0x300', 'o3 I': 'B+0x10 B+0x40 B+0x80' });
    freePages(mm, 0, BASE + 0x18, 3);
    freePages(mm, 0, BASE + 0x100, 0);
    expect(freeLists(zone)).toMatchObject({ 'o0 I': 'B+0x100', 'o3 I': 'B+0x40 B+0x80', 'o4 I': 'B+0x10' });
    expect(trueFree(zone)).toBe(free - 24);
    validate(mm);
    unisolateBlock(mm, zone, 0, BASE, Migratetype.movable);
    expect(freeLists(zone)).toMatchObject({ 'o3 M': 'B+0x300 B+0x40 B+0x80', 'o4 M': 'B+0x10' });
    expect(trueFree(zone)).toBe(free + 9);
    validate(mm);
  });

  it('isolated pages serve nobody', () => {
    for (let block = 0; block < 4; block++) isolateBlock(mm, zone, 0, BASE + block * BLOCK);
    expect(trueFree(zone)).toBe(0);
    for (const gfp of [GFP_KERNEL, GFP_HIGHUSER_MOVABLE])
      for (const order of [0, 3, 9]) expect(allocPages(mm, 0, gfp, order, -1, false)).toBe(NO_PFN);
    validate(mm);
  });

  it('pages that wait on a per-CPU list are drained to the isolated lists', () => {
    Object.assign(zone.pcps[0]!, { high: 100, high_min: 100, high_max: 100, batch: 15 });
    takeChunk(mm, BASE, 10, false);
    freePages(mm, 0, BASE + 5, 0);
    isolateBlock(mm, zone, 0, BASE);
    freePages(mm, 0, BASE + 6, 0);
    drainAllPages(mm);
    expect(freeLists(zone)).toMatchObject({ 'o0 I': expect.stringContaining('B+0x5') });
    expect(freeLists(zone)).not.toHaveProperty('o0 M');
    validate(mm);
  });

  it('a block is isolated once, and only as a whole', () => {
    isolateBlock(mm, zone, 0, BASE);
    expect(isolateBlock(mm, zone, 0, BASE)).toBe(-1);
    const odd = booted(policy, [{ index: ZoneIndex.normal, start: BASE + 7, spanned: 0x1000 }]);
    expect(isolateBlock(odd, odd.zones[0]!, 0, BASE + 7)).toBe(-1);
    expect(isolateBlock(odd, odd.zones[0]!, 0, BASE + 0x1001)).toBe(-1);
    expect(isolateBlock(odd, odd.zones[0]!, 0, BASE + BLOCK)).toBe(Migratetype.movable);
    validate(odd);
  });

  it('unisolating another block does nothing', () => {
    const before = exactState(mm);
    unisolateBlock(mm, zone, 0, BASE, Migratetype.unmovable);
    expect(exactState(mm)).toEqual(before);
  });
});

describe('types after isolation', () => {
  function roundTrip(policy: (typeof POLICY_NAMES)[number]): string {
    const { mm, zone } = blockMachine(policy, 4);
    makeDirect(zone);
    for (const pfn of [BASE, BASE + 0x400]) takeChunk(mm, pfn, 10, false);
    [0, 2, 1, 3].forEach((type, block) => {
      mm.pages.blockType[(BASE >>> 9) + block] = type;
    });
    for (let block = 0; block < 4; block++) freePages(mm, 0, BASE + block * BLOCK + 0x80, 3);
    const lists = freeLists(zone);
    const isolation = isolateRange(mm, zone, 0, BASE + BLOCK * 2 + 0x80, BASE + BLOCK * 2 + 0x88);
    expect(isolation).toMatchObject({ start: BASE + BLOCK * 2, end: BASE + BLOCK * 3, types: [1] });
    endIsolation(mm, 0, isolation!, Migratetype.reclaimable);
    const all = [0, 1, 2, 3].map((block) => isolateBlock(mm, zone, 0, BASE + block * BLOCK));
    validate(mm);
    endIsolation(mm, 0, { zone, start: BASE, end: BASE + 4 * BLOCK, types: all }, Migratetype.movable);
    validate(mm);
    if (policy !== 'mainline-6.1') expect(freeLists(zone)).toEqual(lists);
    return blockLetters(mm, 4);
  }

  it.each(CLAIM_POLICY_NAMES)('%s remembers them', (policy) => {
    expect(roundTrip(policy)).toBe('URMH');
  });

  it('6.1 gives what the caller says', () => {
    expect(roundTrip('mainline-6.1')).toBe('MMMM');
  });
});

describe('isolating a range', () => {
  //   [ free | LRU | free | slab ]
  it.each(POLICY_NAMES)('fails where a page cannot move, and undoes what it did, %s', (policy) => {
    const { mm, zone } = blockMachine(policy, 4);
    makeDirect(zone);
    takeChunk(mm, BASE, 10, true);
    takeChunk(mm, BASE + 0x400, 10, false);
    freePages(mm, 0, BASE, 9);
    freePages(mm, 0, BASE + 0x400, 9);
    const free = trueFree(zone);
    expect(isolateRange(mm, zone, 0, BASE, BASE + 4 * BLOCK)).toBeNull();
    expect([blockLetters(mm, 4), zone.nr_isolated_blocks, trueFree(zone)]).toEqual(['MMMM', 0, free]);
    validate(mm, { movable_known: true });
    // the obstacle lies outside the range, though in its last block
    freePages(mm, 0, BASE + 3 * BLOCK, 8);
    const isolation = isolateRange(mm, zone, 0, BASE, BASE + 3 * BLOCK + 0x100);
    expect(isolation?.types).toEqual([1, 1, 1, 1]);
    expect(blockLetters(mm, 4)).toBe('IIII');
    validate(mm, { movable_known: true });
    endIsolation(mm, 0, isolation!);
    expect(trueFree(zone)).toBe(free + 0x100);
    validate(mm, { movable_known: true });
  });

  it('fails at a block that is isolated already', () => {
    const { mm, zone } = blockMachine('mainline-6.18', 4);
    isolateBlock(mm, zone, 0, BASE + BLOCK);
    expect(isolateRange(mm, zone, 0, BASE, BASE + 3 * BLOCK)).toBeNull();
    expect(blockLetters(mm, 4)).toBe('MIMM');
  });
});

describe('postings', () => {
  it.each([
    ['mainline-6.1', [-24], [24]],
    ['mainline-6.18', [-8, -8, -8], [8, 8, 8]],
  ] as const)('%s posts %j and %j for three chunks', (policy, out, back) => {
    const { mm, zone } = blockMachine(policy, 2);
    makeDirect(zone);
    takeChunk(mm, BASE, 10, false);
    for (const offset of [0, 0x10, 0x20]) freePages(mm, 0, BASE + offset, 3);
    const posted: number[] = [];
    const post = zone.postFree.bind(zone);
    zone.postFree = (cpu, pages) => {
      posted.push(pages);
      post(cpu, pages);
    };
    isolateBlock(mm, zone, 0, BASE);
    expect(posted.splice(0)).toEqual(out);
    unisolateBlock(mm, zone, 0, BASE, 1);
    expect(posted).toEqual(back);
  });
});
