/**
 * /proc/zoneinfo: sizes, watermarks, counters and per-CPU lists of every zone. model: page-allocator 6.3, 10a.7
 */
import { MAX_NR_ZONES, type ZoneIndex } from '../../../mm/types.js';
import { malformed, nodeNumber, numberedLines, pageCount, zoneIndex } from './snapshot-text.js';

export interface ZoneinfoPageset {
  readonly cpu: number;
  /** pages */
  count: number;
  high: number;
  batch: number;
  /** undefined on kernels without auto-tuned limits (before 6.7) */
  high_min: number | undefined;
  high_max: number | undefined;
  /** pages by which this CPU's part of a counter may differ before it is folded */
  stat_threshold: number | undefined;
}

export interface ZoneinfoZone {
  readonly node: number;
  readonly zone: ZoneIndex;
  /** pages; all counts below are pages */
  free: number;
  boost: number;
  /** the marks include boost */
  min: number;
  low: number;
  high: number;
  /** undefined before 6.2 */
  promo: number | undefined;
  spanned: number;
  present: number;
  managed: number;
  cma: number;
  /** lowmem_reserve by the highest zone of the request */
  protection: readonly number[];
  /** nr_zone_*, numa_* and so on, by name */
  readonly counters: ReadonlyMap<string, number>;
  readonly pagesets: readonly ZoneinfoPageset[];
  /** undefined for unpopulated zones, as everything below */
  start_pfn: number | undefined;
  node_unreclaimable: boolean | undefined;
  /** from 7.2 on */
  reserved_highatomic: number | undefined;
  free_highatomic: number | undefined;
}

export interface Zoneinfo {
  /** in the order of the file, unpopulated zones included */
  readonly zones: readonly ZoneinfoZone[];
  /** counters per node, by name */
  readonly nodes: ReadonlyMap<number, ReadonlyMap<string, number>>;
}

const MAX_CPU = 8191;
/** Pages that move at once to or from a per-CPU list, and that it may hold. */
const MAX_BATCH = 0xffff;
const MAX_LISTED = 0x7fff_ffff;

const SIZES = ['boost', 'min', 'low', 'high', 'promo', 'spanned', 'present', 'managed', 'cma'] as const;
type Size = (typeof SIZES)[number];

function isSize(word: string): word is Size {
  return (SIZES as readonly string[]).includes(word);
}

function emptyZone(node: number, zone: ZoneIndex) {
  return {
    node,
    zone,
    free: 0,
    boost: 0,
    min: 0,
    low: 0,
    high: 0,
    promo: undefined as number | undefined,
    spanned: 0,
    present: 0,
    managed: 0,
    cma: 0,
    protection: [] as number[],
    counters: new Map<string, number>(),
    pagesets: [] as ZoneinfoPageset[],
    start_pfn: undefined as number | undefined,
    node_unreclaimable: undefined as boolean | undefined,
    reserved_highatomic: undefined as number | undefined,
    free_highatomic: undefined as number | undefined,
  };
}

/** @throws InputError */
export function parseZoneinfo(text: string, file: string): Zoneinfo {
  const zones: ReturnType<typeof emptyZone>[] = [];
  const nodes = new Map<number, Map<string, number>>();
  const known = new Set<string>();
  let zone: ReturnType<typeof emptyZone> | undefined;
  let pageset: ZoneinfoPageset | undefined;
  let inNodeStats = false;
  for (const [number, line] of numberedLines(text)) {
    const start = /^Node (\d+), zone\s+(\w+)$/.exec(line);
    if (start !== null) {
      zone = emptyZone(
        nodeNumber(start[1] as string, file, number),
        zoneIndex(start[2] as string, file, number),
      );
      const key = `${zone.node} ${zone.zone}`;
      if (known.has(key)) throw malformed(file, number, line, 'names a zone that stands above');
      known.add(key);
      zones.push(zone);
      pageset = undefined;
      inNodeStats = false;
      continue;
    }
    if (zone === undefined) throw malformed(file, number, line, 'stands before the first zone');
    const words = line.trim();
    if (words === 'per-node stats') {
      inNodeStats = true;
      nodes.set(zone.node, nodes.get(zone.node) ?? new Map());
      continue;
    }
    if (words === 'pagesets') continue;
    const protection = /^protection: \(([\d, ]*)\)$/.exec(words);
    if (protection !== null) {
      const inside = protection[1] as string;
      zone.protection = inside === '' ? [] : inside.split(', ').map((word) => pageCount(word, file, number));
      if (zone.protection.length > MAX_NR_ZONES) throw malformed(file, number, line, 'has too many zones');
      continue;
    }
    const pair = /^(pages free|vm stats threshold|\w+):?\s+(-?\d+)$/.exec(words);
    if (pair === null) throw malformed(file, number, line, 'is not a line of zoneinfo');
    const key = pair[1] as string;
    const value = pageCount(pair[2] as string, file, number);
    const hasColon = words.startsWith(`${key}:`);
    if (key === 'pages free') {
      inNodeStats = false;
      zone.free = value;
    } else if (inNodeStats) {
      nodes.get(zone.node)?.set(key, value);
    } else if (key === 'cpu' && hasColon) {
      if (value < 0 || value > MAX_CPU)
        throw malformed(file, number, line, `is not a CPU from 0 to ${MAX_CPU}`);
      if (pageset !== undefined && value <= pageset.cpu)
        throw malformed(file, number, line, 'names a CPU that stands above');
      pageset = {
        cpu: value,
        count: 0,
        high: 0,
        batch: 0,
        high_min: undefined,
        high_max: undefined,
        stat_threshold: undefined,
      };
      zone.pagesets.push(pageset);
    } else if (key === 'vm stats threshold') {
      if (pageset !== undefined) pageset.stat_threshold = value;
    } else if (hasColon && pageset !== undefined && isPagesetKey(key)) {
      const least = key === 'batch' ? 1 : 0;
      const most = key === 'batch' ? MAX_BATCH : MAX_LISTED;
      if (value < least || value > most)
        throw malformed(file, number, line, `is not from ${least} to ${most}`);
      pageset[key] = value;
    } else if (key === 'node_unreclaimable') {
      zone.node_unreclaimable = value !== 0;
    } else if (key === 'start_pfn' || key === 'reserved_highatomic' || key === 'free_highatomic') {
      zone[key] = value;
    } else if (!hasColon && isSize(key)) {
      zone[key] = value;
    } else {
      zone.counters.set(key, value);
    }
  }
  return { zones, nodes };
}

function isPagesetKey(key: string): key is 'count' | 'high' | 'batch' | 'high_min' | 'high_max' {
  return key === 'count' || key === 'high' || key === 'batch' || key === 'high_min' || key === 'high_max';
}
