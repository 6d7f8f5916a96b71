/**
 * What a replay tells of its slab calls beside what the allocator counts itself: the collectors of one run, and the pages
 * that each cache had when counting began.
 */
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { SLAB_EXISTS } from '../../mm/slab/slab-table.js';
import type { StateIo } from '../../mm/state-io.js';
import { Backlog } from './backlog.js';
import { HazardLog } from './hazard-log.js';
import { NolockOutcomes } from './nolock-outcomes.js';
import { ObjectLedger } from './object-ledger.js';

export class SlabObservations {
  readonly objects: ObjectLedger;
  readonly nolock: NolockOutcomes;
  readonly backlog = new Backlog();
  readonly hazards = new HazardLog();
  /** by number of the cache; caches that came later had none */
  #start_pages: Float64Array;
  #start_large_pages = 0;

  /** @param zones  of the machine, in the order of its specification */
  constructor(
    readonly slabs: SlabAllocator,
    zones: readonly { readonly node: number; readonly name: string }[],
  ) {
    this.objects = new ObjectLedger(slabs);
    this.nolock = new NolockOutcomes(zones);
    this.#start_pages = pagesByCache(slabs);
    this.#start_large_pages = largePages(slabs);
  }

  startPages(cache: number): number {
    return this.#start_pages[cache] ?? 0;
  }

  get start_large_pages(): number {
    return this.#start_large_pages;
  }

  /** Counting begins at this time: what was called before is forgotten, what is live or waits stays. */
  begin(ts_ns: number): void {
    this.objects.clear();
    this.nolock.clear();
    this.backlog.begin(ts_ns);
    this.hazards.clear();
    this.#start_pages = pagesByCache(this.slabs);
    this.#start_large_pages = largePages(this.slabs);
  }

  serialize(io: StateIo): void {
    io.part('objects', this.objects);
    io.part('nolock', this.nolock);
    io.part('backlog', this.backlog);
    io.part('hazards', this.hazards);
    this.#start_pages = io.growing('start_pages', this.#start_pages);
    this.#start_large_pages = io.number('start_large_pages', this.#start_large_pages);
  }
}

function pagesByCache({ table, caches }: SlabAllocator): Float64Array {
  const pages = new Float64Array(caches.length);
  for (let slab = 0; slab < table.end; slab++)
    if (table.hasFlag(slab, SLAB_EXISTS)) pages[table.cache[slab]!]! += 2 ** table.order[slab]!;
  return pages;
}

function largePages({ large_pages }: SlabAllocator): number {
  return large_pages.reduce((sum, pages) => sum + pages, 0);
}
