/** What the user should know before trusting a trace text's numbers, one sentence each. */
import type { TextDialect } from './dialect.js';

export interface NoteFacts {
  readonly dialect: TextDialect;
  readonly events: number;
  readonly without_flags: number;
  /** events whose time is a counter's */
  readonly counted_times: number;
  /** events whose time is in whole microseconds from some start */
  readonly microsecond_times: number;
  readonly entries_in_buffer: number | undefined;
  readonly entries_written: number | undefined;
}

export function reportNotes(facts: NoteFacts): string[] {
  const { dialect, events, without_flags, entries_in_buffer, entries_written } = facts;
  const notes: string[] = [];
  if (dialect === 'perf' && events > 0) {
    notes.push('perf script tells no context: every event is taken for task context');
  } else if (events > 0 && without_flags === events) {
    notes.push(
      dialect === 'trace-cmd'
        ? 'no flag column (trace-cmd report before 3.3, without -l): every event is taken for task context'
        : 'no flag column (recorded without irq-info): every event is taken for task context',
    );
  } else if (without_flags > 0) {
    notes.push(`${without_flags} of ${events} events have no flag column and are taken for task context`);
  }
  if (facts.counted_times > 0) {
    notes.push('times without a decimal point: the clock is a counter, its ticks are taken for nanoseconds');
  }
  if (facts.microsecond_times > 0) {
    notes.push('latency format: times are whole microseconds, counted from the start that the tracer chose');
  }
  if (
    entries_in_buffer !== undefined &&
    entries_written !== undefined &&
    entries_written > entries_in_buffer
  ) {
    notes.push(`${entries_written - entries_in_buffer} events were overwritten before the trace was read`);
  }
  if (entries_in_buffer !== undefined && entries_in_buffer !== events) {
    notes.push(`the header announces ${entries_in_buffer} events, the text holds ${events}`);
  }
  return notes;
}
