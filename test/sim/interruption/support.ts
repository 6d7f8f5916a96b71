/** What the tests of interrupted replays share: rows as text, runs of them, and figures of their results. */
import { machineFromSize } from '../../../src/config/machine-by-size.js';
import { type ResolvedPolicy, resolvePolicy } from '../../../src/config/resolve-policy.js';
import type { RunResult } from '../../../src/report/run-result.js';
import type { ResultNolockRequest, ResultSlab } from '../../../src/report/slab/result-slab.js';
import { parseInject } from '../../../src/sim/interruption/inject-spec.js';
import type { RunRequest } from '../../../src/sim/run-trace.js';
import { fileOf, MIB_PAGES, run } from '../support.js';

const HEADER = 'ts,cpu,op,id,size,gfp,ctx,depth,at';

export interface Row {
  readonly ts?: number;
  readonly cpu?: number;
  readonly op: string;
  readonly id?: string;
  readonly size?: number;
  readonly ctx?: 'softirq' | 'hardirq' | 'nmi';
  readonly depth?: number;
  readonly at?: string;
}

/** An allocation that waits is a task's with GFP_KERNEL, or another context's with GFP_ATOMIC. */
function gfpOf({ op, ctx }: Row): string {
  if (op !== 'kmalloc' && op !== 'alloc') return '';
  return ctx === undefined ? 'GFP_KERNEL' : 'GFP_ATOMIC';
}

export function csvOf(rows: readonly Row[]): string {
  const lines = rows.map((row) =>
    [
      row.ts ?? 0,
      row.cpu ?? 0,
      row.op,
      row.id ?? '',
      row.size ?? '',
      gfpOf(row),
      row.ctx ?? 'task',
      row.depth ?? 0,
      row.at ?? '',
    ].join(','),
  );
  return `${[HEADER, ...lines].join('\n')}\n`;
}

export interface SlabRunOptions extends Partial<RunRequest> {
  readonly policyName?: string;
  /** knobs as `name=value` */
  readonly set?: readonly string[];
  readonly injected?: readonly string[];
  readonly cpus?: number;
}

let files = 0;

/** The result of rows, validated on the way, and its slab section. */
export async function slabRun(
  rows: readonly Row[] | string,
  { policyName = 'mainline-6.18', set = [], injected = [], cpus = 2, ...request }: SlabRunOptions = {},
): Promise<{ readonly result: RunResult; readonly slab: ResultSlab }> {
  const path = await fileOf(`rows-${files++}.csv`, typeof rows === 'string' ? rows : csvOf(rows));
  const policy: ResolvedPolicy = await resolvePolicy(policyName, set);
  const machine = machineFromSize({ memory_pages: 64 * MIB_PAGES, cpus });
  const result = await run([path], { policy, machine, inject: injected.map(parseInject), ...request });
  return { result, slab: result.slab! };
}

/** Live objects of the caches that have any. */
export function liveByCache({ caches }: ResultSlab): Record<string, number> {
  return Object.fromEntries(
    caches
      .filter(({ live_objects }) => live_objects > 0)
      .map(({ name, live_objects }) => [name, live_objects]),
  );
}

type Request = readonly [context: string, lock: string, size: string, outcome: string, count: number];

/** What became of the requests from any context. */
export function requestsOf({ nolock }: ResultSlab): Request[] {
  const told = ({ context, lock, size_class, outcome, count }: ResultNolockRequest): Request => [
    context,
    lock,
    size_class,
    outcome,
    count,
  ];
  return (nolock?.requests ?? []).map(told);
}

export function countOf({ notes }: RunResult, name: string): number {
  return notes.find((note) => note.name === name)?.count ?? 0;
}
