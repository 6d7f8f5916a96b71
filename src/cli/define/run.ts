import { type Command, Option } from 'commander';
import type { RunOptions } from '../commands/run.js';
import { joinOption, maxMachineOption, seedOption } from '../common-options.js';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { addInputOptions } from '../input-options.js';
import { addMachineOptions } from '../machine-options.js';
import { oneOf } from '../option-values.js';

const EXAMPLES = `Examples:
  spbsim run workloads/fs-churn
  spbsim run workloads/fs-churn --policy mainline-7.2 --set pcp.batch_scale_max=4
  spbsim run trace.csv.gz --memory 256GiB --nodes 2 --cpus 64 --map
  spbsim run workloads/fs-churn --mode pinned --check --series 200ms
  spbsim run trace.csv --json | jq '.vmstat.compact_stall'
  spbsim run trace.csv --inject 'nmi:kmalloc_nolock(64)@any:p=0.01' --fail-on-hazard
  spbsim run day.arrow --save-state warm.state --save-at mark=load
  spbsim run day.arrow --load-state warm.state           from there on
`;

export function addRun(program: Command): void {
  const run = program
    .command('run')
    .summary('replay traces and show what the policy makes of memory')
    .description('Replays traces against a policy and reports fragmentation. Formats: see import.')
    .argument('<trace...>', 'trace files or recording directories; - is stdin');
  addMachineOptions(run)
    .addOption(
      new Option('--mode <mode>', 'free: the policy decides each PFN; pinned: recorded PFNs are taken')
        .argParser(oneOf('--mode', ['free', 'pinned']))
        .default('free'),
    )
    .option(
      '--from <time>',
      'count from this time of the trace, such as 1.5s; what came before is replayed only',
    )
    .option('--to <time>', 'end at this time of the trace')
    .option('--series <interval>', 'sample fragmentation at this interval, such as 1s')
    .option('--json', 'print the result document (see: spbsim schema result)')
    .option(
      '--proc',
      "add the kernel's own texts: buddyinfo, pagetypeinfo, extfrag, vmstat, zoneinfo, slabinfo",
    )
    .option('--map', 'add maps: a line per superpageblock, and one glyph per pageblock')
    .option(
      '--inject <spec>',
      'let an operation strike inside those of the trace, such as nmi:kmalloc_nolock(64)@cpu_slab:p=0.01 (repeatable)',
      (spec: string, all: readonly string[]) => [...all, spec],
      [] as readonly string[],
    )
    .option('--fail-on-hazard', 'exit with 1 if the run met a deadlock or another hazard')
    .option('--check', "check the model's invariants every 65,536 events and at the end (slower)")
    .option('--verbose', 'add searches by order, and what the readers found and did not understand')
    .addOption(seedOption('seed of the random numbers'))
    .addOption(joinOption())
    .addOption(maxMachineOption())
    .option('--save-state <file>', 'save the run where the trace ends, to go on with it later')
    .option('--save-at <point>', '… or there instead: event=N, time=1.5s, mark=NAME')
    .option('--load-state <file>', 'go on with a saved run: the same traces, or those that follow');
  addInputOptions(run)
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (inputs: string[], options: RunOptions, command: Command) => {
      const ahead = await (await import('../read-ahead.js')).readAhead(inputs, options);
      const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
      return (await import('../commands/run.js')).runCommand(inputs, options, ahead, isGiven);
    });
}
