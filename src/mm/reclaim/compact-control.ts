/**
 * One compaction run over one zone: what it is for, and how far its scanners have come.
 *
 *     zone start  | sources ->                          <- targets |  zone end
 *                 ^ migrate_pfn                          free_pfn ^
 *
 * model: page-allocator 5
 */
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { ALLOC_CMA } from '../page-alloc/watermark.js';
import type { Zone } from '../page-alloc/zone.js';
import { Migratetype } from '../types.js';
import { MigrationTargets } from './migration-targets.js';

/** Order of a run that is for no allocation: everything is compacted. */
export const WHOLE_ZONE_ORDER = -1;
/** Pages that are isolated before they are migrated. */
export const COMPACT_CLUSTER_MAX = 32;

export interface CompactGoal {
  readonly zone: Zone;
  readonly cpu: number;
  readonly order: number;
  readonly migratetype: number;
  readonly highestZone: number;
  readonly allocFlags: number;
  /** takes only blocks of the request's type, and looks at fewer places */
  readonly async: boolean;
  /** on behalf of a request, not of kcompactd or an administrator */
  readonly direct: boolean;
  /** starts at the zone's ends and looks everywhere */
  readonly whole_zone: boolean;
  readonly proactive: boolean;
  /** does not pass over blocks that were fruitless before */
  readonly ignore_skip: boolean;
}

export class CompactControl {
  migrate_pfn = 0;
  free_pfn = 0;
  whole_zone: boolean;
  /** isolate the rest of the block, however many pages: it has been migrated from before */
  finish_block = false;
  /** isolated pages that wait for their migration, by first PFN, oldest first */
  readonly sources: number[] = [];
  source_pages = 0;
  readonly targets: MigrationTargets;

  migrate_scanned = 0;
  free_scanned = 0;
  isolated = 0;
  migrated = 0;

  constructor(
    readonly mm: PageAllocator,
    readonly goal: CompactGoal,
  ) {
    this.whole_zone = goal.whole_zone;
    this.targets = new MigrationTargets(mm, goal.zone, goal.cpu);
  }

  /** Targets may lie in any block: the last resort of a small request. */
  get any_target(): boolean {
    return this.goal.direct && this.goal.whole_zone;
  }

  get mayUseCma(): boolean {
    return (this.goal.allocFlags & ALLOC_CMA) !== 0;
  }

  get movable(): boolean {
    return this.goal.migratetype === Migratetype.movable;
  }

  /** Simulated time of the run. */
  get cost_ns(): number {
    const { policy } = this.mm;
    return (
      (this.migrate_scanned + this.free_scanned) * policy['compaction.scan_cost_ns'] +
      this.migrated * policy['compaction.migrate_cost_ns']
    );
  }
}
