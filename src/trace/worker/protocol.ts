/**
 * What the reading thread and the replaying thread say to each other.
 *
 * Columns travel in shared memory: a few slots, each as large as a batch, that go round between the two. Strings travel
 * as what each table gained since the last batch. Errors travel as their parts, and are errors of the same kind again on
 * the other side.
 */
import { InputError, InputErrors, type InputProblem } from '../input-error.js';
import type { TraceKernel } from '../source.js';
import type { StringDelta, TraceStrings } from '../string-table.js';
import type { TraceSetReport, TraceSetRequest } from '../trace-set.js';

export interface WorkerData {
  readonly request: TraceSetRequest;
  /** memory of each slot's columns */
  readonly slots: readonly SharedArrayBuffer[];
  /** string tables that the other side reads from; the others stay here */
  readonly tables: readonly (keyof TraceStrings)[];
}

export type FromReader =
  | { readonly kind: 'opened'; readonly kernel: TraceKernel; readonly files: readonly string[] }
  | {
      readonly kind: 'batch';
      readonly slot: number;
      readonly length: number;
      readonly strings: Readonly<Partial<Record<keyof TraceStrings, StringDelta>>>;
    }
  | { readonly kind: 'end'; readonly report: TraceSetReport }
  | { readonly kind: 'error'; readonly error: PackedError };

export type ToReader = { readonly kind: 'free'; readonly slot: number } | { readonly kind: 'stop' };

export type PackedError =
  | { readonly kind: 'input'; readonly problem: InputProblem }
  | { readonly kind: 'inputs'; readonly problems: readonly InputProblem[]; readonly complete: boolean }
  | { readonly kind: 'other'; readonly name: string; readonly message: string; readonly stack: string };

function problemOf(error: InputError): InputProblem {
  const { file, line, column, field, value, expectation, remedy, isCut } = error;
  return { file, line, column, field, value, expectation, remedy, isCut };
}

export function packError(error: unknown): PackedError {
  if (error instanceof InputError) return { kind: 'input', problem: problemOf(error) };
  if (error instanceof InputErrors)
    return { kind: 'inputs', problems: error.errors.map(problemOf), complete: error.complete };
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { kind: 'other', name, message, stack: stack ?? message };
}

export function unpackError(packed: PackedError): Error {
  if (packed.kind === 'input') return new InputError(packed.problem);
  if (packed.kind === 'inputs')
    return new InputErrors(
      packed.problems.map((problem) => new InputError(problem)),
      packed.complete,
    );
  return Object.assign(new Error(packed.message), { name: packed.name, stack: packed.stack });
}
