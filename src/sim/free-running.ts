/**
 * Free-running replay: the policy decides every PFN, the trace only says who asks for what, when, and gives what back.
 * model: page-allocator 8
 */
import type { Context } from '../mm/context.js';
import { GFP_ACCOUNT_BIT, GFP_MOVABLE_BIT, gfpMigratetype } from '../mm/gfp.js';
import { allocPages } from '../mm/page-alloc/alloc-pages.js';
import { allocPagesNolock } from '../mm/page-alloc/nolock.js';
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import type { StateIo } from '../mm/state-io.js';
import { Migratetype } from '../mm/types.js';
import { type EventBatch, EventFlag, FIRST_OBSERVATION, NONE_U32, Op } from '../trace/event-batch.js';
import type { SimBackground } from './background.js';
import type { Notes } from './notes.js';
import { PageFrees } from './page-frees.js';
import { Fate, NO_PAGE, PageOwners } from './page-owners.js';
import { RareOps } from './rare-ops.js';
import { SlabReplay } from './slab/slab-replay.js';
import { isSlabOp, isSlabRequest } from './slab/slab-requests.js';
import type { SlabStartSources } from './start-state/slab-start.js';
import { Outcome, type Tallies } from './tallies.js';

export interface FreeRunOptions {
  /** PFNs of the trace that were in use when it began are the model's own: the start state is the recorded machine's */
  readonly startIsRecorded: boolean;
  readonly notes: Notes;
  readonly tallies: Tallies;
  readonly background: SimBackground;
  /** slabs that the trace begins with, where it has slab events and a recording tells of them */
  readonly slabStart?: SlabStartSources | undefined;
}

const RARE_OUTCOMES = { ok: Outcome.ok, failed: Outcome.failed, not_modelled: Outcome.not_replayed } as const;

export class FreeRunningReplay {
  readonly owners = new PageOwners();
  /** page that the last event was about, as the model has it, unless it was a free; NO_PAGE where there is none */
  last_pfn = NO_PAGE;
  /** called at marks of the trace */
  onMark: ((name: string) => void) | null = null;
  readonly #mm: PageAllocator;
  readonly #notes: Notes;
  readonly #tallies: Tallies;
  readonly #background: SimBackground;
  readonly #frees: PageFrees;
  readonly #rareOps: RareOps;
  /** made by the first slab event */
  #slab: SlabReplay | null = null;
  /** the trace is of a real kernel, whose own pages it names */
  #pagesAreRecorded = false;

  constructor(mm: PageAllocator, options: FreeRunOptions) {
    this.#mm = mm;
    this.#notes = options.notes;
    this.#tallies = options.tallies;
    this.#background = options.background;
    this.owners.trackMoves(mm, options.startIsRecorded);
    this.#frees = new PageFrees(mm, this.owners, options.notes, options.startIsRecorded);
    if (options.slabStart !== undefined && mm.policy['slab.replay'])
      this.#slab = this.#beginSlabs(options.slabStart);
    this.#rareOps = new RareOps(mm, this.owners, this.#notes);
  }

  /** What is the replay's own: not the machine, the background and what is counted. */
  serialize(io: StateIo): void {
    this.owners.serialize(io, this.#mm);
    io.part('frees', this.#frees);
    io.part('rare_ops', this.#rareOps);
    this.#pagesAreRecorded = io.flag('pages_are_recorded', this.#pagesAreRecorded);
    this.#slab = io.optional('slab', this.#slab, () => this.#makeSlab());
  }

  #makeSlab(): SlabReplay {
    return new SlabReplay(this.#mm, this.#notes);
  }

  /** Slabs of the start have pages, and so the recorded kernel's events on these are theirs. */
  #beginSlabs(sources: SlabStartSources): SlabReplay {
    const slab = new SlabReplay(this.#mm, this.#notes, sources);
    const { table } = slab.machine.slabs;
    for (let number = 0; number < table.end; number++)
      this.owners.clearPages(table.pfn[number]!, table.order[number]!, Fate.slab);
    return slab;
  }

  /** What the slab events have made; null before the first. */
  get slab(): SlabReplay | null {
    return this.#slab;
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
        if (isPlain && this.#frees.freePlain(cpu, ids[i]!, orders[i]!))
          this.#tallies.event(Op.free, batch.ctx[i]!, Outcome.ok);
        else this.#free(batch, i);
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
      this.#frees.last_pfn = NO_PAGE;
      this.replay(batch, i, i + 1);
      pfns[i] = this.last_pfn === NO_PAGE ? this.#frees.last_pfn : this.last_pfn;
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
    if (flags & EventFlag.hasPfn) {
      this.#frees.freeImplied(cpu, batch.pfn[i]!, order);
      this.#pagesAreRecorded = true;
      if (this.#slab !== null && isSlabRequest(gfp, order)) {
        this.#leaveToSlab(batch, i);
        return;
      }
    }
    const node = this.#node(batch.node[i]!);
    const pfn = allocPages(this.#mm, cpu, gfp, order, node, (gfp & GFP_MOVABLE_BIT) !== 0);
    this.#finishAlloc(batch, i, Op.alloc, pfn, order, migratetype);
  }

  #slabEvent(batch: EventBatch, i: number, op: number): void {
    this.#slab ??= this.#makeSlab();
    const { ops } = this.#slab;
    ops.pagesAreRecorded = this.#pagesAreRecorded;
    const outcome = ops.replay(batch, i, this.#cpu(batch.cpu[i]!), this.#node(batch.node[i]!));
    this.#tallies.event(op, batch.ctx[i]!, RARE_OUTCOMES[outcome]);
  }

  /** A slab of the recorded kernel: the model's slab allocator decides when it needs one. */
  #leaveToSlab(batch: EventBatch, i: number): void {
    this.#notes.add('slab_page_events');
    this.#tallies.event(Op.alloc, batch.ctx[i]!, Outcome.not_replayed);
    this.owners.clearPages(batch.pfn[i]!, batch.order[i]!, Fate.slab);
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
        ? this.#frees.freeRecorded(cpu, batch.pfn[i]!, batch.order[i]!)
        : this.#frees.freeId(cpu, batch.id[i]!, batch.order[i]!);
    this.#tallies.event(op, batch.ctx[i]!, done ? Outcome.ok : Outcome.not_replayed);
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
    if (flags & EventFlag.hasPfn) this.#frees.freeImplied(cpu, batch.pfn[i]!, order);
    const node = this.#node(batch.node[i]!);
    const context = batch.ctx[i]! as Context;
    const pfn = allocPagesNolock(this.#mm, cpu, order, node, (gfp & GFP_ACCOUNT_BIT) !== 0, context);
    this.#finishAlloc(batch, i, Op.alloc_nolock, pfn, order, Migratetype.unmovable);
  }

  #other(batch: EventBatch, i: number, op: number): void {
    const ctx = batch.ctx[i]!;
    if (isSlabOp(op) && this.#mm.policy['slab.replay']) {
      this.#slabEvent(batch, i, op);
    } else if (op === Op.mark) {
      this.onMark?.(batch.strings.args.get(batch.arg[i]!));
    } else if (op === Op.obs_lost) {
      this.#notes.add('lost_event_gaps');
    } else if (op >= FIRST_OBSERVATION) {
      // What the recorded kernel did by itself is not for the model to follow.
    } else if (op === Op.alloc_nolock) {
      this.#allocNolock(batch, i);
    } else if (op === Op.free_nolock) {
      this.#frees.nolockContext = batch.ctx[i]! as Context;
      this.#free(batch, i, op);
      this.#frees.nolockContext = null;
    } else {
      const rare = this.#rareOps;
      const outcome = rare.replay(batch, i, this.#cpu(batch.cpu[i]!), this.#node(batch.node[i]!));
      this.last_pfn = outcome === 'ok' ? rare.last_pfn : NO_PAGE;
      if (outcome === 'not_modelled') this.#notes.add('not_modelled');
      this.#tallies.event(op, ctx, RARE_OUTCOMES[outcome]);
    }
  }
}
