/**
 * Which pages of the model stand for which objects of the trace.
 *
 * A trace names pages by the PFNs that the recorded kernel handed out, or objects by ids. Ownership is kept per base page,
 * never per allocation: kernels split large pages and free the parts. Where reclaim or migration may move pages, the way
 * back, from a page of the model to its object, is kept too.
 * model: page-allocator 8.6
 */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';

/** What became of an object that is no page of the model; values are below every PFN + 1. */
export const Fate = {
  /** never seen in the trace */
  unknown: 0,
  freed: -1,
  failed: -2,
  reclaimed: -3,
} as const;

const CHUNK_SHIFT = 12;
const CHUNK = 1 << CHUNK_SHIFT;

export class PageOwners {
  /** by recorded PFN, in chunks that exist once used: model PFN + 1, or a Fate */
  readonly #chunks: (Int32Array | undefined)[] = [];
  /** by id: model PFN + 1 or a Fate, and the order */
  #ids = new Int32Array(1 << 10);
  #idOrders = new Uint8Array(1 << 10);
  /** by model PFN: recorded PFN + 1, or -(id + 1); null while nothing moves pages */
  #objects: Int32Array | null = null;

  /** From now on pages may be reclaimed or migrated; objects handed out before are not followed. */
  trackMoves(mm: PageAllocator): void {
    this.#objects = new Int32Array(mm.pages.end_pfn);
    mm.onReclaim = (pfn, order) => this.#reclaimed(pfn, order);
    mm.onMigrate = (from, to, order) => this.#migrated(from, to, order);
  }

  get(recorded: number): number {
    const chunk = this.#chunks[recorded >>> CHUNK_SHIFT];
    return chunk === undefined ? Fate.unknown : chunk[recorded & (CHUNK - 1)]!;
  }

  #set(recorded: number, value: number): void {
    let chunk = this.#chunks[recorded >>> CHUNK_SHIFT];
    if (chunk === undefined) {
      chunk = new Int32Array(CHUNK);
      this.#chunks[recorded >>> CHUNK_SHIFT] = chunk;
    }
    chunk[recorded & (CHUNK - 1)] = value;
  }

  /** @param model first page handed out, or -1 for an allocation that the model could not serve */
  setPages(recorded: number, order: number, model: number): void {
    const pages = 1 << order;
    for (let i = 0; i < pages; i++) this.#set(recorded + i, model < 0 ? Fate.failed : model + i + 1);
    if (this.#objects !== null && model >= 0)
      for (let i = 0; i < pages; i++) this.#objects[model + i] = recorded + i + 1;
  }

  clearPages(recorded: number, order: number, fate: number): void {
    for (let i = 0; i < 1 << order; i++) this.#set(recorded + i, fate);
  }

  getId(id: number): number {
    return id < this.#ids.length ? this.#ids[id]! : Fate.unknown;
  }

  orderOfId(id: number): number {
    return this.#idOrders[id]!;
  }

  setId(id: number, order: number, model: number): void {
    if (id >= this.#ids.length) this.#growIds(id + 1);
    this.#ids[id] = model < 0 ? Fate.failed : model + 1;
    this.#idOrders[id] = order;
    if (this.#objects !== null && model >= 0) this.#objects[model] = -(id + 1);
  }

  clearId(id: number, fate: number): void {
    this.#ids[id] = fate;
  }

  #growIds(length: number): void {
    const capacity = Math.max(length, this.#ids.length * 2);
    const ids = new Int32Array(capacity);
    ids.set(this.#ids);
    this.#ids = ids;
    const orders = new Uint8Array(capacity);
    orders.set(this.#idOrders);
    this.#idOrders = orders;
  }

  #reclaimed(pfn: number, order: number): void {
    this.#eachObject(pfn, order, (object) => {
      if (object < 0) this.#ids[-object - 1] = Fate.reclaimed;
      else this.#set(object - 1, Fate.reclaimed);
      return 0;
    });
  }

  #migrated(from: number, to: number, order: number): void {
    const objects = this.#objects!;
    for (let i = 0; i < 1 << order; i++) {
      const object = objects[from + i]!;
      objects[from + i] = 0;
      objects[to + i] = object;
      if (object < 0) this.#ids[-object - 1] = to + i + 1;
      else if (object > 0) this.#set(object - 1, to + i + 1);
    }
  }

  #eachObject(pfn: number, order: number, change: (object: number) => number): void {
    const objects = this.#objects!;
    for (let page = pfn; page < pfn + (1 << order); page++)
      if (objects[page] !== 0) objects[page] = change(objects[page]!);
  }
}
