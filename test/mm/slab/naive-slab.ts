/**
 * The slab allocator once more, as plainly as it can be written: slabs are objects, lists and freelists are arrays, first
 * entry first. Slow, without locks and without any thought of memory. Written from docs/model/slub.md, to be held against
 * the model.
 */
import type { SlabStatName } from '../../../src/mm/slab/slab-stats.js';

export interface NaiveSlab {
  readonly node: number;
  readonly pfn: number;
  readonly order: number;
  readonly objects: number;
  free: number[];
  inuse: number;
  frozen: boolean;
  isListed: boolean;
}

export interface NaiveGeometry {
  readonly order: number;
  readonly min_order: number;
  readonly size: number;
  readonly min_partial: number;
  readonly cpu_partial_slabs: number;
  readonly isDebug: boolean;
  readonly hasChains: boolean;
}

export interface NaivePages {
  alloc(cpu: number, order: number, node: number, isFirst: boolean, thisNode: boolean): number;
  free(pfn: number): void;
  nodeOf(pfn: number): number;
}

export type NaivePlace = readonly [slab: NaiveSlab, slot: number];

interface NaiveCpu {
  slab: NaiveSlab | null;
  free: number[];
  chain: NaiveSlab[];
}

const RECLAIM = 0xc00;
const PAGE = 4096;

export class NaiveCache {
  readonly cpus: NaiveCpu[];
  readonly lists: NaiveSlab[][];
  readonly counters = new Map<SlabStatName, number>();

  constructor(
    readonly geometry: NaiveGeometry,
    readonly cpu_nodes: readonly number[],
    readonly nodes: number,
    readonly pages: NaivePages,
  ) {
    this.cpus = cpu_nodes.map(() => ({ slab: null, free: [], chain: [] }));
    this.lists = Array.from({ length: nodes }, () => []);
  }

  count(name: SlabStatName, by = 1): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + by);
  }

  alloc(cpu: number, gfp: number, node: number): NaivePlace | null {
    const own = this.cpus[cpu]!;
    if (own.slab !== null && own.free.length > 0 && (node < 0 || own.slab.node === node)) {
      this.count('alloc_fastpath');
      return [own.slab, own.free.shift()!];
    }
    return this.#allocSlow(cpu, gfp, node);
  }

  #allocSlow(cpu: number, gfp: number, wish: number): NaivePlace | null {
    this.count('alloc_slowpath');
    const own = this.cpus[cpu]!;
    const waits = (gfp & RECLAIM) !== 0;
    let node = wish;
    if (own.slab !== null) {
      if (node >= 0 && own.slab.node !== node && waits) {
        this.count('alloc_node_mismatch');
        this.#putAway(cpu);
      } else {
        if (own.slab.node !== node) node = waits ? node : -1;
        if (own.free.length > 0) return [own.slab, own.free.shift()!];
        if (own.slab.free.length > 0) {
          this.count('alloc_refill');
          return this.#use(cpu, own.slab);
        }
        own.slab.frozen = false;
        own.slab = null;
        this.count('deactivate_bypass');
      }
    }
    for (let slab = own.chain.shift(); slab !== undefined; slab = own.chain.shift()) {
      if (node < 0 || slab.node === node || !waits) {
        this.count('cpu_partial_alloc');
        return this.#use(cpu, slab);
      }
      this.#toNodes([slab]);
    }
    for (const strict of node >= 0 ? [true, false] : [false]) {
      const listed = this.#fromLists(cpu, node, strict);
      if (listed !== null) return this.geometry.isDebug ? this.#takeOne(listed) : this.#use(cpu, listed);
      const made = this.#make(cpu, node, strict && waits);
      if (made === null) continue;
      this.count('alloc_slab');
      if (!this.geometry.isDebug) return this.#use(cpu, made);
      made.inuse++;
      if (made.free.length > 1) this.#list(made, false);
      return [made, made.free.shift()!];
    }
    return null;
  }

  /** Makes it the CPU's and takes its whole freelist. */
  #use(cpu: number, slab: NaiveSlab): NaivePlace {
    const own = this.cpus[cpu]!;
    own.slab = slab;
    own.free = slab.free;
    slab.free = [];
    slab.inuse = slab.objects;
    slab.frozen = true;
    return [slab, own.free.shift()!];
  }

  #make(cpu: number, node: number, thisNode: boolean): NaiveSlab | null {
    const { order, min_order, size } = this.geometry;
    let got = order;
    let pfn = this.pages.alloc(cpu, order, node, true, thisNode);
    if (pfn < 0) {
      got = min_order;
      pfn = this.pages.alloc(cpu, min_order, node, false, thisNode);
      if (pfn < 0) return null;
      this.count('order_fallback');
    }
    const objects = Math.floor((PAGE * 2 ** got) / size);
    return {
      node: this.pages.nodeOf(pfn),
      pfn,
      order: got,
      objects,
      free: Array.from({ length: objects }, (_, slot) => slot),
      inuse: 0,
      frozen: false,
      isListed: false,
    };
  }

  #fromLists(cpu: number, node: number, strict: boolean): NaiveSlab | null {
    const home = node >= 0 ? node : this.cpu_nodes[cpu]!;
    const found = this.#fromList(cpu, home);
    if (found !== null || strict) return found;
    const here = this.cpu_nodes[cpu]!;
    const others = this.lists.map((_, other) => other).filter((other) => other !== here);
    for (const other of [here, ...others]) {
      if (this.lists[other]!.length <= this.geometry.min_partial) continue;
      const slab = this.#fromList(cpu, other);
      if (slab !== null) return slab;
    }
    return null;
  }

  #fromList(cpu: number, node: number): NaiveSlab | null {
    const list = this.lists[node]!;
    const first = list[0];
    if (first === undefined) return null;
    if (this.geometry.isDebug) return first;
    this.#unlist(first);
    this.count('alloc_from_partial');
    const { cpu_partial_slabs } = this.geometry;
    const more = cpu_partial_slabs === 0 ? 0 : Math.floor(cpu_partial_slabs / 2) + 1;
    for (const slab of list.slice(0, more)) {
      this.#unlist(slab);
      this.cpus[cpu]!.chain.unshift(slab);
      this.count('cpu_partial_node');
    }
    return first;
  }

  #takeOne(slab: NaiveSlab): NaivePlace {
    const slot = slab.free.shift()!;
    slab.inuse++;
    if (slab.free.length === 0) this.#unlist(slab);
    return [slab, slot];
  }

  #list(slab: NaiveSlab, atTail: boolean): void {
    const list = this.lists[slab.node]!;
    if (atTail) list.push(slab);
    else list.unshift(slab);
    slab.isListed = true;
  }

  #unlist(slab: NaiveSlab): void {
    const list = this.lists[slab.node]!;
    list.splice(list.indexOf(slab), 1);
    slab.isListed = false;
  }

  #isSpare(slab: NaiveSlab): boolean {
    return slab.inuse === 0 && this.lists[slab.node]!.length >= this.geometry.min_partial;
  }

  #putAway(cpu: number): void {
    const own = this.cpus[cpu]!;
    const slab = own.slab!;
    const atTail = slab.free.length > 0;
    if (atTail) this.count('deactivate_remote_frees');
    slab.inuse -= own.free.length;
    slab.free.unshift(...own.free);
    slab.frozen = false;
    own.slab = null;
    own.free = [];
    if (this.#isSpare(slab)) {
      this.count('deactivate_empty');
      this.count('free_slab');
      this.pages.free(slab.pfn);
    } else if (slab.free.length > 0) {
      this.#list(slab, atTail);
      this.count(atTail ? 'deactivate_to_tail' : 'deactivate_to_head');
    } else this.count('deactivate_full');
  }

  #toNodes(slabs: readonly NaiveSlab[]): void {
    const spare: NaiveSlab[] = [];
    for (const slab of slabs)
      if (this.#isSpare(slab)) spare.unshift(slab);
      else {
        this.#list(slab, true);
        this.count('free_add_partial');
      }
    for (const slab of spare) {
      this.count('deactivate_empty');
      this.count('free_slab');
      this.pages.free(slab.pfn);
    }
  }

  /** @param slots in the order in which they shall stand on the freelist */
  free(cpu: number, slab: NaiveSlab, slots: readonly number[]): void {
    const own = this.cpus[cpu]!;
    if (own.slab === slab) {
      own.free.unshift(...slots);
      this.count('free_fastpath', slots.length);
      return;
    }
    this.count('free_slowpath');
    const wasFull = slab.free.length === 0;
    slab.free.unshift(...slots);
    slab.inuse -= slots.length;
    if (this.geometry.isDebug || !this.geometry.hasChains) {
      this.#freeListed(slab, wasFull);
    } else if (slab.frozen) this.count('free_frozen');
    else if (wasFull) {
      this.count('cpu_partial_free');
      if (own.chain.length > 0 && own.chain.length >= this.geometry.cpu_partial_slabs) {
        this.#toNodes(own.chain.splice(0));
        this.count('cpu_partial_drain');
      }
      own.chain.unshift(slab);
    } else if (slab.isListed && this.#isSpare(slab)) {
      this.#unlist(slab);
      this.count('free_remove_partial');
      this.count('free_slab');
      this.pages.free(slab.pfn);
    }
  }

  #freeListed(slab: NaiveSlab, wasFull: boolean): void {
    if (slab.frozen) {
      this.count('free_frozen');
      return;
    }
    const isSpare = this.#isSpare(slab);
    if (isSpare && !wasFull) {
      this.#unlist(slab);
      this.count('free_remove_partial');
    }
    if (!isSpare && wasFull) {
      this.#list(slab, true);
      this.count('free_add_partial');
    }
    if (!isSpare) return;
    this.count('free_slab');
    this.pages.free(slab.pfn);
  }

  allocBulk(cpu: number, gfp: number, count: number): NaivePlace[] {
    const got: NaivePlace[] = [];
    const own = this.cpus[cpu]!;
    while (got.length < count) {
      if (own.slab !== null && own.free.length > 0) {
        this.count('alloc_fastpath');
        got.push([own.slab, own.free.shift()!]);
        continue;
      }
      const place = this.#allocSlow(cpu, gfp, -1);
      if (place === null) {
        this.freeBulk(cpu, got, false);
        return [];
      }
      got.push(place);
    }
    return got;
  }

  freeBulk(cpu: number, places: readonly NaivePlace[], turned: boolean): void {
    const left = [...places];
    while (left.length > 0) {
      const [slab] = left.at(-1)!;
      const slots: number[] = [];
      // The end of what stays, with those passed over behind the rest: swapped, not shifted.
      let end = left.length;
      let strangers = 0;
      for (let at = left.length - 1; at >= 0; at--) {
        if (left[at]![0] !== slab) {
          strangers++;
          if (strangers === 3) break;
          continue;
        }
        slots.push(left[at]![1]);
        end--;
        [left[at], left[end]] = [left[end]!, left[at]!];
      }
      left.length = end;
      this.free(cpu, slab, turned ? slots : slots.reverse());
    }
  }

  flush(cpu: number): void {
    const own = this.cpus[cpu]!;
    if (own.slab !== null) {
      this.#putAway(cpu);
      this.count('cpuslab_flush');
    }
    this.#toNodes(own.chain.splice(0));
  }

  shrink(): void {
    for (let cpu = 0; cpu < this.cpus.length; cpu++) this.flush(cpu);
    for (const list of this.lists) {
      for (const slab of list.filter(({ inuse }) => inuse === 0).reverse()) this.pages.free(slab.pfn);
      const kept = list.filter(({ inuse }) => inuse > 0);
      const few = kept.filter(({ free }) => free.length <= 32).reverse();
      few.sort((a, b) => a.free.length - b.free.length);
      const many = kept.filter(({ free }) => free.length > 32);
      list.splice(0, list.length, ...few, ...many);
    }
  }
}
