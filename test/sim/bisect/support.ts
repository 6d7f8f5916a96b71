/** What the tests of bisection share: small traces under pressure, and what plain runs of all their prefixes report. */
import { machineFromSize } from '../../../src/config/machine-by-size.js';
import { type ResolvedPolicy, resolvePolicy } from '../../../src/config/resolve-policy.js';
import { type GenerateOptions, generate } from '../../../src/gen/generate.js';
import { Prng } from '../../../src/gen/prng.js';
import { WORKLOAD_COLUMNS } from '../../../src/gen/write-workload.js';
import type { MachineSpec } from '../../../src/mm/machine-spec.js';
import type { BisectResult } from '../../../src/report/bisect-result.js';
import { type BisectRequest, bisectTrace } from '../../../src/sim/bisect/bisect.js';
import { parseExpression } from '../../../src/sim/expression/parse.js';
import { CsvWriter } from '../../../src/trace/csv/writer.js';
import { fileOf, run } from '../support.js';

export const MIB_PAGES = 256;

export function machineOf(mib: number, cpus = 2): MachineSpec {
  return machineFromSize({ memory_pages: mib * MIB_PAGES, cpus });
}

/** A trace CSV as lines: the header, and a row for each event. */
export interface TraceLines {
  readonly header: string;
  readonly rows: readonly string[];
}

export function linesOf(csv: string): TraceLines {
  const lines = csv.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return { header: lines[0] as string, rows: lines.slice(1) };
}

export function textOf({ header, rows }: TraceLines, events = rows.length): string {
  return `${[header, ...rows.slice(0, events)].join('\n')}\n`;
}

const PAGE_CACHE = 'GFP_HIGHUSER_MOVABLE|__GFP_WRITE';
const OTHERS = ['GFP_KERNEL', 'GFP_KERNEL|__GFP_RECLAIMABLE', 'GFP_ATOMIC'] as const;

/**
 * Requests of all kinds and orders, some given back, in bursts: more than a machine of 64 MiB has, so that kswapd and the
 * work of superpageblocks are under way after many of them.
 */
export function pressureTrace(seed: number, events: number): TraceLines {
  const prng = new Prng(seed, 'pressure');
  const live: { id: number; order: number }[] = [];
  const rows: string[] = [];
  let ts = 0;
  for (let id = 0; rows.length < events; id++) {
    ts += prng.below(12) === 0 ? prng.below(1_000_000) : prng.below(40_000);
    const cpu = prng.below(2);
    if (live.length > 4 && prng.below(10) < 1) {
      const [object] = live.splice(prng.below(live.length), 1);
      rows.push(`${ts},${cpu},free,p${object!.id},${object!.order},`);
      continue;
    }
    const order = prng.below(4) === 0 ? prng.below(4) : 5 + prng.below(5);
    const gfp = prng.below(10) < 6 ? PAGE_CACHE : OTHERS[prng.below(3)];
    rows.push(`${ts},${cpu},alloc,p${id},${order},${gfp}`);
    live.push({ id, order });
  }
  return { header: 'ts,cpu,op,id,order,gfp', rows };
}

/** The first events of a synthetic workload. */
export async function workloadTrace(
  name: string,
  events: number,
  options: GenerateOptions = {},
): Promise<TraceLines> {
  const writer = new CsvWriter({ columns: WORKLOAD_COLUMNS });
  let text = writer.header();
  for await (const batch of generate(name, { ...options, events }).batches()) text += writer.rows(batch);
  return linesOf(text);
}

/** Metrics after each prefix, by its length. */
export type PrefixMetrics = readonly Readonly<Record<string, number>>[];

/** What `spbsim run` of each prefix reports: every one is a file of its own, replayed from the start. */
export async function metricsOfPrefixes(
  trace: TraceLines,
  policyName: string,
  machine: MachineSpec,
): Promise<PrefixMetrics> {
  const metrics: Record<string, number>[] = [];
  for (let events = 0; events <= trace.rows.length; events++) {
    const path = await fileOf('prefix.csv', textOf(trace, events));
    metrics.push((await run([path], { policyName, machine, check: false })).metrics);
  }
  return metrics;
}

export async function bisect(
  inputs: readonly string[],
  policies: readonly [string | ResolvedPolicy, string | ResolvedPolicy],
  until: string,
  request: Partial<BisectRequest> = {},
): Promise<BisectResult> {
  const policyOf = (policy: string | ResolvedPolicy) =>
    typeof policy === 'string' ? resolvePolicy(policy, []) : policy;
  return bisectTrace({
    inputs,
    a: await policyOf(policies[0]),
    b: await policyOf(policies[1]),
    until: parseExpression(until),
    exhaustive: false,
    machine: machineOf(64),
    machineOrigin: '--memory 64MiB',
    open: {},
    seed: 1,
    ...request,
  });
}
