/** What starts the slab shrinker, and what a run of it does. model: spb 4.4, 4.6; 8, scenarios 26-29 */
import { describe, expect, test } from 'vitest';
import { GFP_KERNEL } from '../../../src/mm/gfp.js';
import type { PageAllocator, Shrinkers } from '../../../src/mm/page-alloc/page-allocator.js';
import { ALLOC_NOFRAGMENT } from '../../../src/mm/page-alloc/watermark.js';
import { evacuateForOrder } from '../../../src/mm/spb/evacuate.js';
import { spbSlabShrink } from '../../../src/mm/spb/slab-shrink.js';
import { movable, reclaimable, SpbMachine, unmovable } from './background-support.js';

const MS = 1_000_000;

/** Shrinkers that yield what they are told to: one row per round, one number per memory cgroup. */
class Yields implements Shrinkers {
  readonly nr_memcgs: number;
  readonly asked: { gfp: number; node: number; memcg: number; priority: number }[] = [];
  readonly freed_pages = 0;
  readonly #rounds: readonly (readonly number[])[];

  constructor(rounds: readonly (readonly number[])[]) {
    this.#rounds = rounds;
    this.nr_memcgs = rounds[0]!.length;
  }
  get scanned_objects(): number {
    return this.asked.length;
  }
  shrinkSlab(gfp: number, node: number, memcg: number, priority: number): number {
    const round = Math.trunc(this.asked.length / this.nr_memcgs);
    this.asked.push({ gfp, node, memcg, priority });
    return this.#rounds[Math.min(round, this.#rounds.length - 1)]![memcg]!;
  }
  get priorities(): number[] {
    return [...new Set(this.asked.map(({ priority }) => priority))];
  }
}

/** One run over shrinkers that yield these numbers. */
function runOver(rounds: readonly (readonly number[])[], knobs = {}) {
  const machine = new SpbMachine('A  4.', { knobs });
  const shrinkers = new Yields(rounds);
  machine.mm.shrinkers = shrinkers;
  const cost_ns = spbSlabShrink(machine.mm, 0);
  machine.check();
  return { shrinkers, cost_ns, stats: machine.stats, mm: machine.mm };
}

describe('26. B1 high water', () => {
  // The first block has one page in use, the second all but `left`: with 15 free blocks 8,191 + left pages are free.
  const machineWith = (left: number, knobs = {}) =>
    new SpbMachine(`A  u1 u${512 - left} 15. *U\nB  *.`, { knobs });

  test('26. B1 high water: nr_free_pages 8,192 before an order-0 U, 8,191 after: triggered', () => {
    const machine = machineWith(1);
    expect(machine.counts('A').pages).toBe(8192);
    expect(machine.nameOf(machine.take(0, unmovable))).toBe('A:0+1');
    expect(machine.counts('A').pages).toBe(8191);
    expect(machine.log('trigger', 'walk')).toEqual(['trigger slab shrink (high water)', 'walk o0 U PASS_1']);
    machine.advance(MS);
    expect([machine.stats.spb_slab_shrink_queued, machine.stats.spb_slab_shrink_ran]).toEqual([1, 1]);
  });

  test('26. B1 high water: 8,193 before, 8,192 after: not triggered', () => {
    const machine = machineWith(2);
    expect(machine.counts('A').pages).toBe(8193);
    machine.take(0, unmovable);
    expect(machine.counts('A').pages).toBe(8192);
    expect(machine.log('trigger', 'walk')).toEqual(['walk o0 U PASS_1']);
    machine.advance(MS);
    expect(machine.stats.spb_slab_shrink_queued).toBe(0);
    // The mark is that of this superpageblock: the next page is one too many.
    machine.take(0, unmovable);
    expect(machine.log('trigger')).toEqual(['trigger slab shrink (high water)']);
  });

  test('high water is a share of all pageblocks, at least 4 of them', () => {
    // 64 pageblocks: the reserve is max(4, 2) = 4, so the mark is 2,048 pages.
    const machine = new SpbMachine('A  u510 4. 59U');
    expect(machine.spbs.reserve(0)).toBe(4);
    expect(machine.counts('A').pages).toBe(2050);
    expect(
      [machine.take(0, unmovable), machine.take(0, unmovable)].map((pfn) => machine.nameOf(pfn)),
    ).toEqual(['A:0+510', 'A:0+511']);
    expect(machine.log('trigger')).toEqual([]);
    expect(machine.nameOf(machine.take(0, unmovable))).toBe('A:1');
    expect(machine.log('trigger')).toEqual(['trigger slab shrink (high water)']);
  });

  test.each([
    ['off', 0],
    ['demand', 0],
    ['high_water', 1],
  ] as const)('spb.slab_shrink = %s: %i triggers', (slab_shrink, triggers) => {
    const machine = machineWith(1, { 'spb.slab_shrink': slab_shrink });
    machine.take(0, unmovable);
    expect(machine.log('trigger')).toHaveLength(triggers);
    machine.advance(MS);
    expect(machine.stats.spb_slab_shrink_queued).toBe(triggers);
  });

  // Passes 1, 2, 2b, 2c and 2d react, with a row for what each of them finds; A is far below its high water.
  test.each([
    ['PASS_1', 'A  u1 *U', unmovable],
    ['PASS_2', 'A  U . *U', unmovable],
    ['PASS_2B', 'A  U m1 *U', unmovable],
    ['PASS_2C', 'A  U r1 *U', unmovable],
    ['PASS_2C', 'A  R u1 *U', reclaimable],
  ])('%s reacts: %s', (outcome, picture, type) => {
    const machine = new SpbMachine(`${picture}\nB  *.`);
    machine.take(0, type);
    expect(machine.log('walk', 'trigger').filter((line) => !line.includes('defrag'))).toEqual([
      'trigger slab shrink (high water)',
      `walk o0 ${type === unmovable ? 'U' : 'R'} ${outcome}`,
    ]);
  });

  test('PASS_2D reacts: a borrowed page of a block that cannot be claimed', () => {
    // The zone ends inside the last block, so that 2b refuses it.
    const machine = new SpbMachine('A  *U\nB  U m1');
    const { mm, zone } = machine;
    zone.remove(machine.pfn('B', 1, 256), 8, movable);
    zone.nr_free_pages -= 256;
    zone.spanned_pages -= 256;
    machine.check();
    machine.take(0, unmovable);
    const log = machine.log('claim_refused', 'walk', 'trigger');
    // One candidate of every order from 0 to 7, all refused for the zone's boundary.
    expect(log.slice(0, 8).every((line) => /^claim_refused B:1\+\d+ 2$/.test(line))).toBe(true);
    expect(log.slice(8).filter((line) => !line.includes('defrag'))).toEqual([
      'trigger slab shrink (high water)',
      'walk o0 U PASS_2D',
    ]);
    expect(mm.pages.blockType[machine.pfn('B', 1) >>> 9]).toBe(movable);
  });

  test('passes 3 and 4, a claim and a steal do not react, however little is left', () => {
    const reactions = (machine: SpbMachine) =>
      machine.log('trigger').filter((line) => line.includes('high water'));
    // With five blocks free and a reserve of four M may enter, and an order 10 leaves less than the high water.
    const pass4 = new SpbMachine('A  U 5. 10M');
    expect(pass4.nameOf(pass4.take(10, movable))).toBe('A:2');
    expect([pass4.counts('A').pages, pass4.spbs.isBelowHighWater(0)]).toEqual([3 * 512, true]);
    expect(reactions(pass4)).toEqual([]);

    const pass3 = new SpbMachine('A  *U\nB  4.');
    expect(pass3.nameOf(pass3.take(0, unmovable))).toBe('B:0');
    expect(pass3.spbs.isBelowHighWater(1)).toBe(true);
    expect(reactions(pass3)).toEqual([]);

    // Half a block is enough to claim it, 12 pages are not.
    for (const [used, claims, steals] of [
      [256, 1, 0],
      [500, 0, 1],
    ] as const) {
      const machine = new SpbMachine(`A  m${used}`);
      machine.take(0, unmovable);
      expect([machine.stats.claims_other, machine.stats.steals]).toEqual([claims, steals]);
      expect([machine.place('A'), machine.spbs.isBelowHighWater(0)]).toEqual(['tainted full', true]);
      expect(reactions(machine)).toEqual([]);
    }
  });

  test('clean superpageblocks have no high water', () => {
    const machine = new SpbMachine('A  m1 *M\nB  U 100. *U');
    machine.take(0, movable, ALLOC_NOFRAGMENT);
    expect(machine.log('walk', 'trigger')).toEqual(['walk o0 M PASS_1']);
  });
});

describe('27. B2 pending', () => {
  const machine = () => {
    const made = new SpbMachine('A  4.');
    made.mm.shrinkers = null;
    return made;
  };

  test('27. B2 pending: 1,000 triggers while one is pending: queued + 1, at its start ran + 1', () => {
    const { work, stats, time } = machine();
    work.raiseSlabShrink();
    // The irq_work has run, the item waits for its worker.
    time.advance(1_000);
    expect([stats.spb_slab_shrink_queued, stats.spb_slab_shrink_ran]).toEqual([1, 0]);
    for (let i = 0; i < 1_000; i++) {
      work.raiseSlabShrink();
      if (i % 100 === 99) time.advance(900);
    }
    expect([stats.spb_slab_shrink_queued, stats.spb_slab_shrink_ran]).toEqual([1, 0]);
    time.advance(10_000);
    expect([stats.spb_slab_shrink_queued, stats.spb_slab_shrink_ran]).toEqual([1, 1]);
    time.advance(1_000 * MS);
    expect([stats.spb_slab_shrink_queued, stats.spb_slab_shrink_ran]).toEqual([1, 1]);
    expect(work.backlog).toBe(0);
  });

  test('27. B2 pending: triggers 10 ms apart and runs that end at once: each counts', () => {
    const { work, stats, time } = machine();
    for (let i = 1; i <= 100; i++) {
      work.raiseSlabShrink();
      time.advance(10 * MS);
      expect([stats.spb_slab_shrink_queued, stats.spb_slab_shrink_ran]).toEqual([i, i]);
    }
  });

  test('27. B2 pending: 1,000 triggers before the irq_work has run are one', () => {
    const { work, stats, time } = machine();
    for (let i = 0; i < 1_000; i++) work.raiseSlabShrink();
    expect(work.backlog).toBe(1);
    time.advance(MS);
    expect([stats.spb_slab_shrink_queued, stats.spb_slab_shrink_ran]).toEqual([1, 1]);
  });
});

describe('28. B3 rounds', () => {
  test('28. B3 rounds: deltas 1,500, 900: two rounds (prio 12, 11), 2,400 >= 2,048', () => {
    const { shrinkers, stats } = runOver([[1500], [900], [7]]);
    expect(shrinkers.priorities).toEqual([12, 11]);
    expect([stats.shrink_rounds, stats.shrink_objects]).toEqual([2, 2400]);
  });

  test('28. B3 rounds: a zero first: one round', () => {
    const { shrinkers, stats, cost_ns } = runOver([[0], [5000]]);
    expect(shrinkers.priorities).toEqual([12]);
    expect([stats.shrink_rounds, stats.shrink_objects]).toEqual([1, 0]);
    expect(cost_ns).toBe(500);
  });

  test('28. B3 rounds: always 100: 13 rounds, 1,300, ends after prio 0', () => {
    const { shrinkers, stats } = runOver([[100]]);
    expect(shrinkers.priorities).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect([stats.shrink_rounds, stats.shrink_objects]).toEqual([13, 1300]);
  });

  test('exactly the target ends a run, one object less does not', () => {
    expect(runOver([[2048], [1]]).stats.shrink_rounds).toBe(1);
    expect(runOver([[2047], [1]]).stats.shrink_rounds).toBe(2);
    expect(runOver([[100]], { 'spb.shrink_target_objs': 350 }).stats.shrink_objects).toBe(400);
  });

  test('every look is at the node, with the flags of GFP_KERNEL; time follows the objects looked at', () => {
    const { shrinkers, cost_ns } = runOver([[2048]], { 'shrinker.object_cost_ns': 30 });
    expect(shrinkers.asked).toEqual([{ gfp: GFP_KERNEL, node: 0, memcg: 0, priority: 12 }]);
    expect(cost_ns).toBe(30);
  });

  test('without any shrinker a run ends before it begins', () => {
    const machine = new SpbMachine('A  4.');
    machine.mm.shrinkers = null;
    expect(spbSlabShrink(machine.mm, 0)).toBe(0);
    expect(machine.stats.shrink_rounds).toBe(0);
  });
});

describe('29. B4 memcgs', () => {
  test('29. B4 memcgs: three yield 0, 5, 0: delta 5, the loop goes on; the walk is complete before zero is tested', () => {
    const { shrinkers, stats } = runOver([
      [0, 5, 0],
      [0, 0, 0],
    ]);
    expect(shrinkers.asked.map(({ priority, memcg }) => `${priority}/${memcg}`)).toEqual([
      '12/0',
      '12/1',
      '12/2',
      '11/0',
      '11/1',
      '11/2',
    ]);
    expect([stats.shrink_rounds, stats.shrink_objects]).toEqual([2, 5]);
  });
});

describe('kinds of triggers', () => {
  const kinds = (mm: PageAllocator) => mm.spb!.stats.spb_slab_shrink_queued;

  // A is tainted and has nothing at all, B is empty: Pass 3 is the only way.
  test.each([
    ['high_water', 1],
    ['demand', 1],
    ['off', 0],
  ] as const)('demand, before Pass 3, with spb.slab_shrink = %s: %i', (slab_shrink, triggers) => {
    // No evacuation follows, which would trigger one of its own.
    const knobs = { 'spb.slab_shrink': slab_shrink, 'spb.evacuation': false };
    const machine = new SpbMachine('A  *U\nB  8.', { knobs });
    expect(machine.nameOf(machine.take(0, unmovable))).toBe('B:0');
    expect(machine.log('trigger').filter((line) => line.includes('shrink'))).toEqual(
      new Array(triggers).fill('trigger slab shrink (demand)'),
    );
    machine.time.advance(MS);
    expect(kinds(machine.mm)).toBe(triggers);
  });

  test.each([
    ['high_water', 1],
    ['demand', 1],
    ['off', 0],
  ] as const)('supply, after an evacuation, with spb.slab_shrink = %s: %i', (slab_shrink, triggers) => {
    const machine = new SpbMachine('A  u1 m1 8.', { knobs: { 'spb.slab_shrink': slab_shrink } });
    evacuateForOrder(machine.mm, machine.zone, 0, unmovable);
    expect(machine.log('trigger')).toEqual(new Array(triggers).fill('trigger slab shrink (supply)'));
  });

  test('a trigger changes nothing by itself: the run comes when its time has come', () => {
    const machine = new SpbMachine('A  R *R\nB  8.');
    const slabs = machine.mm.slabObjects!.pagesOf(0);
    expect(slabs).toBe(512 * 512);
    machine.take(0, reclaimable);
    expect(machine.mm.slabObjects!.freed_pages).toBe(0);
    machine.advance(1_000 * MS);
    expect(machine.stats.shrink_objects).toBeGreaterThanOrEqual(2048);
    expect(machine.stats.work.slab_shrink.busy_ns).toBe(machine.mm.shrinkers!.scanned_objects * 500);
  });
});
