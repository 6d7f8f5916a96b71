/**
 * What became of calls from any context, by where they came from, what the code below them held, and what they asked for.
 * model: slub 3, 4
 */
import type { Context } from '../../mm/context.js';
import { arrays, numbers, type StateIo } from '../../mm/state-io.js';
import { MIGRATE_TYPES, MIGRATETYPE_NAMES, NR_PAGE_ORDERS } from '../../mm/types.js';
import {
  NOLOCK_CAUSES,
  NOLOCK_CLASSES,
  NOLOCK_FREE_OUTCOMES,
  NOLOCK_LOCKS,
  NOLOCK_OUTCOMES,
  type NolockCause,
  type NolockFreeOutcome,
  type NolockLock,
  type NolockOutcome,
} from '../../report/slab/nolock-words.js';
import type { ResultNolock } from '../../report/slab/result-slab.js';
import { CTX_NAMES } from '../../trace/event-batch.js';
import { numbersOf } from './word-numbers.js';

/** Numbers of the words, for callers. */
export const NolockLockNumber = numbersOf<NolockLock>(NOLOCK_LOCKS);
export const NolockOutcomeNumber = numbersOf<NolockOutcome>(NOLOCK_OUTCOMES);
export const NolockCauseNumber = numbersOf<NolockCause>(NOLOCK_CAUSES);
export const NolockFreeNumber = numbersOf<NolockFreeOutcome>(NOLOCK_FREE_OUTCOMES);

/** Where a request came from, in one number: what the tables below are indexed by. */
const NR_CALLS = CTX_NAMES.length * NOLOCK_LOCKS.length * NOLOCK_CLASSES.length;
const NULL_OUTCOME = NolockOutcomeNumber.null;

function callNumber(context: Context, lock: number, sizeClass: number): number {
  return (context * NOLOCK_LOCKS.length + lock) * NOLOCK_CLASSES.length + sizeClass;
}

export class NolockOutcomes {
  readonly requests = new Float64Array(NR_CALLS * NOLOCK_OUTCOMES.length);
  /** of the requests that got nothing */
  readonly causes = new Float64Array(NR_CALLS * NOLOCK_CAUSES.length);
  readonly frees = new Float64Array(NR_CALLS * NOLOCK_FREE_OUTCOMES.length);
  /** slabs that were made because list_lock was taken, though the list had free slots */
  extra_slabs = 0;
  /** unmovable pages out of pageblocks of other types: zone, type, order */
  readonly stolen: Float64Array;

  /** @param zones  of the machine, in the order of its specification */
  constructor(readonly zones: readonly { readonly node: number; readonly name: string }[]) {
    this.stolen = new Float64Array(zones.length * MIGRATE_TYPES * NR_PAGE_ORDERS);
  }

  /**
   * A request ended.
   *
   * @param lock       NolockLockNumber
   * @param sizeClass  the bucket that fits, or LARGE_CLASS, PAGES_CLASS
   * @param outcome    NolockOutcomeNumber
   * @param cause      NolockCauseNumber of `null`, ignored otherwise
   */
  note(context: Context, lock: number, sizeClass: number, outcome: number, cause = 0): void {
    const call = callNumber(context, lock, sizeClass);
    this.requests[call * NOLOCK_OUTCOMES.length + outcome]!++;
    if (outcome === NULL_OUTCOME) this.causes[call * NOLOCK_CAUSES.length + cause]!++;
  }

  /** An object or a page went back. @param outcome  NolockFreeNumber */
  noteFree(context: Context, lock: number, sizeClass: number, outcome: number): void {
    const call = callNumber(context, lock, sizeClass);
    this.frees[call * NOLOCK_FREE_OUTCOMES.length + outcome]!++;
  }

  noteExtraSlab(): void {
    this.extra_slabs++;
  }

  /** Pages of an unmovable request came from a pageblock of another type. @param zone  index into `zones` */
  noteStolen(zone: number, blockType: number, order: number): void {
    this.stolen[(zone * MIGRATE_TYPES + blockType) * NR_PAGE_ORDERS + order]!++;
  }

  clear(): void {
    for (const counts of [this.requests, this.causes, this.frees, this.stolen]) counts.fill(0);
    this.extra_slabs = 0;
  }

  serialize(io: StateIo): void {
    arrays<NolockOutcomes>(io, this, ['requests', 'causes', 'frees', 'stolen']);
    numbers<NolockOutcomes>(io, this, ['extra_slabs']);
  }

  /** Null where nothing was called. */
  result(): ResultNolock | null {
    const requests = this.#requestRows();
    const frees = rowsOf(this.frees, NOLOCK_FREE_OUTCOMES, (call, outcome, count) => ({
      ...call,
      outcome,
      count,
    }));
    if (requests.length === 0 && frees.length === 0) return null;
    return { requests, frees, extra_slabs: this.extra_slabs, stolen: this.#stolenRows() };
  }

  #requestRows(): ResultNolock['requests'] {
    return CALLS.flatMap((call, number) => {
      const served = NOLOCK_OUTCOMES.flatMap((outcome, at) => {
        const count = this.requests[number * NOLOCK_OUTCOMES.length + at]!;
        return count > 0 && outcome !== 'null' ? [{ ...call, outcome, cause: null, count }] : [];
      });
      const failed = NOLOCK_CAUSES.flatMap((cause, at) => {
        const count = this.causes[number * NOLOCK_CAUSES.length + at]!;
        return count > 0 ? [{ ...call, outcome: 'null' as const, cause, count }] : [];
      });
      return [...served, ...failed];
    });
  }

  #stolenRows(): ResultNolock['stolen'] {
    return this.zones.flatMap(({ node, name }, zone) =>
      MIGRATETYPE_NAMES.slice(0, MIGRATE_TYPES).flatMap((type, number) =>
        Array.from({ length: NR_PAGE_ORDERS }, (_, order) => ({
          node,
          zone: name,
          block_type: type.toLowerCase(),
          order,
          count: this.stolen[(zone * MIGRATE_TYPES + number) * NR_PAGE_ORDERS + order]!,
        })).filter(({ count }) => count > 0),
      ),
    );
  }
}

type Call = Pick<ResultNolock['requests'][number], 'context' | 'lock' | 'size_class'>;

/** The words of every number of a call. */
const CALLS: readonly Call[] = CTX_NAMES.flatMap((context) =>
  NOLOCK_LOCKS.flatMap((lock) =>
    NOLOCK_CLASSES.map((size_class) => ({ context: context as Call['context'], lock, size_class })),
  ),
);

function rowsOf<O extends string, R>(
  counts: Float64Array,
  outcomes: readonly O[],
  row: (call: Call, outcome: O, count: number) => R,
): R[] {
  return CALLS.flatMap((call, number) =>
    outcomes.flatMap((outcome, at) => {
      const count = counts[number * outcomes.length + at]!;
      return count > 0 ? [row(call, outcome, count)] : [];
    }),
  );
}
