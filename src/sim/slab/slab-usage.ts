/**
 * Where the bytes of each cache's slabs go. One walk over the table; what stands in it is what a debugger would find, so the
 * parts are counted and not computed from each other.
 * model: slub 1.4, 2.1
 */
import { type SlabGeometry, slabGeometry } from '../../mm/slab/geometry.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { isDebugCache, SLAB_DEBUG_FZPU, SLAB_TRACE } from '../../mm/slab/slab-flags.js';
import { NO_SLAB, SLAB_EXISTS, SLAB_NODE_PARTIAL } from '../../mm/slab/slab-table.js';
import { PAGE_BYTES } from '../../mm/types.js';
import type { ResultSlabWaste } from '../../report/slab/result-slab.js';

/** Slots that the table has as in use though nobody has them, and slabs that are on the way out. */
export interface SlabsPutOff {
  /** frozen slabs that wait to be deactivated, with the private freelist that goes back into them; others, with none */
  readonly slabs: ReadonlyMap<number, number>;
  /** slots given back by kfree_nolock that wait for irq_work, by number of their cache */
  readonly objects: ReadonlyMap<number, number>;
  /** slots in per-CPU sheaves and barns, by number of their cache */
  readonly sheaves?: ReadonlyMap<number, number>;
}

export const NOTHING_PUT_OFF: SlabsPutOff = { slabs: new Map(), objects: new Map() };

/** Of one cache. */
export interface SlabUsage {
  readonly pages: number;
  readonly live_objects: number;
  /** slots of slabs on nodes' lists that are free */
  readonly free_partial_objects: number;
  /** all other free slots */
  readonly free_cpu_objects: number;
  readonly deferred_objects: number;
  readonly tail_bytes: number;
}

/** By number of the cache. */
export function slabUsage(slabs: SlabAllocator, putOff: SlabsPutOff = NOTHING_PUT_OFF): SlabUsage[] {
  const { table, caches } = slabs;
  const columns = () => new Float64Array(caches.length);
  const [pages, inuse, partial, cpu, tail] = [columns(), columns(), columns(), columns(), columns()];
  for (let slab = 0; slab < table.end; slab++) {
    if (!table.hasFlag(slab, SLAB_EXISTS)) continue;
    const cache = table.cache[slab]!;
    const own_pages = 2 ** table.order[slab]!;
    const objects = table.objects[slab]!;
    const free = objects - table.inuse[slab]!;
    pages[cache]! += own_pages;
    inuse[cache]! += table.inuse[slab]!;
    if (table.hasFlag(slab, SLAB_NODE_PARTIAL)) partial[cache]! += free;
    else cpu[cache]! += free;
    tail[cache]! += own_pages * PAGE_BYTES - objects * caches[cache]!.geometry.size_bytes;
  }
  const heldBack = columns();
  for (const cache of caches) heldBack[cache.number] = privateSlots(slabs, cache);
  for (const [slab, freelist] of putOff.slabs)
    heldBack[table.cache[slab]!]! += table.slotsFrom(slab, freelist).length;
  return caches.map(({ number }) => {
    const deferred_objects = putOff.objects.get(number) ?? 0;
    const kept = heldBack[number]! + (putOff.sheaves?.get(number) ?? 0);
    return {
      pages: pages[number]!,
      live_objects: inuse[number]! - kept - deferred_objects,
      free_partial_objects: partial[number]!,
      free_cpu_objects: cpu[number]! + kept,
      deferred_objects,
      tail_bytes: tail[number]!,
    };
  });
}

/** Slots on the private freelists of all CPUs: the slabs have them as in use. */
function privateSlots({ table }: SlabAllocator, cache: KmemCache): number {
  let slots = 0;
  for (let cpu = 0; cpu < cache.cpus; cpu++) {
    const slab = cache.cpuSlab[cpu]!;
    if (slab !== NO_SLAB) slots += table.slotsFrom(slab, cache.freelist[cpu]!).length;
  }
  return slots;
}

/** What slab_debug adds to a slot. */
function debugBytes({ machine, policy }: SlabAllocator, { spec, geometry }: KmemCache): number {
  if (!isDebugCache(geometry.flags)) return 0;
  const plain: SlabGeometry = slabGeometry(
    { ...spec, flags: spec.flags & ~(SLAB_DEBUG_FZPU | SLAB_TRACE) },
    machine,
    policy,
  );
  return Math.max(0, geometry.size_bytes - Math.max(plain.size_bytes, geometry.object_size_bytes));
}

/** @param requested_bytes  of live objects */
export function slabWaste(
  slabs: SlabAllocator,
  cache: KmemCache,
  usage: SlabUsage,
  requested_bytes: number,
): ResultSlabWaste {
  const { object_size_bytes, size_bytes } = cache.geometry;
  const debug = debugBytes(slabs, cache);
  const { live_objects } = usage;
  return {
    rounding_bytes: live_objects * object_size_bytes - requested_bytes,
    alignment_bytes: live_objects * (size_bytes - object_size_bytes - debug),
    debug_bytes: live_objects * debug,
    deferred_bytes: usage.deferred_objects * size_bytes,
    free_cpu_bytes: usage.free_cpu_objects * size_bytes,
    free_partial_bytes: usage.free_partial_objects * size_bytes,
    tail_bytes: usage.tail_bytes,
  };
}
