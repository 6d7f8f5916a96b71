/** Options that several commands have, and how they are told apart nowhere else. */
import { Option } from 'commander';
import { oneOf, repeated, wholeNumber } from './option-values.js';

export const DEFAULT_SEED = 1;

export function maxMachineOption(): Option {
  return new Option('--max-machine <size>', 'largest machine that an input may declare (default: 4TiB)');
}

export function joinOption(): Option {
  return new Option('--join <how>', 'several traces: merged by time, or appended one behind the other')
    .argParser(oneOf('--join', ['time', 'append']))
    .default('time');
}

export function seedOption(meaning: string): Option {
  return new Option('--seed <n>', meaning).argParser(wholeNumber('--seed', 0)).default(DEFAULT_SEED);
}

/** `--set-a`, `--set-b`: of two policies the one. */
export function sideSetOption(side: 'a' | 'b'): Option {
  return new Option(
    `--set-${side} <knob=value>`,
    `change one knob of ${side.toUpperCase()} alone (repeatable)`,
  )
    .argParser(repeated)
    .default([], 'none');
}
