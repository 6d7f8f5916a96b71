/**
 * Makes untrusted text safe to show on one line of a terminal.
 *
 * Task names, call sites and whole lines of a trace are written by whoever ran on the traced machine: they may hold
 * escape sequences, line ends or direction marks that would redraw the reader's screen.
 */

/** C0 and C1 controls, line and paragraph separators, direction marks, the BOM, and halves of surrogate pairs. */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const NAMED: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function escapeCharacter(character: string): string {
  const named = NAMED.get(character);
  if (named !== undefined) return named;
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

/**
 * `text` with every character that could move the cursor, change colours or end the line written as an escape.
 *
 * @param maxLength  longest result in characters (an ellipsis included); unlimited by default
 */
export function sanitize(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  // Cut first: a hostile value may be megabytes long, and escaping only makes it longer.
  const rough = text.length > maxLength ? text.slice(0, maxLength + 1) : text;
  const safe = rough.replace(UNSAFE, escapeCharacter);
  return safe.length > maxLength ? `${safe.slice(0, Math.max(0, maxLength - 1))}…` : safe;
}
