/**
 * One policy's half of a bisection: a replay that can say, after any event, what a run of just the events so far would
 * have reported, and that can go back to a place where it was.
 *
 * A run ends its background work before it reports. Where some is under way that is done on the live machine, which is
 * then put back as it was.
 */

import { InvariantError } from '../../mm/invariant.js';
import { serializeMachine } from '../../mm/machine-state.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import type { Serializable, StateIo } from '../../mm/state-io.js';
import type { SimBackground } from '../background.js';
import type { FreeRunningReplay } from '../free-running.js';
import { LiveMetrics } from '../live-metrics.js';
import { Notes } from '../notes.js';
import { beginFreeRunning, type Start } from '../prepare-run.js';
import { Snapshot } from '../state/snapshot.js';
import { Tallies } from '../tallies.js';
import type { EventLog } from './event-log.js';

/** What one side says after each of some events. */
export interface Looks {
  /** metrics, in the order in which they were asked for; NaN for those that the run does not have */
  readonly values: readonly Float64Array[];
  /** how much work that was, in units of about a microsecond; the same on every machine */
  readonly cost: number;
}

/** A side of the search. What it does could be done by a thread of its own: nothing is asked for that is not there yet. */
export interface Side {
  /**
   * Goes on to the last of `points`, numbers of events from the start of the trace, ascending, and looks at each.
   * `log` has the events.
   */
  advance(log: EventLog, points: readonly number[]): Promise<Looks>;
  /** Remembers this place. @returns what it cost */
  mark(): Promise<number>;
  /** Goes back to the place that was remembered last. */
  rewind(): Promise<void>;
}

/** Units per look, whatever is looked at. */
const LOOK_COST = 20;
/** Pages of a machine that are compared with what was there before, in one unit. */
const COMPARED_PAGES = 4096;
/** Pages of a machine that are looked at one by one, in one unit. */
const WALKED_PAGES = 256;
/** Pages of a machine whose state is copied and put back in one unit. */
const COPIED_PAGES = 256;

interface Live {
  readonly replay: FreeRunningReplay;
  readonly background: SimBackground;
}

export class ReplaySide implements Side {
  readonly #start: Start;
  readonly #notes = new Notes();
  readonly #tallies = new Tallies();
  readonly #metrics: LiveMetrics;
  readonly #lookCost: number;
  readonly #copyCost: number;
  #live: Live | undefined;
  #events = 0;
  /** of this very place */
  #here: Snapshot | undefined;
  #mark: { readonly events: number; readonly snapshot: Snapshot | undefined } | undefined;

  /** @param metrics  names of the catalogue */
  constructor(start: Start, metrics: readonly string[]) {
    this.#start = start;
    this.#metrics = new LiveMetrics(
      {
        mm: start.mm,
        notes: this.#notes,
        tallies: this.#tallies,
        unknownCounts: start.state.kind !== 'fresh',
      },
      metrics,
    );
    const pages = presentPages(start.mm);
    this.#lookCost =
      LOOK_COST +
      (this.#metrics.comparesMemory ? Math.ceil(pages / COMPARED_PAGES) : 0) +
      (this.#metrics.walksPages ? Math.ceil(pages / WALKED_PAGES) : 0);
    this.#copyCost = LOOK_COST + Math.ceil(pages / COPIED_PAGES);
  }

  async advance(log: EventLog, points: readonly number[]): Promise<Looks> {
    let cost = 0;
    const values = points.map((point) => {
      this.#replayTo(log, point);
      cost += this.#lookCost + (this.#isDrained ? 0 : this.#copyCost);
      return this.#look();
    });
    return { values, cost };
  }

  async mark(): Promise<number> {
    const isCopied = this.#live !== undefined && this.#here === undefined;
    this.#mark = { events: this.#events, snapshot: this.#live === undefined ? undefined : this.#snapshot() };
    return isCopied ? this.#copyCost : 0;
  }

  async rewind(): Promise<void> {
    const mark = this.#mark;
    if (mark === undefined) throw new InvariantError('a side of a bisection has no place to go back to');
    // Without a snapshot nothing has been replayed since.
    mark.snapshot?.restore(this.#state);
    this.#events = mark.events;
    this.#here = mark.snapshot;
  }

  get #isDrained(): boolean {
    return this.#live?.background.isDrained ?? true;
  }

  #replayTo(log: EventLog, point: number): void {
    if (point === this.#events) return;
    this.#live ??= this.#begin(log);
    for (const { batch, from, to } of log.rows(this.#events, point))
      this.#live.replay.replay(batch, from, to);
    this.#events = point;
    this.#here = undefined;
  }

  #begin(log: EventLog): Live {
    const { batch, row } = log.at(0);
    this.#live = beginFreeRunning(this.#start, batch.ts[row]!, this.#notes, this.#tallies);
    if (this.#mark?.events === 0) this.#mark = { events: 0, snapshot: this.#snapshot() };
    return this.#live;
  }

  /** The metrics of a run that ends here; the replay stays where it is. */
  #look(): Float64Array {
    if (this.#isDrained) return this.#metrics.read(this.#events);
    const here = this.#snapshot();
    this.#live!.background.drain();
    const values = this.#metrics.read(this.#events);
    here.restore(this.#state);
    return values;
  }

  #snapshot(): Snapshot {
    this.#here ??= Snapshot.of(this.#state);
    return this.#here;
  }

  /** All that a replay changes. The machine comes first: what follows is tied to it. */
  readonly #state: Serializable = {
    serialize: (io: StateIo) => {
      const { replay, background } = this.#live!;
      serializeMachine(this.#start.mm, io);
      io.part('background', background);
      io.part('replay', replay);
      io.part('notes', this.#notes);
      io.part('tallies', this.#tallies);
    },
  };
}

function presentPages(mm: PageAllocator): number {
  return mm.zones.reduce((sum, zone) => sum + zone.present_pages, 0);
}
