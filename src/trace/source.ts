/**
 * Opens a trace, whatever form it has: the form is told by what is in it, never by its name.
 *
 * Readers are loaded when needed, so that a command that reads trace text does not pay for CSV.
 */
import type { ArrowReport } from './arrow/reader.js';
import type { Digest } from './bytes/digest.js';
import { type ByteInput, openInput, peekInput } from './bytes/open-input.js';
import type { CsvReport } from './csv/reader.js';
import { detectFormat, type InputFormat } from './detect-format.js';
import type { EventSource } from './event-batch.js';
import { InputError } from './input-error.js';
import { guessKernelFromText } from './kernel-from-text.js';
import type { KernelGeneration } from './kernel-generation.js';
import type { OracleReport } from './oracle/oracle-source.js';
import type { ReaderOptions } from './reader-options.js';
import { isDirectory, openRecording, type Recording } from './recording/recording.js';
import type { TextDialect } from './text/dialect.js';
import type { ImportReport } from './text/import-report.js';

export interface OpenOptions extends ReaderOptions {
  /** CSV: errors collected before reading stops, 1 by default */
  readonly maxErrors?: number | undefined;
  /** CSV: leave invalid rows out and count them */
  readonly skipInvalid?: boolean | undefined;
  /** false: somebody else makes the digests of the inputs */
  readonly digests?: boolean | undefined;
}

/** What the reader found; complete once the source's batches have ended. */
export type TraceReport =
  | { readonly format: 'csv'; readonly csv: CsvReport }
  | { readonly format: 'text'; readonly text: ImportReport }
  | { readonly format: 'arrow'; readonly arrow: ArrowReport }
  | { readonly format: 'oracle'; readonly oracle: OracleReport }
  | { readonly format: 'generated' };

/** Whose gfp words a trace uses, and how that is known. */
export interface TraceKernel {
  readonly generation: KernelGeneration;
  /** `6.18.44`; empty where only the generation is known */
  readonly release: string;
  readonly how: 'given' | 'recorded' | 'guessed' | 'assumed';
  /** what the guess stands on, one phrase each */
  readonly reasons: readonly string[];
}

export interface OpenedTrace {
  /** as the user named it */
  readonly name: string;
  /** `csv`, `arrow`, `oracle`, `recording`, or the tool whose text it is */
  readonly format: string;
  readonly source: EventSource;
  /** whether rows may be nested, as far as the trace is read; absent: never */
  readonly mayNest?: () => boolean;
  /** the recording that the trace is part of, if a directory was opened */
  readonly recording: Recording | undefined;
  /** what was known before reading; Arrow says more in its report */
  readonly kernel: TraceKernel;
  /** the bytes as stored, known once all are read */
  readonly digest: () => Digest;
  /** the file that is read; `-` for standard input */
  readonly path: string;
  readonly report: () => TraceReport;
}

/** Bytes looked at to tell formats and kernels apart; comments and headers are shorter. */
const LOOK_BYTES = 1 << 17;

function unsupported(file: string, format: InputFormat | undefined): InputError {
  if (format === 'perf.data') {
    return new InputError({
      file,
      expectation: 'is binary data of perf record',
      remedy: 'give the text that `perf script` makes of it',
    });
  }
  if (format === 'trace.dat') {
    return new InputError({
      file,
      expectation: 'is binary data of trace-cmd',
      remedy: 'give the text that `trace-cmd report` makes of it',
    });
  }
  return new InputError({
    file,
    expectation: 'is no trace',
    remedy:
      'give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
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
  const file = recording?.trace ?? path;
  const opened = await openInput(file, options.limits, options.digests);
  const peeked = await peekInput(opened, LOOK_BYTES);
  const { format, dialect } = detectFormat(peeked.head);
  if (peeked.head.length === 0) {
    // Perhaps empty because its compressed data is damaged; then that is what to say.
    for await (const _ of peeked.input.chunks);
    throw new InputError({
      file: peeked.input.name,
      expectation: 'is empty',
      remedy: 'check how it was made',
    });
  }
  const kernel = chooseKernel(options.kernel, recording, dialect === undefined ? undefined : peeked.head);
  const reader = await openFormat(format, dialect, peeked.input, {
    ...options,
    kernel: kernel.generation,
    isKernelGiven: kernel.how === 'given',
  });
  return { name: path, path: file, recording, kernel, digest: opened.digest, ...reader };
}

function chooseKernel(
  given: KernelGeneration | undefined,
  recording: Recording | undefined,
  text: Uint8Array | undefined,
): TraceKernel {
  if (given !== undefined) return { generation: given, release: '', how: 'given', reasons: [] };
  if (recording !== undefined && recording.kernel.release !== '') {
    const { generation, release } = recording.kernel;
    return { generation, release, how: 'recorded', reasons: [] };
  }
  const guess = text === undefined ? undefined : guessKernelFromText(text);
  if (guess !== undefined)
    return { generation: guess.generation, release: '', how: 'guessed', reasons: guess.reasons };
  return { generation: '6.18', release: '', how: 'assumed', reasons: [] };
}

async function openFormat(
  format: InputFormat | undefined,
  dialect: TextDialect | undefined,
  input: ByteInput,
  options: OpenOptions & { readonly kernel: KernelGeneration; readonly isKernelGiven: boolean },
): Promise<Pick<OpenedTrace, 'format' | 'source' | 'report' | 'mayNest'>> {
  switch (format) {
    case 'csv': {
      const { CsvReader } = await import('./csv/reader.js');
      const source = new CsvReader(input, options);
      const mayNest = () => source.mayNest;
      return { format, source, mayNest, report: () => ({ format, csv: source.report() }) };
    }
    case 'text': {
      const { TextReader } = await import('./text/reader.js');
      const source = new TextReader(input, { ...options, dialect });
      return { format: dialect ?? 'text', source, report: () => ({ format, text: source.report() }) };
    }
    case 'arrow-file':
    case 'arrow-stream': {
      const { ArrowReader } = await import('./arrow/reader.js');
      // The file says itself whose words it uses.
      const kernel = options.isKernelGiven ? options.kernel : undefined;
      const source = new ArrowReader(input, { ...options, kernel });
      const mayNest = () => true;
      return {
        format: 'arrow',
        source,
        mayNest,
        report: () => ({ format: 'arrow', arrow: source.report() }),
      };
    }
    case 'oracle': {
      const { OracleSource } = await import('./oracle/oracle-source.js');
      const source = new OracleSource(input);
      return { format, source, report: () => ({ format, oracle: source.report }) };
    }
    default:
      throw unsupported(input.name, format);
  }
}
