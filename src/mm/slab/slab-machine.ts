/**
 * The machine as the slab allocator sees it, out of the one that the page allocator has.
 * model: slub 1.5, 2.3 step 7
 */
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { MAX_NR_ZONES } from '../types.js';
import type { SlabMachineSpec } from './slab-allocator.js';

/** of x86-64 */
const CACHE_LINE_BYTES = 64;

/** All CPUs count as present: those that are offline at the start could come at any time. */
export function slabMachineOf(mm: PageAllocator): SlabMachineSpec {
  const { cpu_nodes, build } = mm.spec;
  const cpus = cpu_nodes.length;
  return {
    present_cpus: cpus,
    possible_cpus: cpus,
    cache_line_bytes: CACHE_LINE_BYTES,
    cpu_nodes,
    node_order: mm.zonelists.fallback.map((lists) => [
      ...new Set(lists[MAX_NR_ZONES - 1]!.map((zone) => zone.node)),
    ]),
    tid_step: 2 ** Math.ceil(Math.log2(cpus)),
    ...(build === undefined ? {} : { build }),
  };
}
