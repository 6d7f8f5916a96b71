/**
 * Numbers and names of the superpageblock series.
 * model: spb 0.2, 2.3, 2.4, 3.3, 3.4
 */
import { MIGRATE_TYPES, NR_PAGE_ORDERS, PAGEBLOCK_ORDER } from '../types.js';

/** 1 GiB of 4 KiB pages */
export const SUPERPAGEBLOCK_ORDER = 18;
export const SUPERPAGEBLOCK_NR_PAGES = 1 << SUPERPAGEBLOCK_ORDER;
export const SUPERPAGEBLOCK_NR_BLOCKS = SUPERPAGEBLOCK_NR_PAGES >>> PAGEBLOCK_ORDER;
/** free lists of one superpageblock */
export const SPB_LISTS = NR_PAGE_ORDERS * MIGRATE_TYPES;

/** What a pageblock holds, whatever its migratetype says; the bits of the first three are 1 << migratetype. */
export const PB_HAS_UNMOVABLE = 1;
export const PB_HAS_MOVABLE = 2;
export const PB_HAS_RECLAIMABLE = 4;
export const PB_ALL_FREE = 8;

/** Bit of a page of each migratetype: reserved blocks count as unmovable, CMA blocks as movable. */
export const HAS_BIT: readonly number[] = [
  PB_HAS_UNMOVABLE,
  PB_HAS_MOVABLE,
  PB_HAS_RECLAIMABLE,
  PB_HAS_UNMOVABLE,
  PB_HAS_MOVABLE,
  0,
];

/** Only SB_TAINTED is a name of the series; the number of buckets and their edges are inferred. */
export const SB_CLEAN = 0;
export const SB_TAINTED = 1;
export const SB_FULL = 0;
export const SB_ALMOST_EMPTY = 4;
export const NR_SB_FULLNESS = 5;

/** Lists of superpageblocks, of which each is on one: isolated, empty, then category by fullness. */
export const PLACE_ISOLATED = 0;
export const PLACE_EMPTY = 1;
const FIRST_BUCKET = 2;
export const NR_PLACES = FIRST_BUCKET + 2 * NR_SB_FULLNESS;
/** not yet on a list */
export const NO_PLACE = 255;

export function placeOfBucket(category: number, fullness: number): number {
  return FIRST_BUCKET + category * NR_SB_FULLNESS + fullness;
}

const PLACES_OF = (category: number) =>
  Array.from({ length: NR_SB_FULLNESS }, (_, fullness) => placeOfBucket(category, fullness));

/** Lists that a search walks, fullest first. */
export const CLEAN_PLACES: readonly number[] = PLACES_OF(SB_CLEAN);
export const TAINTED_PLACES: readonly number[] = PLACES_OF(SB_TAINTED);
export const EMPTY_PLACES: readonly number[] = [PLACE_EMPTY];

export const FULLNESS_NAMES: readonly string[] = ['full', '75', '50', '25', 'almost_empty'];

/** How the smallest search ended; the values are the tracepoint's. */
export const WalkOutcome = {
  noPage: 0,
  pass1: 1,
  pass2: 2,
  pass2b: 3,
  pass2c: 4,
  pass3: 5,
  pass4: 6,
  zoneFallback: 7,
  pass2d: 8,
} as const;
export const OUTCOME_NAMES: readonly string[] = [
  'NO_PAGE',
  'PASS_1',
  'PASS_2',
  'PASS_2B',
  'PASS_2C',
  'PASS_3',
  'PASS_4',
  'ZONE_FALLBACK',
  'PASS_2D',
];

/** Why a pageblock was not claimed; the values are the tracepoint's. */
export const ClaimRefusal = {
  isolate: 0,
  cma: 1,
  zoneBoundary: 2,
  crossTypeNotFree: 3,
  insufficientCompat: 4,
} as const;
export const REFUSAL_NAMES: readonly string[] = [
  'ISOLATE',
  'CMA',
  'ZONE_BOUNDARY',
  'CROSS_TYPE_NOT_FREE',
  'INSUFFICIENT_COMPAT',
];

/** Steps of a request that cannot reclaim; the values are the tracepoint's. */
export const RelaxStep = {
  noretrySkip: 0,
  addTaintedOk: 1,
  dropNofragment: 2,
  nowarnLowerOrder: 3,
} as const;
export const RELAX_NAMES: readonly string[] = [
  'NORETRY_SKIP',
  'ADD_TAINTED_OK',
  'DROP_NOFRAGMENT',
  'NOWARN_LOWER_ORDER',
];
