import { type Command, Option } from 'commander';
import type { BisectOptions } from '../commands/bisect.js';
import { maxMachineOption, seedOption, sideSetOption } from '../common-options.js';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { addInputOptions } from '../input-options.js';
import { addMachineChoice, setOption } from '../machine-options.js';
import { wholeNumber } from '../option-values.js';

const EXAMPLES = `Examples:
  spbsim bisect trace.csv mainline-6.18 spb-v2 --until 'a.spb_tainted > b.spb_tainted'
  spbsim bisect workloads/fs-churn mainline-6.1 mainline-7.2 --until 'b.pgsteal_direct > 0'
  spbsim bisect trace.csv spb-v2 spb-v2 --set-b spb.bucket_edges=90,50 --until 'b.alloc_failed > 0'
  spbsim bisect trace.csv spb-v2 mine.yaml --until 'b.pgfree > 1e6' --reduce small.csv
`;

const EXPRESSION_HELP = `
Expressions:
  a.METRIC, b.METRIC     a figure of either policy's run; all are listed by: spbsim metrics
  12  1e6  20%           numbers; 20% is 0.2
  + - * /  abs(x)  min(x, y)  max(x, y)
  < <= > >= == !=        false where a run does not have the figure
  && || ! ( )
`;

const DEFAULT_TESTS = 2000;

export function addBisect(program: Command): void {
  const bisect = program
    .command('bisect')
    .summary('the event after which two policies differ in a given way')
    .description(
      'Replays a trace under two policies and finds the shortest part from its beginning after which an expression over ' +
        'the metrics of both holds.',
    )
    .argument('<trace>', 'trace, recording or gen:WORKLOAD[:option=value,…]; - is stdin')
    .argument('<a>', 'preset or policy file')
    .argument('<b>', 'preset or policy file')
    .requiredOption('--until <expr>', 'what is to hold, such as: a.spb_tainted > b.spb_tainted + 2')
    .option('--exhaustive', 'look after every event of a long trace too')
    .option('--reduce <file>', 'write the least that shows it as a trace: FILE.csv (also .gz, .zst)')
    .addOption(
      new Option('--max-tests <n>', 'replays after which --reduce takes what it has')
        .argParser(wholeNumber('--max-tests', 1))
        .default(DEFAULT_TESTS),
    )
    .addOption(setOption())
    .addOption(sideSetOption('a'))
    .addOption(sideSetOption('b'));
  addMachineChoice(bisect)
    .option('--json', 'print the bisection document (see: spbsim schema bisect)')
    .addOption(seedOption('seed of a generated workload'))
    .addOption(maxMachineOption());
  addInputOptions(bisect)
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', EXPRESSION_HELP)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (trace: string, a: string, b: string, options: BisectOptions) =>
      (await import('../commands/bisect.js')).bisectCommand(trace, a, b, options),
    );
}
