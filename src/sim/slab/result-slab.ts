/** The slab part of a result: the allocator at one moment, and what was observed on the way there. */
import type { DeferredWork } from '../../mm/slab/deferred.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { slotsInSheaves } from '../../mm/slab/sheaves/validate-sheaves.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { SLAB_RECLAIM_ACCOUNT } from '../../mm/slab/slab-flags.js';
import { SLAB_STAT_NAMES } from '../../mm/slab/slab-stats.js';
import { NO_SLAB } from '../../mm/slab/slab-table.js';
import { PAGE_BYTES } from '../../mm/types.js';
import type {
  ResultSlab,
  ResultSlabCache,
  ResultSlabTotals,
  ResultSlabWaste,
} from '../../report/slab/result-slab.js';
import type { SlabObservations } from './observations.js';
import { NOTHING_PUT_OFF, type SlabsPutOff, type SlabUsage, slabUsage, slabWaste } from './slab-usage.js';

export interface ResultSlabOptions {
  readonly putOff?: SlabsPutOff;
  readonly zoneStacks?: ResultSlab['zone_stacks'];
  readonly memcgs?: ResultSlab['memcgs'];
  /** numbers of caches that were destroyed: they are of no interest any more */
  readonly destroyed?: ReadonlySet<number>;
}

/** Free slots in sheaves, by number of their cache. */
function inSheaves(slabs: SlabAllocator): Map<number, number> {
  const counts = new Map<number, number>();
  for (const cache of slabs.caches) {
    if (cache.sheaves === null) continue;
    const found = new Map<number, number[]>();
    slotsInSheaves(slabs, cache, found);
    counts.set(
      cache.number,
      [...found.values()].reduce((sum, slots) => sum + slots.length, 0),
    );
  }
  return counts;
}

/** What waits for irq_work, and what sheaves hold, as the result wants to know it. */
export function putOffBy(work: DeferredWork): SlabsPutOff {
  const { caches } = work.allocator;
  const byCache = new Float64Array(caches.length);
  work.countWaitingObjects(byCache);
  const waiting = [...byCache.entries()].filter(([, count]) => count > 0);
  return { slabs: work.waitingSlabs(), objects: new Map(waiting), sheaves: inSheaves(work.allocator) };
}

export function resultSlab(
  slabs: SlabAllocator,
  observations: SlabObservations,
  options: ResultSlabOptions = {},
): ResultSlab {
  const { putOff = NOTHING_PUT_OFF, zoneStacks = [], memcgs = null, destroyed } = options;
  const usage = slabUsage(slabs, putOff);
  const caches = slabs.caches
    .filter(({ number }) => !destroyed?.has(number))
    .map((cache) => cacheRow(slabs, cache, usage[cache.number]!, observations))
    .sort(
      (a, b) => b.pages - a.pages || (a.name === b.name ? a.number - b.number : a.name < b.name ? -1 : 1),
    );
  const large = largeObjects(slabs, observations);
  return {
    caches,
    large,
    totals: totalsOf(slabs, caches, large, observations),
    nodes: Array.from({ length: slabs.nodes }, (_, node) => ({
      node,
      reclaimable_pages: slabs.nr_slab_reclaimable_pages[node]!,
      unreclaimable_pages: slabs.nr_slab_unreclaimable_pages[node]!,
    })),
    contexts: observations.objects.contextRows(),
    sites: observations.objects.sites.result(),
    nolock: observations.nolock.result(),
    deferred: observations.backlog.result(),
    zone_stacks: [...zoneStacks],
    memcgs,
    ...observations.hazards.result(),
  };
}

function cacheRow(
  slabs: SlabAllocator,
  cache: KmemCache,
  usage: SlabUsage,
  observations: SlabObservations,
): ResultSlabCache {
  const { geometry, number } = cache;
  const requested_bytes = observations.objects.requestedBytes(number, usage.live_objects);
  const waste = slabWaste(slabs, cache, usage, requested_bytes);
  const objects = sum(cache.total_objects);
  return {
    name: cache.name,
    number,
    reclaimable: (geometry.flags & SLAB_RECLAIM_ACCOUNT) !== 0,
    debug: cache.isDebug,
    object_size_bytes: geometry.object_size_bytes,
    size_bytes: geometry.size_bytes,
    order: geometry.order,
    objects_per_slab: geometry.objects,
    slabs: sum(cache.nr_slabs),
    partial_slabs: sum(cache.nr_partial),
    objects,
    active_objects: objects - freeOnPartialLists(slabs, cache),
    live_objects: usage.live_objects,
    pages: usage.pages,
    start_pages: observations.startPages(number),
    requested_bytes,
    waste_bytes: sum(Object.values(waste)),
    waste,
    ...observations.objects.callsOf(number),
    stats: statsOf([cache]),
  };
}

/** What a kernel subtracts from all objects to tell the active ones: it looks at no CPU. model: slub 2.2a */
function freeOnPartialLists({ table }: SlabAllocator, cache: KmemCache): number {
  let free = 0;
  for (let node = 0; node < cache.nodes; node++)
    for (let slab = cache.partial.head[node]!; slab !== NO_SLAB; slab = table.next[slab]!)
      free += table.objects[slab]! - table.inuse[slab]!;
  return free;
}

/** Large objects that nobody told of count as wholly asked for. */
function largeObjects(slabs: SlabAllocator, { objects }: SlabObservations): ResultSlab['large'] {
  const pages = sum(slabs.large_pages);
  const { large } = objects;
  return {
    live_objects: large.live_objects,
    pages,
    requested_bytes: large.requested_bytes + (pages - large.pages) * PAGE_BYTES,
  };
}

function totalsOf(
  slabs: SlabAllocator,
  caches: readonly ResultSlabCache[],
  large: ResultSlab['large'],
  observations: SlabObservations,
): ResultSlabTotals {
  const of = (value: (cache: ResultSlabCache) => number) => sum(caches.map(value));
  const waste = { ...NO_WASTE };
  for (const cache of caches)
    for (const part of Object.keys(waste) as (keyof ResultSlabWaste)[]) waste[part] += cache.waste[part];
  const large_rounding_bytes = large.pages * PAGE_BYTES - large.requested_bytes;
  waste.rounding_bytes += large_rounding_bytes;
  const contexts = observations.objects.contextRows();
  return {
    caches: caches.length,
    slabs: of((cache) => cache.slabs),
    objects: of((cache) => cache.objects),
    live_objects: of((cache) => cache.live_objects) + large.live_objects,
    pages: of((cache) => cache.pages) + large.pages,
    start_pages: of((cache) => cache.start_pages) + observations.start_large_pages,
    reclaimable_pages: sum(slabs.nr_slab_reclaimable_pages),
    unreclaimable_pages: sum(slabs.nr_slab_unreclaimable_pages),
    requested_bytes: of((cache) => cache.requested_bytes) + large.requested_bytes,
    waste_bytes: of((cache) => cache.waste_bytes) + large_rounding_bytes,
    waste,
    allocated: sum(contexts.map(({ allocated }) => allocated)),
    failed: sum(contexts.map(({ failed }) => failed)),
    freed: sum(contexts.map(({ freed }) => freed)),
    stats: statsOf(slabs.caches),
  };
}

const NO_WASTE: ResultSlabWaste = {
  rounding_bytes: 0,
  alignment_bytes: 0,
  debug_bytes: 0,
  deferred_bytes: 0,
  free_cpu_bytes: 0,
  free_partial_bytes: 0,
  tail_bytes: 0,
};

function statsOf(caches: readonly KmemCache[]): Record<string, number> {
  const totals = SLAB_STAT_NAMES.map(
    (name, item) => [name, sum(caches.map((cache) => cache.total(item)))] as const,
  );
  return Object.fromEntries(totals.filter(([, count]) => count > 0));
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
