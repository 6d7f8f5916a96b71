/**
 * When kswapd is woken. What it then does is reclaim's business.
 * model: page-allocator 4.9 (wake), 2.7; gfp C10
 */
import { GFP_DIRECT_RECLAIM_BIT } from '../gfp.js';
import { MAX_RECLAIM_RETRIES } from '../types.js';
import type { NodeState, PageAllocator } from './page-allocator.js';
import { boostedMark, zoneWatermarkOk } from './watermark.js';
import { WMARK_HIGH, type Zone } from './zone.js';

/** Some zone up to `highestZone` passes the full test at its (boosted) high mark. */
export function isBalanced(mm: PageAllocator, node: NodeState, order: number, highestZone: number): boolean {
  let managed = false;
  for (const zone of node.zones) {
    if (zone.index > highestZone || zone.managed_pages === 0) continue;
    managed = true;
    if (zoneWatermarkOk(zone, mm.rules, order, boostedMark(zone, WMARK_HIGH), highestZone, 0)) return true;
  }
  return !managed;
}

function isBoosted(node: NodeState, highestZone: number): boolean {
  return node.zones.some(
    (zone) => zone.index <= highestZone && zone.managed_pages > 0 && zone.watermark_boost > 0,
  );
}

export function wakeKswapdOf(
  mm: PageAllocator,
  node: NodeState,
  gfp: number,
  order: number,
  highestZone: number,
): void {
  node.kswapd_order = Math.max(node.kswapd_order, order);
  node.kswapd_highest_zone = Math.max(node.kswapd_highest_zone, highestZone);
  if (node.kswapd_awake) return;
  if (
    node.kswapd_failures >= MAX_RECLAIM_RETRIES ||
    (isBalanced(mm, node, order, highestZone) && !isBoosted(node, highestZone))
  ) {
    if ((gfp & GFP_DIRECT_RECLAIM_BIT) === 0) mm.background?.wakeKcompactd(node, order, highestZone);
    return;
  }
  node.kswapd_awake = true;
  mm.background?.wakeKswapd(node);
}

/** Wakes the kswapd of every node that a zonelist names, once each. */
export function wakeAllKswapds(
  mm: PageAllocator,
  zones: readonly Zone[],
  gfp: number,
  order: number,
  highestZone: number,
): void {
  let last = -1;
  for (const zone of zones) {
    if (zone.node === last || zone.managed_pages === 0) continue;
    last = zone.node;
    wakeKswapdOf(mm, mm.nodes[zone.node]!, gfp, order, highestZone);
  }
}
