/**
 * The 1 GiB ranges of two machines side by side, one glyph for 16 pageblocks; ranges alike on both sides are folded.
 *
 *     node 0 Normal    mainline-6.18                                spb-v2
 *       0x00100000     tainted  MMMMM#UURRmm....................    clean    MMMMMMMMmm......................
 */
import type { DiffMapRow, DiffResult } from '../diff-result.js';
import { plural, thousands } from '../quantities.js';
import { BLOCKS_PER_GLYPH } from '../spb-map.js';
import type { TextStyle } from '../text-style.js';
import { shortName } from './diff-format.js';

const STATE_WIDTH = 7;
const PICTURE_WIDTH = 32;
const HALF_WIDTH = STATE_WIDTH + 2 + PICTURE_WIDTH;
/** Ranges that the first look takes in. */
const MOST_ROWS = 12;

type Half = DiffMapRow['a'];

function halfText(half: Half): string {
  if (half === null) return ''.padEnd(HALF_WIDTH);
  return `${shortName(half.state, STATE_WIDTH).padEnd(STATE_WIDTH)}  ${shortName(half.picture, PICTURE_WIDTH).padEnd(PICTURE_WIDTH)}`;
}

function isEqual({ a, b }: DiffMapRow): boolean {
  return a !== null && b !== null && a.state === b.state && a.picture === b.picture;
}

function rowLine(row: DiffMapRow, style: TextStyle): string {
  const address = `0x${row.start_pfn.toString(16).padStart(8, '0')}`;
  const line = `  ${address}  ${halfText(row.a)}  ${halfText(row.b)}`.trimEnd();
  return isEqual(row) ? style.dim(line) : line;
}

/** @param whole  all ranges, however many */
export function diffMapLines(
  { a, b }: DiffResult,
  rows: readonly DiffMapRow[],
  whole: boolean,
  style: TextStyle,
): string[] {
  const differing = rows.filter((row) => !isEqual(row));
  const candidates = whole ? rows : differing;
  if (candidates.length === 0) return [];
  const shown = whole ? candidates : candidates.slice(0, MOST_ROWS);
  const [labelA, labelB] = [a, b].map(({ label }) => shortName(label, HALF_WIDTH).padEnd(HALF_WIDTH));
  const lines = [
    style.heading(`1 GiB ranges, one glyph for ${BLOCKS_PER_GLYPH} pageblocks`),
    style.dim(`  ${'start'.padEnd(10)}  ${labelA}  ${labelB}`.trimEnd()),
  ];
  let zone = '';
  for (const row of shown) {
    const name = `node ${row.node} ${shortName(row.zone)}`;
    if (name !== zone) lines.push(style.heading(`  ${name}`));
    zone = name;
    lines.push(rowLine(row, style));
  }
  const hidden = candidates.length - shown.length;
  const alike = rows.length - differing.length;
  const folded = [
    ...(hidden > 0 ? [`${thousands(hidden)} more differ`] : []),
    ...(!whole && alike > 0 ? [`${plural(alike, 'range')} alike`] : []),
  ];
  if (folded.length > 0) lines.push(style.dim(`  ${folded.join(', ')} (--map; glyphs: spbsim run --map)`));
  return lines;
}
