/**
 * How requests give up NOFRAGMENT: those that cannot reclaim in steps, those that can as the last thing before the OOM
 * killer.
 *
 *     cannot reclaim   NORETRY -> fail;  + TAINTED_OK;  best effort and a smaller order would do -> fail;  - NOFRAGMENT
 *     can reclaim      reclaim and compaction first, then a targeted evacuation, then - NOFRAGMENT
 *
 * model: spb 3.7
 */
import { GFP_DIRECT_RECLAIM_BIT, GFP_NOFAIL_BIT, GFP_NORETRY_BIT, GFP_NOWARN_BIT } from '../gfp.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { ALLOC_NOFRAG_TAINTED_OK, ALLOC_NOFRAGMENT } from '../page-alloc/watermark.js';
import type { Zone } from '../page-alloc/zone.js';
import { MIGRATE_PCPTYPES, MIGRATE_TYPES, Migratetype } from '../types.js';
import { evacuateForOrder } from './evacuate.js';
import { RelaxStep, TAINTED_PLACES } from './spb-types.js';

/** @returns the flags of the next attempt; unchanged where there is none */
export function relaxAtomic(
  mm: PageAllocator,
  zones: readonly Zone[],
  gfp: number,
  order: number,
  migratetype: number,
  flags: number,
): number {
  if (gfp & GFP_DIRECT_RECLAIM_BIT) return flags;
  const step = relaxStep(zones, gfp, order, flags);
  const system = mm.spb!;
  system.stats.relax_steps[step]!++;
  system.tracer?.atomicRelax(order, migratetype, gfp, step);
  if (step === RelaxStep.addTaintedOk) return flags | ALLOC_NOFRAG_TAINTED_OK;
  if (step === RelaxStep.dropNofragment) {
    system.stats.nofragment_dropped++;
    return flags & ~ALLOC_NOFRAGMENT;
  }
  return flags;
}

function relaxStep(zones: readonly Zone[], gfp: number, order: number, flags: number): number {
  if (gfp & GFP_NORETRY_BIT) return RelaxStep.noretrySkip;
  if ((flags & ALLOC_NOFRAG_TAINTED_OK) === 0) return RelaxStep.addTaintedOk;
  const isBestEffort = order > 0 && (gfp & (GFP_NOWARN_BIT | GFP_NOFAIL_BIT)) === GFP_NOWARN_BIT;
  if (isBestEffort && zones.some((zone) => couldServeSmaller(zone, order))) return RelaxStep.nowarnLowerOrder;
  return RelaxStep.dropNofragment;
}

/** The tainted superpageblocks can plausibly serve the caller in smaller pieces. model: spb 3.7 */
function couldServeSmaller(zone: Zone, order: number): boolean {
  const spbs = zone.spb;
  if (spbs === null) return false;
  const smaller = (1 << order) - 1;
  for (const place of TAINTED_PLACES)
    for (let spb = spbs.first(place); spb >= 0; spb = spbs.after(spb)) {
      if (spbs.nr_movable[spb]! > 0) return true;
      for (let type = 0; type < MIGRATE_PCPTYPES; type++)
        if (spbs.listMask[spb * MIGRATE_TYPES + type]! & smaller) return true;
    }
  return false;
}

/**
 * The targeted evacuation before a request may taint.
 *
 * @returns whether anything moved, so that another attempt is worth it
 */
export function evacuateBeforeTaint(
  mm: PageAllocator,
  zones: readonly Zone[],
  order: number,
  migratetype: number,
): boolean {
  const system = mm.spb;
  if (system === null || !system.rules.evacuation || migratetype === Migratetype.movable) return false;
  let moved = false;
  for (const zone of zones) {
    // A node whose background could not be set up evacuates nothing at all.
    if (zone.spb === null || system.workOf(zone) === null) continue;
    const { did_evacuate, cost_ns } = evacuateForOrder(mm, zone, order, migratetype);
    mm.events.spbsim_direct_compact_ns += cost_ns;
    moved ||= did_evacuate;
  }
  return moved;
}
