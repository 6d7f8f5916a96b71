/**
 * What the series' tracepoints would report, and a little more for explaining one request; a run without a tracer pays one
 * test at each place.
 * model: spb 6.2
 */
import type { Zone } from '../page-alloc/zone.js';

export interface SpbTracer {
  /** one exit of the smallest search; `outcome` is a WalkOutcome */
  allocWalk(
    zone: Zone,
    order: number,
    migratetype: number,
    flags: number,
    outcome: number,
    visited: number,
  ): void;
  /** passes 1 to 2d found nothing; a superpageblock with a fitting chunk would be a fault of Pass 1 */
  fallThrough(
    zone: Zone,
    order: number,
    migratetype: number,
    nr_tainted: number,
    nr_with_buddy: number,
  ): void;
  /** a PB_has bit was set or cleared, the first or last one of its kind in the superpageblock */
  pbTaint(pfn: number, bit: number, set: boolean, firstOrLast: boolean): void;
  claimRefused(pfn: number, start_mt: number, block_mt: number, reason: number): void;
  evacuateForOrderDone(zone: Zone, order: number, migratetype: number, phase1: number, phase2: number): void;
  atomicRelax(order: number, migratetype: number, gfp: number, step: number): void;
  /** a pass begins; its name is that of the table of passes */
  pass(name: string, zone: Zone): void;
  /** a superpageblock was looked at; `why` says what it lacked, or what was taken there */
  visit(spb_start_pfn: number, why: string): void;
  /** something was triggered: an evacuation, a slab shrink, a defrag run, a refusal */
  trigger(what: string): void;
  /** pages were taken */
  take(pfn: number, order: number, chunkOrder: number, fromType: number, how: string): void;
}
