import { type Command, Option } from 'commander';
import type { VerifyOptions } from '../commands/verify.js';
import { maxMachineOption } from '../common-options.js';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { addInputOptions } from '../input-options.js';
import { setOption } from '../machine-options.js';
import { share } from '../option-values.js';

const EXAMPLES = `Examples:
  spbsim verify workloads/fs-churn
  spbsim verify oracle/7.2.12/mixed_orders-12.jsonl.xz
  spbsim verify workloads/fs-churn --min-agreement 99.9% --json     exit 1 below it
`;

export function addVerify(program: Command): void {
  const verify = program
    .command('verify')
    .summary('compare the model with what a real kernel did')
    .description(
      'Replays a recording or an oracle run and compares PFNs, lists and tables with the real ones.',
    )
    .argument('<input>', 'recording directory, or oracle run (.jsonl, .jsonl.xz)')
    .option('-p, --policy <name|file>', "preset or policy file (default: that of the recording's kernel)")
    .addOption(setOption())
    .option('--json', 'print the verification document (see: spbsim schema verify)')
    .addOption(
      new Option(
        '--min-agreement <x>',
        'exit 1 below it, such as 0.999 or 99.9% (default: an oracle run must agree fully)',
      ).argParser(share('--min-agreement')),
    )
    .option('--check', "check the model's invariants on the way and at the end (slower)")
    .addOption(maxMachineOption());
  addInputOptions(verify)
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (input: string, options: VerifyOptions) =>
      (await import('../commands/verify.js')).verifyCommand(input, options),
    );
}
