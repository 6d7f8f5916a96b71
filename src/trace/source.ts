/**
 * Opens a trace, whatever form it has: the form is told by what is in it, never by its name.
 *
 * Readers are loaded when needed, so that a command that reads tracefs text does not pay for CSV.
 */

import { type ByteInput, openInput, peekInput } from './bytes/open-input.js';
import type { CsvReport } from './csv/reader.js';
import type { EventSource } from './event-batch.js';
import { InputError } from './input-error.js';
import type { KernelGeneration } from './kernel-generation.js';
import type { OracleReport } from './oracle/oracle-source.js';
import { isDirectory, openRecording, type Recording } from './recording/recording.js';
import type { ImportReport } from './text/import-report.js';

export type TraceFormat = 'csv' | 'tracefs' | 'oracle';

export interface OpenOptions {
  /** whose gfp words the trace uses; by default the recording's kernel, else 6.18 */
  readonly kernel?: KernelGeneration | undefined;
  /** CSV: errors collected before reading stops, 1 by default */
  readonly maxErrors?: number | undefined;
  /** CSV: leave invalid rows out and count them */
  readonly skipInvalid?: boolean | undefined;
}

/** What the reader found; complete once the source's batches have ended. */
export type TraceReport =
  | { readonly format: 'csv'; readonly csv: CsvReport }
  | { readonly format: 'tracefs'; readonly tracefs: ImportReport }
  | { readonly format: 'oracle'; readonly oracle: OracleReport };

export interface OpenedTrace {
  /** as the user named it */
  readonly name: string;
  readonly format: TraceFormat;
  readonly source: EventSource;
  /** the recording that the trace is part of, if a directory was opened */
  readonly recording: Recording | undefined;
  /** generation whose gfp words are used */
  readonly kernel: KernelGeneration;
  readonly report: () => TraceReport;
}

/** Bytes looked at to tell formats apart; comments and headers are shorter. */
const LOOK_BYTES = 1 << 16;

/** A trace line of tracefs or trace-cmd, and one of perf script, which has no dash before the number. */
const TRACEFS_LINE =
  /^.{1,80}-\d+\s+(?:\([\s\d-]+\)\s+)?\[\d{3,5}\]\s+(?:[^\s\d]\S{2,4}\s+)?\d+(?:\.\d+)?:\s+\w+:/;
const PERF_LINE = /^.{1,80}\s\d+(?:\/\d+)?\s+\[\d{3,5}\]\s+\d+\.\d+:\s+(?:\d+\s+)?\w+:\w+:/;

/** Which format the beginning of a file has; undefined if it is none of the known ones. */
export function detectFormat(head: Uint8Array): TraceFormat | 'perf' | 'trace.dat' | undefined {
  if (head[0] === 0x17 && head[1] === 0x08 && head[2] === 0x44) return 'trace.dat';
  const text = Buffer.from(head.subarray(0, LOOK_BYTES)).toString('latin1').replace(/^ï»¿/, '');
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (/^\{"t":/.test(lines[0] ?? '')) return 'oracle';
  if (lines.some((line) => /^# (?:tracer: |entries-in-buffer\/|\w+ latency trace )/.test(line)))
    return 'tracefs';
  for (const line of lines.slice(0, 200)) {
    if (line.startsWith('#')) continue;
    if (/^cpus=\d+$/.test(line) || /^CPU:\s?\d+ \[/.test(line) || TRACEFS_LINE.test(line)) return 'tracefs';
    if (PERF_LINE.test(line)) return 'perf';
    // The first row that is no comment is the header; one with a comma is more likely a mistaken CSV than none.
    if (line === 'op' || /^[\w"]+(?:,|$)/.test(line)) return 'csv';
  }
  return undefined;
}

function unsupported(file: string, format: 'perf' | 'trace.dat' | undefined): InputError {
  if (format === 'perf') {
    return new InputError({
      file,
      expectation: 'is text of perf script, which is not yet supported',
      remedy: 'record with tracefs, it also knows the context of every event',
    });
  }
  if (format === 'trace.dat') {
    return new InputError({
      file,
      expectation: 'is a trace-cmd file, which is not yet supported',
      remedy: 'give the output of `trace-cmd report` for it',
    });
  }
  return new InputError({
    file,
    expectation: 'is no trace',
    remedy: 'give a trace CSV, the text of the tracefs file `trace`, or a recording directory',
  });
}

/**
 * Opens one input.
 *
 * @param path  a file, a recording directory, or `-` for standard input
 * @throws InputError  if it cannot be read or is none of the known formats. Mistakes further in are thrown by the
 *                     source's batches().
 */
export async function openTrace(path: string, options: OpenOptions = {}): Promise<OpenedTrace> {
  const recording = path !== '-' && (await isDirectory(path)) ? await openRecording(path) : undefined;
  const peeked = await peekInput(await openInput(recording?.trace ?? path), LOOK_BYTES);
  const format = detectFormat(peeked.head);
  if (format === undefined || format === 'perf' || format === 'trace.dat') {
    if (peeked.head.length === 0) {
      // Perhaps empty because its compressed data is damaged; then that is what to say.
      for await (const _ of peeked.input.chunks);
      throw new InputError({
        file: peeked.input.name,
        expectation: 'is empty',
        remedy: 'check how it was made',
      });
    }
    throw unsupported(peeked.input.name, format);
  }
  const kernel = options.kernel ?? recording?.kernel.generation ?? '6.18';
  const common = { name: path, recording, kernel };
  return { ...common, ...(await openFormat(format, peeked.input, kernel, options)) };
}

async function openFormat(
  format: TraceFormat,
  input: ByteInput,
  kernel: KernelGeneration,
  options: OpenOptions,
): Promise<Pick<OpenedTrace, 'format' | 'source' | 'report'>> {
  if (format === 'csv') {
    const { CsvReader } = await import('./csv/reader.js');
    const source = new CsvReader(input, { ...options, kernel });
    return { format, source, report: () => ({ format, csv: source.report() }) };
  }
  if (format === 'tracefs') {
    const { TracefsReader } = await import('./text/reader.js');
    const source = new TracefsReader(input, { kernel });
    return { format, source, report: () => ({ format, tracefs: source.report() }) };
  }
  const { OracleSource } = await import('./oracle/oracle-source.js');
  const source = new OracleSource(input);
  return { format, source, report: () => ({ format, oracle: source.report }) };
}
