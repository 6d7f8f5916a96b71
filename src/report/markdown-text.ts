/**
 * Text from outside in Markdown: in a code span, where Markdown knows no HTML, link, image, mention or entity. What could
 * end the span or the cell of a table is dealt with here and nowhere else.
 */

/** A code span that holds just this text, which must be one line. */
export function codeSpan(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  // One space on each side is taken off again; without it a backtick at the edge would join the fence.
  const pad = /^`|`$|^ .* $/.test(text) ? ' ' : '';
  return fence + pad + text + pad + fence;
}

/** The same in a table: cells are cut at bars before spans are looked for, except at `\|`. */
export function cellCodeSpan(text: string): string {
  // Parsers disagree on whether `\\|` ends the cell, so a backslash never stands before a bar of the text's own.
  return codeSpan(text.replace(/\\(?=\|)/g, '\\ ')).replaceAll('|', '\\|');
}
