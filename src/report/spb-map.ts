/**
 * The map of superpageblocks: a line for each, with what it holds and a picture of it, one glyph for 16 pageblocks.
 *
 *   node 0 Normal, 5 superpageblocks
 *                start       by content  list                  32 x 32 MiB                       free   mov non-mov
 *                0x00100000  tainted     tainted/75            MMMMM#UURRmm....................   200   290      22
 *                *           like the line above, 3 superpageblocks
 *
 * The glyphs are those of the pageblock map, taken together.
 * model: spb 2.3, 5.4
 */
import { SUPERPAGEBLOCK_NR_BLOCKS } from '../mm/spb/spb-types.js';
import { PAGEBLOCK_ORDER } from '../mm/types.js';
import { FREE_BLOCK_GLYPH, HOLE_GLYPH } from './pageblock-map.js';
import { plural } from './quantities.js';
import type { ResultSpbRange, ResultZone, RunResult } from './run-result.js';
import { printable } from './sanitize.js';
import { plainStyle, type TextStyle } from './text-style.js';

export const BLOCKS_PER_GLYPH = 16;
/** Pageblocks of more than one type. */
export const MIXED_GLYPH = '#';

const LEGEND = `${MIXED_GLYPH} pageblocks of several types; other glyphs as below. Counts are of pageblocks: those with both
movable and non-movable pages stand in both columns`;

/** One glyph for some pageblocks, given by theirs. */
export function foldGlyphs(glyphs: string): string {
  const present = [...glyphs].filter((glyph) => glyph !== HOLE_GLYPH);
  if (present.length === 0) return HOLE_GLYPH;
  const types = new Set(present.filter((glyph) => glyph !== FREE_BLOCK_GLYPH).map((g) => g.toUpperCase()));
  if (types.size === 0) return FREE_BLOCK_GLYPH;
  if (types.size > 1) return MIXED_GLYPH;
  const [type] = types as unknown as readonly [string];
  const mostlyFree = present.filter((glyph) => glyph !== type).length;
  return mostlyFree * 2 >= present.length ? type.toLowerCase() : type;
}

/** The part of a zone's map that is in a superpageblock, folded. */
export function spbPicture(zone: ResultZone, { start_pfn }: ResultSpbRange): string {
  const first = (start_pfn - zone.map_first_pfn) / (1 << PAGEBLOCK_ORDER);
  const glyphs: string[] = [];
  for (let block = first; block < first + SUPERPAGEBLOCK_NR_BLOCKS; block += BLOCKS_PER_GLYPH)
    glyphs.push(foldGlyphs(zone.map.slice(Math.max(0, block), Math.max(0, block + BLOCKS_PER_GLYPH))));
  return glyphs.join('');
}

interface Row {
  readonly start_pfn: number;
  /** all of the line but its address */
  readonly text: string;
}

function count(value: number, width: number): string {
  return String(value).padStart(width);
}

function rowOf(zone: ResultZone, range: ResultSpbRange, listWidth: number): Row {
  const list = listWidth === 0 ? '' : `${printable(range.list ?? '').padEnd(listWidth)}  `;
  const counts = `${count(range.free_blocks, 4)}  ${count(range.movable_blocks, 4)}  ${count(range.nonmovable_blocks, 4)}`;
  return {
    start_pfn: range.start_pfn,
    text: `${range.state.padEnd(7)}  ${list}${spbPicture(zone, range)}  ${counts}`,
  };
}

function zoneMap(zone: ResultZone, style: TextStyle): string[] {
  const { ranges } = zone.superpageblocks;
  const lists = ranges.map(({ list }) => list?.length ?? 0);
  const listWidth = Math.max(0, ...lists);
  const glyphs = SUPERPAGEBLOCK_NR_BLOCKS / BLOCKS_PER_GLYPH;
  const list = listWidth === 0 ? '' : `${'list'.padEnd(listWidth)}  `;
  const head = `  ${'start'.padEnd(10)}  ${'content'.padEnd(7)}  ${list}${`${BLOCKS_PER_GLYPH} blocks a glyph`.padEnd(glyphs)}  free   mov  non-m`;
  const lines = [
    style.heading(`node ${zone.node} ${printable(zone.name)}, ${plural(ranges.length, 'superpageblock')}`),
    style.dim(head),
  ];
  const rows = ranges.map((range) => rowOf(zone, range, listWidth));
  let repeats = 0;
  const flushRepeats = () => {
    if (repeats > 0)
      lines.push(style.dim(`  *           like the line above, ${plural(repeats, 'superpageblock')}`));
    repeats = 0;
  };
  rows.forEach((row, at) => {
    // The last line is always shown, as in the pageblock map.
    if (row.text === rows[at - 1]?.text && at < rows.length - 1) {
      repeats++;
      return;
    }
    flushRepeats();
    lines.push(`  0x${row.start_pfn.toString(16).padStart(8, '0')}  ${row.text}`);
  });
  return lines;
}

/** The maps of all zones that have superpageblocks, or 1 GiB ranges. */
export function renderSpbMap(result: RunResult, style: TextStyle = plainStyle): string {
  const zones = result.zones.filter((zone) => zone.superpageblocks.ranges.length > 0);
  const legend = LEGEND.split('\n').map((line) => `  ${line}`);
  const lines = [
    style.heading('Superpageblocks'),
    ...legend,
    ...zones.flatMap((zone) => zoneMap(zone, style)),
  ];
  return `${lines.join('\n')}\n`;
}
