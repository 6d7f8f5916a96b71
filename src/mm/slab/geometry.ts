/**
 * What a cache's slots and slabs look like, computed as the kernel does when a cache is created: from the object's
 * size, the flags, a constructor, and the machine.
 * model: slub 1.3-1.6
 */
import { GFP_COMP_BIT, GFP_DMA_BIT, GFP_DMA32_BIT, GFP_RECLAIMABLE_BIT } from '../gfp.js';
import { InvariantError } from '../invariant.js';
import { DEFAULT_BUILD, type MachineBuild } from '../machine-build.js';
import type { Policy } from '../policy.js';
import { MAX_PAGE_ORDER, PAGE_BYTES, PAGE_SHIFT } from '../types.js';
import {
  CMPXCHG_DOUBLE,
  isDebugCache,
  OBJECT_POISON,
  SLAB_CACHE_DMA,
  SLAB_CACHE_DMA32,
  SLAB_HWCACHE_ALIGN,
  SLAB_KMALLOC,
  SLAB_NO_CMPXCHG,
  SLAB_POISON,
  SLAB_RECLAIM_ACCOUNT,
  SLAB_RED_ZONE,
  SLAB_STORE_USER,
  SLAB_TYPESAFE_BY_RCU,
} from './slab-flags.js';

/** The counters of a slab have 15 bits for objects. */
export const MAX_OBJECTS_PER_SLAB = 32_767;
const WORD_BYTES = 8;

/** The machine as geometry sees it. */
export interface SlabMachine {
  readonly present_cpus: number;
  readonly possible_cpus: number;
  readonly cache_line_bytes: number;
  /** how the kernel was built; without it as DEFAULT_BUILD says */
  readonly build?: MachineBuild;
}

/** What a cache is created with. */
export interface CacheSpec {
  readonly name: string;
  readonly object_size_bytes: number;
  /** asked for; 0 for no wish */
  readonly align_bytes: number;
  readonly flags: number;
  readonly hasConstructor: boolean;
  /** where a cache that says so keeps its free pointer, in bytes from the object's start */
  readonly freeptr_offset_bytes?: number;
  /** bytes of an object that may be copied to and from user space; model: slab-caches 1.2 */
  readonly usersize_bytes?: number;
  /** objects per sheaf, where the cache asks for sheaves of a size of its own; model: slab-caches 1.2, slub 8a.1 */
  readonly sheaf_capacity?: number;
  /** what a kernel said of the cache, where that beats the computation; model: slab-caches 3.3 */
  readonly recorded_shape?: RecordedShape;
}

/** A slot's size and the order of slabs, as /proc/slabinfo has them; the rest of a geometry follows. */
export interface RecordedShape {
  readonly size_bytes: number;
  readonly order: number;
}

export interface SlabGeometry {
  /** as given, plus what follows from them */
  readonly flags: number;
  readonly object_size_bytes: number;
  /** of a slot */
  readonly size_bytes: number;
  /** end of what belongs to the object */
  readonly inuse_bytes: number;
  /** of the free pointer */
  readonly offset_bytes: number;
  readonly align_bytes: number;
  readonly red_left_pad_bytes: number;
  readonly order: number;
  readonly objects: number;
  /** what is tried when no pages of `order` are free */
  readonly min_order: number;
  readonly min_objects: number;
  /** empty slabs kept per node */
  readonly min_partial: number;
  /** free objects that a CPU may park, as a wish; the limit that holds is the next one */
  readonly cpu_partial: number;
  readonly cpu_partial_slabs: number;
  /** gfp bits of every page request of the cache */
  readonly alloc_gfp: number;
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** Position of the highest bit, counted from 1; 0 for 0. */
function bitLength(value: number): number {
  return 32 - Math.clz32(value);
}

/** Smallest order whose pages hold so many bytes. */
export function orderOfBytes(bytes: number): number {
  return bytes <= PAGE_BYTES ? 0 : bitLength((bytes - 1) >>> PAGE_SHIFT);
}

/** Slots in 2^order pages. */
export function objectsInOrder(order: number, size_bytes: number): number {
  return Math.floor((PAGE_BYTES * 2 ** order) / size_bytes);
}

/** Alignment of a cache's slots. model: slub 1.3 */
export function cacheAlignment({ flags, align_bytes, object_size_bytes }: CacheSpec, line: number): number {
  let align = align_bytes;
  if (flags & SLAB_HWCACHE_ALIGN) {
    let wish = line;
    // Small objects share a line, as long as none straddles two.
    while (object_size_bytes <= wish / 2) wish /= 2;
    align = Math.max(align, wish);
  }
  return roundUp(Math.max(align, WORD_BYTES), WORD_BYTES);
}

interface SlotLayout {
  readonly size_bytes: number;
  readonly inuse_bytes: number;
  readonly offset_bytes: number;
  readonly red_left_pad_bytes: number;
}

/** Whether the free pointer may not overlap the object. model: slub 1.4 step 3 */
function keepsFreePointerOutside(spec: CacheSpec): boolean {
  const { flags, object_size_bytes, hasConstructor } = spec;
  const choosesOffset = spec.freeptr_offset_bytes !== undefined;
  if (flags & SLAB_POISON) return true;
  if (!choosesOffset && (flags & SLAB_TYPESAFE_BY_RCU || hasConstructor)) return true;
  if (!(flags & SLAB_RED_ZONE)) return false;
  return object_size_bytes < WORD_BYTES || tracksRequestSize(flags);
}

/** kmalloc caches that store their user also store how much of a slot was asked for. */
function tracksRequestSize(flags: number): boolean {
  return (flags & SLAB_STORE_USER) !== 0 && (flags & SLAB_KMALLOC) !== 0;
}

/** model: slub 1.4 */
function slotLayout(spec: CacheSpec, align: number, policy: Policy): SlotLayout {
  const { flags, object_size_bytes } = spec;
  let inuse_bytes = roundUp(object_size_bytes, WORD_BYTES);
  if (flags & SLAB_RED_ZONE && inuse_bytes === object_size_bytes) inuse_bytes += WORD_BYTES;
  let size_bytes = inuse_bytes;
  let offset_bytes = Math.floor(object_size_bytes / 2 / WORD_BYTES) * WORD_BYTES;
  if (keepsFreePointerOutside(spec)) {
    offset_bytes = inuse_bytes;
    size_bytes += WORD_BYTES;
  } else if (flags & SLAB_TYPESAFE_BY_RCU && spec.freeptr_offset_bytes !== undefined) {
    offset_bytes = spec.freeptr_offset_bytes;
  }
  if (flags & SLAB_STORE_USER) {
    size_bytes += 2 * policy['slab.track_bytes'];
    if (tracksRequestSize(flags)) size_bytes += policy['slab.orig_size_bytes'];
  }
  let red_left_pad_bytes = 0;
  if (flags & SLAB_RED_ZONE) {
    red_left_pad_bytes = roundUp(WORD_BYTES, align);
    size_bytes += WORD_BYTES + red_left_pad_bytes;
  }
  return { size_bytes: roundUp(size_bytes, align), inuse_bytes, offset_bytes, red_left_pad_bytes };
}

/** Objects that a slab should hold at least, by the number of CPUs. model: slub 1.5 step 1 */
export function wantedObjects(machine: SlabMachine, policy: Policy): number {
  const fixed = policy['slab.min_objects'];
  if (fixed > 0) return fixed;
  const cpus = machine.present_cpus <= 1 ? machine.possible_cpus : machine.present_cpus;
  return 4 * (bitLength(cpus) + 1);
}

/** First order from `objects` on whose waste is small enough, or one above the limit. model: slub 1.5 steps 3-4 */
function orderWithLittleWaste(size: number, objects: number, fraction: number, policy: Policy): number {
  const least = policy['slab.min_order'];
  if (objectsInOrder(least, size) > MAX_OBJECTS_PER_SLAB)
    return orderOfBytes(size * MAX_OBJECTS_PER_SLAB) - 1;
  const most = policy['slab.max_order'];
  let order = Math.max(least, orderOfBytes(objects * size));
  for (; order <= most; order++) {
    const bytes = PAGE_BYTES * 2 ** order;
    if (bytes % size <= Math.floor(bytes / fraction)) break;
  }
  return order;
}

/** model: slub 1.5 */
export function slabOrder(size: number, machine: SlabMachine, policy: Policy): number {
  const most = policy['slab.max_order'];
  const wanted = Math.min(wantedObjects(machine, policy), Math.max(1, objectsInOrder(most, size)));
  const relaxes = policy['slab.order_search'] === 'relax_objects';
  const widest = relaxes ? 4 : 2;
  for (let objects = wanted; objects >= (relaxes ? 2 : wanted); objects--)
    for (let fraction = 16; fraction >= widest; fraction /= 2) {
      const order = orderWithLittleWaste(size, objects, fraction, policy);
      if (order <= most) return order;
    }
  const order = Math.max(relaxes ? Math.min(policy['slab.min_order'], most) : 0, orderOfBytes(size));
  if (order <= MAX_PAGE_ORDER) return order;
  throw new InvariantError(`no slab can hold an object of ${size} bytes`);
}

/** Free objects that a CPU may park. model: slub 1.6 */
function cpuPartialObjects(size: number, flags: number, policy: Policy): number {
  if (!policy['slab.cpu_partial'] || policy['slab.kind'] === 'sheaves' || isDebugCache(flags)) return 0;
  const [small, middle, large, page] = policy['slab.cpu_partial_objects'];
  if (size >= PAGE_BYTES) return page!;
  if (size >= 1024) return large!;
  return size >= 256 ? middle! : small!;
}

function pageGfp(flags: number): number {
  let gfp = GFP_COMP_BIT;
  if (flags & SLAB_CACHE_DMA) gfp |= GFP_DMA_BIT;
  if (flags & SLAB_CACHE_DMA32) gfp |= GFP_DMA32_BIT;
  if (flags & SLAB_RECLAIM_ACCOUNT) gfp |= GFP_RECLAIMABLE_BIT;
  return gfp;
}

/** Empty slabs that a node keeps. model: slub 1.6 */
function minPartial(size: number, policy: Policy): number {
  const wish = Math.floor((bitLength(size) - 1) / 2);
  return Math.min(policy['slab.min_partial_most'], Math.max(policy['slab.min_partial_least'], wish));
}

function derivedFlags({ flags, hasConstructor }: CacheSpec, { cmpxchg_double }: MachineBuild): number {
  const poisons = flags & SLAB_POISON && !(flags & SLAB_TYPESAFE_BY_RCU) && !hasConstructor;
  const exchanges = cmpxchg_double && !(flags & SLAB_NO_CMPXCHG);
  return flags | (poisons ? OBJECT_POISON : 0) | (exchanges ? CMPXCHG_DOUBLE : 0);
}

export function slabGeometry(spec: CacheSpec, machine: SlabMachine, policy: Policy): SlabGeometry {
  const align_bytes = cacheAlignment(spec, machine.cache_line_bytes);
  const layout = slotLayout(spec, align_bytes, policy);
  const size_bytes = spec.recorded_shape?.size_bytes ?? layout.size_bytes;
  const order = spec.recorded_shape?.order ?? slabOrder(size_bytes, machine, policy);
  const objects = objectsInOrder(order, size_bytes);
  const min_order = orderOfBytes(size_bytes);
  const cpu_partial = cpuPartialObjects(size_bytes, spec.flags, policy);
  return {
    ...layout,
    size_bytes,
    flags: derivedFlags(spec, machine.build ?? DEFAULT_BUILD),
    object_size_bytes: spec.object_size_bytes,
    align_bytes,
    order,
    objects,
    min_order,
    min_objects: objectsInOrder(min_order, size_bytes),
    min_partial: minPartial(size_bytes, policy),
    cpu_partial,
    cpu_partial_slabs: Math.ceil((2 * cpu_partial) / objects),
    alloc_gfp: pageGfp(spec.flags),
  };
}
