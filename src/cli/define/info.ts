import type { Command } from 'commander';
import type { InfoOptions } from '../commands/info.js';
import { joinOption } from '../common-options.js';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { addInputOptions } from '../input-options.js';
import { addSelectionOptions } from '../selection-options.js';

const EXAMPLES = `Examples:
  spbsim info trace.gz
  spbsim info recording --json | jq .caches
  cat /sys/kernel/tracing/trace | spbsim info -
`;

export function addInfo(program: Command): void {
  const info = program
    .command('info')
    .summary('what a trace holds: events, contexts, CPUs, caches, losses')
    .description('Reads traces and counts what they hold; replays nothing.')
    .argument('<trace...>', 'trace files or recording directories; - is stdin')
    .option('--json', 'print the info document (see: spbsim schema info)')
    .addOption(joinOption());
  addSelectionOptions(info);
  addInputOptions(info)
    .option('--verbose', 'all rows of all tables, and what the readers did not understand')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (inputs: string[], options: InfoOptions) =>
      (await import('../commands/info.js')).infoCommand(inputs, options),
    );
}
