import { expect, test } from 'vitest';
import { printable } from '../../src/report/sanitize.js';

test.each([
  ['plain.csv', 'plain.csv'],
  ['\u001b[31mred\u001b[0m', 'red'],
  ['\u001b]0;title\u0007x', 'x'],
  ['a\nb\tc\rd', 'a b c d'],
  ['\u009b31mx', 'x'],
  ['bell\u0007', 'bell '],
  ['\u202egnp.exe', 'gnp.exe'],
  ['ünïcödé 日本', 'ünïcödé 日本'],
])('%j is printed as %j', (text, clean) => expect(printable(text)).toBe(clean));
