/** Machines for the tests of what is derived from zone sizes and of what works on ranges of PFNs. */

import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import type { Policy } from '../../../src/mm/policy.js';
import { MIGRATE_TYPES, NR_PAGE_ORDERS, ZoneIndex } from '../../../src/mm/types.js';
import { type PolicyName, policyNamed } from '../policies.js';

/** First page of the zone in most tests. */
export const BASE = 0x10_0000;
const LETTERS = 'UMRHCI';

export interface ZonePlan {
  readonly node?: number;
  readonly index: ZoneIndex;
  readonly start: number;
  readonly spanned: number;
  /** default: spanned */
  readonly present?: number;
  /** default: present */
  readonly managed?: number;
}

export interface MachineOptions {
  readonly knobs?: Partial<Policy>;
  /** node of each CPU */
  readonly cpu_nodes?: readonly number[];
  readonly distances?: readonly (readonly number[])[];
  readonly cache_bytes?: number;
  readonly thp?: boolean;
  readonly max_pfn?: number;
}

/** A machine whose memory has not been released yet. */
export function machine(
  policy: PolicyName,
  zones: readonly ZonePlan[],
  options: MachineOptions = {},
): PageAllocator {
  const nodes = 1 + Math.max(...zones.map((zone) => zone.node ?? 0));
  const distances = Array.from({ length: nodes }, (_, from) =>
    Array.from({ length: nodes }, (_unused, to) => (from === to ? 10 : 20)),
  );
  return new PageAllocator(
    {
      cpu_nodes: options.cpu_nodes ?? [0],
      node_distances: options.distances ?? distances,
      zones: zones.map(({ node = 0, index, start, spanned, present = spanned, managed = present }) => ({
        node,
        index,
        start_pfn: start,
        spanned_pages: spanned,
        present_pages: present,
        managed_pages: managed,
      })),
      cpu_cache_bytes: options.cache_bytes ?? 0,
      thp: options.thp ?? true,
      ...(options.max_pfn === undefined ? {} : { max_pfn: options.max_pfn }),
    },
    policyNamed(policy, options.knobs),
  );
}

export function booted(
  policy: PolicyName,
  zones: readonly ZonePlan[],
  options: MachineOptions = {},
): PageAllocator {
  const mm = machine(policy, zones, options);
  bootFresh(mm);
  return mm;
}

/** One booted zone Normal of whole pageblocks from BASE on. */
export function blockMachine(
  policy: PolicyName,
  blocks: number,
  options: MachineOptions = {},
): { mm: PageAllocator; zone: Zone } {
  const plan = { index: ZoneIndex.normal, start: BASE, spanned: blocks * 512 };
  const mm = booted(policy, [plan], { ...options, knobs: { 'mobility.grouping': 'on', ...options.knobs } });
  return { mm, zone: mm.zones[0]! };
}

/** Lets every request and every free go straight to the buddy lists, and every request pass the watermarks. */
export function makeDirect(zone: Zone): void {
  zone.watermark.fill(0);
  for (const pcp of zone.pcps) Object.assign(pcp, { high: 0, high_min: 0, high_max: 0, batch: 1 });
}

/** Non-empty free lists as text, PFNs relative to BASE. */
export function freeLists(zone: Zone): Record<string, string> {
  const lists: Record<string, string> = {};
  for (let order = 0; order < NR_PAGE_ORDERS; order++)
    for (let type = 0; type < MIGRATE_TYPES; type++) {
      const pfns = zone.listPfns(order, type);
      if (pfns.length > 0) lists[`o${order} ${LETTERS[type]}`] = pfns.map(relative).join(' ');
    }
  return lists;
}

export function relative(pfn: number): string {
  return pfn === BASE ? 'B' : `B+0x${(pfn - BASE).toString(16)}`;
}

/** Types of the first `count` blocks of BASE, one letter each. */
export function blockLetters(mm: PageAllocator, count: number): string {
  const first = BASE >>> 9;
  return [...mm.pages.blockType.subarray(first, first + count)].map((type) => LETTERS[type]).join('');
}

/** Pages free in a zone, with what no CPU has folded in yet. */
export function trueFree(zone: Zone): number {
  return zone.pcps.reduce((sum, pcp) => sum + pcp.nr_free_diff, zone.nr_free_pages);
}

/** Takes a free chunk out of its list and hands it out, as movable pages or others. */
export function takeChunk(mm: PageAllocator, pfn: number, order: number, movable: boolean): void {
  const zone = mm.zoneOf(pfn);
  zone.remove(pfn, order, mm.pages.listType(pfn, order));
  zone.postFree(0, -(1 << order));
  markAllocated(mm, pfn, order, movable);
}
