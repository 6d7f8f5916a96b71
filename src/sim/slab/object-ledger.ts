/**
 * What the slab allocator itself does not keep of its objects: how many bytes each was asked for, and who asked.
 *
 * Two columns of 16 bits beside the links of the slab table, one word per slot. A slot whose word is 0 counts as a whole
 * object: nobody said otherwise, as of objects from before the trace, or all of it was asked for.
 */
import type { Context } from '../../mm/context.js';
import { largeKmallocOrder } from '../../mm/slab/kmalloc-caches.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { arrays, type StateIo } from '../../mm/state-io.js';
import type { ResultSlab } from '../../report/slab/result-slab.js';
import { CTX_NAMES } from '../../trace/event-batch.js';
import { CallSites, OTHER_SITES } from './call-sites.js';

/** Requests that are larger have no word: they count as whole objects. */
const MAX_REQUEST_BYTES = 0xfffe;

/** Large objects are of no cache. */
export const NO_CACHE = -1;

export class ObjectLedger {
  readonly sites = new CallSites();
  /** by slot: bytes asked for, + 1 */
  #requested = new Uint16Array(0);
  /** by slot: number of the site, + 1; 0 for an object that nobody told of */
  #site = new Uint16Array(0);
  /** by cache: objects with a word, and the bytes of them */
  #partial_objects = new Float64Array(0);
  #partial_bytes = new Float64Array(0);
  /** by cache */
  #allocated = new Float64Array(0);
  #failed = new Float64Array(0);
  #freed = new Float64Array(0);
  /** large objects: PFN -> bytes asked for */
  readonly #large = new Map<number, number>();
  #large_requested_bytes = 0;
  /** pages of them */
  #large_pages = 0;
  /** by context: allocated, failed, freed */
  readonly calls = new Float64Array(CTX_NAMES.length * 3);

  constructor(readonly slabs: SlabAllocator) {}

  /**
   * A slot was handed out.
   *
   * @param requested_bytes  what the caller asked for
   * @param site             number in `sites`
   */
  noteAllocated(
    slab: number,
    slot: number,
    requested_bytes: number,
    context: Context,
    site: number = OTHER_SITES,
  ): void {
    const { table, caches } = this.slabs;
    const number = table.cache[slab]!;
    const { object_size_bytes, size_bytes } = caches[number]!.geometry;
    this.#growTo(number);
    const word = this.#wordOf(slab, slot);
    if (requested_bytes < object_size_bytes && requested_bytes <= MAX_REQUEST_BYTES) {
      this.#requested[word] = requested_bytes + 1;
      this.#partial_objects[number]!++;
      this.#partial_bytes[number]! += requested_bytes;
    }
    this.#site[word] = site + 1;
    this.sites.noteAllocated(site, size_bytes);
    this.#allocated[number]!++;
    this.calls[context * 3]!++;
  }

  /** The caller gave a slot back, whether it is free at once or only later. */
  noteFreed(slab: number, slot: number, context: Context): void {
    const { table, caches } = this.slabs;
    const number = table.cache[slab]!;
    this.#growTo(number);
    const word = this.#wordOf(slab, slot);
    const requested = this.#requested[word]!;
    if (requested > 0) {
      this.#requested[word] = 0;
      this.#partial_objects[number]!--;
      this.#partial_bytes[number]! -= requested - 1;
    }
    const site = this.#site[word]!;
    this.#site[word] = 0;
    if (site > 0) this.sites.noteFreed(site - 1, caches[number]!.geometry.size_bytes);
    this.#freed[number]!++;
    this.calls[context * 3 + 2]!++;
  }

  /** A request got nothing. @param cache  number of the cache that would have served it, or NO_CACHE */
  noteFailed(cache: number, context: Context, site: number = OTHER_SITES): void {
    if (cache !== NO_CACHE) {
      this.#growTo(cache);
      this.#failed[cache]!++;
    }
    this.sites.noteFailed(site);
    this.calls[context * 3 + 1]!++;
  }

  /** A request above the largest bucket got pages. */
  noteLargeAllocated(pfn: number, requested_bytes: number, context: Context): void {
    this.#forgetLarge(pfn);
    this.#large.set(pfn, requested_bytes);
    this.#large_requested_bytes += requested_bytes;
    this.#large_pages += pagesOf(requested_bytes);
    this.calls[context * 3]!++;
  }

  noteLargeFreed(pfn: number, context: Context): void {
    this.#forgetLarge(pfn);
    this.calls[context * 3 + 2]!++;
  }

  #forgetLarge(pfn: number): void {
    const bytes = this.#large.get(pfn);
    if (bytes === undefined) return;
    this.#large.delete(pfn);
    this.#large_requested_bytes -= bytes;
    this.#large_pages -= pagesOf(bytes);
  }

  #wordOf(slab: number, slot: number): number {
    const { table } = this.slabs;
    const word = table.base[slab]! + slot;
    if (word >= this.#requested.length) {
      const length = Math.max(table.links.length, word + 1);
      this.#requested = grown(this.#requested, new Uint16Array(length));
      this.#site = grown(this.#site, new Uint16Array(length));
    }
    return word;
  }

  #growTo(cache: number): void {
    if (cache < this.#allocated.length) return;
    const length = Math.max(64, 2 * (cache + 1));
    this.#partial_objects = grown(this.#partial_objects, new Float64Array(length));
    this.#partial_bytes = grown(this.#partial_bytes, new Float64Array(length));
    this.#allocated = grown(this.#allocated, new Float64Array(length));
    this.#failed = grown(this.#failed, new Float64Array(length));
    this.#freed = grown(this.#freed, new Float64Array(length));
  }

  /** Counts of calls begin anew; what is live stays. */
  clear(): void {
    for (const counts of [this.#allocated, this.#failed, this.#freed, this.calls]) counts.fill(0);
    this.sites.clear();
  }

  serialize(io: StateIo): void {
    io.part('sites', this.sites);
    this.#requested = io.growing('requested', this.#requested);
    this.#site = io.growing('site', this.#site);
    if (io.isLoading && this.#site.length !== this.#requested.length) io.refuse('slots and sites differ');
    this.#partial_objects = io.growing('partial_objects', this.#partial_objects);
    this.#partial_bytes = io.growing('partial_bytes', this.#partial_bytes);
    this.#allocated = io.growing('allocated', this.#allocated);
    this.#failed = io.growing('failed', this.#failed);
    this.#freed = io.growing('freed', this.#freed);
    arrays<ObjectLedger>(io, this, ['calls']);
    const large = io.list('large', [...this.#large].flat());
    this.#large_requested_bytes = io.number('large_requested_bytes', this.#large_requested_bytes);
    this.#large_pages = io.number('large_pages', this.#large_pages);
    if (!io.isLoading) return;
    this.#large.clear();
    for (let at = 0; at + 1 < large.length; at += 2) this.#large.set(large[at]!, large[at + 1]!);
  }

  /** Bytes that live objects were asked for, of a cache with so many. */
  requestedBytes(cache: number, live_objects: number): number {
    const partial = this.#partial_objects[cache] ?? 0;
    const { object_size_bytes } = this.slabs.caches[cache]!.geometry;
    return (live_objects - partial) * object_size_bytes + (this.#partial_bytes[cache] ?? 0);
  }

  callsOf(cache: number): { allocated: number; failed: number; freed: number } {
    return {
      allocated: this.#allocated[cache] ?? 0,
      failed: this.#failed[cache] ?? 0,
      freed: this.#freed[cache] ?? 0,
    };
  }

  /** Large objects that the run told of. */
  get large(): { readonly live_objects: number; readonly requested_bytes: number; readonly pages: number } {
    return {
      live_objects: this.#large.size,
      requested_bytes: this.#large_requested_bytes,
      pages: this.#large_pages,
    };
  }

  contextRows(): ResultSlab['contexts'] {
    return CTX_NAMES.map((name, context) => ({
      context: name as ResultSlab['contexts'][number]['context'],
      allocated: this.calls[context * 3]!,
      failed: this.calls[context * 3 + 1]!,
      freed: this.calls[context * 3 + 2]!,
    })).filter(({ allocated, failed, freed }) => allocated + failed + freed > 0);
  }
}

function pagesOf(bytes: number): number {
  return 2 ** largeKmallocOrder(bytes);
}

function grown<A extends Uint16Array | Float64Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
