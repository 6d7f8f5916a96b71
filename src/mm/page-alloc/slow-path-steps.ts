/**
 * The steps of a slow-path round that both loops share.
 * model: page-allocator 4.9 steps 6, 7, 9-12
 */
import { GFP_NOMEMALLOC_BIT } from '../gfp.js';
import { CompactResult } from '../reclaim/compaction-suitable.js';
import { tryToCompactPages } from '../reclaim/direct-compact.js';
import { tryToFreePages } from '../reclaim/direct-reclaim.js';
import { tryAllocContigBlock } from '../spb/contig.js';
import { evacuateBeforeTaint } from '../spb/relax.js';
import { Migratetype } from '../types.js';
import { drainAllPages } from './drain-all.js';
import { unreserveHighatomic } from './highatomic.js';
import { outOfMemory } from './out-of-memory.js';
import { shouldRetryCompaction, shouldRetryReclaim } from './should-retry.js';
import type { SlowRequest } from './slow-request.js';
import { ALLOC_NOFRAGMENT, ALLOC_OOM } from './watermark.js';

/**
 * Reclaims, and tries; where pages came free but none fits, once more after everything that hides on per-CPU lists and
 * in atomic reserves has been brought out.
 */
export function reclaimAndTry(request: SlowRequest): number {
  const { mm, zones, cpu, gfp, highestZone, migratetype } = request;
  mm.requestTracer?.begins('reclaim');
  request.progress = tryToFreePages(mm, zones, cpu, gfp, request.aim, highestZone);
  mm.requestTracer?.ends('reclaim', request.progress);
  if (request.progress === 0) return -1;
  const pfn = request.attempt();
  if (pfn >= 0) return pfn;
  mm.requestTracer?.begins('drain');
  unreserveHighatomic(mm, zones, cpu, migratetype, false);
  drainAllPages(mm);
  mm.requestTracer?.ends('drain', 0);
  return request.attempt();
}

/** Compacts and takes what came of it: a captured chunk, or one from the lists. */
export function compactAndTry(request: SlowRequest, priority: number): number {
  const { mm, aim } = request;
  request.compact_result = CompactResult.skipped;
  if (aim === 0) return -1;
  const steered = compactBySuperpageblocks(request);
  if (steered >= 0) return steered;
  mm.requestTracer?.begins('compact');
  const { result, pfn: captured } = tryToCompactPages(mm, request, aim, request.flags, priority);
  mm.requestTracer?.ends('compact', result);
  if (captured >= 0) mm.requestTracer?.taken(mm.zoneOf(captured), captured, request.order);
  request.compact_result = result;
  if (result === CompactResult.skipped) return -1;
  const counted = result !== CompactResult.deferred || mm.policy['compaction.count_deferred_stalls'];
  if (counted) mm.events.compact_stall++;
  const pfn = captured >= 0 ? captured : request.attempt();
  if (pfn < 0) {
    if (counted) mm.events.compact_fail++;
    return -1;
  }
  const zone = mm.zoneOf(pfn);
  mm.compaction.of(zone).blockskip_flush = false;
  mm.compaction.resetDefer(zone, aim, true);
  if (counted) mm.events.compact_success++;
  return pfn;
}

/** No page after reclaim and compaction: another round, a victim, or the end. */
export function afterFruitlessRound(request: SlowRequest): 'retry' | number {
  const { mm, gfp, flags } = request;
  if (request.heldOutEnough) {
    mm.requestTracer?.step('held_out', request.rounds);
    return giveUpPurity(request);
  }
  if (shouldRetryReclaim(request)) return 'retry';
  if (request.progress > 0 && request.mayCompact && shouldRetryCompaction(request)) return 'retry';
  if ((request.flags & ALLOC_NOFRAGMENT) !== 0 && mm.rules.holds_out) return giveUpPurity(request);
  const { pfn, progress } = outOfMemory(request);
  if (pfn >= 0 || !progress) return pfn;
  // A victim that has used its reserves must not go on looping.
  if (mm.task?.oom_victim && (flags & ALLOC_OOM || gfp & GFP_NOMEMALLOC_BIT)) return -1;
  request.no_progress = 0;
  return 'retry';
}

/**
 * What direct compaction tries first with superpageblocks: a pageblock emptied by contiguous allocation for a huge movable
 * page, an evacuation for a non-movable request of higher order. model: spb 5.2
 */
function compactBySuperpageblocks(request: SlowRequest): number {
  const { mm, zones, cpu, order, migratetype } = request;
  if (mm.spb === null || !mm.reclaims || !request.mayCompact) return -1;
  if (migratetype !== Migratetype.movable) return evacuate(request) ? request.attempt() : -1;
  mm.requestTracer?.begins('empty_block');
  const pfn = tryAllocContigBlock(mm, mm.spb, zones, cpu, order);
  mm.requestTracer?.ends('empty_block', pfn);
  return pfn;
}

function evacuate({ mm, zones, order, migratetype }: SlowRequest): boolean {
  mm.requestTracer?.begins('evacuate');
  const moved = evacuateBeforeTaint(mm, zones, order, migratetype);
  mm.requestTracer?.ends('evacuate', moved ? 1 : 0);
  return moved;
}

/** Movable pages are moved out of its way once more; after that it may mix types. model: spb 3.7 */
function giveUpPurity(request: SlowRequest): 'retry' | number {
  if (evacuate(request)) {
    const pfn = request.attempt();
    if (pfn >= 0) return pfn;
  }
  request.dropNoFragment();
  return 'retry';
}
