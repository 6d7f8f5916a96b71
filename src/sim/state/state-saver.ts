/**
 * Saves a run at a point of its trace, or where it ends.
 *
 * The state is copied when its point has come, and written when the inputs have been read to their end: only then is known what
 * they are, which whoever goes on with it has to know.
 */
import { stat } from 'node:fs/promises';
import { toolVersion } from '../../config/tool-version.js';
import { digestFile } from '../../trace/bytes/digest.js';
import type { EventBatch } from '../../trace/event-batch.js';
import { InputError } from '../../trace/input-error.js';
import type { StringDelta, TraceStrings } from '../../trace/string-table.js';
import type { TraceSet } from '../../trace/trace-set.js';
import { inputsRead, type ReplaySession } from '../replay-session.js';
import type { RunRequest } from '../run-trace.js';
import { rowOfPoint, type SavePoint } from './save-point.js';
import { type PartRead, STATE_SCHEMA_ID, type StateHead } from './saved-state.js';
import { Snapshot } from './snapshot.js';
import { writeState } from './state-file.js';

/** What became of a state that was to be saved. */
export type SaveOutcome =
  | { readonly kind: 'saved'; readonly events: number; readonly ns: number; readonly bytes: number }
  /** the trace ended before the point */
  | { readonly kind: 'not_reached' }
  /** the file could not be written; the run is not affected */
  | { readonly kind: 'failed'; readonly error: unknown };

export interface SaveRequest {
  readonly path: string;
  /** undefined: where the replay ends */
  readonly at: SavePoint | undefined;
  readonly onSaved: (outcome: SaveOutcome) => void;
}

/** A state that waits to be written. */
interface Taken {
  readonly snapshot: Snapshot;
  readonly ids: StringDelta | undefined;
  readonly events: number;
  readonly start_ns: number;
  readonly read_ns: number;
}

export class StateSaver {
  #taken: Taken | undefined;

  /** @param before parts of the run that other commands replayed */
  constructor(
    readonly save: SaveRequest,
    readonly request: RunRequest,
    readonly session: ReplaySession,
    readonly before: readonly PartRead[],
  ) {}

  /** The row of a batch before which the session is to be saved; undefined if it lies in another batch. */
  rowIn(batch: EventBatch, first: number): number | undefined {
    const { at } = this.save;
    if (at === undefined || this.#taken !== undefined) return undefined;
    return rowOfPoint(at, batch, first, this.session);
  }

  take(strings: TraceStrings): void {
    const { events_read: events, start_ns, read_ns } = this.session;
    const snapshot = Snapshot.of(this.session);
    this.#taken = { snapshot, ids: strings.ids.added(1), events, start_ns, read_ns };
  }

  /** All that there is has been replayed. */
  async end(set: TraceSet): Promise<void> {
    const { path, at, onSaved } = this.save;
    if (at === undefined && this.session.events_read > 0) this.take(set.source.strings);
    const taken = this.#taken;
    if (taken === undefined) return onSaved({ kind: 'not_reached' });
    const { snapshot, ids, events, start_ns, read_ns } = taken;
    try {
      const head = await this.#head(set, taken);
      const bytes = await writeState(path, { head, ids, snapshot });
      onSaved({ kind: 'saved', events, ns: read_ns - start_ns, bytes });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      onSaved({ kind: 'failed', error });
    }
  }

  async #head(set: TraceSet, { events, start_ns, read_ns }: Taken): Promise<StateHead> {
    const { request, before } = this;
    const { start } = this.session;
    const part: PartRead = {
      ...inputsRead(await withDigests(set)),
      events: events - before.reduce((sum, part) => sum + part.events, 0),
    };
    return {
      schema: STATE_SCHEMA_ID,
      tool: { name: 'spbsim', version: toolVersion() },
      policy: request.policy,
      machine: { kernel: start.kernel, origin: start.origin, spec: start.mm.spec },
      start_state: start.state,
      seed: request.seed,
      series_ns: request.series_ns ?? null,
      from_ns: request.from_ns ?? null,
      to_ns: request.to_ns ?? null,
      join: request.join ?? 'time',
      kernel: request.open.kernel ?? null,
      parts: [...before, part],
      events,
      start_ns,
      read_ns,
    };
  }
}

/** What was read, with the digests of files that were left before their end. */
async function withDigests(set: TraceSet): Promise<ReturnType<TraceSet['report']>> {
  const report = set.report();
  const inputs = report.inputs.map(async (input, i) => {
    const file = set.files[i];
    const isNamed = file !== undefined && file !== '-';
    const isFile = input.sha256 === '' && isNamed && (await stat(file)).isFile();
    return isFile ? { ...input, ...(await digestFile(file)) } : input;
  });
  return { ...report, inputs: await Promise.all(inputs) };
}
