/** What a pinned replay holds to be impossible, as the result document has it. */
import type { ResultFinding } from '../../report/run-result.js';
import type { PinnedReplay } from './pinned-replay.js';

const MAX_FINDINGS_PER_KIND = 20;

export interface Findings {
  /** the first ones of each kind */
  readonly shown: ResultFinding[];
  readonly total: Record<string, number>;
}

export function resultFindings({ illegal, legality, refills, drains }: PinnedReplay): Findings {
  const shown: ResultFinding[] = illegal.map((pfn) => ({
    kind: 'illegal_pfn',
    event: pfn.event,
    ts_ns: pfn.ts_ns,
    text: `CPU ${pfn.cpu}: order ${pfn.order} at 0x${pfn.pfn.toString(16)} was handed out while the replay held it to be in use`,
  }));
  for (const miss of [...refills.misses, ...drains.misses].slice(0, 2 * MAX_FINDINGS_PER_KIND))
    shown.push({
      kind: `${miss.kind}_differs`,
      event: miss.event,
      ts_ns: miss.ts_ns,
      text: `CPU ${miss.cpu}: ${miss.text}`,
    });
  const total: Record<string, number> = {};
  const count = (kind: string, n: number) => {
    if (n > 0) total[kind] = n;
  };
  count('illegal_pfn', legality.allocations - legality.legal);
  count('refill_differs', refills.tally.known - refills.tally.pfn_predicted);
  count('drain_differs', drains.tally.known - drains.tally.pfn_predicted);
  return { shown, total };
}
