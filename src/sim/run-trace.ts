/**
 * `spbsim run`: traces in, one result document out.
 */
import type { RunResult } from '../report/run-result.js';
import type { EventBatch } from '../trace/event-batch.js';
import { REPLAYED_TABLES } from '../trace/open-traces.js';
import type { Join, TraceSet } from '../trace/trace-set.js';
import type { InjectSpec } from './interruption/inject-spec.js';
import { openInputs } from './open-inputs.js';
import { NO_PAGE } from './page-owners.js';
import { prepareStart, type StartRequest } from './prepare-run.js';
import { inputsRead, ReplaySession } from './replay-session.js';
import type { Continuation, Resumption } from './state/resume.js';
import type { SaveRequest, StateSaver } from './state/state-saver.js';
import { Stopwatch } from './stopwatch.js';

export interface RunRequest extends StartRequest {
  readonly from_ns?: number;
  readonly to_ns?: number;
  readonly series_ns?: number;
  readonly check: boolean;
  /** one stream by time stamps, or each behind the one before */
  readonly join?: Join;
  /** the inputs, if they have been opened ahead; with `save`, all their string tables */
  readonly traces?: () => Promise<TraceSet>;
  readonly seed: number;
  /** operations that strike inside those of the trace */
  readonly inject?: readonly InjectSpec[];
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  /**
   * Is told for each batch which page each of its events was about (NO_PAGE: none), until it answers false. Free-running
   * replays only.
   */
  readonly onPages?: (pfns: Int32Array) => boolean;
  /** asks for an early end; the result is then of the part that ran, with `interrupted` set */
  readonly signal?: AbortSignal;
  /** saves the run at a point, or where it ends. Free-running replays only. */
  readonly save?: SaveRequest;
  /** goes on with a saved run; policy, machine, times and seed must be its own */
  readonly resume?: Continuation;
}

/** Replays the inputs, joined to one trace, on one machine. @throws InputError, InvariantError */
export async function runTraces(request: RunRequest): Promise<RunResult> {
  const stopwatch = new Stopwatch();
  const session = await newSession(request);
  await replayInputs(request, session);
  return session.result({ stopwatch, interrupted: request.signal?.aborted ?? false });
}

async function newSession(request: RunRequest): Promise<ReplaySession> {
  if (request.resume === undefined) return new ReplaySession(request, await prepareStart(request));
  const { resumedSession } = await import('./state/resume.js');
  return resumedSession(request, request.resume);
}

async function replayInputs(request: RunRequest, session: ReplaySession): Promise<void> {
  const { signal, onProgress } = request;
  const set = await (request.traces?.() ?? openRequested(request));
  const saver = await newSaver(request, session);
  const resumption = await newResumption(request);
  const pages = new PagesTold(request.onPages);
  for await (const batch of set.source.batches()) {
    if (signal?.aborted) break;
    if (batch.length > 0) {
      const first = resumption?.firstRow(batch) ?? 0;
      pages.note(session, batch, () => feed(session, batch, first, saver));
    }
    onProgress?.(session.progress);
    // Without a turn of the event loop an interrupt would not be seen.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (!signal?.aborted) resumption?.end();
  session.addInputs(inputsRead(set.report()));
  await saver?.end(set);
}

function openRequested({ inputs, join, open, seed, resume, save }: RunRequest): Promise<TraceSet> {
  const ids = resume?.saved.ids;
  // Whoever goes on with what is saved has to know the objects by their names.
  const tables = save === undefined ? REPLAYED_TABLES : undefined;
  const known = ids === undefined || resume?.kind === 'generated' ? undefined : { ids };
  return openInputs({ inputs, join, open, tables, known }, seed);
}

async function newSaver(request: RunRequest, session: ReplaySession): Promise<StateSaver | undefined> {
  if (request.save === undefined) return undefined;
  const { StateSaver } = await import('./state/state-saver.js');
  return new StateSaver(request.save, request, session, request.resume?.before ?? []);
}

async function newResumption({ resume, inputs }: RunRequest): Promise<Resumption | undefined> {
  if (resume === undefined) return undefined;
  const { Resumption } = await import('./state/resume.js');
  return new Resumption(resume, inputs[0]!);
}

/** Replays a batch from a row on, and saves the run on the way if its point lies there. */
function feed(session: ReplaySession, batch: EventBatch, first: number, saver: StateSaver | undefined): void {
  let from = first;
  const row = saver?.rowIn(batch, first);
  if (row !== undefined) {
    session.feed(batch, first, row);
    saver?.take(batch.strings);
    from = row;
  }
  session.feed(batch, from);
}

/** Tells who wants to know which pages events were about. */
class PagesTold {
  #onPages: RunRequest['onPages'];

  constructor(onPages: RunRequest['onPages']) {
    this.#onPages = onPages;
  }

  note(session: ReplaySession, batch: EventBatch, replay: () => void): void {
    if (this.#onPages !== undefined) session.pages = new Int32Array(batch.length).fill(NO_PAGE);
    replay();
    if (session.pages !== null && this.#onPages?.(session.pages) !== true) this.#onPages = undefined;
    session.pages = null;
  }
}
