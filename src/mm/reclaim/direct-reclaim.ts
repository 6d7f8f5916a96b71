/**
 * Reclaim by the request that needs the pages.
 *
 * Simplified: without memory cgroups and an active list the kernel's repeated passes (over protected groups, over
 * active pages) have nothing to add, so there is one; and nobody is throttled.
 * model: gfp C11; page-allocator 4.9 step 6
 */
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { boostedMark, zoneWatermarkOk } from '../page-alloc/watermark.js';
import { WMARK_HIGH, WMARK_MIN, type Zone } from '../page-alloc/zone.js';
import { PAGE_ALLOC_COSTLY_ORDER, SWAP_CLUSTER_MAX, type ZoneIndex } from '../types.js';
import { allocstallName } from '../vmstat.js';
import { compactGap, compactionSuitable } from './compaction-suitable.js';
import { DEF_PRIORITY, type ReclaimControl, shrinkNode } from './shrink-node.js';

/**
 * Tries to free 32 pages of the nodes of a zonelist.
 *
 * @param order what is to be made room for
 * @returns pages reclaimed; 1 where there is room for a compaction already, so that nobody is killed for it
 */
export function tryToFreePages(
  mm: PageAllocator,
  zones: readonly Zone[],
  cpu: number,
  gfp: number,
  order: number,
  highestZone: number,
): number {
  if (!mm.reclaims && mm.shrinkers === null) return 0;
  mm.events[allocstallName(highestZone as ZoneIndex)]++;
  const control: ReclaimControl = {
    actor: 'direct',
    cpu,
    gfp,
    order,
    highestZone,
    priority: DEF_PRIORITY,
    may_swap: true,
    nr_to_reclaim: SWAP_CLUSTER_MAX,
    nr_reclaimed: 0,
    nr_scanned: 0,
  };
  let roomToCompact = false;
  for (; control.priority >= 0; control.priority--) {
    roomToCompact = shrinkZones(mm, zones, control) || roomToCompact;
    if (control.nr_reclaimed >= control.nr_to_reclaim || roomToCompact) break;
  }
  return control.nr_reclaimed > 0 ? control.nr_reclaimed : roomToCompact ? 1 : 0;
}

/** Each node once. @returns whether a zone has room for a costly compaction, which then comes first */
function shrinkZones(mm: PageAllocator, zones: readonly Zone[], control: ReclaimControl): boolean {
  let roomToCompact = false;
  let last = -1;
  for (const zone of zones) {
    if (control.order > PAGE_ALLOC_COSTLY_ORDER && mm.policy['compaction.enabled']) {
      if (isReadyToCompact(mm, zone, control.order, control.highestZone)) {
        roomToCompact = true;
        continue;
      }
    }
    if (zone.node === last) continue;
    last = zone.node;
    shrinkNode(mm, mm.nodes[zone.node]!, control);
  }
  return roomToCompact;
}

function isReadyToCompact(mm: PageAllocator, zone: Zone, order: number, highestZone: number): boolean {
  const { rules } = mm;
  const min = boostedMark(zone, WMARK_MIN);
  if (zoneWatermarkOk(zone, rules, order, min, highestZone, 0)) return true;
  const high = boostedMark(zone, WMARK_HIGH);
  if (mm.policy['compaction.suitable'] === 'low_minus_min')
    return compactionSuitable(mm, zone, order, high, highestZone);
  return (
    compactionSuitable(mm, zone, order, min, highestZone) &&
    zoneWatermarkOk(zone, rules, 0, high + compactGap(mm, order), highestZone, 0)
  );
}
