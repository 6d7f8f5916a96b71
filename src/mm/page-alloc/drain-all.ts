/**
 * Emptying the per-CPU lists of all CPUs, where pages that wait there stand in somebody's way.
 *
 * The kernel posts the counter changes on the CPU that asks; here they are posted on the CPU whose list it is, which
 * can be told apart only by a counter's folded value, and by less than a threshold.
 * model: page-allocator 3.9
 */
import { drainCpuZone } from './free-pages.js';
import type { PageAllocator } from './page-allocator.js';
import type { Zone } from './zone.js';

/** CPUs ascending, zones ascending; of one zone only where it is given. */
export function drainAllPages(mm: PageAllocator, only?: Zone): void {
  for (let cpu = 0; cpu < mm.nr_cpus; cpu++) {
    if (only !== undefined) drainCpuZone(mm, only, cpu);
    else drainPagesOf(mm, cpu);
  }
}

/** All zones of one CPU. */
export function drainPagesOf(mm: PageAllocator, cpu: number): void {
  for (const zone of mm.zones) drainCpuZone(mm, zone, cpu);
}
