/**
 * What the parsers of /proc texts share: lines with numbers for errors, strict numbers, zone names.
 */
import { ZONE_NAMES, type ZoneIndex } from '../../../mm/types.js';
import { InputError } from '../../input-error.js';

/** Non-blank lines of a small text with their 1-based numbers; trailing blanks are removed. */
export function* numberedLines(text: string): Generator<readonly [line: number, text: string]> {
  let number = 0;
  for (const raw of text.split('\n')) {
    number++;
    const line = raw.trimEnd();
    if (line !== '') yield [number, line];
  }
}

/** The error for a line that does not look as the kernel prints it. */
export function malformed(file: string, line: number, value: string, expectation: string): InputError {
  return new InputError({ file, line, value, expectation, remedy: 'copy the file again from /proc' });
}

/** Whole numbers of a blank-separated list; exact up to 2^53. */
export function wholeNumbers(text: string, file: string, line: number): number[] {
  return text
    .trim()
    .split(/\s+/)
    .map((word) => wholeNumber(word, file, line));
}

/** A whole number, possibly negative. */
export function wholeNumber(word: string, file: string, line: number): number {
  if (!/^-?\d{1,20}$/.test(word)) throw malformed(file, line, word, 'is not a number');
  return Number(word);
}

/** Index of a zone by the name that the kernel prints. */
export function zoneIndex(name: string, file: string, line: number): ZoneIndex {
  const index = ZONE_NAMES.indexOf(name);
  if (index < 0)
    throw malformed(file, line, name, `is not a zone of a modelled machine (${ZONE_NAMES.join(', ')})`);
  return index as ZoneIndex;
}
