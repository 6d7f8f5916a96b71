/**
 * A part of a trace: a stretch of time, some CPUs, some kinds of events, or a sample of its objects.
 *
 * A sample keeps or drops an object with all its events, so that what is allocated is freed and the replay of the sample
 * makes sense. Pages are sampled by blocks of the largest order, as a page may be freed in other pieces than it was
 * allocated in; everything without an object (marks, ticks, losses) is kept.
 */
import {
  type EventBatch,
  EventFlag,
  type EventSource,
  FIRST_OBSERVATION,
  NONE_U32,
  Op,
} from '../event-batch.js';
import { KeptDepths } from '../nesting.js';
import type { TraceStrings } from '../string-table.js';

export interface EventSelection {
  /** ns from the first event on: events before are left out */
  readonly from_ns?: number | undefined;
  /** ns from the first event on: events at or after are left out */
  readonly to_ns?: number | undefined;
  /** CPUs kept; all by default */
  readonly cpus?: ReadonlySet<number> | undefined;
  /** Op values kept; all by default */
  readonly ops?: ReadonlySet<number> | undefined;
  /** share of the objects kept, 0 to 1; all by default */
  readonly sample?: number | undefined;
}

const MAX_PAGE_ORDER = 10;
/** Values of the hash that decides about an object. */
const HASH_RANGE = 2 ** 32;

export class EventFilter implements EventSource {
  readonly strings: TraceStrings;
  /** events read, and of these kept */
  read = 0;
  kept = 0;
  readonly #cpus: Uint8Array | undefined;
  readonly #ops: Uint8Array | undefined;
  readonly #below: number;
  readonly #depths = new KeptDepths();

  constructor(
    readonly source: EventSource,
    readonly selection: EventSelection,
  ) {
    this.strings = source.strings;
    this.#cpus = members(selection.cpus, 1 << 16);
    this.#ops = members(selection.ops, 1 << 8);
    this.#below = (selection.sample ?? 1) * HASH_RANGE;
  }

  async *batches(): AsyncGenerator<EventBatch> {
    const { from_ns, to_ns } = this.selection;
    let from = Number.NEGATIVE_INFINITY;
    let to = Number.POSITIVE_INFINITY;
    let rows = new Uint32Array(0);
    for await (const batch of this.source.batches()) {
      if (batch.length === 0) continue;
      if (this.read === 0) {
        const start = batch.ts[0] as number;
        if (from_ns !== undefined) from = start + from_ns;
        if (to_ns !== undefined) to = start + to_ns;
      }
      this.read += batch.length;
      if (rows.length < batch.length) rows = new Uint32Array(batch.length);
      let count = 0;
      for (let row = 0; row < batch.length; row++) {
        const ts = batch.ts[row] as number;
        const isKept = ts >= from && ts < to && this.#keeps(batch, row);
        this.#depths.follow(batch, row, isKept);
        if (isKept) rows[count++] = row;
      }
      batch.keepRows(rows, count);
      this.kept += count;
      if (count > 0) yield batch;
    }
  }

  #keeps(batch: EventBatch, row: number): boolean {
    if (this.#cpus !== undefined && this.#cpus[batch.cpu[row] as number] === 0) return false;
    if (this.#ops !== undefined && this.#ops[batch.op[row] as number] === 0) return false;
    return this.#below >= HASH_RANGE || this.#isSampled(batch, row);
  }

  #isSampled(batch: EventBatch, row: number): boolean {
    const pfn = batch.pfn[row] as number;
    const op = batch.op[row] as number;
    if (((batch.flags[row] as number) & EventFlag.hasPfn) !== 0)
      return scramble(pfn >>> MAX_PAGE_ORDER) < this.#below;
    const id = batch.id[row] as number;
    if (id !== NONE_U32) return scramble(id) < this.#below;
    // A recorded failure has no object: a share of them is kept, by their time.
    const isRequest = op < FIRST_OBSERVATION && ((batch.flags[row] as number) & EventFlag.failed) !== 0;
    return !isRequest || op === Op.mark || scramble((batch.ts[row] as number) >>> 0) < this.#below;
  }
}

function members(values: ReadonlySet<number> | undefined, size: number): Uint8Array | undefined {
  if (values === undefined) return undefined;
  const table = new Uint8Array(size);
  for (const value of values) table[value] = 1;
  return table;
}

/** Spreads neighbouring numbers over all 32 bits (Murmur3's finalizer). */
function scramble(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
