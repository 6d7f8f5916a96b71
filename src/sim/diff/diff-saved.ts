/** Two saved results side by side: what `run --json` printed, on whatever machines, whenever. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { toolVersion } from '../../config/tool-version.js';
import { compareMaps } from '../../report/diff/compare-maps.js';
import { compareMetrics, countVerdicts } from '../../report/diff/compare-metrics.js';
import type { DiffResult } from '../../report/diff-result.js';
import type { RunResult } from '../../report/run-result.js';
import { InputError } from '../../trace/input-error.js';

export interface SavedResult {
  readonly path: string;
  readonly result: RunResult;
}

/** A result of a 1 TiB machine with a map and 100,000 samples stays below this. */
const MAX_RESULT_BYTES = 1 << 30;
/** `schema` is the first key of the document. */
const LOOK_BYTES = 4096;
const SCHEMA_KEY = /^\s*\{\s*"schema"\s*:\s*"spbsim\.result\/(\d+)"/;
const SUPPORTED = '1';

async function readText(path: string, end?: number): Promise<string> {
  const parts: Buffer[] = [];
  const options = end === undefined ? {} : { end };
  for await (const part of createReadStream(path, options)) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

/** Whether a file begins as a result document does, of whatever version. */
export async function isSavedResult(path: string): Promise<boolean> {
  return SCHEMA_KEY.test(await readText(path, LOOK_BYTES));
}

/** @throws InputError  if it is not a result document of this version */
export async function readSavedResult(path: string): Promise<SavedResult> {
  const { size } = await stat(path);
  const remedy = 'save one with: spbsim run TRACE --json > FILE';
  if (size > MAX_RESULT_BYTES)
    throw new InputError({ file: path, expectation: `is ${size} bytes long; a result has at most 1 GiB` });
  const text = await readText(path);
  const version = SCHEMA_KEY.exec(text)?.[1];
  if (version !== undefined && version !== SUPPORTED)
    throw new InputError({
      file: path,
      expectation: `is a result document of version ${version}, and this spbsim knows version ${SUPPORTED}`,
      remedy: 'run the trace again with this spbsim',
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError({ file: path, expectation: `is no JSON: ${(error as Error).message}`, remedy });
  }
  const { resultSchema } = await import('../../report/result-schema.js');
  const checked = resultSchema.safeParse(value);
  if (checked.success) return { path, result: checked.data };
  const [issue] = checked.error.issues;
  throw new InputError({
    file: path,
    expectation: `is no result document: ${issue!.path.join('.') || 'it'}: ${issue!.message}`,
    remedy,
  });
}

/** @param labels  what tables call the two */
export function diffSaved(
  a: SavedResult,
  b: SavedResult,
  labels: readonly [a: string, b: string],
): DiffResult {
  const rows = compareMetrics([a.result.metrics], [b.result.metrics]);
  const counts = countVerdicts(rows);
  const { span, inputs, seed, start_state } = a.result;
  return {
    schema: 'spbsim.diff/1',
    tool: { name: 'spbsim', version: toolVersion() },
    kind: 'results',
    a: sideOf(a, labels[0]),
    b: sideOf(b, labels[1]),
    knobs: differingKnobs(a.result, b.result),
    counts,
    cases: [
      {
        trace: inputs.map(({ path }) => path).join(' '),
        inputs: inputs.map(({ path, sha256 }) => ({ path, sha256 })),
        seeds: [seed],
        events: span.events,
        span_ns: span.last_ns - span.first_ns,
        start_state: start_state.kind,
        same_pages: null,
        first_difference: null,
        counts,
        rows,
        map: compareMaps(a.result.zones, b.result.zones),
      },
    ],
    notes: doubts(a.result, b.result),
  };
}

function sideOf({ path, result }: SavedResult, label: string): DiffResult['a'] {
  const { policy, machine } = result;
  return { label, policy: policy.name, overrides: policy.overrides, machine: machine.origin, saved: path };
}

function differingKnobs(a: RunResult, b: RunResult): DiffResult['knobs'] {
  const names = new Set([...Object.keys(a.policy.knobs), ...Object.keys(b.policy.knobs)]);
  const text = ({ policy }: RunResult, knob: string) =>
    Object.hasOwn(policy.knobs, knob) ? String(policy.knobs[knob]) : '';
  return [...names]
    .map((knob) => ({ knob, a: text(a, knob), b: text(b, knob) }))
    .filter((row) => row.a !== row.b);
}

/** What makes two results incomparable, or nearly so. */
function doubts(a: RunResult, b: RunResult): string[] {
  const notes: string[] = [];
  const digests = (result: RunResult) => result.inputs.map(({ path, sha256 }) => sha256 || path).join();
  if (digests(a) !== digests(b)) notes.push('the two results are of different traces');
  else if (a.span.events !== b.span.events) notes.push('the two results are of different parts of the trace');
  if (a.mode !== b.mode) notes.push(`A was replayed in mode ${a.mode}, B in mode ${b.mode}`);
  if (a.seed !== b.seed) notes.push('the two results are of different seeds');
  if (JSON.stringify(a.machine.zones) !== JSON.stringify(b.machine.zones))
    notes.push('the two results are of different machines');
  if (a.start_state.kind !== b.start_state.kind) notes.push('the two runs began in different start states');
  if (a.tool.version !== b.tool.version)
    notes.push('the two results were made by different versions of spbsim');
  for (const [side, { interrupted }] of [
    ['A', a],
    ['B', b],
  ] as const)
    if (interrupted) notes.push(`the run of ${side} was interrupted`);
  return notes;
}
