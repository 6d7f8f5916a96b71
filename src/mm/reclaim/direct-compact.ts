/**
 * Compaction on behalf of a request: the zones of its list, one after the other.
 * model: page-allocator 5 (priorities, defer), 10a.5
 */
import { GFP_IO_BIT } from '../gfp.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import type { Zone } from '../page-alloc/zone.js';
import { NO_PFN } from '../types.js';
import { Capture } from './capture.js';
import { compactZone } from './compaction.js';
import { CompactResult } from './compaction-suitable.js';

/** How hard a run tries; larger numbers try less. The values are the kernel's. */
export const CompactPriority = { syncFull: 0, syncLight: 1, async: 2 } as const;

export interface CompactRequest {
  readonly zones: readonly Zone[];
  readonly cpu: number;
  readonly gfp: number;
  /** order of the request; compaction may aim at a larger one */
  readonly order: number;
  readonly migratetype: number;
  readonly highestZone: number;
}

/** Compaction may be used by this request at all. */
export function compactionAllowed(mm: PageAllocator, gfp: number): boolean {
  return mm.policy['compaction.enabled'] && (gfp & GFP_IO_BIT) !== 0;
}

/**
 * @param aim order that is compacted for
 * @returns the outcome, and the chunk that was captured on the way, or -1
 */
export function tryToCompactPages(
  mm: PageAllocator,
  request: CompactRequest,
  aim: number,
  allocFlags: number,
  priority: number,
): { result: CompactResult; pfn: number } {
  let result: CompactResult = CompactResult.skipped;
  if (!mm.reclaims || !compactionAllowed(mm, request.gfp)) return { result, pfn: NO_PFN };
  const full = priority === CompactPriority.syncFull;
  const capture = new Capture(mm, request.order, request.migratetype);
  for (const zone of request.zones) {
    if (!full && mm.compaction.isDeferred(zone, aim)) {
      result = Math.max(result, CompactResult.deferred) as CompactResult;
      continue;
    }
    capture.zone = zone;
    mm.capture = capture;
    const run = compactZone(mm, {
      zone,
      cpu: request.cpu,
      order: aim,
      migratetype: request.migratetype,
      highestZone: request.highestZone,
      allocFlags,
      async: priority === CompactPriority.async,
      direct: true,
      whole_zone: full,
      proactive: false,
      ignore_skip: full,
    });
    mm.capture = null;
    mm.events.spbsim_direct_compact_ns += run.cost_ns;
    const outcome = capture.pfn === NO_PFN ? run.result : CompactResult.success;
    result = Math.max(result, outcome) as CompactResult;
    if (outcome === CompactResult.success) {
      mm.compaction.resetDefer(zone, aim, false);
      break;
    }
    if (
      priority !== CompactPriority.async &&
      (outcome === CompactResult.complete || outcome === CompactResult.partialSkipped)
    )
      mm.compaction.defer(zone, aim);
  }
  return { result, pfn: capture.pfn };
}
