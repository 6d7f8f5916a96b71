/** How far the model's free chunks are from a recording's buddyinfo, per zone and order, and why. */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { MIGRATETYPE_NAMES, ZONE_NAMES } from '../../mm/types.js';
import type { VerifyOrderError, VerifyRecording } from '../../report/verify-result.js';
import type { BuddyinfoZone } from '../../trace/recording/snapshot/buddyinfo.js';
import type { Pagetypeinfo } from '../../trace/recording/snapshot/pagetypeinfo.js';

/** Named amounts of pages that a replay could not place, for one zone. */
export type Causes = readonly { readonly name: string; readonly pages: number }[];

export function orderErrors(
  mm: PageAllocator,
  real: readonly BuddyinfoZone[],
  causes: Causes,
): VerifyOrderError[] {
  return real.flatMap((entry) => {
    const zone = mm.zones.find(
      (candidate) => candidate.node === entry.node && candidate.index === entry.zone,
    );
    if (zone === undefined) return [];
    return entry.free.map((chunks, order) => ({
      node: entry.node,
      zone: ZONE_NAMES[entry.zone]!,
      order,
      predicted: zone.nr_free[order]!,
      real: chunks,
      causes: zone.nr_free[order] === chunks ? [] : causes.map(({ name, pages }) => ({ name, pages })),
    }));
  });
}

/** Free pages in the buddy lists, predicted and real. */
export function freePageTotals(
  mm: PageAllocator,
  real: readonly BuddyinfoZone[],
): { predicted: number; real: number } {
  const pages = (chunks: readonly number[]) => chunks.reduce((sum, n, order) => sum + n * 2 ** order, 0);
  return {
    predicted: mm.zones.reduce((sum, zone) => sum + pages([...zone.nr_free]), 0),
    real: real.reduce((sum, zone) => sum + pages(zone.free), 0),
  };
}

/** Pageblocks per type. Blocks that the kernel never handed to the allocator have no type; they are left out. */
export function blockTypeErrors(
  mm: PageAllocator,
  real: Pagetypeinfo,
): VerifyRecording['after_pagetypeinfo'] {
  return real.blocks.flatMap((entry) => {
    const zone = mm.zones.find(
      (candidate) => candidate.node === entry.node && candidate.index === entry.zone,
    );
    if (zone === undefined) return [];
    const predicted = new Array<number>(entry.blocks.length).fill(0);
    mm.pages.blockZone.forEach((owner, block) => {
      if (owner === zone.number) predicted[mm.pages.blockType[block]!]!++;
    });
    const unmanaged = Math.max(0, sum(predicted) - sum(entry.blocks));
    predicted[1]! -= unmanaged;
    return real.types.map((type) => ({
      node: entry.node,
      zone: ZONE_NAMES[entry.zone]!,
      migratetype: MIGRATETYPE_NAMES[type]!,
      predicted: predicted[type] ?? 0,
      real: entry.blocks[type] ?? 0,
    }));
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
