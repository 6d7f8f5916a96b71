/**
 * The command line: what is common to all commands, and their list. Each command's options and help stand in `define/`; what
 * it does is in `commands/`, and is loaded only when it runs.
 */
import { Command } from 'commander';
import { toolVersion } from '../config/tool-version.js';
import { printable } from '../report/sanitize.js';
import { addBisect } from './define/bisect.js';
import { addCheck } from './define/check.js';
import { addDiff } from './define/diff.js';
import { addExplain } from './define/explain.js';
import { addGen } from './define/gen.js';
import { addImport } from './define/import.js';
import { addInfo } from './define/info.js';
import { addMetrics } from './define/metrics.js';
import { addPolicy } from './define/policy.js';
import { addRun } from './define/run.js';
import { addSchema } from './define/schema.js';
import { addVerify } from './define/verify.js';
import { EXIT_CODES_HELP } from './exit-codes.js';

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
