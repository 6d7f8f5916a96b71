/** Whether pages that a run gives back are such that can be: a run may name any. */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { isBuddy, isPcp } from '../../mm/page-alloc/page-map.js';
import { spanAt } from '../../mm/page-alloc/page-span.js';

/** Whether all of a chunk is memory that is on no list. */
export function isInUse(mm: PageAllocator, pfn: number, order: number): boolean {
  const end = pfn + 2 ** order;
  if (pfn % 2 ** order !== 0 || end > mm.pages.end_pfn) return false;
  for (let page = pfn; page < end; page++) {
    if (mm.findZone(page) === undefined) return false;
    const span = spanAt(mm.pages, page);
    if (span !== null && (isBuddy(span.state) || isPcp(span.state))) return false;
  }
  return true;
}
