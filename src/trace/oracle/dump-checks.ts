/**
 * What a state dump cannot say, whoever wrote it: the model that takes it over trusts it from then on.
 *
 * Lists that hold a page twice, pages outside of their zone or a per-CPU count that its lists do not add up to would
 * make the model walk in circles, and a machine of a million CPUs would take all memory before a page is looked at.
 */
import { pcpListOrder } from '../../mm/page-alloc/per-cpu-pages.js';
import { MAX_NR_ZONES, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES, ZONE_NAMES } from '../../mm/types.js';
import type { DumpList, DumpPcp, DumpZone, StateDump } from './oracle-dump.js';

export const MAX_CPUS = 8192;
const MAX_NODE = 1023;
/** PFNs have 32 bits, and the last one means "none". */
const MAX_END_PFN = 0xffff_ffff;
/** Pages of a per-CPU list that move at once, the doublings of that, and how many may stand there. */
const MAX_BATCH = 0xffff;
const MAX_FACTOR = 14;
const MAX_HIGH = 0x7fff_ffff;
/** Longest piece of a value that is looked at to show it. */
const SHOWN_CHARACTERS = 100;

/** A line that does not fit; the reader adds file and line number. */
export class DumpProblem extends Error {
  constructor(
    readonly field: string,
    readonly expectation: string,
    readonly value?: string,
  ) {
    super(`${field} ${expectation}`);
  }
}

/** Any value of JSON as an error quotes it. `String()` runs what the value calls its toString, or fails. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value;
  return (JSON.stringify(value) ?? 'nothing').slice(0, SHOWN_CHARACTERS);
}

type ZoneSizes = Pick<
  DumpZone,
  'zone' | 'name' | 'node' | 'spanned' | 'present' | 'managed' | 'lowmem_reserve'
>;

/** @throws DumpProblem */
export function checkZone(zone: ZoneSizes, start: number, before: readonly ZoneSizes[]): void {
  if (before.some((other) => other.zone === zone.zone))
    throw new DumpProblem('zone', 'stands twice in a dump', String(zone.zone));
  if (!ZONE_NAMES.includes(zone.name))
    throw new DumpProblem(
      'zone.name',
      `is not a zone of a modelled machine (${ZONE_NAMES.join(', ')})`,
      zone.name,
    );
  if (before.some((other) => other.node === zone.node && other.name === zone.name))
    throw new DumpProblem('zone.name', `stands twice for node ${zone.node}`, zone.name);
  if (zone.node > MAX_NODE)
    throw new DumpProblem('zone.node', `is not a node from 0 to ${MAX_NODE}`, String(zone.node));
  if (start + zone.spanned > MAX_END_PFN)
    throw new DumpProblem('zone.spanned', 'ends above the largest PFN (32 bits)', String(zone.spanned));
  if (zone.present > zone.spanned)
    throw new DumpProblem('zone.present', 'is more than spanned', String(zone.present));
  if (zone.managed > zone.present)
    throw new DumpProblem('zone.managed', 'is more than present', String(zone.managed));
  if (zone.lowmem_reserve.length > MAX_NR_ZONES)
    throw new DumpProblem('zone.lowmem_reserve', `has more than ${MAX_NR_ZONES} entries`);
}

interface PcpSizes extends Pick<DumpPcp, 'cpu' | 'batch' | 'high'> {
  readonly free_factor?: number | undefined;
  readonly alloc_factor?: number | undefined;
}

/** @throws DumpProblem */
export function checkPcp(pcp: PcpSizes, cpus: number, before: readonly Pick<DumpPcp, 'cpu'>[]): void {
  const { cpu, batch, high, free_factor = 0, alloc_factor = 0 } = pcp;
  if (batch < 1 || batch > MAX_BATCH)
    throw new DumpProblem('pcp.batch', `is not a batch from 1 to ${MAX_BATCH}`, String(batch));
  if (high > MAX_HIGH) throw new DumpProblem('pcp.high', `is more than ${MAX_HIGH}`, String(high));
  const factor = Math.max(free_factor, alloc_factor);
  if (factor > MAX_FACTOR)
    throw new DumpProblem('pcp', `has a factor of more than ${MAX_FACTOR}`, String(factor));
  if (cpu >= cpus) throw new DumpProblem('pcp.cpu', `is not one of the dump's ${cpus} CPUs`, String(cpu));
  if (before.some((other) => other.cpu === cpu))
    throw new DumpProblem('pcp.cpu', 'stands twice for this zone', String(cpu));
}

/** @throws DumpProblem */
export function checkPcpList(
  pindex: number,
  order: number,
  before: readonly { readonly pindex: number }[],
): void {
  if (order !== pcpListOrder(pindex))
    throw new DumpProblem('pcplist.order', `is not the order of list ${pindex}`, String(order));
  if (before.some((other) => other.pindex === pindex))
    throw new DumpProblem('pcplist.pindex', 'stands twice for this CPU', String(pindex));
}

/** What only shows when all lines of a dump are there. @throws DumpProblem */
export function checkDump({ zones }: Pick<StateDump, 'zones'>): void {
  for (const zone of zones) {
    checkBlocks(zone);
    for (const pcp of zone.pcps) checkCount(pcp);
  }
  checkDisjoint(zones);
}

function checkBlocks({ zone, start_pfn, spanned, blocks, movable }: DumpZone): void {
  const { first_pfn, pageblock_order, types } = blocks;
  if (types.length > 0 && pageblock_order !== PAGEBLOCK_ORDER)
    throw new DumpProblem('pageblocks.pageblock_order', `is not ${PAGEBLOCK_ORDER}`, String(pageblock_order));
  const first = Math.floor(first_pfn / PAGEBLOCK_PAGES);
  const isInside =
    first >= Math.floor(start_pfn / PAGEBLOCK_PAGES) &&
    first + types.length <= Math.ceil((start_pfn + spanned) / PAGEBLOCK_PAGES);
  if (types.length > 0 && !isInside)
    throw new DumpProblem(
      'pageblocks.first_pfn',
      `is not where zone ${zone} has its blocks`,
      String(first_pfn),
    );
  for (let i = 0; i < movable.blocks.length; i++) {
    const block = movable.blocks[i] as number;
    const pages = movable.pages[i] as number;
    if (block >= types.length)
      throw new DumpProblem(
        'blockmovable.counts',
        `names a block that zone ${zone} does not have`,
        String(block),
      );
    if (pages > PAGEBLOCK_PAGES)
      throw new DumpProblem('blockmovable.counts', 'has more pages than a block', String(pages));
  }
}

function checkCount({ cpu, count, lists }: DumpPcp): void {
  const listed = lists.reduce((sum, { order, pfns }) => sum + pfns.length * 2 ** order, 0);
  if (listed !== count)
    throw new DumpProblem(
      'pcp.count',
      `of CPU ${cpu} is not what its lists hold, ${listed} pages`,
      String(count),
    );
}

/** Every list's chunks lie in their zone, are aligned, and share no page with another. */
function checkDisjoint(zones: readonly DumpZone[]): void {
  const lists: DumpList[] = [];
  let chunks = 0;
  const take = (list: DumpList, zone: DumpZone) => {
    const size = 2 ** list.order;
    const end = zone.start_pfn + zone.spanned;
    for (const pfn of list.pfns)
      if (pfn % size !== 0 || pfn < zone.start_pfn || pfn + size > end)
        throw new DumpProblem(
          'pfns',
          `holds what is no chunk of order ${list.order} in zone ${zone.zone}`,
          String(pfn),
        );
    lists.push(list);
    chunks += list.pfns.length;
  };
  for (const zone of zones) {
    for (const list of zone.free) take(list, zone);
    for (const pcp of zone.pcps) for (const list of pcp.lists) take(list, zone);
  }
  // Start and order in one number, which sorts by start.
  const sorted = new Float64Array(chunks);
  let at = 0;
  for (const { order, pfns } of lists) for (const pfn of pfns) sorted[at++] = pfn * 16 + order;
  sorted.sort();
  let end = 0;
  for (const chunk of sorted) {
    const pfn = Math.floor(chunk / 16);
    if (pfn < end) throw new DumpProblem('pfns', 'holds a page that stands on a list already', String(pfn));
    end = pfn + 2 ** (chunk % 16);
  }
}
