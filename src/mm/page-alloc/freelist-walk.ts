/**
 * The walk over a zonelist for one attempt of a request.
 * model: page-allocator 4.2; spb 3.7
 */

import { relaxAtomic } from '../spb/relax.js';
import { highatomicAfterWalk } from './highatomic.js';
import type { PageAllocator } from './page-allocator.js';
import { rmqueue } from './rmqueue.js';
import {
  ALLOC_HIGHATOMIC,
  ALLOC_NO_WATERMARKS,
  ALLOC_NOFRAGMENT,
  ALLOC_WMARK_MASK,
  boostedMark,
  zoneWatermarkFast,
} from './watermark.js';
import { WMARK_HIGH, ZONE_BELOW_HIGH, type Zone } from './zone.js';

/**
 * Looks for pages in the zones of a list, in order; with several nodes and NOFRAGMENT in more than one pass.
 *
 * @param zones from the preferred zone on, none above `highestZone`
 * @returns lowest PFN, or -1
 */
export function getPageFromFreelist(
  mm: PageAllocator,
  zones: readonly Zone[],
  cpu: number,
  gfp: number,
  order: number,
  migratetype: number,
  highestZone: number,
  flags: number,
): number {
  if (mm.locks !== null) mm.locks.reach('get_page_from_freelist', cpu);
  const { rules } = mm;
  const numa = mm.numa;
  let allocFlags = flags;
  let skipAwake = numa && rules.skip_awake_kswapd;
  let skipped = false;
  for (;;) {
    const noFragment = (allocFlags & ALLOC_NOFRAGMENT) !== 0;
    let restart = false;
    mm.requestTracer?.walk(zones, order, migratetype, allocFlags);
    for (let i = 0; i < zones.length; i++) {
      const zone = zones[i]!;
      if (noFragment && numa && !rules.asks_remote_first && zone.node !== zones[0]!.node) {
        mm.requestTracer?.zonePassedOver(zone, 'remote');
        allocFlags &= ~ALLOC_NOFRAGMENT;
        restart = true;
        break;
      }
      if (skipAwake && mm.nodes[zone.node]!.kswapd_awake) {
        skipped = true;
        mm.requestTracer?.zonePassedOver(zone, 'kswapd_awake');
        continue;
      }
      if (!mayTake(mm, zone, gfp, order, highestZone, allocFlags)) continue;
      const pfn = rmqueue(mm, zone, cpu, order, migratetype, allocFlags);
      if (pfn < 0) continue;
      mm.requestTracer?.taken(zone, pfn, order);
      if (allocFlags & ALLOC_HIGHATOMIC) highatomicAfterWalk(mm, zone, cpu, pfn, order);
      return pfn;
    }
    if (restart) continue;
    if (skipAwake && skipped) {
      skipAwake = false;
      continue;
    }
    if (noFragment && !rules.holds_out) {
      allocFlags &= ~ALLOC_NOFRAGMENT;
      continue;
    }
    if (noFragment && mm.spb !== null) {
      const relaxed = relaxAtomic(mm, zones, gfp, order, migratetype, allocFlags);
      if (relaxed === allocFlags) return -1;
      allocFlags = relaxed;
      continue;
    }
    return -1;
  }
}

/** The zone's marks allow the request. Notes on the way that the zone is below its high mark. */
function mayTake(
  mm: PageAllocator,
  zone: Zone,
  gfp: number,
  order: number,
  highestZone: number,
  allocFlags: number,
): boolean {
  if (mm.rules.below_high && (zone.flags & ZONE_BELOW_HIGH) === 0) {
    if (isAbove(mm, zone, WMARK_HIGH, gfp, order, highestZone, allocFlags)) return true;
    zone.flags |= ZONE_BELOW_HIGH;
  }
  return (
    isAbove(mm, zone, allocFlags & ALLOC_WMARK_MASK, gfp, order, highestZone, allocFlags) ||
    (allocFlags & ALLOC_NO_WATERMARKS) !== 0
  );
}

function isAbove(
  mm: PageAllocator,
  zone: Zone,
  mark: number,
  gfp: number,
  order: number,
  highestZone: number,
  allocFlags: number,
): boolean {
  const pages = boostedMark(zone, mark);
  const passed = zoneWatermarkFast(zone, mm.rules, order, pages, highestZone, allocFlags, gfp);
  mm.requestTracer?.zoneMark(zone, order, mark, highestZone, allocFlags, passed);
  return passed;
}
