/**
 * The mistakes a user's input can hold, told in one line that says where, what and how to mend it.
 *
 * Errors are part of the interface: `trace.csv:48:17  gfp "GFP_KERNEl" is not a gfp flag; did you mean GFP_KERNEL?`
 * Everything quoted from the input is escaped and cut, so that untrusted text cannot write to the terminal.
 */
import { sanitize } from './sanitize.js';

/** Longest piece of a value that an error repeats. */
const VALUE_CHARACTERS = 60;

export interface InputProblem {
  /** as the user named it; `-` for standard input */
  readonly file: string;
  /** 1-based */
  readonly line?: number | undefined;
  /** 1-based character in the line */
  readonly column?: number | undefined;
  /** the column, key or event that holds the value */
  readonly field?: string | undefined;
  /** what was found, as it stands in the input */
  readonly value?: string | undefined;
  /** what is wrong with it, such as `is not a page order`; reads on from the field and the value */
  readonly expectation: string;
  /** what to do: `give 0 to 10` */
  readonly remedy?: string | undefined;
  /** the input ends too early; all that stands before its end was delivered */
  readonly isCut?: boolean | undefined;
}

function describe(problem: InputProblem): string {
  const line = problem.line === undefined ? '' : `:${problem.line}`;
  const column = problem.line === undefined || problem.column === undefined ? '' : `:${problem.column}`;
  const where = `${sanitize(problem.file)}${line}${column}`;
  const field = problem.field === undefined ? '' : `${sanitize(problem.field, VALUE_CHARACTERS)} `;
  const value = problem.value === undefined ? '' : `"${sanitize(problem.value, VALUE_CHARACTERS)}" `;
  const remedy = problem.remedy === undefined ? '' : `; ${sanitize(problem.remedy)}`;
  return `${where}  ${field}${value}${sanitize(problem.expectation)}${remedy}`;
}

/** One known mistake in an input. `message` is one line, safe to print; the parts are kept for tools. */
export class InputError extends Error {
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly field: string | undefined;
  readonly value: string | undefined;
  readonly expectation: string;
  readonly remedy: string | undefined;
  readonly isCut: boolean;

  constructor(problem: InputProblem) {
    super(describe(problem));
    this.name = 'InputError';
    this.file = problem.file;
    this.line = problem.line;
    this.column = problem.column;
    this.field = problem.field;
    this.value = problem.value;
    this.expectation = problem.expectation;
    this.remedy = problem.remedy;
    this.isCut = problem.isCut ?? false;
  }
}

/** Several mistakes of one input, in the order in which they stand there. `message` has one line for each. */
export class InputErrors extends Error {
  constructor(
    readonly errors: readonly InputError[],
    /** false: reading stopped because there were as many errors as allowed */
    readonly complete: boolean,
  ) {
    super(errors.map((error) => error.message).join('\n'));
    this.name = 'InputErrors';
  }
}

/**
 * What a failed system call says, as an InputError; anything else is a bug and comes back as it is.
 *
 * @param action  what could not be done with the file
 */
export function fromSystemError(error: unknown, file: string, action: 'read' | 'written' = 'read'): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  const reasons: ReadonlyMap<string, readonly [string, string]> = new Map([
    [
      'ENOENT',
      action === 'read'
        ? ['does not exist', 'check the path']
        : ['is in no directory that exists', 'create it'],
    ],
    ['EACCES', [`may not be ${action}`, 'check its permissions']],
    ['EPERM', [`may not be ${action}`, 'check its permissions']],
    ['EISDIR', ['is a directory', 'give a file']],
    ['ENOTDIR', ['is below something that is no directory', 'check the path']],
    ['ENOSPC', ['has no room left on its disk', 'make room']],
  ]);
  const reason = reasons.get(error.code);
  if (reason !== undefined) return new InputError({ file, expectation: reason[0], remedy: reason[1] });
  if (!error.code.startsWith('E') || !('syscall' in error)) return error;
  return new InputError({ file, expectation: `cannot be ${action} (${error.code})` });
}
