/**
 * What a reader found in an input and what it could not use, as the result document has it: nothing is left out without
 * a number.
 */
import type { ResultNote, ResultReadInput } from '../report/run-result.js';
import type { ImportReport } from '../trace/text/import-report.js';
import type { InputReport, TraceSetReport } from '../trace/trace-set.js';
import { NOTE_MEANINGS } from './notes.js';

/** The input's own section of the result document. */
export function readInput(input: InputReport): ResultReadInput {
  const { name, format, sha256, bytes, kernel, report } = input;
  const common = { path: name, format, sha256, bytes, kernel: { ...kernel, reasons: [...kernel.reasons] } };
  const plain = { cut: input.cut ?? null, kinds: [], not_understood: [], lost: [], remarks: [] };
  if (report.format === 'text') {
    const { text } = report;
    return {
      ...common,
      cut: plain.cut,
      kinds: text.by_kind.map(({ name, events, used }) => ({ name, events, used })),
      not_understood: text.skipped.map((skipped) => ({ ...skipped })),
      lost: text.lost.map((lost) => ({ ...lost })),
      remarks: [...text.notes],
    };
  }
  if (report.format === 'csv' && report.csv.invalid > 0) {
    const examples = report.csv.invalid_examples;
    return { ...common, ...plain, remarks: [...examples] };
  }
  return { ...common, ...plain };
}

/** What an input adds to the notes of the run. */
export function traceNotes(input: InputReport): ResultNote[] {
  const { report } = input;
  const notes = new NoteList();
  if (input.cut !== undefined) notes.add('cut_inputs', 1, `input that ends too early: ${input.cut}`);
  if (report.format === 'csv')
    notes.add('invalid_rows', report.csv.invalid, 'invalid rows of the CSV, left out');
  if (report.format === 'text') textNotes(notes, report.text, input);
  return notes.list;
}

/** What bringing nested rows together adds. */
export function nestedNotes({ nested_alone }: TraceSetReport): ResultNote[] {
  const notes = new NoteList();
  notes.add('nested_alone', nested_alone, NOTE_MEANINGS.nested_alone);
  return notes.list;
}

class NoteList {
  readonly list: ResultNote[] = [];

  /** Adds a note unless there is nothing to count. */
  add(name: string, count: number, meaning: string): void {
    if (count > 0) this.list.push({ name, count, meaning });
  }
}

function textNotes(notes: NoteList, text: ImportReport, input: InputReport): void {
  for (const kind of text.by_kind)
    if (!kind.used) notes.add('not_replayed', kind.events, `${kind.name} events, not yet modelled`);
  for (const skipped of text.skipped)
    notes.add('not_understood', skipped.lines, `lines not understood (${skipped.kind})`);
  for (const lost of text.lost)
    notes.list.push({
      name: 'lost_events',
      count: lost.events,
      meaning: `events lost on CPU ${lost.cpu} in ${lost.gaps} places`,
    });
  const overwritten = Math.max(0, (text.entries_written ?? 0) - (text.entries_in_buffer ?? 0));
  // The recorder's own statistics count the same losses: they are told where the text does not.
  const rings = overwritten > 0 || text.lost.length > 0 ? [] : input.ring_stats;
  for (const ring of rings)
    notes.add(
      'lost_events',
      ring.overrun + ring.dropped,
      `events lost on CPU ${ring.cpu}, says the recorder`,
    );
  notes.add(
    'overwritten_events',
    overwritten,
    'events overwritten in the ring buffer before the trace was read',
  );
  notes.add(
    'time_backwards',
    text.time_backwards,
    'events whose time was before that of the event above; they were given its time',
  );
  for (const unknown of text.gfp_unknown)
    notes.add(
      'unknown_gfp',
      unknown.events,
      `events with the gfp flag ${unknown.token}, which the kernel of this trace does not have: left out of the request`,
    );
  if (!text.has_flags)
    notes.add(
      'without_context',
      text.events,
      'events whose context the trace does not say, taken for task context',
    );
  notes.add('frees_without_order', text.frees.alone, 'batched frees whose mm_page_free is not in the trace');
}
