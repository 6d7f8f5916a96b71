/**
 * The pageblock map: memory as a picture, one glyph per block of 512 pages.
 *
 *   node 0 Normal, 2,560 blocks of 2 MiB
 *   0x00100000  UUUUmRRMMMMMMMMM..MMMMMM…
 *   0x00108000  ................................
 *   *           like the line above, 38 lines
 */
import { PAGEBLOCK_PAGES } from '../mm/types.js';
import { plural } from './quantities.js';
import type { ResultZone, RunResult } from './run-result.js';
import { plainStyle, type TextStyle } from './text-style.js';

/** A block with nothing in it, whatever its type: memory of any type can have it whole. */
export const FREE_BLOCK_GLYPH = '.';
/** No memory of the zone at these addresses. */
export const HOLE_GLYPH = '_';

/** Glyphs by migratetype number; a lower-case glyph is a block of which at least half is free. */
export const BLOCK_GLYPHS: readonly string[] = ['U', 'M', 'R', 'H', 'C', 'I'];

export const MAP_LEGEND = `U unmovable  M movable  R reclaimable  H highatomic  C cma  I isolated
. wholly free  _ no memory; in lower case: half of the block or more is free`;

/**
 * The glyph of one pageblock.
 *
 * @param migratetype   of the block, by the model's numbers
 * @param presentPages  pages of the zone in it; 0 for a hole
 * @param freePages     of these, free in the buddy lists
 */
export function pageblockGlyph(migratetype: number, presentPages: number, freePages: number): string {
  if (presentPages === 0) return HOLE_GLYPH;
  if (freePages >= presentPages) return FREE_BLOCK_GLYPH;
  const glyph = BLOCK_GLYPHS[migratetype] ?? '?';
  return freePages * 2 >= presentPages ? glyph.toLowerCase() : glyph;
}

/** Glyphs on a line: 128 MiB, a memory section. */
const BLOCKS_PER_LINE = 64;

function zoneMap(zone: ResultZone, style: TextStyle): string {
  const blocks = plural(zone.map.length, 'block');
  const lines = [style.heading(`node ${zone.node} ${zone.name}, ${blocks} of 2 MiB`)];
  let previous = '';
  let repeats = 0;
  const flushRepeats = () => {
    if (repeats > 0) lines.push(style.dim(`  *           like the line above, ${plural(repeats, 'line')}`));
    repeats = 0;
  };
  for (let start = 0; start < zone.map.length; start += BLOCKS_PER_LINE) {
    const glyphs = zone.map.slice(start, start + BLOCKS_PER_LINE);
    // The last line is always shown: where the zone ends is of interest, also if it looks like the one above.
    const last = start + BLOCKS_PER_LINE >= zone.map.length;
    if (glyphs === previous && !last) {
      repeats++;
      continue;
    }
    flushRepeats();
    const pfn = zone.map_first_pfn + start * PAGEBLOCK_PAGES;
    lines.push(`  0x${pfn.toString(16).padStart(8, '0')}  ${glyphs}`);
    previous = glyphs;
  }
  flushRepeats();
  return lines.join('\n');
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}

/** The maps of all zones with their legend. */
export function renderPageblockMap(result: RunResult, style: TextStyle = plainStyle): string {
  const maps = result.zones.map((zone) => `${zoneMap(zone, style)}\n`).join('');
  return `${style.heading('Pageblocks')}\n${indented(MAP_LEGEND)}\n${maps}`;
}
