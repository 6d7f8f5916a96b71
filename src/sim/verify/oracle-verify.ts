/**
 * Holds the model against a scripted run of a real kernel: same start lists, same operations, and then every PFN, every
 * checkpoint's lists and, where it was recorded, every event of the kernel's own tracepoints must be the same.
 */
import { access } from 'node:fs/promises';
import { allocPages } from '../../mm/page-alloc/alloc-pages.js';
import { exactState, loadExactState } from '../../mm/page-alloc/exact-state.js';
import { freePages } from '../../mm/page-alloc/free-owned.js';
import { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { validate } from '../../mm/page-alloc/validate.js';
import { zonelistsFrom } from '../../mm/page-alloc/zonelist.js';
import type { Policy } from '../../mm/policy.js';
import { NO_PFN, ZONE_NAMES } from '../../mm/types.js';
import type { VerifyCheckpoint, VerifyDivergence } from '../../report/verify-result.js';
import { openInput } from '../../trace/bytes/open-input.js';
import { gfpDialect } from '../../trace/gfp-text.js';
import { InputError } from '../../trace/input-error.js';
import { guessKernel } from '../../trace/kernel-generation.js';
import type { TraceLimits } from '../../trace/limits.js';
import type { StateDump } from '../../trace/oracle/oracle-dump.js';
import {
  type OracleAlloc,
  type OracleCheck,
  type OracleFree,
  type OracleRunHeader,
  type OracleZonelist,
  readOracleRun,
} from '../../trace/oracle/oracle-run.js';
import { TextReader } from '../../trace/text/reader.js';
import { machineProblem, machineSizeProblem } from '../machine-limit.js';
import { exactFromDump, machineFromDump } from '../start-state/from-dump.js';
import { EventLog } from './event-log.js';
import { isInUse } from './in-use-pages.js';
import { compareStates } from './state-comparison.js';

export interface OracleVerdict {
  readonly header: OracleRunHeader;
  operations: number;
  compared: number;
  matched: number;
  kernel_failures: number;
  failures_matched: number;
  first_divergence: VerifyDivergence | null;
  readonly checkpoints: VerifyCheckpoint[];
}

/** Operations between two validations with --check. */
const CHECK_INTERVAL = 1_000;

class OracleReplay {
  readonly verdict: OracleVerdict;
  readonly log = new EventLog();
  mm: PageAllocator | undefined;
  /** what the model handed out, by operation; where it differs from the kernel its own pages must go back */
  readonly #handedOut = new Map<number, number>();
  /** checks of one op, gathered into one checkpoint */
  #quick: { op: number; compared: number; equal: number; differences: string[] } | undefined;

  constructor(
    readonly file: string,
    readonly header: OracleRunHeader,
    readonly policy: Policy,
    readonly zonelists: readonly OracleZonelist[],
    readonly check: boolean,
    readonly max_machine_pages: number,
  ) {
    this.verdict = {
      header,
      operations: 0,
      compared: 0,
      matched: 0,
      kernel_failures: 0,
      failures_matched: 0,
      first_divergence: null,
      checkpoints: [],
    };
  }

  /** A dump either starts an exact stretch or is compared with the model. */
  state(dump: StateDump): void {
    this.#endQuick();
    const starts = dump.when === 'initial' || dump.when === 'before_freeall';
    if (starts) {
      this.#load(dump);
      this.log.enabled = dump.when === 'initial';
      return;
    }
    if (this.mm === undefined) return;
    if (dump.when === 'final') this.log.enabled = false;
    this.verdict.checkpoints.push(compareStates(dump, exactState(this.mm)));
    if (this.check) validate(this.mm);
  }

  #load(dump: StateDump): void {
    const spec = machineFromDump(dump);
    const problem = machineProblem(spec) ?? machineSizeProblem(spec, this.max_machine_pages);
    if (problem !== undefined) throw new InputError({ file: this.file, ...problem });
    const mm = new PageAllocator(spec, this.policy);
    loadExactState(mm, exactFromDump(dump));
    // What is allocated in a dump is what the kernel handed out.
    this.#handedOut.clear();
    const zoneOf = (number: number) => {
      const index = number % this.header.max_nr_zones;
      const node = Math.trunc(number / this.header.max_nr_zones);
      const found = mm.zones.find((zone) => zone.node === node && zone.index === index);
      if (found !== undefined) return found;
      throw new InputError({
        file: this.file,
        field: 'zonelist',
        value: String(number),
        expectation: 'is not a zone of the dump',
      });
    };
    const listsOf = (kind: OracleZonelist['kind']) =>
      mm.nodes.map(({ node }) => {
        const list = this.zonelists.find((candidate) => candidate.node === node && candidate.kind === kind);
        return list === undefined ? [] : list.zones.map(zoneOf);
      });
    if (this.zonelists.length > 0) mm.zonelists = zonelistsFrom(listsOf('fallback'), listsOf('nofallback'));
    mm.tracer = this.log;
    this.mm = mm;
  }

  alloc(op: OracleAlloc): void {
    const mm = this.mm;
    if (mm === undefined) return;
    this.#begin(op.op);
    const [name, gfp] = this.header.gfps[op.gfp]!;
    const model = allocPages(mm, 0, gfp, op.order, -1, false);
    const kernel = op.pfn ?? NO_PFN;
    this.#handedOut.set(op.op, model);
    const { verdict } = this;
    verdict.compared++;
    if (kernel === NO_PFN) verdict.kernel_failures++;
    if (model === kernel) {
      verdict.matched++;
      if (kernel === NO_PFN) verdict.failures_matched++;
    } else if (verdict.first_divergence === null) {
      verdict.first_divergence = this.#divergence(mm, op, name, gfp, model);
    }
    this.#validateSometimes(mm);
  }

  #divergence(
    mm: PageAllocator,
    op: OracleAlloc,
    name: string,
    gfp: number,
    model: number,
  ): VerifyDivergence {
    const show = (pfn: number) => (pfn === NO_PFN ? 'failed' : `0x${pfn.toString(16)}`);
    const words = gfpDialect(guessKernel(this.header.release).generation).format(gfp);
    const context = [`the model did: ${this.log.summary(op.op)}`];
    for (const zone of mm.zones) {
      const pcp = zone.pcps[0]!;
      context.push(
        `node ${zone.node} ${ZONE_NAMES[zone.index]}: pcp count ${pcp.count} high ${pcp.high} batch ${pcp.batch}, ` +
          `nr_free_pages ${zone.nr_free_pages} boost ${zone.watermark_boost} flags ${zone.flags}`,
      );
    }
    return {
      index: op.op,
      ts_ns: null,
      text: `alloc order ${op.order} ${words} (${name}) on CPU 0`,
      kernel: show(op.pfn ?? NO_PFN),
      model: show(model),
      context,
    };
  }

  free(op: OracleFree): void {
    if (this.mm === undefined) return;
    this.#begin(op.op);
    const own = this.#handedOut.get(op.of);
    // What was in use when the dump was made is known by the kernel's PFN only.
    if (own === undefined && !isInUse(this.mm, op.pfn, op.order)) {
      throw new InputError({
        file: this.file,
        field: `operation ${op.op}`,
        expectation: `frees 0x${op.pfn.toString(16)} (order ${op.order}), which the dump before it does not hold in use`,
      });
    }
    const pfn = own ?? op.pfn;
    this.#handedOut.delete(op.of);
    if (pfn !== NO_PFN) freePages(this.mm, 0, pfn, op.order);
    this.#validateSometimes(this.mm);
  }

  #begin(op: number): void {
    this.#endQuick();
    this.log.op = op;
    this.verdict.operations++;
  }

  #validateSometimes(mm: PageAllocator): void {
    if (this.check && this.verdict.operations % CHECK_INTERVAL === 0) validate(mm);
  }

  /** A quick look of the recorder: counts of one zone before an operation. */
  quickCheck(look: OracleCheck): void {
    const { max_nr_zones } = this.header;
    const zone = this.mm?.zones.find(
      (candidate) => candidate.node * max_nr_zones + candidate.index === look.zone,
    );
    if (zone === undefined) return;
    this.#quick ??= { op: look.op, compared: 0, equal: 0, differences: [] };
    const quick = this.#quick;
    const note = (name: string, kernel: number, model: number) => {
      quick.compared++;
      if (kernel === model) quick.equal++;
      else quick.differences.push(`zone ${look.zone} ${name}: kernel ${kernel}, model ${model}`);
    };
    look.nr_free.forEach((chunks, order) => {
      note(`nr_free[${order}]`, chunks, zone.nr_free[order]!);
    });
    const pcp = zone.pcps[0]!;
    note('pcp count', look.pcp_count, pcp.count);
    note('pcp high', look.pcp_high, pcp.high);
    note('boost', look.boost, zone.watermark_boost);
    note('highatomic', look.highatomic, zone.nr_reserved_highatomic);
  }

  #endQuick(): void {
    const quick = this.#quick;
    if (quick === undefined) return;
    this.#quick = undefined;
    const { op, compared, equal, differences } = quick;
    this.verdict.checkpoints.push({ name: `counts`, index: op, compared, equal, parts: [], differences });
  }

  finish(): void {
    this.#endQuick();
  }
}

/** Runs one scripted run. @throws InputError for a malformed one */
export async function verifyOracleRun(
  path: string,
  policyFor: (release: string) => Promise<Policy>,
  check: boolean,
  max_machine_pages: number,
  limits?: TraceLimits,
  onProgress?: (operations: number) => void,
): Promise<OracleVerdict> {
  let replay: OracleReplay | undefined;
  let header: OracleRunHeader | undefined;
  const zonelists: OracleZonelist[] = [];
  for await (const item of readOracleRun(await openInput(path, limits))) {
    if (item.t === 'run') header = item;
    else if (item.t === 'zonelist') zonelists.push(item);
    if (header === undefined) continue;
    replay ??= new OracleReplay(
      path,
      header,
      await policyFor(header.release),
      zonelists,
      check,
      max_machine_pages,
    );
    if (item.t === 'alloc') replay.alloc(item);
    else if (item.t === 'free') replay.free(item);
    else if (item.t === 'check') replay.quickCheck(item);
    else if (item.t === 'state') replay.state(item.state);
    if (replay.verdict.operations % 8192 === 0) onProgress?.(replay.verdict.operations);
  }
  if (replay === undefined)
    throw new InputError({
      file: path,
      expectation: 'holds no scripted run: it has no line {"t":"run",…}',
      remedy: 'verify takes runs and recordings; a file of dumps belongs to one of them',
    });
  replay.finish();
  await compareEvents(path, replay);
  return replay.verdict;
}

/** The recorder kept the tracepoints of some runs beside them: NAME.events.txt.xz for NAME.jsonl.xz. */
async function compareEvents(path: string, replay: OracleReplay): Promise<void> {
  const beside = path.replace(/\.jsonl(\.xz|\.gz|\.zst)?$/, '.events.txt$1');
  if (beside === path || !(await exists(beside))) return;
  const reader = new TextReader(await openInput(beside), {
    kernel: guessKernel(replay.header.release).generation,
  });
  let recorded = 0;
  let equal = 0;
  const differences: string[] = [];
  for await (const batch of reader.batches())
    for (let i = 0; i < batch.length; i++, recorded++) {
      if (replay.log.matches(recorded, batch, i)) equal++;
      else if (differences.length === 0)
        differences.push(
          `event ${recorded}: kernel 0x${batch.pfn[i]!.toString(16)} order ${batch.order[i]}, model ${replay.log.describe(recorded)}`,
        );
    }
  const surplus = Math.max(0, replay.log.length - recorded);
  if (surplus > 0) differences.push(`${surplus} events of the model beyond the recorded ones`);
  replay.verdict.checkpoints.push({
    name: 'tracepoints',
    index: 0,
    compared: recorded + surplus,
    equal,
    parts: [{ name: 'tracepoints', compared: recorded + surplus, equal }],
    differences,
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
