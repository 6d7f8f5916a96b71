/**
 * `/proc/zoneinfo`, in the layout of 6.1, 6.18 or 7.2.
 *
 * Counters that the model does not keep are left out; everything else is the kernel's text to the last space.
 * model: page-allocator 6.3, 10a.7
 */
import { MAX_NR_ZONES, MIGRATETYPE_NAMES, Migratetype, PAGEBLOCK_ORDER, ZONE_NAMES } from '../mm/types.js';
import { inKernelOrder, nodeCounterNames, zoneCounterNames } from './kernel-counters.js';
import { left, right } from './printf.js';
import type { ResultPcp, ResultZone, RunResult } from './run-result.js';

type TextLayout = RunResult['policy']['text_layout'];

/** From 6.16 on an empty Movable zone still has the least marks a Movable zone can have. model: page-allocator 2.4 */
const EMPTY_MOVABLE_MARK = 32;

function counterLine(name: string, value: number): string {
  return `      ${left(name, 12)} ${value}\n`;
}

function markLine(label: string, value: number): string {
  return `        ${left(label, 9)}${value}\n`;
}

interface ZonePages {
  readonly free: number;
  readonly marks: ResultZone['watermarks'];
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  readonly cma: number;
  readonly reserve: readonly number[];
}

function pagesText(zone: ZonePages, layout: TextLayout): string {
  const { boost, min, low, high, promo } = zone.marks;
  let text = `  pages free     ${zone.free}\n${markLine('boost', boost)}`;
  // Readers of a mark always see it with the boost, and so does this file.
  text += markLine('min', min + boost) + markLine('low', low + boost) + markLine('high', high + boost);
  if (layout !== '6.1') text += markLine('promo', promo + boost);
  text +=
    markLine('spanned', zone.spanned) + markLine('present', zone.present) + markLine('managed', zone.managed);
  return `${text}${markLine('cma', zone.cma)}        protection: (${zone.reserve.join(', ')})\n`;
}

/** Free pages in chunks of a whole pageblock or more, isolated blocks aside. */
function freePagesInBlocks(zone: ResultZone, migratetypes: readonly string[]): number {
  const isolate = migratetypes.indexOf(MIGRATETYPE_NAMES[Migratetype.isolate]!);
  let pages = 0;
  for (const [row, counts] of zone.pagetype.entries()) {
    if (row === isolate) continue;
    for (let order = PAGEBLOCK_ORDER; order < counts.length; order++) pages += counts[order]! * 2 ** order;
  }
  return pages;
}

function pagesetText(pcp: ResultPcp, threshold: number, layout: TextLayout): string {
  // 6.1 has the values one column further left, so its labels are padded to 7 and not to 10.
  const width = layout === '6.1' ? 7 : 10;
  const line = (label: string, value: number) => `              ${left(label, width)}${value}\n`;
  let text = `    cpu: ${pcp.cpu}\n${line('count: ', pcp.count)}${line('high: ', pcp.high)}${line('batch: ', pcp.batch)}`;
  if (layout !== '6.1') text += line('high_min: ', pcp.high_min) + line('high_max: ', pcp.high_max);
  return `${text}  vm stats threshold: ${threshold}\n`;
}

function populatedZoneText(zone: ResultZone, result: RunResult, unreclaimable: boolean): string {
  const layout = result.policy.text_layout;
  const counters: Record<string, number> = {
    nr_free_pages: zone.free_pages,
    nr_free_cma: 0,
    ...(layout === '6.1' ? {} : { nr_free_pages_blocks: freePagesInBlocks(zone, result.migratetypes) }),
    ...zone.counters,
  };
  let text = pagesText(
    {
      free: zone.free_pages,
      marks: zone.watermarks,
      spanned: zone.spanned_pages,
      present: zone.present_pages,
      managed: zone.managed_pages,
      cma: zone.cma_pages,
      reserve: zone.lowmem_reserve,
    },
    layout,
  );
  for (const [name, value] of inKernelOrder(counters, zoneCounterNames(layout)))
    text += counterLine(name, value);
  text += '  pagesets\n';
  for (const pcp of zone.pcp) text += pagesetText(pcp, zone.stat_threshold, layout);
  text += `  node_unreclaimable:  ${unreclaimable ? 1 : 0}\n  start_pfn:           ${zone.start_pfn}\n`;
  if (layout !== '7.2') return text;
  return `${text}  reserved_highatomic: ${zone.reserved_highatomic_pages}\n  free_highatomic:     ${zone.free_highatomic_pages}\n`;
}

function emptyZoneText(name: string, kinds: number, layout: TextLayout): string {
  const mark = name === 'Movable' && layout !== '6.1' ? EMPTY_MOVABLE_MARK : 0;
  return pagesText(
    {
      free: 0,
      marks: { min: mark, low: mark, high: mark, promo: mark, boost: 0 },
      spanned: 0,
      present: 0,
      managed: 0,
      cma: 0,
      reserve: Array.from({ length: kinds }, () => 0),
    },
    layout,
  );
}

/** `/proc/zoneinfo`: every zone of every node, populated or not. */
export function renderZoneinfo(result: RunResult): string {
  const layout = result.policy.text_layout;
  // A kernel without device memory has one kind of zone less; the reserve has a number for each kind.
  const kinds = result.zones[0]?.lowmem_reserve.length ?? MAX_NR_ZONES;
  let text = '';
  for (const node of new Set(result.zones.map((zone) => zone.node))) {
    const stats = result.nodes.find((candidate) => candidate.node === node);
    let first = true;
    for (const name of ZONE_NAMES.slice(0, kinds)) {
      const zone = result.zones.find((candidate) => candidate.node === node && candidate.name === name);
      text += `Node ${node}, zone ${right(name, 8)}\n`;
      if (zone === undefined) {
        text += emptyZoneText(name, kinds, layout);
        continue;
      }
      if (first) {
        text += '  per-node stats\n';
        for (const [counter, value] of inKernelOrder(stats?.counters ?? {}, nodeCounterNames(layout))) {
          text += counterLine(counter, value);
        }
        first = false;
      }
      text += populatedZoneText(zone, result, stats?.unreclaimable ?? false);
    }
  }
  return text;
}
