/** A trace of which some units are left out: its rows, and what a policy makes of them from the start. */
import { LiveMetrics } from '../live-metrics.js';
import { Notes } from '../notes.js';
import { beginFreeRunning, type Start } from '../prepare-run.js';
import { Tallies } from '../tallies.js';
import { EventLog, type Rows } from './event-log.js';

export class SubTrace {
  /** @param ofEvent  unit of each event; events of unit -1 are in no part of the trace */
  constructor(
    readonly log: EventLog,
    readonly ofEvent: Int32Array,
  ) {}

  /** Rows whose units are kept, in their order. */
  *rows(kept: ReadonlySet<number>): Generator<Rows> {
    for (const { batch, from, to, event } of this.log.rows(0, this.ofEvent.length)) {
      let start = -1;
      for (let row = from; row < to; row++) {
        const isKept = kept.has(this.ofEvent[event + row - from]!);
        if (isKept && start < 0) start = row;
        if (isKept || start < 0) continue;
        yield { batch, from: start, to: row, event: event + start - from };
        start = -1;
      }
      if (start >= 0) yield { batch, from: start, to, event: event + start - from };
    }
  }

  /** The same without the rows that are left out: what it is asked for later has none of them either. */
  only(kept: ReadonlySet<number>): SubTrace {
    const log = new EventLog(this.log.strings);
    const ofEvent: number[] = [];
    for (const { batch, from, to, event } of this.rows(kept)) {
      log.append(batch, from, to);
      for (let i = 0; i < to - from; i++) ofEvent.push(this.ofEvent[event + i]!);
    }
    return new SubTrace(log, Int32Array.from(ofEvent));
  }
}

/** The metrics that a run of just these rows would report. */
export function metricsAfter(start: Start, rows: Iterable<Rows>, names: readonly string[]): Float64Array {
  const { mm, state } = start;
  const notes = new Notes();
  const tallies = new Tallies();
  const metrics = new LiveMetrics({ mm, notes, tallies, unknownCounts: state.kind !== 'fresh' }, names);
  let live: ReturnType<typeof beginFreeRunning> | undefined;
  let events = 0;
  for (const { batch, from, to } of rows) {
    live ??= beginFreeRunning(start, batch.ts[from]!, notes, tallies);
    // What lies between the ranges is left out.
    live.replay.replay(batch, from, to, to);
    events += to - from;
  }
  live?.background.drain();
  return metrics.read(events);
}
