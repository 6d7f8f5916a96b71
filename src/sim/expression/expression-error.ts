/** What is wrong with an expression, and where: the message, and under it the place with a caret. */
import { UsageError } from '../../config/usage-error.js';

/** Characters of a long expression that are shown to either side of the place. */
const AROUND = 40;
const INDENT = '  ';

/** One column for each character, whatever it is, so that the caret stands below its own. */
function plainColumns(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

/**
 * @param at    place of the first wrong character, from 0
 * @param option  where the expression was given, such as `--until`
 */
export function expressionError(source: string, at: number, problem: string, option: string): UsageError {
  const from = Math.max(0, at - AROUND);
  const to = Math.min(source.length, at + AROUND);
  const [before, after] = [from > 0 ? '...' : '', to < source.length ? '...' : ''];
  const shown = `${INDENT}${before}${plainColumns(source.slice(from, to))}${after}`;
  const caret = `${' '.repeat(INDENT.length + before.length + at - from)}^`;
  return new UsageError(`${option}, character ${at + 1}: ${problem}\n${shown}\n${caret}`);
}
