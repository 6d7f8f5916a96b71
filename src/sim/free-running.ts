/**
 * Free-running replay: the policy decides every PFN, the trace only says who asks for what, when, and gives what back.
 * model: page-allocator 8
 */
import type { Context } from '../mm/context.js';
import { GFP_ACCOUNT_BIT, GFP_MOVABLE_BIT, gfpMigratetype } from '../mm/gfp.js';
import { allocPages } from '../mm/page-alloc/alloc-pages.js';
import { freePages } from '../mm/page-alloc/free-owned.js';
import { allocPagesNolock } from '../mm/page-alloc/nolock.js';
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import type { StateIo } from '../mm/state-io.js';
import { Migratetype } from '../mm/types.js';
import { Ctx, type EventBatch, EventFlag, FIRST_OBSERVATION, NONE_U32, Op } from '../trace/event-batch.js';
import { hasNested } from '../trace/nesting.js';
import type { SlabinfoCache } from '../trace/recording/snapshot/slabinfo.js';
import type { SimBackground } from './background.js';
import type { InjectSpec } from './interruption/inject-spec.js';
import { Injector } from './interruption/injector.js';
import { endOfGroup, Interruptions } from './interruption/interruptions.js';
import type { Notes } from './notes.js';
import { PageFrees } from './page-frees.js';
import { Fate, type LastPage, NO_PAGE, PageOwners } from './page-owners.js';
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
  /** operations that strike inside those of the trace */
  readonly inject?: readonly InjectSpec[] | undefined;
  readonly seed?: number | undefined;
}

const RARE_OUTCOMES = { ok: Outcome.ok, failed: Outcome.failed, not_modelled: Outcome.not_replayed } as const;

export class FreeRunningReplay {
  readonly owners = new PageOwners();
  readonly #last: LastPage = { last_pfn: NO_PAGE };
  /** called at marks of the trace */
  onMark: ((name: string) => void) | null = null;
  readonly #mm: PageAllocator;
  readonly #notes: Notes;
  readonly #tallies: Tallies;
  readonly #background: SimBackground;
  readonly #frees: PageFrees;
  readonly #rareOps: RareOps;
  /** made when it is first needed */
  #slab: SlabReplay | null = null;
  /** the trace has slab events, so its page events for slabs are the model's business */
  #seesSlabs = false;
  readonly #inject: readonly InjectSpec[];
  readonly #seed: number;
  /** made by the first nested row, or by the first row if something is injected */
  #interruptions: Interruptions | null = null;
  /** an operation is under way that something may strike in */
  #isListening = false;
  /** nested rows that were replayed with the row that they interrupt, and are still to come */
  #replayedAhead = 0;
  /** the trace is of a real kernel, whose own pages it names */
  #pagesAreRecorded = false;

  constructor(mm: PageAllocator, options: FreeRunOptions) {
    this.#mm = mm;
    this.#notes = options.notes;
    this.#tallies = options.tallies;
    this.#background = options.background;
    this.owners.trackMoves(mm, options.startIsRecorded);
    this.#frees = new PageFrees(mm, this.owners, options.notes, options.startIsRecorded, this.#last);
    this.#inject = options.inject ?? [];
    this.#seed = options.seed ?? 0;
    if (options.slabStart !== undefined && mm.policy['slab.replay']) {
      this.#slab = this.#beginSlabs(options.slabStart);
      this.#seesSlabs = true;
    }
    this.#rareOps = new RareOps(mm, this.owners, this.#notes);
  }

  /** What is the replay's own: not the machine, the background and what is counted. */
  serialize(io: StateIo): void {
    this.owners.serialize(io, this.#mm);
    io.part('frees', this.#frees);
    io.part('rare_ops', this.#rareOps);
    this.#pagesAreRecorded = io.flag('pages_are_recorded', this.#pagesAreRecorded);
    this.#seesSlabs = io.flag('sees_slabs', this.#seesSlabs);
    this.#replayedAhead = io.number('replayed_ahead', this.#replayedAhead);
    const listed = io.plain('listed_caches', this.#slab?.listed ?? []);
    this.#slab = io.optional('slab', this.#slab, () => this.#makeSlab(listed));
    const memcgs = this.#slab?.memcgs ?? null;
    if (io.isLoading) this.#frees.charged = memcgs?.accounts == null ? null : memcgs;
    this.#interruptions = io.optional('interruptions', this.#interruptions, () => this.#makeInterruptions());
  }

  /** @param listed caches of the recording that a saved run began with */
  #makeSlab(listed: readonly SlabinfoCache[] = []): SlabReplay {
    if (listed.length === 0) return this.#tookOver(new SlabReplay(this.#mm, this.#notes));
    const sources = { slabinfo: listed, kpageflags: undefined, scan: undefined, isLoaded: true };
    return this.#tookOver(new SlabReplay(this.#mm, this.#notes, sources));
  }

  #tookOver(slab: SlabReplay): SlabReplay {
    this.#background.takeOver(slab.irqs);
    this.#frees.nolock = slab.nolock;
    return slab;
  }

  #slabs(): SlabReplay {
    this.#slab ??= this.#makeSlab();
    return this.#slab;
  }

  #makeInterruptions(): Interruptions {
    const slab = this.#slabs();
    const injector = this.#inject.length === 0 ? null : new Injector(slab, this.#inject, this.#seed);
    return new Interruptions(this.#mm, slab, this.#notes, injector, (batch, row) => this.#event(batch, row));
  }

  /** Slabs of the start have pages, and so the recorded kernel's events on these are theirs. */
  #beginSlabs(sources: SlabStartSources): SlabReplay {
    const slab = this.#tookOver(new SlabReplay(this.#mm, this.#notes, sources));
    const { table } = slab.machine.slabs;
    for (let number = 0; number < table.end; number++)
      this.owners.clearPages(table.pfn[number]!, table.order[number]!, Fate.slab);
    return slab;
  }

  /** Page that the last event was about, as the model has it: handed out or given back; NO_PAGE where there is none. */
  get last_pfn(): number {
    return this.#last.last_pfn;
  }

  /** What the slab events have made; null before the first. */
  get slab(): SlabReplay | null {
    return this.#slab;
  }

  /**
   * Replays rows of a batch.
   *
   * @param reach rows before it may be nested in those: they are replayed with the row that they interrupt, and passed over later
   */
  replay(batch: EventBatch, from = 0, to = batch.length, reach = batch.length): void {
    if (this.#inject.length > 0 || hasNested(batch, from, Math.min(to + 1, reach)))
      this.#replayInterrupted(batch, from, to, reach);
    else this.#replayPlain(batch, from, to);
  }

  /** Rows with what is nested in them: those are replayed with the row that they interrupt. */
  #replayInterrupted(batch: EventBatch, from: number, to: number, reach: number): void {
    this.#interruptions ??= this.#makeInterruptions();
    const interruptions = this.#interruptions;
    const background = this.#background;
    for (let i = from; i < to; i++) {
      if (batch.depth[i] !== 0 && this.#replayedAhead > 0) {
        this.#replayedAhead--;
        continue;
      }
      const now = batch.ts[i]!;
      if (now >= background.due_ns) background.runUntil(now);
      background.now_ns = now;
      const end = endOfGroup(batch, i, reach);
      this.#replayedAhead = end - i - 1;
      if (end === i + 1 && !interruptions.listensAlways) {
        this.#event(batch, i);
        continue;
      }
      this.#slabs().irqs.now_ns = now;
      this.#isListening = true;
      interruptions.run(batch, i, end);
      this.#isListening = false;
      this.#slabs().noteBacklog(now);
    }
  }

  /** One row, at the time that it is. */
  #event(batch: EventBatch, i: number): void {
    const op = batch.op[i]!;
    if (op === Op.alloc) this.#alloc(batch, i);
    else if (op === Op.free) this.#free(batch, i);
    else this.#other(batch, i, op);
  }

  #replayPlain(batch: EventBatch, from: number, to: number): void {
    const { ts, op, flags, cpu: cpus, node: nodes, id: ids, order: orders, memcg: memcgs } = batch;
    const background = this.#background;
    const frees = this.#frees;
    const { nr_cpus } = this.#mm;
    for (let i = from; i < to; i++) {
      const now = ts[i]!;
      if (now >= background.due_ns) background.runUntil(now);
      background.now_ns = now;
      const what = op[i]!;
      const cpu = cpus[i]!;
      const isPlain = flags[i] === 0 && cpu < nr_cpus && memcgs[i] === 0;
      if (what === Op.alloc) {
        if (isPlain && nodes[i] === -1)
          this.#allocPlain(cpu, batch.gfp[i]!, orders[i]!, batch.ctx[i]!, ids[i]!);
        else this.#alloc(batch, i);
      } else if (what === Op.free) {
        if (isPlain && frees.charged === null && frees.freePlain(cpu, ids[i]!, orders[i]!))
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
      this.#last.last_pfn = NO_PAGE;
      this.replay(batch, i, i + 1);
      pfns[i] = this.#last.last_pfn;
    }
  }

  /** An allocation that an id names and nothing else, on this CPU's node: the bulk of most traces. */
  #allocPlain(cpu: number, gfp: number, order: number, ctx: number, id: number): void {
    const pfn = allocPages(this.#mm, cpu, gfp, order, -1, (gfp & GFP_MOVABLE_BIT) !== 0);
    this.#last.last_pfn = pfn;
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
      if (this.#seesSlabs && isSlabRequest(gfp, order)) {
        this.#leaveToSlab(batch, i);
        return;
      }
    }
    const node = this.#node(batch.node[i]!);
    let pfn = allocPages(this.#mm, cpu, gfp, order, node, (gfp & GFP_MOVABLE_BIT) !== 0);
    if (batch.memcg[i] !== 0 && pfn >= 0) pfn = this.#charged(batch, i, cpu, pfn);
    this.#finishAlloc(batch, i, Op.alloc, pfn, order, migratetype);
  }

  /** A raw lock of the trace keeps interrupts off, and what waits for them. */
  #outsideLock(batch: EventBatch, i: number, op: number): void {
    const { irqs } = this.#slabs();
    const cpu = this.#cpu(batch.cpu[i]!);
    irqs.now_ns = this.#background.now_ns;
    if (op === Op.lock) irqs.lock(cpu);
    const isKnown = op === Op.lock || irqs.unlock(cpu);
    this.#tallies.event(op, batch.ctx[i]!, isKnown ? Outcome.ok : Outcome.failed);
  }

  #slabEvent(batch: EventBatch, i: number, op: number): void {
    const slab = this.#slabs();
    const cpu = this.#cpu(batch.cpu[i]!);
    this.#seesSlabs = true;
    slab.irqs.now_ns = this.#background.now_ns;
    slab.machine.slabs.mayPreempt = !slab.irqs.isAtomic(cpu);
    slab.ops.pagesAreRecorded = this.#pagesAreRecorded;
    const payer = slab.memcgs.setCurrent(batch, i, cpu);
    const outcome = slab.ops.replay(batch, i, cpu, this.#node(batch.node[i]!));
    slab.memcgs.restore(batch, i, cpu, payer);
    this.#tallies.event(op, batch.ctx[i]!, RARE_OUTCOMES[outcome]);
    slab.noteBacklog(batch.ts[i]!);
    if (this.#isListening) return;
    if (batch.ctx[i] === Ctx.nmi) slab.noteNmiCall(op, cpu, batch.ts[i]!);
    slab.irqs.afterOperation(cpu);
    slab.noteBacklog(batch.ts[i]!);
  }

  /** A slab of the recorded kernel: the model's slab allocator decides when it needs one. */
  #leaveToSlab(batch: EventBatch, i: number): void {
    this.#notes.add('slab_page_events');
    this.#tallies.event(Op.alloc, batch.ctx[i]!, Outcome.not_replayed);
    this.owners.clearPages(batch.pfn[i]!, batch.order[i]!, Fate.slab);
  }

  /** Pages that a row's memory cgroup pays for, if the request says so. @returns the first, or NO_PAGE if it cannot */
  #charged(batch: EventBatch, i: number, cpu: number, pfn: number): number {
    const gfp = batch.gfp[i]!;
    if ((gfp & GFP_ACCOUNT_BIT) === 0) return pfn;
    const { memcgs } = this.#slabs();
    const context = batch.ctx[i]! as Context;
    const order = batch.order[i]!;
    const before = memcgs.setCurrent(batch, i, cpu);
    const isPaid = memcgs.chargePages(cpu, pfn, order, gfp, context);
    memcgs.restore(batch, i, cpu, before);
    this.#frees.charged = memcgs;
    if (isPaid) return pfn;
    freePages(this.#mm, cpu, pfn, order);
    return NO_PAGE;
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
    this.#last.last_pfn = pfn;
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
    const frees = this.#frees;
    // The free below may be struck by one of another kind.
    const before = frees.nolockContext;
    frees.nolockContext = op === Op.free_nolock ? (batch.ctx[i]! as Context) : null;
    const done =
      batch.flags[i]! & EventFlag.hasPfn
        ? this.#frees.freeRecorded(cpu, batch.pfn[i]!, batch.order[i]!)
        : this.#frees.freeId(cpu, batch.id[i]!, batch.order[i]!);
    frees.nolockContext = before;
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
    const account = (gfp & GFP_ACCOUNT_BIT) !== 0;
    let pfn =
      this.#slab === null
        ? allocPagesNolock(this.#mm, cpu, order, node, account, context)
        : this.#slab.nolock.allocPages(cpu, order, node, account, context);
    if (batch.memcg[i] !== 0 && pfn >= 0) pfn = this.#charged(batch, i, cpu, pfn);
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
      this.#free(batch, i, op);
    } else if (op >= Op.memcg_create && op <= Op.memcg_remove) {
      const outcome = this.#slabs().memcgs.replay(batch, i);
      this.#tallies.event(op, ctx, RARE_OUTCOMES[outcome]);
    } else if (op === Op.lock || op === Op.unlock) {
      this.#outsideLock(batch, i, op);
    } else {
      const rare = this.#rareOps;
      const outcome = rare.replay(batch, i, this.#cpu(batch.cpu[i]!), this.#node(batch.node[i]!));
      this.#last.last_pfn = outcome === 'ok' ? rare.last_pfn : NO_PAGE;
      if (outcome === 'not_modelled') this.#notes.add('not_modelled');
      this.#tallies.event(op, ctx, RARE_OUTCOMES[outcome]);
    }
  }
}
