/**
 * Caches that share one: when a cache is created that an older one could serve as well, the older one does, under both
 * names.
 * model: slab-caches 1
 */
import type { Policy } from '../policy.js';
import type { StateIo } from '../state-io.js';
import { flagsOfCache } from './build-rules.js';
import { destroyCache } from './destroy.js';
import { type CacheSpec, cacheAlignment } from './geometry.js';
import type { KmemCache } from './kmem-cache.js';
import type { SlabAllocator } from './slab-allocator.js';
import {
  SLAB_ACCOUNT,
  SLAB_CACHE_DMA,
  SLAB_CACHE_DMA32,
  SLAB_CONSISTENCY_CHECKS,
  SLAB_KMALLOC,
  SLAB_MERGE_SAME,
  SLAB_NEVER_MERGE,
  SLAB_RECLAIM_ACCOUNT,
} from './slab-flags.js';

const WORD_BYTES = 8;
const ID_DIGITS = 7;
/** References of a cache that is gone. */
const GONE = 0;
/** References of the caches that hold the slab allocator's own descriptors: they are never merged, and never go. */
const PERMANENT = -1;

const ID_LETTERS: readonly (readonly [flag: number, letter: string])[] = [
  [SLAB_CACHE_DMA, 'd'],
  [SLAB_CACHE_DMA32, 'D'],
  [SLAB_RECLAIM_ACCOUNT, 'a'],
  [SLAB_CONSISTENCY_CHECKS, 'F'],
  [SLAB_ACCOUNT, 'A'],
];

/** Names of the caches that the slab allocator itself is made of. */
const BOOT_CACHES: ReadonlySet<string> = new Set(['kmem_cache', 'kmem_cache_node']);

/** Whether a cache may share slabs with others at all. model: slab-caches 1.2 */
export function isMergeable(spec: CacheSpec, policy: Policy): boolean {
  const { flags } = spec;
  if (!policy['slab.merge'] || spec.hasConstructor || BOOT_CACHES.has(spec.name)) return false;
  if (flags & SLAB_NEVER_MERGE || (spec.sheaf_capacity ?? 0) > 0) return false;
  if (flags & SLAB_CONSISTENCY_CHECKS && !policy['slab.merge_checked']) return false;
  // All of a kmalloc object may go to user space.
  const isCopied = (spec.usersize_bytes ?? 0) > 0 || (flags & SLAB_KMALLOC) !== 0;
  return !(isCopied && policy['slab.hardened_usercopy']);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** Whether the slots of an older, mergeable cache do for objects of the new one. model: slab-caches 1.3 */
function canServe({ geometry }: KmemCache, spec: CacheSpec, size: number): boolean {
  if (((geometry.flags ^ spec.flags) & SLAB_MERGE_SAME) !== 0) return false;
  // Slots and size are multiples of 8, so they are equal; and so the slots have the alignment that is in the size.
  const spare = geometry.size_bytes - size;
  return spare >= 0 && spare < WORD_BYTES;
}

/** Name of a mergeable cache's directory in sysfs, told by what is equal in all that share it. model: slab-caches 1.4 */
export function cacheId({ geometry }: KmemCache): string {
  const letters = ID_LETTERS.filter(([flag]) => geometry.flags & flag).map(([, letter]) => letter);
  const digits = String(geometry.size_bytes).padStart(ID_DIGITS, '0');
  return `:${letters.length === 0 ? '' : `${letters.join('')}-`}${digits}`;
}

/** The caches of one machine as those who create and destroy them know them. */
export class MergedCaches {
  /** users of each cache by its number; caches that others made count as having one */
  #references: number[] = [];
  /** largest object of each cache's users, where that is not its first user's */
  #grown = new Map<number, number>();

  constructor(readonly slabs: SlabAllocator) {}

  serialize(io: StateIo): void {
    this.#references = io.list('references', this.#references);
    const grown = io.list('grown', [...this.#grown].flat());
    if (!io.isLoading) return;
    this.#grown = new Map();
    for (let at = 0; at < grown.length; at += 2) this.#grown.set(grown[at]!, grown[at + 1]!);
  }

  /** A cache for these objects: one that exists, if it may and does, or a new one. */
  create(spec: CacheSpec): KmemCache {
    const shared = this.#findMergeable(spec);
    if (shared === undefined) {
      const cache = this.slabs.createCache(spec);
      this.#setReferences(cache, BOOT_CACHES.has(spec.name) ? PERMANENT : 1);
      return cache;
    }
    this.#setReferences(shared, this.references(shared) + 1);
    if (spec.object_size_bytes > this.objectSize(shared))
      this.#grown.set(shared.number, spec.object_size_bytes);
    return shared;
  }

  /**
   * One user less; the last one takes the cache along.
   *
   * @returns slabs that keep a cache without users alive, because objects remain in them; 0 where all is well
   */
  destroy(cache: KmemCache, cpu: number): number {
    const references = this.references(cache);
    if (references === PERMANENT || references === GONE) return 0;
    if (references > 1) {
      this.#setReferences(cache, references - 1);
      return 0;
    }
    this.#setReferences(cache, GONE);
    return destroyCache(this.slabs, cache, cpu);
  }

  /** Users of a cache, or 0 if it is gone; negative for one that never goes. */
  references(cache: KmemCache): number {
    return this.#references[cache.number] ?? 1;
  }

  #setReferences({ number }: KmemCache, count: number): void {
    while (this.#references.length < number) this.#references.push(1);
    this.#references[number] = count;
  }

  /** Bytes of the largest object that the cache's users put into its slots. model: slab-caches 1.5 */
  objectSize(cache: KmemCache): number {
    return this.#grown.get(cache.number) ?? cache.geometry.object_size_bytes;
  }

  /** The oldest cache that does. model: slab-caches 1.3 */
  #findMergeable(asked: CacheSpec): KmemCache | undefined {
    const { policy, machine, caches, build, debug } = this.slabs;
    // The boot line may single out the new cache by its name.
    const spec = { ...asked, flags: flagsOfCache(asked, build, debug) };
    if (!isMergeable(spec, policy)) return undefined;
    const object_size_bytes = roundUp(spec.object_size_bytes, WORD_BYTES);
    const align = cacheAlignment({ ...spec, object_size_bytes }, machine.cache_line_bytes);
    const size = roundUp(object_size_bytes, align);
    return caches.find(
      (cache) =>
        this.references(cache) > GONE && isMergeable(cache.spec, policy) && canServe(cache, spec, size),
    );
  }
}
