import type { Command } from 'commander';
import type { MetricsOptions } from '../commands/metrics.js';

const EXAMPLES = `Examples:
  spbsim metrics                                         every figure that budgets and diffs may name
  spbsim metrics --grep index                            those with the word in name or meaning
  spbsim run trace.csv --json | jq .metrics.spb_tainted
`;

export function addMetrics(program: Command): void {
  program
    .command('metrics')
    .summary('the figures of a run: names, units, meaning, which way is better')
    .description(
      'Lists the catalogue of metrics: the names that check budgets, diff tables and run --json use.',
    )
    .option('--grep <words>', 'only those whose name, subject or meaning holds all of these words')
    .option('--json', 'as JSON')
    .option('--markdown', 'as the docs page has it')
    .addHelpText('before', EXAMPLES)
    .action(async (options: MetricsOptions) =>
      (await import('../commands/metrics.js')).metricsCommand(options),
    );
}
