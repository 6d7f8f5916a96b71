/**
 * One pass of reclaim over one node at one priority: a share of each list is looked at, cold end first, in rounds of
 * 32 pages; what can be reclaimed is freed, the rest goes to the hot end. Slab caches follow at the same priority.
 *
 * Simplified: pages are clean and unreferenced, but for the share that reclaim.reclaimable_percent says can not go
 * (dirty, pinned, locked); which pages those are depends on their PFN alone, so that a repeated look finds the same.
 * model: gfp C11, C12
 */
import { GFP_IO_BIT } from '../gfp.js';
import { type Folio, releaseFolios } from '../page-alloc/free-batch.js';
import { isBalanced } from '../page-alloc/kswapd-wake.js';
import type { NodeState, PageAllocator } from '../page-alloc/page-allocator.js';
import { boostedMark, zoneWatermarkOk } from '../page-alloc/watermark.js';
import { WMARK_MIN, type Zone } from '../page-alloc/zone.js';
import { PAGE_ALLOC_COSTLY_ORDER, SWAP_CLUSTER_MAX } from '../types.js';
import { compactGap, compactionSuitable } from './compaction-suitable.js';
import { LRU_ANON, LRU_FILE } from './lru.js';

/** A pass looks at one page in 2^12 first and at all of them last. */
export const DEF_PRIORITY = 12;
/** weights of file and anonymous pages add up to this */
const SWAPPINESS_SUM = 200;

/** One reclaim effort; several passes share it. */
export interface ReclaimControl {
  readonly actor: 'kswapd' | 'direct';
  readonly cpu: number;
  readonly gfp: number;
  /** order that the effort is for; kswapd lowers it */
  order: number;
  readonly highestZone: number;
  priority: number;
  may_swap: boolean;
  nr_to_reclaim: number;
  nr_reclaimed: number;
  nr_scanned: number;
}

/** Pages that reclaim could try for, as retry decisions estimate them. */
export function reclaimablePages(mm: PageAllocator, zone: Zone): number {
  if (mm.lru === null) return 0;
  return mm.lru.filePages(zone) + (mm.policy['reclaim.swap'] ? mm.lru.anonPages(zone) : 0);
}

/** @returns whether anything was reclaimed */
export function shrinkNode(mm: PageAllocator, node: NodeState, control: ReclaimControl): boolean {
  const before = control.nr_reclaimed;
  let round: number;
  do {
    round = control.nr_reclaimed;
    shrinkLists(mm, node, control);
    control.nr_reclaimed += shrinkSlabs(mm, node, control);
  } while (goesOnForCompaction(mm, node, control, control.nr_reclaimed - round));
  const progress = control.nr_reclaimed > before;
  if (
    progress &&
    (mm.policy['reclaim.failure_reset'] === 'progress' ||
      isBalanced(mm, node, control.order, control.highestZone))
  )
    node.kswapd_failures = 0;
  return progress;
}

/** Slab caches of the node, cgroup by cgroup. @returns pages that came free */
function shrinkSlabs({ shrinkers }: PageAllocator, node: NodeState, control: ReclaimControl): number {
  if (shrinkers === null) return 0;
  const before = shrinkers.freed_pages;
  for (let memcg = 0; memcg < shrinkers.nr_memcgs; memcg++)
    shrinkers.shrinkSlab(control.gfp, node.node, memcg, control.priority);
  return shrinkers.freed_pages - before;
}

function shrinkLists(mm: PageAllocator, node: NodeState, control: ReclaimControl): void {
  if (mm.lru === null) return;
  const zones = node.zones.filter((zone) => zone.index <= control.highestZone).reverse();
  const mayTakeAnon = mm.policy['reclaim.swap'] && control.may_swap && (control.gfp & GFP_IO_BIT) !== 0;
  const swappiness = mayTakeAnon ? mm.policy['reclaim.swappiness'] : 0;
  const quotas = [...quotasOf(mm, zones, LRU_FILE, control.priority, SWAPPINESS_SUM - swappiness)];
  if (swappiness > 0) quotas.push(...quotasOf(mm, zones, LRU_ANON, control.priority, swappiness));
  // A direct reclaimer's first look is at all lists alike; everyone else stops when there is enough.
  const whole = control.actor === 'direct' && control.priority === DEF_PRIORITY;
  for (let left = true; left; ) {
    left = false;
    for (const quota of quotas) {
      if (quota.pages <= 0) continue;
      quota.pages -= shrinkChunk(
        mm,
        quota.zone,
        quota.kind,
        Math.min(quota.pages, SWAP_CLUSTER_MAX),
        control,
      );
      left ||= quota.pages > 0;
    }
    if (control.nr_reclaimed >= control.nr_to_reclaim && !whole) return;
  }
}

interface Quota {
  readonly zone: Zone;
  readonly kind: number;
  /** pages still to look at */
  pages: number;
}

/** Shares of the pages that a pass looks at, by zone; what division loses goes to the highest zone. */
function quotasOf(
  mm: PageAllocator,
  zones: readonly Zone[],
  kind: number,
  priority: number,
  weight: number,
): Quota[] {
  const sizes = zones.map((zone) => mm.lru!.pagesOf(zone, kind));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const wanted = Math.trunc((Math.floor(total / 2 ** priority) * weight) / SWAPPINESS_SUM);
  const shares = sizes.map((size) => (total === 0 ? 0 : Math.floor((wanted * size) / total)));
  let lost = wanted - shares.reduce((sum, share) => sum + share, 0);
  return zones.map((zone, index) => {
    const extra = Math.min(lost, sizes[index]! - shares[index]!);
    lost -= extra;
    return { zone, kind, pages: shares[index]! + extra };
  });
}

/** Looks at up to `pages` pages of one list. @returns how many it looked at, or `pages` where the list has no more */
function shrinkChunk(
  mm: PageAllocator,
  zone: Zone,
  kind: number,
  pages: number,
  control: ReclaimControl,
): number {
  const lru = mm.lru!;
  const folios: Folio[] = [];
  let scanned = 0;
  let reclaimed = 0;
  while (scanned < pages) {
    const pfn = lru.coldest(zone, kind);
    if (pfn < 0) break;
    const order = lru.orderOf(pfn);
    scanned += 1 << order;
    if (!canReclaim(mm, pfn)) {
      lru.touch(zone, pfn, order);
      mm.events.pgrotated += 1 << order;
      continue;
    }
    lru.remove(zone, pfn, order);
    reclaimed += 1 << order;
    folios.push({ pfn, order });
  }
  for (const { pfn, order } of folios) mm.onReclaim?.(pfn, order);
  releaseFolios(mm, control.cpu, folios);
  control.nr_scanned += scanned;
  control.nr_reclaimed += reclaimed;
  countReclaim(mm, control.actor, kind, scanned, reclaimed);
  return Math.max(scanned, pages);
}

/** Spreads PFNs evenly over 0..99, the same way every time. */
export function canReclaim(mm: PageAllocator, pfn: number): boolean {
  const percent = mm.policy['reclaim.reclaimable_percent'];
  return percent === 100 || (Math.imul(pfn, 0x9e37_79b1) >>> 0) % 100 < percent;
}

function countReclaim(
  mm: PageAllocator,
  actor: 'kswapd' | 'direct',
  kind: number,
  scanned: number,
  reclaimed: number,
): void {
  const list = kind === LRU_ANON ? 'anon' : 'file';
  mm.events[`pgscan_${actor}`] += scanned;
  mm.events[`pgscan_${list}`] += scanned;
  mm.events[`pgsteal_${actor}`] += reclaimed;
  mm.events[`pgsteal_${list}`] += reclaimed;
  const cost = reclaimed * mm.policy['reclaim.page_cost_ns'];
  if (actor === 'kswapd') mm.events.spbsim_kswapd_ns += cost;
  else mm.events.spbsim_direct_reclaim_ns += cost;
}

/**
 * Reclaim that makes room for a compaction goes on at the same priority while it succeeds, until compaction could
 * start or what is left is too little for it.
 */
function goesOnForCompaction(
  mm: PageAllocator,
  node: NodeState,
  control: ReclaimControl,
  reclaimed: number,
): boolean {
  const { order, highestZone } = control;
  if (!mm.policy['compaction.enabled'] || order === 0 || reclaimed === 0) return false;
  if (order <= PAGE_ALLOC_COSTLY_ORDER && control.priority >= DEF_PRIORITY - 2) return false;
  let left = 0;
  for (const zone of node.zones) {
    left += reclaimablePages(mm, zone);
    if (zone.index > highestZone || zone.managed_pages === 0) continue;
    const min = boostedMark(zone, WMARK_MIN);
    if (zoneWatermarkOk(zone, mm.rules, order, min, highestZone, 0)) return false;
    if (compactionSuitable(mm, zone, order, min, highestZone)) return false;
  }
  return left > compactGap(mm, order);
}
