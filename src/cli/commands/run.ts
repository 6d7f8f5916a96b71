/** `spbsim run`: options to a request, the result to texts and an exit code. */
import type { RunResult } from '../../report/run-result.js';
import { printable } from '../../report/sanitize.js';
import type { RunRequest } from '../../sim/run-trace.js';
import { ExitCode } from '../exit-codes.js';
import { checkInputs, type InputOptions } from '../input-options.js';
import { guardInterrupt } from '../interrupt.js';
import { machineLimit } from '../option-values.js';
import { print } from '../output.js';
import { ProgressLine } from '../progress.js';
import type { ReadAhead } from '../read-ahead.js';

export interface RunOptions extends InputOptions {
  readonly policy?: string;
  readonly set: readonly string[];
  readonly machine?: string;
  readonly memory?: string;
  readonly nodes?: number;
  readonly cpus?: number;
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

type MachineChoice = Pick<RunRequest, 'machine' | 'machineOrigin'>;

/** The machine that the options ask for; undefined leaves it to the recording. */
async function chooseMachine(options: RunOptions): Promise<MachineChoice> {
  const { machine, memory, nodes, cpus } = options;
  const { UsageError } = await import('../../config/usage-error.js');
  if (machine !== undefined) {
    if (memory !== undefined || nodes !== undefined || cpus !== undefined) {
      throw new UsageError('--machine FILE says all: leave out --memory, --nodes and --cpus');
    }
    const { readMachineFile } = await import('../../config/machine-file.js');
    return { machine: await readMachineFile(machine), machineOrigin: machine };
  }
  if (memory === undefined) {
    if (nodes !== undefined || cpus !== undefined) {
      throw new UsageError(
        '--nodes and --cpus describe a machine of a given size: add --memory, such as --memory 8GiB',
      );
    }
    return { machine: undefined };
  }
  const [{ machineFromSize }, { parseSizePages }] = await Promise.all([
    import('../../config/machine-by-size.js'),
    import('../../config/size.js'),
  ]);
  const machineSpec = machineFromSize({ memory_pages: parseSizePages(memory, '--memory'), nodes, cpus });
  const parts = [`--memory ${memory}`];
  if (nodes !== undefined) parts.push(`--nodes ${nodes}`);
  if (cpus !== undefined) parts.push(`--cpus ${cpus}`);
  return { machine: machineSpec, machineOrigin: parts.join(' ') };
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
    const { renderPageblockMap } = await import('../../report/pageblock-map.js');
    await print(`\n${renderPageblockMap(result, style)}`);
  }
  if (options.series !== undefined) {
    const { renderSeries } = await import('../../report/series-text.js');
    await print(`\n${renderSeries(result, style)}`);
  }
  if (options.verbose) {
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
