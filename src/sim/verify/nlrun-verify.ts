/**
 * Holds the model against scripted runs that mix kmalloc_nolock and kfree_nolock with kmalloc and kfree, below held locks,
 * accounted or not. Like runs of private caches they are run once with the record's pages and, where the page allocator's lists stand
 * beside, once more with the model's.
 */
import { exactState } from '../../mm/page-alloc/exact-state.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { validate } from '../../mm/page-alloc/validate.js';
import type { Policy } from '../../mm/policy.js';
import { PageAllocatorPages } from '../../mm/slab/page-allocator-pages.js';
import type { VerifyCheckpoint, VerifyResult } from '../../report/verify-result.js';
import { openInput } from '../../trace/bytes/open-input.js';
import { InputError } from '../../trace/input-error.js';
import { DumpProblem } from '../../trace/oracle/dump-checks.js';
import { type NlrunItem, type NlrunOp, type NlrunState, readNlrun } from '../../trace/oracle/nlrun.js';
import type { NlrunHeader } from '../../trace/oracle/nlrun-lines.js';
import type { SlabRunGeometry } from '../../trace/oracle/slab-run-lines.js';
import { exactFromDump } from '../start-state/from-dump.js';
import { isInUse } from './in-use-pages.js';
import { NlrunReplay } from './nlrun-replay.js';
import { VectorPages } from './nlrun-vector-pages.js';
import { LAST_PAGES, type PageDumps, pageDumpsBeside } from './page-dumps-beside.js';
import { compareGeometry, compareSlabState } from './slab-compare.js';
import { hiddenFailures, RecordedPages } from './slab-recorded-pages.js';
import { Tally } from './slab-tally.js';
import type { SlabVerdict, SlabVerifyOptions } from './slab-verify.js';
import { compareStates } from './state-comparison.js';

type VerifyNote = VerifyResult['notes'][number];

export type NlrunVerdict = Omit<SlabVerdict, 'header'> & {
  readonly header: NlrunHeader;
  readonly notes: VerifyNote[];
};

/** Operations between two validations with --check. */
const CHECK_INTERVAL = 500;
const PROGRESS_INTERVAL = 2_048;

/** One way through a run. */
class NlrunVerification {
  readonly checkpoints: VerifyCheckpoint[] = [];
  readonly geometry = new Tally(['geometry']);
  readonly #caches: SlabRunGeometry[] = [];
  #hasBegun = false;

  constructor(
    readonly file: string,
    readonly replay: NlrunReplay,
    readonly recorded: RecordedPages | undefined,
    readonly check: boolean,
  ) {}

  /** @throws InputError for what contradicts itself */
  take(item: NlrunItem): void {
    try {
      this.#take(item);
    } catch (error) {
      if (!(error instanceof DumpProblem)) throw error;
      const { field, value, expectation } = error;
      throw new InputError({ file: this.file, field, value, expectation });
    }
  }

  #take(item: NlrunItem): void {
    const { replay } = this;
    switch (item.t) {
      case 'geometry':
        this.#caches.push(item);
        compareGeometry(this.geometry, item, replay.addCache(item).geometry);
        return;
      case 'state':
        this.#state(item);
        return;
      case 'op':
        if (!this.#hasBegun) throw new DumpProblem('operation', 'stands before the first dump');
        this.recorded?.begin(item.made, this.#hiddenFailures(item));
        replay.operation(item);
        if (this.check && replay.operations % CHECK_INTERVAL === 0) replay.validate();
        return;
      case 'deferred':
        replay.compareDeferred(item);
        return;
      default:
        return;
    }
  }

  #state(item: NlrunState): void {
    if (!this.#hasBegun) this.replay.start(item);
    this.#hasBegun = true;
    this.checkpoints.push(compareSlabState(item.state, this.replay));
    if (this.check) this.replay.validate();
  }

  #hiddenFailures({ call }: NlrunOp): number {
    const index = this.replay.header.stats.indexOf('order_fallback');
    return call.stats.reduce(
      (sum, { cache, deltas }) => sum + hiddenFailures(this.#caches[cache]!, deltas, index),
      0,
    );
  }
}

/** Runs one such run. @throws InputError for a malformed one */
export async function verifyNlrun(path: string, options: SlabVerifyOptions): Promise<NlrunVerdict> {
  let run: NlrunVerification | undefined;
  let policy: Policy | undefined;
  for await (const item of readNlrun(await openInput(path, options.limits))) {
    if (item.t === 'run') {
      policy = await options.policyFor(item.release);
      const pages = new RecordedPages();
      run = new NlrunVerification(path, new NlrunReplay(item, policy, pages, null), pages, options.check);
      continue;
    }
    run?.take(item);
    const operations = run?.replay.operations ?? 0;
    if (operations % PROGRESS_INTERVAL === 0) options.onProgress?.(operations);
  }
  if (run === undefined || policy === undefined)
    throw new InputError({
      file: path,
      expectation: 'holds no run: it has no line {"t":"run",…}',
      remedy: 'check how it was made',
    });
  const { replay, geometry, checkpoints } = run;
  const { compared, equal, parts, differences } = geometry;
  const pages = await verifyWithPages(path, replay.header, policy, options);
  return {
    header: replay.header,
    operations: replay.operations,
    matched: replay.matched,
    failures: replay.failures,
    failures_matched: replay.failures_matched,
    first_divergence: replay.first_divergence ?? pages?.run.replay.first_divergence ?? null,
    checkpoints: [
      { name: 'geometry', index: 0, compared, equal, parts, differences },
      ...checkpoints,
      ...(pages?.checkpoints ?? []),
    ],
    slab: { parts: replay.tally.parts, pages: pages === undefined ? null : pagesResult(pages.run.replay) },
    notes: pages === undefined ? [] : notesOf(pages),
  };
}

function pagesResult(replay: NlrunReplay): NonNullable<NlrunVerdict['slab']['pages']> {
  const made = replay.tally.parts.find(({ name }) => name === 'slabs made')!;
  return {
    operations: { compared: replay.operations, equal: replay.matched },
    slabs: { compared: made.compared, equal: made.equal },
    failures: { compared: replay.failures, equal: replay.failures_matched },
  };
}

interface PagesRun {
  readonly run: NlrunVerification;
  readonly checkpoints: readonly VerifyCheckpoint[];
  /** null where nothing was accounted */
  readonly vectors: VectorPages | null;
  readonly growing: ReadonlySet<number>;
}

/** The same run with the model's page allocator below, from the page lists recorded beside it. */
async function verifyWithPages(
  path: string,
  header: NlrunHeader,
  policy: Policy,
  options: SlabVerifyOptions,
): Promise<PagesRun | undefined> {
  const pages = await pageDumpsBeside(path, header, options);
  if (pages === undefined) return undefined;
  const first = await runWithPages(path, pages, policy, options, new Set());
  const growing = first?.vectors?.explaining(exactFromDump(pages.dump(LAST_PAGES)));
  if (growing === undefined || growing.size === 0) return first;
  return runWithPages(path, pages, policy, options, growing);
}

/** @param growing requests for vectors that made their cache take a slab */
async function runWithPages(
  path: string,
  pages: PageDumps,
  policy: Policy,
  options: SlabVerifyOptions,
  growing: ReadonlySet<number>,
): Promise<PagesRun | undefined> {
  const mm = pages.start(policy);
  const checkpoints: VerifyCheckpoint[] = [];
  let run: NlrunVerification | undefined;
  let vectors: VectorPages | null = null;
  for await (const item of readNlrun(await openInput(path, options.limits))) {
    if (item.t === 'run') {
      const replay = new NlrunReplay(item, policy, new PageAllocatorPages(mm), mm);
      run = new NlrunVerification(path, replay, undefined, options.check);
      if (replay.charges === null) continue;
      vectors = new VectorPages(mm, replay.pages, replay.kmalloc, growing);
      replay.charges.tellOfVectors(vectors);
    } else if (item.t === 'state') {
      checkInUse(mm, item, path);
      run?.take(item);
    } else if (item.t === 'pagesnap' && item.name === LAST_PAGES) {
      checkpoints.push(compareStates({ ...pages.dump(item.name), op: item.op }, exactState(mm)));
      if (options.check) validate(mm);
      break;
    } else run?.take(item);
  }
  return run === undefined ? undefined : { run, checkpoints, vectors, growing };
}

function notesOf({ growing }: PagesRun): VerifyNote[] {
  if (growing.size === 0) return [];
  return [
    {
      name: 'pages of vectors',
      count: growing.size,
      meaning: 'slabs of caches that the run did not record, taken for vectors; the last dump shows them',
    },
  ];
}

/** @throws InputError for slabs on pages that the page allocator does not hold in use */
function checkInUse(mm: PageAllocator, { found }: NlrunState, file: string): void {
  for (const { n, pfn, order } of found)
    if (!isInUse(mm, pfn, order))
      throw new InputError({
        file,
        field: `slab ${n}`,
        value: String(pfn),
        expectation: 'has pages that the dump beside the run does not hold in use',
      });
}
