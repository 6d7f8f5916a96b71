/** The forms of trace text. Told apart by content in detect-format.ts. */

export const TEXT_DIALECTS = ['tracefs', 'trace-cmd', 'perf', 'latency'] as const;

/**
 * `tracefs`: the files `trace` and `trace_pipe` · `trace-cmd`: `trace-cmd report` · `perf`: `perf script` ·
 * `latency`: tracefs with its option latency-format
 */
export type TextDialect = (typeof TEXT_DIALECTS)[number];
