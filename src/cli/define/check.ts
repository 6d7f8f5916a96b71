import { type Command, Option } from 'commander';
import type { CheckOptions } from '../commands/check.js';
import { maxMachineOption } from '../common-options.js';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { addInputOptions } from '../input-options.js';
import { addMachineChoice, setOption } from '../machine-options.js';
import { repeated, seedRange } from '../option-values.js';

const EXAMPLES = `Examples:
  spbsim check --budget workloads/ci/budget.yaml                 the traces and policies that it names
  spbsim check --budget budget.yaml trace.csv --policy my.yaml   others than it names
  spbsim check trace.csv --policy spb-v2 --fail-on 'spb_tainted <= 20' --fail-on 'alloc_failed == 0'
  spbsim check --budget budget.yaml --update-baseline            accept what is measured now
  spbsim check --budget budget.yaml --reporter text --reporter junit=out/junit.xml --reporter sarif=out/spbsim.sarif
`;

export function addCheck(program: Command): void {
  const check = program
    .command('check')
    .summary('hold runs to budgets: a gate for CI')
    .description(
      'Replays traces under policies and fails with exit code 1 unless every budget holds. A budget is a metric and a limit: ' +
        'absolute (spb_tainted <= 20) or relative to a stored baseline (unusable_index.Normal.9 <= +2%). Names: spbsim metrics.',
    )
    .argument('[trace...]', 'traces, recordings or gen:WORKLOAD (default: those of the budget file)')
    .option('-b, --budget <file>', 'budget file')
    .addOption(
      new Option('--fail-on <budget>', 'a budget for every run: fail unless it holds (repeatable)')
        .argParser(repeated)
        .default([], 'none'),
    )
    .option('--baseline <file>', 'what relative limits are relative to (default: as the budget file says)')
    .option('--update-baseline', 'store what is measured now as the baseline')
    .addOption(
      new Option(
        '--reporter <name[=file]>',
        'text, json, junit, markdown, github or sarif (repeatable; default: text)',
      )
        .argParser(repeated)
        .default([], 'text'),
    )
    .option('--json', 'print the check document: the same as --reporter json')
    .option('--all', 'list what is within its limit, too')
    .addOption(
      new Option(
        '-p, --policy <name|file>',
        'preset or policy file, instead of those of the budget file (repeatable)',
      )
        .argParser(repeated)
        .default([], 'those of the budget file, or mainline-6.18'),
    )
    .addOption(setOption())
    .addOption(
      new Option('--seeds <list>', 'seeds of generated workloads, such as 1..5').argParser(
        seedRange('--seeds'),
      ),
    )
    .option('--check', "check the model's invariants on the way and at the end (slower)")
    .addOption(maxMachineOption());
  addMachineChoice(check);
  addInputOptions(check)
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (traces: string[], options: CheckOptions) =>
      (await import('../commands/check.js')).checkCommand(traces, options),
    );
}
