/** What the tests of replays side by side share: small requests, and the pages that a run by itself has. */
import { machineFromSize } from '../../../src/config/machine-by-size.js';
import { resolvePolicy } from '../../../src/config/resolve-policy.js';
import type { RunResult } from '../../../src/report/run-result.js';
import type { SideRequest } from '../../../src/sim/fleet/side-protocol.js';
import { runTraces } from '../../../src/sim/run-trace.js';

export const MACHINE = machineFromSize({ memory_pages: 64 * 256, cpus: 2 });

export interface SideOptions {
  readonly policy?: string;
  readonly set?: readonly string[];
  readonly seed?: number;
  /** undefined leaves the machine to the recording or the workload */
  readonly machine?: SideRequest['machine'];
}

/** What a side of a fleet is asked: a machine of 64 MiB unless told otherwise. */
export async function sideOf(input: string, options: SideOptions = {}): Promise<SideRequest> {
  const machine = 'machine' in options ? options.machine : MACHINE;
  return {
    inputs: [input],
    policy: await resolvePolicy(options.policy, options.set ?? []),
    machine,
    ...(machine === undefined ? {} : { machineOrigin: '--memory 64MiB' }),
    mode: 'free',
    check: false,
    open: {},
    seed: options.seed ?? 1,
  };
}

/** The same run alone, and which page each of its events was about. */
export async function alone(request: SideRequest): Promise<{ result: RunResult; pfns: number[] }> {
  const pfns: number[] = [];
  const result = await runTraces({
    ...request,
    onPages: (batch) => {
      for (const pfn of batch) pfns.push(pfn);
      return true;
    },
  });
  return { result, pfns };
}

/** A random trace of two CPUs: allocations of all kinds, frees, uses, and events about no page. */
export function randomRows(next: (below: number) => number, count: number): string[] {
  const gfps = ['GFP_KERNEL', 'GFP_HIGHUSER_MOVABLE', 'GFP_KERNEL|__GFP_RECLAIMABLE', 'GFP_ATOMIC'];
  const live: string[] = [];
  const rows: string[] = [];
  for (let at = 0; at < count; at++) {
    const what = next(20);
    const cpu = next(2);
    const id = live[next(Math.max(1, live.length))];
    if (what === 0) rows.push(`${cpu},mark,,,,m${at}`);
    else if (what < 3 && id !== undefined) rows.push(`${cpu},reference,${id},,,`);
    else if (what < 9 && id !== undefined) {
      live.splice(live.indexOf(id), 1);
      rows.push(`${cpu},free,${id},,,`);
    } else {
      live.push(`o${at}`);
      const order = next(4) > 0 ? 0 : next(10);
      rows.push(`${cpu},alloc,o${at},${order},${gfps[next(gfps.length)]},`);
    }
  }
  return rows;
}

export const HEADER = 'cpu,op,id,order,gfp,arg';

export function csvOf(rows: readonly string[]): string {
  return `${HEADER}\n${rows.join('\n')}\n`;
}

/** Numbers that look random and are the same each time. */
export function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
