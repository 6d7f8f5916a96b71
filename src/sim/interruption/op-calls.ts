/** Which call of the kernel an operation of a trace is, and at which points of the model a nested one may strike. */

import type { StrikePoint } from '../../mm/interruption/cpu-contexts.js';
import type { KernelCall } from '../../mm/interruption/hazard.js';
import { LOCK_POINTS, Op } from '../../trace/event-batch.js';

const CALLS: readonly (readonly [op: number, call: KernelCall])[] = [
  [Op.alloc, 'alloc_pages'],
  [Op.free, 'free_pages'],
  [Op.alloc_nolock, 'alloc_pages_nolock'],
  [Op.free_nolock, 'free_pages_nolock'],
  [Op.kmalloc, 'kmalloc'],
  [Op.kfree, 'kfree'],
  [Op.kmalloc_nolock, 'kmalloc_nolock'],
  [Op.kfree_nolock, 'kfree_nolock'],
  [Op.cache_alloc, 'kmem_cache_alloc'],
  [Op.cache_free, 'kmem_cache_free'],
];
const BY_OP = new Map(CALLS);

export function callOf(op: number): KernelCall {
  return BY_OP.get(op) ?? 'other';
}

/** A memory cgroup's stocks have locks, too, though no allocator does. */
export type AnyPoint = StrikePoint | 'memcg_stock' | 'obj_stock';

/** Points that a name of the `at` column stands for; the others are what they are called. */
const GROUPS: Readonly<Record<string, readonly AnyPoint[]>> = {
  fastpath: ['alloc_fastpath', 'free_fastpath'],
  install: ['pages_obtained'],
  page_alloc: ['pages_obtained'],
};

const STRIKES = LOCK_POINTS.map((name) =>
  name === 'any' ? null : new Set<AnyPoint>(GROUPS[name] ?? [name as AnyPoint]),
);

/** In the middle of a lockless path, which begins again if what it works on has changed. */
export function isFastpath(point: AnyPoint): boolean {
  return point === 'alloc_fastpath' || point === 'free_fastpath';
}

/** Whether what is to strike at `at` (index into LOCK_POINTS) strikes at this point. */
export function strikesAt(at: number, point: AnyPoint): boolean {
  const points = STRIKES[at];
  return points === null || points?.has(point) === true;
}
