/**
 * Tables without lines: columns, aligned, two spaces apart.
 */
import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';

export interface TextTableOptions {
  /** headings; an empty text leaves the column unnamed */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** columns whose text starts at the left; all others are numbers and end at the right */
  readonly left?: readonly number[];
  readonly indent?: number;
}

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Lines of a table, without trailing spaces. */
export function textTable(options: TextTableOptions): string[] {
  const left = new Set(options.left ?? [0]);
  const table = new Table({
    chars: NO_LINES,
    // No colours and no padding of its own: a renderer's style is the only one.
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    colAligns: options.head.map((_, column) => (left.has(column) ? 'left' : 'right')),
  });
  table.push([...options.head], ...options.rows.map((row) => [...row]));
  const indent = ' '.repeat(options.indent ?? 0);
  return table
    .toString()
    .split('\n')
    .map((line) => (indent + line).trimEnd());
}

/**
 * Puts items on lines of at most `width` columns, continued under `indent` spaces. Items longer than a line stand alone.
 */
export function wrapItems(items: readonly string[], indent: number, width = 100, gap = '   '): string[] {
  const lines: string[] = [];
  // Colours take no room: with and without them lines end at the same item.
  const room = (text: string) => stripVTControlCharacters(text).length;
  let line = '';
  for (const item of items) {
    if (line === '') line = item;
    else if (indent + room(line) + gap.length + room(item) <= width) line += gap + item;
    else {
      lines.push(' '.repeat(indent) + line);
      line = item;
    }
  }
  if (line !== '') lines.push(' '.repeat(indent) + line);
  return lines;
}
