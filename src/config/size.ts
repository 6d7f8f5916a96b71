import { PAGE_BYTES } from '../mm/types.js';
import { UsageError } from './usage-error.js';

const UNIT_SHIFTS: ReadonlyMap<string, number> = new Map([
  ['k', 10],
  ['m', 20],
  ['g', 30],
  ['t', 40],
]);

/**
 * Bytes of a size such as `512MiB`, `4GiB`, `1TiB`, `4G`, `1.5g`; undefined if the text is no size.
 *
 * Units are powers of 1024 and must be given. `4GB` is refused: it means 10^9 to some and 2^30 to others.
 */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt])(?:ib)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const bytes = Number(match[1]) * 2 ** UNIT_SHIFTS.get(match[2]!.toLowerCase())!;
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** Whole pages of a size given on the command line. */
export function parseSizePages(text: string, option: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) {
    throw new UsageError(`${option} ${text}: expected a size with its unit, such as 512MiB, 4GiB or 1TiB`);
  }
  if (bytes % PAGE_BYTES !== 0) throw new UsageError(`${option} ${text}: not a whole number of 4 KiB pages`);
  return bytes / PAGE_BYTES;
}
