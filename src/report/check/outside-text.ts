/**
 * Text from outside (names of traces and policies, reasons, commands) as reporters may print it.
 *
 * Output of `check` is read by programs that take some of it for orders: a CI runner obeys lines of a log that begin
 * with `::` and anything like `##[`, a terminal obeys escape sequences. So no reporter prints such text as it came.
 */
import { printable, withoutOrders } from '../sanitize.js';

export { inertJson } from '../sanitize.js';

/** Longest texts shown, in characters: enough for real ones, little enough that a made-up one floods nothing. */
export const SHOWN = { name: 80, path: 240, sentence: 300, command: 400 } as const;

const REPLACEMENT = '\ufffd';

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/** Never a character, and illegal in XML. */
function isNoncharacter(code: number): boolean {
  return (code & 0xfffe) === 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);
}

/** Takes no room, so that it can only make a text look like another one. */
function isUnseen(code: number): boolean {
  return (
    code === 0x61c ||
    code === 0x180e ||
    code === 0x200b ||
    code === 0xfeff ||
    (code >= 0x2060 && code <= 0x206f) ||
    (code >= 0xe0000 && code <= 0xe007f)
  );
}

function legalCharacters(text: string): string[] {
  const characters: string[] = [];
  for (const character of printable(text)) {
    const code = character.codePointAt(0)!;
    if (isUnseen(code)) continue;
    characters.push(isSurrogate(code) || isNoncharacter(code) ? REPLACEMENT : character);
  }
  return characters;
}

/** One line of at most `length` characters and nothing in it but text; an ellipsis stands for what was cut. */
export function shown(text: string, length: number = SHOWN.name): string {
  // Only the beginning is looked at: cleaning a name of a megabyte, for each of a hundred items, takes seconds.
  const beginning = text.slice(0, length * 4);
  const characters = legalCharacters(beginning);
  const whole = characters.length <= length && beginning.length === text.length;
  const cut = whole ? characters.join('') : `${characters.slice(0, length - 1).join('')}…`;
  // Spaces of other widths and kinds would only make a text look like another one, too.
  return withoutOrders(cut.replace(/\s/g, ' '));
}

/** As `shown`, but never blank: for places where no text at all would be read as something else. */
export function shownOrEmpty(text: string, length?: number): string {
  const clean = shown(text, length);
  return clean.trim() === '' ? '(empty)' : clean;
}
