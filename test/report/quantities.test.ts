import { describe, expect, test } from 'vitest';
import { bytes, duration, indexText, percent, plural, rate, thousands } from '../../src/report/quantities.js';

describe('numbers for people', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1234567, '1,234,567'],
    [-1234, '-1,234'],
  ])('%i', (value, text) => expect(thousands(value)).toBe(text));

  test.each([
    [0, '0 B'],
    [4096, '4 KiB'],
    [1536, '1.50 KiB'],
    [8_480_563_200, '7.90 GiB'],
    [120_000_000, '114 MiB'],
    [2 ** 50, '1,024 TiB'],
  ])('%i bytes', (value, text) => expect(bytes(value)).toBe(text));

  test.each([
    [417, '417 ns'],
    [31_200, '31.2 us'],
    [2_560_000_000, '2.56 s'],
    [86_400_000_000_000, '86,400 s'],
  ])('%i ns', (value, text) => expect(duration(value)).toBe(text));

  test.each([
    [5_406_414, '5.4 M/s'],
    [312_000, '312 k/s'],
    [12, '12 /s'],
  ])('%i per second', (value, text) => expect(rate(value)).toBe(text));

  test('100 % is all and 0 % is none, however near', () => {
    expect(percent(63_329, 63_329)).toBe('100 %');
    expect(percent(999_999, 1_000_000)).toBe('99.999 %');
    expect(percent(9_999_999, 10_000_000)).toBe('99.999 %');
    expect(percent(1, 10_000_000)).toBe('0.1 %');
    expect(percent(0, 7)).toBe('0 %');
    expect(percent(1, 3)).toBe('33.3 %');
    expect(percent(0, 0)).toBe('');
  });

  test('an index that does not apply is blank', () => {
    expect(indexText(-1000)).toBe('');
    expect(indexText(357)).toBe('0.36');
  });

  test('plural', () => {
    expect([plural(1, 'CPU'), plural(0, 'CPU'), plural(1000, 'event')]).toEqual([
      '1 CPU',
      '0 CPUs',
      '1,000 events',
    ]);
  });
});
