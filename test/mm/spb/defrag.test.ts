/** When the defrag worker of a superpageblock starts and stops. model: spb 4.5; 8, scenarios 31, 32 */
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/mm/policy.js';
import { offerToDefrag } from '../../../src/mm/spb/node-work.js';
import { movable, SpbMachine, unmovable } from './background-support.js';

const SECOND = 1_000_000_000;

/** All ways but the named ones are closed: `list` is a list update, which has no switch. */
function triggersOnly(...open: ('react' | 'last_chance')[]): Partial<Policy> {
  return {
    'spb.defrag_on_react': open.includes('react'),
    'spb.defrag_last_chance': open.includes('last_chance'),
  };
}

const started = (machine: SpbMachine) =>
  machine.log('trigger').filter((line) => line.startsWith('trigger defrag')).length;

describe('31. B6 defrag gate', () => {
  test('31. B6 defrag gate: tainted with nr_movable 0: never', () => {
    // Free: 511 pages of A's first block and its two last ones. Nothing in it could move.
    const machine = new SpbMachine('A  u1 *U\nB  U u1 2. *U\nC  8.');
    expect([machine.counts('A').m, machine.counts('B').m]).toEqual([0, 0]);
    machine.quietly(() => {
      // react (A, B), list updates (B loses its last free blocks), last chance (nothing is left but C)
      while (!machine.nameOf(machine.take(0, unmovable)).startsWith('C'));
    });
    expect(machine.place('C')).toBe('tainted almost_empty');
    expect(machine.stats.defrag_offered).toBeGreaterThan(2000);
    machine.advance(10 * SECOND);
    expect([started(machine), machine.stats.defrag_runs]).toEqual([0, 0]);
  });

  test('31. B6 defrag gate: clean with nr_free 0: never', () => {
    const machine = new SpbMachine('A  1. m511 *M\nB  m511 *M\nC  8.');
    machine.quietly(() => {
      for (let i = 0; i < 600; i++) machine.take(0, movable);
    });
    expect([machine.place('A'), machine.place('B'), machine.counts('A').free]).toEqual([
      'clean full',
      'clean full',
      0,
    ]);
    // A list update has moved A, and C was opened by Pass 3: of clean ones nothing is even counted.
    for (const spb of [0, 1, 2]) offerToDefrag(machine.mm, machine.zone, spb);
    expect(machine.stats.defrag_offered).toBe(0);
    machine.advance(10 * SECOND);
    expect([started(machine), machine.stats.defrag_runs]).toEqual([0, 0]);
  });

  // Every movable page is stuck, so that a run changes nothing.
  test('31. B6 defrag gate: no progress at 0 s: refused at 4.9 s, allowed at 5.1 s if triggered', () => {
    const machine = new SpbMachine('A  u1 *M\nB  8.', { knobs: { 'spb.evac_fail_permille': 1000 } });
    const { stats } = machine;
    machine.take(0, unmovable);
    expect(started(machine)).toBe(1);
    machine.advance(4.9 * SECOND);
    expect([stats.defrag_runs, stats.defrag_no_progress, stats.defrag_in_cooldown]).toEqual([1, 1, 0]);
    expect(machine.row('A')).toBe('u2 511M');
    machine.take(0, unmovable);
    expect([started(machine), stats.defrag_in_cooldown]).toEqual([0, 1]);
    machine.advance(0.2 * SECOND);
    expect(stats.defrag_runs).toBe(1);
    machine.take(0, unmovable);
    expect(started(machine)).toBe(1);
    machine.advance(0.1 * SECOND);
    expect([stats.defrag_runs, stats.defrag_no_progress, stats.defrag_in_cooldown]).toEqual([2, 2, 1]);
  });

  test('31. B6 defrag gate: untriggered it never runs', () => {
    const machine = new SpbMachine('A  u1 *M\nB  8.', { knobs: { 'spb.evac_fail_permille': 1000 } });
    machine.advance(60 * SECOND);
    expect(machine.stats.defrag_runs).toBe(0);
    machine.take(0, unmovable);
    machine.advance(600 * SECOND);
    expect(machine.stats.defrag_runs).toBe(1);
  });

  test('after a run with progress there is no rest; the cooldown is a knob', () => {
    const machine = new SpbMachine('A  u1 *M\nB  *.');
    const { stats } = machine;
    machine.take(0, unmovable);
    machine.advance(SECOND);
    expect([stats.defrag_runs, stats.defrag_no_progress, machine.counts('A').free]).toEqual([1, 0, 17]);
    machine.quietly(() => {
      for (let i = 0; i < 2; i++) machine.take(9, unmovable);
    });
    offerToDefrag(machine.mm, machine.zone, 0);
    machine.advance(SECOND);
    expect([stats.defrag_runs, machine.counts('A').free]).toEqual([2, 17]);

    const knobs = { 'spb.evac_fail_permille': 1000, 'spb.defrag_cooldown_ns': SECOND };
    const short = new SpbMachine('A  u1 *M\nB  8.', { knobs });
    short.take(0, unmovable);
    short.advance(1.1 * SECOND);
    short.take(0, unmovable);
    short.advance(SECOND);
    expect(short.stats.defrag_runs).toBe(2);
  });

  test('spb.defrag = false: nothing is offered', () => {
    const machine = new SpbMachine('A  u1 *M\nB  8.', { knobs: { 'spb.defrag': false } });
    machine.take(0, unmovable);
    machine.advance(SECOND);
    expect([machine.stats.defrag_offered, machine.stats.defrag_runs]).toEqual([0, 0]);
  });
});

describe('what triggers it', () => {
  test('(a) a list update that moves the superpageblock, and no other', () => {
    const machine = new SpbMachine('A  u1 2. *M\nB  *.', { knobs: triggersOnly() });
    expect(machine.place('A')).toBe('tainted 75');
    expect(machine.nameOf(machine.take(9, unmovable))).toBe('A:1');
    // Far below its reserve, but on the same list: nobody notices.
    expect([machine.place('A'), machine.stats.defrag_offered, started(machine)]).toEqual([
      'tainted 75',
      0,
      0,
    ]);
    machine.take(9, unmovable);
    expect([machine.place('A'), machine.stats.defrag_offered, started(machine)]).toEqual([
      'tainted full',
      1,
      1,
    ]);
  });

  test('(a) also when a clean one becomes tainted', () => {
    const machine = new SpbMachine('A  m300 *M', { knobs: triggersOnly() });
    machine.take(0, unmovable);
    expect([machine.place('A'), started(machine)]).toEqual(['tainted full', 1]);
  });

  test.each([
    [true, 1],
    [false, 0],
  ])('(b) react, with spb.defrag_on_react = %s', (on, runs) => {
    const machine = new SpbMachine('A  u1 *M\nB  *.', {
      knobs: triggersOnly(...(on ? ['react' as const] : [])),
    });
    machine.take(0, unmovable);
    expect(machine.log('walk')).toEqual(['walk o0 U PASS_1']);
    machine.advance(SECOND);
    expect(machine.stats.defrag_runs).toBe(runs);
  });

  // A and B are tainted and full, the clean C too: all that is left is the empty D.
  const FULL = 'A  U *M\nB  U *M\nC  *M\nD  8.';

  test.each([
    [unmovable, true, true, 2],
    [unmovable, true, false, 2],
    [unmovable, false, true, 0],
    [movable, true, true, 2],
    [movable, true, false, 0],
    [movable, false, true, 0],
  ])(
    '(c) last chance for type %i, with spb.defrag_last_chance = %s, for_movable = %s: %i runs',
    (type, last, forMovable, runs) => {
      const machine = new SpbMachine(FULL, {
        knobs: {
          ...triggersOnly(...(last ? ['last_chance' as const] : [])),
          'spb.last_chance_for_movable': forMovable,
          'spb.evacuation': false,
        },
      });
      const pfn = machine.take(0, type);
      expect(machine.nameOf(pfn)).toBe('D:0');
      // Each tainted superpageblock once; D joins them as a list update, in which nothing can move.
      expect(machine.stats.defrag_offered).toBe(runs + (type === unmovable ? 1 : 0));
      expect(started(machine)).toBe(runs);
    },
  );
});

describe('32. B7 hysteresis', () => {
  const V2_15 = { 'spb.defrag_start_blocks': 1, 'spb.defrag_stop_blocks': 2 };

  test('32. B7 hysteresis: starts at nr_free 1, stops at 2, does not start again until <= 1', () => {
    // 1,135 pages are free with it: the marks in pages have no say.
    const machine = new SpbMachine('A  u1 u400 1. *M\nB  *.', { knobs: V2_15 });
    const offer = () => {
      offerToDefrag(machine.mm, machine.zone, 0);
      machine.advance(SECOND);
      return [machine.counts('A').free, machine.stats.defrag_runs];
    };
    expect(machine.counts('A').free).toBe(1);
    expect(offer()).toEqual([2, 1]);
    expect(machine.row('A')).toBe('u1 u400 2. 508M');
    expect(offer()).toEqual([2, 1]);
    machine.take(9, unmovable);
    expect(machine.counts('A').free).toBe(1);
    expect(offer()).toEqual([2, 2]);
    // The two free blocks were one chunk: both were relabelled, one is in use.
    expect(machine.row('A')).toBe('u1 u400 U u0 . 507M');
    expect(machine.stats.defrag_no_progress).toBe(0);
  });

  test('the final form: starts below the reserve, stops one above it', () => {
    const at = (free: number) => {
      const machine = new SpbMachine(`A  U ${free}. *M\nB  *.`);
      offerToDefrag(machine.mm, machine.zone, 0);
      machine.advance(SECOND);
      return [machine.stats.defrag_runs, machine.counts('A').free];
    };
    expect(at(15)).toEqual([1, 17]);
    expect(at(16)).toEqual([0, 16]);
    expect(at(0)).toEqual([1, 17]);
  });

  test('the reserve is the superpageblock its own', () => {
    // 64 pageblocks: a reserve of 4.
    const at = (free: number) => {
      const machine = new SpbMachine(`A  *.\nB  U ${free}. ${63 - free}M`);
      offerToDefrag(machine.mm, machine.zone, 1);
      machine.advance(SECOND);
      return [machine.stats.defrag_runs, machine.counts('B').free];
    };
    expect(at(3)).toEqual([1, 5]);
    expect(at(4)).toEqual([0, 4]);
  });

  test('it stops with the last movable block, however little that is', () => {
    const machine = new SpbMachine('A  u1 2M *U\nB  *.', { knobs: V2_15 });
    offerToDefrag(machine.mm, machine.zone, 0);
    machine.advance(SECOND);
    expect([machine.row('A'), machine.counts('A').m]).toEqual(['u1 2. 509U', 0]);
    const one = new SpbMachine('A  u1 x4+500 *U\nB  *.', { knobs: V2_15 });
    offerToDefrag(one.mm, one.zone, 0);
    one.advance(SECOND);
    expect([one.row('A'), one.row('B'), one.counts('A').m]).toEqual(['u1 u500 510U', 'm4 511.', 0]);
    // A block that holds nothing movable any more is progress, if a small one.
    expect(one.stats.defrag_no_progress).toBe(0);
  });

  test('by pages: it starts below 1,024 free pages, and stops at 1,536', () => {
    const knobs = {
      ...V2_15,
      'spb.defrag_stop_blocks': 3,
      'spb.defrag_start_blocks': 0,
      'spb.tainted_reserve_min': 0,
      'spb.tainted_reserve_divisor': 512,
    };
    // The reserve is 1: at nr_free 1 only the pages can start it. Without the knob they are max(3 * 512, 1,536).
    const runWith = (first: string) => {
      const machine = new SpbMachine(`A  ${first} 1. *M\nB  *.`, { knobs });
      const { pages } = machine.counts('A');
      offerToDefrag(machine.mm, machine.zone, 0);
      machine.advance(SECOND);
      return [pages, machine.stats.defrag_runs, machine.counts('A').free];
    };
    expect(runWith('u1')).toEqual([1023, 1, 3]);
    expect(runWith('u1 u511')).toEqual([1024, 0, 1]);
    expect(runWith('U')).toEqual([512, 1, 3]);
  });

  test('fragments alone can be enough to stop: such a run moves nothing, and is stamped', () => {
    const machine = new SpbMachine('A  4u1 *M\nB  *.', { knobs: V2_15 });
    expect([machine.counts('A').free, machine.counts('A').pages]).toEqual([0, 4 * 511]);
    offerToDefrag(machine.mm, machine.zone, 0);
    machine.advance(SECOND);
    expect([machine.stats.defrag_runs, machine.stats.defrag_no_progress, machine.stats.defrag_pages]).toEqual(
      [1, 1, 0],
    );
  });
});

describe('a run', () => {
  test('empties blocks in the order of their PFNs, into others', () => {
    const machine = new SpbMachine('A  U m500 . m510 x500+1 m507 *M\nB  m1 *.', {
      knobs: { 'spb.defrag_start_blocks': 1, 'spb.defrag_stop_blocks': 3 },
    });
    const moves: string[] = [];
    machine.mm.onMigrate = (from) => moves.push(machine.nameOf(from).split('+')[0]!);
    offerToDefrag(machine.mm, machine.zone, 0);
    machine.advance(SECOND);
    // Two blocks are enough; pages of the second one are not touched when the first has sufficed.
    expect([...new Set(moves)]).toEqual(['A:1', 'A:3']);
    expect(machine.row('A')).toBe('U 3. x500+1 m507 506M');
    expect(machine.counts('B').pages).toBe(512 * 512 - 1 - 1010);
    expect([machine.stats.defrag_pages, machine.stats.defrag_blocks_freed]).toEqual([1010, 2]);
    expect(machine.stats.work.defrag.busy_ns).toBe(2 * 512 * 20 + 1010 * 2_000);
  });

  test('that finds nowhere to move to ends', () => {
    const machine = new SpbMachine('A  U m400 *M\nB  *M');
    offerToDefrag(machine.mm, machine.zone, 0);
    machine.advance(SECOND);
    expect([machine.stats.defrag_runs, machine.stats.defrag_pages, machine.stats.defrag_no_progress]).toEqual(
      [1, 0, 1],
    );
    expect(machine.stats.work.defrag.busy_ns).toBe(512 * 20);
  });
});
