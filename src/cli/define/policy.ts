import type { Command } from 'commander';
import type { PolicyShowOptions } from '../commands/policy.js';
import { setOption } from '../machine-options.js';

interface JsonOption {
  readonly json?: true;
}

const EXAMPLES = `Examples:
  spbsim policy list
  spbsim policy show mainline-7.2 --docs                 every knob with what it means
  spbsim policy show mainline-6.18 > mine.yaml           a file to change and give to run --policy
  spbsim policy diff mainline-6.18 mine.yaml
`;

export function addPolicy(program: Command): void {
  const policy = program
    .command('policy')
    .summary('list, show and compare policies')
    .description('Policies are sets of named knobs; every rule that a kernel version changes is one.')
    .addHelpText('before', EXAMPLES);
  policy
    .command('list')
    .description('the presets')
    .option('--json', 'as JSON')
    .action(async (options: JsonOption) =>
      (await import('../commands/policy.js')).policyListCommand(options),
    );
  policy
    .command('show')
    .description('all knobs of a policy, as a policy file')
    .argument('[name]', 'preset or policy file (default: mainline-6.18)')
    .addOption(setOption())
    .option('--docs', 'say what each knob means and takes')
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, options: PolicyShowOptions) =>
      (await import('../commands/policy.js')).policyShowCommand(name, options),
    );
  policy
    .command('diff')
    .description('the knobs in which two policies differ')
    .argument('<a>', 'preset or policy file')
    .argument('<b>', 'preset or policy file')
    .option('--json', 'as JSON')
    .action(async (a: string, b: string, options: JsonOption) =>
      (await import('../commands/policy.js')).policyDiffCommand(a, b, options),
    );
}
