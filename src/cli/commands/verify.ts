import { ExitCode } from '../exit-codes.js';
import { type InputOptions, openOptions } from '../input-options.js';
import { machineLimit } from '../option-values.js';
import { print } from '../output.js';
import { ProgressLine } from '../progress.js';

export interface VerifyOptions extends InputOptions {
  readonly maxMachine?: string;
  readonly policy?: string;
  readonly set: readonly string[];
  readonly json?: true;
  readonly minAgreement?: number;
  readonly check?: true;
}

/** `spbsim verify`: holds the model to what a real kernel did. */
export async function verifyCommand(input: string, options: VerifyOptions): Promise<void> {
  const { resolvePolicy } = await import('../../config/resolve-policy.js');
  // Overrides are checked here in any case: a mistyped knob must not cost a replay first.
  const resolved = await resolvePolicy(options.policy, options.set);
  const { verifyInput } = await import('../../sim/verify/verify-input.js');
  const progress = new ProgressLine();
  const result = await verifyInput({
    input,
    policy: options.policy === undefined ? undefined : resolved,
    overrides: [...options.set],
    check: options.check ?? false,
    open: await openOptions(options),
    max_machine_pages: await machineLimit(options.maxMachine),
    onProgress: (done) => progress.update(done),
  }).finally(() => progress.clear());

  const { minAgreement } = options;
  const belowMinimum = minAgreement !== undefined && result.agreement < minAgreement;
  const { agreesFully } = await import('../../report/verify-agreement.js');
  // An oracle run leaves nothing open, so there every difference is a failure unless the user sets another measure.
  // A recording never says everything: there the user has to say how much is enough.
  const differs = minAgreement === undefined && result.kind === 'oracle' && !agreesFully(result);
  if (belowMinimum || differs) process.exitCode = ExitCode.failed;
  if (options.json) {
    const { renderVerifyJson } = await import('../../report/result-json.js');
    await print(renderVerifyJson(result));
  } else {
    const [{ renderVerify }, { terminalStyle }] = await Promise.all([
      import('../../report/verify-text.js'),
      import('../../report/text-style.js'),
    ]);
    await print(renderVerify(result, await terminalStyle()));
  }
  if (belowMinimum)
    process.stderr.write(`agreement ${result.agreement} is below --min-agreement ${minAgreement}\n`);
}
