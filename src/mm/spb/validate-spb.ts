/**
 * Recomputes the superpageblocks of a zone from its free lists and pages, and compares.
 *
 *     (a) a superpageblock's free lists hold chunks of its own range; lengths, masks and nr_free_pages are theirs
 *     (b) total, reserved, nr_free and the nr_ counters are those of its pageblocks' bits
 *     (c) PB_all_free is exact: the block is free as a whole; such a block has no other bit
 *     (d) a page in use is told by a bit of its kind (bits may outlive what they stand for: they are an upper bound)
 *     (e) each is on one list, the one that its counters call for; the bitmaps say the same
 *
 * model: spb 2, 8 scenarios 1, 2
 */
import { InvariantError } from '../invariant.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { isBuddy, PageKind } from '../page-alloc/page-map.js';
import type { Zone } from '../page-alloc/zone.js';
import { MIGRATE_TYPES, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import {
  NR_PLACES,
  PB_ALL_FREE,
  PB_HAS_MOVABLE,
  PB_HAS_RECLAIMABLE,
  PB_HAS_UNMOVABLE,
  SPB_LISTS,
  TAINTED_PLACES,
} from './spb-types.js';
import type { Superpageblocks } from './superpageblocks.js';

const PB_HAS_ANY = PB_HAS_MOVABLE | PB_HAS_RECLAIMABLE | PB_HAS_UNMOVABLE;

/** Throws an InvariantError that names the first thing found to be wrong. */
export function validateSuperpageblocks(mm: PageAllocator, zone: Zone): void {
  const spbs = zone.spb;
  if (spbs === null) return;
  for (let spb = 0; spb < spbs.nr_superpageblocks; spb++) {
    checkLists(mm, zone, spbs, spb);
    checkBlocks(mm, zone, spbs, spb);
  }
  checkPlaces(zone, spbs);
}

function compare(spbs: Superpageblocks, spb: number, name: string, kept: number, found: number): void {
  if (kept !== found)
    throw new InvariantError(
      `superpageblock 0x${spbs.start_pfn(spb).toString(16)}: ${name} is ${kept}, but ${found} were found`,
    );
}

function checkLists(mm: PageAllocator, zone: Zone, spbs: Superpageblocks, spb: number): void {
  const { pages } = mm;
  let freePages = 0;
  const masks = new Int32Array(MIGRATE_TYPES);
  for (let list = 0; list < SPB_LISTS; list++) {
    const order = Math.trunc(list / MIGRATE_TYPES);
    const type = list % MIGRATE_TYPES;
    const head = spbs.heads[spb]! + list;
    let chunks = 0;
    for (let node = pages.next[head]!; node !== head; node = pages.next[node]!) {
      const pfn = pages.pfn(node);
      if (spbs.indexOf(pfn) !== spb || !zone.spans(pfn))
        compare(spbs, spb, `owner of the chunk at pfn 0x${pfn.toString(16)}`, spb, spbs.indexOf(pfn));
      chunks++;
    }
    compare(spbs, spb, `length of list ${list}`, spbs.listLength[spb * SPB_LISTS + list]!, chunks);
    if (chunks > 0) masks[type]! |= 1 << order;
    if (type !== Migratetype.isolate) freePages += chunks << order;
  }
  compare(spbs, spb, 'nr_free_pages', spbs.nr_free_pages[spb]!, freePages);
  masks.forEach((mask, type) => {
    compare(spbs, spb, `mask of type ${type}`, spbs.listMask[spb * MIGRATE_TYPES + type]!, mask);
  });
}

function checkBlocks(mm: PageAllocator, zone: Zone, spbs: Superpageblocks, spb: number): void {
  const { blockBits, blockZone } = mm.pages;
  const first = Math.max(spbs.start_pfn(spb), zone.start_pfn) >>> PAGEBLOCK_ORDER;
  const last = Math.ceil(Math.min(spbs.start_pfn(spb + 1), zone.end_pfn) / PAGEBLOCK_PAGES);
  const counts = [0, 0, 0, 0];
  let reserved = 0;
  for (let block = first; block < last; block++) {
    if (blockZone[block] !== zone.number) {
      reserved++;
      continue;
    }
    const bits = blockBits[block]!;
    for (let bit = 0; bit < 4; bit++) if (bits & (1 << bit)) counts[bit]!++;
    checkBits(mm, spbs, spb, block, bits);
  }
  compare(spbs, spb, 'total_pageblocks', spbs.total_pageblocks[spb]!, Math.max(0, last - first));
  compare(spbs, spb, 'nr_reserved', spbs.nr_reserved[spb]!, reserved);
  compare(spbs, spb, 'nr_unmovable', spbs.nr_unmovable[spb]!, counts[0]!);
  compare(spbs, spb, 'nr_movable', spbs.nr_movable[spb]!, counts[1]!);
  compare(spbs, spb, 'nr_reclaimable', spbs.nr_reclaimable[spb]!, counts[2]!);
  compare(spbs, spb, 'nr_free', spbs.nr_free[spb]!, counts[3]!);
}

function checkBits(mm: PageAllocator, spbs: Superpageblocks, spb: number, block: number, bits: number): void {
  const isFree = spbs.isBlockFree(block);
  const name = `of pageblock 0x${(block << PAGEBLOCK_ORDER).toString(16)}`;
  compare(spbs, spb, `PB_all_free ${name}`, bits & PB_ALL_FREE ? 1 : 0, isFree ? 1 : 0);
  if (isFree) {
    compare(spbs, spb, `PB_has bits ${name}, which is free,`, bits & PB_HAS_ANY, 0);
    return;
  }
  const needed = contentBits(mm, block);
  if (needed & PB_HAS_MOVABLE && (bits & PB_HAS_MOVABLE) === 0)
    compare(spbs, spb, `PB_has_movable ${name}`, 0, 1);
  if (needed & PB_HAS_UNMOVABLE && (bits & PB_HAS_ANY) === 0) compare(spbs, spb, `PB_has bits ${name}`, 0, 1);
}

/** PB_HAS_MOVABLE where a movable page is in use, PB_HAS_UNMOVABLE where anything else that the model knows of is. */
function contentBits(mm: PageAllocator, block: number): number {
  const { pages } = mm;
  let bits = 0;
  const note = (state: number) => {
    if (state === 0 || isBuddy(state)) return;
    bits |= state >> 4 === PageKind.lru ? PB_HAS_MOVABLE : PB_HAS_UNMOVABLE;
  };
  note(pages.state[pages.blockBase + block]!);
  // What covers two blocks is told by the first one's node.
  const pair = pages.state[pages.blockBase + (block & ~1)]!;
  if ((pair & 15) > PAGEBLOCK_ORDER) note(pair);
  const both = PB_HAS_MOVABLE | PB_HAS_UNMOVABLE;
  const start = block << PAGEBLOCK_ORDER;
  // Most pages have no state of their own: four at a time.
  const words = new Uint32Array(pages.state.buffer, pages.state.byteOffset + start, PAGEBLOCK_PAGES / 4);
  for (let word = 0; word < words.length && bits !== both; word++) {
    if (words[word] === 0) continue;
    for (let pfn = start + word * 4; pfn < start + word * 4 + 4; pfn++) note(pages.state[pfn]!);
  }
  return bits;
}

function checkPlaces(zone: Zone, spbs: Superpageblocks): void {
  const seen = new Uint8Array(spbs.nr_superpageblocks);
  let below = 0;
  for (let place = 0; place < NR_PLACES; place++) {
    let members = 0;
    for (let spb = spbs.first(place); spb >= 0; spb = spbs.after(spb)) {
      compare(spbs, spb, 'lists that it is on', 1, seen[spb]! + 1);
      seen[spb] = 1;
      members++;
      compare(spbs, spb, 'its list', spbs.place[spb]!, place);
      compare(spbs, spb, 'the list by its counters', place, spbs.placeNow(spb));
      const agrees = spbs.bitmaps?.agrees(spb, place, (list) => spbs.listLength[spb * SPB_LISTS + list]! > 0);
      if (agrees === false) compare(spbs, spb, 'bits in the bitmaps', 0, 1);
      if (spbs.isTainted(spb) && spbs.contig_allocated[spb] === 0 && spbs.nr_free[spb]! <= spbs.reserve(spb))
        below++;
    }
    if (members !== spbs.place_length[place])
      throw new InvariantError(
        `zone ${zone.number}: list ${place} of superpageblocks has ${members} members, ${spbs.place_length[place]} counted`,
      );
  }
  const { bitmaps, listLength } = spbs;
  const listed = listLength.reduce((lists, length) => lists + (length > 0 ? 1 : 0), 0);
  if (bitmaps !== null && bitmaps.population !== listed)
    throw new InvariantError(
      `zone ${zone.number}: ${bitmaps.population} bits in the bitmaps, ${listed} are due`,
    );
  const lost = seen.indexOf(0);
  if (lost >= 0) compare(spbs, lost, 'lists that it is on', 0, 1);
  const tainted = TAINTED_PLACES.reduce((sum, place) => sum + spbs.place_length[place]!, 0);
  if (tainted !== spbs.nr_tainted)
    throw new InvariantError(
      `zone ${zone.number}: nr_tainted is ${spbs.nr_tainted}, but ${tainted} were found`,
    );
  if (below !== spbs.nr_tainted_below_reserve)
    throw new InvariantError(
      `zone ${zone.number}: ${spbs.nr_tainted_below_reserve} tainted superpageblocks below their reserve, ${below} found`,
    );
}
