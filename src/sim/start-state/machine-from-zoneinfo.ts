/**
 * A machine as a recording's zoneinfo shows it: zones, CPUs and nodes, and the sizes that the kernel had derived.
 * model: page-allocator 2.4 (lag), 8.17
 */
import type { MachineSpec } from '../../mm/machine-spec.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import type { Zoneinfo, ZoneinfoZone } from '../../trace/recording/snapshot/zoneinfo.js';

const LOCAL_DISTANCE = 10;
const REMOTE_DISTANCE = 20;

/**
 * zoneinfo names no CPU's node and no distance: with several nodes, CPUs are dealt to the nodes in equal contiguous
 * shares and all nodes are equally far apart.
 *
 * @param cpu_cache_bytes not in zoneinfo either
 */
export function machineFromZoneinfo(zoneinfo: Zoneinfo, cpu_cache_bytes: number): MachineSpec {
  const populated = zoneinfo.zones.filter((zone) => zone.managed > 0 && zone.start_pfn !== undefined);
  const nr_nodes = Math.max(...populated.map((zone) => zone.node)) + 1;
  const nr_cpus = Math.max(1, ...populated.map((zone) => zone.pagesets.length));
  return {
    cpu_nodes: Array.from({ length: nr_cpus }, (_, cpu) => Math.trunc((cpu * nr_nodes) / nr_cpus)),
    node_distances: Array.from({ length: nr_nodes }, (_, from) =>
      Array.from({ length: nr_nodes }, (_, to) => (from === to ? LOCAL_DISTANCE : REMOTE_DISTANCE)),
    ),
    zones: populated.map((zone) => ({
      node: zone.node,
      index: zone.zone,
      start_pfn: zone.start_pfn!,
      spanned_pages: zone.spanned,
      present_pages: zone.present,
      managed_pages: zone.managed,
    })),
    cpu_cache_bytes,
    thp: true,
  };
}

export function zoneinfoOf(zoneinfo: Zoneinfo, zone: Zone): ZoneinfoZone | undefined {
  return zoneinfo.zones.find((candidate) => candidate.node === zone.node && candidate.zone === zone.index);
}

/** Takes marks, reserves and per-CPU limits as recorded: the kernel derived them from an older `managed`. */
export function applyZoneinfo(mm: PageAllocator, zoneinfo: Zoneinfo): void {
  for (const zone of mm.zones) {
    const from = zoneinfoOf(zoneinfo, zone);
    if (from === undefined) continue;
    const marks = [from.min, from.low, from.high, from.promo ?? from.high + (from.high - from.low)];
    zone.watermark.set(marks.map((mark) => mark - from.boost));
    zone.watermark_boost = from.boost;
    zone.lowmem_reserve.set(from.protection.slice(0, zone.lowmem_reserve.length));
    zone.nr_reserved_highatomic = from.reserved_highatomic ?? 0;
    for (const pageset of from.pagesets) {
      const pcp = zone.pcps[pageset.cpu];
      if (pcp === undefined) continue;
      pcp.high = pageset.high;
      pcp.batch = pageset.batch;
      pcp.high_min = pageset.high_min ?? pageset.high;
      pcp.high_max = pageset.high_max ?? pageset.high;
      if (pageset.stat_threshold !== undefined) zone.stat_threshold = pageset.stat_threshold;
    }
  }
}
