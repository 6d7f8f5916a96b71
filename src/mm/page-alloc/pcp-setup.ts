/**
 * The fixed sizes of the per-CPU lists: batch, the limits of high, and whether a CPU's cache is large enough to keep
 * a batch of freed high-order pages.
 * model: page-allocator 3.3, 3.3a
 */
import { PAGE_BYTES } from '../types.js';
import type { PageAllocator } from './page-allocator.js';
import { PCPF_FREE_HIGH_BATCH } from './per-cpu-pages.js';
import { boostedMark } from './watermark.js';
import { WMARK_LOW, type Zone } from './zone.js';

/** share of a zone that tuning may let one node's lists grow to; also the smallest fraction a user may set */
const MIN_HIGH_FRACTION = 8;

export function nrOnlineCpus(mm: PageAllocator): number {
  return mm.nr_cpus - mm.offline_cpus.size;
}

function nrOnlineCpusOf(mm: PageAllocator, node: number): number {
  let cpus = 0;
  mm.spec.cpu_nodes.forEach((home, cpu) => {
    if (home === node && !mm.offline_cpus.has(cpu)) cpus++;
  });
  return cpus;
}

/** Pages that one refill or drain is counted in: a quarter of a thousandth of the zone, one less than a power of two. */
export function pcpBatch(managed: number): number {
  const base = Math.max(1, Math.min(Math.trunc(managed / 1024), 256) >> 2);
  return Math.max(1, 2 ** (31 - Math.clz32(base + (base >> 1))) - 1);
}

/** One CPU's share of the zone's low mark, or of a fraction of the zone. */
function highLimit(mm: PageAllocator, zone: Zone, batch: number, fraction: number): number {
  const pages =
    fraction === 0 ? boostedMark(zone, WMARK_LOW) : Math.trunc(zone.managed_pages / Math.trunc(fraction));
  const cpus = nrOnlineCpusOf(mm, zone.node) || nrOnlineCpus(mm);
  return Math.max(Math.trunc(pages / cpus), batch << 2);
}

/** Sizes a zone's lists from its marks and its managed pages. A tuned `high` follows at the next use of the list. */
export function setPcpSizes(mm: PageAllocator, zone: Zone): void {
  const fraction = mm.policy['pcp.high_fraction'];
  const batch = pcpBatch(zone.managed_pages);
  const high_min = highLimit(mm, zone, batch, fraction);
  const high_max =
    mm.rules.tuned_high && fraction === 0 ? highLimit(mm, zone, batch, MIN_HIGH_FRACTION) : high_min;
  for (const pcp of zone.pcps) {
    pcp.batch = batch;
    pcp.high_min = high_min;
    pcp.high_max = high_max;
    if (!mm.rules.tuned_high) pcp.high = high_min;
  }
}

/** Notes on a CPU's lists whether its cache holds more than three batches; done when the CPU comes up. */
export function setCacheFlag(mm: PageAllocator, cpu: number): void {
  if (!mm.rules.tuned_high) return;
  const cachePages = Math.trunc(mm.spec.cpu_cache_bytes / PAGE_BYTES);
  for (const zone of mm.zones) {
    const pcp = zone.pcps[cpu]!;
    if (cachePages > 3 * pcp.batch) pcp.flags |= PCPF_FREE_HIGH_BATCH;
    else pcp.flags &= ~PCPF_FREE_HIGH_BATCH;
  }
}

/** What a zone's lists were sized to before they were switched off. */
export type PcpSizes = readonly {
  readonly batch: number;
  readonly high: number;
  readonly high_min: number;
  readonly high_max: number;
}[];

/** Lets every free through to the buddy lists at once, as while memory goes offline. What is on the lists stays. */
export function disablePcps(mm: PageAllocator, zone: Zone): PcpSizes {
  const sizes = zone.pcps.map(({ batch, high, high_min, high_max }) => ({ batch, high, high_min, high_max }));
  for (const pcp of zone.pcps) {
    pcp.batch = 1;
    pcp.high_min = 0;
    pcp.high_max = 0;
    if (!mm.rules.tuned_high) pcp.high = 0;
  }
  return sizes;
}

/** Undoes `disablePcps`; a tuned `high` has meanwhile fallen to zero and starts again from its lower limit. */
export function enablePcps(mm: PageAllocator, zone: Zone, sizes: PcpSizes): void {
  zone.pcps.forEach((pcp, cpu) => {
    const { batch, high, high_min, high_max } = sizes[cpu]!;
    pcp.batch = batch;
    pcp.high_min = high_min;
    pcp.high_max = high_max;
    if (!mm.rules.tuned_high) pcp.high = high;
  });
}
