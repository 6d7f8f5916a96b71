/** /proc/slabinfo: real ones, and rows as no kernel prints them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseSlabinfo } from '../../../../src/trace/recording/snapshot/slabinfo.js';
import { FS_CHURN } from '../../../oracle/material.js';

const HEAD = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
`;
const ROW =
  'filp                1304   1596    192   21    1 : tunables    0    0    0 : slabdata     76     76      0';

test('a row', () => {
  expect(parseSlabinfo(`${HEAD}${ROW}\n`, 'slabinfo')).toEqual([
    {
      name: 'filp',
      active_objects: 1304,
      objects: 1596,
      size_bytes: 192,
      objects_per_slab: 21,
      order: 0,
      slabs: 76,
    },
  ]);
});

test('a name may have blanks, and name a property of objects', () => {
  const named = (name: string) => parseSlabinfo(`${HEAD}${ROW.replace('filp', name)}`, 's')[0]!.name;
  expect(named('my cache 7')).toBe('my cache 7');
  expect(named('__proto__')).toBe('__proto__');
});

test('all of a real one, whose slabs hold what they can', () => {
  const caches = parseSlabinfo(readFileSync(join(FS_CHURN, 'before/slabinfo'), 'utf8'), 'slabinfo');
  expect(caches.length).toBeGreaterThan(200);
  for (const cache of caches)
    expect([cache.name, cache.objects]).toEqual([cache.name, cache.slabs * cache.objects_per_slab]);
});

describe('refused with its line', () => {
  test.each([
    ['a row that is none', 'nonsense', 'is not a line of slabinfo'],
    ['a row that ends early', ROW.slice(0, 60), 'is not a line of slabinfo'],
    ['a very long row', `${'x '.repeat(5000)}${ROW}`, 'is not a line of slabinfo'],
    [
      'slots that do not fit',
      ROW.replace('   21 ', '   22 '),
      'is not how many slots of 192 bytes 1 pages hold',
    ],
    ['slots of no size', ROW.replace(' 192 ', '   0 '), 'is not how many slots'],
    [
      'pages that are no power of two',
      ROW.replace('   21    1 ', '   63    3 '),
      "is not a slab's number of pages",
    ],
    ['no pages', ROW.replace('   21    1 ', '   21    0 '), "is not a slab's number of pages"],
    ['more active objects than there are', ROW.replace('1304', '1597'), 'is more than all 1596 objects'],
    [
      'numbers that nobody counts',
      ROW.replace('1596', '99999999999999999'),
      'is more than any kernel counts',
    ],
    ['a cache twice', `${ROW}\n${ROW}`, 'is a cache that stands above'],
  ])('%s', (_, text, message) => {
    expect(() => parseSlabinfo(HEAD + text, 'before/slabinfo')).toThrow(message);
    expect(() => parseSlabinfo(HEAD + text, 'before/slabinfo')).toThrow(/^before\/slabinfo:[34] {2}/);
  });
});
