/**
 * Going on with a saved run.
 *
 * Inputs that are, byte for byte, those that the state was saved from are read from their start, and replayed from where the state
 * was saved. Any others are taken for what follows.
 */
import { stat } from 'node:fs/promises';
import { UsageError } from '../../config/usage-error.js';
import { InvariantError } from '../../mm/invariant.js';
import { brokenList } from '../../mm/machine-state.js';
import { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { digestFile } from '../../trace/bytes/digest.js';
import type { EventBatch } from '../../trace/event-batch.js';
import { InputError } from '../../trace/input-error.js';
import { isDirectory, openRecording } from '../../trace/recording/recording.js';
import { isGenerated } from '../generated-name.js';
import type { Start } from '../prepare-run.js';
import { ReplaySession, type SessionOptions } from '../replay-session.js';
import type { PartRead, SavedState } from './saved-state.js';
import { otherVersion } from './state-file.js';

/** How the inputs of a command go on with a saved run. */
export interface Continuation {
  readonly saved: SavedState;
  /** same, generated: the inputs begin with what has been replayed; follows: with what comes behind it */
  readonly kind: 'same' | 'generated' | 'follows';
  /** events that have been replayed already */
  readonly skip: number;
  /** parts of the run that are not among the inputs */
  readonly before: readonly PartRead[];
}

/** How `inputs` go on with a saved run. @throws UsageError for a generated workload that is another one */
export async function continuationOf(saved: SavedState, inputs: readonly string[]): Promise<Continuation> {
  const { parts, events } = saved.head;
  const last = parts.at(-1)!;
  const generated = inputs.find(isGenerated);
  if (generated !== undefined) {
    if (last.inputs.length === 1 && last.inputs[0]!.path === generated)
      return { saved, kind: 'generated', skip: last.events, before: [] };
    throw new UsageError(
      `${generated} cannot follow what ${saved.file} was saved from: a generated workload begins at its own start`,
    );
  }
  if (await isRepeated([last], inputs))
    return { saved, kind: 'same', skip: last.events, before: parts.slice(0, -1) };
  if (parts.length > 1 && (await isRepeated(parts, inputs)))
    return { saved, kind: 'same', skip: events, before: [] };
  return { saved, kind: 'follows', skip: 0, before: parts };
}

/** Whether the inputs are, in this order, those of the parts. Standard input cannot be told before it is read. */
async function isRepeated(parts: readonly PartRead[], inputs: readonly string[]): Promise<boolean> {
  const known = parts.flatMap((part) => part.inputs);
  if (known.length !== inputs.length || known.some(({ sha256 }) => sha256 === '')) return false;
  const files: string[] = [];
  for (const [i, input] of inputs.entries()) {
    if (input === '-') return false;
    const file = (await isDirectory(input)) ? (await openRecording(input)).trace : input;
    // Sizes are told at once, digests take a reading.
    const found = await stat(file).catch(() => undefined);
    if (found?.isFile() !== true || found.size !== known[i]!.bytes) return false;
    files.push(file);
  }
  for (const [i, file] of files.entries())
    if ((await digestFile(file)).sha256 !== known[i]!.sha256) return false;
  return true;
}

/** A session in the saved state. @throws InputError where the state does not fit */
export function resumedSession(options: SessionOptions, { saved, before }: Continuation): ReplaySession {
  const session = new ReplaySession(options, startOf(saved));
  for (const part of before) session.addInputs(part);
  restoreSession(session, saved);
  return session;
}

function startOf({ head }: SavedState): Start {
  const { kernel, origin, spec } = head.machine;
  const mm = new PageAllocator(spec, head.policy.policy);
  return { mm, origin, kernel, state: head.start_state, material: undefined };
}

function restoreSession(session: ReplaySession, { file, head, snapshot }: SavedState): void {
  try {
    snapshot.restore(session, (text) => otherVersion(file, text));
    // A file can say anything; what the model would stumble over later is told now.
    const broken = brokenList(session.start.mm);
    if (broken !== undefined) throw new InvariantError(broken);
    session.validate();
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError({
      file,
      expectation: `holds a state that no run leaves: ${error instanceof Error ? error.message : error}`,
      remedy: 'replay the trace and save again',
    });
  }
  if (session.events_read !== head.events || session.read_ns !== head.read_ns)
    throw otherVersion(file, 'its head and its state differ');
}

/** Watches that what is read goes on where the saved run ended. */
export class Resumption {
  #left: number;

  constructor(
    readonly from: Continuation,
    /** for messages */
    readonly input: string,
  ) {
    this.#left = from.skip;
  }

  /** First row of a batch that has not been replayed yet. @throws InputError */
  firstRow(batch: EventBatch): number {
    const { kind, saved } = this.from;
    const { read_ns, start_ns } = saved.head;
    const first = Math.min(this.#left, batch.length);
    const isLastSkipped = first > 0 && first === this.#left;
    this.#left -= first;
    if (isLastSkipped && batch.ts[first - 1] !== read_ns) throw this.#differs();
    if (kind === 'follows' && first < batch.length && batch.ts[first]! < read_ns)
      throw new InputError({
        file: this.input,
        expectation: `begins ${seconds(batch.ts[first]! - start_ns)} after the start of the saved run, which went on to ${seconds(read_ns - start_ns)}`,
        remedy:
          'give the inputs that the state was saved from, unchanged and in their order, or what comes behind them',
      });
    return first;
  }

  /** The inputs have ended. @throws InputError */
  end(): void {
    if (this.#left > 0) throw this.#differs();
  }

  #differs(): InputError {
    return new InputError({
      file: this.input,
      expectation: `is read as other events than when ${this.from.saved.file} was saved`,
      remedy: 'read it with the same options, such as --kernel and --skip-invalid',
    });
  }
}

function seconds(ns: number): string {
  return `${ns / 1e9} s`;
}
