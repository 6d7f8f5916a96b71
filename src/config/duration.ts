import { UsageError } from './usage-error.js';

const UNIT_NS: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['min', 60e9],
  ['h', 3600e9],
]);

/** Nanoseconds of a time such as `1.5s`, `200ms`, `250us`, `1000ns`, `5min`, `2h`; undefined if the text is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zµ]+)$/.exec(text.trim());
  const unit = match === null ? undefined : UNIT_NS.get(match[2]!);
  if (match === null || unit === undefined) return undefined;
  const ns = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(ns) ? ns : undefined;
}

/** The same for an option of the command line. */
export function parseDurationOption(text: string, option: string): number {
  const ns = parseDuration(text);
  if (ns === undefined) {
    throw new UsageError(`${option} ${text}: expected a time with its unit, such as 1.5s, 200ms or 1000ns`);
  }
  return ns;
}
