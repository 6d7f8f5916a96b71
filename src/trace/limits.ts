/**
 * What an input may cost. Traces come from strangers too: each of these is a flag with a default that real traces stay
 * far below, and every error about one names its flag.
 */
export interface TraceLimits {
  /** longest line of a text trace, in bytes (`--max-line`) */
  readonly line_bytes: number;
  /** longest row of a CSV, in bytes (`--max-record`) */
  readonly record_bytes: number;
  /** distinct strings of one column: ids, caches, memcgs, call sites, arguments (`--max-strings`) */
  readonly strings: number;
  /** bytes of all distinct strings of one column (`--max-string-bytes`) */
  readonly string_bytes: number;
  /** unpacked bytes for each packed one, looked at once 64 MiB are unpacked (`--max-ratio`) */
  readonly inflation_ratio: number;
  /** unpacked bytes of one input (`--max-unpacked`) */
  readonly inflated_bytes: number;
}

export const DEFAULT_LIMITS: TraceLimits = {
  line_bytes: 1 << 20,
  record_bytes: 1 << 17,
  strings: 1 << 23,
  string_bytes: 1 << 28,
  inflation_ratio: 1000,
  inflated_bytes: 2 ** 40,
};
