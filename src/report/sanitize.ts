import { stripVTControlCharacters } from 'node:util';

/** Marks that turn the direction of text around, and so can make it read as something else. */
function turnsDirection(code: number): boolean {
  return (
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x2069) ||
    code === 0x200e ||
    code === 0x200f
  );
}

function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029;
}

/**
 * Text from outside (file names, call sites, cgroup paths, error messages about them), fit for a terminal and one line.
 *
 * Escape sequences vanish, other control characters become spaces, so that no input can colour, move or rewrite
 * what this program prints.
 */
export function printable(text: string): string {
  let clean = '';
  for (const character of stripVTControlCharacters(text)) {
    const code = character.codePointAt(0)!;
    if (turnsDirection(code)) continue;
    clean += isControl(code) ? ' ' : character;
  }
  return clean;
}
