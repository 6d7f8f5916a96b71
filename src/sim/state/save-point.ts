/** Where in a trace a run is saved: after so many events, at a time, at a mark. */
import { type EventBatch, Op } from '../../trace/event-batch.js';

export type SavePoint =
  | { readonly kind: 'event'; readonly events: number }
  /** before the first event at this time after the trace's first one, or later */
  | { readonly kind: 'time'; readonly ns: number }
  /** after the first mark of this name */
  | { readonly kind: 'mark'; readonly name: string };

/** What has been replayed of the trace so far. */
export interface ReplayedSoFar {
  readonly events_read: number;
  readonly start_ns: number;
}

/**
 * The row of a batch before which the point lies.
 *
 * @param first  first row that has not been replayed
 * @returns `batch.length` where it lies behind the last row, undefined where it is not in this batch
 */
export function rowOfPoint(
  point: SavePoint,
  batch: EventBatch,
  first: number,
  replayed: ReplayedSoFar,
): number | undefined {
  const { length, ts } = batch;
  switch (point.kind) {
    case 'event': {
      const row = first + point.events - replayed.events_read;
      return row < first || row > length ? undefined : row;
    }
    case 'time': {
      const start_ns = replayed.events_read === 0 ? ts[first]! : replayed.start_ns;
      const at_ns = start_ns + point.ns;
      if (ts[length - 1]! < at_ns) return undefined;
      let row = first;
      while (ts[row]! < at_ns) row++;
      return row;
    }
    case 'mark': {
      const { args } = batch.strings;
      for (let row = first; row < length; row++)
        if (batch.op[row] === Op.mark && args.get(batch.arg[row]!) === point.name) return row + 1;
      return undefined;
    }
  }
}
