/** Requests that can do with less, and requests that cannot reclaim. model: spb 3.6, 3.7, 8 scenarios 21-25 */
import { describe, expect, test } from 'vitest';
import {
  GFP_ATOMIC,
  GFP_DIRECT_RECLAIM_BIT,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  GFP_KSWAPD_RECLAIM_BIT,
  GFP_NOFAIL_BIT,
  GFP_NOMEMALLOC_BIT,
  GFP_NORETRY_BIT,
  GFP_NOWARN_BIT,
  GFP_RECLAIMABLE_BIT,
  GFP_RETRY_MAYFAIL_BIT,
} from '../../../src/mm/gfp.js';
import { optionalFlag } from '../../../src/mm/page-alloc/slow-flags.js';
import {
  ALLOC_HIGHORDER_OPTIONAL,
  ALLOC_NOFRAGMENT,
  ALLOC_NON_BLOCK,
} from '../../../src/mm/page-alloc/watermark.js';
import type { Policy } from '../../../src/mm/policy.js';
import { RelaxStep } from '../../../src/mm/spb/spb-types.js';
import { FULL_TAINTED, fillers, SpbMachine } from './support.js';

const OPTIONAL = ALLOC_HIGHORDER_OPTIONAL;
const GFP_NOWAIT = GFP_KSWAPD_RECLAIM_BIT;
const REFUSED = 'refused: an optional request must not taint (spb_highorder_refused)';
const EVACUATION = (order: number) => `evacuation for order ${order} queued`;

const relaxed = (machine: SpbMachine) => machine.events().filter((line) => line.startsWith('relax'));

describe('21. O1 refused', () => {
  //  T  tainted; its three free pageblocks are isolated       C  clean, 100 free       f1 .. f7  full
  const pictures = { T: 'U:u | 3 I:. | * M:m', C: 'M:m | 100 M:. | * M:m', ...fillers(7) };

  test('no page, no taint; only the caller that is optional is refused', () => {
    const machine = new SpbMachine(pictures);
    const all = machine.others();
    expect(machine.spb('T')).toBe('tainted 75, 3 free, U 1 M 508 R 0, 0 pages');
    expect(machine.alloc('U', 3, OPTIONAL)).toBe('none');
    expect(machine.events().slice(-3)).toEqual(['NO_PAGE o3 U, 5 visited', REFUSED, EVACUATION(3)]);
    expect(machine.alloc('R', 1, OPTIONAL | ALLOC_NOFRAGMENT)).toBe('none');
    expect(machine.events().slice(-2)).toEqual([REFUSED, EVACUATION(1)]);
    expect(machine.stats.spb_highorder_refused).toBe(2);
    expect([machine.others(), machine.tainted]).toEqual([all, ['T']]);

    expect(machine.alloc('U', 3, 0)).toMatch(/^C#/);
    expect([machine.stats.spb_highorder_refused, machine.tainted]).toEqual([2, ['T', 'C']]);
  });

  test('order 0 is served, and movable requests are', () => {
    const machine = new SpbMachine(pictures);
    expect(machine.alloc('M', 9, OPTIONAL)).toMatch(/^C#/);
    expect(machine.alloc('U', 0, OPTIONAL)).toMatch(/^C#/);
    expect(machine.stats.spb_highorder_refused).toBe(0);
    // Passes have nothing for this one: it claims.
    const claiming = new SpbMachine({ T: pictures.T, C: 'M:m | U:. | * M:m' });
    expect(claiming.alloc('M', 3, OPTIONAL)).toBe('C#1');
    expect(claiming.stats.spb_highorder_refused).toBe(0);
  });

  test.each<[number, number]>([
    [0, 0],
    [4, 4],
  ])('the smallest order that is refused is a knob: %i', (least, order) => {
    const machineOf = () => new SpbMachine(pictures, { knobs: { 'spb.optional_min_order': least } });
    expect(machineOf().alloc('U', order, OPTIONAL)).toBe('none');
    if (order > 0) expect(machineOf().alloc('U', order - 1, OPTIONAL)).toMatch(/^C#/);
  });

  test('without a free pageblock in a tainted SPB nobody is refused; free pages are the other key', () => {
    //  T  has free pages, in chunks too small for the request
    const T = `U:${'u.'.repeat(64)} | * M:m`;
    const taken = (knobs: Partial<Policy>) => {
      const machine = new SpbMachine({ ...pictures, T }, { knobs });
      return [machine.alloc('U', 3, OPTIONAL), machine.stats.spb_highorder_refused];
    };
    expect(taken({})).toEqual([expect.stringMatching(/^C#/), 0]);
    expect(taken({ 'spb.optional_gate': 'free_pages' })).toEqual(['none', 1]);
    const dry = new SpbMachine(
      { ...pictures, T: FULL_TAINTED },
      { knobs: { 'spb.optional_gate': 'free_pages' } },
    );
    expect(dry.alloc('U', 3, OPTIONAL)).toMatch(/^C#/);
  });

  test('by the whole way of the request: slab that tries a higher order first', () => {
    const machine = new SpbMachine(pictures);
    expect(machine.request(GFP_KERNEL | GFP_NORETRY_BIT | GFP_NOWARN_BIT | GFP_RECLAIMABLE_BIT, 3)).toBe(
      'none',
    );
    const refusals = machine.events().filter((line) => line === REFUSED).length;
    expect(refusals).toBeGreaterThan(0);
    expect(machine.stats.spb_highorder_refused).toBe(refusals);
    expect(machine.tainted).toEqual(['T']);
  });

  test('the reserve for atomic requests is open to them afterwards', () => {
    const machine = new SpbMachine({ ...pictures, T: 'U:u | I:. | M:m | H:. | * M:m' });
    const flags = OPTIONAL | ALLOC_NOFRAGMENT | ALLOC_NON_BLOCK;
    expect(machine.alloc('U', 3, flags)).toBe('T#3');
    expect(machine.stats.spb_highorder_refused).toBe(1);
    expect(machine.type('T#3')).toBe('H');
  });

  test.each<[string, number, boolean]>([
    ['NORETRY', GFP_KERNEL | GFP_NORETRY_BIT, true],
    ['NORETRY and RETRY_MAYFAIL', GFP_KERNEL | GFP_NORETRY_BIT | GFP_RETRY_MAYFAIL_BIT, false],
    ['GFP_KERNEL', GFP_KERNEL, false],
    ['RETRY_MAYFAIL', GFP_KERNEL | GFP_RETRY_MAYFAIL_BIT, false],
    ['GFP_ATOMIC', GFP_ATOMIC, true],
    ['GFP_NOWAIT', GFP_NOWAIT, true],
    ['GFP_ATOMIC, NOMEMALLOC', GFP_ATOMIC | GFP_NOMEMALLOC_BIT, false],
    ['GFP_ATOMIC, NOFAIL', GFP_ATOMIC | GFP_NOFAIL_BIT, false],
    ['direct reclaim only', GFP_DIRECT_RECLAIM_BIT, false],
  ])('shape of the request: %s', (_, gfp, isOptional) => {
    expect(optionalFlag(gfp)).toBe(isOptional ? OPTIONAL : 0);
  });
});

describe('22. O2 not optional', () => {
  const pictures = { T: 'U:u | 3 I:. | * M:m', C: 'M:m | M:m | 100 M:. | * M:m', ...fillers(7) };
  const TOLD = [EVACUATION(3), 'slab shrink (demand)'];

  test('goes on to claim; the background hears of it before it taints', () => {
    const machine = new SpbMachine(pictures);
    expect(machine.alloc('U', 3)).toBe('none');
    expect(machine.events()).toEqual([
      'fall through o3 U, 1 tainted, 0 with buddy',
      ...TOLD,
      'defrag of superpageblock T',
      'NO_PAGE o3 U, 5 visited',
    ]);
    expect(machine.alloc('U', 3, 0)).toBe('C#2');
    expect(machine.events()).toEqual([
      'fall through o3 U, 1 tainted, 0 with buddy',
      ...TOLD,
      'NO_PAGE o3 U, 5 visited',
      ...TOLD,
      'SET U C#2 first',
      'extfrag C#2 o3 U <- o10 M',
    ]);
    const { stats } = machine;
    expect([stats.spb_highorder_refused, stats.claims_other, stats.taints_by_claim]).toEqual([0, 1, 1]);
    expect([machine.type('C#2'), machine.type('C#3')]).toEqual(['U', 'U']);
  });

  test('by the whole way of the request: a targeted evacuation makes room first', () => {
    const machine = new SpbMachine(pictures);
    expect(machine.request(GFP_KERNEL, 3)).toMatch(/^T#/);
    expect(machine.tainted).toEqual(['T']);
    expect([machine.stats.evac_successes, machine.stats.nofragment_dropped]).toEqual([1, 0]);
  });

  test('by the whole way of the request: where there is no evacuation, NOFRAGMENT is dropped at the end', () => {
    const machine = new SpbMachine(pictures, { knobs: { 'spb.evacuation': false } });
    expect(machine.request(GFP_KERNEL, 3)).toBe('C#2');
    const { stats } = machine;
    expect([stats.spb_highorder_refused, stats.nofragment_dropped, stats.taints_by_claim]).toEqual([0, 1, 1]);
    expect(machine.tainted).toEqual(['T', 'C']);
    expect([...stats.relax_steps]).toEqual([0, 0, 0, 0]);
  });
});

describe('23. O3 lower order', () => {
  //  T  tainted: three movable pageblocks, free chunks of 8 pages at most       C  clean, 100 free
  const SMALL = `U:${'u.'.repeat(32)}`;
  const C = 'M:m | 100 M:. | * M:m';
  const GFP = GFP_NOWAIT | GFP_NOWARN_BIT;

  test('no page of order 4; the order 0 that follows is served by the tainted pool', () => {
    const machine = new SpbMachine({ T: `${SMALL} | 3 M:m | * U:u`, C, ...fillers(7) });
    expect(machine.spb('T')).toBe('tainted full, 0 free, U 509 M 3 R 0, 256 pages');
    const all = machine.others();
    expect(machine.walk(GFP, 4, ALLOC_NOFRAGMENT)).toBe('none');
    expect(relaxed(machine)).toEqual(['relax o4 U: ADD_TAINTED_OK', 'relax o4 U: NOWARN_LOWER_ORDER']);
    expect(machine.request(GFP, 4)).toBe('none');
    expect(relaxed(machine).at(-1)).toBe('relax o4 U: NOWARN_LOWER_ORDER');
    expect([machine.others(), machine.tainted]).toEqual([all, ['T']]);
    expect(machine.stats.nofragment_dropped).toBe(0);

    expect(machine.request(GFP, 0)).toBe('T+0x8');
    expect(machine.events()).toEqual(['slab shrink (high water)', 'PASS_1 o0 U, 1 visited']);
    expect(machine.tainted).toEqual(['T']);
  });

  const stepsOf = (T: string, gfp: number, order: number) => {
    const machine = new SpbMachine({ T, C });
    machine.walk(gfp, order, ALLOC_NOFRAGMENT);
    return relaxed(machine).at(-1);
  };

  test('movable pageblocks or a smaller chunk of any type are a hope; without either it taints', () => {
    expect(stepsOf('M:m | * U:u', GFP, 4)).toMatch(/NOWARN_LOWER_ORDER/);
    expect(stepsOf(`${SMALL} | * U:u`, GFP, 4)).toMatch(/NOWARN_LOWER_ORDER/);
    expect(stepsOf(`${SMALL.replaceAll(/[Uu]/g, (c) => (c === 'U' ? 'R' : 'r'))} | * U:u`, GFP, 4)).toMatch(
      /NOWARN_LOWER_ORDER/,
    );
    expect(stepsOf('* U:u', GFP, 4)).toMatch(/DROP_NOFRAGMENT/);
    // Chunks of 8 pages are no smaller than what is asked for; were they to serve it, it would not come here.
    expect(stepsOf(`H:${'u.'.repeat(32)} | * U:u`, GFP, 4)).toMatch(/DROP_NOFRAGMENT/);
  });

  test('order 0 is never refused, nor is a caller that warns or must not fail', () => {
    const T = '3 M:m | * U:u';
    expect(stepsOf(T, GFP, 0)).toMatch(/DROP_NOFRAGMENT/);
    expect(stepsOf(T, GFP_NOWAIT, 4)).toMatch(/DROP_NOFRAGMENT/);
    expect(stepsOf(T, GFP | GFP_NOFAIL_BIT, 4)).toMatch(/DROP_NOFRAGMENT/);
    expect(stepsOf(T, GFP, 1)).toMatch(/NOWARN_LOWER_ORDER/);
  });
});

describe('24. O4 NORETRY', () => {
  //  T  tainted, nothing free       C  clean, 100 free
  const pictures = { T: FULL_TAINTED, C: 'M:m | 100 M:. | * M:m', ...fillers(7) };

  test.each([0, 3])('order %i: gives up where it could taint', (order) => {
    const machine = new SpbMachine(pictures);
    const all = machine.others();
    expect(machine.walk(GFP_ATOMIC | GFP_NORETRY_BIT, order, ALLOC_NOFRAGMENT)).toBe('none');
    expect(relaxed(machine)).toEqual([`relax o${order} U: NORETRY_SKIP`]);
    expect(machine.request(GFP_ATOMIC | GFP_NORETRY_BIT, order)).toBe('none');
    const steps = relaxed(machine);
    expect(new Set(steps)).toEqual(new Set([`relax o${order} U: NORETRY_SKIP`]));
    expect(machine.stats.relax_steps[RelaxStep.noretrySkip]).toBe(1 + steps.length);
    expect(machine.others()).toEqual(all);
  });

  test('a caller that can reclaim takes no such step', () => {
    const machine = new SpbMachine(pictures);
    expect(machine.walk(GFP_KERNEL | GFP_NORETRY_BIT, 0, ALLOC_NOFRAGMENT)).toBe('none');
    expect(relaxed(machine)).toEqual([]);
  });
});

describe('25. O5 atomic relax', () => {
  //  T  tainted, nothing free       C  the only clean one with free memory
  const pictures = { T: FULL_TAINTED, C: 'M:m | M:m | 100 M:. | * M:m', ...fillers(7) };

  test.each([0, 3])('order %i: two steps, a page, and exactly one more tainted SPB', (order) => {
    const machine = new SpbMachine(pictures);
    expect(machine.request(GFP_ATOMIC, order)).toBe('C#2');
    const events = machine.events();
    expect(events.filter((line) => /^relax|^SET|^extfrag/.test(line))).toEqual([
      `relax o${order} U: ADD_TAINTED_OK`,
      `relax o${order} U: DROP_NOFRAGMENT`,
      'SET U C#2 first',
      `extfrag C#2 o${order} U <- o10 M`,
    ]);
    expect([...machine.stats.relax_steps]).toEqual([0, 1, 1, 0]);
    expect([machine.stats.nofragment_dropped, machine.stats.taints_by_claim]).toEqual([1, 1]);
    expect(machine.tainted).toEqual(['T', 'C']);
    // What it left of the claimed chunk serves the next one, without a step.
    expect(machine.request(GFP_ATOMIC, order)).toBe('C#3');
    expect(relaxed(machine)).toEqual([]);
  });

  test('movable requests take the steps as well, and taint nothing', () => {
    const machine = new SpbMachine({ T: 'U:u | 16 M:. | * M:m', full: '* M:m' });
    expect(machine.walk(GFP_HIGHUSER_MOVABLE & ~GFP_DIRECT_RECLAIM_BIT, 0, ALLOC_NOFRAGMENT)).toMatch(/^T/);
    expect(relaxed(machine)).toEqual(['relax o0 M: ADD_TAINTED_OK', 'relax o0 M: DROP_NOFRAGMENT']);
    expect(machine.tainted).toEqual(['T']);
  });
});
