/** Memory cgroups for people. */
import { expect, test } from 'vitest';
import { memcgLines } from '../../../src/report/slab/memcg-text.js';
import { plainStyle } from '../../../src/report/text-style.js';
import { SAMPLE_MEMCGS } from './sample-slab.js';

test('the largest, how many are left, and what stayed uncharged', () => {
  expect(memcgLines(SAMPLE_MEMCGS, plainStyle)).toEqual([
    'Memory cgroups                              charged    max      peak  objects    pages  refused',
    '  /pods/a                                     2 MiB  2 MiB     2 MiB    1 MiB  256 KiB        7',
    '  …xxxxxxxxxxxxxxxxxxxxxxxxx/web (offline)    1 MiB      -  1.17 MiB   64 KiB      0 B        0',
    '  21 cgroups more with 928 KiB',
    'Not charged  2 objects of hardirq with nobody to pay   40 objects of nmi with nobody to pay',
    '             3 objects without memory for a vector',
  ]);
});

test('nothing where no event named a cgroup', () => {
  expect(memcgLines(null, plainStyle)).toEqual([]);
});

test('a hostile path cannot leave its line, nor push the columns away', () => {
  const [row] = SAMPLE_MEMCGS.rows;
  const rows = [{ ...row!, path: `/\u001b[31m\n::error::${'y'.repeat(5000)}\u202e` }];
  const text = memcgLines({ ...SAMPLE_MEMCGS, rows }, plainStyle);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
  for (const line of text) expect(line).not.toMatch(/[\u0000-\u001f\u202e]|::error/);
  expect(Math.max(...text.map((line) => line.length))).toBeLessThan(130);
});
