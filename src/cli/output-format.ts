/** The format that a trace is written in: what `--format` says, else what the output's name ends in. */
import type { OutputFormat } from '../sim/import-trace.js';

export interface OutputChoice {
  readonly output: string;
  readonly format?: 'csv' | 'arrow' | 'arrows';
}

const FORMATS: ReadonlyMap<string, OutputFormat> = new Map([
  ['csv', 'csv'],
  ['arrow', 'arrow-file'],
  ['feather', 'arrow-file'],
  ['arrows', 'arrow-stream'],
]);

/** @throws UsageError for a name that says nothing */
export async function chooseFormat({ output, format }: OutputChoice): Promise<OutputFormat> {
  const extension = /\.([a-z]+)(?:\.(?:gz|zst))?$/.exec(output)?.[1] ?? '';
  const chosen = FORMATS.get(format ?? (output === '-' ? 'csv' : extension));
  if (chosen !== undefined) return chosen;
  const { UsageError } = await import('../config/usage-error.js');
  throw new UsageError(
    `-o ${output}: expected a name ending in .csv, .arrow or .arrows (also .gz, .zst), or say --format`,
  );
}
