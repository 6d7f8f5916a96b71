import { describe, expect, test } from 'vitest';
import { MAP_LEGEND, pageblockGlyph, renderPageblockMap } from '../../src/report/pageblock-map.js';
import { sampleResult, sampleZone } from './sample-result.js';

describe('glyphs', () => {
  test.each([
    [0, 512, 0, 'U'],
    [1, 512, 255, 'M'],
    [1, 512, 256, 'm'],
    [2, 512, 511, 'r'],
    [3, 512, 512, '.'],
    [4, 512, 1, 'C'],
    [5, 512, 1, 'I'],
    [1, 0, 0, '_'],
    [0, 415, 415, '.'],
    [9, 512, 0, '?'],
  ])('type %i, %i pages, %i of them free: %s', (type, present, free, glyph) => {
    expect(pageblockGlyph(type, present, free)).toBe(glyph);
  });

  test('the legend has them all', () => {
    for (const glyph of ['U', 'M', 'R', 'H', 'C', 'I', '.', '_']) expect(MAP_LEGEND).toContain(`${glyph} `);
  });
});

describe('the map', () => {
  function mapLines(map: string, first = 0x100000): string[] {
    const zones = [sampleZone({ map, map_first_pfn: first })];
    return renderPageblockMap(sampleResult({ zones })).split('\n').slice(3, -1);
  }

  test('a line has the PFN of its first block and 64 blocks', () => {
    expect(mapLines(`${'U'.repeat(64)}Mm.`)).toEqual([
      'node 0 Normal, 67 blocks of 2 MiB',
      `  0x00100000  ${'U'.repeat(64)}`,
      '  0x00108000  Mm.',
    ]);
  });

  test('lines like the one above are counted; the last one is always shown', () => {
    expect(mapLines(`U${'.'.repeat(63 + 64 * 1000)}`)).toEqual([
      'node 0 Normal, 64,064 blocks of 2 MiB',
      `  0x00100000  U${'.'.repeat(63)}`,
      `  0x00108000  ${'.'.repeat(64)}`,
      '  *           like the line above, 998 lines',
      `  0x02040000  ${'.'.repeat(64)}`,
    ]);
  });

  test('no line is longer than 100 columns', () => {
    const text = renderPageblockMap(sampleResult({ zones: [sampleZone({ map: 'M'.repeat(500) })] }));
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});
