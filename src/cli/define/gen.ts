import { type Command, Option } from 'commander';
import type { GenOptions } from '../commands/gen.js';
import { seedOption } from '../common-options.js';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { oneOf, repeated, wholeNumber } from '../option-values.js';

const EXAMPLES = `Examples:
  spbsim gen                                             the workloads and their options
  spbsim gen slab-ramp --memory 16GiB -o ramp.csv.zst
  spbsim gen syzkaller-mix --set demand-1g=50 --set nonmovable=3% -o mix.arrow
  spbsim gen net-softirq --events 1000 | head
  spbsim gen steady-server --memory 8GiB | spbsim run - --memory 8GiB --cpus 16
`;

export function addGen(program: Command): void {
  program
    .command('gen')
    .summary('write the trace of a synthetic workload')
    .description(
      'Writes a trace made up from a seed: the same arguments give the same bytes on every machine. Without a name, ' +
        'lists the workloads with their options and what they assume where an option is left out.',
    )
    .argument('[workload]', 'which one')
    .option('-o, --output <file>', 'FILE.csv, FILE.arrow, FILE.arrows (also .gz, .zst); - is stdout', '-')
    .addOption(
      new Option('--format <format>', 'what to write, where the name does not say').argParser(
        oneOf('--format', ['csv', 'arrow', 'arrows']),
      ),
    )
    .addOption(seedOption('seed of the random numbers'))
    .option('--memory <size>', 'memory of the machine, such as 16GiB; what lives in it grows along')
    .addOption(new Option('--nodes <n>', 'its NUMA nodes').argParser(wholeNumber('--nodes', 1)))
    .addOption(new Option('--cpus <n>', 'its CPUs').argParser(wholeNumber('--cpus', 1)))
    .option('--duration <time>', 'length of the story, such as 8min')
    .addOption(new Option('--events <n>', 'end after so many events').argParser(wholeNumber('--events', 0)))
    .addOption(
      new Option('--set <option=value>', 'an option of the workload (repeatable)')
        .argParser(repeated)
        .default([], 'none'),
    )
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (name: string | undefined, options: GenOptions) =>
      (await import('../commands/gen.js')).genCommand(name, options),
    );
}
