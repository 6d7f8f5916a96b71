/**
 * Free memory of a recording without kpageflags: as much as buddyinfo counts, at places of the model's choice.
 *
 * Only pages without any event are taken, so no place contradicts the trace. Chunks are placed from the largest order
 * down and upwards in memory, each beside a buddy that stays in use, so that they do not merge.
 * model: page-allocator 8.15
 */
import type { Zone } from '../../mm/page-alloc/zone.js';
import { MAX_PAGE_ORDER } from '../../mm/types.js';
import { FirstEvent, type ScannedTrace } from './trace-scan.js';

/**
 * Marks pages as free until the zone has as many as buddyinfo says.
 *
 * @param chunks free chunks by order
 * @param inBuddy one byte per PFN, 1 where a page is free already
 * @returns pages marked
 */
export function placeFreeChunks(
  zone: Zone,
  chunks: readonly number[],
  scan: ScannedTrace,
  inBuddy: Uint8Array,
): number {
  let missing = chunks.reduce((sum, n, order) => sum + n * 2 ** order, 0);
  for (let pfn = zone.start_pfn; pfn < zone.end_pfn; pfn++) missing -= inBuddy[pfn]!;
  let placed = 0;
  for (let order = MAX_PAGE_ORDER; order >= 0; order--) {
    const size = 1 << order;
    // The largest chunks have no buddy to merge with.
    const step = order === MAX_PAGE_ORDER ? size : 2 * size;
    let pfn = Math.ceil(zone.start_pfn / step) * step;
    for (let n = chunks[order]!; n > 0 && missing >= size && pfn + step <= zone.end_pfn; pfn += step) {
      if (!isBlank(scan, inBuddy, pfn, step)) continue;
      inBuddy.fill(1, pfn, pfn + size);
      missing -= size;
      placed += size;
      n--;
    }
  }
  return placed;
}

function isBlank(scan: ScannedTrace, inBuddy: Uint8Array, from: number, pages: number): boolean {
  for (let pfn = from; pfn < from + pages; pfn++)
    if (inBuddy[pfn] === 1 || scan.firstEvent[pfn] !== FirstEvent.none) return false;
  return true;
}
