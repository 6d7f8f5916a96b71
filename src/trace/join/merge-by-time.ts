/**
 * Several traces of one machine as one, in the order of time: one file per CPU, or one per tool.
 *
 * All traces intern into the same tables, so that an object allocated in one can be freed in another. Events of the same
 * time keep the order of the inputs; events of one input keep theirs. A trace that ends too early ends alone: the others
 * go on, and its error is told behind the last event.
 */
import { BATCH_EVENTS, EventBatch, type EventSource } from '../event-batch.js';
import type { TraceStrings } from '../string-table.js';
import { Cursor } from './cursor.js';

export class MergeByTime implements EventSource {
  constructor(
    readonly strings: TraceStrings,
    readonly sources: readonly EventSource[],
    readonly batchEvents: number = BATCH_EVENTS,
  ) {}

  async *batches(): AsyncGenerator<EventBatch> {
    const cursors = this.sources.map((source) => new Cursor(source));
    const out = new EventBatch(this.strings, this.batchEvents);
    try {
      // One after the other: readers of one file each must not race for the tables' numbers.
      const open: Cursor[] = [];
      for (const cursor of cursors) if (await cursor.nextBatch()) open.push(cursor);
      while (open.length > 0) {
        const first = earliest(open);
        const cursor = open[first] as Cursor;
        const batch = cursor.batch as EventBatch;
        const end = runEnd(cursor, batch, open, first, out.capacity - out.length);
        out.copyRows(batch, cursor.row, end, out.length);
        out.length += end - cursor.row;
        cursor.row = end;
        if (end === batch.length && !(await cursor.nextBatch())) open.splice(first, 1);
        if (out.length === out.capacity) {
          yield out;
          out.length = 0;
        }
      }
      if (out.length > 0) yield out;
      const failed = cursors.find((cursor) => cursor.failure !== undefined);
      if (failed?.failure !== undefined) throw failed.failure.error;
    } finally {
      for (const cursor of cursors) await cursor.close();
    }
  }
}

/** Index of the cursor whose event is next: the earliest, of equal ones the first. */
function earliest(cursors: readonly Cursor[]): number {
  let best = 0;
  for (let i = 1; i < cursors.length; i++)
    if ((cursors[i] as Cursor).ts < (cursors[best] as Cursor).ts) best = i;
  return best;
}

/** First row that must wait for another cursor's event, or for room. */
function runEnd(
  cursor: Cursor,
  batch: EventBatch,
  all: readonly Cursor[],
  own: number,
  room: number,
): number {
  let until = Number.POSITIVE_INFINITY;
  let earlierWins = false;
  all.forEach((other, i) => {
    if (i === own || other.ts > until) return;
    earlierWins = other.ts < until ? i < own : earlierWins || i < own;
    until = other.ts;
  });
  const limit = Math.min(batch.length, cursor.row + room);
  let row = cursor.row;
  while (row < limit && (batch.ts[row] as number) < until) row++;
  if (!earlierWins) while (row < limit && batch.ts[row] === until) row++;
  return row;
}
