/**
 * What a command and the threads that replay for it say to each other. All of it can be copied from thread to thread.
 */
import type { Explanation } from '../../report/explain-document.js';
import type { RunResult } from '../../report/run-result.js';
import type { TraceKernel } from '../../trace/source.js';
import type { FromReader, PackedError } from '../../trace/worker/protocol.js';
import type { ExplainRequest } from '../explain.js';
import type { RunRequest } from '../run-trace.js';
import type { RecordingMaterial } from '../start-state/recording-material.js';

/** A run as one side makes it: everything but what is a function. */
export type SideRequest = Omit<
  RunRequest,
  'onProgress' | 'onPages' | 'signal' | 'traces' | 'save' | 'resume'
>;
export type SideExplainRequest = Omit<ExplainRequest, 'onProgress' | 'signal' | 'traces' | 'material'>;

/** The first events of the trace that was replayed last. */
export interface TraceBeginning {
  readonly slot: SharedArrayBuffer;
  readonly length: number;
  readonly kernel: TraceKernel;
}

export type ToSide =
  | {
      readonly kind: 'run';
      readonly request: SideRequest;
      /** of the recording that is replayed, if it is one with its own start state */
      readonly material: RecordingMaterial | undefined;
      readonly slots: readonly SharedArrayBuffer[];
      /** whether to say which page each event was about */
      readonly wantsPages: boolean;
    }
  | { readonly kind: 'events'; readonly message: FromReader }
  /** it is not wanted any more which pages events were about */
  | { readonly kind: 'enough_pages' }
  | { readonly kind: 'abort' }
  /** nothing more will be asked */
  | { readonly kind: 'close' }
  | {
      readonly kind: 'explain';
      readonly request: SideExplainRequest;
      /** has the event among them; else the trace is read again */
      readonly beginning: TraceBeginning | undefined;
    };

export type FromSide =
  | { readonly kind: 'free'; readonly slot: number }
  /** of one batch, by row; sent before its slot is given back */
  | { readonly kind: 'pages'; readonly pfns: Int32Array }
  | { readonly kind: 'result'; readonly result: RunResult }
  | { readonly kind: 'explanation'; readonly explanation: Explanation }
  | { readonly kind: 'error'; readonly error: PackedError };
