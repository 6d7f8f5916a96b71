/**
 * What the parsers of /proc texts share: lines with numbers for errors, strict numbers, zone names.
 */
import { ZONE_NAMES, type ZoneIndex } from '../../../mm/types.js';
import { InputError } from '../../input-error.js';

/** Non-blank lines of a small text with their 1-based numbers; trailing blanks are removed. */
export function* numberedLines(text: string): Generator<readonly [line: number, text: string]> {
  // One line at a time: all lines at once would take several times the memory of the text.
  for (let at = 0, number = 1; at < text.length; number++) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end < 0 ? text.length : end).trimEnd();
    if (line !== '') yield [number, line];
    at = end < 0 ? text.length : end + 1;
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
    .map((word) => pageCount(word, file, line));
}

/** A whole number, possibly negative. */
export function wholeNumber(word: string, file: string, line: number): number {
  if (!/^-?\d{1,20}$/.test(word)) throw malformed(file, line, word, 'is not a number');
  return Number(word);
}

const MAX_NODE = 1023;

/** The number of a NUMA node. */
export function nodeNumber(word: string, file: string, line: number): number {
  const node = Number(word);
  if (!(node <= MAX_NODE)) throw malformed(file, line, word, `is not a node from 0 to ${MAX_NODE}`);
  return node;
}

/** A number of pages, or of anything else that is counted exactly: no more than 2^53. */
export function pageCount(word: string, file: string, line: number): number {
  const count = wholeNumber(word, file, line);
  if (!Number.isSafeInteger(count)) throw malformed(file, line, word, 'is more than any kernel counts');
  return count;
}

/** Index of a zone by the name that the kernel prints. */
export function zoneIndex(name: string, file: string, line: number): ZoneIndex {
  const index = ZONE_NAMES.indexOf(name);
  if (index < 0)
    throw malformed(file, line, name, `is not a zone of a modelled machine (${ZONE_NAMES.join(', ')})`);
  return index as ZoneIndex;
}
