/** Where the smallest search finds a page, pass by pass. model: spb 3.3, 8 scenarios 8-15, 17 */
import { describe, expect, test } from 'vitest';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { ALLOC_NOFRAG_TAINTED_OK, ALLOC_NOFRAGMENT } from '../../../src/mm/page-alloc/watermark.js';
import type { Policy } from '../../../src/mm/policy.js';
import { policyNamed } from '../policies.js';
import { oddMachine, RandomRun } from './random-operations.js';
import { EMPTY, FULL_CLEAN, FULL_TAINTED, fillers, SpbMachine } from './support.js';

const WATER_TRIGGERS = (name: string) => ['slab shrink (high water)', `defrag of superpageblock ${name}`];

/** Takes all the free memory of a pageblock whose lowest page was taken, and `blocks` whole pageblocks, of an SPB. */
function fillUp(machine: SpbMachine, name: string, blocks: number): void {
  for (let i = 0; i < blocks; i++) expect(machine.allocUnchecked('M', 9)).toMatch(RegExp(`^${name}#`));
  for (let order = 8; order >= 0; order--)
    expect(machine.allocUnchecked('M', order)).toMatch(RegExp(`^${name}#`));
  machine.check();
  machine.events();
}

describe('8. P1 fullest first: fuller tainted superpageblock first', () => {
  //  B  U:u.  200 free                    300 free blocks apart: 61 % in use
  //  A  U:u.  10 free                     98 % in use, at the higher address
  const pictures = { B: 'U:u. | 200 M:. | * M:m', A: 'U:u. | 10 M:. | * M:m', ...fillers(7) };

  test('A serves, in one visit', () => {
    const machine = new SpbMachine(pictures);
    expect([machine.list('A'), machine.list('B')]).toEqual(['tainted 75', 'tainted 50']);
    const others = machine.others('A');
    expect(machine.alloc('U')).toBe('A+0x100');
    expect(machine.events()).toEqual([...WATER_TRIGGERS('A'), 'PASS_1 o0 U, 1 visited']);
    expect(machine.spb('A')).toBe('tainted 75, 10 free, U 1 M 501 R 0, 5375 pages');
    expect(machine.others('A')).toEqual(others);
    expect(machine.locked()).toEqual(['A+0x100 o0 U, may be cached']);
  });

  test('only when A has no fitting fragment is B looked at', () => {
    const machine = new SpbMachine(pictures);
    machine.alloc('U', 8);
    machine.events();
    expect(machine.alloc('U')).toBe('B+0x100');
    expect(machine.events()).toEqual(['PASS_1 o0 U, 2 visited']);
    expect(machine.reasons()).toContain('A: no fitting chunk');
  });

  test('full SPBs are visited first, and passed over where nothing is free', () => {
    const machine = new SpbMachine({ ...pictures, full: FULL_TAINTED });
    expect(machine.alloc('U')).toMatch(/^A/);
    expect(machine.events().at(-1)).toBe('PASS_1 o0 U, 2 visited');
    expect(machine.reasons()[1]).toBe('full: nothing free');
  });

  test('inside a list the oldest member is first', () => {
    const machine = new SpbMachine({ A: 'U:u. | 128 M:. | * M:m', B: 'U:u. | 10 M:. | * M:m' });
    expect([machine.list('A'), machine.list('B')]).toEqual(['tainted 75', 'tainted 75']);
    expect(machine.alloc('U', 7)).toBe('A+0x100');
    // A leaves the list and comes back: now it is the newest.
    machine.free('A#129', 9);
    expect(machine.list('A')).toBe('tainted 50');
    expect(machine.alloc('M', 9)).toMatch(/^A#/);
    expect(machine.list('A')).toBe('tainted 75');
    expect(machine.alloc('U', 7)).toBe('B+0x100');
  });
});

describe('Pass 1 inside an SPB', () => {
  const pictures = { A: 'U:u....... | U:. | * M:m', B: 'U:u....... | * M:m' };

  test('whole pageblocks come before fragments, though a fragment would do', () => {
    const machine = new SpbMachine(pictures);
    expect(machine.list('B')).toBe('tainted full');
    // B is fuller and has a fragment only: it is asked before A's whole block.
    expect(machine.alloc('U')).toBe('B+0x40');
    expect(machine.alloc('U', 8)).toBe('B+0x100');
    expect(machine.alloc('U', 7)).toBe('B+0x80');
    machine.alloc('U', 5);
    expect(machine.alloc('U', 5)).toBe('A#1');
    expect(machine.spb('A')).toBe('tainted full, 0 free, U 2 M 510 R 0, 928 pages');
  });

  test('unless the policy goes by order alone', () => {
    const machine = new SpbMachine({ A: pictures.A }, { knobs: { 'spb.pass1_whole_first': false } });
    expect(machine.alloc('U')).toBe('A+0x40');
    expect(machine.freeChunks('A', 'U')).toBe(
      '1 x o9, 1 x o8, 1 x o7, 1 x o5, 1 x o4, 1 x o3, 1 x o2, 1 x o1, 1 x o0',
    );
  });

  test('the smallest sufficient chunk is split, and its rest stays in the SPB', () => {
    const machine = new SpbMachine({ A: 'U:u.uu...u | 100 M:. | * M:m', B: 'U:u. | 300 M:. | * M:m' });
    expect(machine.freeChunks('A', 'U')).toBe('1 x o7, 2 x o6');
    expect(machine.alloc('U', 5)).toBe('A+0x40');
    expect(machine.freeChunks('A', 'U')).toBe('1 x o7, 1 x o6, 1 x o5');
    expect(machine.alloc('U', 7)).toBe('A+0x100');
    expect(machine.alloc('U', 7)).toBe('B+0x100');
  });
});

describe('9. P2 clean before empty', () => {
  //  Y  102 of 512 in use      X  461 of 512 in use      Z  empty
  const pictures = { Y: '102 M:m | * M:.', Z: EMPTY, X: '461 M:m | * M:.' };

  test('X, then Y, then Z', () => {
    const machine = new SpbMachine(pictures);
    expect(['X', 'Y', 'Z'].map((name) => machine.list(name))).toEqual([
      'clean 75',
      'clean almost_empty',
      'empty',
    ]);
    expect(machine.alloc('M')).toBe('X#461');
    expect(machine.events()).toEqual(['SET M X#461', 'PASS_1 o0 M, 1 visited']);
    fillUp(machine, 'X', 50);
    expect(machine.spb('X')).toBe('clean full, 0 free, U 0 M 512 R 0, 0 pages');

    expect(machine.alloc('M')).toBe('Y#102');
    expect(machine.events()).toEqual(['SET M Y#102', 'PASS_1 o0 M, 2 visited']);
    expect(machine.list('Z')).toBe('empty');
    fillUp(machine, 'Y', 409);
    expect(machine.spb('Y')).toBe('clean full, 0 free, U 0 M 512 R 0, 0 pages');

    expect(machine.alloc('M')).toBe('Z');
    expect(machine.events()).toEqual(['SET M Z first', 'PASS_3 o0 M, 3 visited']);
    expect(machine.spb('Z')).toBe('clean almost_empty, 511 free, U 0 M 1 R 0, 262143 pages');
    expect([machine.tainted, machine.stats.taints_by_pass3]).toEqual([[], 0]);
  });

  test('an empty SPB is opened before the space of a tainted one is used', () => {
    const machine = new SpbMachine({ T: 'U:u | 300 M:. | * M:m', Z: EMPTY, X: FULL_CLEAN });
    expect(machine.alloc('M')).toBe('Z');
    expect(machine.events().at(-1)).toBe('PASS_3 o0 M, 2 visited');
  });
});

describe('10. P3 pass 2: a whole block of a tainted superpageblock', () => {
  const T = 'U:u | 5 M:. | * M:m';

  test.each(['U', 'R'] as const)('%s', (letter) => {
    const machine = new SpbMachine({ E: EMPTY, T, clean: '100 M:. | * M:m', ...fillers(7) });
    const others = machine.others('T');
    expect(machine.alloc(letter)).toBe('T#1');
    expect(machine.events()).toEqual([
      letter === 'U' ? 'SET U T#1' : 'SET R T#1 first',
      ...WATER_TRIGGERS('T'),
      `PASS_2 o0 ${letter}, 2 visited`,
    ]);
    expect([1, 2].map((block) => machine.type(`T#${block}`))).toEqual([letter, 'M']);
    const has = letter === 'U' ? 'U 2 M 506 R 0' : 'U 1 M 506 R 1';
    expect(machine.spb('T')).toBe(`tainted 75, 4 free, ${has}, 2559 pages`);
    expect(machine.others('T')).toEqual(others);
    // The rest of the block is the request's type's, and serves the next request.
    expect(machine.freeChunks('T', letter)).toBe(
      '1 x o8, 1 x o7, 1 x o6, 1 x o5, 1 x o4, 1 x o3, 1 x o2, 1 x o1, 1 x o0',
    );
    expect(machine.alloc(letter)).toBe('T#1+0x1');
    expect(machine.events().at(-1)).toBe(`PASS_1 o0 ${letter}, 1 visited`);
  });

  test('of a chunk of two blocks both take the type, and only the one in use its bit', () => {
    const machine = new SpbMachine({ T: 'U:u | M:m | 2 M:. | * M:m', E: EMPTY });
    expect(machine.alloc('R', 3)).toBe('T#2');
    expect([machine.type('T#2'), machine.type('T#3')]).toEqual(['R', 'R']);
    expect([machine.bits('T#2'), machine.bits('T#3')]).toEqual(['R', 'free']);
    expect(machine.spb('T')).toBe('tainted 75, 1 free, U 1 M 509 R 1, 1016 pages');
  });

  test('isolated, CMA and reserved blocks are left alone', () => {
    const knobs = { 'cma.compiled': true };
    const machine = new SpbMachine({ T: 'U:u | I:. | M:m | C:. | M:m | H:. | * M:m', E: EMPTY }, { knobs });
    expect(machine.alloc('U')).toBe('E');
    expect(machine.events().at(-1)).toMatch(/^PASS_3 o0 U/);
    expect([1, 3, 5].map((block) => machine.type(`T#${block}`))).toEqual(['I', 'C', 'H']);
  });

  test('is no pass for movable requests', () => {
    const machine = new SpbMachine({ T, E: EMPTY });
    expect(machine.alloc('M')).toBe('E');
  });

  test('R-b: with NOFRAGMENT it takes TAINTED_OK', () => {
    const machine = new SpbMachine({ T, E: EMPTY }, { policy: 'spb-v2-r-b' });
    expect(machine.alloc('R', 0, ALLOC_NOFRAGMENT | ALLOC_NOFRAG_TAINTED_OK)).toBe('T#1');
    expect(machine.alloc('U', 9, ALLOC_NOFRAGMENT)).toBe('T#2');
    expect(machine.events().at(-1)).toMatch(/^PASS_2D o9 U/);
    expect(machine.type('T#2')).toBe('M');
    expect(machine.alloc('U', 9, 0)).toBe('T#3');
    expect(machine.type('T#3')).toBe('U');
  });
});

describe('11. P4 pass 2b: part of a movable block', () => {
  //  16 cells of 32 pages: 480 in use, 32 free
  const BLOCK = 'M:mmmmmmmmmmmmmmm.';

  test('in a tainted superpageblock it is claimed, whatever else is in it', () => {
    const machine = new SpbMachine({ T: `U:u | ${BLOCK} | * M:m`, E: EMPTY, ...fillers(7) });
    const others = machine.others('T');
    expect(machine.alloc('U')).toBe('T#1+0x1e0');
    expect(machine.events()).toEqual(['SET U T#1', ...WATER_TRIGGERS('T'), 'PASS_2B o0 U, 3 visited']);
    expect([machine.type('T#1'), machine.bits('T#1')]).toEqual(['U', 'UM']);
    expect(machine.spb('T')).toBe('tainted full, 0 free, U 2 M 511 R 0, 31 pages');
    expect([machine.freeChunks('T', 'M'), machine.freeChunks('T', 'U')]).toEqual([
      '',
      '1 x o4, 1 x o3, 1 x o2, 1 x o1, 1 x o0',
    ]);
    expect(machine.others('T')).toEqual(others);
    expect([...machine.stats.claim_refused]).toEqual([0, 0, 0, 0, 0]);
  });

  test('in a clean one the claim is refused, and without NOFRAGMENT a page is stolen', () => {
    const machine = new SpbMachine({ C: `${BLOCK} | * M:m`, ...fillers(8) });
    expect(machine.alloc('U')).toBe('none');
    machine.events();
    expect(machine.alloc('U', 0, 0)).toBe('C+0x1e0');
    expect(machine.events()).toEqual([
      'fall through o0 U, 0 tainted, 0 with buddy',
      'NO_PAGE o0 U, 0 visited',
      'evacuation for order 0 queued',
      'slab shrink (demand)',
      'C+0x1e0 refused U <- M: INSUFFICIENT_COMPAT',
      'SET U C first',
      'defrag of superpageblock C',
      'extfrag C+0x1e0 o0 U <- o5 M',
    ]);
    expect([...machine.stats.claim_refused]).toEqual([0, 0, 0, 0, 1]);
    expect([machine.type('C'), machine.bits('C')]).toEqual(['M', 'UM']);
    expect(machine.spb('C')).toBe('tainted full, 0 free, U 1 M 512 R 0, 31 pages');
    expect([machine.stats.steals, machine.stats.taints_by_steal]).toEqual([1, 1]);
  });

  test('256 pages that are free or alike are enough there, 255 are not', () => {
    for (const [cells, outcome] of [
      ['mmmmmmmm........', 'U'],
      ['mmmmmmmmm.......', 'M'],
      ['mmmmmmmmkkkkkkk.', 'U'],
      ['mmmmmmmmmkkkkkk.', 'M'],
    ]) {
      const machine = new SpbMachine({ C: `M:${cells} | * M:m`, ...fillers(8) });
      machine.alloc('U', 0, 0);
      expect([cells, machine.type('C')]).toEqual([cells, outcome]);
    }
  });
});

describe('12. P5 pass 2c: borrow from the other non-movable type', () => {
  //  340 blocks, half of each free: 87,040 pages in chunks of 256
  test.each([
    ['U', 'R', 'u'],
    ['R', 'U', 'r'],
  ] as const)('free pages of %s serve %s', (owner, letter, cell) => {
    const machine = new SpbMachine({ T: `340 ${owner}:${cell}. | * M:m`, E: EMPTY, ...fillers(7) });
    const others = machine.others('T');
    expect(machine.alloc(letter)).toBe('T+0x100');
    const first = [`SET ${letter} T first`];
    expect(machine.events()).toEqual([...first, `PASS_2C o0 ${letter}, 4 visited`]);
    expect([machine.type('T'), machine.bits('T')]).toEqual([owner, 'UR']);
    const has = owner === 'U' ? 'U 340 M 172 R 1' : 'U 1 M 172 R 340';
    expect(machine.spb('T')).toBe(`tainted full, 0 free, ${has}, 87039 pages`);
    expect(machine.others('T')).toEqual(others);
    expect(machine.freeChunks('T', letter)).toBe('');

    machine.free('T+0x100');
    expect(machine.freeChunks('T', owner)).toBe('340 x o8');
    expect(machine.freeChunks('T', letter)).toBe('');
    // The bit stays: the block is not empty.
    expect(machine.spb('T')).toBe(`tainted full, 0 free, ${has}, 87040 pages`);
    expect(machine.events()).toEqual([]);
  });
});

test('12. P5 pass 2c: a whole block of the other type, too, before an empty superpageblock is tainted', () => {
  const machine = new SpbMachine({ T: 'U:u | R:. | * M:m', E: EMPTY });
  const others = machine.others('T');
  expect(machine.alloc('U')).toBe('T#1');
  expect([machine.freeChunks('T', 'R'), machine.others('T')]).toEqual([
    expect.stringMatching(/^1 x o8, .* 1 x o0$/),
    others,
  ]);
});

describe('13. P6 pass 2d: borrow from movable blocks', () => {
  //  zone begins here: [xx..mm|uu..]   a block that sticks out of the zone is never claimed
  test('where no block can be claimed', () => {
    const machine = new SpbMachine({ T: 'M:--.. | U:u | * M:m', E: EMPTY, ...fillers(7) });
    const others = machine.others('T');
    const page = 'T+0x100';
    expect(machine.alloc('U')).toBe(page);
    expect(machine.events()).toEqual([
      'T+0x100 refused U <- M: ZONE_BOUNDARY',
      'SET U T',
      ...WATER_TRIGGERS('T'),
      'PASS_2D o0 U, 5 visited',
    ]);
    expect(machine.others('T')).toEqual(others);
    expect([machine.type('T'), machine.bits('T')]).toEqual(['M', 'U']);
    expect(machine.spb('T')).toBe('tainted full, 0 free, U 2 M 510 R 0, 255 pages');
    expect(machine.freeChunks('T', 'U')).toBe('');
    machine.free(page);
    expect(machine.freeChunks('T', 'M')).toBe('1 x o8');
    expect(machine.spb('T')).toBe('tainted full, 0 free, U 2 M 510 R 0, 256 pages');
  });

  test('isolated and CMA pages are on lists of their own, which it does not touch', () => {
    const knobs = { 'cma.compiled': true };
    const machine = new SpbMachine(
      { T: 'U:u | I:m. | C:m. | H:u. | * M:m', clean: 'M:m. | * M:m' },
      { knobs },
    );
    expect(machine.alloc('U')).toBe('none');
    const events = machine.events();
    expect([events[0], events.at(-1)]).toEqual([
      'fall through o0 U, 1 tainted, 0 with buddy',
      'NO_PAGE o0 U, 5 visited',
    ]);
  });
});

describe('14. P7 reserve rule: movable requests and tainted superpageblocks', () => {
  //  T  U:u  17 free  movable        f1 .. f8  unmovable throughout        neither clean nor empty ones
  const machineOf = (free: string, knobs: Partial<Policy> = {}) =>
    new SpbMachine({ T: `U:u | ${free} | * M:m`, ...fillers(8, '* U:u') }, { knobs });

  test('17 free pageblocks: pass 4 may use it; 16: it is skipped', () => {
    const machine = machineOf('17 M:.');
    expect(machine.spbs.reserve(0)).toBe(16);
    expect(machine.alloc('M', 9)).toBe('T#1');
    expect(machine.spb('T')).toBe('tainted 75, 16 free, U 1 M 495 R 0, 8192 pages');
    expect(machine.events()).toEqual(['SET M T#1', 'PASS_4 o9 M, 9 visited']);
    machine.reasons();

    expect(machine.alloc('M', 9)).toBe('none');
    expect(machine.alloc('M', 0)).toBe('none');
    expect(machine.spb('T')).toBe('tainted 75, 16 free, U 1 M 495 R 0, 8192 pages');
    expect(machine.events()).toEqual(['NO_PAGE o9 M, 9 visited', 'NO_PAGE o0 M, 9 visited']);
    expect(machine.reasons()).toContain('T: at its reserve');
    // Others have what it keeps.
    expect(machine.alloc('U', 9)).toBe('T#2');
  });

  test('a claim keeps the same rule', () => {
    const machine = machineOf('17 U:.');
    expect(machine.alloc('M', 9)).toBe('T#2');
    expect([machine.type('T#2'), machine.type('T#3')]).toEqual(['M', 'M']);
    expect(machine.events()).toEqual(['NO_PAGE o9 M, 9 visited', 'SET M T#2', 'extfrag T#2 o9 M <- o10 U']);
    expect(machine.spb('T')).toBe('tainted 75, 16 free, U 1 M 495 R 0, 8192 pages');
    expect(machine.alloc('M', 9)).toBe('none');
    expect(machine.alloc('M', 0)).toBe('none');
    expect([machine.stats.claims_preferred, machine.stats.claims_other]).toEqual([0, 1]);
  });

  test('without NOFRAGMENT the reserve yields, unless the policy says otherwise', () => {
    expect(machineOf('16 M:.').alloc('M', 0, 0)).toMatch(/^T/);
    expect(machineOf('16 U:.').alloc('M', 0, 0)).toMatch(/^T/);
    const knobs = { 'spb.reserve_yields': false };
    expect(machineOf('16 M:.', knobs).alloc('M', 0, 0)).toBe('none');
    expect(machineOf('16 U:.', knobs).alloc('M', 0, 0)).toBe('none');
    expect(machineOf('17 M:.', knobs).alloc('M', 0, 0)).toBe('T#1');
  });

  test('it is as large as the SPB: 8 pageblocks of 256', () => {
    for (const [free, got] of [
      [9, 'T#1'],
      [8, 'none'],
    ] as const) {
      const machine = new SpbMachine({ T: `U:u | ${free} M:. | ${255 - free} M:m`, full: '* U:u' });
      expect(machine.alloc('M')).toBe(got);
    }
  });
});

describe('15. P8 pass 3 for N: an empty superpageblock for non-movable requests', () => {
  //  T1 T2 T3  tainted, nothing free        E  empty        f1 .. f6  clean, nothing free
  const pictures = { T1: FULL_TAINTED, E: EMPTY, T2: FULL_TAINTED, T3: FULL_TAINTED, ...fillers(6) };
  const REACTS = ['evacuation for order 0 queued', 'slab shrink (demand)'];
  const DEFRAGS = ['T1', 'T2', 'T3'].map((name) => `defrag of superpageblock ${name}`);

  test.each(['U', 'R'] as const)('%s: the background is told, then E is tainted', (letter) => {
    const machine = new SpbMachine(pictures);
    const others = machine.others('E');
    expect(machine.alloc(letter)).toBe('E');
    expect(machine.events()).toEqual([
      `fall through o0 ${letter}, 3 tainted, 0 with buddy`,
      ...REACTS,
      ...DEFRAGS,
      `SET ${letter} E first`,
      `PASS_3 o0 ${letter}, 16 visited`,
    ]);
    expect(machine.tainted).toEqual(['T1', 'E', 'T2', 'T3']);
    const has = letter === 'U' ? 'U 1 M 0 R 0' : 'U 0 M 0 R 1';
    expect(machine.spb('E')).toBe(`tainted almost_empty, 511 free, ${has}, 262143 pages`);
    expect([machine.type('E'), machine.type('E#1')]).toEqual([letter, letter]);
    expect(machine.others('E')).toEqual(others);
    const { stats } = machine;
    expect([stats.taints_by_pass3, stats.evac_requested, stats.fall_throughs]).toEqual([1, 1, 1]);
    expect([...machine.spbs.defrag_pending.subarray(0, 4)]).toEqual([1, 0, 1, 1]);
    expect(machine.system.workOf(machine.zone)!.backlog).toBe(5);
  });

  test('a shrink needs an SPB at or below its reserve; a last chance to defrag is given in any case', () => {
    const machine = new SpbMachine({
      ...pictures,
      T1: 'U:u | 17 I:. | * M:m',
      T2: FULL_CLEAN,
      T3: FULL_CLEAN,
    });
    expect(machine.alloc('U')).toBe('E');
    expect(machine.events().slice(1, -2)).toEqual(['defrag of superpageblock T1']);
    const at = new SpbMachine({ ...pictures, T1: 'U:u | 16 I:. | * M:m', T2: FULL_CLEAN, T3: FULL_CLEAN });
    at.alloc('U');
    expect(at.events().slice(1, -2)).toEqual([...REACTS, 'defrag of superpageblock T1']);
  });

  test('a movable request that opens an empty SPB gives that chance, too, unless the policy says otherwise', () => {
    const defragsOf = (knobs: Partial<Policy>, letter: 'M' | 'U') => {
      const machine = new SpbMachine(pictures, { knobs });
      expect(machine.alloc(letter)).toBe('E');
      return machine.events().filter((line) => /^defrag|^evac|^slab/.test(line));
    };
    expect(defragsOf({}, 'M')).toEqual(DEFRAGS);
    expect(defragsOf({ 'spb.last_chance_for_movable': false }, 'M')).toEqual([]);
    expect(defragsOf({ 'spb.last_chance_for_movable': false }, 'U')).toEqual([...REACTS, ...DEFRAGS]);
    expect(defragsOf({ 'spb.defrag_last_chance': false }, 'M')).toEqual([]);
    expect(defragsOf({ 'spb.defrag_last_chance': false }, 'U')).toEqual(REACTS);
  });

  test('R-c: with NOFRAGMENT nothing is tainted', () => {
    const machine = new SpbMachine(pictures, { policy: 'spb-v2-r-c' });
    const all = machine.others();
    expect(machine.alloc('U')).toBe('none');
    expect(machine.alloc('U', 0, ALLOC_NOFRAGMENT | ALLOC_NOFRAG_TAINTED_OK)).toBe('none');
    expect(machine.others()).toEqual(all);
    expect(machine.events()).not.toContainEqual(expect.stringContaining('PASS_3'));
    expect(machine.alloc('M')).toBe('E');
    expect(machine.alloc('U', 0, 0)).toMatch(/^E/);
  });
});

describe('17. P10 pass 1 is complete', () => {
  test.each(['spb-v2', 'spb-v2-r-b', 'spb-v2-r-c', 'spb-v2-bitmap'])('%s', (policy) => {
    const run = new RandomRun(oddMachine(1), policyNamed(policy, { 'pcp.kind': 'none' }), 0x9a55);
    for (let i = 0; i < 15_000; i++) run.step();
    validate(run.mm);
    const { stats } = run.mm.spb!;
    expect(stats.fall_throughs).toBeGreaterThan(3);
    expect(stats.fall_throughs_with_buddy).toBe(0);
  });

  test('the count tells a pass that passes over a buddy', () => {
    const machine = new SpbMachine({ T: 'U:u. | * M:m', E: EMPTY });
    machine.system.source = { zone: machine.zone, spb: machine.index('T') };
    expect(machine.alloc('U')).toBe('E');
    expect(machine.events()).toContain('fall through o0 U, 1 tainted, 1 with buddy');
    expect(machine.stats.fall_throughs_with_buddy).toBe(1);
  });
});
