/** Speed and memory of a run: the only part of a result that the clock decides. */
import type { ResultPerformance } from '../report/run-result.js';

export class Stopwatch {
  readonly #start = process.hrtime.bigint();

  read(events: number): ResultPerformance {
    const wall_s = Number(process.hrtime.bigint() - this.#start) / 1e9;
    return {
      events,
      wall_s,
      events_per_s: wall_s > 0 ? events / wall_s : 0,
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    };
  }
}
