import { stripVTControlCharacters } from 'node:util';

/** Takes no room where it stands inside of a text. */
const BYTE_ORDER_MARK = 0xfeff;

/** Marks that turn the direction of text around, and so can make it read as something else. */
function turnsDirection(code: number): boolean {
  return (
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x2069) ||
    code === 0x200e ||
    code === 0x200f ||
    code === 0x61c
  );
}

function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029;
}

/**
 * Pulls apart what a CI runner would take for an order, visibly: `::error` becomes `: :error`, `##[error]` becomes
 * `# #[error]`. Words are wrapped, so the beginning of any word may become the beginning of a line.
 */
export function withoutOrders(text: string): string {
  return text
    .replace(/(^|\s)(:{2,})/g, (_, before: string, colons: string) => before + [...colons].join(' '))
    .replace(/##(?=[\w.]*\[)/g, '# #');
}

/**
 * Text from outside (file names, call sites, cgroup paths, error messages about them), fit for a terminal and one line.
 *
 * Escape sequences vanish, other control characters become spaces, and orders to a CI runner are pulled apart, so that no
 * input can colour, move or rewrite what this program prints, or pass for what it says.
 */
export function printable(text: string): string {
  let clean = '';
  for (const character of stripVTControlCharacters(text)) {
    const code = character.codePointAt(0)!;
    if (turnsDirection(code) || code === BYTE_ORDER_MARK) continue;
    clean += isControl(code) ? ' ' : character;
  }
  return withoutOrders(clean);
}

/**
 * JSON that means the same and does nothing where it is printed. Characters that a terminal obeys, and the beginning of
 * a runner's order, can only stand inside of strings, so each may be written as its number.
 */
export function inertJson(json: string): string {
  return json
    .replace(/[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, escaped)
    .replace(/##(?=[\w.]*\[)/g, `#${escaped('#')}`);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
