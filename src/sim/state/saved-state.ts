/** A run that was saved: what it was, and the state that it was in. */
import type { ResolvedPolicy } from '../../config/resolve-policy.js';
import type { MachineSpec } from '../../mm/machine-spec.js';
import type { ResultStartState } from '../../report/run-result.js';
import type { KernelGeneration } from '../../trace/kernel-generation.js';
import type { StringDelta } from '../../trace/string-table.js';
import type { Join } from '../../trace/trace-set.js';
import type { InputsRead } from '../replay-session.js';
import type { Snapshot } from './snapshot.js';

export const STATE_SCHEMA_ID = 'spbsim.state/1';

/** Inputs that were read by one command, and how many of their events were replayed. */
export interface PartRead extends InputsRead {
  readonly events: number;
}

export interface StateHead {
  readonly schema: typeof STATE_SCHEMA_ID;
  readonly tool: { readonly name: 'spbsim'; readonly version: string };
  readonly policy: ResolvedPolicy;
  readonly machine: {
    readonly kernel: string | null;
    readonly origin: string;
    readonly spec: MachineSpec;
  };
  readonly start_state: ResultStartState;
  readonly seed: number;
  /** null: none */
  readonly series_ns: number | null;
  readonly from_ns: number | null;
  readonly to_ns: number | null;
  readonly join: Join;
  /** `--kernel`; null: not given */
  readonly kernel: KernelGeneration | null;
  /** one for each command that the run was made of */
  readonly parts: readonly PartRead[];
  /** events replayed, of all parts */
  readonly events: number;
  /** times of the first and the last of them */
  readonly start_ns: number;
  readonly read_ns: number;
}

export interface SavedState {
  /** the file, as the user named it */
  readonly file: string;
  readonly head: StateHead;
  /** texts of the ids, by the numbers under which the snapshot has them; undefined if there were none */
  readonly ids: StringDelta | undefined;
  readonly snapshot: Snapshot;
}
