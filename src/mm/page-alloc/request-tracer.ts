/**
 * What explaining one request needs to hear beyond the kernel's tracepoints: every zone's test, every step of the slow path.
 * A run without such a tracer pays one test at each place.
 * model: page-allocator 4.1-4.10
 */
import type { ContigOutcome } from './contig-alloc.js';
import type { PfnDeque } from './pfn-deque.js';
import type { Zone } from './zone.js';

/** Steps of the slow path in which other parts of the model work on behalf of the request. */
export type RequestWork = 'reclaim' | 'drain' | 'compact' | 'evacuate' | 'empty_block';

/** Steps that are done at once. */
export type RequestStep = 'slow_path' | 'round' | 'reserves' | 'held_out' | 'drop_nofragment' | 'oom';

/** Where a page is looked for with superpageblocks. model: spb 3.4, 3.5, 3.9 */
export type SearchStage = 'owned' | 'whole_block' | 'adopt' | 'search' | 'claim' | 'steal';

export interface RequestTracer {
  /** one walk over a zonelist begins */
  walk(zones: readonly Zone[], order: number, migratetype: number, flags: number): void;
  zonePassedOver(zone: Zone, why: 'kswapd_awake' | 'remote' | 'must_not_taint'): void;
  /** a zone was held to a mark: WMARK_* */
  zoneMark(
    zone: Zone,
    order: number,
    mark: number,
    highestZone: number,
    flags: number,
    passed: boolean,
  ): void;
  /** a CPU's list was asked, as long as it was then */
  cpuList(zone: Zone, cpu: number, order: number, migratetype: number, length: number): void;
  /** it was empty, and so many chunks are wanted */
  refill(zone: Zone, list: PfnDeque, order: number, chunks: number): void;
  refilled(chunks: number): void;
  stage(stage: SearchStage, zone: Zone): void;
  /** the smallest sufficient chunk of a type's lists was taken */
  chunk(zone: Zone, pfn: number, order: number, chunkOrder: number, migratetype: number): void;
  /** a zone gave the page */
  taken(zone: Zone, pfn: number, order: number): void;
  step(step: RequestStep, value: number): void;
  begins(work: RequestWork): void;
  /** @param value pages reclaimed, the result of the compaction, whether anything was evacuated, the first PFN or -1 */
  ends(work: RequestWork, value: number): void;
  /** a range of any place is wanted */
  contigAsked(pages: number): void;
  /** a range was tried */
  contig(zone: Zone | undefined, start: number, pages: number, outcome: ContigOutcome): void;
  /** mm_page_free, before the page goes anywhere */
  freed(zone: Zone, pfn: number, order: number): void;
}
