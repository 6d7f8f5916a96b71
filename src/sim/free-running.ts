/**
 * Free-running replay: the policy decides every PFN, the trace only says who asks for what, when, and gives what back.
 * model: page-allocator 8
 */
import { GFP_ACCOUNT_BIT, GFP_MOVABLE_BIT, gfpMigratetype } from '../mm/gfp.js';
import { allocPages } from '../mm/page-alloc/alloc-pages.js';
import { freePages } from '../mm/page-alloc/free-owned.js';
import { allocPagesNolock } from '../mm/page-alloc/nolock.js';
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { PageKind } from '../mm/page-alloc/page-map.js';
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

const RARE_OUTCOMES = { ok: Outcome.ok, failed: Outcome.failed, not_modelled: Outcome.not_replayed } as const;

export class FreeRunningReplay {
  readonly owners = new PageOwners();
  /** called at marks of the trace */
  onMark: ((name: string) => void) | null = null;
  readonly #mm: PageAllocator;
  readonly #notes: Notes;
  readonly #tallies: Tallies;
  readonly #background: SimBackground;
  readonly #startIsRecorded: boolean;
  readonly #rareOps: RareOps;

  constructor(mm: PageAllocator, options: FreeRunOptions) {
    this.#mm = mm;
    this.#notes = options.notes;
    this.#tallies = options.tallies;
    this.#background = options.background;
    this.#startIsRecorded = options.startIsRecorded;
    this.owners.trackMoves(mm);
    this.#rareOps = new RareOps(mm, this.owners);
  }

  replay(batch: EventBatch, from = 0, to = batch.length): void {
    const { ts, op } = batch;
    const background = this.#background;
    for (let i = from; i < to; i++) {
      const now = ts[i]!;
      if (now >= background.due_ns) background.runUntil(now);
      background.now_ns = now;
      const what = op[i]!;
      if (what === Op.alloc) this.#alloc(batch, i);
      else if (what === Op.free) this.#free(batch, i);
      else this.#other(batch, i, what);
    }
  }

  #cpu(cpu: number): number {
    if (cpu < this.#mm.nr_cpus) return cpu;
    this.#notes.add('cpus_outside_machine');
    return 0;
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
    const node = batch.node[i]!;
    const wanted = node < this.#mm.nodes.length ? node : -1;
    const pfn = allocPages(this.#mm, cpu, gfp, order, wanted, (gfp & GFP_MOVABLE_BIT) !== 0);
    this.#finishAlloc(batch, i, Op.alloc, pfn, order, migratetype);
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
    if (failed) this.#notes.add('model_failures');
    this.#tallies.event(op, ctx, failed ? Outcome.failed : Outcome.ok);
    this.#tallies.allocation(migratetype, ctx, order, failed ? 1 : 0);
    if (batch.flags[i]! & EventFlag.hasPfn) {
      const recorded = batch.pfn[i]!;
      if (this.owners.get(recorded) > 0) this.#notes.add('implied_frees');
      this.owners.setPages(recorded, order, pfn);
    } else if (batch.id[i] !== NONE_U32) {
      if (this.owners.getId(batch.id[i]!) > 0) this.#notes.add('duplicate_ids');
      this.owners.setId(batch.id[i]!, order, pfn);
    }
  }

  #free(batch: EventBatch, i: number): void {
    const cpu = this.#cpu(batch.cpu[i]!);
    const done =
      batch.flags[i]! & EventFlag.hasPfn
        ? this.#freeRecorded(cpu, batch.pfn[i]!, batch.order[i]!)
        : this.#freeId(cpu, batch.id[i]!, batch.order[i]!);
    this.#tallies.event(Op.free, batch.ctx[i]!, done ? Outcome.ok : Outcome.not_replayed);
  }

  #freeRecorded(cpu: number, recorded: number, recordedOrder: number): boolean {
    const order = recordedOrder === NO_ORDER ? 0 : recordedOrder;
    if (recordedOrder === NO_ORDER) this.#notes.add('frees_without_order');
    const model = this.owners.get(recorded) - 1;
    if (model < 0) return this.#freeUnowned(cpu, recorded, order, model + 1);
    if (order === 0 || this.#isWhole(recorded, order, model)) {
      this.owners.clearPages(recorded, order, Fate.freed);
      this.#noteShape(model, order);
      freePages(this.#mm, cpu, model, order);
      return true;
    }
    // The pages did not come from one allocation of the model: they go back one by one.
    this.#notes.add('order_mismatches');
    for (let page = recorded; page < recorded + (1 << order); page++) this.#freeRecorded(cpu, page, 0);
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
    this.#notes.add('partial_frees');
  }

  #freeUnowned(cpu: number, recorded: number, order: number, fate: number): boolean {
    if (fate === Fate.failed) {
      this.#notes.add('frees_of_failed');
      this.owners.clearPages(recorded, order, Fate.freed);
      return false;
    }
    if (fate === Fate.reclaimed) {
      this.#notes.add('frees_of_reclaimed');
      this.owners.clearPages(recorded, order, Fate.freed);
      return false;
    }
    if (fate === Fate.freed) {
      this.#notes.add('untraced_allocations');
      return false;
    }
    this.#notes.add('frees_from_before_trace');
    this.owners.clearPages(recorded, order, Fate.freed);
    if (!this.#startIsRecorded || !this.#isInUse(recorded, order)) return false;
    freePages(this.#mm, cpu, recorded, order);
    return true;
  }

  /** Pages in use since the start are the recorded ones, as long as the model has not freed them. */
  #isInUse(pfn: number, order: number): boolean {
    const { pages } = this.#mm;
    if (this.#mm.findZone(pfn) === undefined || this.#mm.findZone(pfn + (1 << order) - 1) === undefined)
      return false;
    for (let page = pfn; page < pfn + (1 << order); page++) {
      if (pages.buddyHead(page) >= 0) return false;
      const kind = pages.state[page]! >> 4;
      if (kind !== PageKind.used && kind !== PageKind.lru) return false;
    }
    return true;
  }

  #allocNolock(batch: EventBatch, i: number): number {
    const account = (batch.gfp[i]! & GFP_ACCOUNT_BIT) !== 0;
    return allocPagesNolock(this.#mm, this.#cpu(batch.cpu[i]!), batch.order[i]!, batch.node[i]!, account);
  }

  #freeId(cpu: number, id: number, order: number): boolean {
    const model = id === NONE_U32 ? -1 : this.owners.getId(id) - 1;
    if (model < 0) {
      const fate = model + 1;
      if (fate === Fate.failed) this.#notes.add('frees_of_failed');
      else if (fate === Fate.reclaimed) this.#notes.add('frees_of_reclaimed');
      else this.#notes.add('unknown_frees');
      if (id !== NONE_U32 && fate !== Fate.unknown) this.owners.clearId(id, Fate.freed);
      return false;
    }
    const allocated = this.owners.orderOfId(id);
    if (order !== NO_ORDER && order !== allocated) this.#notes.add('order_mismatches');
    this.owners.clearId(id, Fate.freed);
    freePages(this.#mm, cpu, model, allocated);
    return true;
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
      const pfn = this.#allocNolock(batch, i);
      this.#finishAlloc(batch, i, op, pfn, batch.order[i]!, 0);
    } else if (op === Op.free_nolock) {
      this.#free(batch, i);
    } else {
      const outcome = this.#rareOps.replay(batch, i, this.#cpu(batch.cpu[i]!));
      if (outcome === 'not_modelled') this.#notes.add('not_modelled');
      this.#tallies.event(op, ctx, RARE_OUTCOMES[outcome]);
    }
  }
}
