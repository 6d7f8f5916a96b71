/**
 * The event model: what every reader produces and the replay loop consumes.
 *
 * Events are columns in typed arrays, strings are interned. A reader never knows what consumes a batch, a consumer
 * never knows which format it came from. One batch holds at most `BATCH_EVENTS` events, so that memory is bounded by
 * batches and not by the size of the trace.
 */
import type { TraceStrings } from './string-table.js';

/** What happened. The names are those of the trace CSV's `op` column; observations have no CSV name in version 1. */
export const Op = {
  alloc: 0,
  free: 1,
  alloc_nolock: 2,
  free_nolock: 3,
  kmalloc: 4,
  kfree: 5,
  kmalloc_nolock: 6,
  kfree_nolock: 7,
  cache_create: 8,
  cache_destroy: 9,
  cache_alloc: 10,
  cache_free: 11,
  contig_alloc: 12,
  contig_free: 13,
  reference: 14,
  drop_caches: 15,
  memcg_create: 16,
  memcg_set: 17,
  memcg_offline: 18,
  memcg_remove: 19,
  mem_online: 20,
  mem_offline: 21,
  cpu_online: 22,
  cpu_offline: 23,
  lock: 24,
  unlock: 25,
  phase: 26,
  tick: 27,
  mark: 28,
  /**
   * Observations: what the recorded kernel did by itself. A free-running replay ignores them, verification compares
   * them with the model. `obs_refill` is mm_page_alloc_zone_locked, `obs_drain` mm_page_pcpu_drain, `obs_extfrag`
   * mm_page_alloc_extfrag.
   */
  obs_refill: 29,
  obs_drain: 30,
  obs_extfrag: 31,
  /** Events of one CPU were lost before this point; `arg` may say how many. */
  obs_lost: 32,
} as const;
export type Op = (typeof Op)[keyof typeof Op];

export const OP_NAMES: readonly string[] = Object.keys(Op);

/** Ops below this number are operations of version 1 of the trace CSV. */
export const FIRST_OBSERVATION: number = Op.obs_refill;

/** The context an event came from. */
export const Ctx = { task: 0, softirq: 1, hardirq: 2, nmi: 3 } as const;
export type Ctx = (typeof Ctx)[keyof typeof Ctx];
export const CTX_NAMES: readonly string[] = Object.keys(Ctx);

/** Value of a numeric column that was not given. */
export const NONE_U32 = 0xffff_ffff;
export const NO_ORDER = 0xff;

export const BATCH_EVENTS = 1 << 16;

/** One row of all columns: a double, nine words, two halfwords, seven bytes. */
const EVENT_BYTES = 8 + 9 * 4 + 2 * 2 + 7;

/** A column's array; all of them can be copied the same way. */
export type Column = Float64Array | Uint32Array | Uint16Array | Int16Array | Uint8Array;

/** Columns of up to `capacity` events. All arrays have `capacity` entries, of which the first `length` are valid. */
export class EventBatch {
  length = 0;
  /** ns; a float64 is exact up to 104 days */
  readonly ts: Float64Array;
  readonly cpu: Uint16Array;
  readonly ctx: Uint8Array;
  readonly op: Uint8Array;
  /** page order; NO_ORDER where a free does not say it */
  readonly order: Uint8Array;
  /** gfp bits in the layout of the trace's kernel */
  readonly gfp: Uint32Array;
  /** interned id (StringTable `ids`); NONE_U32 where the PFN names the object */
  readonly id: Uint32Array;
  /** PFN the recorded kernel handed out or took back; NONE_U32 if unknown, and for a recorded failure */
  readonly pfn: Uint32Array;
  /** free-list migratetype of an observation; for obs_extfrag the type of the request */
  readonly migratetype: Uint8Array;
  /** bits, see EventFlag */
  readonly flags: Uint8Array;
  /** bytes (kmalloc, kmem_cache_alloc); for obs_extfrag: fallback_order | fallback_migratetype << 8 | change_ownership << 16 */
  readonly size: Uint32Array;
  /** requested node, -1 = local */
  readonly node: Int16Array;
  readonly cache: Uint32Array;
  readonly memcg: Uint32Array;
  readonly site: Uint32Array;
  readonly arg: Uint32Array;
  /** nesting depth; `at` as an index into LOCK_POINTS */
  readonly depth: Uint8Array;
  readonly at: Uint8Array;
  /** pid of the task, NONE_U32 if unknown */
  readonly pid: Uint32Array;
  /** all of the above */
  readonly columns: readonly Column[];

  /** @param buffer  memory for the columns, of {@link EventBatch.bytes}; its own by default */
  constructor(
    readonly strings: TraceStrings,
    readonly capacity: number = BATCH_EVENTS,
    readonly buffer: ArrayBuffer | SharedArrayBuffer = new ArrayBuffer(EventBatch.bytes(capacity)),
  ) {
    let at = 0;
    // Widest columns first, so that each begins at a multiple of its width.
    const place = (bytes: number) => {
      const start = at;
      at += bytes * capacity;
      return start;
    };
    const words = () => new Uint32Array(buffer, place(4), capacity);
    const bytes = () => new Uint8Array(buffer, place(1), capacity);
    this.ts = new Float64Array(buffer, place(8), capacity);
    this.gfp = words();
    this.id = words();
    this.pfn = words();
    this.size = words();
    this.cache = words();
    this.memcg = words();
    this.site = words();
    this.arg = words();
    this.pid = words();
    this.cpu = new Uint16Array(buffer, place(2), capacity);
    this.node = new Int16Array(buffer, place(2), capacity);
    this.ctx = bytes();
    this.op = bytes();
    this.order = bytes();
    this.migratetype = bytes();
    this.flags = bytes();
    this.depth = bytes();
    this.at = bytes();
    const { ts, gfp, id, pfn, size, cache, memcg, site, arg, pid, cpu, node } = this;
    const { ctx, op, order, migratetype, flags, depth } = this;
    this.columns = [
      ...[ts, gfp, id, pfn, size, cache, memcg, site, arg, pid, cpu, node],
      ...[ctx, op, order, migratetype, flags, depth, this.at],
    ];
  }

  /** Bytes that the columns of `capacity` events take. */
  static bytes(capacity: number): number {
    return capacity * EVENT_BYTES;
  }

  /** Copies rows from..to of another batch here, from row `at` on; `length` is left alone. */
  copyRows(other: EventBatch, from: number, to: number, at: number): void {
    for (let i = 0; i < this.columns.length; i++)
      (this.columns[i] as Column).set((other.columns[i] as Column).subarray(from, to), at);
  }

  /** Keeps the `count` rows named by `rows`, ascending, and drops the others. */
  keepRows(rows: Uint32Array, count: number): void {
    // One loop per column, so that every loop runs over two arrays only.
    if (count < this.length) for (const column of this.columns) gather(column, rows, count);
    this.length = count;
  }
}

function gather(column: Column, rows: Uint32Array, count: number): void {
  for (let to = 0; to < count; to++) column[to] = column[rows[to] as number] as number;
}

export const EventFlag = {
  /** the recorded allocation failed (page NULL) */
  failed: 1,
  /** the free was seen twice: mm_page_free, then mm_page_free_batched, which is where this event stands */
  batched: 2,
  /** obs_refill: percpu_refill=1 */
  refill: 4,
  /** recorded PFN is valid for this event */
  hasPfn: 8,
} as const;

/** Where a nested event may strike; index = value of the `at` column. */
export const LOCK_POINTS: readonly string[] = [
  'any',
  'cpu_slab',
  'list_lock',
  'zone',
  'pcp',
  'memcg_stock',
  'obj_stock',
  /** before the compare-and-exchange of a fast path */
  'fastpath',
  /** before a slab becomes the CPU's */
  'install',
  /** between getting pages for a slab and installing it */
  'page_alloc',
];

/** A source of batches: a trace file being read, a generator, a list in memory. */
export interface EventSource {
  readonly strings: TraceStrings;
  /**
   * Yields batches in trace order. The batch may be reused after the next call. An input that ends too early yields all
   * that was read and then throws an InputError whose `isCut` is set.
   */
  batches(): AsyncIterable<EventBatch>;
}
