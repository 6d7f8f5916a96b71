/**
 * How large refills and drains of the per-CPU lists are: the doubling factors of 6.1 and the tuned high mark of 6.7+.
 * model: page-allocator 3.2, 3.3, 3.3a, 4.5
 */
import { PAGE_ALLOC_COSTLY_ORDER } from '../types.js';
import { PCPF_FREE_HIGH_BATCH, PCPF_PREV_FREE_HIGH_ORDER, type PerCpuPages } from './per-cpu-pages.js';
import type { Rules } from './rules.js';
import { ZONE_BELOW_HIGH, ZONE_RECLAIM_ACTIVE, type Zone } from './zone.js';

/** `max` wins where the limits cross, as in the kernel's clamp(). */
function clamp(value: number, min: number, max: number): number {
  const atLeast = Math.max(value, min);
  return Math.min(atLeast, max);
}

/** Every try to allocate from a list halves the free streak, also one that fails. */
export function noteAllocation(pcp: PerCpuPages): void {
  pcp.free_factor >>= 1;
  pcp.free_count >>= 1;
}

/** Chunks that a refill asks for; raises `high` where it is tuned. */
export function refillSize(rules: Rules, pcp: PerCpuPages, zone: Zone, order: number): number {
  if (!rules.tuned_high) return pcp.batch > 1 ? Math.max(pcp.batch >> order, 2) : pcp.batch;
  const { batch: base, high_min, high_max } = pcp;
  pcp.high = clamp(pcp.high, high_min, high_max);
  if (pcp.high < base) return 1;
  let batch = order === 0 ? base << pcp.alloc_factor : base;
  if (high_min !== high_max && (zone.flags & ZONE_BELOW_HIGH) === 0)
    pcp.high = Math.min(pcp.high + batch, high_max);
  if (order === 0) {
    const most = Math.max(pcp.high - pcp.count - base, base);
    if (batch <= most && pcp.alloc_factor < rules.pcp_batch_scale_max) pcp.alloc_factor++;
    batch = Math.min(batch, most);
  }
  return batch > 1 ? Math.max(batch >> order, 2) : batch;
}

/**
 * Bookkeeping of a free that has just been pushed: how many pages must go back to the buddy lists now.
 *
 * @returns pages to drain, 0 for none
 */
export function drainSizeAfterFree(rules: Rules, pcp: PerCpuPages, zone: Zone, order: number): number {
  return rules.tuned_high
    ? tunedDrainSize(rules, pcp, zone, order)
    : factorDrainSize(rules, pcp, zone, order);
}

function factorDrainSize(rules: Rules, pcp: PerCpuPages, zone: Zone, order: number): number {
  const { batch, high } = pcp;
  const freeHigh = pcp.free_factor !== 0 && order > 0 && order <= PAGE_ALLOC_COSTLY_ORDER;
  let limit = high;
  if (high === 0 || freeHigh) limit = 0;
  else if (zone.flags & ZONE_RECLAIM_ACTIVE) limit = Math.min(batch << 2, high);
  if (pcp.count < limit) return 0;
  if (freeHigh) return pcp.count;
  if (limit < batch) return 1;
  const most = limit - batch;
  const wanted = batch << pcp.free_factor;
  if (wanted < most && pcp.free_factor < rules.pcp_batch_scale_max) pcp.free_factor++;
  return clamp(wanted, batch, most);
}

/** What a free does to the streak even if it may not drain. @returns whether high orders are freed in a row */
export function noteTunedFree(rules: Rules, pcp: PerCpuPages, order: number): boolean {
  const { batch } = pcp;
  let freeHigh = false;
  if (order > 0 && order <= PAGE_ALLOC_COSTLY_ORDER) {
    freeHigh =
      pcp.free_count >= batch + (pcp.high_min >> 1) &&
      (pcp.flags & PCPF_PREV_FREE_HIGH_ORDER) !== 0 &&
      ((pcp.flags & PCPF_FREE_HIGH_BATCH) === 0 || pcp.count >= batch);
    pcp.flags |= PCPF_PREV_FREE_HIGH_ORDER;
  } else {
    pcp.flags &= ~PCPF_PREV_FREE_HIGH_ORDER;
  }
  if (pcp.free_count < batch << rules.pcp_batch_scale_max) pcp.free_count += 1 << order;
  return freeHigh;
}

function tunedDrainSize(rules: Rules, pcp: PerCpuPages, zone: Zone, order: number): number {
  const { batch } = pcp;
  const most = batch << rules.pcp_batch_scale_max;
  const freeHigh = noteTunedFree(rules, pcp, order);
  const limit = tunedLimit(pcp, zone, freeHigh, most);
  if (pcp.count < limit) return 0;
  if (freeHigh) return Math.min(pcp.count, most);
  if (limit < batch) return 1;
  return clamp(pcp.free_count, batch, limit - batch);
}

/** Count at which the lists overflow; moves `high` on the way. model: page-allocator 3.3, step 6 */
function tunedLimit(pcp: PerCpuPages, zone: Zone, freeHigh: boolean, most: number): number {
  const { batch, high_min, high_max } = pcp;
  const high = clamp(pcp.high, high_min, high_max);
  pcp.high = high;
  if (high === 0) return 0;
  if (freeHigh) {
    pcp.high = Math.max(high - most, high_min);
    return 0;
  }
  if (zone.flags & ZONE_RECLAIM_ACTIVE) {
    pcp.high = Math.max(high - Math.max(pcp.free_count, batch), high_min);
    return Math.min(batch << 2, pcp.high);
  }
  if (high_min === high_max) return high;
  if (zone.flags & ZONE_BELOW_HIGH) {
    pcp.high = Math.max(high - Math.max(pcp.free_count, batch), high_min);
    return Math.max(pcp.count, high_min);
  }
  if (pcp.count >= high) {
    const needed = pcp.free_count + batch;
    if (high < needed) pcp.high = clamp(needed, high_min, high_max);
  }
  return high;
}
