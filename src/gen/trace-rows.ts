/**
 * Writes the rows of a generated trace into a batch: time, ids and the pages that live are kept here, and nowhere else.
 *
 * Actors write in bursts. A burst begins at the time when its actor was due, or right behind the last row where other
 * actors have written beyond that. Then rows follow each other more closely, until what is late has been caught up: so a
 * machine of many CPUs can have more events than one CPU has time for.
 */
import { GFP_COMP_BIT, GFP_HIGHUSER_MOVABLE, gfpMigratetype } from '../mm/gfp.js';
import { InvariantError } from '../mm/invariant.js';
import { Migratetype } from '../mm/types.js';
import { BATCH_EVENTS, Ctx, EventBatch, NONE_U32, OP_NAMES, Op } from '../trace/event-batch.js';
import { MAX_DEPTH } from '../trace/nesting.js';
import type { TraceStrings } from '../trace/string-table.js';
import { ObjectIds } from './object-ids.js';
import { Prng } from './prng.js';

/** What a kind of request looks like in the trace. */
export interface PageRequest {
  /** gfp flags of single pages */
  readonly gfp: number;
  /** gfp flags of orders above 0 */
  readonly gfpLarge: number;
  /** number of the call site */
  readonly site: number;
}

/** What a kind of request for bytes looks like. */
export interface ByteRequest {
  readonly gfp: number;
  /** number of the call site */
  readonly site: number;
}

/** One step of an actor may write so many rows; a batch with less room than that is handed out. */
export const STEP_EVENTS = 2048;

/** Largest gap between two rows of a burst, and of one that is late; both are masks. */
const GAP_NS = 511;
const LATE_GAP_NS = 15;

const GFP_CONTIG = GFP_HIGHUSER_MOVABLE | GFP_COMP_BIT;

const HAS_FREED = new Uint8Array(OP_NAMES.length);
for (const op of [Op.free, Op.contig_free, Op.kfree, Op.kfree_nolock]) HAS_FREED[op] = 1;

export class TraceRows {
  readonly ids: ObjectIds;
  readonly batch: EventBatch;
  /** pages that the trace has allocated and not freed, by migratetype; contiguous ranges are left out */
  readonly live_pages = new Float64Array(3);
  /** of the last row */
  now_ns = 0;
  readonly #prng: Prng;
  readonly #contigSite: number;
  #gaps = GAP_NS;
  #cpu = 0;
  #ctx = 0;
  /** of the rows that follow, and where they strike */
  #depth = 0;
  #at = 0;
  /** by depth: context of what is interrupted */
  readonly #below = new Uint8Array(MAX_DEPTH);
  /** by depth: id that is freed by what is interrupted, 0 if none is */
  readonly #freeing = new Uint32Array(MAX_DEPTH);
  /** the last row has freed an object */
  #hasFreed = false;

  constructor(
    readonly strings: TraceStrings,
    seed: number,
  ) {
    this.ids = new ObjectIds(strings.ids);
    this.batch = new EventBatch(strings, BATCH_EVENTS);
    // These columns are never written again: no generated event has anything to say in them.
    this.batch.pfn.fill(NONE_U32);
    this.batch.pid.fill(NONE_U32);
    this.#prng = new Prng(seed, 'gaps');
    this.#contigSite = strings.sites.intern('alloc_gigantic_folio');
  }

  /** Pages of all types. */
  get used_pages(): number {
    const [unmovable, movable, reclaimable] = this.live_pages;
    return unmovable + movable + reclaimable;
  }

  /** A burst begins: the rows that follow are of this CPU and context. */
  begin(due_ns: number, cpu: number, ctx: Ctx = Ctx.task): void {
    this.#gaps = due_ns < this.now_ns ? LATE_GAP_NS : GAP_NS;
    if (due_ns > this.now_ns) this.now_ns = due_ns;
    this.#cpu = cpu;
    this.#ctx = ctx;
    this.#depth = 0;
    this.#at = 0;
  }

  /** The burst goes on in another context of its CPU. */
  enter(ctx: Ctx): void {
    this.#ctx = ctx;
  }

  /**
   * The rows that follow interrupt the last row, until resume().
   *
   * @param at  a lock point, by its place in LOCK_POINTS
   */
  interrupt(ctx: Ctx, at: number): void {
    if (this.#depth === MAX_DEPTH || ctx < this.#ctx)
      throw new InvariantError(
        `context ${ctx} at depth ${this.#depth} cannot interrupt context ${this.#ctx}`,
      );
    // Who interrupts a free must not get the id before the free is done.
    this.#freeing[this.#depth] = this.#hasFreed ? this.ids.holdBack() : 0;
    this.#below[this.#depth++] = this.#ctx;
    this.#ctx = ctx;
    this.#at = at;
  }

  /** What was interrupted goes on. Rows that follow without a further interrupt() are new operations. */
  resume(): void {
    this.#ctx = this.#below[--this.#depth];
    if (this.#freeing[this.#depth] !== 0) this.ids.release(this.#freeing[this.#depth]);
    this.#hasFreed = false;
    this.#at = 0;
  }

  /** Allocates bytes. @returns the id; 0 if there are too many objects, and nothing was written */
  kmalloc(request: ByteRequest, bytes: number, node = -1): number {
    return this.#object(Op.kmalloc, request, bytes, node);
  }

  kfree(id: number): void {
    this.ids.release(id);
    this.#row(Op.kfree, id, 0, 0, 0, 0, -1, 0);
  }

  /** As kmalloc(), from any context. */
  kmallocNolock(request: ByteRequest, bytes: number, node = -1): number {
    return this.#object(Op.kmalloc_nolock, request, bytes, node);
  }

  kfreeNolock(id: number): void {
    this.ids.release(id);
    this.#row(Op.kfree_nolock, id, 0, 0, 0, 0, -1, 0);
  }

  #object(op: number, request: ByteRequest, bytes: number, node: number): number {
    const id = this.ids.take(0, 0);
    if (id === 0) return 0;
    this.#row(op, id, 0, request.gfp, gfpMigratetype(request.gfp), request.site, node, 0, bytes);
    return id;
  }

  /** A lock of somebody else is taken, and held around what this CPU does until unlock(). */
  lock(name: string): void {
    this.#row(Op.lock, NONE_U32, 0, 0, 0, 0, -1, this.strings.args.intern(name));
  }

  unlock(name: string): void {
    this.#row(Op.unlock, NONE_U32, 0, 0, 0, 0, -1, this.strings.args.intern(name));
  }

  /** Allocates 2^order pages. @returns the id; 0 if there are too many objects, and nothing was written */
  alloc(request: PageRequest, order: number, node = -1): number {
    const gfp = order === 0 ? request.gfp : request.gfpLarge;
    const type = (gfp >> 3) & 3;
    const id = this.ids.take(order, type);
    if (id === 0) return 0;
    this.live_pages[type] += 1 << order;
    this.#row(Op.alloc, id, order, gfp, type, request.site, node, 0);
    return id;
  }

  free(id: number): void {
    const { ids } = this;
    const order = ids.orderOf(id);
    this.live_pages[ids.migratetypeOf(id)] -= 1 << order;
    ids.release(id);
    this.#row(Op.free, id, order, 0, 0, 0, -1, 0);
  }

  /** Frees the objects of a chain, at most `most` of them. @returns the first that is left, 0 if none is */
  freeChain(first: number, most: number): number {
    const { ids } = this;
    let id = first;
    for (let n = 0; id !== 0 && n < most; n++) {
      const next = ids.next[id];
      this.free(id);
      id = next;
    }
    return id;
  }

  /** Asks for a range of contiguous pages. @returns the id, or 0 */
  contigAlloc(pages: number, node: number): number {
    const id = this.ids.take(0, Migratetype.movable);
    if (id === 0) return 0;
    const arg = this.strings.args.intern(`pages=${pages}`);
    const type = gfpMigratetype(GFP_CONTIG);
    this.#row(Op.contig_alloc, id, 0, GFP_CONTIG, type, this.#contigSite, node, arg);
    return id;
  }

  contigFree(id: number): void {
    this.ids.release(id);
    this.#row(Op.contig_free, id, 0, 0, 0, 0, -1, 0);
  }

  /** A named point of the trace, for tables and series. */
  mark(name: string): void {
    this.#row(Op.mark, NONE_U32, 0, 0, 0, 0, -1, this.strings.args.intern(name));
  }

  #row(
    op: number,
    id: number,
    order: number,
    gfp: number,
    migratetype: number,
    site: number,
    node: number,
    arg: number,
    bytes = 0,
  ): void {
    this.now_ns += 1 + (this.#prng.next() & this.#gaps);
    const { batch } = this;
    this.#hasFreed = HAS_FREED[op] === 1;
    const n = batch.length++;
    batch.ts[n] = this.now_ns;
    batch.cpu[n] = this.#cpu;
    batch.ctx[n] = this.#ctx;
    batch.op[n] = op;
    batch.id[n] = id;
    batch.order[n] = order;
    batch.gfp[n] = gfp;
    batch.migratetype[n] = migratetype;
    batch.site[n] = site;
    batch.node[n] = node;
    batch.arg[n] = arg;
    batch.size[n] = bytes;
    batch.depth[n] = this.#depth;
    batch.at[n] = this.#at;
  }
}
