/**
 * Brings the model's kmalloc caches into the state that a run's first dump shows: slabs, free slots in order, lists, chains,
 * counters. Slots that are free nowhere belong to others, and so do slabs that no dump names: full ones.
 */
import { objectsInOrder } from '../../mm/slab/geometry.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { addPartial } from '../../mm/slab/node-partial-list.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { SLAB_STAT_NAMES, SlabStat } from '../../mm/slab/slab-stats.js';
import { NO_SLOT, SLAB_FROZEN } from '../../mm/slab/slab-table.js';
import { DumpProblem, shown } from '../../trace/oracle/dump-checks.js';
import type { NlrunSlab, NlrunState } from '../../trace/oracle/nlrun.js';
import type { StateCpu, StateNode, StateSlab } from '../../trace/oracle/slab-state.js';

/** Slabs of others that the model does not have, by number of the record's cache. */
export interface UnseenSlabs {
  readonly slabs: number;
  readonly objects: number;
}

export interface NlrunStart {
  readonly unseen: readonly UnseenSlabs[];
  /** what the record counts as one transaction; 0 if none was made */
  readonly tidStep: number;
}

/**
 * @param caches by the record's numbers, all empty
 * @param onSlab told the record's slab and the model's number of it
 * @throws DumpProblem for a dump that contradicts itself
 */
export function loadNlrunStart(
  slabs: SlabAllocator,
  caches: readonly KmemCache[],
  { state, found }: NlrunState,
  onSlab: (slab: NlrunSlab, own: number) => void,
): NlrunStart {
  const loader = new Loader(slabs, caches);
  for (const slab of found) onSlab(slab, loader.create(slab));
  for (const slab of state.slabs) loader.ownFreelist(slab);
  const tidStep = state.cpus.map(({ tid, cpu }) => tid - cpu).reduce(greatestDivisor, 0);
  for (const cpu of state.cpus) loader.cpu(cpu, Math.max(1, tidStep));
  for (const node of state.nodes) loader.node(node);
  for (const { cache, stats } of state.caches)
    for (const name of SLAB_STAT_NAMES) caches[cache]!.stats[SlabStat[name]] = stats[name] ?? 0;
  loader.checkPlaces();
  return { unseen: caches.map((_, cache) => loader.unseen(cache)), tidStep };
}

class Loader {
  /** by the record's numbers: the model's slab, where it stands, slots that are free somewhere */
  readonly #own = new Map<number, number>();
  readonly #placed = new Set<number>();
  readonly #free = new Map<number, Uint8Array>();

  constructor(
    readonly slabs: SlabAllocator,
    readonly caches: readonly KmemCache[],
  ) {}

  create({ n, cache: number, node, pfn, order, objects }: NlrunSlab): number {
    const { slabs } = this;
    const cache = this.caches[number]!;
    const fit = objectsInOrder(order, cache.geometry.size_bytes);
    if (objects !== fit) throw new DumpProblem('slab.objects', `is not the ${fit} that fit`, shown(objects));
    const slab = slabs.table.create(cache.number, node, pfn, order, objects);
    slabs.table.freelist[slab] = NO_SLOT;
    slabs.table.inuse[slab] = objects;
    slabs.accountPages(cache, node, 2 ** order);
    this.#own.set(n, slab);
    this.#free.set(n, new Uint8Array(objects));
    return slab;
  }

  ownFreelist({ n, inuse, objects, frozen, fl }: StateSlab): void {
    const slab = this.#slab(n);
    const { table } = this.slabs;
    if (objects !== table.objects[slab] || inuse + fl.length !== objects)
      throw new DumpProblem('ss.inuse', 'is not what its freelist leaves', shown(inuse));
    table.freelist[slab] = this.#thread(n, fl);
    table.inuse[slab] = inuse;
    if (frozen === 1) table.setFlag(slab, SLAB_FROZEN);
  }

  cpu({ cache: number, cpu, slab: n, freelist, tid, partial, partial_slabs }: StateCpu, step: number): void {
    const cache = this.caches[number]!;
    const { table } = this.slabs;
    cache.tid[cpu] = cpu + (tid - cpu) / step;
    if (n === null && freelist.length > 0)
      throw new DumpProblem('cpu.freelist', 'has slots without a slab', shown(freelist[0]));
    if (n !== null) {
      cache.cpuSlab[cpu] = this.#place(n, number);
      cache.freelist[cpu] = this.#thread(n, freelist);
    }
    if (partial_slabs !== partial.length)
      throw new DumpProblem('cpu.partial_slabs', `is not ${partial.length}`, shown(partial_slabs));
    cache.cpu_partial_count[cpu] = partial.length;
    for (const parked of partial.toReversed()) {
      const slab = this.#place(parked, number);
      table.next[slab] = cache.cpuPartial[cpu]!;
      cache.cpuPartial[cpu] = slab;
    }
  }

  node({ cache: number, node, nr_partial, nr_slabs, total_objects, partial, full }: StateNode): void {
    const cache = this.caches[number]!;
    if (nr_partial !== partial.length)
      throw new DumpProblem('node.nr_partial', `is not ${partial.length}`, shown(nr_partial));
    if (full.length > 0) throw new DumpProblem('node.full', 'is a list of debug caches only', shown(full));
    for (const n of partial) addPartial(this.slabs, cache, node, this.#place(n, number), true);
    cache.nr_slabs[node] = nr_slabs;
    cache.total_objects[node] = total_objects;
  }

  /** Each slab stands where its marks and free slots say. */
  checkPlaces(): void {
    const { table } = this.slabs;
    for (const [n, slab] of this.#own) {
      const isFull = table.freelist[slab] === NO_SLOT;
      const isCpuSlab = this.caches.some((cache) => cache.cpuSlab.includes(slab));
      if (table.hasFlag(slab, SLAB_FROZEN) !== isCpuSlab)
        throw new DumpProblem('ss.frozen', 'is the mark of cpu slabs', shown(n));
      if (!isCpuSlab && isFull === this.#placed.has(n))
        throw new DumpProblem('ss.fl', 'does not fit the lists that the slab is on', shown(n));
    }
  }

  /** What the node counts beside the slabs that are known. */
  unseen(number: number): UnseenSlabs {
    const cache = this.caches[number]!;
    const { table } = this.slabs;
    let slabs = cache.nr_slabs[0]!;
    let objects = cache.total_objects[0]!;
    for (const slab of this.#own.values()) {
      if (table.cache[slab] !== cache.number) continue;
      slabs--;
      objects -= table.objects[slab]!;
    }
    if (slabs < 0 || objects < 0)
      throw new DumpProblem('node.nr_slabs', 'is less than the slabs that are there', shown(number));
    return { slabs, objects };
  }

  #slab(n: number): number {
    const slab = this.#own.get(n);
    if (slab === undefined) throw new DumpProblem('slab', 'was not made before the first dump', shown(n));
    return slab;
  }

  #place(n: number, cache: number): number {
    const slab = this.#slab(n);
    if (this.slabs.table.cache[slab] !== this.caches[cache]!.number)
      throw new DumpProblem('slab', `is none of cache ${cache}`, shown(n));
    if (this.#placed.has(n)) throw new DumpProblem('slab', 'is in two places', shown(n));
    this.#placed.add(n);
    return slab;
  }

  /** Links slots that were free nowhere yet. @returns the first, or NO_SLOT */
  #thread(n: number, slots: readonly number[]): number {
    const slab = this.#slab(n);
    const free = this.#free.get(n)!;
    for (const [i, slot] of slots.entries()) {
      if (slot >= free.length || free[slot] === 1)
        throw new DumpProblem(
          'freelist',
          `of slab ${n} has a slot that it has not, or has twice`,
          shown(slot),
        );
      free[slot] = 1;
      this.slabs.table.linkFree(slab, slot, slots[i + 1] ?? NO_SLOT);
    }
    return slots[0] ?? NO_SLOT;
  }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
