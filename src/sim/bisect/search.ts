/**
 * The first event after which an expression over two replays holds.
 *
 * Looking after every event is exact and costs as many looks as there are events. So there is a budget: while it lasts
 * every event is looked at, then every 1,024th, then, when another budget is spent, every 32,768th. Where the expression
 * is found to hold, the interval in front is searched in steps of a 32nd, and the first of these again, down to single
 * events. That finds the first event if the expression, once true, stays true up to where it was looked at; a short
 * episode between two looks can be missed. What was looked at is told.
 *
 * Budgets are counted in work, not in time: the answer is the same on every machine.
 */

import { InvariantError } from '../../mm/invariant.js';
import type { EventSource } from '../../trace/event-batch.js';
import { EventLog } from './event-log.js';
import type { Side } from './side.js';
import type { SideValues, Verdict } from './verdict.js';

/** Events from one look to the next: at first, and as each budget is spent. */
const STEPS = [1, 1 << 10, 1 << 15] as const;
const REFINEMENT = 32;
/** In units of about a microsecond: what the looks of both sides may cost at the first step, and at the second. */
const BUDGETS = [20_000_000, 40_000_000] as const;
/** Looks that are asked for together where single events are looked at. */
const LOOKS_AT_ONCE = 32;

/** Every how many events was looked at, from one place on up to another. */
export interface Coverage {
  readonly every: number;
  readonly from: number;
  to: number;
}

export interface Found {
  /** events after which the expression holds, for the first time as far as was looked at */
  readonly events: number;
  readonly values: SideValues;
  /** one event before; null where it holds before the first event */
  readonly before: SideValues | null;
}

export interface SearchOptions {
  /** look after every event, whatever it costs */
  readonly exhaustive: boolean;
  /** keep all events up to the one that is found */
  readonly keepsEvents?: boolean | undefined;
  /** in place of the usual ones, for tests */
  readonly budgets?: readonly number[] | undefined;
  /** called as the replay goes on; may throw to end it */
  readonly onProgress?: ((events: number) => void) | undefined;
}

export class PrefixSearch {
  readonly log: EventLog;
  /** in the order of the trace, up to the interval in which the expression was found to hold */
  readonly coverage: Coverage[] = [{ every: STEPS[0], from: 0, to: 0 }];
  found: Found | undefined;
  /** metrics where they were read last */
  last: SideValues = [new Float64Array(0), new Float64Array(0)];
  /** places at which both sides were looked at */
  looks = 0;
  /** events of the trace, and the time of the first one */
  events = 0;
  start_ns = 0;
  /** time of the last one that was read */
  ts_ns = 0;
  #at = 0;
  #step = 0;
  #spent = 0;

  constructor(
    readonly source: EventSource,
    readonly sides: readonly [Side, Side],
    readonly verdict: Verdict,
    readonly options: SearchOptions,
  ) {
    this.log = new EventLog(source.strings);
  }

  /** Reads all of the trace, and replays it as far as is needed. */
  async run(): Promise<void> {
    this.found = await this.#look([0]);
    for await (const batch of this.source.batches()) {
      if (batch.length === 0) continue;
      if (this.events === 0) this.start_ns = batch.ts[0] as number;
      this.events += batch.length;
      this.ts_ns = batch.ts[batch.length - 1] as number;
      if (this.found === undefined) {
        this.log.append(batch);
        await this.#search(false);
      }
      await this.#turn(this.events);
    }
    await this.#search(true);
  }

  /** Looks as far as there are events for a whole step; at the end of the trace also at what is left. */
  async #search(isEnd: boolean): Promise<void> {
    while (this.found === undefined) {
      const every = STEPS[this.#step] as number;
      const left = this.log.length - this.#at;
      if (left === 0 || (every > 1 && left < every && !isEnd)) return;
      const to = this.#at + Math.min(left, every === 1 ? LOOKS_AT_ONCE : every);
      this.found = await this.#interval(this.#at, to, every);
      this.#at = to;
      (this.coverage.at(-1) as Coverage).to = to;
      if (this.found !== undefined) return;
      if (!this.options.keepsEvents) this.log.forget(to);
      await this.#widen();
    }
  }

  /** Goes over to longer steps when the budget of this one is spent. */
  async #widen(): Promise<void> {
    const budget = (this.options.budgets ?? BUDGETS)[this.#step] ?? Number.POSITIVE_INFINITY;
    if (this.options.exhaustive || this.#spent <= budget || this.#step === STEPS.length - 1) return;
    this.#step++;
    this.#spent = 0;
    this.coverage.push({ every: STEPS[this.#step] as number, from: this.#at, to: this.#at });
    await this.#mark();
  }

  /**
   * Searches an interval that the sides are at the start of, where the expression does not hold. For steps of more than
   * one event the sides have marked that place, and mark each one that they come to.
   */
  async #interval(from: number, to: number, every: number): Promise<Found | undefined> {
    for (let at = from; at < to; ) {
      const next = Math.min(to, at + (every === 1 ? LOOKS_AT_ONCE : every));
      const before = this.last;
      const found = await this.#look(every === 1 ? numbers(at + 1, next) : [next]);
      await this.#turn(next);
      if (found !== undefined) return every === 1 ? found : this.#refine(at, next, every, before);
      if (every > 1) await this.#mark();
      at = next;
    }
    return undefined;
  }

  /** The expression holds at `to`: where inside does it begin to? */
  async #refine(from: number, to: number, every: number, before: SideValues): Promise<Found> {
    await Promise.all(this.sides.map((side) => side.rewind()));
    this.last = before;
    const found = await this.#interval(from, to, Math.max(1, every / REFINEMENT));
    if (found === undefined)
      throw new InvariantError(`a replay of events ${from} to ${to} did not end as it did before`);
    return found;
  }

  /** Goes on to the last of some places. @returns the first of them at which the expression holds */
  async #look(points: readonly number[]): Promise<Found | undefined> {
    const [a, b] = await Promise.all([
      this.sides[0].advance(this.log, points),
      this.sides[1].advance(this.log, points),
    ]);
    this.#spent += a.cost + b.cost;
    for (const [i, events] of points.entries()) {
      const before = events === 0 ? null : this.last;
      this.last = [a.values[i] as Float64Array, b.values[i] as Float64Array];
      this.looks++;
      if (this.verdict.holds(this.last)) return { events, values: this.last, before };
    }
    return undefined;
  }

  async #mark(): Promise<void> {
    for (const cost of await Promise.all(this.sides.map((side) => side.mark()))) this.#spent += cost;
  }

  /** Without a turn of the event loop an interrupt would not be seen. */
  async #turn(events: number): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.options.onProgress?.(events);
  }
}

/** `from` to `to`, both included. */
function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
