/**
 * Recomputes the slab allocator's state from its lists and compares it with what is kept beside them.
 *
 *     (a) a free slot is on one freelist only, and a slot that is handed out on none
 *     (b) inuse is what is not on the slab's own freelist
 *     (c) a slab is in one place: a CPU's, on a chain, on a node's list, or, full, on none; its marks say the same
 *     (d) lists are linked both ways and as long as their counts
 *     (e) sheaves are in one place each, and their slots in no other (validate-sheaves.ts)
 *     (f) the nodes' counts of slabs and objects are those of the slabs that exist, and so are the pages
 *
 * model: slub 2.1, 8a.2; scenario 39
 */
import { InvariantError } from '../invariant.js';
import type { KmemCache } from './kmem-cache.js';
import { slotsInSheaves } from './sheaves/validate-sheaves.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SLAB_RECLAIM_ACCOUNT } from './slab-flags.js';
import type { SlabList } from './slab-list.js';
import {
  NO_SLAB,
  NO_SLOT,
  SLAB_EXISTS,
  SLAB_FROZEN,
  SLAB_NODE_PARTIAL,
  SLAB_ON_FULL_LIST,
  type SlabTable,
} from './slab-table.js';

export interface ValidateSlabOptions {
  /** what was handed out, if somebody knows: then every slot must be somewhere */
  readonly isLive?: (slab: number, slot: number) => boolean;
  /**
   * slabs that wait: frozen ones to be deactivated, with the private freelist that goes back into them; others, which no
   * node counts, to be freed
   */
  readonly deferred?: ReadonlyMap<number, number>;
  /** slabs that nodes count although the table does not have them: others' */
  readonly unseen?: (cache: KmemCache) => { readonly slabs: number; readonly objects: number };
}

/** Throws an InvariantError that names the first thing found to be wrong. */
export function validateSlabs(slabs: SlabAllocator, options: ValidateSlabOptions = {}): void {
  new SlabValidator(slabs, options).run();
}

type Place = 'cpu' | 'chain' | 'partial' | 'full' | 'deferred';

class SlabValidator {
  readonly #table: SlabTable;
  readonly #places = new Map<number, Place>();
  /** first slot of the private freelist of slabs that have one */
  readonly #private = new Map<number, number>();
  /** slots in sheaves, by slab */
  readonly #parked = new Map<number, number[]>();

  constructor(
    readonly slabs: SlabAllocator,
    readonly options: ValidateSlabOptions,
  ) {
    this.#table = slabs.table;
  }

  run(): void {
    for (const [slab, freelist] of this.options.deferred ?? []) {
      this.#place(slab, 'deferred');
      this.#private.set(slab, freelist);
    }
    for (const cache of this.slabs.caches) this.#cache(cache);
    let count = 0;
    for (let slab = 0; slab < this.#table.end; slab++)
      if (this.#table.hasFlag(slab, SLAB_EXISTS)) {
        this.#slab(slab);
        count++;
      }
    check(count === this.#table.count, () => `the table counts ${this.#table.count} slabs and has ${count}`);
    this.#pages();
  }

  #place(slab: number, place: Place): void {
    check(this.#table.exists(slab), () => `slab ${slab}, found on ${place}, does not exist`);
    const before = this.#places.get(slab);
    check(before === undefined, () => `slab ${slab} is in two places, ${before} and ${place}`);
    this.#places.set(slab, place);
  }

  #cache(cache: KmemCache): void {
    slotsInSheaves(this.slabs, cache, this.#parked);
    for (let cpu = 0; cpu < cache.cpus; cpu++) this.#cpu(cache, cpu);
    for (let node = 0; node < cache.nodes; node++) {
      const partial = this.#list(cache, cache.partial, node, 'partial');
      check(
        partial === cache.nr_partial[node],
        () => `${cache.name} node ${node}: nr_partial ${cache.nr_partial[node]}, list of ${partial}`,
      );
      this.#list(cache, cache.full, node, 'full');
      this.#nodeCounts(cache, node);
    }
  }

  #cpu(cache: KmemCache, cpu: number): void {
    const slab = cache.cpuSlab[cpu]!;
    const freelist = cache.freelist[cpu]!;
    if (slab === NO_SLAB) check(freelist === NO_SLOT, () => `${cache.name} CPU ${cpu}: slots without a slab`);
    else {
      this.#place(slab, 'cpu');
      this.#private.set(slab, freelist);
    }
    let parked = 0;
    for (let next = cache.cpuPartial[cpu]!; next !== NO_SLAB; next = this.#table.next[next]!) {
      this.#place(next, 'chain');
      parked++;
    }
    const { [cpu]: count } = cache.cpu_partial_count;
    check(parked === count, () => `${cache.name} CPU ${cpu}: chain of ${parked} counted as ${count}`);
  }

  #list(cache: KmemCache, list: SlabList, node: number, place: Place): number {
    let before = NO_SLAB;
    let length = 0;
    for (let slab = list.head[node]!; slab !== NO_SLAB; slab = this.#table.next[slab]!) {
      this.#place(slab, place);
      const where = `${cache.name} node ${node}, ${place} list: slab ${slab}`;
      check(this.#table.prev[slab] === before, () => `${where} is linked wrongly`);
      check(this.#table.node[slab] === node, () => `${where} is of node ${this.#table.node[slab]}`);
      check(this.#table.cache[slab] === cache.number, () => `${where} is of another cache`);
      before = slab;
      length++;
    }
    check(list.tail[node] === before, () => `${cache.name} node ${node}: ${place} list ends elsewhere`);
    return length;
  }

  /** Waits to be freed and never was in use. */
  #isUncounted(slab: number): boolean {
    return this.#places.get(slab) === 'deferred' && !this.#table.hasFlag(slab, SLAB_FROZEN);
  }

  #nodeCounts(cache: KmemCache, node: number): void {
    const { table } = this.slabs;
    let { slabs, objects } = this.options.unseen?.(cache) ?? { slabs: 0, objects: 0 };
    for (let slab = 0; slab < table.end; slab++)
      if (
        table.hasFlag(slab, SLAB_EXISTS) &&
        table.cache[slab] === cache.number &&
        table.node[slab] === node &&
        !this.#isUncounted(slab)
      ) {
        slabs++;
        objects += table.objects[slab]!;
      }
    const where = `${cache.name} node ${node}`;
    check(slabs === cache.nr_slabs[node], () => `${where}: nr_slabs ${cache.nr_slabs[node]}, real ${slabs}`);
    check(
      objects === cache.total_objects[node],
      () => `${where}: total_objects ${cache.total_objects[node]}, real ${objects}`,
    );
  }

  #slab(slab: number): void {
    const table = this.#table;
    const place = this.#places.get(slab);
    const cache = this.slabs.caches[table.cache[slab]!]!;
    const where = `${cache.name} slab ${slab}`;
    // One that waits to be freed was never in use, so it was never frozen.
    const isUnused = table.inuse[slab] === 0 && this.#isUncounted(slab);
    const marks: readonly (readonly [flag: number, expected: boolean, name: string])[] = [
      [SLAB_FROZEN, place === 'cpu' || (place === 'deferred' && !isUnused), 'frozen'],
      [SLAB_NODE_PARTIAL, place === 'partial', 'node-partial'],
      [SLAB_ON_FULL_LIST, place === 'full', 'full'],
    ];
    for (const [flag, expected, name] of marks)
      check(table.hasFlag(slab, flag) === expected, () => `${where}: mark ${name} is wrong on ${place}`);
    const isFull = this.#slots(slab, where);
    const mustBeListed = !isFull && place === undefined;
    check(!mustBeListed, () => `${where} has free slots and is on no list`);
    const mustNotBe = isFull && (place === 'partial' || place === 'chain');
    check(!mustNotBe, () => `${where} has no free slot and is on ${place}`);
  }

  /** @returns whether its own freelist is empty */
  #slots(slab: number, where: string): boolean {
    const table = this.#table;
    const objects = table.objects[slab]!;
    const seen = new Uint8Array(objects);
    const own = this.#walk(slab, table.freelist[slab]!, seen, where);
    check(
      table.inuse[slab] === objects - own,
      () => `${where}: inuse ${table.inuse[slab]} of ${objects}, ${own} free`,
    );
    this.#walk(slab, this.#private.get(slab) ?? NO_SLOT, seen, where);
    for (const slot of this.#parked.get(slab) ?? []) {
      check(seen[slot] === 0, () => `${where}: slot ${slot} is in a sheaf and free elsewhere`);
      seen[slot] = 1;
    }
    const { isLive } = this.options;
    if (isLive !== undefined)
      for (let slot = 0; slot < objects; slot++)
        check(
          isLive(slab, slot) === (seen[slot] === 0),
          () => `${where}: slot ${slot} is lost or in two places`,
        );
    return own === 0;
  }

  #walk(slab: number, head: number, seen: Uint8Array, where: string): number {
    let count = 0;
    for (let slot = head; slot !== NO_SLOT; slot = this.#table.nextFree(slab, slot)) {
      const at = slot;
      check(at < seen.length, () => `${where}: freelist leads to slot ${at}, which it does not have`);
      check(seen[at] === 0, () => `${where}: slot ${at} is on a freelist twice`);
      seen[at] = 1;
      count++;
    }
    return count;
  }

  #pages(): void {
    const { table, caches, nodes } = this.slabs;
    const reclaimable = new Float64Array(nodes);
    const unreclaimable = Float64Array.from(this.slabs.large_pages);
    for (let slab = 0; slab < table.end; slab++) {
      if (!table.hasFlag(slab, SLAB_EXISTS)) continue;
      const { flags } = caches[table.cache[slab]!]!.geometry;
      const counts = flags & SLAB_RECLAIM_ACCOUNT ? reclaimable : unreclaimable;
      const node = table.node[slab]!;
      counts[node] = counts[node]! + 2 ** table.order[slab]!;
    }
    for (let node = 0; node < nodes; node++)
      check(
        reclaimable[node] === this.slabs.nr_slab_reclaimable_pages[node] &&
          unreclaimable[node] === this.slabs.nr_slab_unreclaimable_pages[node],
        () => `node ${node}: slab pages are counted wrongly`,
      );
  }
}

function check(isTrue: boolean, text: () => string): void {
  if (!isTrue) throw new InvariantError(text());
}
