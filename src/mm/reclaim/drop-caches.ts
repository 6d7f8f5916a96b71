/**
 * `echo 1 > /proc/sys/vm/drop_caches`: all page cache that can go goes.
 * model: page-allocator 6.4; gfp C12
 */
import { type Folio, releaseFolios } from '../page-alloc/free-batch.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { LRU_FILE } from './lru.js';
import { canReclaim } from './shrink-node.js';

/** @returns pages freed */
export function dropPageCache(mm: PageAllocator, cpu: number): number {
  const { lru } = mm;
  mm.events.drop_pagecache++;
  if (lru === null) return 0;
  let dropped = 0;
  for (const zone of mm.zones) {
    const folios: Folio[] = [];
    for (const pfn of lru.pfns(zone, LRU_FILE)) {
      if (!canReclaim(mm, pfn)) continue;
      const order = lru.orderOf(pfn);
      dropped += 1 << order;
      folios.push({ pfn, order });
    }
    for (const { pfn, order } of folios) mm.onReclaim?.(pfn, order);
    releaseFolios(mm, cpu, folios);
  }
  return dropped;
}
