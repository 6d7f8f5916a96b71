/**
 * `spbsim bisect --reduce`: the events up to the one that was found, less all that the expression does not need, written
 * as a trace CSV that shows it again.
 */
import type { ResolvedPolicy } from '../../config/resolve-policy.js';
import { UsageError } from '../../config/usage-error.js';
import { InvariantError } from '../../mm/invariant.js';
import type { MachineSpec } from '../../mm/machine-spec.js';
import type { BisectReduced } from '../../report/bisect-result.js';
import type { KernelGeneration } from '../../trace/kernel-generation.js';
import type { OpenOptions } from '../../trace/source.js';
import { openTraceSet } from '../../trace/trace-set.js';
import { prepareStart } from '../prepare-run.js';
import { EventLog } from './event-log.js';
import { type Minimal, minimize } from './minimize.js';
import { metricsAfter, SubTrace } from './sub-trace.js';
import { type Unit, unitsOf } from './units.js';
import type { Verdict } from './verdict.js';
import { writeSubTrace } from './write-sub-trace.js';

export interface ReduceRequest {
  /** the events up to the one that was found */
  readonly log: EventLog;
  readonly events: number;
  readonly verdict: Verdict;
  readonly policies: readonly [a: ResolvedPolicy, b: ResolvedPolicy];
  /** what a fresh boot is made of */
  readonly machine: MachineSpec;
  readonly max_machine_pages: number | undefined;
  /** a path in .csv, .csv.gz or .csv.zst */
  readonly output: string;
  readonly maxTests: number;
  /** whose words gfp flags are written in */
  readonly kernel: KernelGeneration;
  /** for the top of the file */
  readonly comments: readonly string[];
  /** called before each replay; may throw to end it */
  readonly onTest?: ((tests: number, units: number) => void) | undefined;
}

/** The rest is compacted when less than this part of the events is left. */
const COMPACT_BELOW = 0.5;

export async function reduceTrace(request: ReduceRequest): Promise<BisectReduced> {
  const { log, events, verdict, output, maxTests } = request;
  const { ofEvent, units } = unitsOf(log, events);
  const tester = new Tester(request, new SubTrace(log, ofEvent));
  const all = units.map((_, unit) => unit);
  if (!(await tester.holds(all)))
    throw new UsageError(
      `--reduce ${output}: --until holds only together with what the recorded kernel did by itself, and a trace CSV has no place for that`,
    );
  const minimal = await minimize(all, (members) => tester.holds(members), { maxTests, cuts: cutsOf(units) });
  const rest = new SubTrace(log, ofEvent).only(new Set(minimal.kept));
  const kept = minimal.kept.map((unit) => units[unit] as Unit);
  const objects = kept.filter(({ isObject }) => isObject).length;
  const replays = minimal.tests + 1;
  await writeSubTrace(output, rest.log, {
    kernel: request.kernel,
    comments: [...request.comments, `${howSmall(minimal)}; found with ${replays} replays`],
  });
  await checkFile(request);
  return { file: output, events: rest.log.length, objects, replays, is_minimal: minimal.isMinimal };

  async function checkFile({ kernel }: ReduceRequest): Promise<void> {
    const written = await readTrace(output, { kernel, strict: true });
    const values = await tester.valuesAfter(() => written.rows(0, written.length));
    if (!verdict.holds(values))
      throw new InvariantError(`${output} was written, and --until does not hold after its events`);
  }
}

function howSmall({ isMinimal }: Minimal): string {
  return isMinimal
    ? 'nothing can be left out: an object with all its events, or any other event'
    : 'more might be left out: --max-tests ran out';
}

/** Cheap tries: what the model passes over, what is gone again at the end, what names no object. */
function cutsOf(units: readonly Unit[]): ((unit: number) => boolean)[] {
  const unitAt = (unit: number) => units[unit] as Unit;
  return [
    (unit) => unitAt(unit).isReplayed,
    (unit) => !unitAt(unit).isFreed,
    (unit) => unitAt(unit).isObject,
  ];
}

class Tester {
  #trace: SubTrace;
  #tests = 0;

  constructor(
    readonly request: ReduceRequest,
    trace: SubTrace,
  ) {
    this.#trace = trace;
  }

  /** Whether the expression holds after all events of some units, and of no others. */
  async holds(members: readonly number[]): Promise<boolean> {
    this.request.onTest?.(this.#tests++, members.length);
    // Without a turn of the event loop an interrupt would not be seen.
    await new Promise((resolve) => setImmediate(resolve));
    const kept = new Set(members);
    const trace = this.#trace;
    const holds = this.request.verdict.holds(await this.valuesAfter(() => trace.rows(kept)));
    if (holds) this.#compact(kept);
    return holds;
  }

  /** Whatever holds is all that is ever looked at again. */
  #compact(kept: ReadonlySet<number>): void {
    const { ofEvent } = this.#trace;
    let events = 0;
    for (const unit of ofEvent) if (kept.has(unit)) events++;
    if (events < ofEvent.length * COMPACT_BELOW) this.#trace = this.#trace.only(kept);
  }

  async valuesAfter(rows: () => Parameters<typeof metricsAfter>[1]): Promise<[Float64Array, Float64Array]> {
    const { verdict, policies, machine, max_machine_pages } = this.request;
    const valuesOf = async (side: 'a' | 'b', policy: ResolvedPolicy) => {
      // A side that is not asked about need not be replayed.
      if (verdict.namesOf(side).length === 0) return new Float64Array(verdict.names.length).fill(Number.NaN);
      const start = await prepareStart({
        inputs: [],
        policy,
        machine,
        mode: 'free',
        open: {},
        max_machine_pages,
      });
      return metricsAfter(start, rows(), verdict.names);
    };
    return [await valuesOf('a', policies[0]), await valuesOf('b', policies[1])];
  }
}

/** All events of a file. */
async function readTrace(path: string, open: OpenOptions): Promise<EventLog> {
  const set = await openTraceSet({ inputs: [path], open });
  const log = new EventLog(set.source.strings);
  for await (const batch of set.source.batches()) log.append(batch);
  return log;
}
