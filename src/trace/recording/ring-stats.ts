/**
 * Statistics of the trace ring buffers (tracefs per_cpu/cpuN/stats, one after the other): whether events were lost.
 */

export interface RingStats {
  /** position in the file, which is the CPU when all CPUs were recorded */
  readonly cpu: number;
  readonly entries: number;
  /** events overwritten by later ones */
  readonly overrun: number;
  /** events that found no room */
  readonly dropped: number;
}

/** One item per CPU; a `== cpuN` line names the CPU, else they are counted from 0. Unknown lines are passed over. */
export function parseRingStats(text: string): RingStats[] {
  const stats: { cpu: number; entries: number; overrun: number; dropped: number }[] = [];
  let named: number | undefined;
  for (const line of text.split('\n')) {
    const name = /^== cpu(\d+)/.exec(line);
    if (name !== null) named = Number(name[1]);
    const pair = /^(entries|overrun|dropped events): (\d+)/.exec(line);
    if (pair === null) continue;
    if (pair[1] === 'entries') {
      stats.push({ cpu: named ?? stats.length, entries: Number(pair[2]), overrun: 0, dropped: 0 });
      named = undefined;
    }
    const last = stats.at(-1);
    if (last === undefined) continue;
    if (pair[1] === 'overrun') last.overrun = Number(pair[2]);
    if (pair[1] === 'dropped events') last.dropped = Number(pair[2]);
  }
  return stats;
}
