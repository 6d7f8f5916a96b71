/** Evacuation of movable pages from tainted superpageblocks. model: spb 4.2, 4.3; 8, scenarios 33, 34 */
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/mm/policy.js';
import { evacuateForOrder } from '../../../src/mm/spb/evacuate.js';
import { queueSpbEvacuate } from '../../../src/mm/spb/node-work.js';
import { evacuateBeforeTaint } from '../../../src/mm/spb/relax.js';
import { PB_HAS_MOVABLE } from '../../../src/mm/spb/spb-types.js';
import { movable, reclaimable, SpbMachine, unmovable } from './background-support.js';

interface Move {
  readonly from: string;
  readonly to: string;
  readonly order: number;
}

/** A machine that notes where pages go. */
function watched(picture: string, knobs: Partial<Policy> = {}) {
  const machine = new SpbMachine(picture, { knobs });
  const moves: Move[] = [];
  const block = (pfn: number) => machine.nameOf(pfn).split('+')[0]!;
  machine.mm.onMigrate = (from, to, order) => moves.push({ from: block(from), to: block(to), order });
  const evacuate = (order: number, type: number) => {
    const done = evacuateForOrder(machine.mm, machine.zone, order, type);
    machine.check();
    return done;
  };
  return { machine, moves, evacuate, stats: machine.stats };
}

/** Blocks that something left, in that order. */
const sources = (moves: readonly Move[]) => [...new Set(moves.map(({ from }) => from))];
const destinations = (moves: readonly Move[]) => [...new Set(moves.map(({ to }) => to.split(':')[0]!))];

describe('33. B8 conservation', () => {
  //   A tainted [u x300+2 m20 M U...]   B clean, full   C clean, room for 200 pages   D empty
  const PICTURE = `
    A  u1 x300+2 m20 M *U
    B  *M
    C  m312 *M
    D  *.
  `;

  test('33. B8 conservation: evacuated pages leave the tainted SPB and arrive in clean or empty ones', () => {
    const { machine, moves, evacuate, stats } = watched(PICTURE);
    const free = machine.free_pages;
    expect(machine.counts('A')).toMatchObject({ m: 3, u: 510, free: 0 });
    const done = evacuate(9, unmovable);
    expect(done).toEqual({ did_evacuate: true, cost_ns: 2 * 512 * 20 + 320 * 2_000 });
    expect(machine.log('evacuated')).toEqual(['evacuated o9 U p1=1 p2=1']);
    // Phase 1 took the block that is unmovable already, phase 2 the first whole one, which was enough.
    expect(sources(moves)).toEqual(['A:1', 'A:2']);
    expect(moves).toHaveLength(320);
    expect(destinations(moves)).toEqual(['C', 'D']);
    expect(moves.filter(({ to }) => to === 'C:0')).toHaveLength(200);
    expect(machine.row('A')).toBe('u1 u2 . M 508U');
    expect([machine.row('B'), machine.row('C')]).toEqual(['512M', '512M']);
    // Free pages in all are the same; each page left one place and took one.
    expect(machine.free_pages).toBe(free);
    expect(machine.counts('A').pages + machine.counts('D').pages).toBe(free);
    expect(machine.counts('A')).toMatchObject({ m: 1, u: 510, free: 1 });
    expect(machine.place('D')).toMatch(/^clean/);
    expect([stats.evac_calls, stats.evac_successes, stats.evac_pages]).toEqual([1, 1, 320]);
    expect([stats.evac_phase1_blocks, stats.evac_phase2_blocks, stats.evac_failed_pages]).toEqual([1, 1, 0]);
    expect([machine.mm.events.pgmigrate_success, machine.mm.events.pgmigrate_fail]).toEqual([320, 0]);
  });

  test('33. B8 conservation: nr_movable of the source falls when a block is emptied', () => {
    const { machine, evacuate } = watched(PICTURE.replace('m20', 'm2'), { 'spb.evac_fail_permille': 30 });
    const bits = (block: number) =>
      machine.mm.pages.blockBits[machine.pfn('A', block) >>> 9]! & PB_HAS_MOVABLE;
    evacuate(9, unmovable);
    // Some of the 300 pages are stuck, so their block still holds movable pages and counts.
    expect(machine.stats.evac_failed_pages).toBeGreaterThan(0);
    expect(machine.row('A')).toMatch(/^u1 x\d+\+2 /);
    expect([bits(1), bits(2), machine.counts('A').m]).toEqual([PB_HAS_MOVABLE, 0, 2]);
  });

  test('a huge page moves as one, to a whole free block', () => {
    const { machine, moves, evacuate } = watched('A  U M *U\nB  m1 2.');
    evacuate(9, unmovable);
    expect(moves).toEqual([{ from: 'A:1', to: 'B:1', order: 9 }]);
    expect([machine.row('A'), machine.row('B')]).toEqual(['U . 510U', 'm1 M .']);
  });

  test('one that finds no place as a whole is split, or stays where it is while the rest is tried', () => {
    const picture = 'A  U M m5 *U\nB  m1 m1 m1';
    const split = watched(picture);
    const cut: string[] = [];
    split.machine.mm.onSplit = (pfn, order) => cut.push(`${split.machine.nameOf(pfn)}/${order}`);
    split.evacuate(9, unmovable);
    expect(cut).toEqual(['A:1/9']);
    expect(split.moves.map(({ from, order }) => `${from}/${order}`)).toEqual(new Array(512).fill('A:1/0'));
    expect([split.machine.row('A'), split.stats.evac_failed_pages]).toEqual(['U . m5 509U', 0]);

    const whole = watched(picture, { 'migration.split_large': false });
    whole.evacuate(9, unmovable);
    expect(sources(whole.moves)).toEqual(['A:2']);
    expect(whole.machine.row('A')).toBe('U M . 509U');
    expect([whole.stats.evac_failed_pages, whole.machine.mm.events.pgmigrate_fail]).toEqual([512, 512]);
  });

  test('the source itself is never a destination, though it has the most room', () => {
    const { machine, moves, evacuate, stats } = watched('A  U m5 *.\nB  *M');
    expect(evacuate(10, unmovable).did_evacuate).toBe(false);
    expect([moves, stats.evac_failed_pages]).toEqual([[], 1]);
    expect(machine.row('A')).toBe('U m5 510.');
    expect(machine.mm.spb!.source).toBeNull();
    // For others it is open again: 510 free blocks are far above its reserve.
    expect(machine.nameOf(machine.take(0, movable))).toMatch(/^A:/);
  });

  test('into another tainted one only above its reserve; then there is no use in going on', () => {
    const { machine, moves, evacuate, stats } = watched('A  U m5 m5 *U\nB  U 17. *U');
    expect(evacuate(9, unmovable).did_evacuate).toBe(true);
    expect(moves.map(({ to }) => to)).toEqual(['B:1']);
    expect(machine.counts('B').free).toBe(16);
    // The second page of the first block has no place; no other page is even looked at.
    expect([stats.evac_failed_pages, stats.evac_phase2_blocks]).toEqual([1, 1]);
    expect(machine.row('A')).toBe('U m4 m5 509U');
  });

  test('the min mark is kept', () => {
    const machine = new SpbMachine('A  U m5 *U\nB  m500 *M', { mark: 519 });
    expect(machine.free_pages).toBe(519);
    expect(evacuateForOrder(machine.mm, machine.zone, 9, unmovable).did_evacuate).toBe(false);
    expect(machine.row('A')).toBe('U m5 510U');
    machine.zone.watermark.fill(517);
    expect(evacuateForOrder(machine.mm, machine.zone, 9, unmovable).did_evacuate).toBe(true);
    expect(machine.row('A')).toBe('U . 510U');
  });
});

describe('34. B9 supply', () => {
  const shrinks = (machine: SpbMachine) => machine.log('trigger').filter((line) => line.includes('shrink'));

  test.each([
    ['a success', 'A  U m5 *U\nB  *.', 0, true],
    ['every page is stuck', 'A  U m5 *U\nB  *.', 1000, false],
    ['nothing is movable', 'A  U *U\nB  *.', 0, false],
    ['nothing is tainted', 'A  *M\nB  *.', 0, false],
  ])('34. B9 supply: %s: one shrink is triggered', (_, picture, fail, success) => {
    const { machine, evacuate, stats } = watched(picture, { 'spb.evac_fail_permille': fail });
    expect(evacuate(3, unmovable).did_evacuate).toBe(success);
    expect(shrinks(machine)).toEqual(['trigger slab shrink (supply)']);
    expect([stats.evac_calls, stats.evac_successes]).toEqual([1, success ? 1 : 0]);
    machine.advance(1_000_000);
    expect([stats.spb_slab_shrink_queued, stats.spb_slab_shrink_ran]).toEqual([1, 1]);
  });

  test('34. B9 supply: of queued ones, too', () => {
    const { machine, stats } = watched('A  U m5 *U\nB  *.');
    queueSpbEvacuate(machine.mm, machine.zone, 3, unmovable);
    expect(machine.log('trigger')).toEqual(['trigger evacuation for order 3 queued']);
    machine.advance(20_000_000);
    expect([stats.evac_calls, stats.spb_slab_shrink_queued]).toEqual([1, 1]);
    expect(shrinks(machine)).toEqual(['trigger slab shrink (supply)']);
    expect(machine.row('A')).toBe('U . 510U');
  });
});

describe('the phases', () => {
  test('blocks that have the type already come first, wherever they lie', () => {
    const { machine, moves, evacuate } = watched('A  m9 m8 *U\nB  *U\nC  U m3 x511+1 *U\nD  *.');
    evacuate(9, unmovable);
    // A and C are both full; A came first to their list, but its blocks are for phase 2.
    expect(sources(moves)).toEqual(['C:2', 'A:0']);
    expect(machine.log('evacuated')).toEqual(['evacuated o9 U p1=1 p2=1']);
  });

  test('phase 1 is for the wanted type only', () => {
    const { moves, evacuate } = watched('A  x511+1 y510+2 m511 *U\nB  *.');
    evacuate(8, reclaimable);
    expect(sources(moves)).toEqual(['A:1']);
  });

  test('a buddy of the wanted order after phase 1: that is all', () => {
    const { machine, moves, evacuate } = watched('A  x511+1 x511+1 m500 *U\nB  *.');
    evacuate(8, unmovable);
    expect(sources(moves)).toEqual(['A:0']);
    expect(machine.log('evacuated')).toEqual(['evacuated o8 U p1=1 p2=0']);
    expect(machine.row('A')).toBe('u1 x511+1 m500 509U');
    expect(machine.nameOf(machine.take(8, unmovable))).toBe('A:0+256');
  });

  test('what phase 2 has emptied is what Pass 2 claims', () => {
    const { machine, evacuate } = watched('A  U b300+1 m500 m20 *U\nB  *.');
    evacuate(4, unmovable);
    // The block with a borrowed page is left alone: it could not be emptied.
    expect(machine.row('A')).toBe('U b300+1 . m20 508U');
    machine.log();
    expect(machine.nameOf(machine.take(4, unmovable))).toBe('A:2');
    expect(machine.log('walk')).toEqual(['walk o4 U PASS_2']);
  });

  test('an order 10 needs two blocks side by side', () => {
    const { machine, evacuate } = watched('A  U 3m5 *U\nB  *.');
    evacuate(10, unmovable);
    expect(machine.row('A')).toBe('U 3. 508U');
    machine.log();
    expect(machine.nameOf(machine.take(10, unmovable))).toBe('A:2');
    expect(machine.log('walk')).toEqual(['walk o10 U PASS_2']);
  });

  test('spb.evac_blocks are tried in each phase', () => {
    // Three stuck pages in every block: nothing ever comes free.
    const { machine, evacuate } = watched('A  20x1+511 U 20m1 *U\nB  *.', {
      'spb.evac_fail_permille': 1000,
      'spb.evac_blocks': 3,
    });
    evacuate(9, unmovable);
    expect(machine.log('evacuated')).toEqual(['evacuated o9 U p1=3 p2=3']);
    expect(machine.stats.evac_failed_pages).toBe(6);
    const many = watched('A  20x1+511 U 20m1 *U\nB  *.', { 'spb.evac_fail_permille': 1000 });
    many.evacuate(9, unmovable);
    expect(many.machine.log('evacuated')).toEqual(['evacuated o9 U p1=16 p2=16']);
  });

  test('spb.evac_candidates superpageblocks are looked at, those without movable pages left out', () => {
    // No page can be moved, so that all that may be tried is tried.
    const tried = (evac_candidates: number) => {
      const { machine, evacuate } = watched('A  *U\nB  U m1 *U\nC  U m1 *U\nD  U m1 *U\nE  *.', {
        'spb.evac_candidates': evac_candidates,
        'spb.evac_fail_permille': 1000,
      });
      evacuate(9, unmovable);
      return machine.log('evacuated')[0]!.split('p2=')[1];
    };
    expect([1, 2, 3, 16].map(tried)).toEqual(['1', '2', '3', '3']);
  });

  test('the fullest first', () => {
    const { machine, moves, evacuate } = watched('B  U m4 *.\nC  U m3 *U\nE  *.');
    expect(['B', 'C'].map((row) => machine.place(row))).toEqual(['tainted almost_empty', 'tainted full']);
    evacuate(9, unmovable);
    expect(sources(moves)).toEqual(['C:1']);
  });
});

describe('pages that cannot be moved', () => {
  test('are the same at every attempt, a share of all; the rest moves', () => {
    const { machine, evacuate, stats } = watched('A  U m512 *U\nB  *.', { 'spb.evac_fail_permille': 200 });
    expect(evacuate(9, unmovable).did_evacuate).toBe(true);
    const stuck = stats.evac_failed_pages;
    expect(stuck).toBeGreaterThan(60);
    expect(stuck).toBeLessThan(150);
    expect(stats.evac_pages).toBe(512 - stuck);
    expect(machine.row('A')).toBe(`U m${stuck} 510U`);
    expect([machine.mm.events.pgmigrate_success, machine.mm.events.pgmigrate_fail]).toEqual([
      512 - stuck,
      stuck,
    ]);
    // Another attempt moves none of them.
    expect(evacuate(9, unmovable).did_evacuate).toBe(false);
    expect(machine.row('A')).toBe(`U m${stuck} 510U`);
  });

  test('a stuck page says nothing about room: the others are still tried', () => {
    const { moves, evacuate } = watched('A  U m512 *U\nB  *.', { 'spb.evac_fail_permille': 500 });
    evacuate(9, unmovable);
    expect(moves.length).toBeGreaterThan(200);
  });
});

describe('before a taint', () => {
  const PICTURE = 'A  U m5 *U\nB  *.';
  const tryIt = (knobs: Partial<Policy>, type: number = unmovable) => {
    const { machine, stats } = watched(PICTURE, knobs);
    const moved = evacuateBeforeTaint(machine.mm, [machine.zone], 3, type);
    machine.check();
    return [moved, stats.evac_calls, machine.mm.events.spbsim_direct_compact_ns];
  };

  test('a request may call it itself; its time is the request its own', () => {
    expect(tryIt({})).toEqual([true, 1, 512 * 20 + 5 * 2_000]);
  });

  test('not for movable requests, not without spb.evacuation, not without a queue', () => {
    expect(tryIt({}, movable)).toEqual([false, 0, 0]);
    expect(tryIt({ 'spb.evacuation': false })).toEqual([false, 0, 0]);
    expect(tryIt({ 'spb.wq_fails': true })).toEqual([false, 0, 0]);
  });
});
