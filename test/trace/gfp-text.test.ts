import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { GfpDialect, gfpDialect } from '../../src/trace/gfp-text.js';
import { KERNEL_GENERATIONS, type KernelGeneration } from '../../src/trace/kernel-generation.js';
import { dataPath } from './helpers.js';
import { fc, test } from './properties.js';

describe('texts that real kernels printed come out as they went in', () => {
  test.each(KERNEL_GENERATIONS)('%s', (generation) => {
    const dialect = gfpDialect(generation);
    const texts = readFileSync(dataPath(`gfp-${generation}.txt`), 'utf8')
      .trim()
      .split('\n');
    expect(texts.length).toBeGreaterThan(50);
    for (const text of texts) {
      const { bits, unknown } = dialect.parse(text);
      expect(unknown).toEqual([]);
      expect(dialect.format(bits)).toBe(text);
    }
  });
});

test.each<[KernelGeneration, string, number]>([
  ['6.1', 'GFP_ATOMIC', 0xa20],
  ['6.18', 'GFP_ATOMIC', 0x820],
  ['7.2', 'GFP_ATOMIC', 0x820],
  ['6.1', 'GFP_NOWAIT', 0x800],
  ['6.18', 'GFP_NOWAIT', 0x2800],
  ['6.1', 'GFP_TRANSHUGE', 0x1c24ca],
  ['6.18', 'GFP_TRANSHUGE_LIGHT', 0x1c20ca],
  ['6.18', 'GFP_HIGHUSER_MOVABLE', 0x100cca],
  ['6.18', 'GFP_KERNEL_ACCOUNT', 0x400cc0],
])('%s: %s is 0x%x', (generation, text, bits) => {
  expect(gfpDialect(generation).parse(text).bits).toBe(bits);
  expect(gfpDialect(generation).format(bits)).toBe(text);
});

test.each([
  [0xcc0, 'GFP_KERNEL'],
  [0x40dc0, 'GFP_KERNEL|__GFP_ZERO|__GFP_COMP'],
  [0x140dca, 'GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP'],
  [0x2cc0, 'GFP_KERNEL|__GFP_NOWARN'],
  [0x2820, 'GFP_ATOMIC|__GFP_NOWARN'],
  [0xc20, 'GFP_ATOMIC|__GFP_DIRECT_RECLAIM'],
  [0x20, '__GFP_HIGH'],
  [0x2000, '__GFP_NOWARN'],
  [0x800, '__GFP_KSWAPD_RECLAIM'],
  [0xc00, 'GFP_NOIO'],
  [0, 'none'],
  [0x8000_0000, '0x80000000'],
])('the worked outputs of the specification: 0x%x is %s', (bits, text) => {
  expect(gfpDialect('6.18').format(bits)).toBe(text);
  expect(gfpDialect('6.18').parse(text).bits).toBe(bits);
});

test('order, repetition, hex and old spellings do not matter', () => {
  const dialect = gfpDialect('6.18');
  const bits = (text: string) => dialect.parse(text).bits;
  expect(bits('GFP_KERNEL|__GFP_COMP|__GFP_ZERO')).toBe(0x40dc0);
  expect(bits('__GFP_ZERO|__GFP_ZERO|GFP_KERNEL|0x40000')).toBe(0x40dc0);
  expect(bits('0xCC0')).toBe(0xcc0);
  expect(bits('GFP_WAIT|GFP_IO|GFP_FS')).toBe(0xcc0);
  expect(bits('__GFP_WAIT')).toBe(0xc00);
  expect(bits('__GFP_REPEAT')).toBe(0x4000);
  expect(bits('GFP_KERNEL|__GFP_COLD|__GFP_NOTRACK|__GFP_ATOMIC')).toBe(0xcc0);
  expect(bits('')).toBe(0);
});

test('unknown pieces are named and the rest is kept', () => {
  const parsed = new GfpDialect('6.18').parse('GFP_KERNEL|__GFP_NEW|__proto__|0x1ffffffff|');
  expect(parsed).toEqual({ bits: 0xcc0, unknown: ['__GFP_NEW', '__proto__', '0x1ffffffff', ''] });
});

test('every mask of every generation survives being printed and read', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...KERNEL_GENERATIONS),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (generation, bits) => {
        const dialect = gfpDialect(generation);
        const text = dialect.format(bits);
        expect(dialect.parse(text)).toEqual({ bits, unknown: [] });
        expect(dialect.format(dialect.parse(text).bits)).toBe(text);
      },
    ),
  );
});
