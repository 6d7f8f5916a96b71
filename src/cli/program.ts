/**
 * The command line: options, help, and which command they belong to. What a command does is loaded only when it runs.
 */
import { Command, Option } from 'commander';
import { toolVersion } from '../config/tool-version.js';
import { printable } from '../report/sanitize.js';
import type { ExplainOptions } from './commands/explain.js';
import type { GenOptions } from './commands/gen.js';
import type { ImportOptions } from './commands/import.js';
import type { InfoOptions } from './commands/info.js';
import type { PolicyShowOptions } from './commands/policy.js';
import type { RunOptions } from './commands/run.js';
import type { SchemaOptions } from './commands/schema.js';
import type { VerifyOptions } from './commands/verify.js';
import { addBisect } from './define/bisect.js';
import { addCheck } from './define/check.js';
import { addDiff } from './define/diff.js';
import { addMetrics } from './define/metrics.js';
import { EXIT_CODES_HELP } from './exit-codes.js';
import { addInputOptions } from './input-options.js';
import { addMachineOptions, setOption } from './machine-options.js';
import { oneOf, repeated, share, wholeNumber } from './option-values.js';
import { addSelectionOptions } from './selection-options.js';

interface JsonOption {
  readonly json?: true;
}

const DEFAULT_SEED = 1;
const HELP_WIDTH = 100;

const MAIN_EXAMPLES = `Examples:
  spbsim run workloads/fs-churn                          replay a recording as Linux 6.18 would
  spbsim run trace.csv --policy mainline-6.1 --memory 8GiB --cpus 4
  spbsim diff mainline-6.18 spb-v2 trace.csv             two policies side by side
  spbsim check --budget workloads/ci/budget.yaml         a CI gate: exit 1 unless all budgets hold
  spbsim bisect trace.csv mainline-6.18 spb-v2 --until 'b.spb_tainted > 9'   since when
  spbsim explain trace.csv --event 5000                  every step that one request took
  spbsim verify workloads/fs-churn                       how far the model agrees with that kernel
  spbsim info trace.gz                                   what a trace holds
  spbsim import trace.gz -o trace.arrow                  any trace to CSV or Arrow
  spbsim gen slab-ramp -o ramp.csv.zst                   a synthetic workload as a trace
  spbsim policy diff mainline-6.1 mainline-7.2           what changed between two kernels
`;

const RUN_EXAMPLES = `Examples:
  spbsim run workloads/fs-churn
  spbsim run workloads/fs-churn --policy mainline-7.2 --set pcp.batch_scale_max=4
  spbsim run trace.csv.gz --memory 256GiB --nodes 2 --cpus 64 --map
  spbsim run workloads/fs-churn --mode pinned --check --series 200ms
  spbsim run trace.csv --json | jq '.vmstat.compact_stall'
`;

const EXPLAIN_EXAMPLES = `Examples:
  spbsim explain workloads/csv/fragmentation.csv --event 100
  spbsim explain trace.csv --id obj17 --nth 2 --policy spb-v2 --memory 16GiB
  spbsim explain workloads/fs-churn --event 5000 --json | jq .steps
`;

const IMPORT_EXAMPLES = `Examples:
  spbsim import recording/trace.gz -o trace.csv.zst
  perf script | spbsim import - -o trace.arrow           readable by pandas, DuckDB, polars
  spbsim import cpu0.txt cpu1.txt --from 2s --to 4s -o part.csv
  spbsim import trace.dat.txt --sample 1% --anonymise -o to-share.csv.gz
`;

const GEN_EXAMPLES = `Examples:
  spbsim gen                                             the workloads and their options
  spbsim gen slab-ramp --memory 16GiB -o ramp.csv.zst
  spbsim gen syzkaller-mix --set demand-1g=50 --set nonmovable=3% -o mix.arrow
  spbsim gen net-softirq --events 1000 | head
  spbsim gen steady-server --memory 8GiB | spbsim run - --memory 8GiB --cpus 16
`;

const INFO_EXAMPLES = `Examples:
  spbsim info trace.gz
  spbsim info recording --json | jq .caches
  cat /sys/kernel/tracing/trace | spbsim info -
`;

const VERIFY_EXAMPLES = `Examples:
  spbsim verify workloads/fs-churn
  spbsim verify oracle/7.2.12/mixed_orders-12.jsonl.xz
  spbsim verify workloads/fs-churn --min-agreement 99.9% --json     exit 1 below it
`;

const POLICY_EXAMPLES = `Examples:
  spbsim policy list
  spbsim policy show mainline-7.2 --docs                 every knob with what it means
  spbsim policy show mainline-6.18 > mine.yaml           a file to change and give to run --policy
  spbsim policy diff mainline-6.18 mine.yaml
`;

const SCHEMA_EXAMPLES = `Examples:
  spbsim schema result                                   JSON schema of run --json
  spbsim schema verify                                   JSON schema of verify --json
`;

function maxMachineOption(): Option {
  return new Option('--max-machine <size>', 'largest machine that an input may declare (default: 4TiB)');
}

function joinOption(): Option {
  return new Option('--join <how>', 'several traces: merged by time, or appended one behind the other')
    .argParser(oneOf('--join', ['time', 'append']))
    .default('time');
}

function addRun(program: Command): void {
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
    .option('--proc', "add the kernel's own texts: buddyinfo, pagetypeinfo, extfrag, vmstat, zoneinfo")
    .option('--map', 'add maps: a line per superpageblock, and one glyph per pageblock')
    .option('--check', "check the model's invariants every 65,536 events and at the end (slower)")
    .option('--verbose', 'add searches by order, and what the readers found and did not understand')
    .addOption(
      new Option('--seed <n>', 'seed of the random numbers')
        .argParser(wholeNumber('--seed', 0))
        .default(DEFAULT_SEED),
    )
    .addOption(joinOption())
    .addOption(maxMachineOption())
    .option('--save-state <file>', 'save the run where the trace ends, to go on with it later')
    .option('--save-at <point>', '… or there instead: event=N, time=1.5s, mark=NAME')
    .option('--load-state <file>', 'go on with a saved run: the same traces, or those that follow');
  addInputOptions(run)
    .addHelpText('before', RUN_EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (inputs: string[], options: RunOptions, command: Command) => {
      const ahead = await (await import('./read-ahead.js')).readAhead(inputs, options);
      const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
      return (await import('./commands/run.js')).runCommand(inputs, options, ahead, isGiven);
    });
}

function addExplain(program: Command): void {
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
    .addOption(
      new Option('--seed <n>', 'seed of a generated workload')
        .argParser(wholeNumber('--seed', 0))
        .default(DEFAULT_SEED),
    )
    .addOption(joinOption())
    .addOption(maxMachineOption());
  addInputOptions(explain)
    .addHelpText('before', EXPLAIN_EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (inputs: string[], options: ExplainOptions) =>
      (await import('./commands/explain.js')).explainCommand(inputs, options),
    );
}

function addImport(program: Command): void {
  const importing = program
    .command('import')
    .summary('convert, filter, merge or anonymise traces')
    .description(
      'Reads traces of any known format and writes one trace CSV or Arrow file. Formats, told by content: tracefs ' +
        'text, trace-cmd report, perf script, trace CSV, Arrow IPC, recordings; plain, gzip, xz or zstd.',
    )
    .argument('<trace...>', 'trace files or recording directories; - is stdin')
    .requiredOption('-o, --output <file>', 'FILE.csv, FILE.arrow, FILE.arrows (also .gz, .zst); - is stdout')
    .addOption(
      new Option('--format <format>', 'what to write, where the name does not say').argParser(
        oneOf('--format', ['csv', 'arrow', 'arrows']),
      ),
    )
    .option('--no-formula-safe', 'CSV: write texts that a spreadsheet would run (=, +, -, @) as they are')
    .option('--anonymise', 'rename pointers, pids, cgroups, foreign caches and sites, and marks')
    .addOption(joinOption());
  addSelectionOptions(importing);
  addInputOptions(importing)
    .option('--verbose', 'say what the readers found and did not understand, with examples')
    .addHelpText('before', IMPORT_EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (inputs: string[], options: ImportOptions) =>
      (await import('./commands/import.js')).importCommand(inputs, options),
    );
}

function addGen(program: Command): void {
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
    .addOption(
      new Option('--seed <n>', 'seed of the random numbers')
        .argParser(wholeNumber('--seed', 0))
        .default(DEFAULT_SEED),
    )
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
    .addHelpText('before', GEN_EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (name: string | undefined, options: GenOptions) =>
      (await import('./commands/gen.js')).genCommand(name, options),
    );
}

function addInfo(program: Command): void {
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
    .addHelpText('before', INFO_EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (inputs: string[], options: InfoOptions) =>
      (await import('./commands/info.js')).infoCommand(inputs, options),
    );
}

function addVerify(program: Command): void {
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
    .addHelpText('before', VERIFY_EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (input: string, options: VerifyOptions) =>
      (await import('./commands/verify.js')).verifyCommand(input, options),
    );
}

function addPolicy(program: Command): void {
  const policy = program
    .command('policy')
    .summary('list, show and compare policies')
    .description('Policies are sets of named knobs; every rule that a kernel version changes is one.')
    .addHelpText('before', POLICY_EXAMPLES);
  policy
    .command('list')
    .description('the presets')
    .option('--json', 'as JSON')
    .action(async (options: JsonOption) => (await import('./commands/policy.js')).policyListCommand(options));
  policy
    .command('show')
    .description('all knobs of a policy, as a policy file')
    .argument('[name]', 'preset or policy file (default: mainline-6.18)')
    .addOption(setOption())
    .option('--docs', 'say what each knob means and takes')
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, options: PolicyShowOptions) =>
      (await import('./commands/policy.js')).policyShowCommand(name, options),
    );
  policy
    .command('diff')
    .description('the knobs in which two policies differ')
    .argument('<a>', 'preset or policy file')
    .argument('<b>', 'preset or policy file')
    .option('--json', 'as JSON')
    .action(async (a: string, b: string, options: JsonOption) =>
      (await import('./commands/policy.js')).policyDiffCommand(a, b, options),
    );
}

/** Those of report/json-schema.ts, which loads zod. */
const JSON_DOCUMENTS = ['result', 'verify', 'info', 'explain', 'diff', 'check', 'bisect'] as const;

function addSchema(program: Command): void {
  program
    .command('schema')
    .summary('print the JSON schema of what --json prints')
    .description('Prints the JSON schema of a document.')
    .argument('[document]', JSON_DOCUMENTS.join(', '), oneOf('schema', JSON_DOCUMENTS), 'result')
    .option('--write-all <directory>', 'write the schemas of all documents there instead')
    .addHelpText('before', SCHEMA_EXAMPLES)
    .action(async (name: (typeof JSON_DOCUMENTS)[number], options: SchemaOptions) =>
      (await import('./commands/schema.js')).schemaCommand(name, options),
    );
}

/** Of a terminal its width, but lines longer than 100 are hard to read; elsewhere the width of all our output. */
function helpWidth(): number {
  return Math.min(process.stdout.isTTY ? process.stdout.columns : HELP_WIDTH, HELP_WIDTH);
}

function printableLine(text: string): string {
  return `${printable(text.trimEnd())}\n`;
}

/** The whole command line. Commander throws instead of exiting, so that one place decides about exit codes. */
export function createProgram(): Command {
  const program = new Command('spbsim')
    .configureOutput({
      getOutHelpWidth: helpWidth,
      getErrHelpWidth: helpWidth,
      // One line, like every other message of ours.
      outputError: (text, write) =>
        write(
          printableLine(
            text.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)/, '; did you mean $1?'),
          ),
        ),
    })
    .description("Replays kernel memory-allocation traces against a model of Linux mm's page allocator.")
    .version(toolVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .addHelpText('before', MAIN_EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .exitOverride();
  addRun(program);
  addDiff(program);
  addCheck(program);
  addBisect(program);
  addExplain(program);
  addInfo(program);
  addImport(program);
  addGen(program);
  addVerify(program);
  addPolicy(program);
  addMetrics(program);
  addSchema(program);
  return program;
}
