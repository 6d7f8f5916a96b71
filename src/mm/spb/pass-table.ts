/**
 * The passes of the smallest search over superpageblocks, as a table that one search walks.
 *
 *     pass    1            2        2b        2c         2d        pre-3      3        4            zone
 *     where   preferred    tainted  tainted   tainted    tainted   -          empty    tainted      zone's own lists
 *     from    own type     MOVABLE  MOVABLE   opposite   MOVABLE   trigger    any      own type     own type
 *     who     all          N        N         N          N         N, M       N, M     M            all
 *
 * N is a non-movable request (UNMOVABLE, RECLAIMABLE), M a movable one, H one for the HIGHATOMIC lists, C one for the CMA
 * lists. Superpageblocks are walked fullest first, inside a list from the oldest member on; the first hit wins.
 * model: spb 3.3
 */
import { ALLOC_NOFRAG_TAINTED_OK, ALLOC_NOFRAGMENT } from '../page-alloc/watermark.js';
import { Migratetype, NR_PAGE_ORDERS, PAGEBLOCK_ORDER } from '../types.js';
import type { SpbRules } from './spb-rules.js';
import { CLEAN_PLACES, EMPTY_PLACES, TAINTED_PLACES, WalkOutcome } from './spb-types.js';

const { unmovable, movable, reclaimable } = Migratetype;

/** Kinds of requests, as bits. */
export const M = 1;
export const N = 2;
const H = 4;
const C = 8;
export const KIND_OF: readonly number[] = [N, M, N, H, C, 0];

/** Orders below a pageblock, and from a pageblock up, as bits. */
const BELOW_BLOCK = (1 << PAGEBLOCK_ORDER) - 1;
export const WHOLE_BLOCKS = ((1 << NR_PAGE_ORDERS) - 1) & ~BELOW_BLOCK;

export interface Pass {
  readonly name: string;
  readonly outcome: number;
  /** kinds of requests that it serves */
  readonly who: number;
  readonly places: (kind: number) => readonly number[];
  /** list types that it takes from, in order */
  readonly from: (migratetype: number) => readonly number[];
  /** whole: only chunks of a pageblock or more; below: only smaller ones; smallest chunk first */
  readonly chunks: 'whole' | 'below' | 'all';
  /** where the policy says so, whole pageblocks come before fragments */
  readonly wholeFirst?: true;
  /** as_is: the rest stays on the list that it came from; relabel: the chunk's blocks change type; claim: its block does */
  readonly how: 'as_is' | 'relabel' | 'claim';
  /** leaves the reserve of a tainted superpageblock alone */
  readonly keepsReserve?: true;
  readonly isGated?: (rules: SpbRules, kind: number, flags: number) => boolean;
  readonly reacts?: true;
  /** evacuation, slab shrink and defrag are triggered before it begins: the block that the series has between 2d and 3 */
  readonly triggers?: true;
}

const preferred = (kind: number) => (kind & (N | H) ? TAINTED_PLACES : CLEAN_PLACES);
const tainted = () => TAINTED_PLACES;
const own = (migratetype: number) => OWN[migratetype]!;
const OWN: readonly (readonly number[])[] = [[0], [1], [2], [3], [4], [5]];
const MOVABLE_ONLY: readonly number[] = [movable];
const fromMovable = () => MOVABLE_ONLY;
const OPPOSITE: readonly (readonly number[])[] = [[reclaimable], [], [unmovable]];
/** N takes what is its own first, then claims a MOVABLE block. */
const OWN_OR_MOVABLE: readonly (readonly number[])[] = [
  [unmovable, movable],
  [movable],
  [reclaimable, movable],
];

const needsTaintedOk = (rules: SpbRules, _kind: number, flags: number) =>
  rules.pass2_needs_tainted_ok && (flags & (ALLOC_NOFRAGMENT | ALLOC_NOFRAG_TAINTED_OK)) === ALLOC_NOFRAGMENT;
const mayNotTaint = (rules: SpbRules, kind: number, flags: number) =>
  rules.pass3_nofrag_gate && kind === N && (flags & ALLOC_NOFRAGMENT) !== 0;

export const PASSES: readonly Pass[] = [
  {
    name: '1',
    outcome: WalkOutcome.pass1,
    who: M | N | H | C,
    places: preferred,
    from: own,
    chunks: 'all',
    wholeFirst: true,
    how: 'as_is',
    reacts: true,
  },
  // Reserved and CMA blocks may lie anywhere: their requests have no other pass. model: spb 3.10
  {
    name: '1',
    outcome: WalkOutcome.pass1,
    who: H,
    places: () => CLEAN_PLACES,
    from: own,
    chunks: 'all',
    how: 'as_is',
  },
  { name: '1', outcome: WalkOutcome.pass1, who: C, places: tainted, from: own, chunks: 'all', how: 'as_is' },
  {
    name: '1',
    outcome: WalkOutcome.pass1,
    who: H | C,
    places: () => EMPTY_PLACES,
    from: own,
    chunks: 'all',
    how: 'as_is',
  },
  {
    name: '2',
    outcome: WalkOutcome.pass2,
    who: N,
    places: tainted,
    from: fromMovable,
    chunks: 'whole',
    how: 'relabel',
    isGated: needsTaintedOk,
    reacts: true,
  },
  {
    name: '2b',
    outcome: WalkOutcome.pass2b,
    who: N,
    places: tainted,
    from: fromMovable,
    chunks: 'below',
    how: 'claim',
    isGated: needsTaintedOk,
    reacts: true,
  },
  {
    name: '2c',
    outcome: WalkOutcome.pass2c,
    who: N,
    places: tainted,
    from: (type) => OPPOSITE[type]!,
    // The series says fragments; a whole free block of the other type, which only the rest of a larger chunk can be, would
    // be of use to no pass, and an empty superpageblock tainted instead (scenario 18).
    chunks: 'all',
    how: 'as_is',
    reacts: true,
  },
  {
    name: '2d',
    outcome: WalkOutcome.pass2d,
    who: N,
    places: tainted,
    from: fromMovable,
    chunks: 'all',
    how: 'as_is',
    reacts: true,
  },
  {
    name: '3',
    outcome: WalkOutcome.pass3,
    who: M | N,
    places: () => EMPTY_PLACES,
    from: (type) => OWN_OR_MOVABLE[type]!,
    chunks: 'whole',
    how: 'relabel',
    isGated: mayNotTaint,
    triggers: true,
  },
  {
    name: '4',
    outcome: WalkOutcome.pass4,
    who: M,
    places: tainted,
    from: own,
    chunks: 'all',
    how: 'as_is',
    keepsReserve: true,
  },
];
export const PASS_3 = PASSES.findIndex(({ name }) => name === '3');
/** Where a CPU stops that looks for a whole pageblock to own and must not taint. */
export const UP_TO_PASS_2 = PASSES.findIndex(({ name }) => name === '2') + 1;
export const ALL_PASSES = PASSES.length;

/** Orders that a pass takes chunks of, as bits. */
export function orderRange(order: number, chunks: Pass['chunks']): number {
  const up = (WHOLE_BLOCKS | BELOW_BLOCK) & (-1 << order);
  if (chunks === 'whole') return up & WHOLE_BLOCKS;
  return chunks === 'below' ? up & BELOW_BLOCK : up;
}
