import { expect, test } from 'vitest';
import { fromSystemError, InputError, InputErrors } from '../../src/trace/input-error.js';

test('the message is one line: where, what, how to mend it', () => {
  const error = new InputError({
    file: 'trace.csv',
    line: 48,
    column: 17,
    field: 'gfp',
    value: 'GFP_KERNEl',
    expectation: 'is not a gfp flag',
    remedy: 'did you mean GFP_KERNEL?',
  });
  expect(error.message).toBe('trace.csv:48:17  gfp "GFP_KERNEl" is not a gfp flag; did you mean GFP_KERNEL?');
  expect(error).toMatchObject({ file: 'trace.csv', line: 48, column: 17, value: 'GFP_KERNEl' });
});

test('parts that are not known are left out', () => {
  expect(new InputError({ file: '-', expectation: 'is empty' }).message).toBe('-  is empty');
});

test('nothing of the input can write to the terminal', () => {
  const error = new InputError({
    file: 'a\u001b]0;x\u0007.csv',
    line: 1,
    value: `\n\u001b[2J${'A'.repeat(500)}`,
    expectation: 'is not an op',
  });
  expect(error.message).toBe(`a\\x1b]0;x\\x07.csv:1  "\\n\\x1b[2J${'A'.repeat(60 - 9 - 1)}…" is not an op`);
});

test('several errors are one line each', () => {
  const one = new InputError({ file: 'a', expectation: 'x' });
  const two = new InputError({ file: 'b', expectation: 'y' });
  expect(new InputErrors([one, two], true).message).toBe('a  x\nb  y');
});

test('errors of the system become errors of the input, bugs stay what they are', () => {
  const missing = Object.assign(new Error('no'), { code: 'ENOENT', syscall: 'open' });
  expect(fromSystemError(missing, 'x.csv')).toEqual(
    new InputError({ file: 'x.csv', expectation: 'does not exist', remedy: 'check the path' }),
  );
  const bug = new TypeError('x is undefined');
  expect(fromSystemError(bug, 'x.csv')).toBe(bug);
});
