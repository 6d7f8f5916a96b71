/**
 * Fallback with superpageblocks: claiming a block of another type, or stealing from it, category by category.
 *
 *     N   tainted, then (only without NOFRAGMENT) empty and clean ones: that is what taints
 *     M   clean, empty, then tainted ones above their reserve
 *
 * model: spb 3.4, 3.5
 */
import { FALLBACKS, isClaimable } from '../page-alloc/fallback.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { ALLOC_NOFRAG_TAINTED_OK, ALLOC_NOFRAGMENT } from '../page-alloc/watermark.js';
import type { Zone } from '../page-alloc/zone.js';
import { MAX_PAGE_ORDER, MIGRATE_TYPES, Migratetype, PAGEBLOCK_ORDER } from '../types.js';
import { takeFromClaimedBlock, tryToClaimBlock } from './claim-block.js';
import { queueSpbEvacuate, queueSpbSlabShrink } from './node-work.js';
import { takeChunk } from './passes.js';
import type { SpbSystem } from './spb-system.js';
import { CLEAN_PLACES, EMPTY_PLACES, TAINTED_PLACES } from './spb-types.js';
import type { Superpageblocks } from './superpageblocks.js';
import { walkSuperpageblocks } from './walk.js';

/** Categories in the order in which they are searched; the first is the preferred one. */
const CATEGORIES_N: readonly (readonly number[])[] = [TAINTED_PLACES, EMPTY_PLACES, CLEAN_PLACES];
const CATEGORIES_M: readonly (readonly number[])[] = [CLEAN_PLACES, EMPTY_PLACES, TAINTED_PLACES];

/** @returns lowest PFN taken, or -1 where no block could be claimed */
export function claimSpb(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  flags: number,
): number {
  const fallbacks = FALLBACKS[migratetype];
  if (fallbacks === undefined) return -1;
  mm.requestTracer?.stage('claim', zone);
  const isMovable = migratetype === Migratetype.movable;
  const categories = isMovable ? CATEGORIES_M : CATEGORIES_N;
  for (const places of categories) {
    const isPreferred = places === categories[0];
    if (!isPreferred && !isMovable) {
      if (flags & ALLOC_NOFRAGMENT) return -1;
      if (places === categories[1]) {
        queueSpbEvacuate(mm, zone, order, migratetype);
        queueSpbSlabShrink(mm, zone, 'demand');
      }
    }
    const least = leastOrder(system, zone.spb!, order, flags, isPreferred && !isMovable);
    for (let chunkOrder = MAX_PAGE_ORDER; chunkOrder >= least; chunkOrder--) {
      if (!isClaimable(mm, chunkOrder, migratetype)) break;
      const pfn = claimOfOrder(
        mm,
        system,
        zone,
        cpu,
        order,
        chunkOrder,
        migratetype,
        flags,
        places,
        fallbacks,
      );
      if (pfn < 0) continue;
      if (isPreferred) system.stats.claims_preferred++;
      else system.stats.claims_other++;
      return pfn;
    }
  }
  return -1;
}

/** With NOFRAGMENT only whole blocks, but for N that packs into tainted superpageblocks. model: spb 3.4 */
function leastOrder(
  system: SpbSystem,
  spbs: Superpageblocks,
  order: number,
  flags: number,
  packs: boolean,
): number {
  if ((flags & ALLOC_NOFRAGMENT) === 0 || order >= PAGEBLOCK_ORDER) return order;
  const many = spbs.nr_superpageblocks > system.rules.aggressive_threshold;
  return packs && (many || (flags & ALLOC_NOFRAG_TAINTED_OK) !== 0) ? order : PAGEBLOCK_ORDER;
}

function claimOfOrder(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  cpu: number,
  order: number,
  chunkOrder: number,
  migratetype: number,
  flags: number,
  places: readonly number[],
  fallbacks: readonly number[],
): number {
  const spbs = zone.spb!;
  const bit = 1 << chunkOrder;
  return walkSuperpageblocks(system, spbs, places, fallbacks, bit, (spb) => {
    if (mustNotEnter(system, zone, spbs, spb, migratetype)) return -1;
    const wasTainted = spbs.isTainted(spb);
    for (const from of fallbacks) {
      if ((spbs.listMask[spb * MIGRATE_TYPES + from]! & bit) === 0) continue;
      const chunk = spbs.headPfn(spb, chunkOrder, from);
      let pfn = chunk;
      if (chunkOrder >= PAGEBLOCK_ORDER)
        takeChunk(mm, zone, spbs, cpu, chunk, order, chunkOrder, from, migratetype, true);
      else if (!tryToClaimBlock(mm, system, zone, cpu, chunk, migratetype, from, false, flags, order))
        continue;
      else pfn = takeFromClaimedBlock(mm, zone, spbs, spb, cpu, order, migratetype);
      if (!wasTainted && spbs.isTainted(spb)) system.stats.taints_by_claim++;
      system.tracer?.take(pfn, order, chunkOrder, from, 'claimed by fallback');
      if (mm.tracer !== null) mm.tracer.extfrag(pfn, order, chunkOrder, migratetype, from);
      return pfn;
    }
    return -1;
  });
}

/** M leaves the reserve of tainted superpageblocks alone, and nothing goes where an evacuation is at work. */
function mustNotEnter(
  system: SpbSystem,
  zone: Zone,
  spbs: Superpageblocks,
  spb: number,
  migratetype: number,
): boolean {
  const isAtReserve = spbs.isTainted(spb) && spbs.nr_free[spb]! <= spbs.reserve(spb);
  return system.isSource(zone, spb) || (migratetype === Migratetype.movable && isAtReserve);
}

/** A steal goes without NOFRAGMENT, so that the reserve yields where the policy lets it. model: spb 3.1 */
function mayNotSteal(
  system: SpbSystem,
  zone: Zone,
  spbs: Superpageblocks,
  spb: number,
  migratetype: number,
): boolean {
  return system.rules.reserve_yields
    ? system.isSource(zone, spb)
    : mustNotEnter(system, zone, spbs, spb, migratetype);
}

/**
 * Takes one foreign chunk and leaves its rest to its owner. For N in a clean superpageblock that is the worst that can
 * happen: one page taints it.
 *
 * @returns lowest PFN taken, or -1
 */
export function stealSpb(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
): number {
  const fallbacks = FALLBACKS[migratetype];
  if (fallbacks === undefined) return -1;
  mm.requestTracer?.stage('steal', zone);
  const spbs = zone.spb!;
  for (const places of migratetype === Migratetype.movable ? CATEGORIES_M : CATEGORIES_N)
    for (let chunkOrder = order; chunkOrder <= MAX_PAGE_ORDER; chunkOrder++) {
      const bit = 1 << chunkOrder;
      const pfn = walkSuperpageblocks(system, spbs, places, fallbacks, bit, (spb) => {
        if (mayNotSteal(system, zone, spbs, spb, migratetype)) return -1;
        const wasTainted = spbs.isTainted(spb);
        const from = fallbacks.find((type) => spbs.listMask[spb * MIGRATE_TYPES + type]! & bit)!;
        const chunk = spbs.headPfn(spb, chunkOrder, from);
        takeChunk(mm, zone, spbs, cpu, chunk, order, chunkOrder, from, migratetype, false);
        system.stats.steals++;
        if (!wasTainted && spbs.isTainted(spb)) system.stats.taints_by_steal++;
        system.tracer?.take(chunk, order, chunkOrder, from, 'stolen');
        if (mm.tracer !== null) mm.tracer.extfrag(chunk, order, chunkOrder, migratetype, from);
        return chunk;
      });
      if (pfn >= 0) return pfn;
    }
  return -1;
}
