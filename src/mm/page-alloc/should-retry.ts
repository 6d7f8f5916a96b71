/**
 * Is another round of reclaim or of compaction worth it?
 * model: page-allocator 4.9 steps 9, 10; gfp C11
 */
import { CompactResult, hasRoomToCompact } from '../reclaim/compaction-suitable.js';
import { CompactPriority } from '../reclaim/direct-compact.js';
import { reclaimablePages } from '../reclaim/shrink-node.js';
import { MAX_COMPACT_RETRIES, MAX_RECLAIM_RETRIES } from '../types.js';
import { unreserveHighatomic } from './highatomic.js';
import type { PageAllocator } from './page-allocator.js';
import type { SlowRequest } from './slow-request.js';
import { boostedMark, zoneWatermarkOk } from './watermark.js';
import { WMARK_MIN, type Zone } from './zone.js';

/** Free pages of a zone with what CPUs have not yet folded in. */
function freeSnapshot(zone: Zone): number {
  return Math.max(
    0,
    zone.pcps.reduce((sum, pcp) => sum + pcp.nr_free_diff, zone.nr_free_pages),
  );
}

/**
 * Goes on while some zone could serve the request if everything reclaimable were free, but not for more than 16 rounds
 * in a row that reclaimed nothing. Before the end, blocks kept for atomic requests are given up.
 */
export function shouldRetryReclaim(request: SlowRequest): boolean {
  const { mm, zones, order, highestZone, flags } = request;
  // Progress means nothing for a costly request: free pages are not yet a large chunk.
  if (request.progress > 0 && !request.costly) request.no_progress = 0;
  else request.no_progress++;
  if (request.no_progress <= MAX_RECLAIM_RETRIES) {
    for (const zone of zones) {
      const available = freeSnapshot(zone) + reclaimablePages(mm, zone);
      const min = boostedMark(zone, WMARK_MIN);
      if (zoneWatermarkOk(zone, mm.rules, order, min, highestZone, flags, available)) return true;
    }
  }
  return unreserveHighatomic(mm, zones, request.cpu, request.migratetype, true);
}

/** Goes on after success, for want of memory that reclaim could free, or at a higher priority. */
export function shouldRetryCompaction(request: SlowRequest): boolean {
  if (request.aim === 0) return false;
  if (request.compact_result === CompactResult.skipped) return couldCompact(request.mm, request);
  if (request.compact_result === CompactResult.success) {
    request.compact_retries++;
    const most = request.costly ? MAX_COMPACT_RETRIES / 4 : MAX_COMPACT_RETRIES;
    if (request.compact_retries <= most) return true;
  }
  const least = request.costly ? CompactPriority.syncLight : CompactPriority.syncFull;
  if (request.compact_priority <= least) return false;
  request.compact_priority--;
  request.compact_retries = 0;
  return true;
}

/** Some zone would have room to compact in if part of what is reclaimable were free. */
function couldCompact(mm: PageAllocator, request: SlowRequest): boolean {
  const { aim, zones, highestZone } = request;
  return zones.some((zone) => {
    const available = Math.trunc(reclaimablePages(mm, zone) / aim) + freeSnapshot(zone);
    return hasRoomToCompact(mm, zone, aim, boostedMark(zone, WMARK_MIN), highestZone, available);
  });
}
