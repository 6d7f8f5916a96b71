/**
 * `spbsim bisect`: two policies on one trace, up to the event after which an expression over the metrics of both holds.
 *
 * What counts after n events is what a run of just these would report: its background work has come to an end. A recording
 * starts from the state that its whole trace shows.
 */
import type { ResolvedPolicy } from '../../config/resolve-policy.js';
import { toolVersion } from '../../config/tool-version.js';
import { UsageError } from '../../config/usage-error.js';
import type { BisectFound, BisectMetric, BisectResult } from '../../report/bisect-result.js';
import { pagesAsBytes, plural, thousands } from '../../report/quantities.js';
import { ASKS_MEMORY } from '../../trace/csv/columns.js';
import { gfpDialect } from '../../trace/gfp-text.js';
import type { Join, TraceSet } from '../../trace/trace-set.js';
import { eventOf } from '../explain.js';
import { isAllocation, isFree } from '../explain-find.js';
import type { Expression } from '../expression/expression.js';
import { openInputs } from '../open-inputs.js';
import { prepareStart, type Start, type StartRequest } from '../prepare-run.js';
import { EventLog } from './event-log.js';
import { reduceTrace } from './reduce.js';
import { PrefixSearch } from './search.js';
import { ReplaySide } from './side.js';
import { type SideValues, Verdict } from './verdict.js';

export interface BisectRequest extends Omit<StartRequest, 'mode' | 'policy'> {
  readonly a: ResolvedPolicy;
  readonly b: ResolvedPolicy;
  readonly until: Expression;
  /** look after every event, whatever it costs */
  readonly exhaustive: boolean;
  /** where to write the smallest part of the trace that shows it, and after how many tries to give up */
  readonly reduce?: { readonly output: string; readonly maxTests: number } | undefined;
  readonly join?: Join;
  /** of a generated workload */
  readonly seed: number;
  /** commands that show why, for a found event; none if it cannot be explained */
  readonly see?: (event: number) => readonly string[];
  /** in place of the usual ones, for tests */
  readonly budgets?: readonly number[];
  readonly onProgress?: (done: BisectProgress) => void;
  readonly signal?: AbortSignal;
}

export type BisectProgress =
  | { readonly stage: 'search'; readonly events: number; readonly ts_ns: number }
  | { readonly stage: 'reduce'; readonly replays: number; readonly units: number };

/** Events that --reduce keeps, at most: about 460 MB. */
const MOST_KEPT = 1 << 23;

/** @throws InputError, UsageError; an AbortError if `signal` asks for an early end */
export async function bisectTrace(request: BisectRequest): Promise<BisectResult> {
  const { inputs, join, open, until, reduce, exhaustive, seed } = request;
  const starts = [await startOf(request, request.a), await startOf(request, request.b)] as const;
  if (reduce !== undefined) checkReducible(starts[0], reduce.output);
  const verdict = new Verdict(until);
  const set = await openInputs({ inputs, join, open }, seed);
  const search: PrefixSearch = new PrefixSearch(
    set.source,
    [new ReplaySide(starts[0], verdict.names), new ReplaySide(starts[1], verdict.names)],
    verdict,
    {
      exhaustive,
      keepsEvents: reduce !== undefined,
      budgets: request.budgets,
      onProgress: (events) => {
        request.signal?.throwIfAborted();
        if (reduce !== undefined) checkKept(search, reduce.output);
        request.onProgress?.({ stage: 'search', events, ts_ns: search.ts_ns });
      },
    },
  );
  await search.run();
  const { found } = search;
  const reduced =
    reduce === undefined || found === undefined || found.events === 0
      ? null
      : await reduceTrace({
          ...reduce,
          log: search.log,
          events: found.events,
          verdict,
          policies: [request.a, request.b],
          machine: starts[0].mm.spec,
          max_machine_pages: request.max_machine_pages,
          kernel: set.kernel.generation,
          comments: commentsOf(request, starts[0], set),
          onTest: (replays, units) => {
            request.signal?.throwIfAborted();
            request.onProgress?.({ stage: 'reduce', replays, units });
          },
        });
  return {
    schema: 'spbsim.bisect/1',
    tool: { name: 'spbsim', version: toolVersion() },
    inputs: [...inputs],
    cut: set.report().inputs.flatMap(({ cut }) => cut ?? []),
    until: until.source,
    a: { policy: request.a.name, overrides: [...request.a.overrides] },
    b: { policy: request.b.name, overrides: [...request.b.overrides] },
    machine: starts[0].origin,
    start_state: starts[0].state.kind,
    events: search.events,
    found: found === undefined ? null : foundOf(search, found.events, set),
    metrics: metricsOf(verdict, found?.before ?? null, found?.values ?? search.last),
    never_seen: verdict.neverSeen,
    looks: search.coverage.map((part) => ({ ...part })),
    reduced,
    see: [...seeOf(search, request)],
  };
}

function startOf(request: BisectRequest, policy: ResolvedPolicy): Promise<Start> {
  return prepareStart({ ...request, policy, mode: 'free' });
}

/** A CSV has no start state of its own: whoever replays it begins with a fresh boot. */
function checkReducible({ material }: Start, output: string): void {
  if (material === undefined) return;
  throw new UsageError(
    `--reduce ${output}: a trace CSV has no start state, and this trace begins with that of its recording; with --memory or --machine it begins with a fresh boot`,
  );
}

function checkKept({ log, found }: PrefixSearch, output: string): void {
  if (found !== undefined || log.length <= MOST_KEPT) return;
  throw new UsageError(
    `--reduce ${output}: --until does not hold within ${thousands(MOST_KEPT)} events, and no more are kept (${EventLog.EVENT_BYTES} bytes each); find the place without --reduce, then cut the trace with spbsim import --from`,
  );
}

function foundOf(search: PrefixSearch, events: number, set: TraceSet): BisectFound {
  if (events === 0) return { events, since_start_ns: 0, event: null };
  const { batch, row } = search.log.at(events - 1);
  const { number, ts_ns, since_start_ns, op, cpu, ctx, id, recorded_pfn, order, site } = eventOf(
    batch,
    row,
    events - 1,
    search.start_ns,
  );
  const dialect = gfpDialect(set.kernel.generation);
  const gfp = ASKS_MEMORY[batch.op[row]!] === 1 ? dialect.format(batch.gfp[row]!) : null;
  return {
    events,
    since_start_ns,
    event: { number, ts_ns, since_start_ns, op, cpu, ctx, id, recorded_pfn, order, gfp, site },
  };
}

function metricsOf(verdict: Verdict, before: SideValues | null, after: SideValues): BisectMetric[] {
  const valueAt = (values: SideValues | null, side: 0 | 1, index: number) => {
    const value = values?.[side][index] ?? Number.NaN;
    return Number.isNaN(value) ? null : value;
  };
  return verdict.names.map((name, index) => ({
    name,
    a: { before: valueAt(before, 0, index), after: valueAt(after, 0, index) },
    b: { before: valueAt(before, 1, index), after: valueAt(after, 1, index) },
  }));
}

function* seeOf({ found, log }: PrefixSearch, { see }: BisectRequest): Generator<string> {
  if (found === undefined || found.events === 0 || see === undefined) return;
  const { batch, row } = log.at(found.events - 1);
  const op = batch.op[row]!;
  if (isAllocation(op) || isFree(op)) yield* see(found.events - 1);
}

/** What is said at the top of a reduced trace. */
function commentsOf({ a, b, until, machine }: BisectRequest, start: Start, { kernel }: TraceSet): string[] {
  const nameOf = ({ name, overrides }: ResolvedPolicy) =>
    [name, ...overrides.map((text) => `--set ${text}`)].join(' ');
  return [
    `reduced by spbsim bisect ${toolVersion()}; after its last event holds: ${until.source}`,
    `a: ${nameOf(a)}   b: ${nameOf(b)}   machine: ${start.origin}${machine === undefined ? ` (${machineText(start)})` : ''}`,
    ...(kernel.generation === '6.18'
      ? []
      : [`gfp flags are those of Linux ${kernel.generation}: read it with --kernel ${kernel.generation}`]),
  ];
}

/** What a workload says of its machine, and what is assumed without any, is not in the CSV. */
function machineText({ mm }: Start): string {
  const pages = mm.zones.reduce((sum, zone) => sum + zone.present_pages, 0);
  return [pagesAsBytes(pages), plural(mm.nodes.length, 'node'), plural(mm.nr_cpus, 'CPU')].join(', ');
}
