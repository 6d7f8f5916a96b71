/**
 * Frees of a free-running replay: what an id or a recorded PFN names goes back, whatever its shape has become.
 * model: page-allocator 8
 */
import type { Context } from '../mm/context.js';
import { freePages, ownerOf } from '../mm/page-alloc/free-owned.js';
import { freePagesNolock } from '../mm/page-alloc/nolock.js';
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { PageKind } from '../mm/page-alloc/page-map.js';
import { isMovable, spanAt } from '../mm/page-alloc/page-span.js';
import type { StateIo } from '../mm/state-io.js';
import { PAGEBLOCK_ORDER } from '../mm/types.js';
import { NO_ORDER, NONE_U32 } from '../trace/event-batch.js';
import type { Notes } from './notes.js';
import { Fate, type LastPage, NO_PAGE, type PageOwners } from './page-owners.js';
import type { MemcgDirectory } from './slab/memcg-directory.js';
import type { NolockCalls } from './slab/nolock-calls.js';

export class PageFrees {
  /** told of each page that goes back */
  readonly #last: LastPage;
  /** context of the free_pages_nolock() at hand; null for every other event */
  nolockContext: Context | null = null;
  /** takes note of such frees; null where no slabs are modelled */
  nolock: NolockCalls | null = null;
  /** pages may be charged to a memory cgroup; null where none is accounted */
  charged: Pick<MemcgDirectory, 'unchargePages'> | null = null;
  readonly #mm: PageAllocator;
  readonly #owners: PageOwners;
  readonly #notes: Notes;
  readonly #startIsRecorded: boolean;
  /** by PFN: 1 for movable pages that were in use before the trace */
  readonly #movableAtStart: Uint8Array;

  constructor(mm: PageAllocator, owners: PageOwners, notes: Notes, startIsRecorded: boolean, last: LastPage) {
    this.#last = last;
    this.#mm = mm;
    this.#owners = owners;
    this.#notes = notes;
    this.#startIsRecorded = startIsRecorded;
    this.#movableAtStart = movablePages(mm, startIsRecorded);
  }

  serialize(io: StateIo): void {
    io.array('movable_at_start', this.#movableAtStart);
  }

  /** Frees what an id names if it is a whole allocation of that order. @returns whether it was; else nothing is done */
  freePlain(cpu: number, id: number, order: number): boolean {
    const model = this.#owners.getId(id) - 1;
    if (model < 0 || order === NO_ORDER || this.#owners.aliasOf(id) !== undefined) return false;
    const { pages } = this.#mm;
    const state = pages.state[pages.node(model, order)]!;
    if (state !== ((PageKind.lru << 4) | order) && state !== ((PageKind.allocated << 4) | order))
      return false;
    this.#owners.clearId(id, Fate.freed);
    freePages(this.#mm, cpu, model, order);
    this.#last.last_pfn = model;
    return true;
  }

  /** Pages that are handed out again were freed in between, though no event says so. model: page-allocator 8.14 */
  freeImplied(cpu: number, recorded: number, order: number): void {
    const first = this.#owners.get(recorded) - 1;
    if (first >= 0 && this.#isWhole(recorded, order, first) && this.#orderAt(first) === order) {
      this.#notes.add('implied_frees');
      this.#owners.clearPages(recorded, order, Fate.freed);
      this.charged?.unchargePages(cpu, first, order);
      freePages(this.#mm, cpu, first, order);
      return;
    }
    let implied = false;
    for (let page = recorded; page < recorded + (1 << order); page++) {
      const model = this.#owners.get(page) - 1;
      if (model < 0) continue;
      implied = true;
      this.#owners.clearPages(page, 0, Fate.freed);
      this.charged?.unchargePages(cpu, model, 0);
      freePages(this.#mm, cpu, model, 0);
    }
    if (implied) this.#notes.add('implied_frees');
  }

  /** Gives pages back as the event at hand does. model: page-allocator 3.10 */
  #release(cpu: number, pfn: number, order: number): void {
    this.charged?.unchargePages(cpu, pfn, order);
    if (this.nolockContext === null) freePages(this.#mm, cpu, pfn, order);
    else if (this.nolock !== null) this.nolock.freePages(cpu, pfn, order, this.nolockContext);
    else freePagesNolock(this.#mm, cpu, pfn, order, this.nolockContext);
  }

  /** Frees recorded pages. @returns whether anything came of it */
  freeRecorded(cpu: number, recorded: number, recordedOrder: number): boolean {
    const model = this.#owners.get(recorded) - 1;
    this.#last.last_pfn = model < 0 ? NO_PAGE : model;
    let order = recordedOrder;
    if (order === NO_ORDER) {
      this.#notes.add('frees_without_order');
      order = model < 0 ? 0 : this.#orderAt(model);
    }
    if (model < 0 && (order === 0 || this.#haveOneFate(recorded, order, model + 1)))
      return this.#freeUnowned(cpu, recorded, order, model + 1);
    if (model >= 0 && (order === 0 || this.#isWhole(recorded, order, model))) {
      this.#owners.clearPages(recorded, order, Fate.freed);
      this.#noteShape(model, order);
      this.#release(cpu, model, order);
      return true;
    }
    // The pages did not come from one allocation of the model: they go back one by one.
    this.#notes.add('order_mismatches');
    let done = false;
    for (let page = recorded; page < recorded + (1 << order); page++)
      if (this.freeRecorded(cpu, page, 0)) done = true;
    return done;
  }

  /** Order of the allocation that begins at a page of the model. */
  #orderAt(model: number): number {
    const owner = ownerOf(this.#mm, model);
    return owner !== null && owner.head === model ? owner.order : 0;
  }

  #haveOneFate(recorded: number, order: number, fate: number): boolean {
    for (let i = 1; i < 1 << order; i++) if (this.#owners.get(recorded + i) !== fate) return false;
    return true;
  }

  /** The model's pages are one aligned block, as the recorded ones are. */
  #isWhole(recorded: number, order: number, model: number): boolean {
    if ((model & ((1 << order) - 1)) !== 0) return false;
    for (let i = 1; i < 1 << order; i++) if (this.#owners.get(recorded + i) !== model + i + 1) return false;
    return true;
  }

  #noteShape(model: number, order: number): void {
    const { pages } = this.#mm;
    const state = pages.state[pages.node(model, order)]!;
    const kind = state >> 4;
    const isHead = kind === PageKind.allocated || kind === PageKind.lru;
    if (isHead && (state & 15) === order) return;
    this.#notes.add(isHead && (state & 15) < order ? 'order_mismatches' : 'partial_frees');
  }

  #freeUnowned(cpu: number, recorded: number, order: number, fate: number): boolean {
    if (fate === Fate.freed) {
      this.#notes.add('untraced_allocations');
      return false;
    }
    this.#owners.clearPages(recorded, order, Fate.freed);
    if (fate === Fate.failed) this.#notes.add('frees_of_failed');
    else if (fate === Fate.slab) this.#notes.add('slab_page_events');
    else if (fate === Fate.reclaimed) this.#notes.add('frees_of_reclaimed');
    else if (this.#startIsRecorded) return this.#freeFromStart(cpu, recorded, order);
    else this.#notes.add('frees_from_before_trace');
    return false;
  }

  /** Pages in use since the start are the recorded ones, as long as the model has not freed or moved them. */
  #freeFromStart(cpu: number, pfn: number, order: number): boolean {
    const mm = this.#mm;
    const end = pfn + (1 << order);
    if (mm.findZone(pfn) === undefined || mm.findZone(end - 1) === undefined) {
      this.#notes.add('pages_outside_machine');
      return false;
    }
    this.#notes.add('frees_from_before_trace');
    let inUse = 0;
    for (let page = pfn; page < end; page++) if (this.#isFromStart(page)) inUse++;
    if (inUse === 1 << order) {
      this.#release(cpu, pfn, order);
      return true;
    }
    // Some of them were free in the start state: an allocation that no event shows has taken them since.
    for (let page = pfn; page < end; page++) if (this.#isFromStart(page)) this.#release(cpu, page, 0);
    return inUse > 0;
  }

  #isFromStart(pfn: number): boolean {
    const span = spanAt(this.#mm.pages, pfn);
    return span === null || (isMovable(span.state) && this.#movableAtStart[pfn] === 1);
  }

  /** Frees what an id names. @returns whether anything came of it */
  freeId(cpu: number, id: number, order: number): boolean {
    const alias = id === NONE_U32 ? undefined : this.#owners.aliasOf(id);
    if (alias !== undefined) {
      this.#owners.clearAlias(id);
      if (order !== NO_ORDER && order !== alias.order) this.#notes.add('order_mismatches');
      return this.freeRecorded(cpu, alias.pfn, alias.order);
    }
    const model = id === NONE_U32 ? -1 : this.#owners.getId(id) - 1;
    this.#last.last_pfn = model < 0 ? NO_PAGE : model;
    if (model < 0) {
      const fate = model + 1;
      if (fate === Fate.scattered) return this.#freeScattered(cpu, id);
      if (fate === Fate.failed) this.#notes.add('frees_of_failed');
      else if (fate === Fate.reclaimed) this.#notes.add('frees_of_reclaimed');
      else this.#notes.add('unknown_frees');
      if (id !== NONE_U32 && fate !== Fate.unknown) this.#owners.clearId(id, Fate.freed);
      return false;
    }
    const allocated = allocatedOrder(this.#mm, model);
    if (order !== NO_ORDER && order !== allocated) this.#notes.add('order_mismatches');
    this.#owners.clearId(id, Fate.freed);
    this.#release(cpu, model, allocated);
    return true;
  }

  /** Pages of an allocation that was split on the way; some of them may have been reclaimed since. */
  #freeScattered(cpu: number, id: number): boolean {
    let freed = false;
    for (const page of this.#owners.takeScattered(id)) {
      if (page <= 0) continue;
      this.#release(cpu, page - 1, 0);
      freed = true;
    }
    if (!freed) this.#notes.add('frees_of_reclaimed');
    return freed;
  }
}

/** Order of an allocation that is still whole: ids name nothing else. */
function allocatedOrder(mm: PageAllocator, pfn: number): number {
  const { state, blockBase } = mm.pages;
  const small = state[pfn]!;
  const kind = small >> 4;
  if (kind === PageKind.allocated || kind === PageKind.lru) return small & 15;
  return state[blockBase + (pfn >>> PAGEBLOCK_ORDER)]! & 15;
}

/** Movable pages that a start state holds; empty where the pages in use at the start are nobody's. */
function movablePages(mm: PageAllocator, startIsRecorded: boolean): Uint8Array {
  const { state, end_pfn } = mm.pages;
  const movable = new Uint8Array(startIsRecorded ? end_pfn : 0);
  for (let pfn = 0; pfn < movable.length; pfn++) if (state[pfn]! >> 4 === PageKind.lru) movable[pfn] = 1;
  return movable;
}
