/**
 * What a machine is made of, as plain data: the model is built from it, config files and recordings produce it.
 */
import type { MachineBuild } from './machine-build.js';
import type { ZoneIndex } from './types.js';

export interface ZoneSpec {
  readonly node: number;
  readonly index: ZoneIndex;
  readonly start_pfn: number;
  /** end - start, holes included */
  readonly spanned_pages: number;
  readonly present_pages: number;
  /** pages handed to the buddy allocator; all sizes that the kernel derives come from it */
  readonly managed_pages: number;
}

export interface MachineSpec {
  /** index = CPU number, value = its node */
  readonly cpu_nodes: readonly number[];
  /** distance[from][to], 10 = local */
  readonly node_distances: readonly (readonly number[])[];
  /** ascending node, then ascending index; populated zones, and empty ones that memory may be added to */
  readonly zones: readonly ZoneSpec[];
  /** data cache of one CPU (its slice of shared levels); decides FREE_HIGH_BATCH, model: page-allocator 3.3 */
  readonly cpu_cache_bytes: number;
  readonly thp: boolean;
  /** end of the PFNs that may be brought online later; without it the end of the last zone. model: page-allocator 2.1, 3.8 */
  readonly max_pfn?: number;
  /** how its kernel was built and booted; without it as DEFAULT_BUILD says. model: slub 3.6 */
  readonly build?: MachineBuild;
}
