/**
 * try_to_claim_block() with superpageblocks: taking over a pageblock that is partly in use.
 * model: spb 3.4
 */
import { expand } from '../page-alloc/buddy.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { blockStart, countFreePages, moveFreePages, zoneSpansBlock } from '../page-alloc/pageblock.js';
import { ALLOC_KSWAPD, boostWatermark } from '../page-alloc/watermark.js';
import { ZONE_BOOSTED_WATERMARK, type Zone } from '../page-alloc/zone.js';
import { MIGRATE_TYPES, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';
import type { SpbSystem } from './spb-system.js';
import { ClaimRefusal } from './spb-types.js';
import type { Superpageblocks } from './superpageblocks.js';

const { movable, cma, isolate } = Migratetype;

/**
 * Gives the block of a chunk a new type and moves its free pages to that type's lists.
 *
 * @param from type of the list that the chunk is on
 * @param fromTainted the block need not be half free or of a like kind
 * @param order of the request, for counting
 * @returns whether it was claimed; a refusal is counted
 */
export function tryToClaimBlock(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  cpu: number,
  chunk: number,
  migratetype: number,
  from: number,
  fromTainted: boolean,
  allocFlags: number,
  order: number,
): boolean {
  if (boostWatermark(zone, mm.rules, PAGEBLOCK_PAGES) && allocFlags & ALLOC_KSWAPD)
    zone.flags |= ZONE_BOOSTED_WATERMARK;
  const refusal = whyNot(mm, system, zone, chunk, migratetype, from, fromTainted);
  if (refusal >= 0) {
    system.stats.countRefusal(refusal, order, migratetype, fromTainted);
    system.tracer?.claimRefused(chunk, migratetype, from, refusal);
    return false;
  }
  moveFreePages(mm, zone, cpu, blockStart(chunk), migratetype);
  zone.pages.blockType[chunk >>> PAGEBLOCK_ORDER] = migratetype;
  zone.spb!.took(chunk, 0, migratetype);
  return true;
}

/** The reason for a refusal, or -1. */
function whyNot(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  chunk: number,
  migratetype: number,
  from: number,
  fromTainted: boolean,
): number {
  const block = chunk >>> PAGEBLOCK_ORDER;
  const blockType = zone.pages.blockType[block]!;
  if (blockType === isolate) return ClaimRefusal.isolate;
  if (blockType === cma) return ClaimRefusal.cma;
  if (!zoneSpansBlock(zone, chunk)) return ClaimRefusal.zoneBoundary;
  const free = countFreePages(zone, chunk);
  const isCross = migratetype !== movable && from !== movable && from !== migratetype;
  if (isCross && system.rules.cross_type_needs_free && free < PAGEBLOCK_PAGES)
    return ClaimRefusal.crossTypeNotFree;
  if (fromTainted || !mm.grouping) return -1;
  const inUse = zone.pages.blockMovable[block]!;
  let alike = 0;
  if (migratetype === movable) alike = inUse;
  else if (from === movable) alike = PAGEBLOCK_PAGES - (free + inUse);
  return free + alike < PAGEBLOCK_PAGES / 2 ? ClaimRefusal.insufficientCompat : -1;
}

/** Takes from the own type's lists of the superpageblock in which a block has just been claimed. */
export function takeFromClaimedBlock(
  mm: PageAllocator,
  zone: Zone,
  spbs: Superpageblocks,
  spb: number,
  cpu: number,
  order: number,
  migratetype: number,
): number {
  const orders = spbs.listMask[spb * MIGRATE_TYPES + migratetype]! >>> order;
  if (orders === 0) return -1;
  const chunkOrder = order + (31 - Math.clz32(orders & -orders));
  const pfn = spbs.headPfn(spb, chunkOrder, migratetype);
  zone.remove(pfn, chunkOrder, migratetype);
  spbs.took(pfn, order, migratetype);
  expand(zone, pfn, order, chunkOrder, migratetype);
  if (mm.rules.post_per_move) zone.postFree(cpu, -(1 << order));
  return pfn;
}
