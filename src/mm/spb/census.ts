/**
 * What lies in the 1 GiB ranges of a zone, counted from its pages: the same count for every policy, with superpageblocks or
 * without, so that their results can be compared.
 *
 *     tainted   holds a page in use that cannot be moved (by content: bits that have outlived their page do not count)
 *     held      handed out whole, as a 1 GiB page
 *     empty     nothing in it is in use
 *     clean     anything else: free and movable pages only
 *
 * Memory that the kernel took at boot never passes through the allocator. It taints nothing, but what holds some of it is
 * not `whole`: it can never be a 1 GiB page. In a recorded start state it cannot be told apart and counts as in use.
 * model: spb 2.4, 5.4
 */
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { isBuddy, isPcp, PageKind, STRADDLED } from '../page-alloc/page-map.js';
import { boostedMark } from '../page-alloc/watermark.js';
import { WMARK_MIN, type Zone } from '../page-alloc/zone.js';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import { type CountLru, lruPages } from '../vmstat.js';
import { SUPERPAGEBLOCK_NR_PAGES, SUPERPAGEBLOCK_ORDER } from './spb-types.js';

export interface RangeCensus {
  readonly start_pfn: number;
  /** pages of the zone in it */
  present_pages: number;
  /** on buddy lists and on per-CPU lists */
  free_pages: number;
  movable_pages: number;
  nonmovable_pages: number;
  /** in use, nothing else known */
  unknown_pages: number;
  free_blocks: number;
  movable_blocks: number;
  nonmovable_blocks: number;
  held: boolean;
}

export type RangeState = 'empty' | 'clean' | 'tainted' | 'held';

export interface ZoneCensus {
  /** by address; ranges in which the zone has no memory are left out */
  readonly ranges: readonly RangeCensus[];
  readonly nonmovable_pages: number;
  /** tainted ranges that any policy would need: non-movable bytes / 1 GiB, rounded up */
  readonly floor: number;
  /** 1 GiB pages that could be had at once; by moving pages; by moving and reclaiming */
  readonly gigantic_now: number;
  readonly gigantic_after_migration: number;
  readonly gigantic_after_reclaim: number;
}

/** Pages of a zone in one pageblock, by what they are. */
export interface BlockCount {
  readonly size: number;
  free: number;
  movable: number;
  nonmovable: number;
  /** in use, nothing else known */
  unknown: number;
}

/** How pages are counted. Whoever takes one census after another may know of most blocks what is in them. */
export interface Counting {
  readonly block: (mm: PageAllocator, zone: Zone, block: number) => Readonly<BlockCount>;
  readonly lru: CountLru;
}

const ONE_BY_ONE: Counting = { block: countBlock, lru: lruPages };

/** @param unknownCounts pages in use of which nothing is known are somebody's, as in a recorded start state */
export function takeCensus(
  mm: PageAllocator,
  zone: Zone,
  unknownCounts: boolean,
  counting = ONE_BY_ONE,
): ZoneCensus {
  const ranges = presentRanges(mm, zone, unknownCounts, counting.block);
  const nonmovable_pages = ranges.reduce((sum, range) => sum + (range.held ? 0 : range.nonmovable_pages), 0);
  const whole = ranges.filter((range) => isObtainable(range)).sort((a, b) => b.free_pages - a.free_pages);
  const free = ranges.reduce((sum, range) => sum + (range.held ? 0 : range.free_pages), 0);
  const spare = Math.max(0, free - boostedMark(zone, WMARK_MIN));
  return {
    ranges,
    nonmovable_pages,
    floor: Math.ceil(nonmovable_pages / SUPERPAGEBLOCK_NR_PAGES),
    gigantic_now: whole.filter(({ free_pages }) => free_pages === SUPERPAGEBLOCK_NR_PAGES).length,
    gigantic_after_migration: packable(whole, spare),
    gigantic_after_reclaim: packable(whole, spare + reclaimablePages(mm, zone, counting.lru)),
  };
}

export function stateOf(range: RangeCensus): RangeState {
  if (range.held) return 'held';
  if (range.nonmovable_pages > 0) return 'tainted';
  return range.movable_pages + range.unknown_pages > 0 ? 'clean' : 'empty';
}

function presentRanges(
  mm: PageAllocator,
  zone: Zone,
  unknownCounts: boolean,
  count: Counting['block'],
): RangeCensus[] {
  const ranges: RangeCensus[] = [];
  for (let gib = zone.start_pfn >>> SUPERPAGEBLOCK_ORDER; gib << SUPERPAGEBLOCK_ORDER < zone.end_pfn; gib++)
    ranges.push(countRange(mm, zone, gib, unknownCounts, count));
  return ranges.filter(({ present_pages }) => present_pages > 0);
}

/** All of it is the zone's, and nothing in it has to stay. */
function isObtainable(range: RangeCensus): boolean {
  const { present_pages, nonmovable_pages, unknown_pages, held } = range;
  return !held && present_pages === SUPERPAGEBLOCK_NR_PAGES && nonmovable_pages === 0 && unknown_pages === 0;
}

/**
 * How many ranges can be emptied at the same time, the emptiest first: what is in use in them must find room in the free
 * pages of the others. A bound, since large folios need more than room.
 */
function packable(byFree: readonly RangeCensus[], spare_pages: number): number {
  let used = 0;
  let free = 0;
  let count = 0;
  for (const range of byFree) {
    used += SUPERPAGEBLOCK_NR_PAGES - range.free_pages;
    free += range.free_pages;
    if (used > 0 && used > spare_pages - free) break;
    count++;
  }
  return count;
}

/** Pages that reclaim could free under the policy. */
function reclaimablePages(mm: PageAllocator, zone: Zone, countLru: CountLru): number {
  const { policy } = mm;
  const [anon, file] = countLru(mm, zone);
  const pages = file + (policy['reclaim.swap'] ? anon : 0);
  return Math.floor((pages * policy['reclaim.reclaimable_percent']) / 100);
}

function countRange(
  mm: PageAllocator,
  zone: Zone,
  gib: number,
  unknownCounts: boolean,
  count: Counting['block'],
): RangeCensus {
  const { blockZone } = mm.pages;
  const start = Math.max(gib << SUPERPAGEBLOCK_ORDER, zone.start_pfn);
  const end = Math.min((gib + 1) << SUPERPAGEBLOCK_ORDER, zone.end_pfn);
  const range: RangeCensus = {
    start_pfn: gib << SUPERPAGEBLOCK_ORDER,
    present_pages: 0,
    free_pages: 0,
    movable_pages: 0,
    nonmovable_pages: 0,
    unknown_pages: 0,
    free_blocks: 0,
    movable_blocks: 0,
    nonmovable_blocks: 0,
    held: mm.held_gigantic.has(gib),
  };
  for (let block = start >>> PAGEBLOCK_ORDER; block < Math.ceil(end / PAGEBLOCK_PAGES); block++)
    if (blockZone[block] === zone.number || blockZone[block] === STRADDLED)
      addBlock(range, count(mm, zone, block), unknownCounts ? mm.pages.blockMovable[block]! : -1);
  return range;
}

/** What is in a block, page by page. */
export function countBlock(mm: PageAllocator, zone: Zone, block: number): BlockCount {
  const { state, blockBase } = mm.pages;
  const from = Math.max(block << PAGEBLOCK_ORDER, zone.start_pfn);
  const to = Math.min((block + 1) << PAGEBLOCK_ORDER, zone.end_pfn);
  const count: BlockCount = { size: to - from, free: 0, movable: 0, nonmovable: 0, unknown: 0 };
  const add = (value: number, pages: number) => {
    if (value === 0) count.unknown += pages;
    else if (isBuddy(value) || isPcp(value) || value >> 4 === PageKind.parked) count.free += pages;
    else if (value >> 4 === PageKind.lru) count.movable += pages;
    else count.nonmovable += pages;
  };
  const pair = state[blockBase + (block & ~1)]!;
  const large = state[blockBase + block]! || ((pair & 15) > PAGEBLOCK_ORDER ? pair : 0);
  if (large !== 0) add(large, count.size);
  else
    for (let pfn = from; pfn < to; ) {
      const value = state[pfn]!;
      const pages = value === 0 ? 1 : 1 << (value & 15);
      add(value, pages);
      pfn += pages;
    }
  return count;
}

/** @param known movable pages that the block is known to have where unknown pages are somebody's, else -1 */
function addBlock(range: RangeCensus, count: Readonly<BlockCount>, known: number): void {
  const { size, free } = count;
  let { movable, nonmovable, unknown } = count;
  if (known >= 0 && unknown > 0) {
    const more = Math.min(unknown, Math.max(0, known - movable));
    movable += more;
    nonmovable += unknown - more;
    unknown = 0;
  }
  range.present_pages += size;
  range.free_pages += free;
  range.movable_pages += movable;
  range.nonmovable_pages += nonmovable;
  range.unknown_pages += unknown;
  if (free === size) range.free_blocks++;
  if (movable > 0) range.movable_blocks++;
  if (nonmovable > 0) range.nonmovable_blocks++;
}
