/**
 * `spbsim diff`: two sides on the same traces, each pair of runs at the same time, and what is different between them.
 */
import { formatKnobValue } from '../../config/knob-text.js';
import type { BuildChoice } from '../../config/machine-build.js';
import type { ResolvedPolicy } from '../../config/resolve-policy.js';
import { toolVersion } from '../../config/tool-version.js';
import type { MachineSpec } from '../../mm/machine-spec.js';
import { KNOB_NAMES } from '../../mm/policy.js';
import { compareMaps } from '../../report/diff/compare-maps.js';
import { addCounts, compareMetrics, countVerdicts } from '../../report/diff/compare-metrics.js';
import type { DiffCase, DiffFirst, DiffResult } from '../../report/diff-result.js';
import type { Explanation } from '../../report/explain-document.js';
import type { RunResult } from '../../report/run-result.js';
import type { TraceSet } from '../../trace/trace-set.js';
import { type FirstDifference, PageComparison } from '../fleet/first-difference.js';
import { Fleet } from '../fleet/fleet.js';
import type { SideRequest } from '../fleet/side-protocol.js';
import { isGenerated } from '../generated-name.js';
import { PairExplainer } from './explain-pair.js';

/** One of the two: what it replays with. */
export interface ReplayedSide {
  readonly label: string;
  readonly policy: ResolvedPolicy;
  readonly machine: MachineSpec | undefined;
  readonly machineOrigin?: string | undefined;
  readonly build?: BuildChoice | undefined;
}

export interface DiffRequest {
  readonly kind: 'policies' | 'machines';
  readonly sides: readonly [a: ReplayedSide, b: ReplayedSide];
  /** each is compared by itself */
  readonly traces: readonly string[];
  readonly seeds: readonly number[];
  readonly open: SideRequest['open'];
  readonly from_ns?: number | undefined;
  readonly to_ns?: number | undefined;
  readonly check: boolean;
  /** tell what both sides did where they part */
  readonly explains: boolean;
  readonly max_machine_pages?: number | undefined;
  /** the first trace, if it has been opened ahead */
  readonly set?: (() => Promise<TraceSet>) | undefined;
  /** two sides, if they have been started ahead; whoever started them closes them */
  readonly fleet?: Promise<Fleet> | undefined;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What one seed of a trace came to. */
interface Pair {
  readonly seed: number;
  readonly results: readonly [RunResult, RunResult];
  readonly first: DiffFirst | undefined;
}

/** @throws InputError, UsageError, InvariantError; an AbortError if `signal` asks for an end */
export async function runDiff(request: DiffRequest): Promise<DiffResult> {
  const own = request.fleet === undefined ? Fleet.start(2) : undefined;
  const fleet = await (request.fleet ?? own!);
  try {
    const cases: DiffCase[] = [];
    const notes = new Set<string>();
    let labels: readonly RunResult[] = [];
    for (const trace of request.traces) {
      const pairs: Pair[] = [];
      for (const seed of seedsOf(request, trace, notes)) {
        // Of several seeds the first one that parts is told.
        const explains = request.explains && pairs.every(({ first }) => first === undefined);
        const set = cases.length + pairs.length === 0 ? request.set : undefined;
        pairs.push(await replayPair(fleet, request, trace, seed, explains, set));
      }
      noteDoubts(pairs, notes);
      labels = pairs[0]!.results;
      cases.push(caseOf(trace, pairs));
    }
    const [a, b] = request.sides.map((side, at) => ({
      label: side.label,
      policy: side.policy.name,
      overrides: [...side.policy.overrides],
      machine: labels[at]!.machine.origin,
      saved: null,
    }));
    return {
      schema: 'spbsim.diff/1',
      tool: { name: 'spbsim', version: toolVersion() },
      kind: request.kind,
      a: a!,
      b: b!,
      knobs: differingKnobs(request.sides[0].policy, request.sides[1].policy),
      counts: addCounts(cases.map(({ counts }) => counts)),
      cases,
      notes: [...notes],
    };
  } finally {
    (await own)?.close();
  }
}

/** Only what is generated depends on the seed: a recorded trace is the same for each. */
function seedsOf({ seeds }: DiffRequest, trace: string, notes: Set<string>): readonly number[] {
  if (isGenerated(trace) || seeds.length === 1) return seeds;
  notes.add('seeds decide only what is generated (gen:NAME): recorded traces were replayed once');
  return seeds.slice(0, 1);
}

function sideRequest(request: DiffRequest, side: 0 | 1, trace: string, seed: number): SideRequest {
  const { policy, machine, machineOrigin, build } = request.sides[side];
  const { open, from_ns, to_ns, check, max_machine_pages } = request;
  return {
    inputs: [trace],
    policy,
    machine,
    build,
    ...(machineOrigin === undefined ? {} : { machineOrigin }),
    mode: 'free',
    open,
    check,
    seed,
    max_machine_pages,
    ...(from_ns === undefined ? {} : { from_ns }),
    ...(to_ns === undefined ? {} : { to_ns }),
  };
}

/** @param explains  tell what both did where they part */
async function replayPair(
  fleet: Fleet,
  request: DiffRequest,
  trace: string,
  seed: number,
  explains: boolean,
  set: DiffRequest['set'],
): Promise<Pair> {
  const comparison = new PageComparison();
  const requests = ([0, 1] as const).map((side) => sideRequest(request, side, trace, seed));
  const explainer = new PairExplainer(fleet, requests);
  const results = await fleet.replay({ inputs: [trace], open: request.open, seed, set }, requests, {
    onPages: (side, pfns, batch) => comparison.add(side, pfns, batch),
    onDone: (side) => {
      const { first } = comparison;
      // Standard input cannot be read again up to the event.
      const canExplain = explains && first !== undefined && (trace !== '-' || first.beginning !== undefined);
      if (canExplain) explainer.begin(side, first);
    },
    ...(request.onProgress === undefined ? {} : { onProgress: request.onProgress }),
    signal: request.signal,
  });
  const [a, b] = await explainer.finish();
  return {
    seed,
    results: [results[0]!, results[1]!],
    first: comparison.first === undefined ? undefined : firstOf(seed, comparison.first, a ?? null, b ?? null),
  };
}

function caseOf(trace: string, pairs: readonly Pair[]): DiffCase {
  const [a] = pairs[0]!.results;
  const parted = pairs.find(({ first }) => first !== undefined);
  const rows = compareMetrics(
    pairs.map(({ results }) => results[0].metrics),
    pairs.map(({ results }) => results[1].metrics),
  );
  return {
    trace,
    inputs: a.inputs.map(({ path, sha256 }) => ({ path, sha256 })),
    seeds: pairs.map(({ seed }) => seed),
    events: a.span.events,
    span_ns: a.span.last_ns - a.span.first_ns,
    start_state: a.start_state.kind,
    same_pages: parted === undefined,
    first_difference: parted?.first ?? null,
    counts: countVerdicts(rows),
    rows,
    map: compareMaps(a.zones, pairs[0]!.results[1].zones),
  };
}

function firstOf(
  seed: number,
  { event, pfns }: FirstDifference,
  a: Explanation | null,
  b: Explanation | null,
): DiffFirst {
  const [a_pfn, b_pfn] = pfns.map((pfn) => (pfn < 0 ? null : pfn));
  return { seed, event, a_pfn: a_pfn!, b_pfn: b_pfn!, a, b };
}

/** @returns knobs in which two policies differ, as texts */
export function differingKnobs(a: ResolvedPolicy, b: ResolvedPolicy): DiffResult['knobs'] {
  return KNOB_NAMES.map((knob) => ({
    knob,
    a: formatKnobValue(a.policy[knob]),
    b: formatKnobValue(b.policy[knob]),
  })).filter((row) => row.a !== row.b);
}

function noteDoubts(pairs: readonly Pair[], notes: Set<string>): void {
  for (const { results } of pairs)
    for (const { cut } of results[0].inputs)
      if (cut !== null) notes.add(`${cut}; both runs are of what was read`);
}
