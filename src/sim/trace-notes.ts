/** What a reader could not use of a trace, as notes of the result: nothing is left out without a number. */
import type { ResultNote } from '../report/run-result.js';
import type { OpenedTrace } from '../trace/source.js';

export function traceNotes(opened: OpenedTrace): ResultNote[] {
  const report = opened.report();
  if (report.format === 'csv') {
    const { invalid } = report.csv;
    return invalid > 0
      ? [{ name: 'invalid_rows', count: invalid, meaning: 'invalid rows of the CSV, left out' }]
      : [];
  }
  if (report.format === 'oracle') return [];
  const { tracefs } = report;
  const notes: ResultNote[] = [];
  for (const kind of tracefs.by_kind)
    if (!kind.used)
      notes.push({
        name: 'not_replayed',
        count: kind.events,
        meaning: `${kind.name} events, not yet modelled`,
      });
  for (const skipped of tracefs.skipped)
    notes.push({
      name: 'not_understood',
      count: skipped.lines,
      meaning: `lines not understood (${skipped.kind}), the first at line ${skipped.example_line}: ${skipped.example}`,
    });
  for (const lost of tracefs.lost)
    notes.push({
      name: 'lost_events',
      count: lost.events,
      meaning: `events lost on CPU ${lost.cpu} in ${lost.gaps} places`,
    });
  const overwritten = (tracefs.entries_written ?? 0) - (tracefs.entries_in_buffer ?? 0);
  // The recorder's own statistics count the same losses: they are told where the text does not.
  const rings = overwritten > 0 || tracefs.lost.length > 0 ? [] : (opened.recording?.ring_stats ?? []);
  for (const ring of rings)
    if (ring.overrun + ring.dropped > 0)
      notes.push({
        name: 'lost_events',
        count: ring.overrun + ring.dropped,
        meaning: `events lost on CPU ${ring.cpu}, says the recorder`,
      });
  if (overwritten > 0)
    notes.push({
      name: 'overwritten_events',
      count: overwritten,
      meaning: 'events overwritten in the ring buffer before the trace was read',
    });
  if (tracefs.time_backwards > 0)
    notes.push({
      name: 'time_backwards',
      count: tracefs.time_backwards,
      meaning: 'events whose time was before that of the event above; they were given its time',
    });
  for (const unknown of tracefs.gfp_unknown)
    notes.push({
      name: 'unknown_gfp',
      count: unknown.events,
      meaning: `events with the gfp flag ${unknown.token}, which the kernel of this trace does not have: left out of the request`,
    });
  if (!tracefs.has_flags && tracefs.events > 0)
    notes.push({
      name: 'without_context',
      count: tracefs.events,
      meaning: 'events without a flag column (recorded without irq-info), taken for task context',
    });
  if (tracefs.frees.alone > 0)
    notes.push({
      name: 'frees_without_order',
      count: tracefs.frees.alone,
      meaning: 'batched frees whose mm_page_free is not in the trace',
    });
  return notes;
}
