import type { ImportRequest } from '../../sim/import-trace.js';
import { ExitCode } from '../exit-codes.js';
import { guardInterrupt } from '../interrupt.js';
import { ProgressLine } from '../progress.js';

export interface ImportOptions {
  readonly output: string;
  readonly kernel?: NonNullable<ImportRequest['kernel']>;
  readonly maxErrors: number;
  readonly skipInvalid?: true;
}

/** `spbsim import`: makes a trace CSV of any trace that can be read. */
export async function importCommand(input: string, options: ImportOptions): Promise<void> {
  const { UsageError } = await import('../../config/usage-error.js');
  if (!/\.csv(\.gz)?$|^-$/.test(options.output)) {
    throw new UsageError(`-o ${options.output}: expected a name ending in .csv or .csv.gz, or - for stdout`);
  }
  const { importTrace } = await import('../../sim/import-trace.js');
  const progress = new ProgressLine();
  const interrupt = guardInterrupt();
  const imported = await importTrace({
    input,
    output: options.output,
    kernel: options.kernel,
    max_errors: options.maxErrors,
    skip_invalid: options.skipInvalid ?? false,
    onProgress: (done) => progress.update(done),
    signal: interrupt.signal,
  }).finally(() => {
    progress.clear();
    interrupt.release();
  });

  const [{ plural, thousands }, { printable }] = await Promise.all([
    import('../../report/quantities.js'),
    import('../../report/sanitize.js'),
  ]);
  if (imported.interrupted) process.exitCode = ExitCode.interrupted;
  const notes = imported.notes.filter((note) => note.count > 0);
  const lines = [
    `${printable(input)} -> ${printable(options.output)}   ${plural(imported.events, 'event')}   ${printable(imported.kernel)}`,
    ...notes.map((note) => `  ${thousands(note.count)} ${printable(note.meaning)}`),
  ];
  // On stderr, because stdout may be the CSV itself.
  process.stderr.write(`${lines.join('\n')}\n`);
}
