/**
 * /proc/vmstat: counters by name. Their order differs between kernels and is not used. model: page-allocator 6.4
 */
import { malformed, numberedLines, wholeNumber } from './snapshot-text.js';

/** @throws InputError */
export function parseVmstat(text: string, file: string): Map<string, number> {
  const counters = new Map<string, number>();
  for (const [number, line] of numberedLines(text)) {
    const match = /^(\w+) (-?\d+)$/.exec(line);
    if (match === null) throw malformed(file, number, line, 'is not a line of vmstat');
    counters.set(match[1] as string, wholeNumber(match[2] as string, file, number));
  }
  return counters;
}
