/** `spbsim check`: what is to be checked, the check, and its reports. */
import { UsageError } from '../../config/usage-error.js';
import { type CheckReportOptions, parseReporter, type ReporterChoice } from '../../report/check/reporters.js';
import type { CheckResult } from '../../report/check-result.js';
import { plural } from '../../report/quantities.js';
import { printable } from '../../report/sanitize.js';
import { terminalStyle } from '../../report/text-style.js';
import {
  type Baseline,
  type BaselineRun,
  NO_BASELINE,
  readBaseline,
  writeBaseline,
} from '../../sim/check/baseline-file.js';
import { type BudgetFile, inlineBudget, readBudgetFile } from '../../sim/check/budget-file.js';
import { runCheck } from '../../sim/check/run-check.js';
import { writeOutput } from '../../trace/bytes/output-file.js';
import { checkPolicies, checkTraces, type SubjectOptions } from '../check-subjects.js';
import { ExitCode } from '../exit-codes.js';
import { checkInputs, type InputOptions, openOptions } from '../input-options.js';
import { machineLimit, seedRange } from '../option-values.js';
import { print } from '../output.js';
import { watched } from '../watched.js';

export interface CheckOptions extends InputOptions, SubjectOptions {
  readonly budget?: string;
  readonly failOn: readonly string[];
  readonly baseline?: string;
  readonly updateBaseline?: true;
  readonly reporter: readonly string[];
  readonly json?: true;
  readonly all?: true;
  readonly seeds?: readonly number[];
  readonly check?: true;
  readonly maxMachine?: string;
}

/** Reports that can share standard output: both are lines for people and for a CI log. */
const LOGS: ReadonlySet<string> = new Set(['text', 'github']);

export async function checkCommand(traces: readonly string[], options: CheckOptions): Promise<void> {
  await checkInputs(traces);
  if (traces.includes('-'))
    throw new UsageError('-: a check replays each trace several times: give it a file');
  // Reports are looked at first: a mistyped name must not cost a replay.
  const reporters = chooseReporters(options);
  const file = options.budget === undefined ? undefined : await readBudgetFile(options.budget);
  const budgets = [
    ...(file?.budgets ?? []),
    ...options.failOn.map((text) => inlineBudget(text, '--fail-on')),
  ];
  if (budgets.length === 0)
    throw new UsageError("nothing to check: give --budget FILE, or --fail-on 'spb_tainted <= 20'");
  const baselinePath = options.baseline ?? file?.baseline;
  if (options.updateBaseline && baselinePath === undefined)
    throw new UsageError(
      '--update-baseline: say where with --baseline FILE, or with baseline: in the budget file',
    );
  if (options.updateBaseline && options.set.length > 0)
    throw new UsageError(
      '--update-baseline with --set: what --set changes would be stored as the policy itself; write a policy file for it',
    );
  const baseline = await readBaselineOf(
    baselinePath,
    options,
    budgets.some(({ limit }) => limit.kind !== 'absolute'),
  );
  const subjects = {
    traces: await checkTraces(traces, file, options),
    policies: await checkPolicies(file, options),
  };
  const outcome = await watched(async ({ onProgress, signal }) =>
    runCheck({
      ...subjects,
      seeds: seedsOf(file, options),
      budgets,
      budgetPath: options.budget ?? null,
      baseline,
      baselinePath: baselinePath ?? null,
      open: await openOptions(options),
      check: options.check ?? false,
      max_machine_pages: await machineLimit(options.maxMachine),
      onProgress,
      signal,
    }),
  );
  let { result } = outcome;
  if (options.updateBaseline) {
    const updated = baseline.with(outcome.measured);
    await writeBaseline(baselinePath!, updated);
    result = outcome.against(updated);
    process.stderr.write(updateText(baselinePath!, baseline, outcome.measured));
  }
  await report(result, reporters, options);
  if (result.verdict === 'failed') process.exitCode = ExitCode.failed;
  else if (result.notes.some((note) => note.endsWith('the figures are of what was read')))
    process.exitCode = ExitCode.invalidInput;
}

/** A file that the command names must be there, unless it is to be written. */
async function readBaselineOf(
  path: string | undefined,
  { baseline, updateBaseline }: CheckOptions,
  isNeeded: boolean,
): Promise<Baseline> {
  const read = path === undefined ? NO_BASELINE : await readBaseline(path);
  if (isNeeded && path === undefined)
    throw new UsageError(
      'a budget is relative to a baseline: name one with --baseline FILE, or with baseline: in the budget file',
    );
  if (baseline !== undefined && !updateBaseline && read.runs.length === 0)
    throw new UsageError(
      `--baseline ${baseline}: there is no such baseline; write it with --update-baseline`,
    );
  return read;
}

function seedsOf(file: BudgetFile | undefined, options: CheckOptions): readonly number[] {
  if (options.seeds !== undefined) return options.seeds;
  return file?.seeds === undefined ? [1] : seedRange(`${file.path}: seeds`)(file.seeds);
}

function chooseReporters({ reporter, json }: CheckOptions): readonly ReporterChoice[] {
  const texts = [...reporter, ...(json ? ['json'] : [])];
  const chosen = (texts.length === 0 ? ['text'] : texts).map(parseReporter);
  const onStdout = chosen.filter(({ file }) => file === null);
  if (onStdout.length > 1 && onStdout.some((choice) => !LOGS.has(choice.reporter.name))) {
    const names = onStdout.map((choice) => choice.reporter.name).join(' and ');
    throw new UsageError(
      `${names} cannot share standard output: give all but one a file, such as --reporter junit=junit.xml`,
    );
  }
  return chosen;
}

async function report(
  result: CheckResult,
  reporters: readonly ReporterChoice[],
  options: CheckOptions,
): Promise<void> {
  const all = options.all ?? false;
  for (const { reporter, file } of reporters) {
    if (file === null) {
      const shown: CheckReportOptions = { style: await terminalStyle(), all };
      await print(reporter.render(result, shown));
    } else {
      const bytes = new TextEncoder().encode(reporter.render(result, { all }));
      await writeOutput(
        file,
        (async function* () {
          yield bytes;
        })(),
      );
    }
  }
}

/** Values of the baseline that are other than they were, for whoever reviews the change. */
const MOST_CHANGES = 20;

function updateText(path: string, before: Baseline, measured: readonly BaselineRun[]): string {
  const changes = measured.flatMap((run) => {
    const old = before.find(run);
    return Object.entries(run.metrics)
      .filter(([name, value]) => old?.metrics[name] !== value)
      .map(
        ([name, value]) =>
          `  ${run.trace} ${run.policy} seed ${run.seed}  ${name}  ${old?.metrics[name] ?? 'new'} -> ${value}`,
      );
  });
  const more = changes.length > MOST_CHANGES ? [`  and ${changes.length - MOST_CHANGES} more`] : [];
  const lines = [
    `${path}: ${changes.length === 0 ? 'nothing changed' : `${plural(changes.length, 'value')} written`}`,
    ...changes.slice(0, MOST_CHANGES),
    ...more,
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}
