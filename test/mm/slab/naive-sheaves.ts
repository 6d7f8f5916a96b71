/**
 * A cache with sheaves once more, as plainly as it can be written: sheaves, barns, slabs and lists are arrays of objects.
 * Sheaves end where the next object is handed out; lists and barns begin where the next one is taken. Written from
 * docs/model/slub.md, to be held against the model.
 */
import type { SlabStatName } from '../../../src/mm/slab/slab-stats.js';
import type { NaivePages } from './naive-slab.js';

export interface NaiveSlab {
  readonly node: number;
  readonly pfn: number;
  readonly objects: number;
  free: number[];
}

export type NaivePlace = readonly [slab: NaiveSlab, slot: number];

export interface NaiveSheaf {
  objects: NaivePlace[];
  /** where it is kept */
  readonly home: NaivePlace | null;
}

interface Barn {
  readonly full: NaiveSheaf[];
  readonly empty: NaiveSheaf[];
}

export interface NaiveSpec {
  readonly order: number;
  readonly min_order: number;
  readonly size: number;
  readonly min_partial: number;
  /** 0 for none */
  readonly capacity: number;
  readonly isDebug: boolean;
  readonly isKmalloc: boolean;
  readonly barnLimit: number;
}

/** What the interrupted code has. */
export interface NaiveHeld {
  readonly local: boolean;
  readonly list: readonly boolean[];
  readonly barn: readonly boolean[];
}

export interface NaiveGfp {
  readonly waits: boolean;
  readonly isForSheaf: boolean;
}

const PAGE = 4096;
const NOTHING_HELD: NaiveHeld = { local: false, list: [], barn: [] };

export class NaiveSheafCache {
  readonly main: NaiveSheaf[];
  readonly spare: (NaiveSheaf | null)[];
  readonly barns: Barn[];
  readonly lists: NaiveSlab[][];
  readonly counters = new Map<SlabStatName, number>();
  held = NOTHING_HELD;
  /** cache that its sheaves are objects of */
  home: NaiveSheafCache | null = null;

  constructor(
    readonly spec: NaiveSpec,
    readonly cpu_nodes: readonly number[],
    nodes: number,
    readonly pages: NaivePages,
  ) {
    this.main = cpu_nodes.map(() => ({ objects: [], home: null }));
    this.spare = cpu_nodes.map(() => null);
    this.barns = Array.from({ length: nodes }, () => ({ full: [], empty: [] }));
    this.lists = Array.from({ length: nodes }, () => []);
    if (spec.capacity > 0) this.count('sheaf_alloc', cpu_nodes.length);
  }

  count(name: SlabStatName, by = 1): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + by);
  }

  #barn(cpu: number): Barn {
    return this.barns[this.cpu_nodes[cpu]!]!;
  }

  #barnLocked(cpu: number, waits: boolean): boolean {
    return !waits && this.held.barn[this.cpu_nodes[cpu]!] === true;
  }

  #isFull(sheaf: NaiveSheaf): boolean {
    return sheaf.objects.length === this.spec.capacity;
  }

  // Allocation

  alloc(cpu: number, gfp: NaiveGfp, node: number): NaivePlace | null {
    return this.#fromSheaves(cpu, gfp, node) ?? this.#pastSheaves(cpu, gfp, node);
  }

  #fromSheaves(cpu: number, gfp: NaiveGfp, node: number): NaivePlace | null {
    if (node >= 0 && node !== this.cpu_nodes[cpu]) {
      this.count('alloc_node_mismatch');
      return null;
    }
    if (this.held.local || this.spec.capacity === 0) return null;
    if (this.main[cpu]!.objects.length === 0 && !this.#fillMain(cpu, gfp)) return null;
    const place = this.main[cpu]!.objects.at(-1)!;
    if (node >= 0 && place[0].node !== node) {
      this.count('alloc_node_mismatch');
      return null;
    }
    this.main[cpu]!.objects.pop();
    this.count('alloc_fastpath');
    return place;
  }

  #takeFilled(cpu: number, waits: boolean): boolean {
    const spare = this.spare[cpu]!;
    if (spare !== null && spare.objects.length > 0) {
      this.spare[cpu] = this.main[cpu]!;
      this.main[cpu] = spare;
      return true;
    }
    const barn = this.#barn(cpu);
    if (barn.full.length === 0 || this.#barnLocked(cpu, waits)) {
      this.count('barn_get_fail');
      return false;
    }
    this.count('barn_get');
    barn.empty.unshift(this.main[cpu]!);
    this.main[cpu] = barn.full.shift()!;
    return true;
  }

  #fillMain(cpu: number, gfp: NaiveGfp): boolean {
    if (this.#takeFilled(cpu, gfp.waits)) return true;
    if (!gfp.waits) return false;
    let sheaf = this.spare[cpu] ?? this.#barn(cpu).empty.shift() ?? null;
    this.spare[cpu] = null;
    sheaf ??= this.#newSheaf(cpu, gfp);
    if (sheaf === null) return false;
    const wish = this.spec.capacity - sheaf.objects.length;
    const got = this.#refill(cpu, gfp, wish);
    this.count('sheaf_refill', got.length);
    sheaf.objects.push(...got);
    if (got.length < wish) {
      this.#flush(sheaf);
      this.#endSheaf(cpu, sheaf);
      return false;
    }
    this.spare[cpu] = this.main[cpu]!;
    this.main[cpu] = sheaf;
    return true;
  }

  #newSheaf(cpu: number, gfp: NaiveGfp): NaiveSheaf | null {
    if (gfp.isForSheaf) return null;
    let home: NaivePlace | null = null;
    if (this.home !== null) {
      home = this.home.alloc(cpu, { waits: gfp.waits, isForSheaf: this.spec.isKmalloc }, -1);
      if (home === null) return null;
    }
    this.count('sheaf_alloc');
    return { objects: [], home };
  }

  #endSheaf(cpu: number, sheaf: NaiveSheaf): void {
    this.count('sheaf_free');
    if (sheaf.home !== null) this.home!.free(cpu, ...sheaf.home);
  }

  #refill(cpu: number, gfp: NaiveGfp, wish: number): NaivePlace[] {
    const got: NaivePlace[] = [];
    if (!gfp.waits) return got;
    const here = this.cpu_nodes[cpu]!;
    this.#refillFrom(here, wish, got);
    for (const node of [here, ...this.lists.keys()].filter((n, i) => i === 0 || n !== here))
      if (got.length < wish && this.lists[node]!.length > this.spec.min_partial && !this.held.list[node])
        this.#refillFrom(node, wish, got);
    while (got.length < wish) {
      const slab = this.#make(cpu, here, false);
      if (slab === null) break;
      this.count('alloc_slab');
      while (slab.free.length > 0 && got.length < wish) got.push([slab, slab.free.shift()!]);
      if (slab.free.length > 0) this.lists[slab.node]!.unshift(slab);
    }
    return got;
  }

  #refillFrom(node: number, wish: number, got: NaivePlace[]): void {
    const list = this.lists[node]!;
    const taken: NaiveSlab[] = [];
    let promised = got.length;
    while (list.length > 0 && promised < wish) {
      const slab = list.shift()!;
      promised += slab.free.length;
      taken.unshift(slab);
    }
    const unused: NaiveSlab[] = [];
    for (const slab of taken) {
      if (got.length === wish) {
        if (slab.free.length === slab.objects && list.length >= this.spec.min_partial) unused.push(slab);
        else list.unshift(slab);
        continue;
      }
      while (slab.free.length > 0 && got.length < wish) got.push([slab, slab.free.shift()!]);
      if (slab.free.length === 0) continue;
      // As if it had been full, and these were freed into it.
      list.push(slab);
      this.count('free_add_partial');
    }
    for (const slab of unused) this.pages.free(slab.pfn);
  }

  #make(cpu: number, node: number, thisNode: boolean): NaiveSlab | null {
    const { order, min_order, size } = this.spec;
    let got = order;
    let pfn = this.pages.alloc(cpu, order, node, true, thisNode);
    if (pfn < 0) {
      got = min_order;
      pfn = this.pages.alloc(cpu, min_order, node, false, thisNode);
      if (pfn < 0) return null;
      this.count('order_fallback');
    }
    const objects = Math.floor((PAGE * 2 ** got) / size);
    const free = Array.from({ length: objects }, (_, slot) => slot);
    return { node: this.pages.nodeOf(pfn), pfn, objects, free };
  }

  #pastSheaves(cpu: number, gfp: NaiveGfp, node: number): NaivePlace | null {
    this.count('alloc_slowpath');
    const here = this.cpu_nodes[cpu]!;
    const others = [here, ...this.lists.keys()].filter((n, i) => i === 0 || n !== here);
    for (const strict of node >= 0 ? [true, false] : [false]) {
      const first = node >= 0 ? node : here;
      const rest = strict ? [] : others.filter((n) => this.lists[n]!.length > this.spec.min_partial);
      for (const from of [first, ...rest]) {
        const slab = this.lists[from]![0];
        if (slab === undefined || (!gfp.waits && this.held.list[from])) continue;
        if (slab.free.length === 1) this.lists[from]!.shift();
        return [slab, slab.free.shift()!];
      }
      const slab = this.#make(cpu, node, strict && gfp.waits);
      if (slab === null) continue;
      this.count('alloc_slab');
      const isListed = this.spec.isDebug || slab.objects > 1;
      if (isListed && !gfp.waits && this.held.list[slab.node]) {
        this.pages.free(slab.pfn);
        return null;
      }
      const slot = slab.free.shift()!;
      if (slab.free.length > 0) this.lists[slab.node]!.unshift(slab);
      return [slab, slot];
    }
    return null;
  }

  allocBulk(cpu: number, gfp: NaiveGfp, count: number): NaivePlace[] {
    const got: NaivePlace[] = [];
    while (got.length < count && !this.held.local && this.spec.capacity > 0) {
      if (this.main[cpu]!.objects.length === 0 && !this.#takeFilled(cpu, gfp.waits)) break;
      const { objects } = this.main[cpu]!;
      const batch = Math.min(count - got.length, objects.length);
      got.push(...objects.splice(objects.length - batch));
      this.count('alloc_fastpath', batch);
    }
    const wish = count - got.length;
    let more: NaivePlace[] = [];
    if (this.spec.isDebug) {
      for (let place = null; more.length < wish; more.push(place)) {
        place = this.#pastSheaves(cpu, gfp, -1);
        if (place === null) break;
      }
    } else if (wish > 0) {
      more = this.#refill(cpu, gfp, wish);
      if (more.length === wish) this.count('alloc_slowpath', wish);
    }
    if (more.length === wish) return [...got, ...more];
    this.#toSlabs(more, false, 0);
    this.#toSlabs(got, false, 0);
    return [];
  }

  // Frees

  free(cpu: number, slab: NaiveSlab, slot: number): void {
    if (this.pushes(cpu, slab, slot, true)) return;
    this.count('free_slowpath');
    this.#toSlab(slab, [slot]);
  }

  /** @returns whether a sheaf took it */
  pushes(cpu: number, slab: NaiveSlab, slot: number, waits: boolean): boolean {
    if (slab.node !== this.cpu_nodes[cpu] || this.held.local || this.spec.capacity === 0) return false;
    if (this.#isFull(this.main[cpu]!) && !this.#makeRoom(cpu, waits)) return false;
    this.main[cpu]!.objects.push([slab, slot]);
    this.count('free_fastpath');
    return true;
  }

  /** A place for a full main sheaf, as far as no memory is needed. */
  #takeRoom(cpu: number, waits: boolean): 'room' | 'none' | 'too many' {
    const spare = this.spare[cpu]!;
    const barn = this.#barn(cpu);
    const busy = this.#barnLocked(cpu, waits);
    if (spare === null) {
      if (barn.empty.length === 0 || busy) return 'none';
      this.spare[cpu] = this.main[cpu]!;
      this.main[cpu] = barn.empty.shift()!;
      return 'room';
    }
    if (!this.#isFull(spare)) {
      this.spare[cpu] = this.main[cpu]!;
      this.main[cpu] = spare;
      return 'room';
    }
    if (barn.full.length >= this.spec.barnLimit) return 'too many';
    if (barn.empty.length === 0 || busy) return 'none';
    barn.full.unshift(this.main[cpu]!);
    this.main[cpu] = barn.empty.shift()!;
    this.count('barn_put');
    return 'room';
  }

  #makeRoom(cpu: number, waits: boolean): boolean {
    const answer = this.#takeRoom(cpu, waits);
    if (answer === 'room') return true;
    if (!waits) return false;
    const spare = this.spare[cpu]!;
    if (answer === 'too many') {
      this.count('barn_put_fail');
      this.#flush(spare!);
      this.spare[cpu] = this.main[cpu]!;
      this.main[cpu] = spare!;
      return true;
    }
    const empty = this.#newSheaf(cpu, { waits: true, isForSheaf: false });
    if (empty === null) {
      if (spare !== null) this.count('barn_put_fail');
      this.#flushMain(cpu);
      return true;
    }
    if (this.spare[cpu] === null) this.spare[cpu] = this.main[cpu]!;
    else if (this.#isFull(this.main[cpu]!)) {
      this.#barn(cpu).full.unshift(this.main[cpu]!);
      this.count('barn_put');
    } else {
      // The sheaf itself came out of the main one, which has room now.
      this.#barn(cpu).empty.unshift(empty);
      return true;
    }
    this.main[cpu] = empty;
    return true;
  }

  freeBulk(cpu: number, places: readonly NaivePlace[]): void {
    if (this.spec.capacity === 0) {
      this.#toSlabs(places, true, places.length);
      return;
    }
    const local = [...places];
    let remote: NaivePlace[] = [];
    for (let i = 0; i < local.length; ) {
      const place = local[i]!;
      if (place[0].node === this.cpu_nodes[cpu]) {
        i++;
        continue;
      }
      remote.push(place);
      const last = local.pop()!;
      if (i < local.length) local[i] = last;
      if (remote.length < 32) continue;
      this.#toSlabs(remote, false, remote.length);
      remote = [];
    }
    while (local.length > 0 && !this.held.local) {
      const hadSpare = this.spare[cpu] !== null;
      if (this.#isFull(this.main[cpu]!) && this.#takeRoom(cpu, true) !== 'room') {
        if (hadSpare) this.count('barn_put_fail');
        break;
      }
      const { objects } = this.main[cpu]!;
      const batch = local.splice(0, this.spec.capacity - objects.length);
      objects.push(...batch);
      this.count('free_fastpath', batch.length);
    }
    this.#toSlabs(local, false, local.length);
    this.#toSlabs(remote, false, remote.length);
  }

  /** In groups of one slab, from the end on. */
  #toSlabs(places: readonly NaivePlace[], turned: boolean, counted: number): void {
    this.count('free_slowpath', counted);
    const left = [...places];
    while (left.length > 0) {
      const [slab] = left.at(-1)!;
      const slots: number[] = [];
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
      this.#toSlab(slab, turned ? slots : slots.reverse());
    }
  }

  #toSlab(slab: NaiveSlab, slots: readonly number[]): void {
    const list = this.lists[slab.node]!;
    const wasFull = slab.free.length === 0;
    slab.free.unshift(...slots);
    const isSpare = slab.free.length === slab.objects && list.length >= this.spec.min_partial;
    if (isSpare && !wasFull) {
      list.splice(list.indexOf(slab), 1);
      this.count('free_remove_partial');
    }
    if (!isSpare && wasFull) {
      list.push(slab);
      this.count('free_add_partial');
    }
    if (!isSpare) return;
    this.count('free_slab');
    this.pages.free(slab.pfn);
  }

  /** What the deferred work does with one object. */
  freeDeferred(slab: NaiveSlab, slot: number): void {
    this.count('free_slowpath');
    this.#toSlab(slab, [slot]);
  }

  // Flush and shrink

  #flush(sheaf: NaiveSheaf): void {
    this.count('sheaf_flush', sheaf.objects.length);
    this.#toSlabs(sheaf.objects.splice(0), false, 0);
  }

  #flushMain(cpu: number): void {
    const { objects } = this.main[cpu]!;
    while (objects.length > 0) {
      const batch = objects.splice(Math.max(0, objects.length - 32));
      this.#toSlabs(batch, false, 0);
      this.count('sheaf_flush', batch.length);
    }
  }

  flush(cpu: number): void {
    if (this.spec.capacity === 0) return;
    const spare = this.spare[cpu]!;
    this.spare[cpu] = null;
    if (spare !== null) {
      this.#flush(spare);
      this.#endSheaf(cpu, spare);
    }
    this.#flushMain(cpu);
  }

  shrink(cpu: number): void {
    for (const other of this.main.keys()) this.flush(other);
    for (const barn of this.barns) {
      const full = barn.full.splice(0);
      const empty = barn.empty.splice(0);
      for (const sheaf of full) {
        this.#flush(sheaf);
        this.#endSheaf(cpu, sheaf);
      }
      for (const sheaf of empty) this.#endSheaf(cpu, sheaf);
    }
    for (const list of this.lists) {
      const used = list.filter((slab) => slab.free.length < slab.objects);
      const unused = list.filter((slab) => slab.free.length === slab.objects);
      const few = used.filter((slab) => slab.free.length <= 32).reverse();
      few.sort((a, b) => a.free.length - b.free.length);
      const many = used.filter((slab) => slab.free.length > 32);
      list.splice(0, list.length, ...few, ...many);
      for (const slab of unused.reverse()) this.pages.free(slab.pfn);
    }
  }
}
