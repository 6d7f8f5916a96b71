/**
 * Pageblocks inside a zone's span that the kernel never handed to the allocator: holes, and memory that a balloon keeps.
 *
 * pagetypeinfo does not count them, but does not say which they are. The rule: a zone has as many of them as it has more
 * blocks than pagetypeinfo counts; they are the longest runs of blocks whose pages show no flag and have no event.
 * model: page-allocator 8.15
 */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { NO_ZONE } from '../../mm/page-alloc/page-map.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import { PAGEBLOCK_ORDER } from '../../mm/types.js';
import { PageClass } from '../../trace/recording/snapshot/kpageflags.js';
import type { SnapshotSources } from './from-snapshot.js';
import { FirstEvent } from './trace-scan.js';

/** Takes such blocks out of their zones, so that no count and no map shows them as memory. */
export function dropUnmanagedBlocks(mm: PageAllocator, sources: SnapshotSources): void {
  for (const zone of mm.zones) {
    const counted = sources.pagetypeinfo?.blocks.find(
      (row) => row.node === zone.node && row.zone === zone.index,
    );
    if (counted === undefined) continue;
    const blocks = blocksOf(mm, zone);
    let surplus = blocks.length - counted.blocks.reduce((sum, n) => sum + n, 0);
    const runs = runsOf(blocks.filter((block) => isBlank(block, sources)));
    for (const { first, length } of runs.sort((a, b) => b.length - a.length || a.first - b.first)) {
      if (length > surplus) continue;
      surplus -= length;
      mm.pages.blockZone.fill(NO_ZONE, first, first + length);
    }
  }
}

function blocksOf(mm: PageAllocator, zone: Zone): number[] {
  const blocks: number[] = [];
  for (let block = zone.start_pfn >>> PAGEBLOCK_ORDER; block << PAGEBLOCK_ORDER < zone.end_pfn; block++)
    if (mm.pages.blockZone[block] === zone.number) blocks.push(block);
  return blocks;
}

function isBlank(block: number, { kpageflags, scan }: SnapshotSources): boolean {
  if (kpageflags === undefined) return false;
  const first = block << PAGEBLOCK_ORDER;
  for (let pfn = first; pfn < first + (1 << PAGEBLOCK_ORDER); pfn++) {
    const kind = kpageflags.classes[pfn] ?? PageClass.absent;
    if (kind !== PageClass.other && kind !== PageClass.absent) return false;
    if ((scan.firstEvent[pfn] ?? FirstEvent.none) !== FirstEvent.none) return false;
  }
  return true;
}

function runsOf(blocks: readonly number[]): { first: number; length: number }[] {
  const runs: { first: number; length: number }[] = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.length === block) last.length++;
    else runs.push({ first: block, length: 1 });
  }
  return runs;
}
