/**
 * Rows of a trace that may still be changed, and the joining of the two events of a batched free.
 *
 * A page freed in a batch is traced twice: mm_page_free when it is prepared, mm_page_free_batched when it reaches the
 * per-CPU list. It is one free, and it happens at the second event. So a free's row must be held back until it is
 * known whether a second event follows: the rows of the last one to two batches are kept, a free that turns out to be
 * batched is taken out of its old place and stands, with its order, at the new one.
 *
 *     held batch (full)                    current batch (filling)
 *     ... free P ... free Q ... alloc R    free S ... batched P
 *         ^ taken out when a batch is given away      ^ one free of P, order from the first event
 *
 * The window is never shorter than one batch, some hundred times the largest batch that the kernel frees.
 * model: page-allocator 8.1, 8.2, 8.3
 */
import { BATCH_EVENTS, EventBatch, EventFlag, NO_ORDER, NONE_U32, Op } from '../event-batch.js';
import type { TraceStrings } from '../string-table.js';

/** Op value of a row that has been taken out. */
const TAKEN_OUT = 0xff;

/** A row that is being appended; the caller fills in its columns at `index` of `batch`. */
export class FreeJoin {
  /** the batch being filled */
  batch: EventBatch;
  joined = 0;
  moved = 0;
  alone = 0;
  /** rows given away, not counting those taken out */
  emitted = 0;

  readonly #strings: TraceStrings;
  readonly #capacity: number;
  #held: EventBatch | undefined;
  #ready: EventBatch[] = [];
  readonly #spare: EventBatch[] = [];
  /** rows taken out of the current and of the held batch */
  #currentTaken = 0;
  #heldTaken = 0;

  /**
   * Open-addressing table of the last free of each page in the window. A row is its index in the held batch, or
   * capacity + its index in the current one. Rebuilt when batches move on, so nothing stale stays.
   */
  readonly #mask: number;
  readonly #pfns: Uint32Array;
  readonly #rows: Int32Array;
  /** by CPU: frees before this row of the window cannot be matched, because events were lost in between */
  readonly #floors = new Map<number, number>();

  constructor(strings: TraceStrings, capacity: number = BATCH_EVENTS) {
    this.#strings = strings;
    this.#capacity = capacity;
    this.batch = this.#newBatch();
    let size = 4;
    while (size < capacity * 4) size *= 2;
    this.#mask = size - 1;
    this.#pfns = new Uint32Array(size);
    this.#rows = new Int32Array(size).fill(-1);
  }

  #newBatch(): EventBatch {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    const batch = new EventBatch(this.#strings, this.#capacity);
    clearObjects(batch, this.#capacity);
    return batch;
  }

  /** Index of a fresh row in `batch`; `batch` may change. */
  next(): number {
    if (this.batch.length === this.#capacity) this.#rotate();
    return this.batch.length++;
  }

  /** The current batch becomes the held one, the held one is given away. */
  #rotate(): void {
    if (this.#held !== undefined) this.#giveAway(this.#held, this.#heldTaken);
    this.#held = this.batch;
    this.#heldTaken = this.#currentTaken;
    this.#currentTaken = 0;
    this.batch = this.#newBatch();
    this.#rows.fill(-1);
    for (const [cpu, floor] of this.#floors) {
      if (floor <= this.#capacity) this.#floors.delete(cpu);
      else this.#floors.set(cpu, floor - this.#capacity);
    }
    const { op, pfn, flags, length } = this.#held;
    for (let row = 0; row < length; row++) {
      if (op[row] === Op.free && ((flags[row] as number) & EventFlag.batched) === 0) {
        this.#remember(pfn[row] as number, row);
      }
    }
  }

  #giveAway(batch: EventBatch, taken: number): void {
    if (taken > 0) closeGaps(batch, taken);
    this.emitted += batch.length;
    if (batch.length > 0) {
      this.#ready.push(batch);
      return;
    }
    clearObjects(batch, this.#capacity);
    this.#spare.push(batch);
  }

  #slot(pfn: number): number {
    let slot = Math.imul(pfn, 0x9e37_79b1) >>> 8;
    for (;;) {
      slot &= this.#mask;
      if ((this.#rows[slot] as number) < 0 || this.#pfns[slot] === pfn) return slot;
      slot++;
    }
  }

  #remember(pfn: number, row: number): void {
    const slot = this.#slot(pfn);
    this.#pfns[slot] = pfn;
    this.#rows[slot] = row;
  }

  /** To be called when row `index` of `batch` is a complete mm_page_free. */
  sawFree(index: number): void {
    this.#remember(this.batch.pfn[index] as number, this.#capacity + index);
  }

  /**
   * To be called when row `index` of `batch` is an mm_page_free_batched, complete but for op, order and flags.
   *
   * A task that moved to another CPU between the two events is followed there by its pid: the page is freed once.
   */
  sawBatched(index: number): void {
    const { batch } = this;
    batch.op[index] = Op.free;
    batch.order[index] = NO_ORDER;
    const flags = EventFlag.hasPfn | EventFlag.batched;
    batch.flags[index] = flags;
    const window = this.#rows[this.#slot(batch.pfn[index] as number)] as number;
    const isCurrent = window >= this.#capacity;
    const earlier = isCurrent ? batch : this.#held;
    const row = isCurrent ? window - this.#capacity : window;
    if (window < 0 || earlier === undefined || earlier.op[row] !== Op.free) {
      this.alone++;
      return;
    }
    const cpu = earlier.cpu[row] as number;
    const sameCpu = cpu === batch.cpu[index];
    const sameTask = earlier.pid[row] === batch.pid[index] && batch.pid[index] !== 0;
    if ((!sameCpu && !sameTask) || window < (this.#floors.get(cpu) ?? 0)) {
      this.alone++;
      return;
    }
    batch.order[index] = earlier.order[row] as number;
    earlier.op[row] = TAKEN_OUT;
    if (isCurrent) this.#currentTaken++;
    else this.#heldTaken++;
    this.joined++;
    if (!sameCpu) this.moved++;
  }

  /** Events of `cpu` were lost here: frees before this point are not completed by batched events after it. */
  lost(cpu: number): void {
    this.#floors.set(cpu, this.#capacity + this.batch.length);
  }

  /** Batches that are final, oldest first. Each goes back to the store when the next one is asked for. */
  *take(): Generator<EventBatch> {
    const ready = this.#ready;
    if (ready.length === 0) return;
    this.#ready = [];
    for (const batch of ready) {
      yield batch;
      // Whoever had the batch may have cut it; rows beyond its length are cleared as well.
      clearObjects(batch, this.#capacity);
      batch.length = 0;
      this.#spare.push(batch);
    }
  }

  /** Ends the trace: all rows become final. */
  finish(): void {
    if (this.#held !== undefined) this.#giveAway(this.#held, this.#heldTaken);
    this.#held = undefined;
    this.#giveAway(this.batch, this.#currentTaken);
    this.#heldTaken = 0;
    this.#currentTaken = 0;
    this.batch = this.#newBatch();
    this.#rows.fill(-1);
  }
}

/** Empties the columns that only rows of slab events set. */
function clearObjects(batch: EventBatch, rows: number): void {
  batch.id.fill(NONE_U32, 0, rows);
  batch.node.fill(-1, 0, rows);
  batch.cache.fill(0, 0, rows);
  batch.site.fill(0, 0, rows);
}

/** Runs of kept rows that are at least this long on average are copied as such, shorter ones row by row. */
const LONG_RUN = 48;

/** Moves the rows together where rows were taken out. Columns that no trace text sets are equal everywhere. */
function closeGaps(batch: EventBatch, taken: number): void {
  const { op, length } = batch;
  if (taken * LONG_RUN < length) {
    closeFewGaps(batch);
    return;
  }
  const kept = new Uint32Array(length);
  let count = 0;
  for (let row = 0; row < length; row++) {
    if (op[row] !== TAKEN_OUT) kept[count++] = row;
  }
  moveBytes(batch.ctx, kept, count);
  moveBytes(batch.op, kept, count);
  moveBytes(batch.order, kept, count);
  moveBytes(batch.migratetype, kept, count);
  moveBytes(batch.flags, kept, count);
  moveShorts(batch.cpu, kept, count);
  moveNodes(batch.node, kept, count);
  moveTimes(batch.ts, kept, count);
  for (const column of wordColumns(batch)) moveWords(column, kept, count);
  batch.length = count;
}

function wordColumns(batch: EventBatch): Uint32Array[] {
  const { gfp, pfn, size, arg, pid, id, cache, site } = batch;
  return [gfp, pfn, size, arg, pid, id, cache, site];
}

function closeFewGaps(batch: EventBatch): void {
  const { op, length, ctx, order, migratetype, flags, cpu, node, ts } = batch;
  const columns = [ctx, order, migratetype, flags, cpu, node, ts, ...wordColumns(batch), op];
  let to = 0;
  for (let from = 0; from < length; ) {
    let end = from;
    while (end < length && op[end] !== TAKEN_OUT) end++;
    if (to !== from) for (const column of columns) column.copyWithin(to, from, end);
    to += end - from;
    from = end + 1;
  }
  batch.length = to;
}

// One function for each type of array: one for all would be compiled for none of them.

function moveBytes(column: Uint8Array, kept: Uint32Array, count: number): void {
  for (let to = 0; to < count; to++) column[to] = column[kept[to] as number] as number;
}

function moveShorts(column: Uint16Array, kept: Uint32Array, count: number): void {
  for (let to = 0; to < count; to++) column[to] = column[kept[to] as number] as number;
}

function moveNodes(column: Int16Array, kept: Uint32Array, count: number): void {
  for (let to = 0; to < count; to++) column[to] = column[kept[to] as number] as number;
}

function moveWords(column: Uint32Array, kept: Uint32Array, count: number): void {
  for (let to = 0; to < count; to++) column[to] = column[kept[to] as number] as number;
}

function moveTimes(column: Float64Array, kept: Uint32Array, count: number): void {
  for (let to = 0; to < count; to++) column[to] = column[kept[to] as number] as number;
}
