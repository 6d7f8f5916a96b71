import { describe, expect, test } from 'vitest';
import { parseDuration, parseDurationOption } from '../../src/config/duration.js';
import { parseSize, parseSizePages } from '../../src/config/size.js';

describe('sizes', () => {
  test.each([
    ['512MiB', 512 * 2 ** 20],
    ['4GiB', 4 * 2 ** 30],
    ['1TiB', 2 ** 40],
    ['4G', 4 * 2 ** 30],
    ['4g', 4 * 2 ** 30],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['64 KiB', 65_536],
  ])('%s is %i bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each(['', '4', '4GB', 'GiB', '-4GiB', '4e3M', '0GiB', '4GiB x', '99999999999TiB'])(
    '%j is none',
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );

  test('whole pages only', () => {
    expect(parseSizePages('8KiB', '--memory')).toBe(2);
    expect(() => parseSizePages('6KiB', '--memory')).toThrow(
      '--memory 6KiB: not a whole number of 4 KiB pages',
    );
  });
});

describe('times', () => {
  test.each([
    ['1.5s', 1_500_000_000],
    ['200ms', 200_000_000],
    ['250us', 250_000],
    ['7ns', 7],
    ['0s', 0],
    ['2min', 120_000_000_000],
    ['1h', 3_600_000_000_000],
  ])('%s is %i ns', (text, ns) => expect(parseDuration(text)).toBe(ns));

  test.each(['', '5', 's', '-1s', '1 day', '1.s'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('the message names the option', () => {
    expect(() => parseDurationOption('5', '--series')).toThrow('--series 5: expected a time with its unit');
  });
});
