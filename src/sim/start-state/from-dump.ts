/** Exact state from a dump of a real kernel's lists: the machine it describes, and the state the model loads. */
import type { MachineSpec } from '../../mm/machine-spec.js';
import type { ExactState, ExactZone } from '../../mm/page-alloc/exact-state.js';
import { ZONE_NAMES, type ZoneIndex } from '../../mm/types.js';
import type { DumpPcp, DumpZone, StateDump } from '../../trace/oracle/oracle-dump.js';

const LOCAL_DISTANCE = 10;
const REMOTE_DISTANCE = 20;

/** A dump names neither distances nor the nodes of CPUs: one far distance, CPUs dealt out in equal shares. */
export function machineFromDump(dump: StateDump): MachineSpec {
  const nr_nodes = Math.max(...dump.zones.map((zone) => zone.node)) + 1;
  return {
    cpu_nodes: Array.from({ length: dump.cpus }, (_, cpu) => Math.trunc((cpu * nr_nodes) / dump.cpus)),
    node_distances: Array.from({ length: nr_nodes }, (_, from) =>
      Array.from({ length: nr_nodes }, (_, to) => (from === to ? LOCAL_DISTANCE : REMOTE_DISTANCE)),
    ),
    zones: dump.zones.map((zone) => ({
      node: zone.node,
      index: zoneIndexOf(zone),
      start_pfn: zone.start_pfn,
      spanned_pages: zone.spanned,
      present_pages: zone.present,
      managed_pages: zone.managed,
    })),
    cpu_cache_bytes: 0,
    thp: true,
  };
}

export function zoneIndexOf(zone: DumpZone): ZoneIndex {
  return ZONE_NAMES.indexOf(zone.name) as ZoneIndex;
}

export function exactFromDump(dump: StateDump): ExactState {
  return { zones: dump.zones.map(exactZone) };
}

function exactZone(zone: DumpZone): ExactZone {
  return {
    node: zone.node,
    index: zoneIndexOf(zone),
    watermark: zone.wmark,
    boost: zone.boost,
    nr_reserved_highatomic: zone.highatomic_reserved,
    nr_free_highatomic: zone.highatomic_free ?? 0,
    lowmem_reserve: zone.lowmem_reserve,
    nr_free_pages: zone.nr_free_pages,
    flags: zone.flags,
    free: zone.free.map(({ order, type, pfns }) => ({ order, migratetype: type, pfns: [...pfns] })),
    first_block_pfn: zone.blocks.first_pfn,
    block_types: zone.blocks.types,
    block_movable: [...zone.movable.blocks].map((block, i) => [block, zone.movable.pages[i]!] as const),
    pcps: zone.pcps.map(exactPcp),
  };
}

function exactPcp(pcp: DumpPcp) {
  return {
    cpu: pcp.cpu,
    count: pcp.count,
    high: pcp.high,
    batch: pcp.batch,
    high_min: pcp.high_min ?? 0,
    high_max: pcp.high_max ?? 0,
    flags: pcp.flags ?? 0,
    alloc_factor: pcp.alloc_factor ?? 0,
    free_count: pcp.free_count ?? 0,
    free_factor: pcp.free_factor ?? 0,
    nr_free_diff: pcp.nr_free_diff,
    stat_threshold: pcp.stat_threshold,
    lists: pcp.lists.map(({ pindex, pfns }) => ({ index: pindex, pfns: [...pfns] })),
  };
}
