/**
 * When the vmstat worker of a CPU ran, from the drains that it caused in a trace.
 *
 * The worker runs about once a second and leaves no trace unless it drains. Its drains give the phase; runs in between
 * are put at equal distances, and the rhythm is continued to both ends of the trace.
 * model: page-allocator 3.9
 */
import type { ScannedTrace } from './trace-scan.js';

/** @returns times in ns, ascending; empty if no worker of any CPU drained */
export function vmstatTicks(scan: ScannedTrace, cpu: number, interval_ns: number): number[] {
  // The kernel rounds these timers to whole seconds of all CPUs: one that never drained runs at about another's time.
  const own = scan.workerDrains.get(cpu) ?? [...scan.workerDrains.values()][0] ?? [];
  const seen = distinctRuns(own, interval_ns);
  if (seen.length === 0) return [];
  const ticks: number[] = [];
  for (let t = seen[0]! - interval_ns; t > scan.first_ns; t -= interval_ns) ticks.unshift(t);
  seen.forEach((time, i) => {
    const previous = seen[i - 1];
    if (previous !== undefined) {
      const periods = Math.max(1, Math.round((time - previous) / interval_ns));
      for (let k = 1; k < periods; k++) ticks.push(previous + ((time - previous) * k) / periods);
    }
    ticks.push(time);
  });
  for (let t = seen.at(-1)! + interval_ns; t < scan.last_ns; t += interval_ns) ticks.push(t);
  return ticks;
}

/** A drain that another actor caused shows as a second run within the interval; the first one counts. */
function distinctRuns(times: readonly number[], interval_ns: number): number[] {
  const runs: number[] = [];
  for (const time of times) if (runs.length === 0 || time - runs.at(-1)! > interval_ns / 2) runs.push(time);
  return runs;
}
