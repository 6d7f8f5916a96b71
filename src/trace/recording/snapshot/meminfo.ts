/**
 * /proc/meminfo: amounts by name, in KiB but for the counts of huge pages.
 */
import { malformed, numberedLines, wholeNumber } from './snapshot-text.js';

/** KiB by name; HugePages_* are counts. @throws InputError */
export function parseMeminfo(text: string, file: string): Map<string, number> {
  const amounts = new Map<string, number>();
  for (const [number, line] of numberedLines(text)) {
    const match = /^([\w()]+):\s+(\d+)(?: kB)?$/.exec(line);
    if (match === null) throw malformed(file, number, line, 'is not a line of meminfo');
    amounts.set(match[1] as string, wholeNumber(match[2] as string, file, number));
  }
  return amounts;
}
