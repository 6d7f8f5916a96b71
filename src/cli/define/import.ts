import { type Command, Option } from 'commander';
import type { ImportOptions } from '../commands/import.js';
import { joinOption } from '../common-options.js';
import { EXIT_CODES_HELP } from '../exit-codes.js';
import { addInputOptions } from '../input-options.js';
import { oneOf } from '../option-values.js';
import { addSelectionOptions } from '../selection-options.js';

const EXAMPLES = `Examples:
  spbsim import recording/trace.gz -o trace.csv.zst
  perf script | spbsim import - -o trace.arrow           readable by pandas, DuckDB, polars
  spbsim import cpu0.txt cpu1.txt --from 2s --to 4s -o part.csv
  spbsim import trace.dat.txt --sample 1% --anonymise -o to-share.csv.gz
`;

export function addImport(program: Command): void {
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
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (inputs: string[], options: ImportOptions) =>
      (await import('../commands/import.js')).importCommand(inputs, options),
    );
}
