import { type Command, Option } from 'commander';
import type { DiffOptions } from '../commands/diff.js';
import { maxMachineOption, sideSetOption } from '../common-options.js';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { addInputOptions } from '../input-options.js';
import { addMachineOptions } from '../machine-options.js';
import { seedRange } from '../option-values.js';

const EXAMPLES = `Examples:
  spbsim diff mainline-6.18 spb-v2 workloads/gen/slab-ramp.csv.gz --memory 2GiB --cpus 4
  spbsim diff spb-v2 spb-v2 trace.csv --set-b spb.bucket_edges=90,50
  spbsim diff mainline-6.18 spb-v2 gen:slab-ramp:memory=16GiB --seeds 1..5
  spbsim diff small.yaml large.yaml trace.csv --policy spb-v2          two machines
  spbsim diff before.json after.json                                   two saved results (run --json)
  spbsim diff mainline-6.18 spb-v2 trace.csv --json | jq '.cases[0].rows[0]'
`;

export function addDiff(program: Command): void {
  const diff = program
    .command('diff')
    .summary('two policies, machines or saved results side by side')
    .description(
      'Replays each trace under A and under B at the same time and shows what is different: metrics with the direction of ' +
        'goodness, maps of 1 GiB ranges, and the first event that was about another page, with what each side did.',
    )
    .argument('<a>', 'preset, policy file, machine file, or result saved by run --json')
    .argument('<b>', 'another one of the same kind')
    .argument(
      '[trace...]',
      'traces, recordings or gen:WORKLOAD[:option=value,…]; each is compared by itself',
    );
  addMachineOptions(diff)
    .addOption(sideSetOption('a'))
    .addOption(sideSetOption('b'))
    .addOption(
      new Option(
        '--seeds <list>',
        'seeds of generated workloads, such as 1..5 or 1,7 (default: 1)',
      ).argParser(seedRange('--seeds')),
    )
    .option('--from <time>', 'count from this time of the trace; what came before is replayed only')
    .option('--to <time>', 'end at this time of the trace')
    .option('--all', 'all metrics: parts of sums, and what did not change')
    .option('--map', 'all 1 GiB ranges, those alike on both sides too')
    .option('--explain', 'all that both sides did where they first part')
    .option('--no-explain', 'do not look what they did there: it costs a replay up to that event')
    .option('--json', 'print the diff document (see: spbsim schema diff)')
    .option('--md', 'print Markdown')
    .option('--check', "check the model's invariants on the way and at the end (slower)")
    .addOption(maxMachineOption());
  addInputOptions(diff)
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (a: string, b: string, traces: string[], options: DiffOptions) => {
      const ahead = (await import('../diff-ahead.js')).diffAhead(traces, options);
      return (await import('../commands/diff.js')).diffCommand(a, b, traces, options, ahead);
    });
}
