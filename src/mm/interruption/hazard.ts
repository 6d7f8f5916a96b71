/**
 * What a kernel would not have survived, or should not have been asked: noted while the run goes on.
 * model: slub 7.4
 */
import type { Context } from '../context.js';

/** Calls into the two allocators, and the work that runs between them. */
export const KERNEL_CALLS = [
  'kmalloc',
  'kfree',
  'kmem_cache_alloc',
  'kmem_cache_free',
  'kmem_cache_alloc_bulk',
  'kmem_cache_free_bulk',
  'alloc_pages',
  'free_pages',
  'kmalloc_nolock',
  'kfree_nolock',
  'alloc_pages_nolock',
  'free_pages_nolock',
  'irq_work',
  'other',
] as const;
export type KernelCall = (typeof KERNEL_CALLS)[number];

/**
 * `deadlock`: a call waits for a lock of what it interrupted on its CPU. `misuse`: the call must not be made in its
 * context. `order`: the context cannot have interrupted the one below it there.
 */
export type HazardKind = 'deadlock' | 'misuse' | 'order';

/** One context of a CPU, with what it was doing. */
export interface HazardFrame {
  readonly context: Context;
  readonly call: KernelCall;
  /** locks that it held, outermost first, such as `list_lock kmalloc-64 0` */
  readonly locks: readonly string[];
}

export interface Hazard {
  readonly kind: HazardKind;
  readonly cpu: number;
  /** contexts of the CPU, the interrupting one last */
  readonly stack: readonly HazardFrame[];
  /** lock that is waited for, of a deadlock; else what is wrong */
  readonly wanted: string;
}

const WAITING_CALLS: ReadonlySet<KernelCall> = new Set([
  'kmalloc',
  'kfree',
  'kmem_cache_alloc',
  'kmem_cache_free',
  'kmem_cache_alloc_bulk',
  'kmem_cache_free_bulk',
  'alloc_pages',
  'free_pages',
]);

/** Whether the call waits for locks: it must not come out of an NMI. model: slub 7.4 */
export function waitsForLocks(call: KernelCall): boolean {
  return WAITING_CALLS.has(call);
}
