/** Options that every command has which reads traces: how they are read, and what they may cost. */
import { type Command, Option } from 'commander';
import type { TraceLimits } from '../trace/limits.js';
import type { OpenOptions } from '../trace/source.js';
import { byteSize, oneOf, wholeNumber } from './option-values.js';

/** What {@link addInputOptions} parses. */
export interface InputOptions {
  readonly kernel?: '6.1' | '6.18' | '7.2';
  readonly maxErrors: number;
  readonly skipInvalid?: true;
  readonly strict?: true;
  readonly maxLine?: number;
  readonly maxRecord?: number;
  readonly maxStrings?: number;
  readonly maxStringBytes?: number;
  readonly maxRatio?: number;
  readonly maxUnpacked?: number;
}

const DEFAULT_MAX_ERRORS = 20;

/** The limits and their defaults stand in one line of the help each; `trace/limits.ts` says what they are for. */
const LIMITS: readonly (readonly [
  flags: string,
  text: string,
  parse: (name: string) => (text: string) => number,
])[] = [
  ['--max-line <size>', 'longest line of a text trace (default: 1MiB)', byteSize],
  ['--max-record <size>', 'longest row of a CSV (default: 128KiB)', byteSize],
  ['--max-strings <n>', 'distinct ids, caches or sites (default: 8388608)', (name) => wholeNumber(name, 1)],
  ['--max-string-bytes <size>', 'bytes of all of them (default: 256MiB)', byteSize],
  ['--max-ratio <n>', 'unpacked bytes for each packed one (default: 1000)', (name) => wholeNumber(name, 1)],
  ['--max-unpacked <size>', 'unpacked bytes of one input (default: 1TiB)', byteSize],
];

/** Adds the options to a command. */
export function addInputOptions(command: Command): Command {
  command
    .addOption(
      new Option('--kernel <version>', 'kernel that recorded the trace, where it does not say').argParser(
        oneOf('--kernel', ['6.1', '6.18', '7.2']),
      ),
    )
    .addOption(
      new Option('--max-errors <n>', 'stop after so many invalid rows')
        .argParser(wholeNumber('--max-errors', 1))
        .default(DEFAULT_MAX_ERRORS),
    )
    .option('--skip-invalid', 'leave invalid rows out and count them')
    .option('--strict', 'fail at the first line that is not understood, and on inputs that end too early');
  for (const [flags, text, parse] of LIMITS)
    command.addOption(new Option(flags, text).argParser(parse(flags.split(' ')[0] as string)));
  return command;
}

/** Standard input is read once: named twice, the second would seem to be empty. @throws UsageError */
export async function checkInputs(inputs: readonly string[]): Promise<void> {
  if (inputs.indexOf('-') === inputs.lastIndexOf('-')) return;
  const { UsageError } = await import('../config/usage-error.js');
  throw new UsageError('- stands twice among the inputs: standard input can be read once');
}

/** The options as the readers take them. Loads the limits only when something is to be read. */
export async function openOptions(
  options: InputOptions,
): Promise<OpenOptions & { readonly limits: TraceLimits }> {
  const { DEFAULT_LIMITS } = await import('../trace/limits.js');
  return {
    kernel: options.kernel,
    maxErrors: options.maxErrors,
    skipInvalid: options.skipInvalid ?? false,
    strict: options.strict ?? false,
    limits: {
      line_bytes: options.maxLine ?? DEFAULT_LIMITS.line_bytes,
      record_bytes: options.maxRecord ?? DEFAULT_LIMITS.record_bytes,
      strings: options.maxStrings ?? DEFAULT_LIMITS.strings,
      string_bytes: options.maxStringBytes ?? DEFAULT_LIMITS.string_bytes,
      inflation_ratio: options.maxRatio ?? DEFAULT_LIMITS.inflation_ratio,
      inflated_bytes: options.maxUnpacked ?? DEFAULT_LIMITS.inflated_bytes,
    },
  };
}
