/** `spbsim diff`: what A and B are, the comparison, and its rendering. */
import { UsageError } from '../../config/usage-error.js';
import type { DiffResult } from '../../report/diff-result.js';
import type { DiffAhead } from '../diff-ahead.js';
import { kindOfBoth, replayedSides, savedSides } from '../diff-sides.js';
import { ExitCode } from '../exit-codes.js';
import { checkInputs, type InputOptions, openOptions } from '../input-options.js';
import type { MachineOptions } from '../machine-options.js';
import { machineLimit } from '../option-values.js';
import { print } from '../output.js';
import { chooseTimes } from '../time-options.js';
import { watched } from '../watched.js';

export interface DiffOptions extends InputOptions, MachineOptions {
  readonly setA: readonly string[];
  readonly setB: readonly string[];
  readonly seeds?: readonly number[];
  readonly from?: string;
  readonly to?: string;
  readonly all?: true;
  readonly map?: true;
  /** true with --explain, false with --no-explain */
  readonly explain?: boolean;
  readonly json?: true;
  readonly md?: true;
  readonly check?: true;
  readonly maxMachine?: string;
}

const DEFAULT_SEEDS: readonly number[] = [1];

export async function diffCommand(
  a: string,
  b: string,
  traces: readonly string[],
  options: DiffOptions,
  ahead: DiffAhead,
): Promise<void> {
  try {
    await printDiff(await compare(a, b, traces, options, ahead), options);
  } finally {
    // Threads that still wait for work would keep the program from ending.
    (await ahead.fleet)?.close();
  }
}

async function compare(
  a: string,
  b: string,
  traces: readonly string[],
  options: DiffOptions,
  ahead: DiffAhead,
): Promise<DiffResult> {
  if (options.json && options.md) throw new UsageError('--json and --md: choose one');
  const kind = await kindOfBoth(a, b);
  return kind === 'result'
    ? savedDiff(a, b, traces, options)
    : replayedDiff(a, b, traces, kind, options, ahead);
}

async function savedDiff(
  a: string,
  b: string,
  traces: readonly string[],
  options: DiffOptions,
): Promise<DiffResult> {
  if (traces.length > 0)
    throw new UsageError(`${a} and ${b} are saved results: leave the traces out, nothing is replayed`);
  return savedSides(a, b, options);
}

async function replayedDiff(
  a: string,
  b: string,
  traces: readonly string[],
  kind: 'policy' | 'machine',
  options: DiffOptions,
  ahead: DiffAhead,
): Promise<DiffResult> {
  if (traces.length === 0)
    throw new UsageError(
      `diff ${a} ${b}: name a trace on which they are compared (what differs in their knobs: spbsim policy diff)`,
    );
  await checkInputs(traces);
  const sides = await replayedSides(kind, a, b, options);
  const times = await chooseTimes(options);
  const { runDiff } = await import('../../sim/diff/run-diff.js');
  if (!options.json) preloadRendering();
  return watched(async ({ onProgress, signal }) =>
    runDiff({
      kind: kind === 'policy' ? 'policies' : 'machines',
      sides,
      traces,
      seeds: options.seeds ?? DEFAULT_SEEDS,
      open: await openOptions(options),
      ...times,
      ...ahead,
      check: options.check ?? false,
      explains: options.explain ?? true,
      max_machine_pages: await machineLimit(options.maxMachine),
      onProgress,
      signal,
    }),
  );
}

/** While the sides replay there is time for it. */
function preloadRendering(): void {
  for (const loading of [import('../../report/diff/diff-text.js'), import('../../report/text-style.js')])
    loading.catch(() => {});
}

async function printDiff(result: DiffResult, options: DiffOptions): Promise<void> {
  if (result.notes.some((note) => note.includes('both runs are of what was read')))
    process.exitCode = ExitCode.invalidInput;
  if (options.json) {
    const { jsonText } = await import('../../report/result-json.js');
    return print(jsonText(result));
  }
  if (options.md) {
    const { renderDiffMarkdown } = await import('../../report/diff/diff-markdown.js');
    return print(renderDiffMarkdown(result, options.all ?? false));
  }
  const [{ renderDiff }, { terminalStyle }] = await Promise.all([
    import('../../report/diff/diff-text.js'),
    import('../../report/text-style.js'),
  ]);
  const { all, map, explain } = options;
  const shown = { all: all ?? false, map: map ?? false, explain: explain === true };
  await print(renderDiff(result, shown, await terminalStyle()));
}
