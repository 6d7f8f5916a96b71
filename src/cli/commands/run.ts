/** `spbsim run`: options to a request, the result to texts and an exit code. */
import type { RunResult } from '../../report/run-result.js';
import { printable } from '../../report/sanitize.js';
import type { RunRequest } from '../../sim/run-trace.js';
import { ExitCode } from '../exit-codes.js';
import { checkInputs, type InputOptions } from '../input-options.js';
import { guardInterrupt } from '../interrupt.js';
import { chooseMachine, type MachineOptions } from '../machine-options.js';
import { machineLimit } from '../option-values.js';
import { print } from '../output.js';
import { ProgressLine } from '../progress.js';
import type { ReadAhead } from '../read-ahead.js';

export interface RunOptions extends InputOptions, MachineOptions {
  readonly mode: 'free' | 'pinned';
  readonly from?: string;
  readonly to?: string;
  readonly series?: string;
  readonly json?: true;
  readonly proc?: true;
  readonly map?: true;
  readonly check?: true;
  readonly join: 'time' | 'append';
  readonly maxMachine?: string;
  readonly verbose?: true;
  readonly seed: number;
}

/** `--from`, `--to` and `--series` in ns; what is not given is left out. */
async function chooseTimes(
  options: RunOptions,
): Promise<Pick<RunRequest, 'from_ns' | 'to_ns' | 'series_ns'>> {
  const { parseDurationOption } = await import('../../config/duration.js');
  const { UsageError } = await import('../../config/usage-error.js');
  const from_ns = options.from === undefined ? undefined : parseDurationOption(options.from, '--from');
  const to_ns = options.to === undefined ? undefined : parseDurationOption(options.to, '--to');
  const series_ns =
    options.series === undefined ? undefined : parseDurationOption(options.series, '--series');
  if (series_ns === 0) throw new UsageError(`--series ${options.series}: expected a time above 0`);
  if (from_ns !== undefined && to_ns !== undefined && from_ns >= to_ns) {
    throw new UsageError(`--from ${options.from} --to ${options.to}: nothing lies between`);
  }
  return {
    ...(from_ns === undefined ? {} : { from_ns }),
    ...(to_ns === undefined ? {} : { to_ns }),
    ...(series_ns === undefined ? {} : { series_ns }),
  };
}

/** `spbsim run`: replays traces and prints what the policy made of memory. */
export async function runCommand(
  inputs: readonly string[],
  options: RunOptions,
  ahead: ReadAhead,
): Promise<void> {
  await checkInputs(inputs);
  const { resolvePolicy } = await import('../../config/resolve-policy.js');
  const policy = await resolvePolicy(options.policy, options.set);
  const machine = await chooseMachine(options);
  const times = await chooseTimes(options);

  const { runTraces } = await import('../../sim/run-trace.js');
  const progress = new ProgressLine();
  const interrupt = guardInterrupt();
  const result = await runTraces({
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
    onProgress: (done) => progress.update(done),
    signal: interrupt.signal,
  }).finally(() => {
    progress.clear();
    interrupt.release();
  });
  tellCutInputs(result);

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
  if (options.series !== undefined) {
    const { renderSeries } = await import('../../report/series-text.js');
    await print(`\n${renderSeries(result, style)}`);
  }
  if (options.verbose) {
    if (result.superpageblocks !== null) {
      const { renderSpbDetails } = await import('../../report/spb-work-text.js');
      await print(`\n${renderSpbDetails(result.superpageblocks, style)}`);
    }
    const { renderReading } = await import('../../report/reading-text.js');
    await print(`\n${renderReading(result.inputs, style)}`);
  }
  if (options.proc) {
    const { renderProc } = await import('../../report/proc-text.js');
    await print(`\n${renderProc(result)}`);
  }
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
