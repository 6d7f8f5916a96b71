import { expect } from 'vitest';
import { areDistinct } from '../../../src/trace/arrow/distinct-texts.js';
import { fc, test } from '../properties.js';

function ask(texts: readonly string[], longest = 100): boolean {
  const bytes = Buffer.from(texts.join(''), 'latin1');
  const offsets = new Int32Array(texts.length + 1);
  texts.forEach((text, i) => {
    offsets[i + 1] = offsets[i]! + text.length;
  });
  return areDistinct(bytes, offsets, texts.length, longest);
}

test('is what a set says, for texts that are plain', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '0', '\t', '~'), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 60 }), (texts) => {
      expect(ask(texts)).toBe(new Set(texts).size === texts.length);
    }),
    { numRuns: 2000 },
  );
});

test('finds the one pair among many texts, wherever it stands', () => {
  const counting = Array.from({ length: 5000 }, (_, i) => `a${i}`);
  const pointers = counting.map((_, i) => `0xffff${(Math.imul(i + 1, 0x9e3779b1) >>> 0).toString(16)}`);
  for (const texts of [counting, pointers, [...counting].reverse()]) {
    expect(ask(texts)).toBe(true);
    for (const [one, other] of [
      [0, 1],
      [0, 4999],
      [2500, 2501],
      [17, 4321],
    ] as const) {
      const twin = [...texts];
      twin[one] = twin[other]!;
      expect(ask(twin)).toBe(false);
    }
  }
});

test('refuses texts that are empty, long or not plain', () => {
  expect(ask(['a', 'b'])).toBe(true);
  expect(ask(['', 'a'])).toBe(false);
  expect(ask(['a', 'bbb'], 2)).toBe(false);
  for (const character of ['\n', '\0', '\u007f', '\u00e9', '\u00ff'])
    expect(ask(['a', character])).toBe(false);
});
