import { expect } from 'vitest';
import { sanitize } from '../../src/trace/sanitize.js';
import { fc, test } from './properties.js';

test('plain text stays as it is', () => {
  expect(sanitize('kworker/0:1-mm_percpu — ünïcode 🙂')).toBe('kworker/0:1-mm_percpu — ünïcode 🙂');
});

test('escape sequences, line ends and direction marks become visible', () => {
  expect(sanitize('\u001b[31mred\n\r\t\u009b2J\u202eevil\u2028')).toBe(
    '\\x1b[31mred\\n\\r\\t\\x9b2J\\u202eevil\\u2028',
  );
  expect(sanitize('\ud800')).toBe('\\ud800');
});

test('a long text is cut, its escapes counted', () => {
  expect(sanitize('x'.repeat(100), 10)).toBe('xxxxxxxxx…');
  expect(sanitize('\u0007'.repeat(1_000_000), 10)).toBe('\\x07\\x07\\…');
});

test('no text gets a control character through', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what is tested
      expect(sanitize(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
    }),
  );
});
