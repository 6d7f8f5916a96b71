/**
 * `spbsim check`: replays every trace under every policy and holds what comes out against budgets.
 */
import { availableParallelism } from 'node:os';
import type { BuildChoice } from '../../config/machine-build.js';
import type { ResolvedPolicy } from '../../config/resolve-policy.js';
import { toolVersion } from '../../config/tool-version.js';
import { UsageError } from '../../config/usage-error.js';
import type { MachineSpec } from '../../mm/machine-spec.js';
import type { CheckResult } from '../../report/check-result.js';
import type { RunResult } from '../../report/run-result.js';
import { Fleet } from '../fleet/fleet.js';
import type { SideRequest } from '../fleet/side-protocol.js';
import { isGenerated } from '../generated-name.js';
import type { Baseline, BaselineRun } from './baseline-file.js';
import type { Budget } from './budget-file.js';
import { comparable, covers, evaluateBudgets, type MeasuredRun, worstFirst } from './evaluate.js';
import { limitCovers } from './limit.js';

export interface CheckTrace {
  readonly trace: string;
  /** by which budgets and baselines know it */
  readonly name: string;
  readonly machine: MachineSpec | undefined;
  readonly machineOrigin: string | undefined;
  readonly build?: BuildChoice | undefined;
  /** options that a user would repeat it with */
  readonly machineWords: readonly string[];
}

export interface CheckPolicy {
  /** by which budgets and baselines know it */
  readonly name: string;
  readonly policy: ResolvedPolicy;
  /** --set texts of the command line */
  readonly overrides: readonly string[];
  /** options that a user would repeat it with */
  readonly words: readonly string[];
}

export interface CheckRequest {
  readonly traces: readonly CheckTrace[];
  readonly policies: readonly CheckPolicy[];
  readonly seeds: readonly number[];
  readonly budgets: readonly Budget[];
  readonly budgetPath: string | null;
  readonly baseline: Baseline;
  readonly baselinePath: string | null;
  readonly open: SideRequest['open'];
  readonly check: boolean;
  readonly max_machine_pages?: number | undefined;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface CheckOutcome {
  readonly result: CheckResult;
  /** the same runs held against another baseline */
  against(baseline: Baseline): CheckResult;
  /** what was measured of the metrics that budgets name: to be stored as a baseline */
  readonly measured: readonly BaselineRun[];
}

interface Job {
  readonly trace: CheckTrace;
  readonly policy: CheckPolicy;
  readonly seed: number;
}

/** @throws InputError, UsageError, InvariantError; an AbortError if `signal` asks for an end */
export async function runCheck(request: CheckRequest): Promise<CheckOutcome> {
  const notes = new Set<string>();
  const jobs = request.traces.flatMap((trace) =>
    seedsOf(request, trace, notes).flatMap((seed) =>
      request.policies.map((policy): Job => ({ trace, policy, seed })),
    ),
  );
  const results = await replayAll(request, jobs);
  const runs = jobs.map((job, at) => measuredRun(job, results[at]!));
  for (const { inputs } of results)
    for (const { cut } of inputs) if (cut !== null) notes.add(`${cut}; the figures are of what was read`);
  const against = (baseline: Baseline) => documentOf({ ...request, baseline }, runs, notes);
  return {
    result: against(request.baseline),
    against,
    measured: runs.map((run) => stored(run, request.budgets)),
  };
}

function documentOf(
  request: CheckRequest,
  runs: readonly MeasuredRun[],
  known: ReadonlySet<string>,
): CheckResult {
  const notes = [...known, ...doubts(request, runs)];
  const items = worstFirst(evaluateBudgets(request.budgets, runs, request.baseline));
  const failed = items.filter(({ status }) => status !== 'within').length;
  return {
    schema: 'spbsim.check/1',
    tool: { name: 'spbsim', version: toolVersion() },
    verdict: failed === 0 ? 'passed' : 'failed',
    budget: request.budgetPath,
    baseline: request.baselinePath,
    counts: { items: items.length, within: items.length - failed, failed, runs: runs.length },
    runs: runs.map(({ trace, policy_label, seed, machine, input_sha256, span_events }) => ({
      trace,
      policy: policy_label,
      seed,
      machine,
      input_sha256: [...input_sha256],
      events: span_events,
    })),
    items,
    notes: [...new Set(notes)],
  };
}

/** Only what is generated depends on the seed: a recorded trace is the same for each. */
function seedsOf({ seeds }: CheckRequest, { trace }: CheckTrace, notes: Set<string>): readonly number[] {
  if (isGenerated(trace) || seeds.length === 1) return seeds;
  notes.add('seeds decide only what is generated (gen:NAME): recorded traces were replayed once');
  return seeds.slice(0, 1);
}

/**
 * As many at once as there are CPUs; the results are in the order of the jobs, whoever ends first. When one fails the others
 * stop, and none is begun any more.
 */
async function replayAll(request: CheckRequest, jobs: readonly Job[]): Promise<RunResult[]> {
  const results: RunResult[] = [];
  const left = jobs.entries();
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  request.signal?.addEventListener('abort', onAbort, { once: true });
  let events = 0;
  const work = async () => {
    const fleet = await Fleet.start(1);
    try {
      for (const [at, job] of left) {
        const [result] = await fleet.replay(
          { inputs: [job.trace.trace], open: request.open, seed: job.seed },
          [sideRequest(request, job)],
          { signal: stop.signal },
        );
        results[at] = result!;
        events += result!.span.events;
        request.onProgress?.({ events, ts_ns: result!.span.last_ns });
      }
    } catch (error) {
      stop.abort();
      throw error;
    } finally {
      fleet.close();
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(jobs.length, availableParallelism()) }, work));
  } finally {
    request.signal?.removeEventListener('abort', onAbort);
  }
  return results;
}

function sideRequest(request: CheckRequest, { trace, policy, seed }: Job): SideRequest {
  const { open, check, max_machine_pages } = request;
  return {
    inputs: [trace.trace],
    policy: policy.policy,
    machine: trace.machine,
    build: trace.build,
    ...(trace.machineOrigin === undefined ? {} : { machineOrigin: trace.machineOrigin }),
    mode: 'free',
    open,
    check,
    seed,
    max_machine_pages,
  };
}

function measuredRun({ trace, policy, seed }: Job, result: RunResult): MeasuredRun {
  const words = ['spbsim', 'run', trace.trace, ...policy.words, ...trace.machineWords];
  if (isGenerated(trace.trace)) words.push('--seed', String(seed));
  return {
    trace: trace.name,
    policy: policy.name,
    policy_label: [policy.name, ...policy.overrides].join('+'),
    seed,
    machine: result.machine.origin,
    input_sha256: result.inputs.map(({ sha256 }) => sha256),
    metrics: result.metrics,
    command: words.map(shellWord).join(' '),
    span_events: result.span.events,
  };
}

/** A word that a shell takes for just this word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A run with the metrics alone that budgets about it name. */
function stored(run: MeasuredRun, budgets: readonly Budget[]): BaselineRun {
  const wanted = budgets.filter((budget) => covers(budget, run));
  const { trace, policy, seed, machine, input_sha256, metrics } = run;
  const named = Object.entries(metrics).filter(([name]) =>
    wanted.some((budget) => limitCovers(budget, name)),
  );
  return { trace, policy, seed, machine, input_sha256, metrics: Object.fromEntries(named) };
}

/** What would make a verdict mean less than it seems to. @throws UsageError if no budget is about any run */
function doubts({ budgets, baseline, budgetPath }: CheckRequest, runs: readonly MeasuredRun[]): string[] {
  const idle = budgets.filter((budget) => !runs.some((run) => covers(budget, run)));
  if (idle.length === budgets.length)
    throw new UsageError('no budget is about any of the runs: nothing would be checked');
  const notes = idle.map(
    ({ text }) =>
      `no run of this check is covered by the budget "${text}" of ${budgetPath ?? 'the command line'}`,
  );
  for (const run of runs) {
    const known = baseline.find(run);
    if (known === undefined || comparable(run, baseline) !== undefined) continue;
    const difference =
      known.machine === run.machine
        ? 'its bytes are not those that the baseline was measured on'
        : `its machine (${run.machine}) is not that of the baseline (${known.machine})`;
    notes.push(`${run.trace}: ${difference}; if that is meant, run with --update-baseline`);
  }
  return notes;
}
