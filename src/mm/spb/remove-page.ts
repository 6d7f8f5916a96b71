/**
 * __rmqueue() with superpageblocks: the passes, then the gate for optional callers, then claim and steal.
 * model: spb 3.2, 3.6
 */
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { SearchMode } from '../page-alloc/search-mode.js';
import { ALLOC_CMA, ALLOC_HIGHORDER_OPTIONAL, ALLOC_NOFRAGMENT } from '../page-alloc/watermark.js';
import type { Zone } from '../page-alloc/zone.js';
import { Migratetype } from '../types.js';
import { claimSpb, stealSpb } from './fallback-spb.js';
import { queueSpbEvacuate } from './node-work.js';
import { sawFreePageblock, sawFreePages, searchPasses } from './passes.js';
import type { SpbSystem } from './spb-system.js';

/** @returns lowest PFN of 2^order pages, or -1 */
export function removePageSpb(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  cpu: number,
  order: number,
  migratetype: number,
  flags: number,
): number {
  const mayUseCma = (flags & ALLOC_CMA) !== 0;
  const fromCma = () => searchPasses(mm, system, zone, cpu, order, Migratetype.cma, flags);
  // Half of what is free is CMA memory: use that first, or movable requests would leave it idle.
  if (mayUseCma && zone.nr_free_cma > zone.folded_free_pages >> 1) {
    const pfn = fromCma();
    if (pfn >= 0) return pfn;
  }
  let pfn = -1;
  if (mm.searchMode <= SearchMode.normal) {
    mm.requestTracer?.stage('search', zone);
    pfn = searchPasses(mm, system, zone, cpu, order, migratetype, flags);
    if (pfn >= 0) return pfn;
  }
  if (mm.searchMode <= SearchMode.cma && mayUseCma && zone.nr_free_cma > 0) {
    pfn = fromCma();
    if (pfn >= 0) {
      mm.searchMode = SearchMode.cma;
      return pfn;
    }
  }
  if (isRefused(mm, system, zone, order, migratetype, flags)) return -1;
  if (mm.searchMode <= SearchMode.claim) {
    pfn = claimSpb(mm, system, zone, cpu, order, migratetype, flags);
    if (pfn >= 0) {
      mm.searchMode = SearchMode.normal;
      return pfn;
    }
  }
  if ((flags & ALLOC_NOFRAGMENT) === 0) {
    pfn = stealSpb(mm, system, zone, cpu, order, migratetype);
    if (pfn >= 0) mm.searchMode = SearchMode.steal;
  }
  return pfn;
}

/** A caller that can do with less is turned away rather than let it taint. model: spb 3.6 */
function isRefused(
  mm: PageAllocator,
  system: SpbSystem,
  zone: Zone,
  order: number,
  migratetype: number,
  flags: number,
): boolean {
  if ((flags & ALLOC_HIGHORDER_OPTIONAL) === 0 || order < system.rules.optional_min_order) return false;
  if (migratetype === Migratetype.movable) return false;
  const spbs = zone.spb!;
  if (!(system.rules.optional_gate_free_pages ? sawFreePages(spbs) : sawFreePageblock(spbs))) return false;
  system.stats.spb_highorder_refused++;
  system.tracer?.trigger('refused: an optional request must not taint (spb_highorder_refused)');
  queueSpbEvacuate(mm, zone, order, migratetype);
  return true;
}
