/** What a reader could not use of a trace, as notes of the result: nothing is left out without a number. */
import type { ResultNote } from '../report/run-result.js';
import type { TraceReport } from '../trace/source.js';

export function traceNotes(report: TraceReport): ResultNote[] {
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
  if (tracefs.frees.alone > 0)
    notes.push({
      name: 'frees_without_order',
      count: tracefs.frees.alone,
      meaning: 'batched frees whose mm_page_free is not in the trace',
    });
  return notes;
}
