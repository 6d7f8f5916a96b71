/**
 * Holds the model's slab allocator against a scripted run of a real kernel: geometry, each operation, every list.
 *
 * Pages come from the record. Where the page allocator's own lists were recorded beside the run, it is run once more
 * with the model's page allocator below, which must then give every slab the same pages.
 */
import { access } from 'node:fs/promises';
import { exactState, loadExactState } from '../../mm/page-alloc/exact-state.js';
import { freePages } from '../../mm/page-alloc/free-owned.js';
import { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { validate } from '../../mm/page-alloc/validate.js';
import type { Policy } from '../../mm/policy.js';
import { PageAllocatorPages } from '../../mm/slab/page-allocator-pages.js';
import { validateSlabs } from '../../mm/slab/validate-slab.js';
import type { VerifyCheckpoint, VerifyDivergence, VerifySlab } from '../../report/verify-result.js';
import { openInput } from '../../trace/bytes/open-input.js';
import { InputError } from '../../trace/input-error.js';
import { guessKernel } from '../../trace/kernel-generation.js';
import type { TraceLimits } from '../../trace/limits.js';
import type { StateDump } from '../../trace/oracle/oracle-dump.js';
import { readStateDumps } from '../../trace/oracle/oracle-run.js';
import {
  readSlabRun,
  type SlabRunItem,
  type SlabRunOp,
  type SlabRunPageFree,
} from '../../trace/oracle/slab-run.js';
import type { SlabRunGeometry, SlabRunHeader } from '../../trace/oracle/slab-run-lines.js';
import { machineProblem, machineSizeProblem } from '../machine-limit.js';
import { exactFromDump, machineFromDump } from '../start-state/from-dump.js';
import { isInUse } from './in-use-pages.js';
import { compareGeometry, compareSlabState } from './slab-compare.js';
import { RecordedPages } from './slab-recorded-pages.js';
import { SlabReplay } from './slab-replay.js';
import { Tally } from './slab-tally.js';
import { compareStates } from './state-comparison.js';

export interface SlabVerdict {
  readonly header: SlabRunHeader;
  readonly operations: number;
  readonly matched: number;
  readonly failures: number;
  readonly failures_matched: number;
  readonly first_divergence: VerifyDivergence | null;
  readonly checkpoints: readonly VerifyCheckpoint[];
  readonly slab: VerifySlab;
}

export interface SlabVerifyOptions {
  readonly policyFor: (release: string) => Promise<Policy>;
  readonly check: boolean;
  readonly max_machine_pages: number;
  readonly limits?: TraceLimits | undefined;
  readonly onProgress?: (operations: number) => void;
}

/** Operations between two validations with --check. */
const CHECK_INTERVAL = 1_000;
const PROGRESS_INTERVAL = 8_192;

/** One way through a run: with recorded pages, or with the model's. */
class SlabVerification {
  readonly checkpoints: VerifyCheckpoint[] = [];
  readonly geometry = new Tally(['geometry']);
  readonly #caches: SlabRunGeometry[] = [];

  constructor(
    readonly replay: SlabReplay,
    readonly recorded: RecordedPages | undefined,
    readonly check: boolean,
  ) {}

  take(item: SlabRunItem): void {
    switch (item.t) {
      case 'geometry':
        this.#caches.push(item);
        compareGeometry(this.geometry, item, this.replay.addCache(item).geometry);
        return;
      case 'op':
        this.recorded?.begin(item.made, this.#hiddenFailures(item));
        this.replay.operation(item);
        if (this.check && this.replay.operations % CHECK_INTERVAL === 0) validateSlabs(this.replay.slabs);
        return;
      case 'state':
        this.replay.learnTidStep(item);
        this.checkpoints.push(compareSlabState(item, this.replay));
        if (this.check) validateSlabs(this.replay.slabs);
        return;
      default:
        return;
    }
  }

  /** A fallback to the same order leaves no trace but its counter. */
  #hiddenFailures({ calls }: SlabRunOp): number {
    const index = this.replay.header.stats.indexOf('order_fallback');
    let failures = 0;
    for (const { cache, stats } of calls) {
      const { oo, min } = this.#caches[cache]!;
      if (oo[0] === min[0]) failures += stats.find(([item]) => item === index)?.[1] ?? 0;
    }
    return failures;
  }
}

/** Runs one slab run. @throws InputError for a malformed one */
export async function verifySlabRun(path: string, options: SlabVerifyOptions): Promise<SlabVerdict> {
  let run: SlabVerification | undefined;
  let policy: Policy | undefined;
  for await (const item of readSlabRun(await openInput(path, options.limits))) {
    if (item.t === 'run') {
      policy = await options.policyFor(item.release);
      const pages = new RecordedPages();
      run = new SlabVerification(new SlabReplay(item, policy, pages, false), pages, options.check);
      continue;
    }
    run?.take(item);
    const operations = run?.replay.operations ?? 0;
    if (operations % PROGRESS_INTERVAL === 0) options.onProgress?.(operations);
  }
  if (run === undefined || policy === undefined)
    throw new InputError({
      file: path,
      expectation: 'holds no slab run: it has no line {"t":"run",…}',
      remedy: 'check how it was made',
    });
  const { replay, geometry, checkpoints } = run;
  const pages = await verifyPages(path, replay.header, policy, options);
  return {
    header: replay.header,
    operations: replay.operations,
    matched: replay.matched,
    failures: replay.failures,
    failures_matched: replay.failures_matched,
    first_divergence: replay.first_divergence ?? pages?.first_divergence ?? null,
    checkpoints: [checkpointOf('geometry', 0, geometry), ...checkpoints, ...(pages?.checkpoints ?? [])],
    slab: { parts: replay.tally.parts, pages: pages?.result ?? null },
  };
}

function checkpointOf(name: string, index: number, tally: Tally): VerifyCheckpoint {
  return {
    name,
    index,
    compared: tally.compared,
    equal: tally.equal,
    parts: tally.parts,
    differences: tally.differences,
  };
}

interface PagesVerdict {
  readonly first_divergence: VerifyDivergence | null;
  readonly checkpoints: readonly VerifyCheckpoint[];
  readonly result: NonNullable<VerifySlab['pages']>;
}

/** The same run with the model's page allocator below, from the page lists recorded beside it. */
async function verifyPages(
  path: string,
  header: SlabRunHeader,
  policy: Policy,
  options: SlabVerifyOptions,
): Promise<PagesVerdict | undefined> {
  const beside = path.replace(/\.jsonl(\.xz|\.gz|\.zst)?$/, '.pages.jsonl$1');
  if (beside === path || !(await exists(beside))) return undefined;
  const dumps = await readStateDumps(await openInput(beside, options.limits), {
    hasCma: guessKernel(header.release).generation === '7.2',
  });
  const dumpOf = (name: string): StateDump => {
    const dump = dumps.find(({ when }) => when === name);
    if (dump !== undefined) return dump;
    throw new InputError({ file: beside, expectation: `holds no dump named ${name}` });
  };
  const first = dumpOf('pages_initial');
  const mm = pagesFrom(first, header, policy, beside, options.max_machine_pages);
  let run: SlabVerification | undefined;
  let hasBegun = false;
  const checkpoints: VerifyCheckpoint[] = [];
  for await (const item of readSlabRun(await openInput(path, options.limits))) {
    if (item.t === 'run')
      run = new SlabVerification(
        new SlabReplay(item, policy, new PageAllocatorPages(mm), true),
        undefined,
        options.check,
      );
    else if (item.t === 'pagesnap' && item.name === first.when) hasBegun = true;
    else if (item.t === 'pagesnap') {
      checkpoints.push(compareStates({ ...dumpOf(item.name), op: item.op }, exactState(mm)));
      if (options.check) validate(mm);
      break;
    } else if (item.t !== 'pagefree') run?.take(item);
    else if (hasBegun) givePagesBack(mm, item, path);
  }
  if (run === undefined) return undefined;
  const { replay } = run;
  const made = replay.tally.parts.find(({ name }) => name === 'slabs made')!;
  return {
    first_divergence: replay.first_divergence,
    checkpoints,
    result: {
      operations: { compared: replay.operations, equal: replay.matched },
      slabs: { compared: made.compared, equal: made.equal },
      failures: { compared: replay.failures, equal: replay.failures_matched },
    },
  };
}

/** @throws InputError for pages that were not in use */
function givePagesBack(mm: PageAllocator, { op, pfns }: SlabRunPageFree, file: string): void {
  for (const pfn of pfns) {
    if (!isInUse(mm, pfn, 0))
      throw new InputError({
        file,
        field: `operation ${op}`,
        value: String(pfn),
        expectation: 'gives back a page that the dump before it does not hold in use',
      });
    freePages(mm, 0, pfn, 0);
  }
}

/** @throws InputError for a machine that is none, or not that of the run */
function pagesFrom(
  dump: StateDump,
  { cpus, nodes }: SlabRunHeader,
  policy: Policy,
  file: string,
  max_pages: number,
): PageAllocator {
  const spec = machineFromDump(dump);
  const missing = Array.from({ length: nodes }, (_, node) => node).find(
    (node) => !dump.zones.some((zone) => zone.node === node && zone.managed > 0),
  );
  if (dump.cpus !== cpus || missing !== undefined)
    throw new InputError({
      file,
      field: missing === undefined ? 'state.ncpu' : 'zone.node',
      value: String(missing ?? dump.cpus),
      expectation:
        missing === undefined
          ? `is not the ${cpus} of the run beside it`
          : 'has no memory, but the run uses it',
      remedy: 'the file with the pages belongs to the run whose name it bears',
    });
  const problem = machineProblem(spec) ?? machineSizeProblem(spec, max_pages);
  if (problem !== undefined) throw new InputError({ file, ...problem });
  const mm = new PageAllocator(spec, policy);
  loadExactState(mm, exactFromDump(dump));
  return mm;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
