import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { blockStart, moveFreePages } from '../../mm/page-alloc/pageblock.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import { PAGEBLOCK_ORDER } from '../../mm/types.js';
import type { Notes } from '../notes.js';

/** A list's type is its block's type where the policy keeps both together: then the trace corrects the model. */
export function learnBlockType(
  mm: PageAllocator,
  notes: Notes,
  zone: Zone,
  cpu: number,
  pfn: number,
  migratetype: number,
): void {
  const { pages, rules } = mm;
  const block = pfn >>> PAGEBLOCK_ORDER;
  if (!rules.merge_retypes || pages.blockType[block] === migratetype) return;
  notes.add('retyped_blocks');
  const chunk = pages.buddyHead(blockStart(pfn));
  const order = chunk < 0 ? -1 : pages.buddyOrder(chunk);
  if (order > PAGEBLOCK_ORDER) {
    const old = pages.listType(chunk, order);
    zone.remove(chunk, order, old);
    zone.addTail(chunk, order, migratetype);
    pages.blockType.fill(migratetype, chunk >>> PAGEBLOCK_ORDER, (chunk + (1 << order)) >>> PAGEBLOCK_ORDER);
    return;
  }
  // The first block of most machines begins with a page that no zone has, which does not keep its others from moving.
  if (pages.blockZone[block] === zone.number) moveFreePages(mm, zone, cpu, blockStart(pfn), migratetype);
  pages.blockType[block] = migratetype;
}
