/**
 * Holds the model's slab allocator against a scripted run of a real kernel: geometry, each operation, every list.
 *
 * Pages come from the record. Where the page allocator's own lists were recorded beside the run, it is run once more
 * with the model's page allocator below, which must then give every slab the same pages.
 */
import { exactState } from '../../mm/page-alloc/exact-state.js';
import { freePages } from '../../mm/page-alloc/free-owned.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { validate } from '../../mm/page-alloc/validate.js';
import type { Policy } from '../../mm/policy.js';
import { PageAllocatorPages } from '../../mm/slab/page-allocator-pages.js';
import { validateSlabs } from '../../mm/slab/validate-slab.js';
import type { VerifyCheckpoint, VerifyDivergence, VerifySlab } from '../../report/verify-result.js';
import { openInput } from '../../trace/bytes/open-input.js';
import { InputError } from '../../trace/input-error.js';
import type { TraceLimits } from '../../trace/limits.js';
import {
  readSlabRun,
  type SlabRunItem,
  type SlabRunOp,
  type SlabRunPageFree,
} from '../../trace/oracle/slab-run.js';
import type { SlabRunGeometry, SlabRunHeader } from '../../trace/oracle/slab-run-lines.js';
import { isInUse } from './in-use-pages.js';
import { FIRST_PAGES, pageDumpsBeside } from './page-dumps-beside.js';
import { compareGeometry, compareSlabState } from './slab-compare.js';
import { hiddenFailures, RecordedPages } from './slab-recorded-pages.js';
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

  #hiddenFailures({ calls }: SlabRunOp): number {
    const index = this.replay.header.stats.indexOf('order_fallback');
    return calls.reduce((sum, call) => sum + hiddenFailures(this.#caches[call.cache]!, call.stats, index), 0);
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
  const pages = await pageDumpsBeside(path, header, options);
  if (pages === undefined) return undefined;
  const mm = pages.start(policy);
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
    else if (item.t === 'pagesnap' && item.name === FIRST_PAGES) hasBegun = true;
    else if (item.t === 'pagesnap') {
      checkpoints.push(compareStates({ ...pages.dump(item.name), op: item.op }, exactState(mm)));
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
