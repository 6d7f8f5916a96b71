/**
 * What strikes inside the operations of a trace: its nested rows, and what `--inject` adds.
 *
 * An operation runs with somebody listening to the model's locks. Where a point is reached that the next nested row names,
 * that row is replayed there and then, in a context of its own on top of what it interrupts. Rows whose point never comes are
 * replayed right behind the operation, and counted.
 * model: slub 7
 */
import type { Context } from '../../mm/context.js';
import { GFP_DIRECT_RECLAIM_BIT } from '../../mm/gfp.js';
import { CpuContexts } from '../../mm/interruption/cpu-contexts.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import type { StateIo } from '../../mm/state-io.js';
import { type EventBatch, Op } from '../../trace/event-batch.js';
import type { Notes } from '../notes.js';
import type { SlabReplay } from '../slab/slab-replay.js';
import type { Injector } from './injector.js';
import { type AnyPoint, callOf, isFastpath, strikesAt } from './op-calls.js';
import { StockLocks } from './stock-locks.js';

/** Rows of a group that are nested in one row and have not struck yet. */
interface Pending {
  next: number;
  readonly end: number;
  readonly cpu: number;
  /** contexts on the CPU while the row itself runs, and nothing on top of it */
  readonly depth: number;
}

const ALLOCATIONS: ReadonlySet<number> = new Set([Op.alloc, Op.kmalloc, Op.cache_alloc]);

export class Interruptions {
  readonly contexts: CpuContexts;
  readonly #mm: PageAllocator;
  readonly #slab: SlabReplay;
  readonly #notes: Notes;
  readonly #injector: Injector | null;
  readonly #dispatch: (batch: EventBatch, row: number) => void;
  readonly #stocks: StockLocks;
  #batch: EventBatch | null = null;
  #pending: Pending | null = null;
  #isListening = false;
  /** hazards that the log has */
  #logged = 0;
  /** of the contexts' counts, what the log has */
  #counted = 0;
  #deadlocks = 0;
  #misuses = 0;

  /** @param dispatch replays one row */
  constructor(
    mm: PageAllocator,
    slab: SlabReplay,
    notes: Notes,
    injector: Injector | null,
    dispatch: (batch: EventBatch, row: number) => void,
  ) {
    this.#mm = mm;
    this.#slab = slab;
    this.#notes = notes;
    this.#injector = injector;
    this.#dispatch = dispatch;
    this.contexts = new CpuContexts(mm.nr_cpus);
    this.contexts.irqWork = slab.irqs;
    this.contexts.strike = (point, _where, cpu) => this.#strike(point, cpu);
    slab.irqs.tell(this.contexts);
    this.#stocks = new StockLocks(mm.nr_cpus, (point, cpu) => this.#strike(point, cpu));
    slab.memcgs.onCharges = () => slab.listenToStocks(this.#isListening ? this.#stocks : null);
  }

  /** Whether every operation must be listened to, and not only those with nested rows. */
  get listensAlways(): boolean {
    return this.#injector !== null;
  }

  serialize(io: StateIo): void {
    io.part('contexts', this.contexts);
    this.#logged = io.number('logged', this.#logged);
    this.#counted = io.number('counted', this.#counted);
    this.#deadlocks = io.number('deadlocks', this.#deadlocks);
    this.#misuses = io.number('misuses', this.#misuses);
    if (this.#injector !== null) io.part('injector', this.#injector);
  }

  /** Replays a row of depth 0, with the rows up to `end`, which are nested in it. */
  run(batch: EventBatch, row: number, end: number): void {
    this.contexts.attach(this.#slab.machine.slabs, this.#mm);
    this.#slab.listenToStocks(this.#stocks);
    this.#batch = batch;
    this.#isListening = true;
    this.#runRow(batch, row, end);
    this.#injector?.afterRow();
    this.#isListening = false;
    this.contexts.detach();
    this.#slab.listenToStocks(null);
    this.#logHazards(batch.ts[row]!);
  }

  #runRow(batch: EventBatch, row: number, end: number): void {
    const below = this.#pending;
    // As for the operation itself: CPU 0 stands for those that the machine does not have.
    const cpu = batch.cpu[row]! < this.#mm.nr_cpus ? batch.cpu[row]! : 0;
    const pending: Pending = { next: row + 1, end, cpu, depth: this.contexts.depthOf(cpu) + 1 };
    this.#pending = pending;
    const context = batch.ctx[row]! as Context;
    const maySleep = ALLOCATIONS.has(batch.op[row]!) && (batch.gfp[row]! & GFP_DIRECT_RECLAIM_BIT) !== 0;
    this.contexts.run(cpu, context, callOf(batch.op[row]!), () => this.#dispatch(batch, row), { maySleep });
    while (pending.next < end) {
      this.#notes.add('nested_behind');
      this.#takeNext(batch, pending);
    }
    this.#pending = below;
  }

  /** Replays the next nested row with what is nested in it. */
  #takeNext(batch: EventBatch, pending: Pending): void {
    const row = pending.next;
    pending.next = endOfGroup(batch, row, pending.end);
    this.#runRow(batch, row, pending.next);
  }

  #strike(point: AnyPoint, cpu: number): void {
    const { held } = this.#slab.nolock;
    const wasInFastpath = held.inFastpath;
    const { slot } = this.#slab.machine.slabs;
    held.inFastpath = isFastpath(point);
    const pending = this.#pending;
    const batch = this.#batch!;
    if (pending !== null)
      while (this.#mayStrike(pending) && strikesAt(batch.at[pending.next]!, point))
        this.#takeNext(batch, pending);
    this.#injector?.strike(point, cpu, this.contexts);
    held.inFastpath = wasInFastpath;
    // The call below goes on with what it has in hand.
    this.#slab.machine.slabs.slot = slot;
  }

  /** A row interrupts the one that it is nested in: not deferred work that runs on top of that, nor what is injected. */
  #mayStrike({ next, end, cpu, depth }: Pending): boolean {
    return next < end && this.contexts.depthOf(cpu) === depth;
  }

  #logHazards(ts_ns: number): void {
    const { contexts } = this;
    const { hazards } = this.#slab.observations;
    if (contexts.nr_hazards === this.#counted) return;
    for (const hazard of contexts.hazards.slice(this.#logged)) hazards.addInterruption(hazard, ts_ns);
    this.#logged = contexts.hazards.length;
    const { nr_deadlocks, nr_misuses, nr_order_hazards } = contexts;
    hazards.countMore('deadlock', nr_deadlocks - this.#deadlocks);
    hazards.countMore('misuse', nr_misuses - this.#misuses);
    hazards.countMore('order', nr_order_hazards - (this.#counted - this.#deadlocks - this.#misuses));
    this.#deadlocks = nr_deadlocks;
    this.#misuses = nr_misuses;
    this.#counted = contexts.nr_hazards;
  }
}

/** First row behind `row` that is not nested in it. */
export function endOfGroup(batch: EventBatch, row: number, end: number = batch.length): number {
  const depth = batch.depth[row]!;
  let next = row + 1;
  while (next < end && batch.depth[next]! > depth) next++;
  return next;
}
