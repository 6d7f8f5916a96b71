/** 1 GiB pages, ranges by PFN, and pageblocks for huge pages. model: spb 5.1, 5.2; 8, scenarios 35, 36 */
import { describe, expect, test } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../../src/mm/gfp.js';
import {
  allocContigPages,
  allocContigRange,
  freeContigRange,
} from '../../../src/mm/page-alloc/contig-alloc.js';
import type { Policy } from '../../../src/mm/policy.js';
import { movable, reclaimable, SPB_BLOCKS, SPB_PAGES, SpbMachine, unmovable } from './background-support.js';

const HALF = SPB_PAGES / 2;

/** Asks for whole GiBs. @returns the row where they begin, or none */
function gigantic(machine: SpbMachine, gib = 1, gfp = GFP_HIGHUSER_MOVABLE): string {
  const pfn = allocContigPages(machine.mm, 0, gfp, gib * SPB_PAGES, -1);
  machine.check();
  return machine.nameOf(pfn);
}

function giveBack(machine: SpbMachine, row: string, pages = SPB_PAGES, from = 0): void {
  freeContigRange(machine.mm, 0, machine.pfn(row) + from, pages);
  machine.check();
}

function migrations(machine: SpbMachine): string[] {
  const moves: string[] = [];
  machine.mm.onMigrate = (from, to) =>
    moves.push(`${machine.nameOf(from).split(':')[0]} to ${machine.nameOf(to).split(':')[0]}`);
  return moves;
}

describe('35. C1 1 GiB', () => {
  const PICTURE = `
    T  u1 m3 *.
    C  m1 *.
    E  *.
  `;

  test('35. C1 1 GiB: with an empty SPB: taken without migration, contig_allocated, spb_isolated', () => {
    const machine = new SpbMachine(PICTURE);
    const free = machine.free_pages;
    expect(gigantic(machine)).toBe('E:0');
    const e = machine.index('E');
    expect([machine.spbs.contig_allocated[e], machine.place('E')]).toEqual([1, 'isolated']);
    expect(machine.counts('E')).toMatchObject({ free: 0, pages: 0 });
    expect(machine.free_pages).toBe(free - SPB_PAGES);
    expect([machine.row('T'), machine.row('C')]).toEqual(['u1 m3 510.', 'm1 511.']);
    const { stats, mm } = machine;
    expect([stats.contig_calls, stats.contig_failed]).toEqual([1, 0]);
    expect([stats.gigantic_allocated, stats.gigantic_from_empty, stats.gigantic_migrated_pages]).toEqual([
      1, 1, 0,
    ]);
    expect([mm.events.pgmigrate_success, [...mm.held_gigantic]]).toEqual([0, [2 + 1]]);
  });

  test('35. C1 1 GiB: no pass chooses it, nor a claim or a steal, even while it has free pages', () => {
    const machine = new SpbMachine('T  u1 3. *U\nE  *.');
    // As if its owner held it, with all its pages still on its lists.
    machine.spbs.setContigAllocated(machine.index('E'), true);
    machine.check();
    const served = machine.quietly(() => {
      const rows = new Set<string>();
      for (const type of [unmovable, movable, reclaimable])
        for (const order of [10, 9, 0])
          for (let pfn = machine.take(order, type); pfn >= 0; pfn = machine.take(order, type))
            rows.add(machine.nameOf(pfn).split(':')[0]!);
      return [...rows];
    });
    expect(served).toEqual(['T']);
    expect(machine.counts('T').pages).toBe(0);
    expect(machine.counts('E')).toMatchObject({ free: SPB_BLOCKS, pages: SPB_PAGES });
    // Given back, it is the next one to be opened.
    machine.spbs.setContigAllocated(machine.index('E'), false);
    expect(machine.place('E')).toBe('empty');
    expect(machine.nameOf(machine.take(0, movable))).toBe('E:0');
  });

  test('35. C1 1 GiB: freed: spb_empty', () => {
    const machine = new SpbMachine(PICTURE);
    gigantic(machine);
    giveBack(machine, 'E');
    expect([machine.place('E'), machine.spbs.contig_allocated[machine.index('E')]]).toEqual(['empty', 0]);
    expect(machine.counts('E')).toEqual({ free: SPB_BLOCKS, pages: SPB_PAGES, u: 0, m: 0, r: 0 });
    expect(machine.mm.held_gigantic.size).toBe(0);
    expect(gigantic(machine)).toBe('E:0');
  });

  test('the type of its use is that of the request; a page of the kernel does not taint what is set aside', () => {
    const machine = new SpbMachine('E  *.\nF  *.');
    expect(gigantic(machine, 1, GFP_KERNEL)).toBe('E:0');
    expect([machine.place('E'), machine.counts('E').u]).toEqual(['isolated', SPB_BLOCKS]);
    expect(machine.spbs.nr_tainted).toBe(0);
    expect(machine.log('walk')).toEqual([]);
    giveBack(machine, 'E');
    expect([machine.place('E'), machine.counts('E').u]).toEqual(['empty', 0]);
  });

  test('freed in parts: the first part takes it up again', () => {
    const machine = new SpbMachine('E  *.\nF  m1 *.');
    gigantic(machine);
    giveBack(machine, 'E', HALF);
    expect([machine.place('E'), machine.counts('E').free]).toEqual(['clean 50', SPB_BLOCKS / 2]);
    expect(machine.mm.held_gigantic.size).toBe(0);
    expect(machine.nameOf(machine.take(0, movable))).toBe('E:254');
    giveBack(machine, 'E', HALF, HALF);
    expect(machine.counts('E').free).toBe(SPB_BLOCKS - 1);
    expect(machine.spbs.contig_allocated[machine.index('E')]).toBe(0);
  });
});

describe('which superpageblock', () => {
  test('tainted ones never, however little is in them; not even when nothing else can be emptied', () => {
    const machine = new SpbMachine('T  u1 *.\nC  m512 *M\nU  r1 *.');
    expect(gigantic(machine)).toBe('C:0');
    // Nor is it counted among the candidates, though each of its used blocks holds something movable.
    const mixed = new SpbMachine('T  x1+1 *.\nC  9m1 *.', { knobs: { 'spb.contig_candidates': 1 } });
    expect(gigantic(mixed)).toBe('C:0');
    // Emptying C fails half-way, for want of room; the tainted one was only a place to move to.
    const full = new SpbMachine('T  u1 400. *U\nC  *M', { knobs: { 'spb.reserve_yields': false } });
    expect(gigantic(full)).toBe('none');
    expect([full.stats.contig_calls, full.stats.contig_failed]).toEqual([1, 1]);
    expect([full.counts('T').free, full.counts('C').free]).toEqual([16, 400 - 16]);
    expect([...full.spbs.contig_allocated]).toEqual([0, 0]);
    expect(full.stats.gigantic_migrated_pages).toBe((400 - 16) * 512);
  });

  test('an empty one before all others, then those with the fewest pageblocks in use', () => {
    const machine = new SpbMachine('A  30m1 *.\nB  10m1 *.\nC  20m20 *.\nD  *.\nE  *.');
    const moves = migrations(machine);
    expect([gigantic(machine), gigantic(machine)]).toEqual(['D:0', 'E:0']);
    expect(machine.stats.gigantic_from_empty).toBe(2);
    expect(moves).toEqual([]);
    // B has 10 blocks in use, C 20, A 30; the number of pages in them does not matter.
    expect(gigantic(machine)).toBe('B:0');
    expect(moves).toHaveLength(10);
    expect(gigantic(machine)).toBe('C:0');
    expect(moves.slice(10)).toEqual(new Array(moves.length - 10).fill('C to A'));
    expect(gigantic(machine)).toBe('none');
    expect([machine.row('A').includes('m'), machine.place('A')]).toEqual([
      true,
      expect.stringMatching(/^clean/),
    ]);
  });

  test('what is moved out is counted: in all, and the most for one page', () => {
    const machine = new SpbMachine('A  m100 m50 *.\nB  m7 *.\nC  *M\nD  12.');
    const { stats, mm } = machine;
    const free = machine.free_pages;
    gigantic(machine);
    expect([stats.gigantic_migrated_pages, stats.gigantic_most_migrated_pages]).toEqual([7, 7]);
    gigantic(machine);
    expect([stats.gigantic_migrated_pages, stats.gigantic_most_migrated_pages]).toEqual([164, 157]);
    expect(stats.gigantic_allocated).toBe(2);
    expect(stats.gigantic_from_empty).toBe(0);
    expect(mm.events.pgmigrate_success).toBe(164);
    expect(machine.free_pages).toBe(free - 2 * SPB_PAGES);
  });

  test('moved pages go to clean ones first, then to empty ones, then to tainted ones within the reserve rule', () => {
    //   X is the one that is asked for: 6 pages. C has room for 2 of them, T for one: it keeps 16 blocks.
    const strict = { 'spb.reserve_yields': false, 'spb.contig_candidates': 1 };
    const machine = new SpbMachine('X  6m1 *.\nC  m510 *M\nT  U 17. *U', { knobs: strict });
    const moves = migrations(machine);
    expect(gigantic(machine)).toBe('none');
    expect(moves).toEqual(['X to C', 'X to C', 'X to T']);
    expect([machine.counts('T').free, machine.place('X')]).toEqual([16, 'clean almost_empty']);
    // With the knob as it is, each target is a request of its own that gives up NOFRAGMENT, and so the reserve yields.
    const yielding = new SpbMachine('X  6m1 *.\nC  m510 *M\nT  U 17. *U');
    const more = migrations(yielding);
    expect(gigantic(yielding)).toBe('X:0');
    expect(more).toEqual(['X to C', 'X to C', 'X to T', 'X to T', 'X to T', 'X to T']);
    const roomy = new SpbMachine('X  6m1 *.\nC  m510 *M\nT  U 17. *U\nE  20.');
    const others = migrations(roomy);
    expect(gigantic(roomy)).toBe('X:0');
    expect(others).toEqual(['X to C', 'X to C', 'X to E', 'X to E', 'X to E', 'X to E']);
  });

  test('one that cannot be emptied leads to the next, up to spb.contig_candidates', () => {
    const withStuckPages = (contig_candidates: number) => {
      const machine = new SpbMachine('A  m1 *.\nB  2m1 *.\nC  3m1 *.\nD  100m1 *.', {
        knobs: { 'spb.contig_candidates': contig_candidates },
      });
      // Of the first pages of A and B nobody knows anything: they may not be moved.
      for (const pfn of [machine.pfn('A'), machine.pfn('B')]) {
        machine.mm.pages.state[pfn] = 0;
        machine.mm.pages.blockMovable[pfn >>> 9] = 0;
      }
      machine.check();
      return machine;
    };
    const three = withStuckPages(3);
    expect(gigantic(three)).toBe('C:0');
    const two = withStuckPages(2);
    expect(gigantic(two)).toBe('none');
    expect([two.stats.contig_failed, two.row('C')]).toEqual([1, '3m1 509.']);
  });

  test('of equally used ones that with the fewest pages to move', () => {
    const machine = new SpbMachine('A  3m100 *.\nB  2m100 m1 *.\nC  3m99 *.');
    expect([gigantic(machine), machine.stats.gigantic_migrated_pages]).toEqual(['B:0', 201]);
  });

  test('what the kernel took at boot is in the way for good: such a one is no candidate', () => {
    const picture = 'A  K *.\nB  3m1 *.';
    const machine = new SpbMachine(picture, { knobs: { 'spb.contig_candidates': 1 } });
    expect([machine.place('A'), gigantic(machine)]).toEqual(['clean almost_empty', 'B:0']);
    expect([gigantic(machine), machine.row('A')]).toEqual(['none', 'K 3m1 508.']);
  });

  test('a part of a GiB at the edge of the zone is none', () => {
    const machine = new SpbMachine('A  *.\nB  *.\nC  511.', { offset_blocks: 1 });
    expect([gigantic(machine), gigantic(machine)]).toEqual(['B:0', 'none']);
    expect([machine.place('A'), machine.place('C')]).toEqual(['empty', 'empty']);
  });

  test('several GiB at once: aligned to their size, the row with the fewest pageblocks in use', () => {
    // The zone begins at 1 GiB: rows of 2 GiB are B and C, D and E.
    const machine = new SpbMachine('A  *.\nB  m1 *.\nC  2m1 *.\nD  *.\nE  m1 *.\nF  *.');
    expect(gigantic(machine, 2)).toBe('D:0');
    expect(['D', 'E'].map((row) => machine.place(row))).toEqual(['isolated', 'isolated']);
    expect([machine.stats.gigantic_allocated, machine.stats.gigantic_migrated_pages]).toEqual([2, 1]);
    giveBack(machine, 'D', 2 * SPB_PAGES);
    expect(['D', 'E'].map((row) => machine.place(row))).toEqual(['empty', 'empty']);
  });

  test('spb.contig_steering = false: the first range from below, tainted or not', () => {
    const machine = new SpbMachine('A  m1 *.\nT  U *.\nE  *.', { knobs: { 'spb.contig_steering': false } });
    expect(gigantic(machine)).toBe('A:0');
    expect(gigantic(machine)).toBe('E:0');
    expect([machine.stats.contig_calls, machine.stats.gigantic_allocated]).toEqual([0, 0]);
    // Wholly covered ones are set aside all the same.
    expect(['A', 'E'].map((row) => machine.place(row))).toEqual(['isolated', 'isolated']);
  });
});

describe('36. C2 cover', () => {
  const at = (offset: number, pages: number) => {
    const machine = new SpbMachine('A  *.\nB  *.\nC  *.');
    expect(allocContigRange(machine.mm, 0, machine.pfn('A') + offset, pages)).toBe('allocated');
    machine.check();
    return { machine, flags: [...machine.spbs.contig_allocated].join('') };
  };

  test('36. C2 cover: 2 GiB at offset 0.5 GiB: only the one SPB fully covered is flagged', () => {
    const { machine, flags } = at(HALF, 2 * SPB_PAGES);
    expect(flags).toBe('010');
    expect(['A', 'B', 'C'].map((row) => machine.place(row))).toEqual([
      'tainted 50',
      'isolated',
      'tainted 50',
    ]);
    expect(['A', 'B', 'C'].map((row) => machine.counts(row).free)).toEqual([256, 0, 256]);
    freeContigRange(machine.mm, 0, machine.pfn('A') + HALF, 2 * SPB_PAGES);
    machine.check();
    expect(['A', 'B', 'C'].map((row) => machine.place(row))).toEqual(['empty', 'empty', 'empty']);
  });

  test.each([
    ['1.5 GiB at 0.5 GiB cover one', HALF, 3 * HALF, '010'],
    ['1.5 GiB at 0.25 GiB cover none', HALF / 2, 3 * HALF, '000'],
    ['1.5 GiB at 0 cover the first', 0, 3 * HALF, '100'],
    ['a page less than 1 GiB covers none', SPB_PAGES, SPB_PAGES - 1, '000'],
    ['1 GiB a page further on covers none', SPB_PAGES + 1, SPB_PAGES, '000'],
  ])('%s', (_, offset, pages, flags) => {
    expect(at(offset, pages).flags).toBe(flags);
  });
});

describe('a pageblock for a huge page', () => {
  // No whole free block anywhere; T is tainted, and its block is the cheapest of all.
  const PICTURE = 'T  u1 m1 *U\nC  m200 m90 m150 *M\nD  m300 m140 *M';
  const huge = (knobs: Partial<Policy> = {}, picture = PICTURE) => {
    const machine = new SpbMachine(picture, { knobs });
    const moves = migrations(machine);
    const pfn = machine.alloc(GFP_HIGHUSER_MOVABLE, 9);
    return { machine, moves, got: machine.nameOf(pfn), stats: machine.stats };
  };

  test('the one with the fewest movable pages of a clean superpageblock is emptied', () => {
    const { machine, moves, got, stats } = huge();
    expect(got).toBe('C:1');
    expect([stats.thp_contig_tried, stats.thp_contig_allocated]).toEqual([1, 1]);
    expect(moves).toHaveLength(90);
    expect(new Set(moves)).toEqual(new Set(['C to C']));
    expect(machine.row('C')).toMatch(/^m\d+ M m\d+ /);
    expect(machine.counts('C').pages).toBe(3 * 512 - 200 - 150 - 90 - 512);
    expect(machine.mm.events.compact_stall).toBe(0);
    // Of 512 pages that are one movable page now, all can be freed again.
    machine.free(machine.pfn('C', 1), 9);
    expect(machine.row('C')).toMatch(/^m\d+ \. m\d+ /);
  });

  test('spb.thp_contig = false: compaction does it its own way', () => {
    const { got, stats, machine } = huge({ 'spb.thp_contig': false });
    expect(got).not.toBe('none');
    expect(stats.thp_contig_tried).toBe(0);
    expect(machine.mm.events.compact_stall).toBeGreaterThan(0);
  });

  test('tainted ones are left alone, and so are blocks that hold more than half, or something else', () => {
    const { machine, stats } = huge({}, 'T  u1 m1 *U\nC  m257 m257 m257 *M');
    expect([stats.thp_contig_tried, stats.thp_contig_allocated]).toEqual([1, 0]);
    expect(machine.row('T')).toContain('u1');
    const kernel = huge({}, 'C  K m256 *M\nD  m400 m400 m400 *M');
    expect([kernel.got, kernel.stats.thp_contig_allocated]).toEqual(['C:1', 1]);
  });

  test('for a huge page only: a smaller or non-movable request goes other ways', () => {
    const machine = new SpbMachine('C  m400 m400 *M');
    machine.alloc(GFP_HIGHUSER_MOVABLE, 8);
    machine.alloc(GFP_KERNEL, 9);
    expect(machine.stats.thp_contig_tried).toBe(0);
  });
});
