/**
 * Recomputes the counters of memory cgroups from what is charged and what stocks keep.
 *
 *     (a) pages of a cgroup = bytes in use + byte stocks + left-over bytes, all object cgroups of it, + pages elsewhere
 *         charged + page stocks; of a parent also those of its children
 *     (b) what is not in whole pages is left over, so the sum is one of whole pages
 *     (c) no cgroup was ever charged less at most than it is charged
 *     (d) no slot of a page stock has more than a batch, and no two slots of a CPU the same cgroup
 *
 * model: slub 5.5
 */
import { InvariantError } from '../invariant.js';
import { PAGE_BYTES } from '../types.js';
import { NO_OBJCG, ROOT_MEMCG } from './mem-cgroups.js';
import type { MemcgCharges } from './memcg-charges.js';
import { NO_COUNTER } from './page-counter.js';
import { MEMCG_CHARGE_BATCH_PAGES, NR_MEMCG_STOCK } from './page-stock.js';

export interface ChargedElsewhere {
  /** bytes of objects that are charged to each object cgroup */
  readonly bytesOf: (objcg: number) => number;
  /** pages charged to each memory cgroup beside objects' */
  readonly pagesOf?: (memcg: number) => number;
}

/** Throws an InvariantError that names the first counter found to be wrong. */
export function validateMemcg(charges: MemcgCharges, { bytesOf, pagesOf }: ChargedElsewhere): void {
  const { groups } = charges;
  const bytes = new Float64Array(groups.count);
  for (let objcg = NO_OBJCG + 1; objcg < groups.nr_objcgs; objcg++) {
    const memcg = groups.memcg[objcg]!;
    bytes[memcg] = bytes[memcg]! + bytesOf(objcg) + groups.charged_bytes[objcg]!;
  }
  for (let cpu = 0; cpu < charges.cpus; cpu++) addStocks(charges, cpu, bytes);
  for (let memcg = ROOT_MEMCG + 1; memcg < groups.count; memcg++)
    bytes[memcg] = bytes[memcg]! + (pagesOf?.(memcg) ?? 0) * PAGE_BYTES;
  // Children have larger numbers than their parents.
  for (let memcg = groups.count - 1; memcg > ROOT_MEMCG; memcg--) {
    const parent = groups.memory.parent[memcg]!;
    if (parent !== NO_COUNTER) bytes[parent] = bytes[parent]! + bytes[memcg]!;
  }
  for (let memcg = 0; memcg < groups.count; memcg++) {
    const usage = groups.memory.usage_pages[memcg]! * PAGE_BYTES;
    check(
      usage === bytes[memcg],
      () => `memory cgroup ${memcg}: ${usage} bytes charged, ${bytes[memcg]} found`,
    );
    check(
      groups.memory.peak_pages[memcg]! >= groups.memory.usage_pages[memcg]!,
      () => `memory cgroup ${memcg}: its peak is below its usage`,
    );
  }
}

function addStocks({ pages, bytes: stock, groups }: MemcgCharges, cpu: number, bytes: Float64Array): void {
  const objcg = stock.cached[cpu]!;
  if (objcg !== NO_OBJCG) {
    const memcg = groups.memcg[objcg]!;
    bytes[memcg] = bytes[memcg]! + stock.nr_bytes[cpu]!;
  }
  const seen = new Set<number>();
  for (let slot = 0; slot < NR_MEMCG_STOCK; slot++) {
    const at = cpu * NR_MEMCG_STOCK + slot;
    const memcg = pages.cached[at]!;
    const kept = pages.nr_pages[at]!;
    check(memcg !== ROOT_MEMCG || kept === 0, () => `CPU ${cpu}: an empty slot has ${kept} pages`);
    check(kept <= MEMCG_CHARGE_BATCH_PAGES, () => `CPU ${cpu}: ${kept} pages of memory cgroup ${memcg}`);
    if (memcg === ROOT_MEMCG) continue;
    check(!seen.has(memcg), () => `CPU ${cpu}: two slots have memory cgroup ${memcg}`);
    seen.add(memcg);
    bytes[memcg] = bytes[memcg]! + kept * PAGE_BYTES;
  }
}

function check(isTrue: boolean, text: () => string): void {
  if (!isTrue) throw new InvariantError(text());
}
