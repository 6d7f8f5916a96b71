/** `spbsim run`: options to a request, the result to texts and an exit code. */
import { UsageError } from '../../config/usage-error.js';
import type { RunResult } from '../../report/run-result.js';
import { printable } from '../../report/sanitize.js';
import type { TextStyle } from '../../report/text-style.js';
import type { InjectSpec } from '../../sim/interruption/inject-spec.js';
import { ExitCode } from '../exit-codes.js';
import { checkInputs, type InputOptions } from '../input-options.js';
import { chooseMachine, type MachineOptions } from '../machine-options.js';
import { machineLimit } from '../option-values.js';
import { print } from '../output.js';
import type { ReadAhead } from '../read-ahead.js';
import type { IsGiven, StateChoice, StateOptions } from '../state-options.js';
import { chooseTimes, type TimeOptions } from '../time-options.js';
import { watched } from '../watched.js';

export interface RunOptions extends InputOptions, MachineOptions, TimeOptions, StateOptions {
  readonly mode: 'free' | 'pinned';
  readonly json?: true;
  readonly proc?: true;
  readonly map?: true;
  readonly check?: true;
  readonly join: 'time' | 'append';
  readonly maxMachine?: string;
  readonly verbose?: true;
  readonly seed: number;
  readonly inject: readonly string[];
  readonly failOnHazard?: true;
}

/** `spbsim run`: replays traces and prints what the policy made of memory. */
export async function runCommand(
  inputs: readonly string[],
  options: RunOptions,
  ahead: ReadAhead,
  isGiven: IsGiven = () => true,
): Promise<void> {
  await checkInputs(inputs);
  const state = await stateOf(inputs, options, ahead, isGiven);
  const { resolvePolicy } = await import('../../config/resolve-policy.js');
  const policy = await resolvePolicy(options.policy, options.set);
  const machine = await chooseMachine(options);
  const times = await chooseTimes(options);
  const inject = await chooseInjected(options);

  const { runTraces } = await import('../../sim/run-trace.js');
  const result = await watched(async ({ onProgress, signal }) =>
    runTraces({
      inputs: [...inputs],
      policy,
      ...machine,
      ...times,
      mode: options.mode,
      check: options.check ?? false,
      join: options.join,
      ...ahead,
      max_machine_pages: await machineLimit(options.maxMachine),
      seed: options.seed,
      inject,
      ...state?.request,
      onProgress,
      signal,
    }),
  );
  if (options.failOnHazard) tellHazards(result);
  tellCutInputs(result);
  state?.tell();

  if (options.json) {
    const { renderResultJson } = await import('../../report/result-json.js');
    await print(renderResultJson(result));
    return;
  }
  const [{ renderSummary }, { terminalStyle }] = await Promise.all([
    import('../../report/summary-text.js'),
    import('../../report/text-style.js'),
  ]);
  const style = await terminalStyle();
  await print(renderSummary(result, style));
  if (options.map) {
    const [{ renderSpbMap }, { renderPageblockMap }] = await Promise.all([
      import('../../report/spb-map.js'),
      import('../../report/pageblock-map.js'),
    ]);
    await print(`\n${renderSpbMap(result, style)}`);
    await print(`\n${renderPageblockMap(result, style)}`);
  }
  if (options.series !== undefined || state?.request.series_ns !== undefined) {
    const { renderSeries } = await import('../../report/series-text.js');
    await print(`\n${renderSeries(result, style)}`);
  }
  if (options.verbose) {
    if (result.superpageblocks !== null) {
      const { renderSpbDetails } = await import('../../report/spb-work-text.js');
      await print(`\n${renderSpbDetails(result.superpageblocks, style)}`);
    }
    await printSlabDetails(result, style);
    const { renderReading } = await import('../../report/reading-text.js');
    await print(`\n${renderReading(result.inputs, style)}`);
  }
  if (options.proc) {
    const { renderProc } = await import('../../report/proc-text.js');
    await print(`\n${renderProc(result)}`);
  }
}

async function printSlabDetails({ slab, span }: RunResult, style: TextStyle): Promise<void> {
  if (slab === null || slab === undefined) return;
  const [{ renderSlabDetails }, { renderNolockDetails }] = await Promise.all([
    import('../../report/slab/slab-text.js'),
    import('../../report/slab/nolock-text.js'),
  ]);
  const nolock = renderNolockDetails(slab, span.first_ns, style);
  await print(`\n${renderSlabDetails(slab, style)}${nolock === '' ? '' : `\n${nolock}`}`);
}

/** What options about saved runs ask for; undefined without any. */
async function stateOf(
  inputs: readonly string[],
  options: RunOptions,
  { open }: ReadAhead,
  isGiven: IsGiven,
): Promise<StateChoice | undefined> {
  const { saveState, saveAt, loadState } = options;
  if (saveState === undefined && saveAt === undefined && loadState === undefined) return undefined;
  const { chooseState } = await import('../state-options.js');
  return chooseState(inputs, options, open, isGiven);
}

async function chooseInjected({ inject, mode }: RunOptions): Promise<readonly InjectSpec[]> {
  if (inject.length === 0) return [];
  if (mode === 'pinned')
    throw new UsageError('--inject makes a run of its own: it does not go with --mode pinned');
  const { parseInject } = await import('../../sim/interruption/inject-spec.js');
  return inject.map(parseInject);
}

/** Hazards make the command fail; an input that cannot be read, or an interrupt, says more. */
function tellHazards({ slab }: RunResult): void {
  const kinds = Object.entries(slab?.hazards_total ?? {});
  if (kinds.length === 0) return;
  process.exitCode = ExitCode.failed;
  const counts = kinds.map(([kind, count]) => `${kind} ${count}`).join(', ');
  process.stderr.write(`hazards: ${counts} (--fail-on-hazard)
`);
}

/** What was read counts, but the exit code says that it was not all. */
function tellCutInputs(result: RunResult): void {
  for (const { cut } of result.inputs) {
    if (cut === null) continue;
    process.exitCode = ExitCode.invalidInput;
    process.stderr.write(`${printable(cut)}; the result is of what was read\n`);
  }
  if (result.interrupted) process.exitCode = ExitCode.interrupted;
}
