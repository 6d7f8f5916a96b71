import { type Command, Option } from 'commander';
import type { ExplainOptions } from '../commands/explain.js';
import { joinOption, maxMachineOption, seedOption } from '../common-options.js';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { addInputOptions } from '../input-options.js';
import { addMachineOptions } from '../machine-options.js';
import { wholeNumber } from '../option-values.js';

const EXAMPLES = `Examples:
  spbsim explain workloads/csv/fragmentation.csv --event 100
  spbsim explain trace.csv --id obj17 --nth 2 --policy spb-v2 --memory 16GiB
  spbsim explain workloads/fs-churn --event 5000 --json | jq .steps
`;

export function addExplain(program: Command): void {
  const explain = program
    .command('explain')
    .summary('tell what the model does for one event, step by step')
    .description(
      'Replays traces up to one event and tells what the model does for it: zones and marks, lists, passes, what was taken ' +
        'and what changed. Events are numbered from 0, as they are replayed.',
    )
    .argument('<trace...>', 'trace files or recording directories; - is stdin')
    .addOption(new Option('--event <n>', 'the event by its number').argParser(wholeNumber('--event', 0)))
    .option('--id <id>', 'the allocation under this id')
    .addOption(
      new Option('--nth <k>', 'which one, if there are several (default: 1)').argParser(
        wholeNumber('--nth', 1),
      ),
    )
    .option('--json', 'print the explanation document (see: spbsim schema explain)');
  addMachineOptions(explain)
    .addOption(seedOption('seed of a generated workload'))
    .addOption(joinOption())
    .addOption(maxMachineOption());
  addInputOptions(explain)
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (inputs: string[], options: ExplainOptions) =>
      (await import('../commands/explain.js')).explainCommand(inputs, options),
    );
}
