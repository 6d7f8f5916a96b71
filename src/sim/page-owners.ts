/**
 * Which pages of the model stand for which objects of the trace.
 *
 * A trace names pages by the PFNs that the recorded kernel handed out, or objects by ids. Ownership is kept per base page,
 * never per allocation: kernels split large pages and free the parts. Where reclaim or migration may move pages, the way
 * back, from a page of the model to its object, is kept too. An object that has both names is kept under its PFN; its id
 * is then another name for it. Pages that were in use when a recording began are objects under their own PFN.
 * model: page-allocator 8.6
 */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import type { StateIo } from '../mm/state-io.js';

/** What became of an object that is no page of the model; values are below every PFN + 1. */
export const Fate = {
  /** never seen in the trace */
  unknown: 0,
  freed: -1,
  failed: -2,
  reclaimed: -3,
  /** an id whose allocation was split: its pages have gone different ways */
  scattered: -4,
  /** a slab page of the recorded kernel; the model's slabs have pages of their own */
  slab: -5,
} as const;
/** an object that is page i of a scattered allocation is its id's number and i times this */
const PAGE_STEP = 2 ** 32;

/** An event that failed, or that is about no page. */
export const NO_PAGE = -1;

/** The page that the last event was about, as the model has it: handed out or given back. NO_PAGE where there is none. */
export interface LastPage {
  last_pfn: number;
}

const CHUNK_SHIFT = 12;
const CHUNK = 1 << CHUNK_SHIFT;
/** chunks of all PFNs that an event can name */
const MAX_CHUNKS = 2 ** (32 - CHUNK_SHIFT);

/** What an event with a recorded PFN allocated. */
export interface RecordedPages {
  readonly pfn: number;
  readonly order: number;
}

export class PageOwners {
  /** by recorded PFN, in chunks that exist once used: model PFN + 1, or a Fate */
  readonly #chunks: (Int32Array | undefined)[] = [];
  /** by id: model PFN + 1, or a Fate */
  #ids = new Int32Array(1 << 10);
  /** ids that are another name for recorded pages */
  readonly #aliases = new Map<number, RecordedPages>();
  /** pages of ids that were split: model PFN + 1 each, or a Fate */
  readonly #scattered = new Map<number, Int32Array>();
  /** by model PFN: recorded PFN + 1, or -(id + 1) - page * PAGE_STEP; null until the first page moves */
  #objects: Float64Array | null = null;
  #startIsRecorded = false;

  /**
   * From now on pages may be reclaimed or migrated: their objects follow.
   *
   * @param startIsRecorded pages in use since the start are the recorded ones of the same PFN
   */
  trackMoves(mm: PageAllocator, startIsRecorded: boolean): void {
    this.#startIsRecorded = startIsRecorded;
    mm.onReclaim = (pfn, order) => this.#reclaimed(mm, pfn, order);
    mm.onMigrate = (from, to, order) => this.#migrated(mm, from, to, order);
    mm.onSplit = (pfn, order) => this.#split(mm, pfn, order);
  }

  /** @param mm whose pages these are */
  serialize(io: StateIo, mm: PageAllocator): void {
    this.#serializeChunks(io);
    this.#ids = io.growing('ids', this.#ids);
    if (io.isLoading)
      for (const values of [this.#ids, ...this.#chunks])
        if (values?.some((value) => value > mm.pages.end_pfn))
          io.refuse('an object lies outside the machine');
    const aliases = [...this.#aliases].flatMap(([id, { pfn, order }]) => [id, pfn, order]);
    const savedAliases = io.list('aliases', aliases);
    const scattered = io.list('scattered', [...this.#scattered.keys()]);
    const scatteredPages = scattered.map((id) =>
      io.list('scattered_pages', [...(this.#scattered.get(id) ?? [])]),
    );
    if (io.isLoading) {
      this.#aliases.clear();
      for (let at = 0; at < savedAliases.length; at += 3)
        this.#aliases.set(savedAliases[at]!, { pfn: savedAliases[at + 1]!, order: savedAliases[at + 2]! });
      this.#scattered.clear();
      for (const [i, id] of scattered.entries()) this.#scattered.set(id, Int32Array.from(scatteredPages[i]!));
    }
    const hasObjects = io.flag('has_objects', this.#objects !== null);
    if (!hasObjects) this.#objects = null;
    else {
      this.#objects ??= new Float64Array(mm.pages.end_pfn);
      io.array('objects', this.#objects);
    }
  }

  #serializeChunks(io: StateIo): void {
    const chunks = this.#chunks;
    const numbers = io.list(
      'chunks',
      [...chunks.keys()].filter((number) => chunks[number] !== undefined),
    );
    if (io.isLoading) chunks.length = 0;
    for (const number of numbers) {
      if (!Number.isInteger(number) || number < 0 || number >= MAX_CHUNKS)
        io.refuse(`there is no chunk ${number}`);
      chunks[number] ??= new Int32Array(CHUNK);
      io.array('chunk', chunks[number]!);
    }
  }

  /** The way back from pages to objects, made when a page first moves: most runs never need it. */
  #objectsOf(mm: PageAllocator): Float64Array {
    if (this.#objects !== null) return this.#objects;
    const objects = new Float64Array(mm.pages.end_pfn);
    this.#chunks.forEach((chunk, number) => {
      chunk?.forEach((value, i) => {
        if (value > 0) objects[value - 1] = (number << CHUNK_SHIFT) + i + 1;
      });
    });
    this.#ids.forEach((value, id) => {
      if (value > 0) objects[value - 1] = -(id + 1);
    });
    this.#objects = objects;
    return objects;
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

  setId(id: number, order: number, model: number): void {
    if (id >= this.#ids.length) this.#growIds(id + 1);
    this.#ids[id] = model < 0 ? Fate.failed : model + 1;
    if (this.#aliases.size > 0) this.#aliases.delete(id);
    if (this.#scattered.size > 0 && this.#scattered.has(id)) this.#forgetScattered(id, model);
    if (this.#objects === null || model < 0) return;
    // The pages behind the first may still say what they were part of before.
    this.#objects.fill(0, model, model + (1 << order));
    this.#objects[model] = -(id + 1);
  }

  /** The recorded pages that an id names, if it names any. */
  aliasOf(id: number): RecordedPages | undefined {
    return this.#aliases.size === 0 ? undefined : this.#aliases.get(id);
  }

  setAlias(id: number, pages: RecordedPages): void {
    this.#aliases.set(id, pages);
  }

  clearAlias(id: number): void {
    this.#aliases.delete(id);
  }

  clearId(id: number, fate: number): void {
    this.#ids[id] = fate;
  }

  #growIds(length: number): void {
    const ids = new Int32Array(Math.max(length, this.#ids.length * 4));
    ids.set(this.#ids);
    this.#ids = ids;
  }

  #reclaimed(mm: PageAllocator, pfn: number, order: number): void {
    const objects = this.#objectsOf(mm);
    for (let page = pfn; page < pfn + (1 << order); page++) {
      this.#place(this.#objectAt(objects, page), Fate.reclaimed);
      objects[page] = 0;
    }
  }

  #migrated(mm: PageAllocator, from: number, to: number, order: number): void {
    const objects = this.#objectsOf(mm);
    for (let i = 0; i < 1 << order; i++) {
      const object = this.#objectAt(objects, from + i);
      objects[from + i] = 0;
      objects[to + i] = object;
      this.#place(object, to + i + 1);
    }
  }

  /** A large page that an id names is single pages from now on. Recorded pages are objects of their own anyway. */
  #split(mm: PageAllocator, pfn: number, order: number): void {
    const objects = this.#objectsOf(mm);
    const object = objects[pfn]!;
    if (object >= 0) return;
    const id = -object - 1;
    const pages = new Int32Array(1 << order);
    for (let i = 0; i < pages.length; i++) {
      pages[i] = pfn + i + 1;
      objects[pfn + i] = -(id + 1) - i * PAGE_STEP;
    }
    this.#scattered.set(id, pages);
    this.#ids[id] = Fate.scattered;
  }

  /** The id names something else now; what it named before stays allocated, and is nobody's. */
  #forgetScattered(id: number, model: number): void {
    const now = this.#ids[id]!;
    for (const page of this.takeScattered(id))
      if (page > 0 && page !== model + 1) this.#objects![page - 1] = 0;
    this.#ids[id] = now;
  }

  /** Pages of an id that was split, as model PFN + 1 or a Fate each; the id names nothing afterwards. */
  takeScattered(id: number): Int32Array {
    const pages = this.#scattered.get(id) ?? new Int32Array(0);
    this.#scattered.delete(id);
    this.#ids[id] = Fate.freed;
    return pages;
  }

  #objectAt(objects: Float64Array, page: number): number {
    const object = objects[page]!;
    if (object !== 0 || !this.#startIsRecorded) return object;
    return this.get(page) === Fate.unknown ? page + 1 : 0;
  }

  /** @param value model PFN + 1, or a Fate */
  #place(object: number, value: number): void {
    if (object > 0) this.#set(object - 1, value);
    else if (object < 0) {
      const id = (-object - 1) % PAGE_STEP;
      const pages = this.#scattered.get(id);
      if (pages === undefined) this.#ids[id] = value;
      else pages[Math.floor((-object - 1) / PAGE_STEP)] = value;
    }
  }
}
