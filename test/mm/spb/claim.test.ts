/** Claims and steals, and what holds of all ways to a page. model: spb 3.4, 3.5, 8 scenarios 16, 18-20 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import {
  ALLOC_CMA,
  ALLOC_NOFRAG_TAINTED_OK,
  ALLOC_NOFRAGMENT,
} from '../../../src/mm/page-alloc/watermark.js';
import type { Policy } from '../../../src/mm/policy.js';
import { tryToClaimBlock } from '../../../src/mm/spb/claim-block.js';
import { claimSpb, stealSpb } from '../../../src/mm/spb/fallback-spb.js';
import type { Superpageblocks } from '../../../src/mm/spb/superpageblocks.js';
import { MIGRATE_TYPES, Migratetype, PAGEBLOCK_ORDER } from '../../../src/mm/types.js';
import { TYPE_LETTERS, type TypeLetter, typeOf } from '../page-alloc/support.js';
import { EMPTY, FULL_CLEAN, fillers, SpbMachine } from './support.js';

type Fallback = typeof claimSpb;

/** Enters one stage of the search directly. @returns the name of the first page, or `none` */
function enter(
  stage: Fallback,
  machine: SpbMachine,
  letter: TypeLetter,
  order: number,
  flags: number,
): string {
  const { mm, system, zone } = machine;
  const pfn = stage(mm, system, zone, 0, order, typeOf(letter), flags);
  if (pfn >= 0) markAllocated(mm, pfn, order, letter === 'M');
  machine.check();
  return machine.name(pfn);
}

const claim = (machine: SpbMachine, letter: TypeLetter, order = 0, flags = 0) =>
  enter(claimSpb, machine, letter, order, flags);
const steal = (machine: SpbMachine, letter: TypeLetter, order = 0) =>
  enter(stealSpb, machine, letter, order, 0);

describe('16. P9 floor of claims', () => {
  //  T  tainted, half of a movable block free       C  clean, the same       the others are full: 8 or 9 in all
  const HALF = 'M:m.';
  const machineOf = (nr: number, T: string, C: string, knobs: Partial<Policy> = {}) =>
    new SpbMachine({ T, C, ...fillers(nr - 2) }, { knobs });
  const TAINTED = `U:u | ${HALF} | * M:m`;
  const CLEAN = `${HALF} | * M:m`;

  test('8 SPBs: no claim below a pageblock, tainted or not', () => {
    const machine = machineOf(8, TAINTED, CLEAN);
    const all = machine.others();
    expect(claim(machine, 'U', 0, ALLOC_NOFRAGMENT)).toBe('none');
    expect(claim(machine, 'R', 8, ALLOC_NOFRAGMENT)).toBe('none');
    expect([machine.events(), machine.others()]).toEqual([[], all]);
  });

  test('8 SPBs: whole pageblocks of tainted ones are claimed', () => {
    const machine = machineOf(8, 'U:u | M:m | M:. | * M:m', 'M:m | M:m | M:. | * M:m');
    expect(claim(machine, 'R', 3, ALLOC_NOFRAGMENT)).toBe('T#2');
    expect(machine.type('T#2')).toBe('R');
    expect(claim(machine, 'R', 9, ALLOC_NOFRAGMENT)).toBe('none');
    expect(machine.list('C')).toBe('clean 75');
  });

  test('9 SPBs: parts of them, too, but of tainted ones only', () => {
    const machine = machineOf(9, TAINTED, CLEAN);
    expect(claim(machine, 'U', 0, ALLOC_NOFRAGMENT)).toBe('T#1+0x100');
    expect([machine.type('T#1'), machine.bits('T#1')]).toEqual(['U', 'UM']);
    expect(machine.events()).toEqual(['SET U T#1', 'extfrag T#1+0x100 o0 U <- o8 M']);
    const before = machine.others();
    expect(claim(machine, 'U', 0, ALLOC_NOFRAGMENT)).toBe('none');
    expect(claim(machine, 'R', 0, ALLOC_NOFRAGMENT)).toBe('none');
    expect(machine.others()).toEqual(before);
  });

  test('the number is a knob, and TAINTED_OK has the same effect', () => {
    const knobs = { 'spb.aggressive_threshold': 3 };
    expect(claim(machineOf(4, TAINTED, CLEAN, knobs), 'U', 0, ALLOC_NOFRAGMENT)).toBe('T#1+0x100');
    expect(claim(machineOf(3, TAINTED, CLEAN, knobs), 'U', 0, ALLOC_NOFRAGMENT)).toBe('none');
    const flags = ALLOC_NOFRAGMENT | ALLOC_NOFRAG_TAINTED_OK;
    expect(claim(machineOf(3, TAINTED, CLEAN), 'U', 0, flags)).toBe('T#1+0x100');
    expect(claim(machineOf(3, FULL_CLEAN, CLEAN), 'U', 0, flags)).toBe('none');
  });

  test('movable requests keep the floor everywhere', () => {
    const machine = machineOf(9, 'U:u. | 100 M:u | * M:m', 'U:k. | * M:m');
    expect(claim(machine, 'M', 4, ALLOC_NOFRAGMENT)).toBe('none');
    expect(claim(machine, 'M', 3, 0)).toBe('C+0x100');
    const whole = machineOf(9, 'U:u | * M:m', 'U:k. | M:m | U:. | * M:m');
    expect(claim(whole, 'M', 0, ALLOC_NOFRAGMENT)).toBe('C#2');
  });
});

describe('claims', () => {
  test('the largest chunk is claimed first, wherever it lies', () => {
    const machine = new SpbMachine({ A: 'U:u | M:m | M:. | * M:m', B: 'U:u | M:m | 2 M:. | * M:m' });
    expect([machine.list('A'), machine.list('B')]).toEqual(['tainted 75', 'tainted 75']);
    expect(claim(machine, 'U')).toBe('B#2');
    expect(claim(machine, 'U')).toBe('A#2');
  });

  test('of chunks of one size that in the fullest SPB', () => {
    const machine = new SpbMachine({ A: 'U:u | M:m. | 200 I:. | * M:m', B: 'U:u | M:m. | * M:m' });
    expect([machine.list('A'), machine.list('B')]).toEqual(['tainted 50', 'tainted full']);
    expect(claim(machine, 'U')).toBe('B#1+0x100');
    expect(claim(machine, 'U')).toBe('A#1+0x100');
  });

  test('in one SPB the other non-movable type comes before MOVABLE', () => {
    const machine = new SpbMachine({ T: 'U:u | M:m | M:. | M:m | R:. | * M:m' });
    expect(claim(machine, 'U', 9)).toBe('T#4');
    expect([machine.type('T#4'), machine.bits('T#4')]).toEqual(['U', 'U']);
    expect(machine.events()).toContain('extfrag T#4 o9 U <- o9 R');
    expect(claim(machine, 'U', 9)).toBe('T#2');
  });

  test('N: tainted, then empty, then clean; the background hears of a taint that is near, once', () => {
    const machine = new SpbMachine({
      C: 'M:m | M:m | 2 M:. | * M:m',
      T: 'U:u | M:m | M:. | * M:m',
      E: 'M:.',
    });
    const told = ['evacuation for order 9 queued', 'slab shrink (demand)'];
    expect(claim(machine, 'U', 9)).toBe('T#2');
    expect(machine.events()).not.toEqual(expect.arrayContaining(told));
    expect(claim(machine, 'U', 9)).toBe('E');
    expect(machine.events().slice(0, 3)).toEqual([...told, 'SET U E first']);
    expect(machine.stats.taints_by_claim).toBe(1);
    expect(claim(machine, 'U', 9)).toBe('C#2');
    expect(machine.events().slice(0, 3)).toEqual([...told, 'SET U C#2 first']);
    expect([machine.stats.claims_preferred, machine.stats.claims_other]).toEqual([1, 2]);
    expect(machine.stats.taints_by_claim).toBe(2);
    expect(claim(machine, 'R', 9)).toBe('C#3');
    expect(machine.stats.taints_by_claim).toBe(2);
  });

  test('M: clean, then empty, then tainted; nothing hears of it', () => {
    const machine = new SpbMachine({ T: 'U:u | 30 R:. | * M:m', C: 'M:m | M:m | U:. | * M:m', E: '1 R:.' });
    expect(claim(machine, 'M', 9)).toBe('C#2');
    expect(claim(machine, 'M', 9)).toBe('E');
    expect(claim(machine, 'M', 9)).toMatch(/^T/);
    expect(machine.events().filter((line) => /queued|shrink/.test(line))).toEqual([]);
  });

  test('M claims from order 4 up only, N at any order', () => {
    const half = (cells: number) => 'k.'.repeat(cells / 2);
    const machine = new SpbMachine({ C: `U:${half(64)} | M:${half(64)} | * M:m` });
    expect(machine.freeChunks('C', 'U')).toBe('32 x o3');
    expect(claim(machine, 'M')).toBe('none');
    expect(machine.events()).toEqual([]);
    expect(claim(machine, 'U')).toBe('C+0x8');
    const larger = new SpbMachine({ C: `U:${half(32)} | * M:m` });
    expect(claim(larger, 'M')).toBe('C+0x10');
    expect(larger.type('C')).toBe('M');
  });

  test('U and R change into each other only where the whole block is free, unless the policy says otherwise', () => {
    const T = 'U:u | R:r. | * M:m';
    const machine = new SpbMachine({ T });
    expect(claim(machine, 'U')).toBe('none');
    expect(machine.events()).toContain('T#1+0x100 refused U <- R: CROSS_TYPE_NOT_FREE');
    expect([...machine.stats.claim_refused]).toEqual([0, 0, 0, 1, 0]);
    const counted = (refusals: Float64Array) => refusals.reduce((sum, count) => sum + count, 0);
    expect([counted(machine.stats.refusals_2b), counted(machine.stats.refusals_claim)]).toEqual([0, 1]);
    const free = new SpbMachine({ T }, { knobs: { 'spb.cross_type_needs_free': false } });
    expect(claim(free, 'U')).toBe('T#1+0x100');
    expect([free.type('T#1'), free.bits('T#1')]).toEqual(['U', 'UR']);
  });

  test('isolated and CMA blocks are refused, whatever list their pages are on', () => {
    const machine = new SpbMachine({ T: 'U:u | M:m. | M:m. | * M:m' });
    const { mm, system, zone } = machine;
    for (const [name, type, index] of [
      ['T#1', Migratetype.isolate, 0],
      ['T#2', Migratetype.cma, 1],
    ] as const) {
      const chunk = machine.pfn(`${name}+0x100`);
      mm.pages.blockType[chunk >>> 9] = type;
      expect(tryToClaimBlock(mm, system, zone, 0, chunk, typeOf('U'), typeOf('M'), true, 0, 0)).toBe(false);
      expect(system.stats.claim_refused[index]).toBe(1);
      mm.pages.blockType[chunk >>> 9] = Migratetype.movable;
    }
    expect(machine.events()).toEqual(['T#1+0x100 refused U <- M: ISOLATE', 'T#2+0x100 refused U <- M: CMA']);
    machine.check();
  });
});

describe('steals', () => {
  test('the smallest chunk of the preferred category; the block keeps its type, and the rest its list', () => {
    const machine = new SpbMachine({
      E: EMPTY,
      C: 'M:m.mmmmmm | * M:m',
      T: 'U:u | M:mm..mmmm | M:m. | * M:m',
    });
    expect(steal(machine, 'R')).toBe('T#1+0x80');
    expect([machine.type('T#1'), machine.bits('T#1')]).toEqual(['M', 'MR']);
    expect(machine.events()).toEqual(['SET R T#1 first', 'extfrag T#1+0x80 o0 R <- o7 M']);
    expect(machine.freeChunks('T', 'R')).toBe('');
    expect([machine.stats.steals, machine.stats.taints_by_steal]).toEqual([1, 0]);
  });

  test('N goes to empty SPBs before clean ones, and taints 1 GiB with a page', () => {
    const machine = new SpbMachine({ C: 'M:m.mmmmmm | * M:m', E: EMPTY });
    expect(steal(machine, 'U')).toBe('E');
    expect(machine.list('E')).toBe('tainted almost_empty');
    expect(steal(machine, 'U', 9)).toMatch(/^E/);
    expect([machine.stats.steals, machine.stats.taints_by_steal]).toEqual([2, 1]);
    expect(machine.tainted).toEqual(['E']);
  });

  test('M steals in clean SPBs first', () => {
    const machine = new SpbMachine({ T: 'U:u. | * M:m', C: 'U:k. | * M:m', E: '2 U:.' });
    expect(steal(machine, 'M')).toBe('C+0x100');
    expect(steal(machine, 'M', 8)).toBe('E');
  });
});

/** Contents that pageblocks of random SPBs have; with CMA, reserved and isolated ones among them. */
const GROUPS = [
  ...['U:u', 'U:u.', 'U:u...uuuu', 'U:.', 'R:r', 'R:r.', 'R:.', 'M:u.', 'M:um..', 'M:m', 'M:m.'],
  ...['M:mmmmmmm.', 'M:mmmmmmmmmmmmmmm.', 'M:.', 'C:.', 'C:m.', 'I:.', 'I:m.', 'H:.', 'H:u.'],
];
const group = fc
  .tuple(fc.integer({ min: 1, max: 24 }), fc.constantFrom(...GROUPS))
  .map(([count, block]) => `${count} ${block}`);
const superpageblock = fc
  .tuple(
    fc.array(group, { maxLength: 5 }),
    fc.constantFrom('* M:m', '* M:m', '* M:m', '* M:.', '* U:u', '* M:mmm.'),
  )
  .map(([groups, rest]) => [...groups, rest].join(' | '));
const pictures = fc.oneof(
  fc.tuple(superpageblock, superpageblock, superpageblock),
  fc.tuple(superpageblock, superpageblock, fc.constant(EMPTY)),
  fc
    .tuple(superpageblock, fc.constant('M:--.. | * M:m'), superpageblock)
    .map(([a, b, c]) => [b, a, c] as const),
);
const requests = fc.array(
  fc.record({
    letter: fc.constantFrom<TypeLetter>('U', 'U', 'R', 'R', 'M', 'C', 'H'),
    order: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 10 })),
    flags: fc.constantFrom(0, ALLOC_NOFRAGMENT, ALLOC_NOFRAGMENT | ALLOC_NOFRAG_TAINTED_OK),
    mayUseCma: fc.boolean(),
  }),
  { minLength: 6, maxLength: 10 },
);
const knobs = fc.record({
  'spb.pass2_needs_tainted_ok': fc.boolean(),
  'spb.pass3_nofrag_gate': fc.boolean(),
  'spb.cross_type_needs_free': fc.boolean(),
  'spb.aggressive_threshold': fc.constantFrom(1, 8),
});

/** One request, and what it found and left. */
interface Step {
  readonly letter: TypeLetter;
  readonly mayUseCma: boolean;
  /** SPB and pageblock that served it; -1 for none */
  readonly spb: number;
  readonly block: number;
  /** PASS_1 .. PASS_4, claim, steal, or none */
  readonly way: string;
  /** SPBs that were tainted, and those of them with a chunk for a non-movable request */
  readonly tainted: readonly number[];
  readonly usable: readonly number[];
  readonly typesBefore: Uint8Array;
  readonly typesAfter: Uint8Array;
}

type Request = Parameters<Parameters<typeof requests.map>[0]>[0][number];

function stepOf(machine: SpbMachine, { letter, order, flags, mayUseCma }: Request): Step {
  const { mm, spbs, stats } = machine;
  const typesBefore = mm.pages.blockType.slice();
  const tainted = machine.tainted.map((name) => machine.index(name));
  const usable = tainted.filter((spb) => canServe(spbs, spb, letter, order));
  const { steals } = stats;
  machine.events();
  const page = machine.allocUnchecked(letter, order, flags | (letter === 'M' && mayUseCma ? ALLOC_CMA : 0));
  const outcome = machine.events().findLast((line) => /^(PASS|NO_PAGE)/.test(line));
  let way = page === 'none' ? 'none' : outcome!.split(' ')[0]!;
  if (way === 'NO_PAGE') way = stats.steals > steals ? 'steal' : 'claim';
  const pfn = page === 'none' ? -1 : machine.pfn(page);
  return {
    letter,
    mayUseCma,
    spb: pfn < 0 ? -1 : spbs.indexOf(pfn),
    block: pfn < 0 ? -1 : pfn >>> PAGEBLOCK_ORDER,
    way,
    tainted,
    usable,
    typesBefore,
    typesAfter: mm.pages.blockType.slice(),
  };
}

/**
 * A chunk for a non-movable request: of its own type or MOVABLE of any size, of the other type below a pageblock. A whole
 * block of the other type is a matter for claims, and those come after pass 3.
 */
function canServe({ listMask }: Superpageblocks, spb: number, letter: TypeLetter, order: number): boolean {
  const BELOW_BLOCK = 0x1ff;
  const maskOf = (type: number) => listMask[spb * MIGRATE_TYPES + type]!;
  const other = letter === 'U' ? Migratetype.reclaimable : Migratetype.unmovable;
  const fitting = maskOf(typeOf(letter)) | maskOf(Migratetype.movable) | (maskOf(other) & BELOW_BLOCK);
  return fitting >>> order !== 0;
}

describe('whatever is where', () => {
  const steps: Step[] = fc
    .sample(fc.tuple(pictures, requests, knobs), { numRuns: 50, seed: 18 })
    .flatMap(([[A, B, C], list, changes]) => {
      const machine = new SpbMachine({ A, B, C }, { knobs: { 'cma.compiled': true, ...changes } });
      const made = list.map((request) => stepOf(machine, request));
      machine.check();
      return made;
    });

  test('every way is taken', () => {
    const passes = ['1', '2', '2B', '2C', '2D', '3', '4'].map((pass) => `PASS_${pass}`);
    expect([...new Set(steps.map(({ way }) => way))].sort()).toEqual([...passes, 'claim', 'none', 'steal']);
  });

  test('18. P11 clean stays clean', () => {
    const mayBeServed = steps.filter(({ letter, usable }) => /[UR]/.test(letter) && usable.length > 0);
    expect(mayBeServed.length).toBeGreaterThan(100);
    for (const { spb, tainted } of mayBeServed) expect(tainted).toContain(spb);
  });

  test('19. P12 CMA: pageblocks keep their type', () => {
    const { cma } = Migratetype;
    const cmaBlocks = (types: Uint8Array) => [...types.keys()].filter((block) => types[block] === cma);
    for (const { typesBefore, typesAfter } of steps)
      expect(cmaBlocks(typesAfter)).toEqual(cmaBlocks(typesBefore));
    const fromCma = steps.filter(({ block, typesBefore }) => typesBefore[block] === cma);
    expect(fromCma.length).toBeGreaterThan(10);
    for (const { letter, mayUseCma } of fromCma)
      expect(letter === 'C' || (letter === 'M' && mayUseCma)).toBe(true);
    expect(new Set(fromCma.map(({ letter }) => letter))).toEqual(new Set(['C', 'M']));
  });

  test('20. P13 who relabels', () => {
    for (const { letter, block, way, typesBefore, typesAfter } of steps) {
      const changed = [...typesAfter.keys()].filter((each) => typesBefore[each] !== typesAfter[each]);
      const became = changed.map((each) => TYPE_LETTERS[typesAfter[each]!]);
      const was = changed.map((each) => TYPE_LETTERS[typesBefore[each]!]);
      if (way === 'PASS_2' || way === 'PASS_2B' || way === 'claim') expect(changed).toContain(block);
      if (way === 'PASS_2' || way === 'PASS_2B') expect(new Set(was)).toEqual(new Set(['M']));
      if (way === 'PASS_3') expect(TYPE_LETTERS[typesAfter[block]!]).toBe(letter);
      if (['PASS_2', 'PASS_2B', 'PASS_3', 'claim'].includes(way))
        expect(became).toEqual(changed.map(() => letter));
      else expect([way, changed]).toEqual([way, []]);
    }
  });
});

describe('19. P12 CMA: pages are for movable requests that may use them', () => {
  const knobs = { 'cma.compiled': true };
  const cmaFree = (machine: SpbMachine) => machine.zone.nr_free_cma;

  test('first of all, while more than half of what is free is theirs', () => {
    const machine = new SpbMachine({ T: 'U:u | C:. | * M:m', A: 'M:m | M:. | * M:m' }, { knobs });
    expect(machine.alloc('M', 0, ALLOC_NOFRAGMENT | ALLOC_CMA)).toBe('A#1');
    expect(machine.alloc('M', 0, ALLOC_NOFRAGMENT | ALLOC_CMA)).toBe('T#1');
    expect([machine.type('T#1'), machine.bits('T#1'), cmaFree(machine)]).toEqual(['C', 'M', 511]);
    machine.free('T#1');
    expect([machine.type('T#1'), machine.bits('T#1'), cmaFree(machine)]).toEqual(['C', 'free', 512]);
  });

  test('and where passes fail; others never get one', () => {
    const machine = new SpbMachine({ T: 'U:u | C:. | * M:m', R: 'R:r | H:. | 2 I:. | * M:m' }, { knobs });
    for (const letter of ['U', 'R', 'M'] as const) expect(machine.alloc(letter, 0, 0)).toBe('none');
    expect(cmaFree(machine)).toBe(512);
    expect(machine.alloc('M', 9, ALLOC_CMA)).toBe('T#1');
    expect(machine.alloc('C')).toBe('none');
  });

  test('their own requests look at clean, tainted, then empty SPBs', () => {
    const machine = new SpbMachine(
      { T: 'U:u | C:. | * M:m', C: 'M:m | C:. | * M:m', E: 'C:. | * M:.' },
      { knobs },
    );
    expect([0, 1, 2].map(() => machine.alloc('C', 9))).toEqual(['C#1', 'T#1', 'E']);
    expect(machine.tainted).toEqual(['T']);
  });
});
