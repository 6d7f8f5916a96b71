/**
 * `spbsim verify`: compares the model with a recording or with a scripted run of a real kernel.
 */
import { access } from 'node:fs/promises';
import { type ResolvedPolicy, resolvePolicy } from '../../config/resolve-policy.js';
import { toolVersion } from '../../config/tool-version.js';
import { resultPolicy } from '../../report/result-policy.js';
import type { VerifyResult } from '../../report/verify-result.js';
import { fromSystemError, InputError } from '../../trace/input-error.js';
import { guessKernel } from '../../trace/kernel-generation.js';
import type { NatTable, NestTable } from '../../trace/oracle/nest-table.js';
import type { NlrunHeader } from '../../trace/oracle/nlrun-lines.js';
import type { NolockTable } from '../../trace/oracle/nolock-table.js';
import type { SlabRunHeader } from '../../trace/oracle/slab-run-lines.js';
import { isDirectory, openRecording } from '../../trace/recording/recording.js';
import type { OpenOptions } from '../../trace/source.js';
import { digestInput } from '../input-digest.js';
import { DEFAULT_MAX_MACHINE_PAGES } from '../machine-limit.js';
import { Stopwatch } from '../stopwatch.js';
import { verifyNatTable, verifyNestTable } from './nest-verify.js';
import { verifyNlrun } from './nlrun-verify.js';
import { verifyNolockTable } from './nolock-verify.js';
import { verifyOracleRun } from './oracle-verify.js';
import { verifyRecording } from './recording-verify.js';
import { type ScriptedRunKind, scriptedRunKind } from './scripted-run-kind.js';
import { verifySlabRun } from './slab-verify.js';

export interface VerifyRequest {
  readonly input: string;
  /** undefined: the preset of the kernel that made the input, with `overrides` */
  readonly policy: ResolvedPolicy | undefined;
  readonly overrides: readonly string[];
  readonly check: boolean;
  readonly open?: OpenOptions;
  /** largest machine that the input may declare; 4 TiB by default */
  readonly max_machine_pages?: number | undefined;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
}

/** @throws InputError if the input is neither, UsageError for a policy that does not exist */
export async function verifyInput(request: VerifyRequest): Promise<VerifyResult> {
  if (await isDirectory(request.input)) return verifyDirectory(request);
  if (/\.jsonl(?:\.xz|\.gz|\.zst)?$/.test(request.input)) {
    const kind = await scriptedRunKind(request.input, request.open?.limits);
    return kind === 'pages' ? verifyScriptedRun(request) : verifySlab(request, kind);
  }
  // A path that is mistyped is no file of the wrong kind.
  await access(request.input).catch((error: unknown) => {
    throw fromSystemError(error, request.input);
  });
  throw new InputError({
    file: request.input,
    expectation: 'is neither a recording (a directory) nor a scripted run (.jsonl, .jsonl.xz)',
    remedy:
      'a trace file alone holds nothing to verify against; give the directory that it was recorded into',
  });
}

function policyFor(request: VerifyRequest, release: string): Promise<ResolvedPolicy> | ResolvedPolicy {
  return (
    request.policy ?? resolvePolicy(`mainline-${guessKernel(release).generation}`, [...request.overrides])
  );
}

function progressOf(request: VerifyRequest): (events: number) => void {
  return (events) => request.onProgress?.({ events, ts_ns: 0 });
}

async function verifyScriptedRun(request: VerifyRequest): Promise<VerifyResult> {
  const stopwatch = new Stopwatch();
  let policy: ResolvedPolicy | undefined;
  const verdict = await verifyOracleRun(
    request.input,
    async (release) => {
      policy = await policyFor(request, release);
      return policy.policy;
    },
    request.check,
    request.max_machine_pages ?? DEFAULT_MAX_MACHINE_PAGES,
    request.open?.limits,
    progressOf(request),
  );
  const { header, compared, matched } = verdict;
  return {
    schema: 'spbsim.verify/1',
    agreement: compared === 0 ? 1 : matched / compared,
    compared,
    matched,
    first_divergence: verdict.first_divergence,
    kind: 'oracle',
    title: `${header.release} ${header.mix} seed ${header.seed}`,
    tool: { name: 'spbsim', version: toolVersion() },
    input: await digestInput(request.input, 'oracle', request.input),
    kernel: header.release,
    policy: resultPolicy(policy!),
    operations: verdict.operations,
    failures: { kernel: verdict.kernel_failures, matched: verdict.failures_matched },
    checkpoints: verdict.checkpoints,
    recording: null,
    slab: null,
    notes: [],
    performance: stopwatch.read(verdict.operations),
  };
}

/** Verification by what the first line of a run says that it is. */
const SLAB_VERIFIERS = {
  slab: verifySlabRun,
  nolock: verifyNolockTable,
  nlrun: verifyNlrun,
  nest: verifyNestTable,
  nlnat: verifyNatTable,
} as const;

type AnySlabHeader =
  | SlabRunHeader
  | NlrunHeader
  | NolockTable['header']
  | NestTable['header']
  | NatTable['header'];

function titleOf(header: AnySlabHeader): string {
  const { release, name } = header;
  const accounted = 'acct' in header && header.acct === 1 ? ', accounted' : '';
  if ('seed' in header) return `${release} slab ${name} seed ${header.seed}${accounted}`;
  return `${release} table ${name}${accounted}`;
}

async function verifySlab(
  request: VerifyRequest,
  kind: Exclude<ScriptedRunKind, 'pages'>,
): Promise<VerifyResult> {
  const stopwatch = new Stopwatch();
  let policy: ResolvedPolicy | undefined;
  const verdict = await SLAB_VERIFIERS[kind](request.input, {
    policyFor: async (release) => {
      policy = await policyFor(request, release);
      return policy.policy;
    },
    check: request.check,
    max_machine_pages: request.max_machine_pages ?? DEFAULT_MAX_MACHINE_PAGES,
    limits: request.open?.limits,
    onProgress: progressOf(request),
  });
  const { header, operations, matched } = verdict;
  return {
    schema: 'spbsim.verify/1',
    agreement: operations === 0 ? 1 : matched / operations,
    compared: operations,
    matched,
    first_divergence: verdict.first_divergence,
    kind: 'oracle',
    title: titleOf(header),
    tool: { name: 'spbsim', version: toolVersion() },
    input: await digestInput(request.input, 'oracle', request.input),
    kernel: header.release,
    policy: resultPolicy(policy!),
    operations,
    failures: { kernel: verdict.failures, matched: verdict.failures_matched },
    checkpoints: [...verdict.checkpoints],
    recording: null,
    slab: verdict.slab,
    notes: 'notes' in verdict ? verdict.notes : [],
    performance: stopwatch.read(operations),
  };
}

async function verifyDirectory(request: VerifyRequest): Promise<VerifyResult> {
  const stopwatch = new Stopwatch();
  const recording = await openRecording(request.input);
  const { kernel } = recording;
  const policy = await policyFor(request, kernel.release);
  const verdict = await verifyRecording(
    recording,
    policy.policy,
    request.check,
    { open: request.open ?? {}, max_machine_pages: request.max_machine_pages ?? DEFAULT_MAX_MACHINE_PAGES },
    progressOf(request),
  );
  const { compared, matched } = verdict;
  const missing = recording.missing.map((name) => ({
    name: 'missing',
    count: 1,
    meaning: `the recording has no ${name}`,
  }));
  return {
    schema: 'spbsim.verify/1',
    agreement: compared === 0 ? 1 : matched / compared,
    compared,
    matched,
    first_divergence: verdict.first_divergence,
    kind: 'recording',
    title: `${recording.name}, Linux ${kernel.release || 'of unknown release'}`,
    tool: { name: 'spbsim', version: toolVersion() },
    input: await digestInput(request.input, 'recording', recording.trace),
    kernel: kernel.release,
    policy: resultPolicy(policy),
    operations: verdict.events,
    failures: { kernel: verdict.recorded_failures, matched: 0 },
    checkpoints: verdict.checkpoints,
    recording: verdict.recording,
    slab: null,
    notes: [...missing, ...verdict.notes],
    performance: stopwatch.read(verdict.events),
  };
}
