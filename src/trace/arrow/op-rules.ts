/** The sets of ops of the trace CSV in one table, for a loop that looks at every row. */
import {
  ASKS_MEMORY,
  FREES_OBJECT,
  FREES_PAGES,
  HAS_ORDER,
  NEEDS_CACHE,
  NEEDS_CACHE_OR_SIZE,
  NEEDS_ID,
  NEEDS_MEMCG,
  NEEDS_SIZE,
} from '../csv/columns.js';
import { OP_NAMES } from '../event-batch.js';

/** Bits of {@link RULES}. */
export const Rule = {
  /** the object is pages, rather than one of a cache */
  pages: 1,
  allocates: 2,
  frees: 4,
  needsId: 8,
  /** the op needs other columns */
  more: 16,
} as const;
/** What an op needs of a row and does to its object, by number of the op. */
export const RULES = new Uint8Array(256);
for (let op = 0; op < OP_NAMES.length; op++) {
  if (HAS_ORDER[op] === 1 || FREES_PAGES[op] === 1) RULES[op] |= Rule.pages;
  if (ASKS_MEMORY[op] === 1) RULES[op] |= Rule.allocates;
  if (FREES_PAGES[op] === 1 || FREES_OBJECT[op] === 1) RULES[op] |= Rule.frees;
  if (NEEDS_ID[op] === 1) RULES[op] |= Rule.needsId;
  if ([NEEDS_SIZE, NEEDS_CACHE, NEEDS_CACHE_OR_SIZE, NEEDS_MEMCG].some((set) => set[op] === 1))
    RULES[op] |= Rule.more;
}
