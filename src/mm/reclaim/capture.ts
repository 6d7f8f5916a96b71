/**
 * A direct compaction catches the chunk that it makes before anyone else can take it.
 *
 * A free that completes a chunk of exactly the wanted order, in the zone being compacted, hands it over instead of
 * putting it on a list. A chunk below pageblock order out of a movable block is only given to a movable request, or
 * unmovable pages would spread.
 * model: page-allocator 3.6 step 2a, 10a.2
 */
import type { CaptureControl, PageAllocator } from '../page-alloc/page-allocator.js';
import type { Zone } from '../page-alloc/zone.js';
import { Migratetype, NO_PFN, PAGEBLOCK_ORDER } from '../types.js';

export class Capture implements CaptureControl {
  pfn = NO_PFN;
  zone: Zone | null = null;
  readonly #mm: PageAllocator;
  readonly #order: number;
  readonly migratetype: number;

  constructor(mm: PageAllocator, order: number, migratetype: number) {
    this.#mm = mm;
    this.#order = order;
    this.migratetype = migratetype;
  }

  taken(zone: Zone): boolean {
    return this.pfn !== NO_PFN && this.zone === zone;
  }

  takes(zone: Zone, pfn: number, order: number, migratetype: number): boolean {
    if (order !== this.#order || zone !== this.zone || this.pfn !== NO_PFN) return false;
    if (migratetype === Migratetype.cma || migratetype === Migratetype.isolate) return false;
    if (order < PAGEBLOCK_ORDER && migratetype === Migratetype.movable && !this.#mayTakeMovable())
      return false;
    this.pfn = pfn;
    if (
      migratetype !== this.migratetype &&
      this.#mm.policy['compaction.capture_movable'] &&
      this.#mm.tracer !== null
    )
      this.#mm.tracer.extfrag(pfn, order, order, this.migratetype, migratetype);
    return true;
  }

  #mayTakeMovable(): boolean {
    return this.#mm.policy['compaction.capture_movable'] && this.migratetype === Migratetype.movable;
  }
}
