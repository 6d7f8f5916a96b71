/** `spbsim bisect`: options to a request, the bisection to text or JSON and an exit code. */
import { POLICY_PRESETS } from '../../config/policy-presets.js';
import { resolvePolicy } from '../../config/resolve-policy.js';
import { UsageError } from '../../config/usage-error.js';
import { thousands } from '../../report/quantities.js';
import { printable } from '../../report/sanitize.js';
import type { BisectProgress } from '../../sim/bisect/bisect.js';
import { parseExpression } from '../../sim/expression/parse.js';
import { ExitCode } from '../exit-codes.js';
import { type InputOptions, openOptions } from '../input-options.js';
import { chooseMachine, type MachineOptions } from '../machine-options.js';
import { machineLimit } from '../option-values.js';
import { print } from '../output.js';
import type { ProgressLine } from '../progress.js';
import { shellCommand } from '../shell-command.js';
import { watched } from '../watched.js';

export interface BisectOptions extends InputOptions, Omit<MachineOptions, 'policy'> {
  readonly until: string;
  readonly exhaustive?: true;
  readonly reduce?: string;
  readonly maxTests: number;
  readonly setA: readonly string[];
  readonly setB: readonly string[];
  readonly json?: true;
  readonly seed: number;
  readonly maxMachine?: string;
}

/** Of generated workloads, for `explain` too. */
const DEFAULT_SEED = 1;

const CSV_NAME = /\.csv(?:\.(?:gz|zst))?$/;

/** Finds the event, prints what is there, and exits with 1 if there is none. */
export async function bisectCommand(
  trace: string,
  a: string,
  b: string,
  options: BisectOptions,
): Promise<void> {
  if (POLICY_PRESETS.has(trace))
    throw new UsageError(
      `${trace} is a policy: the trace comes first, as in spbsim bisect TRACE ${trace} ${a}`,
    );
  const { reduce } = options;
  if (reduce !== undefined && !CSV_NAME.test(reduce))
    throw new UsageError(`--reduce ${reduce}: expected a name ending in .csv, .csv.gz or .csv.zst`);
  const until = parseExpression(options.until);
  const policyA = await resolvePolicy(a, options.set, { option: '--set-a', texts: options.setA });
  const policyB = await resolvePolicy(b, options.set, { option: '--set-b', texts: options.setB });
  const machine = await chooseMachine(options);
  const { bisectTrace } = await import('../../sim/bisect/bisect.js');
  const result = await watched(async (watch) =>
    bisectTrace({
      inputs: [trace],
      a: policyA,
      b: policyB,
      until,
      ...machine,
      exhaustive: options.exhaustive ?? false,
      reduce: reduce === undefined ? undefined : { output: reduce, maxTests: options.maxTests },
      open: await openOptions(options),
      max_machine_pages: await machineLimit(options.maxMachine),
      seed: options.seed,
      see: (event) => explainCommands(trace, event, [a, b], options),
      onProgress: (done) => showProgress(watch.progress, done),
      signal: watch.signal,
    }),
  );
  if (result.found === null) process.exitCode = ExitCode.failed;
  for (const cut of result.cut) {
    process.exitCode = ExitCode.invalidInput;
    process.stderr.write(`${printable(cut)}; the result is of what was read\n`);
  }
  if (options.json) {
    const { jsonText } = await import('../../report/result-json.js');
    return print(jsonText(result));
  }
  const [{ renderBisect }, { terminalStyle }] = await Promise.all([
    import('../../report/bisect-text.js'),
    import('../../report/text-style.js'),
  ]);
  await print(renderBisect(result, await terminalStyle()));
}

function showProgress(line: ProgressLine, done: BisectProgress): void {
  if (done.stage === 'search') line.update(done);
  else
    line.say(`${thousands(done.replays)} replays   ${thousands(done.units)} objects and other events left`);
}

/** What the event did under either policy. Standard input cannot be read again. */
function explainCommands(
  trace: string,
  event: number,
  policies: readonly [string, string],
  options: BisectOptions,
): string[] {
  if (trace === '-') return [];
  const { machine, memory, nodes, cpus, build, kernel, maxMachine, seed, skipInvalid } = options;
  const given = (name: string, value: string | number | undefined) =>
    value === undefined ? [] : [name, String(value)];
  return policies.map((policy, side) =>
    shellCommand([
      ...['spbsim', 'explain', trace, '--event', String(event), '--policy', policy],
      ...[...options.set, ...(side === 0 ? options.setA : options.setB)].flatMap((text) => ['--set', text]),
      ...given('--machine', machine),
      ...given('--memory', memory),
      ...given('--nodes', nodes),
      ...given('--cpus', cpus),
      ...given('--build', build),
      ...given('--kernel', kernel),
      ...given('--max-machine', maxMachine),
      ...given('--seed', seed === DEFAULT_SEED ? undefined : seed),
      ...(skipInvalid ? ['--skip-invalid'] : []),
    ]),
  );
}
