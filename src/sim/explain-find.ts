/**
 * Finds the event that is to be explained, in the stream as the replay sees it, and says what is there instead if it is not
 * to be had.
 */
import { UsageError } from '../config/usage-error.js';
import { thousands } from '../report/quantities.js';
import { printable } from '../report/sanitize.js';
import { type EventBatch, NONE_U32, OP_NAMES, Op } from '../trace/event-batch.js';
import { nearestName } from '../trace/nearest-name.js';
import type { StringTable } from '../trace/string-table.js';

/** An event by its number from 0, or the nth allocation, from 1, under an id. */
export type EventTarget = { readonly number: number } | { readonly id: string; readonly nth: number };

const ALLOCATIONS: readonly number[] = [Op.alloc, Op.alloc_nolock, Op.contig_alloc];
const FREES: readonly number[] = [Op.free, Op.free_nolock, Op.contig_free];

/** Ids that are compared with one that is unknown; a trace has up to millions. */
const MAX_COMPARED_IDS = 200_000;
const SHOWN_TEXT = 60;

export function isAllocation(op: number): boolean {
  return ALLOCATIONS.includes(op);
}

export function isFree(op: number): boolean {
  return FREES.includes(op);
}

/** The text as it was given or as the trace has it, fit for one line. */
function quoted(text: string): string {
  const clean = printable(text);
  return `"${clean.length > SHOWN_TEXT ? `${clean.slice(0, SHOWN_TEXT)}…` : clean}"`;
}

export class EventFinder {
  #events = 0;
  #allocations = 0;
  /** the first event of the id that is no allocation of pages */
  #other: { readonly number: number; readonly op: number } | null = null;
  #ids: StringTable | undefined;

  constructor(readonly target: EventTarget) {}

  /** Number of the first event of the batch that comes next. */
  get events(): number {
    return this.#events;
  }

  /**
   * Row of the event in the next batch, or -1. The batch counts as passed then.
   *
   * @throws UsageError  if it is there and no allocation or free of pages
   */
  find(batch: EventBatch): number {
    const { target } = this;
    const row = 'number' in target ? this.#rowOfNumber(batch, target.number) : this.#rowOfId(batch, target);
    if (row < 0) this.#events += batch.length;
    else this.#check(batch, row);
    return row;
  }

  #rowOfNumber(batch: EventBatch, number: number): number {
    const row = number - this.#events;
    return row < batch.length ? row : -1;
  }

  #rowOfId(batch: EventBatch, { id, nth }: { readonly id: string; readonly nth: number }): number {
    this.#ids = batch.strings.ids;
    const wanted = batch.strings.ids.find(id);
    if (wanted === undefined || wanted === 0) return -1;
    for (let row = 0; row < batch.length; row++) {
      if (batch.id[row] !== wanted) continue;
      const op = batch.op[row]!;
      if (!isAllocation(op)) this.#other ??= { number: this.#events + row, op };
      else if (++this.#allocations === nth) return row;
    }
    return -1;
  }

  #check(batch: EventBatch, row: number): void {
    const op = batch.op[row]!;
    if (isAllocation(op) || isFree(op)) return;
    const text = op === Op.mark ? ` ${quoted(batch.strings.args.get(batch.arg[row]!))}` : '';
    throw new UsageError(`event ${this.#events + row} is ${OP_NAMES[op]}${text}: no page allocation or free`);
  }

  /** Why the event was not found, when all have passed. */
  missing(): UsageError {
    const { target } = this;
    if ('number' in target) {
      const has =
        this.#events === 0
          ? 'no events'
          : `${thousands(this.#events)} event${this.#events === 1 ? '' : 's'}, 0 to ${this.#events - 1}`;
      return new UsageError(`--event ${target.number}: the trace has ${has}`);
    }
    return new UsageError(`--id ${quoted(target.id)}: ${this.#whyNoId(target.id, target.nth)}`);
  }

  #whyNoId(id: string, nth: number): string {
    if (this.#allocations > 0) {
      const times = this.#allocations === 1 ? 'once' : `${thousands(this.#allocations)} times`;
      return `it is allocated ${times}, so there is no --nth ${nth}`;
    }
    if (this.#other !== null) {
      const { number, op } = this.#other;
      return `no pages are allocated under it; event ${number} is ${OP_NAMES[op]}`;
    }
    if (this.#ids === undefined || this.#ids.size <= 1)
      return 'the trace names no objects by id; give --event N';
    const nearest = nearestName(id, idTexts(this.#ids));
    return `no object of the trace has this id${nearest === undefined ? '' : `; did you mean ${quoted(nearest)}?`}`;
  }
}

function* idTexts(ids: StringTable): Generator<string> {
  for (let number = 1; number < Math.min(ids.size, MAX_COMPARED_IDS); number++) yield ids.get(number);
}

/** The id of an event as text; empty where it has none. */
export function idText(batch: EventBatch, row: number): string {
  const id = batch.id[row]!;
  return id === NONE_U32 ? '' : batch.strings.ids.get(id);
}
