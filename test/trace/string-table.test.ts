import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StringTable } from '../../src/trace/string-table.js';

test('numbers strings in the order of their first appearance, the empty one is 0', () => {
  const table = new StringTable();
  expect([table.intern('b'), table.intern(''), table.intern('a'), table.intern('b')]).toEqual([1, 0, 2, 1]);
  expect([table.get(0), table.get(1), table.get(2), table.get(3)]).toEqual(['', 'b', 'a', '']);
  expect([table.find(''), table.find('a'), table.find('c')]).toEqual([0, 2, undefined]);
});

/** Texts of every kind that has a key of its own, and their neighbours. */
const texts = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('\0', 'a', '0'), maxLength: 10 }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => `0x${value.toString(16)}`),
  fc.nat(0xffff).map((value) => `0xffff8880${value.toString(16).padStart(8, '0')}`),
  fc.nat(0xff).map((value) => `0x0${value.toString(16).padStart(8, '0')}`),
  fc.nat(0xff).map((value) => `0xFFFF888${value.toString(16)}`),
  fc.nat(0xffff).map((value) => `0xffff8880${value.toString(16).padStart(8, '0')}1`),
);

test('holds what a Map from string to number holds', () => {
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 3000 }), (texts) => {
      const table = new StringTable();
      const model = new Map<string, number>([['', 0]]);
      for (const text of texts) {
        if (!model.has(text)) model.set(text, model.size);
        expect(table.intern(text)).toBe(model.get(text));
      }
      for (const [text, number] of model) expect(table.get(number)).toBe(text);
      expect(table.size).toBe(model.size);
    }),
    { numRuns: 50 },
  );
});

test('grows past its first sizes', () => {
  const table = new StringTable();
  for (let i = 0; i < 20_000; i++) expect(table.intern(`id${i}`)).toBe(i + 1);
  expect(table.get(12_345)).toBe('id12344');
  expect(table.find('id19999')).toBe(20_000);
});

test('strings with names of object properties are strings like any other', () => {
  const table = new StringTable();
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  expect(names.map((name) => table.find(name))).toEqual([undefined, undefined, undefined, undefined]);
  expect(names.map((name) => table.intern(name))).toEqual([1, 2, 3, 4]);
});

test('a second table follows the first by what was added', () => {
  const one = new StringTable();
  const two = new StringTable();
  let sent = 1;
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < round * 10; i++) one.intern(`${round}/${i}`);
    const delta = one.added(sent);
    if (delta !== undefined) two.append(delta);
    sent = one.size;
  }
  expect(two.size).toBe(one.size);
  for (let n = 0; n < one.size; n++) expect(two.get(n)).toBe(one.get(n));
  expect(two.find('19/5')).toBe(one.find('19/5'));
  expect(two.intern('new')).toBe(one.intern('new'));
});

test('too many strings, or too long ones, are refused with the flag that allows more', () => {
  const few = new StringTable('ids', { strings: 2, string_bytes: 100 }, 'a.csv');
  few.intern('a');
  few.intern('b');
  few.intern('a');
  expect(() => few.intern('c')).toThrow(
    'a.csv  has more than 2 different ids; raise --max-strings if that is right',
  );
  const short = new StringTable('call sites', { strings: 10, string_bytes: 5 }, 'a.csv');
  short.intern('abc');
  expect(() => short.intern('def')).toThrow(
    'a.csv  has more than 5 bytes of different call sites; raise --max-string-bytes if that is right',
  );
});
