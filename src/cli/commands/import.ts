import type { ImportSummary } from '../../sim/import-trace.js';
import { ExitCode } from '../exit-codes.js';
import { checkInputs, type InputOptions, openOptions } from '../input-options.js';
import { guardInterrupt } from '../interrupt.js';
import { chooseFormat, type OutputChoice } from '../output-format.js';
import { ProgressLine } from '../progress.js';
import { chooseSelection, type SelectionOptions } from '../selection-options.js';

export interface ImportOptions extends InputOptions, SelectionOptions, OutputChoice {
  readonly join: 'time' | 'append';
  readonly anonymise?: true;
  readonly formulaSafe: boolean;
  readonly verbose?: true;
}

/** `spbsim import`: makes a trace CSV or an Arrow file of any traces that can be read. */
export async function importCommand(inputs: readonly string[], options: ImportOptions): Promise<void> {
  await checkInputs(inputs);
  const format = await chooseFormat(options);
  const selection = await chooseSelection(options);
  const open = await openOptions(options);
  const { importTrace } = await import('../../sim/import-trace.js');
  const progress = new ProgressLine();
  const interrupt = guardInterrupt();
  const imported = await importTrace({
    inputs,
    join: options.join,
    output: options.output,
    format,
    open,
    selection,
    anonymise: options.anonymise ?? false,
    formula_safe: options.formulaSafe,
    onProgress: (done) => progress.update(done),
    signal: interrupt.signal,
  }).finally(() => {
    progress.clear();
    interrupt.release();
  });
  // On stderr, because stdout may be the trace itself.
  process.stderr.write(await summary(inputs, options, imported));
  if (imported.interrupted) process.exitCode = ExitCode.interrupted;
  else if (imported.cut.length > 0) process.exitCode = ExitCode.invalidInput;
}

async function summary(
  inputs: readonly string[],
  options: ImportOptions,
  imported: ImportSummary,
): Promise<string> {
  const [{ bytes, plural, thousands }, { printable }] = await Promise.all([
    import('../../report/quantities.js'),
    import('../../report/sanitize.js'),
  ]);
  const size = imported.bytes > 0 ? `   ${bytes(imported.bytes)}` : '';
  const lines = [
    `${inputs.map(printable).join(' ')} -> ${printable(options.output)}   ${plural(imported.events, 'event')}${size}   ${printable(imported.kernel)}`,
    ...imported.notes.map((note) => `  ${thousands(note.count)} ${printable(note.meaning)}`),
  ];
  if (options.verbose) {
    const [{ renderReading }, { readInput }] = await Promise.all([
      import('../../report/reading-text.js'),
      import('../../sim/trace-notes.js'),
    ]);
    lines.push('', renderReading(imported.report.inputs.map(readInput)).trimEnd());
  }
  return `${lines.join('\n')}\n`;
}
