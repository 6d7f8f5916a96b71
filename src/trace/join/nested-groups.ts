/**
 * Brings each row that is interrupted together with the rows that interrupt it: a *group* is a row of depth 0 and what
 * nests in it, in their order, with no other row between and no end of a batch.
 *
 * Rows of other CPUs that stand inside a group go behind it, with its last time if theirs is earlier, so that times do not
 * decrease. Rows of one CPU keep their order. A nested row that comes more than REACH_ROWS rows behind the one that it
 * interrupts, or that could not interrupt it, becomes a row of depth 0 of its own, and is counted.
 *
 * A group is known to be whole when a row of depth 0 follows on its CPU, or when nothing can reach it any more. So rows
 * wait: as long as no batch has nested rows only the last REACH_ROWS, which are copied, while all others are handed on in
 * the batch that they came in. Where batches of the input end makes no difference to the rows.
 */
import { BATCH_EVENTS, type Column, EventBatch, type EventSource } from '../event-batch.js';
import { CPU_NUMBERS, DEPTH_SHIFT, hasNested, MAX_DEPTH } from '../nesting.js';
import type { TraceStrings } from '../string-table.js';

/** A nested row stands at most so many rows behind the row that it interrupts. */
export const REACH_ROWS = 1024;

/** More than twice what can wait for nested rows, REACH_ROWS for each depth, so that rows are moved to the front seldom. */
const WAITING_ROWS = 1 << 13;

/** No row of this depth, or none that is still there to be interrupted. */
const NOWHERE = Number.NEGATIVE_INFINITY;
const NO_ROW = -1;

/** What the next row of each CPU may interrupt, by place of the rows in the input. */
class OpenRows {
  /** by CPU and depth: place of the last row; NOWHERE if a row of less depth followed */
  readonly #places = new Float64Array(CPU_NUMBERS << DEPTH_SHIFT).fill(NOWHERE);
  readonly #contexts = new Uint8Array(CPU_NUMBERS << DEPTH_SHIFT);

  /** Whether a row of `depth`, above 0, finds what it interrupts. */
  reaches(cpu: number, depth: number, ctx: number, place: number): boolean {
    const below = (cpu << DEPTH_SHIFT) + depth - 1;
    return depth <= MAX_DEPTH && place - this.#places[below] <= REACH_ROWS && ctx >= this.#contexts[below];
  }

  follow(cpu: number, depth: number, ctx: number, place: number): void {
    const own = (cpu << DEPTH_SHIFT) + depth;
    this.#places[own] = place;
    this.#contexts[own] = ctx;
    for (let deeper = depth + 1; deeper <= MAX_DEPTH; deeper++) this.#places[own + deeper - depth] = NOWHERE;
  }

  /** Whether a row at `place` or behind could nest in the last group of a CPU. */
  isOpen(cpu: number, place: number): boolean {
    const first = cpu << DEPTH_SHIFT;
    for (let depth = 0; depth < MAX_DEPTH; depth++)
      if (place - this.#places[first + depth] <= REACH_ROWS) return true;
    return false;
  }
}

export class NestedGroups implements EventSource {
  readonly strings: TraceStrings;
  /** nested rows that became rows of depth 0 */
  alone = 0;
  /** rows whose groups are not known to be whole, in the order of the input */
  readonly #waiting: EventBatch;
  readonly #out: EventBatch;
  readonly #open = new OpenRows();
  /** by row that waits: the next row of its group */
  readonly #next = new Int32Array(WAITING_ROWS);
  /** by CPU, while rows are put in order: first and last row of its last group */
  readonly #first = new Int32Array(CPU_NUMBERS);
  readonly #last = new Int32Array(CPU_NUMBERS);
  readonly #rowsInOrder = new Uint32Array(WAITING_ROWS);
  /** rows that wait of which the open rows know; the others are of depth 0, and the last ones of the input */
  #known = 0;
  /** some row that waits is nested */
  #isNested = false;
  /** rows that have come so far */
  #rows = 0;
  /** time of the last row that left */
  #last_ns = NOWHERE;

  /**
   * @param mayNest      false as long as no row that comes can be nested: then batches are handed on as they are
   * @param batchEvents  rows from which on groups are handed on; tests make it small
   */
  constructor(
    readonly source: EventSource,
    readonly mayNest: () => boolean = () => true,
    readonly batchEvents: number = BATCH_EVENTS - WAITING_ROWS,
  ) {
    this.strings = source.strings;
    this.#waiting = new EventBatch(source.strings, WAITING_ROWS);
    this.#out = new EventBatch(source.strings, batchEvents + WAITING_ROWS);
  }

  async *batches(): AsyncGenerator<EventBatch> {
    let failure: { readonly error: unknown } | undefined;
    try {
      for await (const batch of this.source.batches()) {
        if (this.#isNested || hasNested(batch)) yield* this.#group(batch);
        else if (this.#waiting.length > 0 || this.mayNest()) yield* this.#passOn(batch);
        else yield batch;
      }
    } catch (error) {
      // What was read before the input's end or a mistake in it comes first.
      failure = { error };
    }
    this.#admit();
    this.#takeGroups(true);
    yield* this.#takeOut(1);
    if (failure !== undefined) throw failure.error;
  }

  /** A batch without nested rows, and none waits: all rows but those within reach go on. */
  *#passOn(batch: EventBatch): Generator<EventBatch> {
    yield* this.#takeOut(1);
    const { length } = batch;
    const passed = this.#waiting.length + length > WAITING_ROWS ? Math.max(0, length - REACH_ROWS) : 0;
    if (this.#waiting.length + length > WAITING_ROWS) this.#passWaiting(Math.max(0, REACH_ROWS - length));
    this.#wait(batch, passed, length);
    this.#rows += passed;
    yield* this.#takeOut(1);
    if (passed === 0) return;
    batch.length = passed;
    yield batch;
    batch.length = length;
  }

  /** Hands on the rows that wait, none of them nested, but the last `most`. */
  #passWaiting(most: number): void {
    const waiting = this.#waiting;
    const passed = Math.max(0, waiting.length - most);
    for (let row = 0; row < passed; row++) this.#rowsInOrder[row] = row;
    this.#put(passed);
    waiting.copyRows(waiting, passed, waiting.length, 0);
    waiting.length -= passed;
    // What the open rows know of rows that are gone says nothing any more: those are out of reach.
    this.#known = Math.max(0, this.#known - passed);
  }

  *#group(batch: EventBatch): Generator<EventBatch> {
    for (let from = 0; from < batch.length; ) {
      const to = Math.min(batch.length, from + WAITING_ROWS - this.#waiting.length);
      this.#wait(batch, from, to);
      from = to;
      this.#admit();
      this.#takeGroups(false);
      yield* this.#takeOut(this.batchEvents);
    }
  }

  #wait(batch: EventBatch, from: number, to: number): void {
    const waiting = this.#waiting;
    waiting.copyRows(batch, from, to, waiting.length);
    waiting.length += to - from;
    this.#rows += to - from;
  }

  /** Looks at the rows that wait and were not looked at: whether they nest, and in what. */
  #admit(): void {
    const open = this.#open;
    const { cpu, depth, ctx, at, length } = this.#waiting;
    for (let row = this.#known; row < length; row++) {
      const place = this.#rows - length + row;
      if (depth[row] !== 0 && !open.reaches(cpu[row], depth[row], ctx[row], place)) {
        depth[row] = 0;
        at[row] = 0;
        this.alone++;
      }
      open.follow(cpu[row], depth[row], ctx[row], place);
    }
    this.#known = length;
  }

  /** Hands on all groups up to the first that is not whole. @param isEnd  all are whole */
  #takeGroups(isEnd: boolean): void {
    this.#link();
    const { cpu, depth, length } = this.#waiting;
    let first = 0;
    let count = 0;
    for (; first < length; first++) {
      if (depth[first] !== 0) continue;
      const isLast = this.#first[cpu[first]] === first;
      if (!isEnd && isLast && this.#open.isOpen(cpu[first], this.#rows)) break;
      for (let row = first; row !== NO_ROW; row = this.#next[row]) this.#rowsInOrder[count++] = row;
    }
    this.#put(count);
    this.#keepFrom(first);
  }

  /** Links the rows of each group. The first row of a group waits as long as any of its rows. */
  #link(): void {
    const { cpu, depth, length } = this.#waiting;
    for (let row = 0; row < length; row++) {
      this.#next[row] = NO_ROW;
      if (depth[row] === 0) this.#first[cpu[row]] = row;
      else this.#next[this.#last[cpu[row]]] = row;
      this.#last[cpu[row]] = row;
    }
  }

  /** Lets go of the groups that begin before row `from`, also of their rows behind it. */
  #keepFrom(from: number): void {
    const { cpu, depth, length } = this.#waiting;
    for (let row = from; row < length; row++) this.#first[cpu[row]] = NO_ROW;
    let count = 0;
    this.#isNested = false;
    for (let row = from; row < length; row++) {
      if (depth[row] === 0) this.#first[cpu[row]] = row;
      else if (this.#first[cpu[row]] === NO_ROW) continue;
      else this.#isNested = true;
      this.#rowsInOrder[count++] = row;
    }
    this.#waiting.keepRows(this.#rowsInOrder, count);
    this.#known = count;
  }

  /** Appends the first `count` of the rows in order to what goes on. */
  #put(count: number): void {
    const out = this.#out;
    for (let i = 0; i < out.columns.length; i++)
      gather(this.#waiting.columns[i], this.#rowsInOrder, count, out.columns[i], out.length);
    for (let row = out.length; row < out.length + count; row++) {
      if (out.ts[row] < this.#last_ns) out.ts[row] = this.#last_ns;
      else this.#last_ns = out.ts[row];
    }
    out.length += count;
  }

  /** Hands on what is in order, if that are so many rows. */
  *#takeOut(least: number): Generator<EventBatch> {
    if (this.#out.length < least) return;
    yield this.#out;
    this.#out.length = 0;
  }
}

/** One loop over two arrays only. */
function gather(from: Column, rows: Uint32Array, count: number, to: Column, at: number): void {
  for (let i = 0; i < count; i++) to[at + i] = from[rows[i]];
}
