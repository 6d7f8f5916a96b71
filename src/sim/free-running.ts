/**
 * Free-running replay: the policy decides every PFN, the trace only says who asks for what, when, and gives what back.
 * model: page-allocator 8
 */
import { GFP_ACCOUNT_BIT, GFP_MOVABLE_BIT, gfpMigratetype } from '../mm/gfp.js';
import { allocPages } from '../mm/page-alloc/alloc-pages.js';
import { freePages, ownerOf } from '../mm/page-alloc/free-owned.js';
import { allocPagesNolock } from '../mm/page-alloc/nolock.js';
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { PageKind } from '../mm/page-alloc/page-map.js';
import { isMovable, spanAt } from '../mm/page-alloc/page-span.js';
import type { StateIo } from '../mm/state-io.js';
import { Migratetype, PAGEBLOCK_ORDER } from '../mm/types.js';
import {
  type EventBatch,
  EventFlag,
  FIRST_OBSERVATION,
  NO_ORDER,
  NONE_U32,
  Op,
} from '../trace/event-batch.js';
import type { SimBackground } from './background.js';
import type { Notes } from './notes.js';
import { Fate, PageOwners } from './page-owners.js';
import { RareOps } from './rare-ops.js';
import { Outcome, type Tallies } from './tallies.js';

export interface FreeRunOptions {
  /** PFNs of the trace that were in use when it began are the model's own: the start state is the recorded machine's */
  readonly startIsRecorded: boolean;
  readonly notes: Notes;
  readonly tallies: Tallies;
  readonly background: SimBackground;
}

/** An event that failed, or that is about no page. */
export const NO_PAGE = -1;

const RARE_OUTCOMES = { ok: Outcome.ok, failed: Outcome.failed, not_modelled: Outcome.not_replayed } as const;

export class FreeRunningReplay {
  readonly owners = new PageOwners();
  /** page that the last event was about, as the model has it: handed out or given back; NO_PAGE where there is none */
  last_pfn = NO_PAGE;
  /** called at marks of the trace */
  onMark: ((name: string) => void) | null = null;
  readonly #mm: PageAllocator;
  readonly #notes: Notes;
  readonly #tallies: Tallies;
  readonly #background: SimBackground;
  readonly #startIsRecorded: boolean;
  /** by PFN: 1 for movable pages that were in use before the trace */
  readonly #movableAtStart: Uint8Array;
  readonly #rareOps: RareOps;

  constructor(mm: PageAllocator, options: FreeRunOptions) {
    this.#mm = mm;
    this.#notes = options.notes;
    this.#tallies = options.tallies;
    this.#background = options.background;
    this.#startIsRecorded = options.startIsRecorded;
    this.owners.trackMoves(mm, options.startIsRecorded);
    this.#movableAtStart = movablePages(mm, options.startIsRecorded);
    this.#rareOps = new RareOps(mm, this.owners, this.#notes);
  }

  /** What is the replay's own: not the machine, the background and what is counted. */
  serialize(io: StateIo): void {
    this.owners.serialize(io, this.#mm);
    io.array('movable_at_start', this.#movableAtStart);
    io.part('rare_ops', this.#rareOps);
  }

  replay(batch: EventBatch, from = 0, to = batch.length): void {
    const { ts, op, flags, cpu: cpus, node: nodes, id: ids, order: orders } = batch;
    const background = this.#background;
    const { nr_cpus } = this.#mm;
    for (let i = from; i < to; i++) {
      const now = ts[i]!;
      if (now >= background.due_ns) background.runUntil(now);
      background.now_ns = now;
      const what = op[i]!;
      const cpu = cpus[i]!;
      const isPlain = flags[i] === 0 && cpu < nr_cpus;
      if (what === Op.alloc) {
        if (isPlain && nodes[i] === -1)
          this.#allocPlain(cpu, batch.gfp[i]!, orders[i]!, batch.ctx[i]!, ids[i]!);
        else this.#alloc(batch, i);
      } else if (what === Op.free) {
        if (!isPlain || !this.#freePlain(cpu, ids[i]!, orders[i]!, batch.ctx[i]!)) this.#free(batch, i);
      } else {
        this.#other(batch, i, what);
      }
    }
  }

  /**
   * The same, and notes for each event which page it was about.
   *
   * @param pfns  by row of the batch
   */
  replayNoting(batch: EventBatch, from: number, to: number, pfns: Int32Array): void {
    for (let i = from; i < to; i++) {
      this.last_pfn = NO_PAGE;
      this.replay(batch, i, i + 1);
      pfns[i] = this.last_pfn;
    }
  }

  /** An allocation that an id names and nothing else, on this CPU's node: the bulk of most traces. */
  #allocPlain(cpu: number, gfp: number, order: number, ctx: number, id: number): void {
    const pfn = allocPages(this.#mm, cpu, gfp, order, -1, (gfp & GFP_MOVABLE_BIT) !== 0);
    this.last_pfn = pfn;
    const failed = pfn < 0 ? 1 : 0;
    if (failed) this.#notes.add('model_failures');
    this.#tallies.event(Op.alloc, ctx, failed ? Outcome.failed : Outcome.ok);
    this.#tallies.allocation(gfpMigratetype(gfp), ctx, order, failed);
    if (id !== NONE_U32) this.#nameId(id, order, pfn);
  }

  /** Frees what an id names if it is a whole allocation of that order. @returns whether it was; else nothing is done */
  #freePlain(cpu: number, id: number, order: number, ctx: number): boolean {
    const model = this.owners.getId(id) - 1;
    if (model < 0 || order === NO_ORDER || this.owners.aliasOf(id) !== undefined) return false;
    const { pages } = this.#mm;
    const state = pages.state[pages.node(model, order)]!;
    if (state !== ((PageKind.lru << 4) | order) && state !== ((PageKind.allocated << 4) | order))
      return false;
    this.owners.clearId(id, Fate.freed);
    freePages(this.#mm, cpu, model, order);
    this.last_pfn = model;
    this.#tallies.event(Op.free, ctx, Outcome.ok);
    return true;
  }

  #cpu(cpu: number): number {
    if (cpu < this.#mm.nr_cpus) return cpu;
    this.#notes.add('cpus_outside_machine');
    return 0;
  }

  /** The requested node, -1 for the local one. */
  #node(node: number): number {
    if (node < this.#mm.nodes.length) return node;
    this.#notes.add('nodes_outside_machine');
    return -1;
  }

  #alloc(batch: EventBatch, i: number): void {
    const order = batch.order[i]!;
    const gfp = batch.gfp[i]!;
    const ctx = batch.ctx[i]!;
    const migratetype = gfpMigratetype(gfp);
    const flags = batch.flags[i]!;
    if (flags & EventFlag.failed) {
      // Nobody would give back what the model handed out here.
      this.#notes.add('recorded_failures');
      this.#tallies.event(Op.alloc, ctx, Outcome.failed);
      this.#tallies.allocation(migratetype, ctx, order, 1);
      return;
    }
    const cpu = this.#cpu(batch.cpu[i]!);
    if (flags & EventFlag.hasPfn) this.#freeImplied(cpu, batch.pfn[i]!, order);
    const node = this.#node(batch.node[i]!);
    const pfn = allocPages(this.#mm, cpu, gfp, order, node, (gfp & GFP_MOVABLE_BIT) !== 0);
    this.#finishAlloc(batch, i, Op.alloc, pfn, order, migratetype);
  }

  /** Pages that are handed out again were freed in between, though no event says so. model: page-allocator 8.14 */
  #freeImplied(cpu: number, recorded: number, order: number): void {
    const first = this.owners.get(recorded) - 1;
    if (first >= 0 && this.#isWhole(recorded, order, first) && this.#orderAt(first) === order) {
      this.#notes.add('implied_frees');
      this.owners.clearPages(recorded, order, Fate.freed);
      freePages(this.#mm, cpu, first, order);
      return;
    }
    let implied = false;
    for (let page = recorded; page < recorded + (1 << order); page++) {
      const model = this.owners.get(page) - 1;
      if (model < 0) continue;
      implied = true;
      this.owners.clearPages(page, 0, Fate.freed);
      freePages(this.#mm, cpu, model, 0);
    }
    if (implied) this.#notes.add('implied_frees');
  }

  #finishAlloc(
    batch: EventBatch,
    i: number,
    op: number,
    pfn: number,
    order: number,
    migratetype: number,
  ): void {
    const ctx = batch.ctx[i]!;
    const failed = pfn < 0;
    this.last_pfn = pfn;
    if (failed) this.#notes.add('model_failures');
    this.#tallies.event(op, ctx, failed ? Outcome.failed : Outcome.ok);
    this.#tallies.allocation(migratetype, ctx, order, failed ? 1 : 0);
    if (batch.flags[i]! & EventFlag.hasPfn) {
      this.owners.setPages(batch.pfn[i]!, order, pfn);
      if (batch.id[i] !== NONE_U32) this.#nameRecorded(batch.id[i]!, batch.pfn[i]!, order);
    } else if (batch.id[i] !== NONE_U32) {
      this.#nameId(batch.id[i]!, order, pfn);
    }
  }

  #nameId(id: number, order: number, pfn: number): void {
    if (this.#isIdInUse(id)) this.#notes.add('duplicate_ids');
    this.owners.setId(id, order, pfn);
  }

  /** An object with an id and a recorded PFN may be freed by either. */
  #nameRecorded(id: number, pfn: number, order: number): void {
    if (this.#isIdInUse(id) && this.owners.aliasOf(id)?.pfn !== pfn) this.#notes.add('duplicate_ids');
    this.owners.setAlias(id, { pfn, order });
  }

  #isIdInUse(id: number): boolean {
    const alias = this.owners.aliasOf(id);
    const owned = alias === undefined ? this.owners.getId(id) : this.owners.get(alias.pfn);
    return owned > 0 || owned === Fate.scattered;
  }

  #free(batch: EventBatch, i: number, op: number = Op.free): void {
    const cpu = this.#cpu(batch.cpu[i]!);
    const done =
      batch.flags[i]! & EventFlag.hasPfn
        ? this.#freeRecorded(cpu, batch.pfn[i]!, batch.order[i]!)
        : this.#freeId(cpu, batch.id[i]!, batch.order[i]!);
    this.#tallies.event(op, batch.ctx[i]!, done ? Outcome.ok : Outcome.not_replayed);
  }

  #freeRecorded(cpu: number, recorded: number, recordedOrder: number): boolean {
    const model = this.owners.get(recorded) - 1;
    this.last_pfn = model < 0 ? NO_PAGE : model;
    let order = recordedOrder;
    if (order === NO_ORDER) {
      this.#notes.add('frees_without_order');
      order = model < 0 ? 0 : this.#orderAt(model);
    }
    if (model < 0 && (order === 0 || this.#haveOneFate(recorded, order, model + 1)))
      return this.#freeUnowned(cpu, recorded, order, model + 1);
    if (model >= 0 && (order === 0 || this.#isWhole(recorded, order, model))) {
      this.owners.clearPages(recorded, order, Fate.freed);
      this.#noteShape(model, order);
      freePages(this.#mm, cpu, model, order);
      return true;
    }
    // The pages did not come from one allocation of the model: they go back one by one.
    this.#notes.add('order_mismatches');
    let done = false;
    for (let page = recorded; page < recorded + (1 << order); page++)
      if (this.#freeRecorded(cpu, page, 0)) done = true;
    return done;
  }

  /** Order of the allocation that begins at a page of the model. */
  #orderAt(model: number): number {
    const owner = ownerOf(this.#mm, model);
    return owner !== null && owner.head === model ? owner.order : 0;
  }

  #haveOneFate(recorded: number, order: number, fate: number): boolean {
    for (let i = 1; i < 1 << order; i++) if (this.owners.get(recorded + i) !== fate) return false;
    return true;
  }

  /** The model's pages are one aligned block, as the recorded ones are. */
  #isWhole(recorded: number, order: number, model: number): boolean {
    if ((model & ((1 << order) - 1)) !== 0) return false;
    for (let i = 1; i < 1 << order; i++) if (this.owners.get(recorded + i) !== model + i + 1) return false;
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
    this.owners.clearPages(recorded, order, Fate.freed);
    if (fate === Fate.failed) this.#notes.add('frees_of_failed');
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
      freePages(mm, cpu, pfn, order);
      return true;
    }
    // Some of them were free in the start state: an allocation that no event shows has taken them since.
    for (let page = pfn; page < end; page++) if (this.#isFromStart(page)) freePages(mm, cpu, page, 0);
    return inUse > 0;
  }

  #isFromStart(pfn: number): boolean {
    const span = spanAt(this.#mm.pages, pfn);
    return span === null || (isMovable(span.state) && this.#movableAtStart[pfn] === 1);
  }

  #allocNolock(batch: EventBatch, i: number): void {
    const order = batch.order[i]!;
    const gfp = batch.gfp[i]!;
    const flags = batch.flags[i]!;
    if (flags & EventFlag.failed) {
      this.#notes.add('recorded_failures');
      this.#tallies.event(Op.alloc_nolock, batch.ctx[i]!, Outcome.failed);
      this.#tallies.allocation(Migratetype.unmovable, batch.ctx[i]!, order, 1);
      return;
    }
    const cpu = this.#cpu(batch.cpu[i]!);
    if (flags & EventFlag.hasPfn) this.#freeImplied(cpu, batch.pfn[i]!, order);
    const node = this.#node(batch.node[i]!);
    const pfn = allocPagesNolock(this.#mm, cpu, order, node, (gfp & GFP_ACCOUNT_BIT) !== 0);
    this.#finishAlloc(batch, i, Op.alloc_nolock, pfn, order, Migratetype.unmovable);
  }

  #freeId(cpu: number, id: number, order: number): boolean {
    const alias = id === NONE_U32 ? undefined : this.owners.aliasOf(id);
    if (alias !== undefined) {
      this.owners.clearAlias(id);
      if (order !== NO_ORDER && order !== alias.order) this.#notes.add('order_mismatches');
      return this.#freeRecorded(cpu, alias.pfn, alias.order);
    }
    const model = id === NONE_U32 ? -1 : this.owners.getId(id) - 1;
    this.last_pfn = model < 0 ? NO_PAGE : model;
    if (model < 0) {
      const fate = model + 1;
      if (fate === Fate.scattered) return this.#freeScattered(cpu, id);
      if (fate === Fate.failed) this.#notes.add('frees_of_failed');
      else if (fate === Fate.reclaimed) this.#notes.add('frees_of_reclaimed');
      else this.#notes.add('unknown_frees');
      if (id !== NONE_U32 && fate !== Fate.unknown) this.owners.clearId(id, Fate.freed);
      return false;
    }
    const allocated = allocatedOrder(this.#mm, model);
    if (order !== NO_ORDER && order !== allocated) this.#notes.add('order_mismatches');
    this.owners.clearId(id, Fate.freed);
    freePages(this.#mm, cpu, model, allocated);
    return true;
  }

  /** Pages of an allocation that was split on the way; some of them may have been reclaimed since. */
  #freeScattered(cpu: number, id: number): boolean {
    let freed = false;
    for (const page of this.owners.takeScattered(id)) {
      if (page <= 0) continue;
      freePages(this.#mm, cpu, page - 1, 0);
      freed = true;
    }
    if (!freed) this.#notes.add('frees_of_reclaimed');
    return freed;
  }

  #other(batch: EventBatch, i: number, op: number): void {
    const ctx = batch.ctx[i]!;
    if (op === Op.mark) {
      this.onMark?.(batch.strings.args.get(batch.arg[i]!));
    } else if (op === Op.obs_lost) {
      this.#notes.add('lost_event_gaps');
    } else if (op >= FIRST_OBSERVATION) {
      // What the recorded kernel did by itself is not for the model to follow.
    } else if (op === Op.alloc_nolock) {
      this.#allocNolock(batch, i);
    } else if (op === Op.free_nolock) {
      this.#free(batch, i, op);
    } else {
      const rare = this.#rareOps;
      const outcome = rare.replay(batch, i, this.#cpu(batch.cpu[i]!), this.#node(batch.node[i]!));
      this.last_pfn = outcome === 'ok' ? rare.last_pfn : NO_PAGE;
      if (outcome === 'not_modelled') this.#notes.add('not_modelled');
      this.#tallies.event(op, ctx, RARE_OUTCOMES[outcome]);
    }
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
