import { describe, expect, test } from 'vitest';
import { ExitCode } from '../../src/cli/exit-codes.js';
import { reportError } from '../../src/cli/report-error.js';
import { UsageError } from '../../src/config/usage-error.js';
import { InvariantError } from '../../src/mm/invariant.js';
import { InputError, InputErrors } from '../../src/trace/input-error.js';

describe('known mistakes are one line without a stack', () => {
  const input = new InputError({ file: 'trace.csv', line: 48, column: 17, expectation: 'is wrong' });

  test.each([
    [new UsageError('--nodes 0: expected 1'), ExitCode.usage, '--nodes 0: expected 1\n'],
    [input, ExitCode.invalidInput, 'trace.csv:48:17  is wrong\n'],
    [new InputErrors([input, input], true), ExitCode.invalidInput, 'trace.csv:48:17  is wrong\n'.repeat(2)],
    [new DOMException('stopped', 'AbortError'), ExitCode.interrupted, 'interrupted\n'],
  ])('%s', (error, code, text) => expect(reportError(error)).toEqual({ code, text }));

  test('a message cannot colour the terminal', () => {
    expect(reportError(new UsageError('\u001b[31mred')).text).toBe('red\n');
  });
});

describe('bugs keep their stack', () => {
  test('a broken invariant names its reproducer', () => {
    const error = Object.assign(new InvariantError('page 7 is in two lists'), {
      reproducer: 'spbsim-reproducer-1.csv',
    });
    const { code, text } = reportError(error);
    expect(code).toBe(ExitCode.internal);
    expect(text).toContain('an invariant of the model does not hold');
    expect(text).toContain('InvariantError: page 7 is in two lists\n');
    expect(text).toContain('    at ');
    expect(text).toContain('reproducer: spbsim-reproducer-1.csv (attach');
  });

  test('anything else', () => {
    const { code, text } = reportError(new TypeError('x is undefined'));
    expect(code).toBe(ExitCode.internal);
    expect(text).toContain('this is a bug in spbsim\nTypeError: x is undefined\n');
    expect(reportError('a string').code).toBe(ExitCode.internal);
  });
});
