/**
 * What an error means to the user: one line and an exit code for a known mistake, a stack for a bug.
 */
import { printable } from '../report/sanitize.js';
import { ExitCode } from './exit-codes.js';

export interface ErrorReport {
  readonly code: ExitCode;
  /** for stderr, with its line end */
  readonly text: string;
}

/** A message of one line for each mistake; the line ends are ours, everything else came from outside. */
function messageText(message: string): string {
  return message
    .split('\n')
    .map((line) => `${printable(line)}\n`)
    .join('');
}

/** Whoever mends all that is told must not believe that this was all. */
function stoppedText(error: Error): string {
  if (!('errors' in error && Array.isArray(error.errors) && 'complete' in error) || error.complete) return '';
  return error.errors.length === 1
    ? ''
    : `there may be more: reading stopped after ${error.errors.length} (--max-errors)\n`;
}

function isSystemError(error: Error): error is NodeJS.ErrnoException {
  return 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

/** Errors are known by name, so that no module has to be loaded only to recognise what it might have thrown. */
export function reportError(error: unknown): ErrorReport {
  if (!(error instanceof Error))
    return { code: ExitCode.internal, text: `internal error: ${messageText(String(error))}` };
  switch (error.name) {
    case 'UsageError':
      return { code: ExitCode.usage, text: messageText(error.message) };
    case 'InputError':
      return { code: ExitCode.invalidInput, text: messageText(error.message) };
    case 'InputErrors':
      return { code: ExitCode.invalidInput, text: messageText(error.message) + stoppedText(error) };
    case 'AbortError':
      return { code: ExitCode.interrupted, text: 'interrupted\n' };
  }
  // A file that vanished, a full disk: the system's own words say what happened.
  if (isSystemError(error)) return { code: ExitCode.invalidInput, text: messageText(error.message) };

  const what =
    error.name === 'InvariantError' ? 'an invariant of the model does not hold' : 'this is a bug in spbsim';
  const reproducer =
    'reproducer' in error && typeof error.reproducer === 'string'
      ? `reproducer: ${printable(error.reproducer)} (attach it to a bug report; it names the inputs, it does not hold them)\n`
      : '';
  return {
    code: ExitCode.internal,
    text: `internal error: ${what}\n${messageText(error.stack ?? error.message)}${reproducer}`,
  };
}
