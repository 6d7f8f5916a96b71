import { describe, expect, test } from 'vitest';
import { foldGlyphs, renderSpbMap } from '../../src/report/spb-map.js';
import { sampleRange, sampleResult, sampleZone, sampleZoneSpb } from './sample-result.js';

const BLOCKS = 512;
const GIB_PAGES = 0x40000;

describe('one glyph for several pageblocks', () => {
  test.each([
    ['MMMM', 'M'],
    ['MMm.', 'm'],
    ['MMM.', 'M'],
    ['....', '.'],
    ['____', '_'],
    ['', '_'],
    ['__..', '.'],
    ['__MM', 'M'],
    ['MMMU', '#'],
    ['m..u', '#'],
    ['uU..', 'u'],
    ['RRRR', 'R'],
    ['I', 'I'],
  ])('%j is %s', (glyphs, folded) => {
    expect(foldGlyphs(glyphs)).toBe(folded);
  });
});

describe('the map of superpageblocks', () => {
  function mapLines(map: string, ranges = [sampleRange()], first = ranges[0]!.start_pfn): string[] {
    const superpageblocks = sampleZoneSpb({ ranges });
    const zones = [sampleZone({ map, map_first_pfn: first, superpageblocks })];
    return renderSpbMap(sampleResult({ zones })).split('\n').slice(3, -1);
  }

  test('a line has address, state, picture and counts of pageblocks', () => {
    const map = `${'M'.repeat(256)}${'MU'.repeat(8)}${'.'.repeat(240)}`;
    expect(mapLines(map, [sampleRange({ state: 'tainted', nonmovable_blocks: 8 })])).toEqual([
      'node 0 Normal, 1 superpageblock',
      '  start       content  16 blocks a glyph                 free   mov  non-m',
      `  0x00040000  tainted  ${'M'.repeat(16)}#${'.'.repeat(15)}   384   128     8`,
    ]);
  });

  test('with the list where the policy has lists', () => {
    const ranges = [
      sampleRange({ list: 'clean/almost_empty' }),
      sampleRange({ start_pfn: 0x80000, list: null }),
    ];
    expect(mapLines('M'.repeat(2 * BLOCKS), ranges)).toEqual([
      'node 0 Normal, 2 superpageblocks',
      '  start       content  list                16 blocks a glyph                 free   mov  non-m',
      `  0x00040000  clean    clean/almost_empty  ${'M'.repeat(32)}   384   128     0`,
      `  0x00080000  clean                        ${'M'.repeat(32)}   384   128     0`,
    ]);
  });

  test('a zone that begins and ends inside a superpageblock has holes there', () => {
    const ranges = [sampleRange({ start_pfn: 0 }), sampleRange()];
    expect(mapLines('M'.repeat(128), ranges, 0x40000 - 64 * BLOCKS).slice(2)).toEqual([
      `  0x00000000  clean    ${'_'.repeat(28)}MMMM   384   128     0`,
      `  0x00040000  clean    MMMM${'_'.repeat(28)}   384   128     0`,
    ]);
  });

  test('256 GiB that look alike are a few lines', () => {
    const ranges = Array.from({ length: 256 }, (_, i) => sampleRange({ start_pfn: (i + 4) * GIB_PAGES }));
    ranges[1] = sampleRange({ start_pfn: 5 * GIB_PAGES, state: 'tainted', nonmovable_blocks: 1 });
    const lines = mapLines('M'.repeat(256 * BLOCKS), ranges);
    expect(lines).toHaveLength(7);
    expect(lines[5]).toBe('  *           like the line above, 252 superpageblocks');
    expect(lines[6]).toContain('0x040c0000');
  });

  test('lines stay within 100 columns, zones without ranges are left out', () => {
    const ranges = [sampleRange({ start_pfn: 0x1000_0000, list: 'tainted/almost_empty', state: 'tainted' })];
    const zones = [
      sampleZone({}),
      sampleZone({ name: 'Movable', superpageblocks: sampleZoneSpb({ ranges }) }),
    ];
    const text = renderSpbMap(sampleResult({ zones }));
    expect(text).not.toContain('Normal');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});
