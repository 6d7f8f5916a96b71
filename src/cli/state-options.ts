/**
 * `--save-state`, `--save-at` and `--load-state`: which state is written where, which one a run goes on with, and whether the other
 * options agree with it.
 */
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseDuration } from '../config/duration.js';
import { KNOB_TABLE } from '../config/knob-text.js';
import { withBuild } from '../config/machine-build.js';
import { type ResolvedPolicy, resolvePolicy } from '../config/resolve-policy.js';
import { UsageError } from '../config/usage-error.js';
import type { KnobName } from '../mm/policy.js';
import { bytes, duration, thousands } from '../report/quantities.js';
import { printable } from '../report/sanitize.js';
import type { RunRequest } from '../sim/run-trace.js';
import { type Continuation, continuationOf } from '../sim/state/resume.js';
import type { SavePoint } from '../sim/state/save-point.js';
import type { StateHead } from '../sim/state/saved-state.js';
import { readState } from '../sim/state/state-file.js';
import type { SaveOutcome, SaveRequest } from '../sim/state/state-saver.js';
import { fromSystemError } from '../trace/input-error.js';
import type { OpenOptions } from '../trace/source.js';
import type { Join } from '../trace/trace-set.js';
import { ExitCode } from './exit-codes.js';
import { chooseMachine, type MachineOptions } from './machine-options.js';
import { machineLimit } from './option-values.js';
import { reportError } from './report-error.js';
import { chooseTimes, type TimeOptions } from './time-options.js';

export interface StateOptions {
  readonly saveState?: string;
  readonly saveAt?: string;
  readonly loadState?: string;
}

/** Options that a saved state speaks about. */
export interface RunLikeOptions extends StateOptions, MachineOptions, TimeOptions {
  readonly mode: 'free' | 'pinned';
  readonly join: Join;
  readonly seed: number;
  readonly maxMachine?: string;
}

/** Whether an option was given, or has its default. */
export type IsGiven = (option: 'seed' | 'join') => boolean;

/** What the options make of a run. */
export interface StateChoice {
  readonly request: Pick<RunRequest, 'save' | 'resume'> & Partial<RunRequest>;
  /** tells what became of the state; to be called when the run is over */
  readonly tell: () => void;
}

/** @throws UsageError, InputError */
export async function chooseState(
  inputs: readonly string[],
  options: RunLikeOptions,
  open: OpenOptions,
  isGiven: IsGiven,
): Promise<StateChoice> {
  const { saveState, saveAt, loadState } = options;
  if (saveAt !== undefined && saveState === undefined)
    throw new UsageError(`--save-at ${saveAt}: add --save-state FILE, which is written there`);
  if (options.mode === 'pinned')
    throw new UsageError(
      '--mode pinned can be neither saved nor resumed: it rests on the whole recording; leave it or --save-state and --load-state out',
    );
  const at = saveAt === undefined ? undefined : parsePoint(saveAt);
  if (saveState !== undefined) await checkTarget(saveState);
  const resume = loadState === undefined ? undefined : await chooseResume(loadState, inputs, options, open);
  let outcome: SaveOutcome | undefined;
  const onSaved = (told: SaveOutcome) => {
    outcome = told;
  };
  const save: SaveRequest | undefined =
    saveState === undefined ? undefined : { path: saveState, at, onSaved };
  const tell = () => {
    if (outcome !== undefined) tellOutcome(options, outcome);
  };
  if (resume === undefined) return { request: save === undefined ? {} : { save }, tell };
  await checkAgreement(resume, options, isGiven);
  if (at !== undefined) checkAhead(saveAt!, at, resume.saved.head);
  tellResumed(resume, inputs);
  return { request: { ...requestOf(resume, options, open, isGiven), resume, ...(save && { save }) }, tell };
}

function parsePoint(text: string): SavePoint {
  const equals = text.indexOf('=');
  const value = text.slice(equals + 1);
  switch (text.slice(0, Math.max(0, equals))) {
    case 'event':
      if (/^[1-9]\d{0,14}$/.test(value)) return { kind: 'event', events: Number(value) };
      break;
    case 'time': {
      const ns = parseDuration(value);
      if (ns !== undefined && ns > 0) return { kind: 'time', ns };
      break;
    }
    case 'mark':
      if (value !== '') return { kind: 'mark', name: value };
  }
  throw new UsageError(`--save-at ${text}: expected event=N, time=1.5s or mark=NAME`);
}

/** A long run should not find out at its end that its state has no place. */
async function checkTarget(path: string): Promise<void> {
  if (path === '-') throw new UsageError('--save-state -: the state goes to a file, the result to stdout');
  try {
    if ((await stat(path).catch(() => undefined))?.isDirectory())
      throw Object.assign(new Error(), { code: 'EISDIR' });
    await stat(dirname(path));
  } catch (error) {
    throw fromSystemError(error, path, 'written');
  }
}

async function chooseResume(
  path: string,
  inputs: readonly string[],
  options: RunLikeOptions,
  { limits }: OpenOptions,
): Promise<Continuation> {
  const max_machine_pages = await machineLimit(options.maxMachine);
  return continuationOf(await readState(path, { limits, max_machine_pages }), inputs);
}

/** What the state says of the run. */
function requestOf(
  { kind, saved: { head } }: Continuation,
  options: RunLikeOptions,
  open: OpenOptions,
  isGiven: IsGiven,
): Partial<RunRequest> {
  const isSame = kind === 'same';
  return {
    policy: head.policy,
    seed: head.seed,
    join: isSame && !isGiven('join') ? head.join : options.join,
    open: isSame && open.kernel === undefined ? { ...open, kernel: head.kernel ?? undefined } : open,
    ...(head.from_ns === null ? {} : { from_ns: head.from_ns }),
    ...(head.to_ns === null ? {} : { to_ns: head.to_ns }),
    ...(head.series_ns === null ? {} : { series_ns: head.series_ns }),
  };
}

function differs(option: string, what: string, here: unknown, saved: unknown): UsageError {
  const text = (value: unknown) =>
    value === undefined || value === null ? 'nothing' : JSON.stringify(value);
  return new UsageError(
    `${option}: ${what} is ${text(here)}, but ${text(saved)} in the saved run; leave the option out, the state says it`,
  );
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A saved run goes on as it began. @throws UsageError that names the first option that says otherwise */
async function checkAgreement(
  { kind, saved: { head } }: Continuation,
  options: RunLikeOptions,
  isGiven: IsGiven,
): Promise<void> {
  await checkPolicy(head.policy, options);
  await checkMachine(head, options);
  if (isGiven('seed') && options.seed !== head.seed) throw differs('--seed', 'it', options.seed, head.seed);
  const times = await chooseTimes(options);
  for (const name of ['from', 'to', 'series'] as const)
    if (options[name] !== undefined && times[`${name}_ns`] !== head[`${name}_ns`])
      throw differs(`--${name} ${options[name]}`, 'it', times[`${name}_ns`], head[`${name}_ns`]);
  if (kind === 'same' && isGiven('join') && options.join !== head.join)
    throw differs('--join', 'it', options.join, head.join);
}

async function checkPolicy(saved: ResolvedPolicy, { policy, set }: MachineOptions): Promise<void> {
  if (policy === undefined && set.length === 0) return;
  const given = await resolvePolicy(policy, set);
  for (const name of Object.keys(KNOB_TABLE) as KnobName[]) {
    // Without --policy only what --set says is said.
    const isSet = given.origin[name] === '--set';
    if ((policy === undefined && !isSet) || isEqual(given.policy[name], saved.policy[name])) continue;
    throw differs(isSet ? '--set' : `--policy ${policy}`, name, given.policy[name], saved.policy[name]);
  }
}

async function checkMachine({ machine: saved }: StateHead, options: MachineOptions): Promise<void> {
  const { machine: size, machineOrigin, build } = await chooseMachine(options);
  if (size === undefined && build === undefined) return;
  const machine = withBuild(size ?? saved.spec, build);
  const said = [machineOrigin ?? [], build === undefined ? [] : `--build ${build.text}`].flat().join(' ');
  for (const name of [
    'cpu_nodes',
    'node_distances',
    'zones',
    'cpu_cache_bytes',
    'thp',
    'max_pfn',
    'build',
  ] as const) {
    if (isEqual(machine[name], saved.spec[name])) continue;
    throw new UsageError(
      `${said}: ${name} differ from those of the saved run (${saved.origin}); leave the option out, the state says it`,
    );
  }
}

/** The place must lie behind what has been replayed. */
function checkAhead(text: string, at: SavePoint, { events, start_ns, read_ns }: StateHead): void {
  const isBehind =
    (at.kind === 'event' && at.events <= events) || (at.kind === 'time' && start_ns + at.ns <= read_ns);
  if (isBehind)
    throw new UsageError(
      `--save-at ${text}: the saved run is past it, at event ${thousands(events)} (${duration(read_ns - start_ns)})`,
    );
}

function tellResumed({ kind, before, saved: { head } }: Continuation, inputs: readonly string[]): void {
  const at = `event ${thousands(head.events)} (${duration(head.read_ns - head.start_ns)} of the trace)`;
  const names = inputs.join(', ');
  const earlier = before.flatMap((part) => part.inputs.map(({ path }) => path)).join(', ');
  const text = kind === 'follows' ? `${names} follows ${at} of ${earlier}` : `resumed at ${at} of ${names}`;
  process.stderr.write(`${printable(text)}\n`);
}

function tellOutcome({ saveState = '', saveAt }: StateOptions, outcome: SaveOutcome): void {
  if (outcome.kind === 'saved') {
    const { events, ns, bytes: size } = outcome;
    const at = `event ${thousands(events)} (${duration(ns)} of the trace)`;
    process.stderr.write(`${printable(`saved to ${saveState} (${bytes(size)}) after ${at}`)}\n`);
    return;
  }
  if (process.exitCode !== ExitCode.interrupted) process.exitCode = ExitCode.invalidInput;
  if (outcome.kind === 'failed') process.stderr.write(reportError(outcome.error).text);
  else if (saveAt === undefined)
    process.stderr.write(
      `${printable(`--save-state ${saveState}: no event was replayed`)}; nothing was saved\n`,
    );
  else
    process.stderr.write(
      `${printable(`--save-at ${saveAt}`)}: the replay ended before it; nothing was saved\n`,
    );
}
