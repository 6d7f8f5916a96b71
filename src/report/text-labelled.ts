import type { TextStyle } from './text-style.js';
import { wrapItems } from './text-table.js';

/** Width of the labels, with the space behind them. */
export const LABEL_WIDTH = 13;
export const PAGE_WIDTH = 100;

/** A named line whose items wrap under the first one. */
export function labelled(label: string, items: readonly string[], style: TextStyle, gap?: string): string[] {
  const [first = '', ...rest] = wrapItems(items, LABEL_WIDTH, PAGE_WIDTH, gap);
  return [style.heading(label.padEnd(LABEL_WIDTH)) + first.trimStart(), ...rest];
}
