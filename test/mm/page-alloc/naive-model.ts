/**
 * The page allocator of one zone once more, written to be obviously right and not to be fast: one flag per free page,
 * plain arrays as lists (index 0 is the head), a search wherever the real one keeps an index. It shares no code with
 * the real one and follows the specification's text, section by section.
 *
 * What it leaves out: several zones and nodes, isolation, CMA areas, compaction and reclaim.
 * model: page-allocator 2.7, 2.8, 3, 4, 10a
 */

export type Generation = '6.1' | '6.18' | '7.2';

export interface NaiveSettings {
  readonly generation: Generation;
  /** the zone's span; its blocks are those that it touches */
  readonly start: number;
  readonly end: number;
  readonly managed: number;
  readonly min: number;
  readonly low: number;
  readonly high: number;
  /** lowmem_reserve of the columns Normal and Movable */
  readonly reserveNormal: number;
  readonly reserveMovable: number;
  readonly threshold: number;
  readonly boostFactor: number;
  readonly cpus: number;
  readonly batch: number;
  readonly pcpHighMin: number;
  readonly pcpHighMax: number;
  readonly freeHighBatch: boolean;
}

export interface NaivePcp {
  /** 14 lists: 3 types of orders 0..3, then order 9 not movable and movable */
  readonly lists: number[][];
  count: number;
  high: number;
  alloc_factor: number;
  free_count: number;
  free_factor: number;
  prevHigh: boolean;
  /** changes of the free counter not yet folded in */
  diff: number;
}

const MOVABLE = 1;
const HIGHATOMIC = 3;
const FALLBACKS = [
  [2, 1],
  [2, 0],
  [0, 1],
];
const BLOCK = 512;

/** gfp bits that matter here; none of the requests may reclaim by itself */
const GFP_HIGHMEM = 0x2;
const GFP_MOVABLE = 0x8;
const GFP_HIGH = 0x20;
const GFP_ATOMIC_61 = 0x200;
const GFP_KSWAPD = 0x800;
const GFP_NOMEMALLOC = 0x80000;

interface Request {
  readonly cpu: number;
  readonly order: number;
  readonly type: number;
  readonly gfp: number;
  /** column of lowmem_reserve */
  readonly reserve: number;
}

/** The flags of section 1, one by one. */
interface Flags {
  readonly mark: 'min' | 'low';
  readonly kswapd: boolean;
  noFragment: boolean;
  readonly minReserve: boolean;
  readonly nonBlock: boolean;
  readonly highAtomic: boolean;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

export class NaiveModel {
  /** by PFN: the page is part of a chunk on a buddy list */
  readonly isFree: boolean[] = [];
  /** by PFN: the page is in use and movable */
  readonly isMovable: boolean[] = [];
  /** lists[type][order] */
  readonly lists: number[][][] = [0, 1, 2, 3].map(() => Array.from({ length: 11 }, () => []));
  /** by block number */
  readonly blockTypes: number[] = [];
  readonly pcps: NaivePcp[];
  /** 6.1: the type that a page on a per-CPU list remembers */
  readonly remembered = new Map<number, number>();
  /** the free counter as watermark tests see it */
  folded = 0;
  boost = 0;
  boosted = false;
  reclaiming = false;
  belowHigh = false;
  reserved = 0;
  pgalloc = 0;
  pgfree = 0;
  /** remembered while a zone lock is held */
  #mode: 'normal' | 'claim' | 'steal' = 'normal';

  constructor(readonly settings: NaiveSettings) {
    this.pcps = Array.from({ length: settings.cpus }, () => ({
      lists: Array.from({ length: 14 }, () => []),
      count: 0,
      high: settings.generation === '6.1' ? settings.pcpHighMin : 0,
      alloc_factor: 0,
      free_count: 0,
      free_factor: 0,
      prevHigh: false,
      diff: 0,
    }));
  }

  get #is61(): boolean {
    return this.settings.generation === '6.1';
  }

  // ---- lists

  /** Type of the list that holds a chunk of exactly this order at this PFN, or -1. */
  #listOf(pfn: number, order: number): number {
    if (this.isFree[pfn] !== true) return -1;
    return this.lists.findIndex((orders) => orders[order]!.includes(pfn));
  }

  #link(pfn: number, order: number, type: number, where: 'head' | 'tail'): void {
    const list = this.lists[type]![order]!;
    if (where === 'head') list.unshift(pfn);
    else list.push(pfn);
    for (let page = pfn; page < pfn + 2 ** order; page++) {
      if (this.isFree[page]) throw new Error(`page ${page} is freed twice`);
      this.isFree[page] = true;
    }
  }

  #unlink(pfn: number, order: number): void {
    const type = this.#listOf(pfn, order);
    const list = this.lists[type]![order]!;
    list.splice(list.indexOf(pfn), 1);
    for (let page = pfn; page < pfn + 2 ** order; page++) this.isFree[page] = false;
  }

  /** Puts a chunk on a list from outside. */
  place(pfn: number, order: number, type: number): void {
    this.#link(pfn, order, type, 'tail');
    this.folded += 2 ** order;
  }

  blockType(pfn: number): number {
    return this.blockTypes[Math.floor(pfn / BLOCK)]!;
  }

  #setBlockTypes(pfn: number, pages: number, type: number): void {
    for (let page = pfn; page < pfn + pages; page += BLOCK) this.blockTypes[Math.floor(page / BLOCK)] = type;
  }

  // ---- counters, 2.8

  #post(cpu: number, change: number): void {
    const pcp = this.pcps[cpu]!;
    pcp.diff += change;
    if (Math.abs(pcp.diff) > this.settings.threshold) {
      this.folded += pcp.diff;
      pcp.diff = 0;
    }
  }

  /** Only 6.18 and later post as they go. */
  #postNew(cpu: number, ...changes: number[]): void {
    if (!this.#is61) for (const change of changes) this.#post(cpu, change);
  }

  // ---- freeing, 3

  free(cpu: number, pfn: number, order: number): void {
    for (let page = pfn; page < pfn + 2 ** order; page++) this.isMovable[page] = false;
    this.pgfree += 2 ** order;
    if (order <= 3 || order === 9) this.#freeToPcp(cpu, pfn, order);
    else if (order === 10 && !this.#is61) {
      this.#freeChunk(cpu, pfn, 9, this.blockType(pfn));
      this.#freeChunk(cpu, pfn + BLOCK, 9, this.blockType(pfn + BLOCK));
    } else this.#freeChunk(cpu, pfn, order, this.blockType(pfn));
  }

  /** 3.6 */
  #freeChunk(cpu: number, pfn: number, order: number, type: number): void {
    this.#post(cpu, 2 ** order);
    let p = pfn;
    let o = order;
    while (o < 10) {
      const buddy = (p / 2 ** o) % 2 === 0 ? p + 2 ** o : p - 2 ** o;
      if (this.#listOf(buddy, o) < 0) break;
      const other = this.blockType(buddy);
      if (o >= 9 && other !== type && (type >= 3 || other >= 3)) break;
      this.#unlink(buddy, o);
      if (!this.#is61 && other !== type) this.#setBlockTypes(buddy, 2 ** o, type);
      p = Math.min(p, buddy);
      o++;
    }
    this.#link(p, o, type, this.#secondMergeIsNear(p, o) ? 'tail' : 'head');
  }

  #secondMergeIsNear(p: number, o: number): boolean {
    if (o > 8) return false;
    const hp = p - (p % 2 ** (o + 1));
    const neighbour = (hp / 2 ** (o + 1)) % 2 === 0 ? hp + 2 ** (o + 1) : hp - 2 ** (o + 1);
    return this.#listOf(neighbour, o + 1) >= 0;
  }

  #pcpIndex(order: number, type: number): number {
    if (order === 9) return type === MOVABLE ? 13 : 12;
    return 3 * order + type;
  }

  #pcpOrder(index: number): number {
    return index >= 12 ? 9 : Math.floor(index / 3);
  }

  #freeToPcp(cpu: number, pfn: number, order: number): void {
    const pcp = this.pcps[cpu]!;
    const type = this.blockType(pfn);
    const index = this.#pcpIndex(order, type >= 3 ? MOVABLE : type);
    this.remembered.set(pfn, type);
    pcp.alloc_factor = Math.floor(pcp.alloc_factor / 2);
    pcp.lists[index]!.unshift(pfn);
    pcp.count += 2 ** order;
    const excess = this.#is61 ? this.#excess61(pcp, order) : this.#excess618(pcp, order);
    if (excess === 0) return;
    const chunk = this.settings.generation === '7.2' ? this.settings.batch : excess;
    for (let left = excess; left > 0 && pcp.count > 0; left -= chunk)
      this.#drain(cpu, Math.min(left, chunk), index);
    const above = () =>
      this.folded > this.settings.high + this.boost + this.settings.reserveMovable + this.#freeHighAtomic();
    if (this.belowHigh && above()) this.belowHigh = false;
  }

  /** 3.2 steps 4 to 6 */
  #excess61(pcp: NaivePcp, order: number): number {
    const { batch } = this.settings;
    const high = this.settings.pcpHighMin;
    const freeHigh = pcp.free_factor !== 0 && order >= 1 && order <= 3;
    let effective = high;
    if (high === 0 || freeHigh) effective = 0;
    else if (this.reclaiming) effective = Math.min(4 * batch, high);
    if (pcp.count < effective) return 0;
    if (freeHigh) return pcp.count;
    if (effective < batch) return 1;
    const x = batch * 2 ** pcp.free_factor;
    const max = effective - batch;
    if (x < max && pcp.free_factor < 5) pcp.free_factor++;
    return clamp(x, batch, max);
  }

  /** 3.3 steps 4 to 7 */
  #excess618(pcp: NaivePcp, order: number): number {
    const { batch, pcpHighMin: highMin, pcpHighMax: highMax } = this.settings;
    let freeHigh = false;
    if (order >= 1 && order <= 3) {
      freeHigh =
        pcp.free_count >= batch + Math.floor(highMin / 2) &&
        pcp.prevHigh &&
        (!this.settings.freeHighBatch || pcp.count >= batch);
      pcp.prevHigh = true;
    } else pcp.prevHigh = false;
    if (pcp.free_count < batch * 32) pcp.free_count += 2 ** order;

    const h = clamp(pcp.high, highMin, highMax);
    pcp.high = h;
    const streak = Math.max(pcp.free_count, batch);
    let effective = h;
    if (h === 0) effective = 0;
    else if (freeHigh) {
      pcp.high = Math.max(h - 32 * batch, highMin);
      effective = 0;
    } else if (this.reclaiming) {
      pcp.high = Math.max(h - streak, highMin);
      effective = Math.min(4 * batch, pcp.high);
    } else if (highMin === highMax) effective = h;
    else if (this.belowHigh) {
      pcp.high = Math.max(h - streak, highMin);
      effective = Math.max(pcp.count, highMin);
    } else if (pcp.count >= h) {
      const need = pcp.free_count + batch;
      if (h < need) pcp.high = clamp(need, highMin, highMax);
    }
    if (pcp.count < effective) return 0;
    if (freeHigh) return Math.min(pcp.count, 32 * batch);
    return effective < batch ? 1 : clamp(pcp.free_count, batch, effective - batch);
  }

  /** 3.4 */
  #drain(cpu: number, pages: number, start: number): void {
    const pcp = this.pcps[cpu]!;
    let left = Math.min(pages, pcp.count);
    let index = start;
    while (left > 0) {
      const list = pcp.lists[index]!;
      const order = this.#pcpOrder(index);
      while (left > 0 && list.length > 0) {
        const pfn = list.pop()!;
        left -= 2 ** order;
        pcp.count -= 2 ** order;
        this.#freeChunk(cpu, pfn, order, this.#is61 ? this.remembered.get(pfn)! : this.blockType(pfn));
      }
      index = (index + 1) % 14;
    }
  }

  /** 3.9 */
  drainAll(cpu: number): void {
    const pcp = this.pcps[cpu]!;
    while (pcp.count > 0) this.#drain(cpu, Math.min(pcp.count, 32 * this.settings.batch), 0);
  }

  // ---- allocation, 4

  /** @returns lowest PFN, or -1; the pages are movable ones in use where `lru` says so */
  alloc(cpu: number, gfp: number, order: number, lru: boolean): number {
    const { generation, reserveMovable, reserveNormal } = this.settings;
    const toMovable = (gfp & GFP_HIGHMEM) !== 0 && (gfp & GFP_MOVABLE) !== 0;
    const request: Request = {
      cpu,
      order,
      type: Math.floor((gfp & 0x18) / 8),
      gfp,
      reserve: toMovable ? reserveMovable : reserveNormal,
    };
    const kswapd = (gfp & GFP_KSWAPD) !== 0;
    const high = (gfp & GFP_HIGH) !== 0;
    const mayUseReserves = (gfp & GFP_NOMEMALLOC) === 0;
    const fast: Flags = {
      mark: 'low',
      kswapd,
      noFragment: true,
      minReserve: false,
      nonBlock: false,
      highAtomic: false,
    };
    const slow: Flags = {
      mark: 'min',
      kswapd,
      noFragment: false,
      minReserve: high,
      nonBlock: mayUseReserves,
      highAtomic: mayUseReserves && high && order > 0,
    };
    let pfn = this.#attempt(request, fast);
    if (pfn < 0) pfn = this.#attempt(request, slow);
    // 4.9: two attempts at the min mark; 7.2: the second one only for a request that ignores cpusets
    if (pfn < 0 && (generation !== '7.2' || high)) pfn = this.#attempt(request, slow);
    if (pfn >= 0 && lru) for (let page = pfn; page < pfn + 2 ** order; page++) this.isMovable[page] = true;
    return pfn;
  }

  /** 4.2 with one zone */
  #attempt(request: Request, wanted: Flags): number {
    const flags = { ...wanted };
    for (;;) {
      if (this.#mayTake(request, flags)) {
        const pfn = this.#rmqueue(request, flags);
        if (pfn >= 0) {
          if (flags.highAtomic && this.settings.generation !== '7.2') this.#reserve(request, pfn);
          return pfn;
        }
      }
      if (!flags.noFragment) return -1;
      flags.noFragment = false;
    }
  }

  #mayTake(request: Request, flags: Flags): boolean {
    const { high, low, min } = this.settings;
    if (!this.#is61 && !this.belowHigh) {
      if (this.#fastTest(request, flags, high + this.boost)) return true;
      this.belowHigh = true;
    }
    return this.#fastTest(request, flags, (flags.mark === 'low' ? low : min) + this.boost);
  }

  #freeHighAtomic(): number {
    return this.lists[HIGHATOMIC]!.reduce((sum, list, order) => sum + list.length * 2 ** order, 0);
  }

  #unusable(order: number, flags: Flags): number {
    const mayDipIn = flags.minReserve || flags.nonBlock || flags.highAtomic;
    return 2 ** order - 1 + (mayDipIn ? 0 : this.#is61 ? this.reserved : this.#freeHighAtomic());
  }

  #fullTest(request: Request, flags: Flags, mark: number): boolean {
    const { order } = request;
    let m = mark;
    if (flags.minReserve) {
      m -= Math.floor(m / 2);
      if (flags.nonBlock) m -= Math.floor(m / 4);
    }
    if (Math.max(this.folded, 0) - this.#unusable(order, flags) <= m + request.reserve) return false;
    if (order === 0) return true;
    const types = flags.highAtomic ? [0, 1, 2, 3] : [0, 1, 2];
    return types.some((type) => this.lists[type]!.some((list, o) => o >= order && list.length > 0));
  }

  #fastTest(request: Request, flags: Flags, mark: number): boolean {
    const free = Math.max(this.folded, 0);
    if (request.order === 0 && Math.max(0, free - this.#unusable(0, flags)) > mark + request.reserve)
      return true;
    if (this.#fullTest(request, flags, mark)) return true;
    if (request.order > 0 || flags.mark !== 'min' || this.boost === 0) return false;
    const mayIgnoreBoost = this.#is61 ? (request.gfp & GFP_ATOMIC_61) !== 0 : flags.minReserve;
    return mayIgnoreBoost && this.#fullTest(request, flags, this.settings.min);
  }

  /** 4.4 */
  #rmqueue(request: Request, flags: Flags): number {
    const { order } = request;
    // 7.2 has CMA compiled in, which without a CMA area changes nothing here.
    let pfn = order <= 3 || order === 9 ? this.#fromPcp(request, flags) : -1;
    if (pfn < 0) {
      pfn = this.#fromBuddy(request, flags);
      if (pfn >= 0 && flags.highAtomic && this.settings.generation === '7.2') this.#reserve(request, pfn);
    }
    if (pfn >= 0) this.pgalloc += 2 ** order;
    if (flags.kswapd) this.boosted = false;
    return pfn;
  }

  /** 4.5 */
  #fromPcp(request: Request, flags: Flags): number {
    const { cpu, order, type } = request;
    const pcp = this.pcps[cpu]!;
    pcp.free_factor = Math.floor(pcp.free_factor / 2);
    pcp.free_count = Math.floor(pcp.free_count / 2);
    const list = pcp.lists[this.#pcpIndex(order, type)]!;
    if (list.length === 0) {
      const wanted = this.#is61 ? this.#refillSize61(order) : this.#refillSize618(pcp, order);
      if (this.settings.generation === '7.2' && flags.highAtomic) return -1;
      this.#mode = 'normal';
      let got = 0;
      while (got < wanted) {
        const pfn = this.#remove(request, flags);
        if (pfn < 0) break;
        list.push(pfn);
        this.remembered.set(pfn, type);
        got++;
      }
      pcp.count += got * 2 ** order;
      if (this.#is61) this.#post(cpu, -got * 2 ** order);
    }
    const pfn = list.shift();
    if (pfn === undefined) return -1;
    pcp.count -= 2 ** order;
    return pfn;
  }

  #refillSize61(order: number): number {
    const { batch } = this.settings;
    return batch > 1 ? Math.max(Math.floor(batch / 2 ** order), 2) : batch;
  }

  #refillSize618(pcp: NaivePcp, order: number): number {
    const { batch, pcpHighMin: highMin, pcpHighMax: highMax } = this.settings;
    pcp.high = clamp(pcp.high, highMin, highMax);
    if (pcp.high < batch) return 1;
    let x = order === 0 ? batch * 2 ** pcp.alloc_factor : batch;
    if (highMin !== highMax && !this.belowHigh) pcp.high = Math.min(pcp.high + x, highMax);
    if (order === 0) {
      const mx = Math.max(pcp.high - pcp.count - batch, batch);
      if (x <= mx && pcp.alloc_factor < 5) pcp.alloc_factor++;
      x = Math.min(x, mx);
    }
    return x > 1 ? Math.max(Math.floor(x / 2 ** order), 2) : x;
  }

  /** 4.6, buddy request */
  #fromBuddy(request: Request, flags: Flags): number {
    const { cpu, order } = request;
    let pfn = -1;
    if (flags.highAtomic) pfn = this.#smallest(cpu, order, HIGHATOMIC);
    if (pfn < 0) {
      this.#mode = 'normal';
      pfn = this.#remove(request, flags);
    }
    if (pfn < 0 && flags.nonBlock) pfn = this.#smallest(cpu, order, HIGHATOMIC);
    if (pfn >= 0 && this.#is61) this.#post(cpu, -(2 ** order));
    return pfn;
  }

  /** Takes a whole chunk and puts what is beyond 2^order pages on the lists of `rest`, halves from the largest down. */
  #split(pfn: number, chunkOrder: number, order: number, rest: number): void {
    this.#unlink(pfn, chunkOrder);
    for (let half = chunkOrder - 1; half >= order; half--) this.#link(pfn + 2 ** half, half, rest, 'head');
  }

  #smallest(cpu: number, order: number, type: number): number {
    for (let c = order; c <= 10; c++) {
      const pfn = this.lists[type]![c]![0];
      if (pfn === undefined) continue;
      this.#split(pfn, c, order, type);
      this.#postNew(cpu, -(2 ** order));
      return pfn;
    }
    return -1;
  }

  #remove(request: Request, flags: Flags): number {
    const { cpu, order, type } = request;
    if (this.#is61) {
      const own = this.#smallest(cpu, order, type);
      if (own >= 0) return own;
      return this.#fallback61(request, flags) ? this.#smallest(cpu, order, type) : -1;
    }
    if (this.#mode === 'normal') {
      const own = this.#smallest(cpu, order, type);
      if (own >= 0) return own;
    }
    if (this.#mode !== 'steal') {
      const claimed = this.#claim(request, flags);
      if (claimed >= 0) {
        this.#mode = 'normal';
        return claimed;
      }
    }
    if (flags.noFragment) return -1;
    const stolen = this.#steal(request);
    if (stolen >= 0) this.#mode = 'steal';
    return stolen;
  }

  #claimable(c: number, type: number): boolean {
    return c >= 4 || type !== MOVABLE;
  }

  #find(c: number, type: number): number {
    return FALLBACKS[type]!.find((fallback) => this.lists[fallback]![c]!.length > 0) ?? -1;
  }

  /** 2.7 */
  #boostMarks(flags: Flags): void {
    const { boostFactor, high, managed } = this.settings;
    if (boostFactor === 0 || managed < 2048) return;
    const most = Math.floor((high * boostFactor) / 10000);
    if (most === 0) return;
    this.boost = Math.min(this.boost + 512, Math.max(512, most));
    if (flags.kswapd) this.boosted = true;
  }

  #countBlock(pfn: number, flag: readonly boolean[]): number {
    const first = pfn - (pfn % BLOCK);
    let count = 0;
    for (let page = first; page < first + BLOCK; page++) if (flag[page]) count++;
    return count;
  }

  /** Moves the chunks that start in [from, end of its block) to the tails of another type's lists. */
  #moveBlock(cpu: number, from: number, type: number): number {
    const end = from - (from % BLOCK) + BLOCK;
    let moved = 0;
    for (let page = from; page < end; page++) {
      for (let order = 0; order <= 10; order++) {
        if (this.#listOf(page, order) < 0) continue;
        this.#unlink(page, order);
        this.#link(page, order, type, 'tail');
        this.#postNew(cpu, -(2 ** order), 2 ** order);
        moved += 2 ** order;
        page += 2 ** order - 1;
        break;
      }
    }
    return moved;
  }

  #spansBlock(pfn: number): boolean {
    const first = pfn - (pfn % BLOCK);
    return first >= this.settings.start && first + BLOCK <= this.settings.end;
  }

  #fallback61(request: Request, flags: Flags): boolean {
    const { cpu, order, type } = request;
    const min = flags.noFragment && order < 9 ? 9 : order;
    let c = 10;
    while (c >= min && this.#find(c, type) < 0) c--;
    if (c < min) return false;
    if (!this.#claimable(c, type) && c > order) {
      c = order;
      while (this.#find(c, type) < 0) c++;
    }
    const from = this.#find(c, type);
    const p = this.lists[from]![c]![0]!;
    const old = this.blockType(p);
    if (old !== HIGHATOMIC) {
      if (c >= 9) this.#setBlockTypes(p, 2 ** c, type);
      else {
        this.#boostMarks(flags);
        if (this.#claimable(c, type)) {
          const endIsOurs = p - (p % BLOCK) + BLOCK <= this.settings.end;
          const movable = this.#countBlock(p, this.isMovable);
          const moved = endIsOurs ? this.#moveBlock(cpu, p - (p % BLOCK), type) : 0;
          if (moved > 0) {
            const alike = type === MOVABLE ? movable : old === MOVABLE ? BLOCK - moved - movable : 0;
            if (moved + alike >= BLOCK / 2) this.#setBlockTypes(p, 1, type);
            return true;
          }
        }
      }
    }
    this.#unlink(p, c);
    this.#link(p, c, type, 'tail');
    return true;
  }

  #claim(request: Request, flags: Flags): number {
    const { cpu, order, type } = request;
    const min = flags.noFragment && order < 9 ? 9 : order;
    for (let c = 10; c >= min; c--) {
      if (!this.#claimable(c, type)) return -1;
      const from = this.#find(c, type);
      if (from < 0) continue;
      const p = this.lists[from]![c]![0]!;
      if (c >= 9) {
        this.#setBlockTypes(p, 2 ** c, type);
        this.#split(p, c, order, type);
        this.#postNew(cpu, -(2 ** c), 2 ** c - 2 ** order);
        return p;
      }
      this.#boostMarks(flags);
      if (!this.#spansBlock(p)) continue;
      const free = this.#countBlock(p, this.isFree);
      const movable = this.#countBlock(p, this.isMovable);
      const alike = type === MOVABLE ? movable : from === MOVABLE ? BLOCK - free - movable : 0;
      if (free + alike < BLOCK / 2) continue;
      this.#moveBlock(cpu, p - (p % BLOCK), type);
      this.#setBlockTypes(p, 1, type);
      return this.#smallest(cpu, order, type);
    }
    return -1;
  }

  #steal(request: Request): number {
    const { cpu, order, type } = request;
    for (let c = order; c <= 10; c++) {
      const from = this.#find(c, type);
      if (from < 0) continue;
      const p = this.lists[from]![c]![0]!;
      this.#split(p, c, order, from);
      this.#postNew(cpu, -(2 ** order));
      return p;
    }
    return -1;
  }

  // ---- HighAtomic, 4.8

  #reserve(request: Request, pfn: number): void {
    const { cpu, order } = request;
    const percent = Math.floor(this.settings.managed / 100);
    const limit = this.#is61 ? percent + BLOCK : percent < BLOCK ? 0 : roundUp(percent, BLOCK);
    if (this.reserved >= limit || this.blockType(pfn) >= 3) return;
    const first = pfn - (pfn % BLOCK);
    if (this.#is61) {
      this.reserved += BLOCK;
      this.#setBlockTypes(pfn, 1, HIGHATOMIC);
      if (first + BLOCK <= this.settings.end) this.#moveBlock(cpu, first, HIGHATOMIC);
    } else if (order >= 9) {
      this.#setBlockTypes(pfn, 2 ** order, HIGHATOMIC);
      this.reserved += 2 ** order;
    } else if (this.#spansBlock(pfn)) {
      this.#moveBlock(cpu, first, HIGHATOMIC);
      this.#setBlockTypes(pfn, 1, HIGHATOMIC);
      this.reserved += BLOCK;
    }
  }

  unreserve(cpu: number, type: number, force: boolean): boolean {
    if (!force && this.reserved <= BLOCK) return false;
    for (let order = 0; order <= 10; order++) {
      const pfn = this.lists[HIGHATOMIC]![order]![0];
      if (pfn === undefined) continue;
      const whole = order >= 9 && !this.#is61;
      if (this.blockType(pfn) === HIGHATOMIC)
        this.reserved = Math.max(this.reserved - (whole ? 2 ** order : BLOCK), 0);
      if (whole) {
        this.#unlink(pfn, order);
        this.#link(pfn, order, type, 'tail');
        this.#postNew(cpu, -(2 ** order), 2 ** order);
        this.#setBlockTypes(pfn, 2 ** order, type);
        return true;
      }
      const moved = this.#moveBlock(cpu, pfn - (pfn % BLOCK), type);
      this.#setBlockTypes(pfn, 1, type);
      if (moved > 0) return true;
    }
    return false;
  }
}
