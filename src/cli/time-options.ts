/** `--from`, `--to` and `--series`: times of the trace. */

export interface TimeOptions {
  readonly from?: string;
  readonly to?: string;
  readonly series?: string;
}

export interface Times {
  readonly from_ns?: number;
  readonly to_ns?: number;
  readonly series_ns?: number;
}

/** The options in ns; what is not given is left out. @throws UsageError */
export async function chooseTimes(options: TimeOptions): Promise<Times> {
  const { parseDurationOption } = await import('../config/duration.js');
  const { UsageError } = await import('../config/usage-error.js');
  const from_ns = options.from === undefined ? undefined : parseDurationOption(options.from, '--from');
  const to_ns = options.to === undefined ? undefined : parseDurationOption(options.to, '--to');
  const series_ns =
    options.series === undefined ? undefined : parseDurationOption(options.series, '--series');
  if (series_ns === 0) throw new UsageError(`--series ${options.series}: expected a time above 0`);
  if (from_ns !== undefined && to_ns !== undefined && from_ns >= to_ns) {
    throw new UsageError(`--from ${options.from} --to ${options.to}: nothing lies between`);
  }
  return {
    ...(from_ns === undefined ? {} : { from_ns }),
    ...(to_ns === undefined ? {} : { to_ns }),
    ...(series_ns === undefined ? {} : { series_ns }),
  };
}
