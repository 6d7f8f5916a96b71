/** A row for each cache of after/slabinfo: what the kernel counted, and what the model would have let it count. */
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { NO_SLAB } from '../../mm/slab/slab-table.js';
import type { VerifySlabCache } from '../../report/verify-result.js';
import type { SlabinfoCache } from '../../trace/recording/snapshot/slabinfo.js';
import type { SlabReplay } from '../slab/slab-replay.js';
import type { SlabCauses } from './slab-causes.js';
import type { CacheWatch, SlabRecordingSources } from './slab-recording.js';

/** As slabinfo counts them: all but the free ones of the nodes' lists. model: slab-caches 3.1 */
export function activeObjects({ table }: SlabAllocator, cache: KmemCache): number {
  let active = 0;
  for (let node = 0; node < cache.nodes; node++) {
    active += cache.total_objects[node]!;
    for (let slab = cache.partial.head[node]!; slab !== NO_SLAB; slab = table.next[slab]!)
      active -= table.objects[slab]! - table.inuse[slab]!;
  }
  return active;
}

/** @param watchOf what was counted of a cache, by its number */
export function slabRows(
  replay: SlabReplay,
  { before, after }: Pick<SlabRecordingSources, 'before' | 'after'>,
  causes: SlabCauses,
  watchOf: (cache: number) => CacheWatch,
): VerifySlabCache[] {
  const old = new Map(before.map((row) => [row.name, row]));
  return after
    .map((row) => cacheRow(row, old.get(row.name), replay, causes, watchOf))
    .sort(
      (a, b) =>
        Math.abs(b.error_slabs) * 2 ** b.order - Math.abs(a.error_slabs) * 2 ** a.order ||
        Math.abs(b.active_objects.predicted - b.active_objects.real) -
          Math.abs(a.active_objects.predicted - a.active_objects.real) ||
        (a.name < b.name ? -1 : 1),
    );
}

function cacheRow(
  { name, order, slabs, active_objects }: SlabinfoCache,
  before: SlabinfoCache | undefined,
  { names }: SlabReplay,
  causes: SlabCauses,
  watchOf: (cache: number) => CacheWatch,
): VerifySlabCache {
  const cache = names.named(name);
  const watch = cache === undefined ? NOTHING : watchOf(cache.number);
  // The nearest to what was counted, of all that the model had while it was read.
  const predicted = Math.min(Math.max(slabs, watch.least_slabs), watch.most_slabs);
  return {
    name,
    order,
    slabs: { before: before?.slabs ?? 0, real: slabs, predicted },
    predicted_least: watch.least_slabs,
    predicted_most: watch.most_slabs,
    error_slabs: predicted - slabs,
    active_objects: {
      before: before?.active_objects ?? 0,
      real: active_objects,
      predicted: watch.active_objects,
    },
    made: { recorded: watch.recorded, predicted: watch.made },
    causes: cache === undefined ? { ...NO_CAUSES } : { ...causes.of(cache.number) },
  };
}

const NOTHING: CacheWatch = { least_slabs: 0, most_slabs: 0, active_objects: 0, made: 0, recorded: 0 };
const NO_CAUSES = { allocated: 0, freed: 0, implied_frees: 0, start_frees: 0, unknown_frees: 0 };
