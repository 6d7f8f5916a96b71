/**
 * Texts that a spreadsheet would run.
 *
 * A cell that begins with `=`, `+`, `-`, `@`, a tab or a CR is a formula to spreadsheets, and traces hold texts of
 * strangers. The writer puts an apostrophe before such a text, and before one that begins with an apostrophe itself; the
 * reader takes exactly one apostrophe off where one of these characters follows. So each text comes back as it was.
 * Only columns of text (`id`, `memcg`, `site`, `cache`, `arg`) are treated so: the `-1` of a node stays a number.
 */

/** First characters that ask for an apostrophe. */
const STARTERS = "=+-@\t\r'";
const APOSTROPHE = 0x27;

/** 1 for each byte that may follow an apostrophe that the writer has put there. */
export const FOLLOWS_APOSTROPHE = new Uint8Array(256);
for (const character of STARTERS) FOLLOWS_APOSTROPHE[character.charCodeAt(0)] = 1;

function isStarter(code: number): boolean {
  return code < 256 && FOLLOWS_APOSTROPHE[code] === 1;
}

/** Whether the reader would take an apostrophe off `text`. */
function isEscaped(text: string): boolean {
  return text.length > 1 && text.charCodeAt(0) === APOSTROPHE && isStarter(text.charCodeAt(1));
}

/** The text that a cell stands for. */
export function unescapeFormula(cell: string): string {
  return isEscaped(cell) ? cell.slice(1) : cell;
}

/**
 * The cell for a text; unescapeFormula() gives the text back.
 *
 * @param formulaSafe  false: only what the reader would misread gets its apostrophe, formulas stay as they are
 */
export function escapeFormula(text: string, formulaSafe: boolean): string {
  if (text === '') return text;
  return (formulaSafe ? isStarter(text.charCodeAt(0)) : isEscaped(text)) ? `'${text}` : text;
}
