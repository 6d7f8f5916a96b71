/**
 * When kswapd is woken. What it then does is reclaim's business.
 * model: page-allocator 4.9 (wake), 2.7; gfp C10
 */
import { GFP_DIRECT_RECLAIM_BIT } from '../gfp.js';
import { wakeKcompactd } from '../reclaim/kcompactd.js';
import { MAX_RECLAIM_RETRIES, PAGEBLOCK_ORDER } from '../types.js';
import { freePagesInBlocks } from '../vmstat.js';
import type { NodeState, PageAllocator } from './page-allocator.js';
import { boostedMark, zoneWatermarkOk } from './watermark.js';
import { WMARK_HIGH, type Zone } from './zone.js';

/**
 * Some zone up to `highestZone` passes the full test at its (boosted) high mark. In defrag_mode a higher order is
 * balanced only when whole free pageblocks reach the mark.
 */
export function isBalanced(mm: PageAllocator, node: NodeState, order: number, highestZone: number): boolean {
  let managed = false;
  for (const zone of node.zones) {
    if (zone.index > highestZone || zone.managed_pages === 0) continue;
    managed = true;
    const free = mm.rules.defrag_mode && order > 0 ? freePagesInBlocks(zone) : zone.folded_free_pages;
    const high = boostedMark(zone, WMARK_HIGH);
    if (zoneWatermarkOk(zone, mm.rules, order, high, highestZone, 0, free)) return true;
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
    if ((gfp & GFP_DIRECT_RECLAIM_BIT) === 0) wakeKcompactd(mm, node, order, highestZone);
    return;
  }
  if (node.kswapd_nap_order >= 0) {
    mm.events.kswapd_low_wmark_hit_quickly++;
    node.kswapd_order = Math.max(node.kswapd_order, node.kswapd_nap_order);
    node.kswapd_nap_order = -1;
  }
  node.kswapd_awake = true;
  mm.background?.wakeKswapd(node);
}

/** Wakes the kswapd of every node that a zonelist names, once each; in defrag_mode for whole pageblocks. */
export function wakeAllKswapds(
  mm: PageAllocator,
  zones: readonly Zone[],
  gfp: number,
  order: number,
  highestZone: number,
): void {
  const wanted = mm.rules.defrag_mode ? Math.max(order, PAGEBLOCK_ORDER) : order;
  let last = -1;
  for (const zone of zones) {
    if (zone.node === last || zone.managed_pages === 0) continue;
    last = zone.node;
    wakeKswapdOf(mm, mm.nodes[zone.node]!, gfp, wanted, highestZone);
  }
}
